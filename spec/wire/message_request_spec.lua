-- SPDX-License-Identifier: Apache-2.0
-- Requests there and back again. Their exact bytes stand in golden.lua.
local bytes = require "spec.support.bytes"
local decoding = require "spec.support.decoding"
local golden = require "spec.wire.golden"
local messages = require "spec.support.messages"
local ffi = require "ffi"
local C = require "spec.support.c"
local str, text = bytes.str, bytes.text

local function decode(content, version)
  local result = decoding.run(content, { server = true, version = version })
  assert.equal(0, result.rc)
  assert.equal(1, #result.envelopes)
  return messages.decode(result.envelopes[1])
end

local function random_values(rand, named)
  local parts, count = {}, rand(0, 5)
  for i = 1, count do
    if named then parts[#parts + 1] = "\0\2n" .. i end
    local kind = rand(0, 3)
    if kind == 0 then
      parts[#parts + 1] = "\255\255\255\255"
    elseif kind == 1 then
      parts[#parts + 1] = "\255\255\255\254"
    else
      local len = rand(0, 300)
      parts[#parts + 1] = string.char(0, 0, math.floor(len / 256), len % 256) .. bytes.random_bytes(rand, len)
    end
  end
  return count, table.concat(parts)
end

local function random_params(rand)
  local named = rand(0, 3) == 0
  local count, values = random_values(rand, named)
  local fields = { consistency = rand(0, 10), named_values = named, value_count = count, values = str(values),
    skip_metadata = rand(0, 1) == 1 }
  if rand(0, 1) == 1 then fields.serial_consistency = rand(8, 9) end
  if rand(0, 1) == 1 then fields.page_size = rand(0, 2) == 0 and 1 or rand(1, 100000) end
  if rand(0, 1) == 1 then fields.paging_state = bytes.value(bytes.random_bytes(rand, rand(0, 50))) end
  if rand(0, 1) == 1 then fields.has_timestamp, fields.timestamp = true, -1LL * rand(0, 1000000) end
  if rand(0, 1) == 1 then fields.keyspace = str("ks" .. rand(0, 9)) end
  return golden.params(fields)
end

local function assert_same_params(sent, got, version)
  for _, name in ipairs { "consistency", "serial_consistency", "skip_metadata", "value_count", "page_size",
    "has_timestamp" } do
    assert.equal(sent[name], got[name], name)
  end
  assert.is_true(not sent.has_timestamp or sent.timestamp == got.timestamp)
  assert.equal(sent.value_count > 0 and sent.named_values, got.named_values)
  assert.equal(sent.value_count > 0 and text(sent.values) or nil, text(got.values))
  assert.equal(text(sent.paging_state), text(got.paging_state))
  assert.equal(version == 5 and text(sent.keyspace) or nil, text(got.keyspace))
end

describe("QUERY and EXECUTE", function()
  it("come back as they went, in every version", function()
    local rand = bytes.rand(1001)
    for version = 3, 5 do
      for _ = 1, 300 do
        local params, cql = random_params(rand), bytes.random_bytes(rand, rand(0, 200))
        local buf = bytes.buf()
        C.mp_encode_query(buf, version, 0, rand(0, 32767), str(cql), params)
        local rc, body, _, memory = decode(bytes.content(buf), version)
        assert.equal(0, rc)
        assert.equal(cql, text(body.cql))
        assert_same_params(params, body.params, version)
        local id, metadata_id = bytes.random_bytes(rand, rand(0, 20)), bytes.random_bytes(rand, rand(0, 20))
        C.mp_buf_clear(buf)
        C.mp_encode_execute(buf, version, 0, 1, str(id), str(metadata_id), params)
        local rc2, body2, _, memory2 = decode(bytes.content(buf), version)
        assert.equal(0, rc2)
        assert.equal(id, text(body2.id))
        assert.equal(version == 5 and metadata_id or nil, text(body2.result_metadata_id))
        assert_same_params(params, body2.params, version)
        assert.truthy(memory and memory2)
      end
    end
  end)

  it("cost no memory once the buffer has its size", function()
    local buf = bytes.buf()
    local params = golden.params { consistency = 1, value_count = 1, values = str "\0\0\0\1x" }
    local id, none = str "0123456789abcdef", str(nil)
    C.mp_encode_execute(buf, 5, 0, 1, id, id, params)
    C.mp_buf_clear(buf)
    local before = C.mp_mem_stats().allocs
    for _ = 1, 3 do C.mp_encode_execute(buf, 4, 0, 1, id, none, params) end
    assert.equal(before, C.mp_mem_stats().allocs)
  end)

  it("never leave half a message in a buffer that cannot grow", function()
    local buf = bytes.buf()
    C.mp_buf_text(buf, "before")
    local long = str(("x"):rep(1000))
    C.mp_mem_fail_at(1, false)
    C.mp_encode_execute(buf, 5, 0, 1, long, long, golden.params { consistency = 1 })
    C.mp_mem_fail_at(0, false)
    assert.is_true(buf.failed)
    assert.equal("before", ffi.string(buf.data, buf.len))
  end)

  it("refuse what does not fit its length field", function()
    local params = golden.params { consistency = 1 }
    for _, long in ipairs { str(("x"):rep(65536)) } do
      local buf = bytes.buf()
      C.mp_encode_execute(buf, 5, 0, 1, long, str "r", params)
      assert.is_true(buf.failed)
      C.mp_buf_clear(buf)
      C.mp_encode_execute(buf, 5, 0, 1, str "i", long, params)
      assert.is_true(buf.failed)
      C.mp_buf_clear(buf)
      params.keyspace = long
      C.mp_encode_query(buf, 5, 0, 1, str "Q", params)
      assert.is_true(buf.failed)
    end
    local most = math.floor(2147483647 / 4) -- MP_REQUEST_PART_MAX: more is refused before it is looked at
    local function huge(len) return ffi.new("struct mp_str", "x", len) end
    local refused = {
      function(buf) C.mp_encode_query(buf, 5, 0, 1, huge(most + 200000), golden.params { consistency = 1 }) end,
      function(buf) C.mp_encode_query(buf, 5, 0, 1, str "Q", golden.params { values = huge(most + 1) }) end,
      function(buf)
        local state = ffi.new("struct mp_bytes", ffi.cast("const uint8_t *", "x"), most + 1)
        C.mp_encode_query(buf, 5, 0, 1, str "Q", golden.params { paging_state = state })
      end,
      function(buf) C.mp_encode_query(buf, 5, 0, 1, str "Q", golden.params { value_count = 65536 }) end,
      function(buf)
        C.mp_batch_put(buf, ffi.new("struct mp_batch_statement", { cql = str "Q", values = huge(most + 1) }))
      end,
      function(buf) C.mp_batch_put(buf, ffi.new("struct mp_batch_statement", { cql = huge(most + 1) })) end,
      function(buf)
        local batch = ffi.new("struct mp_batch_body", { statements = huge(most + 1) })
        C.mp_encode_batch(buf, 5, 0, 1, batch, golden.params { consistency = 1 })
      end,
      function(buf)
        local batch = ffi.new("struct mp_batch_body", { count = 65536 })
        C.mp_encode_batch(buf, 5, 0, 1, batch, golden.params { consistency = 1 })
      end,
    }
    for i, write in ipairs(refused) do
      local buf = bytes.buf()
      write(buf)
      assert.is_true(buf.failed, i)
    end
  end)
end)

local function random_statement(rand)
  local count, values = random_values(rand, false)
  local name = bytes.random_bytes(rand, rand(0, 60))
  local is_text = rand(0, 1) == 0
  return { cql = is_text and name or nil, id = not is_text and name or nil, count = count,
    values = count > 0 and values or nil }
end

-- A pointer to no bytes is neither a text nor an id.
local function random_batch(rand)
  local statements = {}
  for i = 1, rand(0, 20) do
    repeat statements[i] = random_statement(rand) until (statements[i].cql or statements[i].id) ~= ""
  end
  return statements
end

describe("BATCH", function()
  it("comes back as it went, in every version", function()
    local rand = bytes.rand(1002)
    for version = 3, 5 do
      for _ = 1, 200 do
        local params, statements, buf = random_params(rand), random_batch(rand), bytes.buf()
        local type = rand(0, 2)
        local run = golden.batch(type, statements)
        C.mp_encode_batch(buf, version, 0, rand(0, 32767), run, params)
        local rc, body, _, memory = decode(bytes.content(buf), version)
        assert.equal(0, rc)
        assert.same({ type, #statements }, { body.batch.type, body.batch.count })
        assert.same(statements, golden.batch_statements(body.batch.statements))
        for _, name in ipairs { "consistency", "serial_consistency", "has_timestamp" } do
          assert.equal(params[name], body.params[name], name)
        end
        assert.is_true(not params.has_timestamp or params.timestamp == body.params.timestamp)
        assert.equal(version == 5 and text(params.keyspace) or nil, text(body.params.keyspace))
        assert.truthy(memory)
      end
    end
  end)

  it("has 65,535 statements at most", function()
    local one = golden.batch(0, { { id = "x" } })
    local buf, run = bytes.buf(), bytes.buf()
    for _ = 1, 65535 do C.mp_buf_bytes(run, one.statements.data, one.statements.len) end
    local batch = ffi.new("struct mp_batch_body", { count = 65535 })
    batch.statements.data, batch.statements.len = ffi.cast("const char *", run.data), run.len
    C.mp_encode_batch(buf, 4, 0, 1, batch, golden.params { consistency = 1 })
    local rc, body, _, memory = decode(bytes.content(buf), 4)
    assert.same({ 0, 65535 }, { rc, body.batch.count })
    C.mp_buf_clear(buf)
    batch.count = 65536
    C.mp_encode_batch(buf, 4, 0, 1, batch, golden.params { consistency = 1 })
    assert.is_true(buf.failed)
    assert.truthy(memory)
  end)

  it("never leaves half a statement or half a message", function()
    local long = ("x"):rep(1000)
    local buf, batch = bytes.buf(), golden.batch(0, { { cql = long } })
    local statement = ffi.new("struct mp_batch_statement", { cql = str(long) })
    C.mp_buf_text(buf, "before")
    for _, put in ipairs {
      function() C.mp_batch_put(buf, statement) end,
      function() C.mp_encode_batch(buf, 5, 0, 1, batch, golden.params { consistency = 1 }) end,
    } do
      C.mp_mem_fail_at(1, false)
      put()
      C.mp_mem_fail_at(0, false)
      assert.is_true(buf.failed)
      assert.equal("before", ffi.string(buf.data, buf.len))
      buf.failed = false
    end
    C.mp_batch_put(buf, ffi.new("struct mp_batch_statement", { id = str(("x"):rep(65536)) }))
    assert.is_true(buf.failed)
    buf.failed = false
    C.mp_batch_put(buf, ffi.new("struct mp_batch_statement", { id = str "x", value_count = 65536 }))
    assert.is_true(buf.failed)
  end)

  it("costs no memory once the buffers have their size", function()
    local buf, batch = bytes.buf(), golden.batch(0, { { id = "x", count = 1, values = "\0\0\0\1x" } })
    local params, run = golden.params { consistency = 1 }, bytes.buf()
    local statement = ffi.new("struct mp_batch_statement", { id = str "x" })
    C.mp_encode_batch(buf, 5, 0, 1, batch, params)
    C.mp_batch_put(run, statement)
    C.mp_buf_clear(run)
    C.mp_buf_clear(buf)
    local before = C.mp_mem_stats().allocs
    C.mp_batch_put(run, statement)
    C.mp_encode_batch(buf, 5, 0, 1, batch, params)
    assert.equal(before, C.mp_mem_stats().allocs)
  end)
end)

describe("a request on a node", function()
  local function rc(opcode, hex, flags, version)
    return (messages.decode { version = version or 4, response = false, flags = flags or 0, opcode = opcode,
      body = bytes.of(hex) })
  end

  it("may have a custom payload before it, since v4", function()
    local payload = "0002 0001 'k' 00000003 'abc' 0001 'n' ffffffff"
    for version = 4, 5 do
      local code, body, _, memory = messages.decode { version = version, response = false, flags = 4, opcode = 0x09,
        body = bytes.of(payload .. "00000001 'Q' 00000000") }
      assert.equal(0, code)
      assert.equal("Q", text(body.cql))
      assert.truthy(memory)
    end
    assert.equal(C.MP_EPROTO, rc(0x09, "0002 0001 'k' 00000003 'abc'", 4))
  end)

  it("must not be compressed", function() assert.equal(C.MP_EPROTO, rc(0x05, "", 1)) end)

  it("must be a request", function()
    for _, opcode in ipairs { 0x00, 0x02, 0x03, 0x04, 0x06, 0x08, 0x0c, 0x0e, 0x10, 0x11, 0xff } do
      assert.equal(C.MP_EPROTO, rc(opcode, "00000000 00000000 00000000"))
    end
  end)

  it("cannot claim more than its bytes", function()
    assert.equal(C.MP_EPROTO, rc(0x01, "ffff 0001 'k' 0001 'v'"))
    assert.equal(C.MP_EPROTO, rc(0x0b, "ffff"))
    assert.equal(C.MP_EPROTO, rc(0x07, "ffffffff 0001 00")) -- a query of negative length
    assert.equal(C.MP_EPROTO, rc(0x07, "7fffffff 0001 00"))
    assert.equal(C.MP_EPROTO, rc(0x07, "00000001 'Q' 0001 01 ffff 00000000"))
    assert.equal(C.MP_EPROTO, rc(0x07, "00000001 'Q' 0001 01 0001 fffffffd")) -- neither null nor not set
    assert.equal(C.MP_EPROTO, rc(0x0a, "00ff"))
  end)

  it("may have null for a token", function()
    local code, body, _, memory = messages.decode { version = 4, response = false, flags = 0, opcode = 0x0f,
      body = bytes.of "ffffffff" }
    assert.equal(0, code)
    assert.is_nil(text(body.token))
    assert.truthy(memory)
  end)

  it("of v5 may say what time it is", function()
    local code, body, _, memory = messages.decode { version = 5, response = false, flags = 0, opcode = 0x07,
      body = bytes.of "00000001 'Q' 0001 00000180 0002 'ks' 00000007" }
    assert.equal(0, code)
    assert.equal("ks", text(body.params.keyspace))
    assert.truthy(memory)
  end)

  it("of the kind BATCH has statements of two kinds, values without names, and what the flags of BATCH say", function()
    local function batch(tail, version) return rc(0x0d, tail, 0, version) end
    assert.equal(0, batch "00 0000 0001 00")
    assert.equal(0, batch "02 0001 00 00000001 'Q' 0001 fffffffe 0001 00")
    for _, wrong in ipairs {
      "03 0000 0001 00", -- no such type
      "00 0001 02 0000 0000 0001 00", -- no such kind
      "00 0001 00 00000001 'Q' 0001 fffffffd 0001 00", -- neither null nor not set
      "00 0002 00 00000001 'Q' 0000 0001 00", -- fewer than it says
      "00 ffff", "00", "", "00 0000 0001",
      "00 0000 0001 40", "00 0000 0001 01", "00 0000 0001 04 00000005", -- names, values, a page size
    } do
      assert.equal(C.MP_EPROTO, batch(wrong), wrong)
    end
    assert.equal(0, batch("00 0000 0001 00000180 0002 'ks' 00000007", 5))
    assert.equal(C.MP_EPROTO, batch("00 0000 0001 00000040", 5))
  end)
end)
