-- SPDX-License-Identifier: Apache-2.0
-- Where the keys of a configuration stand in its text. The text is read once, when the first place is asked for; then a
-- place costs two searches by halves, so what is told about a text never costs the text again.
local lua_text = require "moonpool.lua_text"

-- The index of the first number of an ordered list that is `least` or more; one behind the last when there is none.
local function first_from(list, least)
  local low, high = 1, #list + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if list[middle] < least then low = middle + 1 else high = middle end
  end
  return low
end

local function read(text)
  local keys, lines = {}, {}
  lua_text.assignments(text, function(key, at)
    local list = keys[key] or {}
    keys[key] = list
    list[#list + 1] = at
  end)
  for at in text:gmatch "()\n" do lines[#lines + 1] = at end
  return keys, lines
end

-- A function from a key's path to "FILE:LINE": the line of the key, or of the nearest key around it, or the one where
-- the table begins.
return function(text, name)
  local keys, lines, begin
  return function(path)
    if not keys then
      keys, lines = read(text)
      begin = text:find "%f[%w_]return%s*{" or 1
    end
    local at = begin
    for _, key in ipairs(path) do
      local list = keys[key]
      local found = list and list[first_from(list, at)]
      if not found then break end
      at = found
    end
    return name .. ":" .. first_from(lines, at)
  end
end
