-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

describe("a log", function()
  local log, lines, sink
  before_each(function()
    log, lines = ffi.new "struct mp_log", {}
    C.mp_log_init(log)
    sink = ffi.cast("void (*)(void *, enum mp_log_level, const char *)", function(_, level, line)
      lines[#lines + 1] = tonumber(level) .. " " .. ffi.string(line)
    end)
    log.sink = sink
  end)
  after_each(function() sink:free() end)

  it("drops the lines above its level", function()
    assert.equal(C.MP_LOG_INFO, log.level)
    for level = 0, 3 do C.mp_log_write(log, level, "line %s", "x") end
    assert.same({ "0 line x", "1 line x", "2 line x" }, lines)
    log.level = C.MP_LOG_OFF
    for level = -1, 3 do
      assert.is_false(C.mp_log_on(log, level))
      C.mp_log_write(log, level, "nothing")
    end
    assert.equal(3, #lines)
  end)

  it("makes one line of whatever stands in it, cut at its limit", function()
    C.mp_log_write(log, 0, "%s", "two\nlines\r\27[31m\127 and \195\164")
    assert.equal("0 two lines  [31m  and \195\164", lines[1])
    C.mp_log_write(log, 0, "%s", ("x"):rep(5000))
    assert.equal(2 + 2047, #lines[2])
    assert.matches("x%.%.%.$", lines[2])
  end)

  it("knows its levels by name", function()
    local level = ffi.new "int[1]"
    for name, value in pairs { error = 0, warn = 1, info = 2, debug = 3, off = -1 } do
      assert.equal(0, C.mp_log_level_from(name, level))
      assert.equal(value, level[0])
      assert.equal(name, ffi.string(C.mp_log_level_name(value)))
    end
    for _, name in ipairs { "", "INFO", "trace" } do assert.equal(C.MP_EINVAL, C.mp_log_level_from(name, level)) end
  end)
end)

describe("a log gate", function()
  it("opens once per period and tells how many it held back", function()
    local gate, held = ffi.new "struct mp_log_gate", ffi.new("uint64_t[1]", 99)
    assert.is_true(C.mp_log_gate_open(gate, 500, 1000, held))
    assert.equal(0, tonumber(held[0]))
    for now = 501, 1499, 100 do assert.is_false(C.mp_log_gate_open(gate, now, 1000, held)) end
    assert.is_true(C.mp_log_gate_open(gate, 1500, 1000, held))
    assert.equal(10, tonumber(held[0]))
    assert.is_true(C.mp_log_gate_open(gate, 2500, 1000, held))
    assert.equal(0, tonumber(held[0]))
  end)

  it("works at the end of time", function()
    local gate, held = ffi.new "struct mp_log_gate", ffi.new "uint64_t[1]"
    local last = 0xffffffffffffffffULL
    assert.is_true(C.mp_log_gate_open(gate, last - 5, 1000, held))
    assert.is_false(C.mp_log_gate_open(gate, last - 1, 1000, held))
  end)
end)
