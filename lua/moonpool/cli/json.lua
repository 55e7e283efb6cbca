-- SPDX-License-Identifier: Apache-2.0
-- Lua values as JSON text, and back. A table is an object, its keys in alphabetical order, unless json.list() made it a
-- list; null is left out.
local json = {}

local lists = setmetatable({}, { __mode = "k" })

function json.list(values)
  lists[values] = true
  return values
end

local function text(value)
  return '"' .. value:gsub('[%c"\\\127]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

function json.encode(value)
  local kind = type(value)
  if kind == "string" then return text(value) end
  if kind == "number" then
    return value ~= value and "null" or math.abs(value) == math.huge and "null" or string.format("%.14g", value)
  end
  if kind ~= "table" then return tostring(value) end
  local parts = {}
  if lists[value] then
    for i, item in ipairs(value) do parts[i] = json.encode(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  for i, key in ipairs(keys) do parts[i] = text(key) .. ":" .. json.encode(value[key]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- ---- reading ----------------------------------------------------------------------------------------------------

local DEEPEST = 16
local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xc0 + math.floor(code / 64), 0x80 + code % 64) end
  return string.char(0xe0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function read_text(source, at)
  local parts = {}
  while true do
    local plain, stop = source:match('^([^"\\%c]*)(.)', at)
    if not plain then return error "a text does not end" end
    parts[#parts + 1] = plain
    at = at + #plain + 1
    if stop == '"' then return table.concat(parts), at end
    if stop ~= "\\" then return error "a text has a control character" end
    local kind, hex = source:match("^(.)", at), source:match("^u(%x%x%x%x)", at)
    parts[#parts + 1] = hex and utf8(tonumber(hex, 16)) or escapes[kind] or error "a text has a wrong escape"
    at = at + (hex and 5 or 1)
  end
end

local read

local function blank(source, at) return source:match("^[ \t\r\n]*()", at) end

local function read_list(source, at, depth)
  local list, count = json.list {}, 0
  at = blank(source, at)
  if source:sub(at, at) == "]" then return list, at + 1 end
  while true do
    count = count + 1
    list[count], at = read(source, at, depth)
    at = blank(source, at)
    local next_char = source:sub(at, at)
    if next_char == "]" then return list, at + 1 end
    if next_char ~= "," then error "a list does not end" end
    at = at + 1
  end
end

local function read_object(source, at, depth)
  local object = {}
  at = blank(source, at)
  if source:sub(at, at) == "}" then return object, at + 1 end
  while true do
    at = blank(source, at)
    if source:sub(at, at) ~= '"' then error "a key expected" end
    local key
    key, at = read_text(source, at + 1)
    at = source:match("^[ \t\r\n]*:()", at) or error "a : expected"
    object[key], at = read(source, at, depth)
    at = blank(source, at)
    local next_char = source:sub(at, at)
    if next_char == "}" then return object, at + 1 end
    if next_char ~= "," then error "an object does not end" end
    at = at + 1
  end
end

local words = { ["true"] = true, ["false"] = false }

function read(source, at, depth)
  if depth > DEEPEST then error "too deep" end
  at = blank(source, at)
  local first = source:sub(at, at)
  if first == "{" then return read_object(source, at + 1, depth + 1) end
  if first == "[" then return read_list(source, at + 1, depth + 1) end
  if first == '"' then return read_text(source, at + 1) end
  local word = source:match("^%l+", at)
  if word == "null" then return nil, at + 4 end
  if words[word] ~= nil then return words[word], at + #word end
  local number = source:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  if not number or not tonumber(number) then error "a value expected" end
  return tonumber(number), at + #number
end

-- The value of a text, or nil and what is wrong with it.
function json.decode(source)
  local ok, value, at = pcall(read, source, 1, 1)
  if not ok then return nil, (tostring(value):gsub("^.-:%d+: ", "")) end
  if blank(source, at) <= #source then return nil, "something stands behind the value" end
  return value
end

return json
