-- SPDX-License-Identifier: Apache-2.0
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

describe("RoundRobinPolicy", function()
  local view
  before_each(function()
    local hosts = {}
    for i = 1, 12 do hosts[i] = { dc = i <= 8 and "a" or "b" } end
    view = topology.view(hosts, "a")
  end)
  after_each(function()
    policies.close_all()
    topology.free(view)
  end)

  local function serving()
    local p = policies.new { policy = "RoundRobinPolicy" }
    assert.equal(0, p:bind(view))
    return p
  end

  it("asks every host once, whatever its datacentre", function()
    local walk = serving():walk(view, {})
    table.sort(walk)
    assert.same({ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, walk)
  end)

  it("spreads evenly: the first host of n times 12 requests is each host n times", function()
    local p, first, second = serving(), {}, {}
    for i = 1, 1200 do
      local walk = p:walk(view, {}, nil, i * 77777)
      first[walk[1]] = (first[walk[1]] or 0) + 1
      second[walk[2]] = (second[walk[2]] or 0) + 1
    end
    for slot = 0, 11 do
      assert.equal(100, first[slot])
      assert.equal(100, second[slot])
    end
  end)

  it("leaves out what is down and takes it again", function()
    local p = serving()
    view.hosts[3].isUp = false
    assert.equal(0, require "spec.support.c".mp_view_rebuild(view))
    for _ = 1, 24 do
      local walk = p:walk(view, {})
      assert.equal(11, #walk)
      for _, slot in ipairs(walk) do assert.not_equal(3, slot) end
    end
    view.hosts[3].isUp = true
    assert.equal(0, require "spec.support.c".mp_view_rebuild(view))
    assert.equal(12, #p:walk(view, {}))
  end)
end)
