-- SPDX-License-Identifier: Apache-2.0
-- The name somebody meant: the closest key of a table, if it is close enough to be worth asking.
local nearest = {}

local byte = string.byte

-- The number of letters to add, drop, change, or swap with their neighbour to turn `a` into `b`, case aside.
function nearest.distance(a, b)
  a, b = a:lower(), b:lower()
  local before, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local older = before
    before, row = row, { [0] = i }
    for j = 1, #b do
      local cost = byte(a, i) == byte(b, j) and 0 or 1
      row[j] = math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + cost)
      if i > 1 and j > 1 and byte(a, i) == byte(b, j - 1) and byte(a, i - 1) == byte(b, j) then
        row[j] = math.min(row[j], older[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

-- The closest string key of `names`, or nil. Equal distances: the first in the alphabet, so that messages are stable.
function nearest.of(name, names)
  if #name > 64 then return nil end
  local most = math.max(1, math.floor(#name / 3))
  local best, best_distance
  for key in pairs(names) do
    if type(key) == "string" and math.abs(#key - #name) <= most then
      local distance = nearest.distance(name, key)
      if not best or distance < best_distance or (distance == best_distance and key < best) then
        best, best_distance = key, distance
      end
    end
  end
  if best and best_distance <= most then return best end
  return nil
end

-- ", did you mean NAME?" for the end of a message about `name`, or nothing.
function nearest.hint(name, names)
  local close = type(name) == "string" and nearest.of(name, names)
  return close and ", did you mean " .. close .. "?" or ""
end

return nearest
