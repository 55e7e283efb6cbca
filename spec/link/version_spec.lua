-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local peers = require "spec.support.peer"

local PROTOCOL_ERROR, SERVER_ERROR = tonumber(C.MP_SE_PROTOCOL_ERROR), tonumber(C.MP_SE_SERVER_ERROR)

local function hint(answered, wanted, message)
  return C.mp_version_hint(answered, wanted, peers.str(message))
end

describe("what a node says about versions", function()
  it("is read entry by entry, betas and nonsense left out", function()
    for text, bit in pairs { ["3/v3"] = 8, ["4/v4"] = 16, ["5/v5"] = 32, ["6/v6"] = 64, ["5/v5-beta"] = 0,
      ["4/v5"] = 0, ["v4"] = 0, [""] = 0, ["4"] = 0, ["9/v9"] = 0, ["44/v4"] = 0, ["a/va"] = 0 } do
      assert.equal(bit, C.mp_version_listed(peers.str(text)), text)
    end
  end)

  it("is bounded by what is spoken here", function()
    assert.equal(5, C.mp_version_highest(32 + 64))
    assert.equal(4, C.mp_version_highest(8 + 16))
    assert.equal(0, C.mp_version_highest(64 + 4))
    assert.equal(0, C.mp_version_highest(0))
  end)

  it("is a refusal by its words or by the version it comes in", function()
    local function refusal(answered, code, message)
      return C.mp_version_is_refusal(answered, 5, code, peers.str(message))
    end
    assert.is_true(refusal(5, PROTOCOL_ERROR, "Invalid or unsupported protocol version (5)"))
    assert.is_true(refusal(4, SERVER_ERROR, "whatever"))
    assert.is_false(refusal(5, SERVER_ERROR, "version"))
    assert.is_false(refusal(5, PROTOCOL_ERROR, "Missing value CQL_VERSION in STARTUP message"))
  end)

  it("leads downwards only", function()
    assert.equal(5, hint(5, 5, "") == 0 and 5)
    assert.equal(4, hint(4, 5, ""))
    assert.equal(0, hint(6, 5, ""))
    assert.equal(0, hint(2, 3, "supported versions are (1/v1, 2/v2)"))
    assert.equal(4, hint(5, 5, "supported versions are (3/v3, 4/v4, 5/v5, 6/v6-beta)"))
    assert.equal(3, hint(4, 4, "supported versions are (3/v3, 5/v5)"))
    assert.equal(3, hint(4, 4, "the greatest is 3"))
    assert.equal(0, hint(4, 4, "the greatest is:3")) -- nobody's sentence
    assert.equal(0, hint(5, 5, "the greatest is 5"))
    assert.equal(4, hint(5, 5, "the greatest is 4"))
    assert.equal(0, hint(5, 5, "the greatest is "))
    assert.equal(4, hint(5, 5, "Beta version of the protocol used (5/v5-beta), but USE_BETA flag is unset"))
  end)

  it("survives any words", function()
    math.randomseed(5)
    for _ = 1, 20000 do
      local bytes = {}
      for i = 1, math.random(0, 12) do
        local choice = "/v45,) (-b\0\255"
        local at = math.random(#choice)
        bytes[i] = choice:sub(at, at)
      end
      local said = hint(math.random(0, 127), 5, table.concat(bytes))
      assert(said == 0 or said == 3 or said == 4)
    end
  end)
end)

describe("a stranger's bytes", function()
  it("are shown as printable text that fits", function()
    local bytes = ""
    for value = 0, 255 do bytes = bytes .. string.char(value) end
    for size = 1, 300 do
      local text = ffi.new("char[?]", size)
      C.mp_version_show_bytes(ffi.cast("const uint8_t *", bytes), #bytes, text, size)
      local shown = ffi.string(text)
      assert(#shown < size and not shown:find "[^\32-\126]")
    end
    local text = ffi.new "char[64]"
    C.mp_version_show_bytes(ffi.cast("const uint8_t *", 'a"\\\n\255'), 5, text, 64)
    assert.equal([[a\x22\x5c\x0a\xff]], ffi.string(text))
  end)
end)
