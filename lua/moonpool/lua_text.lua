-- SPDX-License-Identifier: Apache-2.0
-- A reader of Lua text, for what is said about a text without running it. One pass: the time grows with the length of
-- the text, whatever stands in it, also when it is no Lua.
local byte, find, sub = string.byte, string.find, string.sub

local lua_text = {}

-- Behind the long bracket that begins at `at`, and what it holds; nil when none begins there.
local function skip_long(text, at)
  local _, stop, level = find(text, "^%[(=*)%[", at)
  if not stop then return nil end
  local close = find(text, "]" .. level .. "]", stop + 1, true) or #text + 1
  return close + #level + 2, sub(text, stop + 1, close - 1)
end

local function skip_quoted(text, at, quote)
  local pos = at + 1
  while true do
    local hit = find(text, "[\\\n" .. quote .. "]", pos)
    if not hit then return #text + 1, sub(text, at + 1) end
    local char = sub(text, hit, hit)
    if char == quote then return hit + 1, sub(text, at + 1, hit - 1) end
    if char == "\n" then return hit, sub(text, at + 1, hit - 1) end
    pos = hit + 2
  end
end

local NAME, DIGIT, QUOTE = 1, 2, 3
local CLASS = { [95] = NAME, [34] = QUOTE, [39] = QUOTE }
for code = 0, 25 do CLASS[65 + code], CLASS[97 + code] = NAME, NAME end
for code = 128, 255 do CLASS[code] = NAME end
for code = 48, 57 do CLASS[code] = DIGIT end

-- The next from `at`: its kind ("name", "number", "text", "sign"), where it begins, what comes behind it, and the value
-- of a text; nil at the end. Comments and blanks are passed over. What a backslash means in a text is left as it is.
function lua_text.next(text, at)
  while true do
    at = find(text, "[^%s%z]", at)
    if not at then return nil end
    local code = byte(text, at)
    local class = CLASS[code]
    if class == NAME then
      local _, stop = find(text, "^[%w_\128-\255]+", at)
      return "name", at, stop + 1
    elseif class == DIGIT then
      local _, stop = find(text, "^[%w_.]+", at)
      return "number", at, stop + 1
    elseif class == QUOTE then
      local behind, value = skip_quoted(text, at, sub(text, at, at))
      return "text", at, behind, value
    elseif code == 45 and byte(text, at + 1) == 45 then
      at = skip_long(text, at + 2) or find(text, "\n", at, true) or #text + 1
    else
      local behind, value
      if code == 91 then behind, value = skip_long(text, at) end
      if behind then return "text", at, behind, value end
      return "sign", at, at + 1
    end
  end
end

-- Calls tell(key, at, behind) for each `key =` and `["key"] =`, with where the key stands and what comes behind the =.
function lua_text.assignments(text, tell)
  local at, key, key_at, bracket, closed = 1, nil, nil, nil, nil
  while true do
    local kind, from, behind, value = lua_text.next(text, at)
    if not kind then return end
    local sign = kind == "sign" and sub(text, from, from)
    if sign == "=" and sub(text, behind, behind) == "=" then
      behind, key = behind + 1, nil
    elseif sign == "=" and key and (not bracket or closed) then
      tell(key, key_at, behind)
      key, bracket = nil, nil
    elseif kind == "name" then
      key, key_at, bracket = sub(text, from, behind - 1), from, nil
    elseif sign == "[" then
      key, bracket, closed = nil, from, nil
    elseif kind == "text" and bracket and not key then
      key, key_at = value, bracket
    elseif sign == "]" and bracket and key then
      closed = true
    else
      key, bracket = nil, nil
    end
    at = behind
  end
end

return lua_text
