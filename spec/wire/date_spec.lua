-- SPDX-License-Identifier: Apache-2.0
-- Dates as CQL counts them: days since 1970-01-01, from 2^31, in the calendar that we have now, before it began, too.
local ffi = require "ffi"
local random = require "spec.hunt.random"
local C = require "spec.support.c"

local text = ffi.new "char[40]" -- MP_DATE_TEXT
local number = ffi.new "uint32_t[1]"

local function format(date)
  C.mp_date_format(date, text)
  return ffi.string(text)
end
local function parse(written)
  return C.mp_date_parse(written, #written, number) == 0 and number[0] or nil
end

local EPOCH = 2 ^ 31
local KNOWN = {
  ["1970-01-01"] = 0, ["1970-01-02"] = 1, ["1969-12-31"] = -1, ["2000-02-29"] = 11016, ["2000-03-01"] = 11017,
  ["1999-12-31"] = 10956, ["2000-01-01"] = 10957, ["1900-02-28"] = -25509, ["1900-03-01"] = -25508,
  ["2024-12-31"] = 20088, ["0000-03-01"] = -719468, ["0000-02-29"] = -719469, ["-0001-12-31"] = -719529,
  ["0001-01-01"] = -719162, ["-5877641-06-23"] = -2147483648, ["5881580-07-11"] = 2147483647,
}

describe("a date", function()
  it("is written as the calendar says, and read back", function()
    for written, days in pairs(KNOWN) do
      assert.equal(written, format(EPOCH + days))
      assert.equal(EPOCH + days, parse(written))
    end
  end)

  it("comes back, whichever it is, and the next day is behind it", function()
    local r = random.new(3)
    for _ = 1, 500 do
      local date = r.pick { math.floor(r.bits()), EPOCH - 800000 + r.below(1000000) }
      assert.equal(date, parse(format(date)))
    end
    for _, first in ipairs { -25800, 10900 } do -- 1899, 1999
      local last = ""
      for days = first, first + 800 do
        local written = format(EPOCH + days)
        assert.is_true(written > last)
        last = written
      end
    end
  end)

  it("is none when a part is missing, too long, or names no day", function()
    for _, written in ipairs { "", "-", "--", "2000", "2000-", "2000-1-01", "2000-01", "2000-01-", "2000-01-1",
      "2000-01-011", "2000-01-01 ", "2000/01/01", "2000-01/01", "200-01-01", "12345678-01-01", "2000-00-10",
      "2000-13-10", "2000-01-00", "2000-01-32", "2001-02-29", "1900-02-29", "2000-04-31", "2000-12-32", "x000-01-01",
      "20:0-01-01", "2000-0x-01", "2000-01-x1", "5881580-07-12", "-5877641-06-22", "9999999-12-31",
      "-9999999-01-01" } do
      assert.is_nil(parse(written), written)
    end
  end)
end)
