-- SPDX-License-Identifier: Apache-2.0
-- What tells one function of a configuration from another one when its file is read anew.
local format = string.format

local fingerprint = {}

local function print_of(value, depth, seen)
  local kind = type(value)
  if kind == "function" and depth < 4 and not seen[value] then
    seen[value] = true
    local parts = { pcall(string.dump, value, true) }
    for i = 1, 60 do
      local name, upvalue = debug.getupvalue(value, i)
      if not name then break end
      parts[#parts + 1] = name .. print_of(upvalue, depth + 1, seen)
    end
    for i, part in ipairs(parts) do parts[i] = tostring(part) end
    return table.concat(parts)
  elseif kind == "table" and depth < 4 and not seen[value] then
    seen[value] = true
    local parts = {}
    for key, item in pairs(value) do
      if #parts == 1000 then break end
      parts[#parts + 1] = print_of(key, depth + 1, seen) .. "=" .. print_of(item, depth + 1, seen)
    end
    table.sort(parts)
    return table.concat(parts, ",")
  end
  if kind == "number" then return format("%.17g", value) end
  return (kind == "string" or kind == "boolean") and tostring(value) or kind
end

function fingerprint.of_text(text)
  local sum = 5381
  for i = 1, #text do sum = (sum * 33 + text:byte(i)) % 4294967296 end
  return format("%08x", sum)
end

-- A function is another one when its code is, or the values that it has from around it.
function fingerprint.of_function(fn)
  local info = debug.getinfo(fn, "S")
  return format("function of %s:%d, %s", info.short_src, info.linedefined, fingerprint.of_text(print_of(fn, 0, {})))
end

return fingerprint
