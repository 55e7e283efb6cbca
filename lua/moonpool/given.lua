-- SPDX-License-Identifier: Apache-2.0
-- The options that a method of a pool is given: known names, values within their bounds. What is wrong is raised for
-- the line of the caller's caller.
local nearest = require "moonpool.nearest"

local given = { DAY_MS = 86400000 }

local function wrong(method, name, rule, value)
  local kind, least, most = unpack(rule)
  local allowed = kind == "boolean" and "true or false"
    or ("%s from %s to %s"):format(kind == "integer" and "a whole number" or "a number", least, most)
  error(("%s: %s: got %s (%s); must be %s"):format(method, name, tostring(value), type(value), allowed), 4)
end

local function fits(rule, value)
  local kind, least, most = unpack(rule)
  if kind == "boolean" then return type(value) == "boolean" end
  return type(value) == "number" and value >= least and value <= most
    and (kind ~= "integer" or value == math.floor(value))
end

-- `rules`: { [name] = { "integer" | "number" | "boolean", least, most } }. The options, {} for nil.
function given.options(method, options, rules)
  if options == nil then return {} end
  if type(options) ~= "table" then
    error(("%s: a table of options expected, got %s"):format(method, type(options)), 3)
  end
  for name, value in pairs(options) do
    local rule = rules[name]
    if not rule then
      error(("%s: unknown option '%s'%s"):format(method, tostring(name), nearest.hint(name, rules)), 3)
    end
    if not fits(rule, value) then wrong(method, name, rule, value) end
  end
  return options
end

return given
