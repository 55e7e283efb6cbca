-- SPDX-License-Identifier: Apache-2.0
-- What commands print for people tells a terminal nothing: texts of servers may hold anything.
local say = require "moonpool.cli.say"
local printers = require("moonpool.cli.pool_verbs").printers

local function bytes()
  local list = {}
  for i = 1, math.random(0, 30) do list[i] = string.char(math.random(0, 255)) end
  return table.concat(list)
end

-- What a function prints.
local function printed(fn, ...)
  local world, said = getfenv(say.print), {}
  local kept = world.print
  world.print = function(text) said[#said + 1] = text end
  local ok, why = pcall(fn, ...)
  world.print = kept
  assert(ok, why)
  return table.concat(said, "\n")
end

describe("what is printed for people", function()
  before_each(function() math.randomseed(3) end)

  it("has line breaks, tabs and all letters, and no other control character", function()
    assert.equal("a\tb\nZürich 東京 ?[2J ??c?", say.plain "a\tb\nZürich 東京 \27[2J \0\127c\194\155")
    for _ = 1, 500 do
      local text = say.plain(bytes())
      assert.is_nil(text:find "[%z\1-\8\11-\31\127]")
      assert.is_nil(text:find "\194[\128-\159]")
    end
  end)

  it("is so of events", function()
    for _ = 1, 100 do
      local said = printed(printers.events, { events = { { at = 1, event = bytes(), host = bytes(), reason = bytes() },
        { at = 1, event = bytes(), what = { message = bytes() } } } })
      assert.is_truthy(said:find "1970%-01%-01")
      assert.is_nil(said:find "[%z\1-\8\11-\31\127]")
    end
  end)
end)
