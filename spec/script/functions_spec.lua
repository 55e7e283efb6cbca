-- SPDX-License-Identifier: Apache-2.0
-- The list of the core's functions (runtime/script/functions.h): each bears its Lua name in C, and there are no others.
local core = require "moonpool.core_loader"

local function listed()
  local functions = {}
  for line in io.lines(MOONPOOL_ROOT .. "/runtime/script/functions.h") do
    local name, c_function = line:match '^%s*X%("(%w+)",%s*([%w_]+),'
    if name then functions[name] = c_function end
  end
  return functions
end

describe("the functions of the core", function()
  it("bear their Lua names in C", function()
    for name, c_function in pairs(listed()) do
      local snake = name:gsub("%u", function(letter) return "_" .. letter:lower() end)
      assert.equal("mp_core_" .. snake, c_function)
    end
  end)

  it("stand in one list", function()
    local functions = listed()
    for name in pairs(functions) do assert.equal("function", type(core[name]), name) end
    for name, value in pairs(core) do
      local is_c = type(value) == "function" and debug.getinfo(value, "S").what == "C"
      assert(not is_c or functions[name], name .. " is not in runtime/script/functions.h")
    end
  end)
end)
