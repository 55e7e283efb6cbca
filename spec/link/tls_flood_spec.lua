-- SPDX-License-Identifier: Apache-2.0
-- A node that makes OpenSSL answer all the time: new keys are taken and answered as long as it reads the answers. Both
-- sides stand in memory, so that nothing is read which the spec does not carry over.
local ffi = require "ffi"
local C = require "spec.support.c"
local tls_world = require "spec.link.tls_world"

if not C.mp_tls_is_built() then return end

local on_plain_type = ffi.typeof "bool (*)(void *, const uint8_t *, size_t)"
local buf_type, addr_type = ffi.typeof "struct mp_buf", ffi.typeof "struct mp_addr"
local uuid_type = ffi.typeof "struct mp_uuid"

describe("TLS with a node that wants new keys", function()
  local tls = tls_world.new()
  local client, server, plain, wire, on_plain
  setup(function() tls:begin() end)
  teardown(function() tls:finish() end)

  before_each(function()
    plain, wire = buf_type(), buf_type()
    C.mp_buf_init(plain)
    C.mp_buf_init(wire)
    on_plain = ffi.cast(on_plain_type, function() return true end)
    local addr = addr_type()
    assert(C.mp_addr_parse_ip("127.0.0.1", 9042, addr) == 0)
    client = C.mp_tls_new(assert(tls:context { ca = "ca.pem" }), nil, addr, uuid_type())
    server = C.mp_sim_tls_new(tls:server("good", { minor = 3 }))
  end)
  after_each(function()
    C.mp_tls_free(client)
    C.mp_sim_tls_free(server)
    C.mp_buf_deinit(plain)
    C.mp_buf_deinit(wire)
    on_plain:free()
    tls:close()
  end)

  local function waiting() return tonumber(C.mp_pack_waiting(C.mp_tls_records(client))) end

  local function to_client()
    local rc = C.mp_tls_feed(client, wire.data, wire.len, on_plain, nil)
    C.mp_buf_clear(wire)
    return rc
  end

  local function to_server()
    local records, count = C.mp_tls_records(client), waiting()
    if count == 0 then return end
    local bytes = ffi.string(records.wire.data + records.taken, count)
    C.mp_pack_took(records, count, 0)
    assert.equal(0, C.mp_sim_tls_feed(server, bytes, count, plain, wire))
  end

  local function shake_hands()
    assert.equal(0, to_client())
    for _ = 1, 3 do
      to_server()
      assert.equal(0, to_client())
    end
    assert.is_true(C.mp_tls_is_open(client))
  end

  -- How many times it asked before the client had enough; nil: it did not.
  local function ask_for_keys(times)
    for i = 1, times do
      assert.equal(0, C.mp_sim_tls_renegotiate(server, wire))
      local rc = to_client()
      if rc ~= 0 then return i, rc end
    end
  end

  it("answers as often as it reads the answers", function()
    shake_hands()
    for _ = 1, 10 do
      assert.is_nil(ask_for_keys(100))
      to_server()
      assert.equal(0, C.mp_tls_write(client, "hello", 5))
      to_server()
    end
    assert.equal(("hello"):rep(10), ffi.string(plain.data, plain.len))
  end)

  it("ends when it reads none of them, and holds no more than those few", function()
    shake_hands()
    local most, rc = ask_for_keys(5000)
    assert.is_true(most <= 300, most)
    assert.equal(C.MP_EPROTO, rc)
    assert.matches("asks for new keys all the time, and reads none", ffi.string(C.mp_tls_why(client)), 1, true)
    assert.is_true(waiting() <= 300 * 64, waiting())
  end)
end)
