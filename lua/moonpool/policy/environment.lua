-- SPDX-License-Identifier: Apache-2.0
-- The world of a policy's file: a fresh table of named, harmless functions and constants. There is nothing in it that
-- reads a file, loads code, reaches another state, catches an error or runs long inside one call. A name that is not
-- there is an error at once, so a typing mistake is found when the file is loaded and not when a node is down.
local nearest = require "moonpool.nearest"

local environment = {}

local math_functions = {}
for _, name in ipairs { "abs", "ceil", "exp", "floor", "fmod", "huge", "log", "max", "min", "modf", "pi", "sqrt" } do
  math_functions[name] = math[name]
end

local bit_functions = {}
for _, name in ipairs { "band", "bnot", "bor", "bxor", "lshift", "rshift", "tobit" } do
  bit_functions[name] = bit[name]
end

-- The address inside a default text is nobody's business.
local function safe_tostring(value)
  local kind = type(value)
  if kind == "cdata" or kind == "table" or kind == "function" then return kind end
  return tostring(value)
end

-- Appending and taking off the end; moving a long table on would be one long call.
local function insert(list, value) list[#list + 1] = value end
local function remove(list)
  local count = #list
  local value = list[count]
  list[count] = nil
  return value
end

local function copy(from)
  local to = {}
  for key, value in pairs(from) do to[key] = value end
  return to
end

local VALUE_BYTES = 8
local VALUES_MAX = 8000 -- unpack() itself refuses more, at once

-- The functions whose one call may take long, or what is done with their results: they pay for it, by
-- moonpool.policy.objects.
local function paid_functions(pay, note)
  local function of_text(fn)
    return function(text, base)
      if type(text) == "string" then pay(#text) end
      local result = fn(text, base)
      return result
    end
  end
  local function byte(text, from, to)
    if type(text) == "string" then pay(#text) end
    return string.byte(text, from, to)
  end
  local function unpack_list(list, from, to)
    if type(list) == "table" then
      from, to = from or 1, to or #list
      if type(from) == "number" and type(to) == "number" and to - from < VALUES_MAX then
        pay((to - from) * VALUE_BYTES)
      end
    end
    return unpack(list, from, to)
  end
  local function sub(text, from, to)
    local part = string.sub(text, from, to)
    return note(part)
  end
  return {
    string = { byte = byte, len = string.len, lower = of_text(string.lower), sub = sub, upper = of_text(string.upper) },
    tonumber = of_text(tonumber), unpack = unpack_list,
    tostring = function(value) return note(safe_tostring(value)) end,
  }
end

local paid

-- Before the first environment is made. Methods of text values reach the same few functions, so the full library is not
-- to be had through ("").rep.
function environment.protect(pay, note)
  paid = paid_functions(pay, note)
  local meta = getmetatable ""
  meta.__index = copy(paid.string)
  meta.__metatable = "text"
end

local strict = {}
function strict.__index(env, name)
  error("unknown name '" .. safe_tostring(name) .. "'" .. nearest.hint(name, env), 2)
end
function strict.__newindex(_, name)
  error("'" .. safe_tostring(name) .. "' is not declared: write `local " .. safe_tostring(name) .. "`", 2)
end
strict.__metatable = "environment"

-- `words`: what this kind of policy says beside the common names.
function environment.new(words)
  local env = {
    assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, select = select,
    tonumber = paid.tonumber, tostring = paid.tostring, type = type, unpack = paid.unpack,
    math = copy(math_functions), bit = copy(bit_functions), string = copy(paid.string),
    table = { insert = insert, remove = remove },
  }
  for name, value in pairs(words) do env[name] = value end
  return setmetatable(env, strict)
end

return environment
