-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

describe("TokenAwarePolicy", function()
  local view, placement
  before_each(function()
    local hosts = {}
    for i = 0, 5 do hosts[i + 1] = { dc = "east", rack = "r" .. i % 3, tokens = { i * 100 } } end
    for i = 6, 8 do hosts[i + 1] = { dc = "west", rack = "r1", tokens = { i * 100 + 50 } } end
    view = topology.view(hosts, "east", "r1")
    local ring = topology.ring(hosts)
    placement = topology.placement(ring, view, { class = "NetworkTopologyStrategy", east = "3", west = "2" })
    C.mp_ring_unref(ring)
  end)
  after_each(function()
    policies.close_all()
    C.mp_placement_unref(placement)
    topology.free(view)
  end)

  local function serving(options)
    local p = policies.new { policy = "TokenAwarePolicy", options = options }
    assert.equal(0, p:bind(view))
    return p
  end
  local function walk(p, req, chance)
    req.hasToken, req.routingToken = req.hasToken ~= false, req.routingToken or 200
    return p:walk(view, req, placement, chance)
  end
  local function first(list, n)
    local head = {}
    for i = 1, n do head[i] = list[i] end
    table.sort(head)
    return head
  end

  it("asks the local replicas of the row first, then the other local hosts, each once", function()
    local p = serving()
    for chance = 1, 200 do
      local list = walk(p, {}, chance * 7919)
      assert.same({ 2, 3, 4 }, first(list, 3))
      assert.same({ 0, 1, 2, 3, 4, 5 }, first(list, 6))
      assert.equal(6, #list)
    end
  end)

  it("spreads over the replicas when it shuffles", function()
    local p, counts = serving(), { [2] = 0, [3] = 0, [4] = 0 }
    for i = 1, 3000 do
      local slot = walk(p, {}, i * 2654435761)[1]
      counts[slot] = counts[slot] + 1
    end
    for _, count in pairs(counts) do assert.is_true(count > 850 and count < 1150, count) end
  end)

  it("keeps the order of placement when it does not shuffle, and for lightweight transactions", function()
    local p = serving "{ shuffleReplicas = false }"
    for chance = 1, 50 do
      local list = walk(p, {}, chance * 7919)
      assert.same({ 2, 3, 4 }, { list[1], list[2], list[3] })
    end
    p = serving()
    for chance = 1, 50 do
      local list = walk(p, { isLwt = true }, chance * 7919)
      assert.same({ 2, 3, 4 }, { list[1], list[2], list[3] })
    end
  end)

  it("prefers the replicas of its own rack when asked to", function()
    local p = serving "{ preferLocalRack = true }"
    for chance = 1, 50 do
      local list = walk(p, {}, chance * 7919)
      assert.equal(4, list[1])
      assert.same({ 2, 3, 4 }, first(list, 3))
      assert.equal(2, walk(p, { isLwt = true }, chance)[1])
    end
  end)

  it("leaves all to its child without a token", function()
    local p, counts = serving(), {}
    for i = 1, 600 do
      local slot = walk(p, { hasToken = false }, i)[1]
      counts[slot] = (counts[slot] or 0) + 1
    end
    for slot = 0, 5 do assert.equal(100, counts[slot]) end
  end)

  it("goes past a replica that is down", function()
    view.hosts[2].isUp, view.hosts[3].isUp = false, false
    assert.equal(0, C.mp_view_rebuild(view))
    local list = walk(serving(), {})
    assert.equal(4, list[1])
    assert.equal(4, #list)
  end)

  it("has the child that it is given", function()
    local list = walk(serving "{ childPolicy = 'RoundRobinPolicy' }", {})
    assert.equal(9, #list)
    assert.same({ 2, 3, 4 }, first(list, 3))
    assert.same({ 2, 3, 4 }, first(walk(serving "{ childPolicy = false }", {}), 3))
    assert.equal(3, #walk(serving "{ childPolicy = false }", {}))
    list = walk(serving "{ usedHostsPerRemoteDc = 1 }", { isLocalConsistency = false })
    assert.equal(7, #list)
    assert.is_true(list[7] >= 6)
  end)

  it("answers as the C default does, host by host", function()
    local p = serving()
    local default = require "ffi".new("struct mp_request_view", { isLocalConsistency = true })
    for i = 1, 500 do
      local chance, token = i * 2654435761, i * 3 % 1000
      for _, lwt in ipairs { false, true } do
        local turn = view.turn
        local list = walk(p, { isLwt = lwt, routingToken = token }, chance)
        view.turn = turn
        local plan = require "ffi".new "struct mp_plan"
        C.mp_plan_init(plan, view, placement, true, token, chance)
        default.isLwt = lwt
        assert.is_true(C.mp_default_plan(nil, default, plan))
        assert.same(topology.walk(plan), list)
      end
    end
  end)
end)
