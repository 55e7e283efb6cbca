-- SPDX-License-Identifier: Apache-2.0
-- RESULT and what stands before it. The exact bytes of each kind stand in golden.lua.
local bytes = require "spec.support.bytes"
local decoding = require "spec.support.decoding"
local golden = require "spec.wire.golden"
local messages = require "spec.support.messages"
local ffi = require "ffi"
local C = require "spec.support.c"
local str, text = bytes.str, bytes.text

local function decode(hex, version, flags)
  return messages.decode({ version = version or 4, response = true, flags = flags or 0, opcode = 0x08,
    body = bytes.of(hex) }, true)
end

describe("what stands before a response", function()
  local trace = "00112233445566778899aabbccddeeff"
  local warnings = "0002 0001 'a' 0002 'bc'"
  local payload = "0002 0001 'k' 00000001 ff 0001 'n' ffffffff"

  it("is read in all eight combinations, in the order of the specification", function()
    for version = 4, 5 do
      for combination = 0, 7 do
        local traced, warned, paid = combination % 2 == 1, combination % 4 >= 2, combination >= 4
        local hex = (traced and trace or "") .. (warned and warnings or "") .. (paid and payload or "") .. "00000001"
        local flags = (traced and 2 or 0) + (paid and 4 or 0) + (warned and 8 or 0)
        local rc, result, prefix, memory = decode(hex, version, flags)
        assert.equal(0, rc)
        assert.equal(1, tonumber(result.kind))
        assert.equal(traced, prefix.has_trace_id)
        if traced then assert.equal(bytes.of(trace), ffi.string(prefix.trace_id.bytes, 16)) end
        assert.equal(warned and 2 or 0, prefix.warning_count)
        if warned then
          assert.equal("a", text(C.mp_cursor_string(prefix.warnings)))
          assert.equal("bc", text(C.mp_cursor_string(prefix.warnings)))
          assert.equal("", bytes.rest(prefix.warnings))
        end
        assert.equal(paid and 2 or 0, prefix.payload_count)
        if paid then assert.equal(bytes.of "0001 'k' 00000001 ff 0001 'n' ffffffff", bytes.rest(prefix.payload)) end
        assert.equal("\0\0\0\1", bytes.rest(prefix.body))
        assert.truthy(memory)
        for len = 0, #bytes.of(hex) - 5 do
          local cut = messages.decode { version = version, response = true, flags = flags, opcode = 0x08,
            body = bytes.of(hex):sub(1, len) }
          assert.equal(C.MP_EPROTO, cut)
        end
      end
    end
  end)

  it("is only the trace id in v3", function()
    local rc, result, prefix, memory = decode(trace .. "00000001", 3, 2 + 4 + 8)
    assert.equal(0, rc)
    assert.equal(1, tonumber(result.kind))
    assert.same({ true, 0, 0 }, { prefix.has_trace_id, prefix.warning_count, prefix.payload_count })
    assert.truthy(memory)
  end)

  it("cannot be compressed, and unknown flags mean nothing", function()
    assert.equal(C.MP_EPROTO, (decode("00000001", 4, 1)))
    assert.equal(0, (decode("00000001", 4, 0xf0)))
  end)
end)

describe("rows", function()
  local head = "00000002 00000004 00000002 "

  it("without metadata are read without memory", function()
    local body = bytes.of(head .. "00000002 00000001 'a' ffffffff 00000000 00000002 'bc'")
    local memory = bytes.exact(body)
    local result, values = ffi.new "struct mp_result_body", ffi.new "struct mp_bytes[2]"
    local cursor = C.mp_cursor_on(memory, #body)
    local before = C.mp_mem_stats().allocs
    assert.equal(0, C.mp_decode_result(cursor, 4, result))
    assert.equal(0, C.mp_row_read(result.rows, values, 2))
    assert.equal(before, C.mp_mem_stats().allocs)
    assert.same({ "a" }, { text(values[0]), text(values[1]) })
    assert.equal(tonumber(ffi.cast("uintptr_t", memory)) + 20, tonumber(ffi.cast("uintptr_t", values[0].data)))
    assert.equal(0, C.mp_row_read(result.rows, values, 2))
    assert.same({ "", "bc" }, { text(values[0]), text(values[1]) })
    assert.equal(C.MP_EPROTO, C.mp_row_read(result.rows, values, 2))
    assert.equal(C.MP_EPROTO, C.mp_row_read(result.rows, values, 0)) -- failed for good
  end)

  it("that come with columns which are known already are read without memory", function()
    local function decode_like(hex, known)
      local body = bytes.of(hex)
      local memory, result = bytes.exact(body), ffi.new "struct mp_result_body"
      local rc = C.mp_decode_result_like(C.mp_cursor_on(memory, #body), 4, known, result)
      return rc, result, memory
    end
    local columns = "0001 'k' 0001 't' 0001 'a' 0009 0001 'b' 000d "
    local row = "00000001 00000004 00000007 00000001 'x'"
    local same = "00000002 00000001 00000002 " .. columns .. row
    local _, first, memory = decode_like(same, nil)
    local known = first.metadata

    local before = C.mp_mem_stats().allocs
    local rc, result, again = decode_like(same, known)
    assert.equal(before + 1, C.mp_mem_stats().allocs) -- that of bytes.exact
    assert.equal(0, rc)
    assert.is_true(result.metadata == known and known.refs == 2)
    local values = ffi.new "struct mp_bytes[2]"
    assert.equal(0, C.mp_row_read(result.rows, values, 2))
    assert.equal("x", text(values[1]))
    C.mp_metadata_unref(result.metadata)

    -- One more page to come: the same columns all the same.
    rc, result = decode_like("00000002 00000003 00000002 00000001 ff " .. columns .. row, known)
    assert.same({ 0, true }, { rc, result.metadata == known })
    C.mp_metadata_unref(result.metadata)

    for _, other in ipairs {
      "00000002 00000001 00000002 0001 'k' 0001 't' 0001 'a' 0009 0001 'c' 000d " .. row,
      "00000002 00000001 00000002 0001 'k' 0001 't' 0001 'a' 0009 0001 'b' 0009 " .. row,
      "00000002 00000000 00000002 0001 'k' 0001 't' 0001 'a' 0009 0001 'k' 0001 't' 0001 'b' 000d " .. row,
      "00000002 00000001 00000001 0001 'k' 0001 't' 0001 'a' 0009 00000001 00000004 00000007",
    } do
      rc, result = decode_like(other, known)
      assert.same({ 0, false }, { rc, result.metadata == known })
      C.mp_metadata_unref(result.metadata)
    end
    assert.equal(C.MP_EPROTO, (decode_like("00000002 00000001 00000002 " .. columns:sub(1, -6), known)))
    assert.equal(1, known.refs)
    C.mp_metadata_unref(known)
    assert.truthy(memory and again)
  end)

  it("that end inside of a value are refused at that row", function()
    for _, hex in ipairs { "00000002 00000001 'a' 00000000 00000005 'abc'", "00000001 00000004 ffff 00000000",
      "00000001 7fffffff 'abcd'" } do
      assert.equal(C.MP_EPROTO, (messages.decode { version = 4, response = true, flags = 0, opcode = 0x08,
        body = bytes.of(head .. hex) }))
    end
  end)

  it("cannot be more than their bytes can hold (P12)", function()
    assert.equal(0, (decode(head .. "00000001 ffffffff ffffffff")))
    for _, hex in ipairs { "00000002 ffffffff ffffffff", "7fffffff ffffffff ffffffff", "ffffffff", "80000000",
      "00000001" } do
      assert.equal(C.MP_EPROTO, (decode(head .. hex)))
    end
  end)

  it("without columns are at most 65,536", function()
    local rc, result = decode "00000002 00000004 00000000 00010000"
    assert.same({ 0, 65536 }, { rc, result.row_count })
    assert.equal(C.MP_EPROTO, (decode "00000002 00000004 00000000 00010001"))
    assert.equal(C.MP_EPROTO, (decode "00000002 00000004 00000000 ffffffff"))
  end)

  it("cannot have a column count that is not one", function()
    for _, count in ipairs { "ffffffff", "80000000", "7fffffff", "00010000" } do
      for _, flags in ipairs { "00000004", "00000000", "00000001" } do
        assert.equal(C.MP_EPROTO, (decode("00000002" .. flags .. count .. "00000000")))
      end
    end
    assert.equal(0, (decode "00000002 00000004 0000ffff 00000000"))
    assert.equal(C.MP_EPROTO, (decode "00000002 00000000 0000ffff 0001 'k'"))
  end)

  it("may say that there are more pages", function()
    local rc, result, _, memory = decode "00000002 00000006 00000001 00000002 abcd 00000000"
    assert.equal(0, rc)
    assert.is_true(result.has_more_pages)
    assert.equal("\xab\xcd", text(result.paging_state))
    assert.truthy(memory)
    assert.equal(C.MP_EPROTO, (decode "00000002 00000006 00000001 00000003 abcd"))
  end)

  it("know changed metadata only in v5", function()
    local hex = "00000002 0000000c 00000001 0002 beef 00000000"
    local rc, result, _, memory = decode(hex, 5)
    assert.same({ 0, "\xbe\xef" }, { rc, text(result.new_metadata_id) })
    assert.truthy(memory)
    assert.equal(C.MP_EPROTO, (decode(hex, 4)))
  end)

  it("of any metadata and content come back as they went", function()
    local rand = bytes.rand(77)
    local types = { "int", "text", "list<int>", "map<text, frozen<set<uuid>>>", "duration", "date", "tuple<int, blob>" }
    for round = 1, 150 do
      local version, columns = rand(3, 5), {}
      for i = 1, rand(0, 6) do
        columns[i] = { "ks", rand(0, 5) == 0 and "u" or "t", "c" .. i, types[rand(1, #types)] }
      end
      local rows, one_table = {}, rand(0, 1) == 1
      for _, column in ipairs(columns) do if one_table then column[2] = "t" end end
      for r = 1, rand(0, 5) do
        rows[r] = {}
        for i = 1, #columns do rows[r][i] = rand(0, 3) > 0 and bytes.random_bytes(rand, rand(0, 20)) end
      end
      local buf, rows_head = bytes.buf(), ffi.new "struct mp_rows_head"
      local metadata = golden.metadata(columns)
      rows_head.metadata, rows_head.paging_state = metadata, bytes.value(round % 3 == 0 and "page" or nil)
      local mark = C.mp_encode_rows_begin(buf, version, 5, rows_head)
      for _, row in ipairs(rows) do
        for i = 1, #columns do
          if row[i] then C.mp_buf_u32(buf, #row[i]) C.mp_buf_bytes(buf, row[i], #row[i]) else C.mp_write_null(buf) end
        end
      end
      C.mp_encode_rows_end(buf, mark, #rows)
      local env = decoding.run(bytes.content(buf)).envelopes[1]
      local rc, result, _, memory = messages.decode(env, true)
      assert.equal(0, rc)
      assert.same(columns, golden.columns(result.metadata))
      assert.equal(#rows, result.row_count)
      assert.equal(round % 3 == 0 and "page" or nil, text(result.paging_state))
      local values = ffi.new("struct mp_bytes[?]", #columns + 1)
      for _, row in ipairs(rows) do
        assert.equal(0, C.mp_row_read(result.rows, values, #columns))
        for i = 1, #columns do assert.equal(row[i] or nil, text(values[i - 1])) end
      end
      assert.equal("", bytes.rest(result.rows))
      assert.truthy(memory)
    end
  end)
end)

describe("[applied]", function()
  local function applied(name, type, value)
    local row = value and "00000001" .. value or "ffffffff"
    local rc, result, _, memory = decode("00000002 00000001 00000001 0001 'k' 0001 't'" ..
      string.format("%04x '%s'", #name, name) .. type .. (value == "none" and "00000000" or "00000001" .. row))
    assert.equal(0, rc)
    assert.truthy(memory)
    return C.mp_result_applied(result, result.metadata)
  end

  it("says whether a conditional statement was", function()
    assert.equal(1, applied("[applied]", "0004", "01"))
    assert.equal(0, applied("[applied]", "0004", "00"))
  end)

  it("is only what it is: a boolean of this name in a row", function()
    assert.equal(-1, applied("applied", "0004", "01"))
    assert.equal(-1, applied("[applied]", "0014", "01"))
    assert.equal(-1, applied("[applied]", "0004", nil))
    assert.equal(-1, applied("[applied]", "0004", "none"))
    local rc, void = decode "00000001"
    assert.equal(0, rc)
    assert.equal(-1, C.mp_result_applied(void, nil))
    local none = assert(select(2, decode "00000002 00000001 00000000 0001 'k' 0001 't' 00000001"))
    assert.equal(-1, C.mp_result_applied(none, none.metadata))
    assert.equal(-1, C.mp_result_applied(none, nil))
  end)
end)

describe("a prepared statement", function()
  local function params(hex) return decode("00000004 0001 'i'" .. hex .. "00000004 00000000") end

  it("names its partition key by markers that are there", function()
    assert.equal(0, (params "00000001 00000001 00000001 0000 0001 'k' 0001 't' 0001 'a' 0009"))
    for _, hex in ipairs {
      "00000001 00000001 00000001 0001 0001 'k' 0001 't' 0001 'a' 0009", -- the second of one
      "00000001 00000001 00000002 0000 0000 0001 'k' 0001 't' 0001 'a' 0009", -- two of one
      "00000001 00000001 ffffffff 0001 'k' 0001 't' 0001 'a' 0009",
      "00000001 00000001 7fffffff 0001 'k' 0001 't' 0001 'a' 0009",
    } do
      assert.equal(C.MP_EPROTO, (params(hex)))
    end
  end)

  it("may have no markers and any result", function()
    local rc, result, _, memory = decode "00000004 0001 'i' 00000000 00000000 00000000 00000004 00000003"
    assert.equal(0, rc)
    assert.same({ 0, 0 }, { result.params.column_count, result.result.column_count })
    assert.truthy(memory)
  end)
end)

describe("column metadata", function()
  it("is found by name", function()
    local metadata = golden.metadata { { "k", "t", "a", "int" }, { "k", "t", "B", "int" }, { "k", "t", "ab", "int" } }
    for name, index in pairs { a = 0, B = 1, ab = 2 } do
      assert.equal(index, C.mp_metadata_find(metadata, str(name)))
    end
    for _, name in ipairs { "b", "", "abc" } do
      assert.equal(C.MP_ENOTFOUND, C.mp_metadata_find(metadata, str(name)))
    end
  end)

  it("is shared by count", function()
    local allocs, frees = bytes.memory_of(function()
      local metadata = C.mp_metadata_new(2)
      assert.is_true(C.mp_metadata_ref(metadata) == metadata)
      C.mp_metadata_unref(metadata)
      assert.equal(2, metadata.column_count)
      C.mp_metadata_unref(metadata)
    end)
    assert.same({ 2, 2 }, { allocs, frees })
    assert.is_true(C.mp_metadata_ref(nil) == nil)
    C.mp_metadata_unref(nil)
  end)

  it("is compared by the names and types of its columns, and by its partition key", function()
    local function decoded(keys, columns)
      local head = ("00000004 0002 abcd 00000001 %08x %08x "):format(#columns, #keys)
      for _, key in ipairs(keys) do head = head .. ("%04x "):format(key) end
      head = head .. "0001 'k' 0001 't' " .. table.concat(columns, " ") .. " 00000004 00000000"
      local body, result = bytes.of(head), ffi.gc(ffi.new "struct mp_result_body", C.mp_result_drop)
      assert.equal(0, C.mp_decode_result(C.mp_cursor_on(body, #body), 4, result))
      return result
    end
    local a, b, b_int, c = "0001 'a' 000d", "0001 'b' 000d", "0001 'b' 0009", "0001 'c' 000d"
    local one = decoded({ 0, 1 }, { a, b })
    for _, other in ipairs { { { 0, 1 }, { a, b }, true, true }, { { 1, 0 }, { a, b }, true, false },
      { { 0 }, { a, b }, true, false }, { {}, { a, b }, true, false }, { { 0, 1 }, { a, c }, false, true },
      { { 0, 1 }, { a, b_int }, false, true }, { { 0 }, { a }, false, false }, { {}, {}, false, false } } do
      local another = decoded(other[1], other[2])
      assert.equal(other[3], C.mp_metadata_same_columns(one.params, another.params))
      assert.equal(other[4], C.mp_metadata_same_key(one.params, another.params))
    end
    local none = decoded({}, {})
    assert.is_true(C.mp_metadata_same_columns(nil, none.params) and C.mp_metadata_same_columns(none.params, nil))
    assert.is_true(C.mp_metadata_same_key(nil, none.params) and C.mp_metadata_same_key(nil, nil))
    assert.is_false(C.mp_metadata_same_columns(nil, one.params) or C.mp_metadata_same_key(one.params, nil))
  end)

  local of_all_kinds = [[00000004 0002 abcd 00000001 00000002 00000002 0001 0000 0001 'k' 0001 't' 0001 'b' 000d
    0001 'a' 0021 000c 0031 0002 0009 0009 00000000 00000002 0001 'k' 0001 't' 0001 'v' 0022 0003
    0001 'k' 0001 'u' 0001 'w' 0000 0003 'a.B']]

  it("is packed into what it needs", function()
    local many = {}
    for i = 1, 60 do many[i] = ("0002 '%02d' 0009"):format(i) end
    for _, body in ipairs { of_all_kinds, "00000004 0001 'i' 00000001 0000003c 00000000 0001 'k' 0001 't' " ..
      table.concat(many, " ") .. " 00000004 00000003" } do
      local rc, plain, _, memory = decode(body)
      local _, packed, _, more = decode(body)
      assert.equal(0, rc)
      for _, kind in ipairs { "params", "result" } do
        packed[kind] = C.mp_metadata_packed(packed[kind])
        assert.is_true(packed[kind] ~= plain[kind])
        assert.is_true(C.mp_metadata_same_columns(packed[kind], plain[kind]))
        assert.is_true(C.mp_metadata_same_key(packed[kind], plain[kind]))
        assert.equal(text(plain[kind].wire), text(packed[kind].wire))
        assert.equal(plain[kind].wire_global, packed[kind].wire_global)
        for i = 0, plain[kind].column_count - 1 do
          local a, b = plain[kind].columns[i], packed[kind].columns[i]
          assert.same({ text(a.keyspace), text(a.table), text(a.name) },
            { text(b.keyspace), text(b.table), text(b.name) })
        end
        local used = packed[kind].arena.used_bytes
        assert.equal(plain[kind].arena.used_bytes, used)
        local total, before = packed[kind].arena.total_bytes, plain[kind].arena.total_bytes
        assert.is_true(total == before or total <= used + 16) -- the same only in the hostile build
      end
      assert.truthy(memory and more)
    end
  end)

  it("stays as it is where there is no memory to pack it, or did not come from the wire", function()
    for nth = 1, 2 do
      local _, result, _, memory = decode(of_all_kinds)
      C.mp_mem_fail_at(nth, false)
      local packed = C.mp_metadata_packed(result.params)
      C.mp_mem_fail_at(0, false)
      assert.is_true(packed == result.params and packed.refs == 1)
      assert.truthy(memory)
    end
    local made = golden.metadata { { "k", "t", "a", "int" } }
    assert.is_true(C.mp_metadata_packed(made) == made)
    assert.is_true(C.mp_metadata_packed(nil) == nil)
  end)

  it("is freed whole at every point where memory may end", function()
    local body = bytes.of(of_all_kinds)
    local result, nth = ffi.new "struct mp_result_body", 0
    repeat
      nth = nth + 1
      local rc
      local allocs, frees = bytes.memory_of(function()
        C.mp_mem_fail_at(nth, true)
        rc = C.mp_decode_result(C.mp_cursor_on(body, #body), 4, result)
        C.mp_mem_fail_at(0, false)
      end)
      if rc ~= 0 then
        assert.equal(C.MP_ENOMEM, rc)
        assert.equal(allocs, frees)
        assert.is_true(result.params == nil and result.result == nil and result.metadata == nil)
      end
    until rc == 0 or nth > 100
    assert.is_true(nth > 4 and nth < 100)
    C.mp_metadata_unref(result.params)
    C.mp_metadata_unref(result.result)
  end)
end)

describe("a result", function()
  it("of an unknown kind is refused", function()
    for _, hex in ipairs { "00000000", "00000006", "ffffffff", "000000" } do
      assert.equal(C.MP_EPROTO, (decode(hex)))
    end
  end)
end)
