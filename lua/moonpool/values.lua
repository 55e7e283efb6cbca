-- SPDX-License-Identifier: Apache-2.0
-- Gives the C code what it cannot make itself (64-bit integers), and durations their text.
local core = require "moonpool.core_loader"
local int64 = require "moonpool.int64"

core.int64(int64.make, int64.split)

-- "1mo2d3ns", as CQL writes it
function core.durationMetatable.__tostring(duration)
  local function digits(number) return (tostring(number or 0):gsub("U?LL$", "")) end
  return digits(duration.months) .. "mo" .. digits(duration.days) .. "d" .. digits(duration.nanoseconds) .. "ns"
end
