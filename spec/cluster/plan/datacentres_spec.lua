-- SPDX-License-Identifier: Apache-2.0
local datacentres = require "spec.support.datacentres"
local world = require "spec.support.world"

describe("datacentres", function()
  local dcs
  after_each(function()
    if dcs then dcs:free() end
    dcs = nil
  end)

  it("know for how long at least so many hosts have been up, and for how long fewer", function()
    dcs = datacentres.new { { "east", 3 }, { "west", 2 } }
    dcs:pass(500)
    assert.equal(500, dcs:up_ms("east", 3))
    assert.equal(0, dcs:down_ms("east", 3))
    assert.equal(500, dcs:down_ms("east", 4)) -- ever since it was seen
    dcs:set("east", 1)
    dcs:pass(100)
    assert.equal(600, dcs:up_ms("east", 1))
    assert.equal(0, dcs:up_ms("east", 2))
    assert.equal(100, dcs:down_ms("east", 2))
    assert.equal(100, dcs:down_ms("east", 3))
    dcs:set("east", 2)
    dcs:pass(50)
    assert.equal(50, dcs:up_ms("east", 2))
    assert.equal(150, dcs:down_ms("east", 3))
    assert.equal(650, dcs:up_ms("east", 1))
    assert.equal(650, dcs:up_ms("east", 0)) -- no host at least: always
    assert.equal(650, dcs:up_ms("west", 2))
  end)

  it("stand in order: home, then by priority, then by their first sight; without hosts they do not stand", function()
    dcs = datacentres.new { { "home", 1, 9 }, { "b", 1 }, { "c", 1, 2 }, { "d", 1, 1 }, { "e", 1 }, { "f", 0, 1 } }
    assert.equal("home d c b e", dcs:order())
    dcs:serve "c"
    assert.equal("home d c b e", dcs:order())
  end)

  it("tell the same as a list of all that happened", function()
    local random = world.random(7)
    dcs = datacentres.new { { "east", 6 } }
    local since_up, since_down = {}, {}
    for n = 1, 6 do since_up[n] = dcs.now end
    for _ = 1, 2000 do
      local up = random(7)
      dcs:set("east", up)
      for n = 1, 6 do
        if up >= n then
          since_up[n] = since_up[n] or dcs.now
          since_down[n] = nil
        else
          since_down[n] = since_down[n] or dcs.now
          since_up[n] = nil
        end
      end
      dcs:pass(random(1000))
      for n = 1, 6 do
        assert.equal(since_up[n] and dcs.now - since_up[n] or 0, dcs:up_ms("east", n))
        assert.equal(since_down[n] and dcs.now - since_down[n] or 0, dcs:down_ms("east", n))
      end
    end
  end)
end)
