-- SPDX-License-Identifier: Apache-2.0
-- Lua values as JSON text. A table is an object, its keys in alphabetical order, unless json.list() made it a list.
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

return json
