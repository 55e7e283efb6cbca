-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local LOCAL = { isLocalConsistency = true, consistency = C.MP_CL_LOCAL_QUORUM }
local WIDE = { isLocalConsistency = false, consistency = C.MP_CL_QUORUM }

-- The datacentre of each slot, by its place in the list of hosts.
local function dcs_of(view, walk)
  local list = {}
  for i, slot in ipairs(walk) do list[i] = ffi.string(view.dc_names[view.hosts[slot].dcId]) end
  return list
end

describe("DCAwareRoundRobinPolicy", function()
  local view
  before_each(function()
    local hosts = {}
    for i = 1, 9 do hosts[i] = { dc = ({ "one", "two", "three" })[(i - 1) % 3 + 1] } end
    view = topology.view(hosts, "one")
  end)
  after_each(function()
    policies.close_all()
    topology.free(view)
  end)

  local function serving(options)
    local p = policies.new { policy = "DCAwareRoundRobinPolicy", options = options }
    assert.equal(0, p:bind(view))
    return p
  end

  it("stays in the local datacentre unless told otherwise", function()
    local p = serving()
    for _, req in ipairs { LOCAL, WIDE } do
      local walk = p:walk(view, req)
      table.sort(walk)
      assert.same({ 0, 3, 6 }, walk)
    end
  end)

  it("spreads evenly over the local hosts", function()
    local p, first = serving(), {}
    for i = 1, 300 do
      local slot = p:walk(view, LOCAL, nil, i)[1]
      first[slot] = (first[slot] or 0) + 1
    end
    assert.same({ [0] = 100, [3] = 100, [6] = 100 }, first)
  end)

  it("has usedHostsPerRemoteDc hosts of each remote datacentre to fall back on, after the local ones", function()
    for used = 1, 4 do
      local p = serving("{ usedHostsPerRemoteDc = " .. used .. " }")
      local walk = dcs_of(view, p:walk(view, WIDE))
      local expected = { "one", "one", "one" }
      for _, dc in ipairs { "two", "three" } do
        for _ = 1, math.min(used, 3) do expected[#expected + 1] = dc end
      end
      assert.same(expected, walk)
    end
  end)

  it("does not leave the local datacentre for a LOCAL_ consistency, unless that is allowed", function()
    local p = serving "{ usedHostsPerRemoteDc = 2 }"
    assert.same({ "one", "one", "one" }, dcs_of(view, p:walk(view, LOCAL)))
    p = serving "{ usedHostsPerRemoteDc = 2, allowRemoteDCsForLocalConsistencyLevel = true }"
    assert.same({ "one", "one", "one", "two", "two", "three", "three" }, dcs_of(view, p:walk(view, LOCAL)))
  end)

  it("gives nobody when the local datacentre is down and the consistency is local", function()
    local p = serving "{ usedHostsPerRemoteDc = 2 }"
    for _, slot in ipairs { 0, 3, 6 } do view.hosts[slot].isUp = false end
    assert.equal(0, C.mp_view_rebuild(view))
    assert.same({}, p:walk(view, LOCAL))
    assert.same({ "two", "two", "three", "three" }, dcs_of(view, p:walk(view, WIDE)))
  end)
end)

describe("a LOCAL_ request", function()
  after_each(policies.close_all)

  for _, name in ipairs { "DCAwareRoundRobinPolicy", "TokenAwarePolicy" } do
    it("is never planned to a remote host by " .. name .. ", on any of 10,000 topologies", function()
      local random = 20261123
      local function draw(n)
        random = (random * 1103515245 + 12345) % 2147483648
        return math.floor(random / 65536) % n
      end
      local view = topology.view({ { dc = "d0" }, { dc = "d1" }, { dc = "d2" }, { dc = "d3" } }, "d0")
      finally(function()
        policies.close_all()
        topology.free(view)
      end)
      local servings = {}
      for used = 0, 3 do
        servings[used] = policies.new { policy = name, options = "{ usedHostsPerRemoteDc = " .. used .. " }" }
        assert.equal(0, servings[used]:bind(view))
      end
      local placement
      local seen_local, seen_remote = 0, 0
      for round = 1, 10000 do
        local dcs = 1 + draw(4)
        view.local_dc = draw(dcs)
        view.host_count = draw(25)
        for slot = 0, tonumber(view.host_count) - 1 do
          local host = view.hosts[slot]
          host.index, host.dcId, host.weight = slot, draw(dcs), 1
          host.isUp, host.isLocal = draw(4) > 0, host.dcId == view.local_dc
          host.isLocalRack = host.isLocal and draw(2) == 0
        end
        assert.equal(0, C.mp_view_rebuild(view))
        if round % 100 == 1 then
          C.mp_placement_unref(placement)
          local tokens = {}
          for slot = 0, 24 do tokens[slot + 1] = { tokens = { slot * 10 } } end
          local ring = topology.ring(tokens)
          placement = topology.placement(ring, view, { class = "SimpleStrategy", replication_factor = "5" })
          C.mp_ring_unref(ring)
        end
        local used = draw(4)
        local request = { hasToken = draw(2) == 0, isLwt = draw(8) == 0, isRead = draw(2) == 0,
          routingToken = draw(300), isLocalConsistency = draw(2) == 0 }
        local walk = servings[used]:walk(view, request, placement, random)
        local remote = {}
        for _, slot in ipairs(walk) do
          assert.is_true(view.hosts[slot].isUp)
          if view.hosts[slot].isLocal then
            seen_local = seen_local + 1
          else
            seen_remote = seen_remote + 1
            assert.is_false(request.isLocalConsistency, "a remote host for a LOCAL_ request in round " .. round)
            local dc = tonumber(view.hosts[slot].dcId)
            remote[dc] = (remote[dc] or 0) + 1
            assert.is_true(remote[dc] <= used)
          end
        end
      end
      C.mp_placement_unref(placement)
      assert.is_true(seen_local > 10000 and seen_remote > 1000)
    end)
  end
end)
