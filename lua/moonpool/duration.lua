-- SPDX-License-Identifier: Apache-2.0
-- Times as people write them: "500ms", "30s", "5m", "1h", "2d", or a number of milliseconds.
local duration = {}

local MS = { ms = 1, s = 1000, m = 60000, h = 3600000, d = 86400000 }
local MOST = 366 * MS.d

--- Milliseconds, or nil and what is wrong with it.
function duration.ms(value)
  local number = value
  if type(value) == "string" then
    local count, unit = value:match "^%s*(%d+%.?%d*)%s*(%a+)%s*$"
    number = count and MS[unit] and tonumber(count) * MS[unit]
  end
  if type(number) ~= "number" or number ~= number then
    return nil, 'a time expected: "30s", "5m", "1h", "500ms", or a number of milliseconds'
  end
  if number < 0 or number > MOST then return nil, "a time of 0 to 366 days expected" end
  return number
end

--- As a short text: "1 m 30 s".
function duration.text(ms)
  if ms < 1000 then return ("%d ms"):format(ms) end
  local parts = {}
  for _, unit in ipairs { "d", "h", "m", "s" } do
    local count = math.floor(ms / MS[unit])
    if count > 0 and #parts < 2 then parts[#parts + 1] = count .. " " .. unit end
    ms = ms - count * MS[unit]
  end
  return table.concat(parts, " ")
end

return duration
