-- SPDX-License-Identifier: Apache-2.0
-- Lua values as JSON text, and back (by lua-cjson). Texts are stable: a table is an object with its keys in
-- alphabetical order, unless json.list() made it a list. null is left out, both ways.
local cjson = require "cjson".new()

local DEEPEST = 16

cjson.decode_max_depth(DEEPEST)
cjson.decode_invalid_numbers(false)

local json = {}

local lists = setmetatable({}, { __mode = "k" })

function json.list(values)
  lists[values] = true
  return values
end

-- Of somebody's data, in which a table that has nothing but 1, 2, ... n is meant as a list: marked so, at every depth.
function json.data(value, depth)
  depth = depth or 1
  if type(value) ~= "table" or depth > DEEPEST then return value end
  local count = 0
  for _, item in pairs(value) do
    count = count + 1
    json.data(item, depth + 1)
  end
  return count > 0 and count == #value and json.list(value) or value
end

local function text(value)
  return (cjson.encode(value):gsub("\\/", "/"))
end

local function by_text(a, b) return tostring(a) < tostring(b) end

-- Lists have many tables of the same keys: those are put in order once, and written once.
local function new_writer()
  local last, names = {}, {}
  local function sorted(value)
    local count = 0
    for _ in pairs(value) do count = count + 1 end
    local same = count == #last
    for i = 1, same and count or 0 do same = same and value[last[i]] ~= nil end
    if same then return last end
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys, by_text)
    last = keys
    return keys
  end
  return sorted, function(key)
    local name = names[key]
    if not name then
      name = text(tostring(key)) .. ":"
      names[key] = name
    end
    return name
  end
end

local function write(value, sorted, name)
  local kind = type(value)
  if kind == "string" then return text(value) end
  if kind == "number" then
    return value ~= value and "null" or math.abs(value) == math.huge and "null" or string.format("%.14g", value)
  end
  if kind ~= "table" then return tostring(value) end
  local parts = {}
  if lists[value] then
    for i, item in ipairs(value) do parts[i] = write(item, sorted, name) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for i, key in ipairs(sorted(value)) do parts[i] = name(key) .. write(value[key], sorted, name) end
  return "{" .. table.concat(parts, ",") .. "}"
end

function json.encode(value)
  return write(value, new_writer())
end

local function without_null(value)
  if value == cjson.null then return nil end
  if type(value) ~= "table" then return value end
  for key, item in pairs(value) do value[key] = without_null(item) end
  return value
end

-- The value of a text, or nil and what is wrong with it.
function json.decode(source)
  local ok, value = pcall(cjson.decode, source)
  if not ok then return nil, (tostring(value):gsub("^[^ ]-:%d+: ", "")) end
  if value == cjson.null then return nil, "null is no value" end
  return without_null(value)
end

return json
