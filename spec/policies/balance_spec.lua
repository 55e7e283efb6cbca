-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

-- dc "a": slots 0 to 3 in racks r1 and r2, dc "b": 4 to 6, dc "c": 7 and 8.
local function cluster()
  local hosts = {}
  for _, part in ipairs { { "a", 4 }, { "b", 3 }, { "c", 2 } } do
    for i = 1, part[2] do
      hosts[#hosts + 1] = { dc = part[1], rack = "r" .. (i - 1) % 2 + 1, tokens = { #hosts * 1000 } }
    end
  end
  return hosts
end

local function sorted(list)
  local copy = { unpack(list or {}) }
  table.sort(copy)
  return copy
end

describe("the balance policy", function()
  local view, ring, placement

  before_each(function()
    local hosts = cluster()
    view = topology.view(hosts, "a", "r1")
    ring = topology.ring(hosts)
    placement = topology.placement(ring, view, { class = "NetworkTopologyStrategy", a = "3", b = "2" })
    for slot = 0, 8 do
      local id = ("%08d-0000-4000-8000-000000000000"):format(slot)
      C.mp_view_name_host(view, slot, ("10.0.0.%d:9042"):format(slot + 1), id)
    end
  end)
  after_each(function()
    policies.close_all()
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  local function serve(name, options)
    local p = policies.new { policy = name, options = options }
    assert.equal(0, p:bind(view))
    return p
  end

  -- How often each slot came first in `n` plans.
  local function firsts(p, n, req)
    local counts = {}
    for i = 1, n do
      local first = p:walk(view, req, placement, i * 2654435761)[1]
      counts[first] = (counts[first] or 0) + 1
    end
    return counts
  end

  describe("LeastLoadedPolicy", function()
    it("asks the replicas first, then the local datacentre, then what its child adds", function()
      local p = serve("LeastLoadedPolicy", "{ usedHostsPerRemoteDc = 1 }")
      local walk = p:walk(view, { hasToken = true, routingToken = 500, isLocalConsistency = false }, placement)
      assert.same(sorted(topology.replicas(placement, 500)), sorted { walk[1], walk[2], walk[3], 4, 5 })
      assert.equal(6, #walk) -- 4 local ones, one of each other datacentre
    end)

    it("prefers the replica with less to do, and nearly never asks the busiest", function()
      local p = serve "LeastLoadedPolicy"
      local req = { hasToken = true, routingToken = 500 }
      local replicas = {}
      for _, slot in ipairs(topology.replicas(placement, 500)) do
        if slot < 4 then replicas[#replicas + 1] = slot end
      end
      view.hosts[replicas[1]].inFlight = 100
      view.hosts[replicas[2]].inFlight = 5
      view.hosts[replicas[3]].inFlight = 0
      local counts = firsts(p, 3000, req)
      -- Of three, the busiest loses every pair it is drawn in; the idlest wins every one.
      assert.is_nil(counts[replicas[1]])
      assert.near(1000, counts[replicas[2]], 150)
      assert.near(2000, counts[replicas[3]], 150)
    end)

    it("gives a node that came up a moment ago second place", function()
      local p = serve "LeastLoadedPolicy"
      local req = { hasToken = true, routingToken = 500 }
      local fresh
      for _, slot in ipairs(topology.replicas(placement, 500)) do
        view.hosts[slot].inFlight = 50
        if slot < 4 then fresh = slot end
      end
      view.hosts[fresh].inFlight, view.hosts[fresh].isNewlyUp = 0, true
      assert.is_nil(firsts(p, 500, req)[fresh])
      view.hosts[fresh].isNewlyUp = false
      assert.is_true(firsts(p, 500, req)[fresh] > 200)
    end)

    it("sends lightweight transactions for a row to one replica, however busy", function()
      local p = serve "LeastLoadedPolicy"
      local primary = topology.replicas(placement, 500)[1]
      view.hosts[primary].inFlight = 1000
      assert.same({ [primary] = 100 }, firsts(p, 100, { hasToken = true, routingToken = 500, isLwt = true }))
    end)
  end)

  describe("LatencyAwarePolicy", function()
    local p
    local function measure(slot, us, at_ms)
      view.hosts[slot].latencyUs, view.hosts[slot].latencyAtMs = us, at_ms
      view.best_at_ms = 0
    end
    local function now() return tonumber(C.mp_loop_now_ms(p.loop)) end
    before_each(function()
      p = serve("LatencyAwarePolicy", "{ retryPeriod = 5000, minimumLatency = 2 }")
      for slot = 0, 3 do measure(slot, 1000, now()) end
    end)

    it("knows the best latency, which is looked for again after a while, or when the clock was set back", function()
      measure(1, 700, now())
      assert.equal(700, C.mp_view_best_us(view, 5000))
      view.hosts[1].latencyUs = 900
      assert.equal(700, C.mp_view_best_us(view, 5099))
      assert.equal(900, C.mp_view_best_us(view, 5100))
      view.hosts[2].latencyUs = 800
      assert.equal(900, C.mp_view_best_us(view, 5150))
      assert.equal(800, C.mp_view_best_us(view, 4000))
    end)

    it("asks a slow node last, and still asks it", function()
      measure(2, 50000, now())
      for i = 1, 50 do
        local walk = p:walk(view, {}, nil, i)
        assert.equal(2, walk[4])
        assert.equal(4, #walk)
      end
    end)

    it("leaves the differences between fast nodes alone", function()
      measure(2, 1900, now()) -- 1.9 times the best
      assert.equal(4, #sorted(p:walk(view, {})))
      assert.is_true(firsts(p, 400, {})[2] > 50)
      measure(0, 100, now())
      measure(2, 1999, now()) -- twenty times the best, but not slow by the clock
      assert.is_true(firsts(p, 400, {})[2] > 50)
    end)

    it("gives a slow node another chance after the retry period, and keeps it when it answers fast", function()
      measure(2, 50000, now() - 5001)
      assert.is_true(firsts(p, 400, {})[2] > 50)
      measure(2, 50000, now())
      assert.is_nil(firsts(p, 400, {})[2])
      measure(2, 1100, now())
      assert.is_true(firsts(p, 400, {})[2] > 50)
    end)

    it("asks all when all are slow, or when nothing was measured", function()
      for slot = 0, 3 do measure(slot, 900000, now()) end
      assert.same({ 0, 1, 2, 3 }, sorted(p:walk(view, {})))
      for slot = 0, 3 do measure(slot, 0, 0) end
      assert.same({ 0, 1, 2, 3 }, sorted(p:walk(view, {})))
    end)

    it("refuses a threshold that would exclude the fastest", function()
      local refused, why = policies.try { policy = "LatencyAwarePolicy", options = "{ exclusionThreshold = 0.5 }" }
      assert.is_nil(refused)
      assert.equal("loadBalancing.exclusionThreshold: got 0.5; must be 1 or more", why)
    end)
  end)

  describe("AllowListPolicy and DenyListPolicy", function()
    for what, case in pairs {
      ["an address"] = { '"10.0.0.2"', { 1 } },
      ["an address with its port"] = { '"10.0.0.2:9042"', { 1 } },
      ["an address with another port"] = { '"10.0.0.2:9043"', {} },
      ["a host id"] = { '"00000003-0000-4000-8000-000000000000"', { 3 } },
      ["a datacentre"] = { '"a"', { 0, 1, 2, 3 } },
      ["a rack"] = { '"a/r2"', { 1, 3 } },
      ["several"] = { '"10.0.0.1", "10.0.0.3", "nobody"', { 0, 2 } },
      ["the beginning of an address"] = { '"10.0.0"', {} },
    } do
      it("know hosts by " .. what, function()
        local p = serve("AllowListPolicy", "{ hosts = { " .. case[1] .. " } }")
        assert.same(case[2], sorted(p:walk(view, {})))
        p = serve("DenyListPolicy", "{ hosts = { " .. case[1] .. " } }")
        local others = {}
        for slot = 0, 3 do
          local listed = false
          for _, one in ipairs(case[2]) do listed = listed or one == slot end
          if not listed then others[#others + 1] = slot end
        end
        assert.same(others, sorted(p:walk(view, {})))
      end)
    end

    it("filter the replicas, too", function()
      local p = serve("DenyListPolicy", '{ hosts = { "10.0.0.1" } }')
      for token = 0, 4000, 500 do
        for _, slot in ipairs(p:walk(view, { hasToken = true, routingToken = token }, placement)) do
          assert.not_equal(0, slot)
        end
      end
    end)

    it("with an empty list filter nothing", function()
      assert.same({ 0, 1, 2, 3 }, sorted(serve("AllowListPolicy"):walk(view, {})))
      assert.same({ 0, 1, 2, 3 }, sorted(serve("DenyListPolicy"):walk(view, {})))
    end)

    it("follow a host to its new address, and a slot to its new host", function()
      local p = serve("AllowListPolicy", '{ hosts = { "10.0.0.2", "10.9.9.9" } }')
      assert.same({ 1 }, sorted(p:walk(view, {})))
      C.mp_view_name_host(view, 1, "10.0.0.200:9042", ffi.string(view.names[1].id))
      assert.same({}, sorted(p:walk(view, {})))
      C.mp_view_name_host(view, 0, "10.9.9.9:9042", "another")
      assert.same({ 0 }, sorted(p:walk(view, {})))
    end)

    it("share the bits of hosts by turns when there are more lists than bits", function()
      local kept = serve("AllowListPolicy", '{ hosts = { "10.0.0.2" } }')
      for i = 1, 60 do
        local p = serve("DenyListPolicy", ('{ hosts = { "10.0.0.1", "x%d" } }'):format(i))
        assert.same({ 1, 2, 3 }, sorted(p:walk(view, {})))
        if i % 7 == 0 then p:close() end
      end
      assert.same({ 1 }, sorted(kept:walk(view, {})))
    end)

    it("are made of tags and lists, and nothing else is one", function()
      for call, why in pairs {
        ['plan:only("red")'] = 'plan:only: takes tagged "name" or listed { ... }',
        ["plan:avoid(7)"] = 'plan:avoid: takes tagged "name" or listed { ... }',
        ["plan:avoid(1e300)"] = 'plan:avoid: takes tagged "name" or listed { ... }',
        ["plan:only()"] = 'plan:only: takes tagged "name" or listed { ... }',
        ["plan:avoidSlow(0.5)"] = "plan:avoidSlow: takes how many times the best latency",
        ["plan:avoidSlow(1e7)"] = "plan:avoidSlow: takes how many times the best latency",
        ["plan:avoidSlow(2, -1)"] = "plan:avoidSlow: takes how many times the best latency",
        ["plan:avoidSlow(2, 1e10)"] = "plan:avoidSlow: takes how many times the best latency",
        ["plan:avoidSlow(2, 1000, -1)"] = "plan:avoidSlow: takes how many times the best latency",
        ["plan:avoidSlow(2, 1000, 1e7)"] = "plan:avoidSlow: takes how many times the best latency",
      } do
        local refused, said = policies.of("return balance { name = 'X', plan = function(plan)\n" .. call ..
          " plan:hosts(localDc, inTurn) end }")
        assert.is_nil(refused, call)
        assert.truthy(said:find("policy.lua:2: " .. why, 1, true), said)
      end
      for _, call in ipairs { "plan:avoidSlow(1)", "plan:avoidSlow(1e6, 0, 0)", "plan:avoidSlow(2, 1e9, 1e6)" } do
        assert.truthy(policies.of("return balance { name = 'X', plan = function(plan) " .. call ..
          " plan:hosts(localDc, inTurn) end }"), call)
      end
      policies.close_all()
    end)

    it("refuse items that are no texts", function()
      local refused, why = policies.try { policy = "AllowListPolicy", options = "{ hosts = { 7 } }" }
      assert.is_nil(refused)
      assert.truthy(why:find("listed: item 1 is no text", 1, true), why)
    end)
  end)

  describe("WeightedPolicy", function()
    it("asks hosts in proportion to their weight", function()
      local p = serve "WeightedPolicy"
      for slot, weight in pairs { [0] = 4, [1] = 2, [2] = 1, [3] = 1 } do view.hosts[slot].weight = weight end
      local counts = firsts(p, 8000, {})
      assert.near(4000, counts[0], 300)
      assert.near(2000, counts[1], 300)
      assert.near(1000, counts[2], 200)
      assert.near(1000, counts[3], 200)
    end)

    it("asks a host of weight 0 only when there is no other", function()
      local p = serve "WeightedPolicy"
      view.hosts[1].weight = 0
      for i = 1, 200 do assert.equal(1, p:walk(view, {}, nil, i)[4]) end
    end)
  end)

  describe("RegionPriorityPolicy", function()
    it("goes through the regions in the order of their priority", function()
      local p = serve("RegionPriorityPolicy", "{ hostsPerRegion = 0 }")
      local function dcs()
        local order, last = {}, nil
        for _, slot in ipairs(p:walk(view, { isLocalConsistency = false })) do
          local dc = ffi.string(view.dc_names[view.hosts[slot].dcId])
          if dc ~= last then order[#order + 1] = dc end
          last = dc
        end
        return order
      end
      assert.same({ "a", "b", "c" }, dcs())
      C.mp_view_set_priority(view, C.mp_view_dc_id(view, "c"), 1)
      assert.equal(0, C.mp_view_rebuild(view))
      assert.same({ "a", "c", "b" }, dcs())
      C.mp_view_set_priority(view, C.mp_view_dc_id(view, "b"), 1)
      C.mp_view_set_priority(view, C.mp_view_dc_id(view, "c"), 2)
      assert.equal(0, C.mp_view_rebuild(view))
      assert.same({ "a", "b", "c" }, dcs())
    end)

    it("takes a few hosts of each, and stays at home for a local consistency", function()
      local p = serve("RegionPriorityPolicy", "{ hostsPerRegion = 1 }")
      assert.equal(6, #p:walk(view, { isLocalConsistency = false }))
      assert.equal(4, #p:walk(view, { isLocalConsistency = true }))
    end)
  end)

  it("keeps what its file's locals hold from one call to the next", function()
    local p = assert(policies.of [[
      local asked = 0
      return balance { name = "Counting", plan = function(plan, req)
        asked = asked + 1
        if asked % 3 == 0 then plan:hosts(sameRack, inTurn) else plan:hosts(remoteDcs, primaryFirst, 1) end
      end }]])
    assert.equal(0, p:bind(view))
    local kinds = {}
    for i = 1, 9 do kinds[i] = p:walk(view, {})[1] < 4 and "rack" or "remote" end
    local racks = 0
    for _, kind in ipairs(kinds) do racks = racks + (kind == "rack" and 1 or 0) end
    assert.equal(3, racks)
  end)
end)
