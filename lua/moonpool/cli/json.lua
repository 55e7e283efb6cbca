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

local function text(value)
  return (cjson.encode(value):gsub("\\/", "/"))
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
