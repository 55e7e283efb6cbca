-- SPDX-License-Identifier: Apache-2.0
-- The figures of a session: one list in C, from which Lua's fields come and with which the manual agrees.
local C = require "spec.support.c"
local ffi = require "ffi"

local it = require("spec.support.world").inside(it)

describe("the figures of a session", function()
  local function listed()
    local list = {}
    while C.mp_stat_info(#list) ~= nil do
      local info = C.mp_stat_info(#list)
      list[#list + 1] = { ffi.string(info.name), ffi.string(info.meaning) }
    end
    return list
  end

  it("stand in the manual as in the list, line by line", function()
    local told, inside = {}, false
    for line in io.lines(MOONPOOL_ROOT .. "/docs/lua-api.md") do
      inside = inside and line:find "^|" ~= nil or line:find("| field | what it counts |", 1, true) ~= nil
      local name, meaning = line:match "^| `(%w+)` | (.*) |$"
      if inside and name then told[#told + 1] = { name, meaning } end
    end
    assert.same(listed(), told)
  end)

  it("are the fields of getStats(), and no others are", { nodes = 1 }, function(world)
    local expected, found = {}, {}
    for _, entry in ipairs(listed()) do expected[entry[1]] = "number" end
    for name, value in pairs(world:pool():getStats()) do found[name] = type(value) end
    assert.same(expected, found)
  end)
end)
