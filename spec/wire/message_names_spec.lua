-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

describe("a consistency", function()
  local codes = { ANY = 0, ONE = 1, TWO = 2, THREE = 3, QUORUM = 4, ALL = 5, LOCAL_QUORUM = 6, EACH_QUORUM = 7,
    SERIAL = 8, LOCAL_SERIAL = 9, LOCAL_ONE = 10 }

  it("has a code and a name", function()
    for name, code in pairs(codes) do
      assert.equal(name, ffi.string(C.mp_consistency_name(code)))
      assert.equal(code, C.mp_consistency_parse(bytes.str(name)))
    end
    assert.equal("?", ffi.string(C.mp_consistency_name(11)))
    assert.equal("?", ffi.string(C.mp_consistency_name(65535)))
  end)

  it("is read in any case, with or without underscores", function()
    for _, name in ipairs { "localQuorum", "LOCALQUORUM", "local_quorum", "Local_Quorum" } do
      assert.equal(6, C.mp_consistency_parse(bytes.str(name)))
    end
    for _, name in ipairs { "", "_", "LOCAL", "LOCAL_QUORUMS", "QUORUM ", "local quorum", "1", "ONE\0" } do
      assert.equal(C.MP_EINVAL, C.mp_consistency_parse(bytes.str(name)))
    end
  end)

  it("ends where its text ends, whatever stands behind", function()
    for name, code in pairs(codes) do
      for _, behind in ipairs { "_", "__x", "S", "\0" } do
        local text = bytes.str(name .. behind)
        text.len = #name
        assert.equal(code, C.mp_consistency_parse(text), name .. behind)
        text.len = #name - 1
        assert.equal(C.MP_EINVAL, C.mp_consistency_parse(text), name)
      end
    end
  end)

  it("may be local", function()
    for name, code in pairs(codes) do
      assert.equal(name:match "^LOCAL_" ~= nil, C.mp_consistency_is_local(code))
    end
  end)
end)

describe("a server's error code", function()
  it("has a name", function()
    for code, name in pairs { [0] = "SERVER_ERROR", [0x0a] = "PROTOCOL_ERROR", [0x100] = "BAD_CREDENTIALS",
      [0x1000] = "UNAVAILABLE", [0x1001] = "OVERLOADED", [0x1002] = "IS_BOOTSTRAPPING", [0x1003] = "TRUNCATE_ERROR",
      [0x1100] = "WRITE_TIMEOUT", [0x1200] = "READ_TIMEOUT", [0x1300] = "READ_FAILURE", [0x1400] = "FUNCTION_FAILURE",
      [0x1500] = "WRITE_FAILURE", [0x1600] = "CDC_WRITE_FAILURE", [0x1700] = "CAS_WRITE_UNKNOWN",
      [0x2000] = "SYNTAX_ERROR", [0x2100] = "UNAUTHORIZED", [0x2200] = "INVALID", [0x2300] = "CONFIG_ERROR",
      [0x2400] = "ALREADY_EXISTS", [0x2500] = "UNPREPARED", [0x7777] = "UNKNOWN_SERVER_ERROR",
      [-1] = "UNKNOWN_SERVER_ERROR" } do
      assert.equal(name, ffi.string(C.mp_server_error_name(code)))
    end
  end)
end)

describe("a write type", function()
  it("has a name, and one that is not known is unknown", function()
    for i, name in ipairs { "SIMPLE", "BATCH", "UNLOGGED_BATCH", "COUNTER", "BATCH_LOG", "CAS", "VIEW", "CDC",
      "UNKNOWN" } do
      assert.equal(name, ffi.string(C.mp_write_type_name(i - 1)))
      assert.equal(i - 1, tonumber(C.mp_write_type_parse(bytes.str(name))))
    end
    assert.equal(C.MP_WRITE_UNKNOWN, tonumber(C.mp_write_type_parse(bytes.str "simple")))
    assert.equal(C.MP_WRITE_UNKNOWN, tonumber(C.mp_write_type_parse(bytes.str "")))
  end)
end)
