-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local nearest = require "moonpool.nearest"
local random = require "spec.hunt.random"

local function list_of(names)
  local list = ffi.new("const char *[?]", #names)
  for i, name in ipairs(names) do list[i - 1] = name end
  return list
end

local function closest(given, names)
  local found = C.mp_nearest({ data = given, len = #given }, list_of(names), #names)
  return found ~= nil and ffi.string(found) or nil
end

describe("the nearest name", function()
  local names = { "consistency", "serialConsistency", "timeout", "isIdempotent", "fetchSize", "host", "tag" }

  it("is one or a few letters away, in any case", function()
    for given, name in pairs { consistancy = "consistency", timout = "timeout", TIMEOUT = "timeout", hots = "host",
      fetchsize = "fetchSize", idempotent = "isIdempotent", tga = "tag", serialconsistensy = "serialConsistency" } do
      assert.equal(name, closest(given, names))
    end
    for _, given in ipairs { "", "xyz", "time", ("x"):rep(65), ("timeout"):rep(20) } do
      assert.is_nil(closest(given, names))
    end
    assert.is_nil(closest("timeout", {}))
    assert.equal("a", closest("x", { "b", "a", "c" }))
  end)

  it("is the one that the Lua side finds", function()
    local r = random.new(3)
    for _ = 1, 5000 do
      local list, set = {}, {}
      for i = 1, r.below(6) do
        local letters = {}
        for j = 1, r.below(10) do letters[j] = r.pick { "a", "b", "B", "c", "_" } end
        list[i] = table.concat(letters)
        set[list[i]] = true
      end
      local given = {}
      for j = 1, r.below(10) do given[j] = r.pick { "a", "b", "A", "c" } end
      given = table.concat(given)
      assert.equal(nearest.of(given, set), closest(given, list))
    end
  end)

  it("and the list stand behind a message, cut where it ends", function()
    local message = ffi.new "char[128]"
    local function told(given, size)
      ffi.copy(message, "unknown option 'x'")
      C.mp_nearest_tell(message, size, { data = given, len = #given }, list_of { "timeout", "tag" }, 2)
      return ffi.string(message)
    end
    assert.equal("unknown option 'x', did you mean timeout? There are: timeout, tag", told("timout", 128))
    assert.equal("unknown option 'x'; there are: timeout, tag", told("nothing", 128))
    for size = 19, 128 do
      local whole = "unknown option 'x', did you mean timeout? There are: timeout, tag"
      assert.equal(whole:sub(1, size - 1), told("timout", size))
    end
  end)
end)
