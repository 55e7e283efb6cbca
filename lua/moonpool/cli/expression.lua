-- SPDX-License-Identifier: Apache-2.0
-- Expressions of a command line over figures that have names: 'leftDatacenter > 0.01 and errors == 0'.
local chunk = require "moonpool.chunk"
local nearest = require "moonpool.nearest"

local expression = {}

-- The value, or nil and what is wrong. A name that there is not is a mistake, not nil.
function expression.of(text, figures)
  local code, why = loadstring("return " .. text, "=expression")
  if not code then return nil, (why:gsub("^expression:%d+: ", "")) end
  local names = setmetatable({ math = { abs = math.abs, max = math.max, min = math.min, huge = math.huge } }, {
    __index = function(_, name)
      local figure = figures[name]
      if figure == nil then error(("there is no figure '%s'%s"):format(name, nearest.hint(name, figures)), 0) end
      return figure
    end,
  })
  local ok, value = chunk.run(setfenv(code, names), tostring)
  if not ok then return nil, tostring(value) end
  if value == nil then return nil, "it has no value" end
  return value
end

return expression
