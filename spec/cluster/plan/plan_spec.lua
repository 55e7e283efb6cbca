-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local bit = require "bit"
local topology = require "spec.support.topology"

local function cluster(layout)
  local hosts = {}
  for _, part in ipairs(layout) do
    for i = 1, part[2] do
      hosts[#hosts + 1] = { dc = part[1], rack = "r" .. (i % 2 + 1), tokens = { #hosts * 1000 } }
    end
  end
  return hosts
end

describe("a plan", function()
  local view, ring, placement, hosts, plan
  local chance = 1

  local function start(has_token, token)
    chance = chance + 7919
    plan = ffi.new "struct mp_plan"
    C.mp_plan_init(plan, view, placement, has_token or false, token or 0, chance * 1000003)
    return plan
  end

  before_each(function()
    hosts = cluster { { "dc1", 4 }, { "dc2", 3 }, { "dc3", 2 } }
    view = topology.view(hosts, "dc1", "r1")
    ring = topology.ring(hosts)
    placement = topology.placement(ring, view, { class = "NetworkTopologyStrategy", dc1 = "2", dc2 = "2" })
  end)
  after_each(function()
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  local function down(slot)
    view.hosts[slot].isUp = false
    assert(C.mp_view_rebuild(view) == 0)
  end

  it("without steps gives no host", function()
    start()
    assert.same({}, topology.walk(plan))
  end)

  it("lets each host come first as often, however many steps go in turn", function()
    local firsts = {}
    for i = 1, 8 do
      start()
      C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_IN_TURN, 0, 0)
      C.mp_plan_hosts(plan, C.MP_SCOPE_REMOTE_DCS, C.MP_ORDER_IN_TURN, 1, 0)
      firsts[i] = topology.walk(plan)[1]
    end
    assert.same({ 0, 1, 2, 3, 0, 1, 2, 3 }, firsts)
  end)

  it("gives the hosts of the local datacentre in turn, each request starting one further", function()
    local firsts = {}
    for i = 1, 8 do
      start()
      C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_IN_TURN, 0, 0)
      local walk = topology.walk(plan)
      assert.equal(4, #walk)
      firsts[i] = walk[1]
    end
    assert.same({ 0, 1, 2, 3, 0, 1, 2, 3 }, firsts)
  end)

  it("gives each host once, whatever steps overlap", function()
    math.randomseed(5)
    for _ = 1, 3000 do
      start(true, math.random(-1000, 10000))
      for _ = 1, math.random(1, 8) do
        local what = math.random(1, 3)
        local scope, order = math.random(0, 4), math.random(0, 5)
        if what == 1 then C.mp_plan_replicas(plan, scope, order, math.random(0, 3), math.random(0, 3))
        elseif what == 2 then C.mp_plan_hosts(plan, scope, order, math.random(0, 3), math.random(0, 3))
        else C.mp_plan_host(plan, math.random(0, 20)) end
      end
      local seen = {}
      for _, host in ipairs(topology.walk(plan)) do
        assert.is_nil(seen[host])
        assert.is_true(view.hosts[host].isUp)
        seen[host] = true
      end
    end
  end)

  it("with every order visits every host of its scope", function()
    for order = 0, tonumber(C.MP_ORDER_COUNT) - 1 do
      for _ = 1, 200 do
        start()
        C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, order, 0, 0)
        local walk = topology.walk(plan)
        table.sort(walk)
        assert.same({ 0, 1, 2, 3, 4, 5, 6, 7, 8 }, walk)
      end
    end
  end)

  it("gives each host once in any order, whatever chance says", function()
    local orders = { C.MP_ORDER_PRIMARY_FIRST, C.MP_ORDER_IN_TURN, C.MP_ORDER_SHUFFLED, C.MP_ORDER_LEAST_LOADED,
      C.MP_ORDER_WEIGHTED, C.MP_ORDER_FASTEST }
    local seeds = { 0x7fffffff, 0x80000000, 0xffffffff }
    for i = 0, 80 do seeds[#seeds + 1] = i end -- where a walk begins is reckoned from it
    for i, seed in ipairs(seeds) do
      local token, replicas = i * 120, {}
      for _, host in ipairs(topology.replicas(placement, token)) do replicas[host] = host < 4 end
      for _, order in ipairs(orders) do
        start(true, token)
        C.mp_plan_replicas(plan, C.MP_SCOPE_LOCAL_DC, order, 0, 0)
        C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, order, 0, 0)
        plan.steps[0].seed, plan.steps[1].seed = seed, seed
        local walk = topology.walk(plan)
        assert.is_true(replicas[walk[1]] and replicas[walk[2]] and not replicas[walk[3]])
        table.sort(walk)
        assert.same({ 0, 1, 2, 3, 4, 5, 6, 7, 8 }, walk)
      end
    end
  end)

  it("gives the replicas of a token and nobody else, however many they are", function()
    for replication_factor = 1, 9 do
      local simple = topology.placement(ring, view,
        { class = "SimpleStrategy", replication_factor = tostring(replication_factor) })
      for token = -500, 9500, 500 do
        for _, order in ipairs { C.MP_ORDER_PRIMARY_FIRST, C.MP_ORDER_SHUFFLED, C.MP_ORDER_LEAST_LOADED } do
          plan = ffi.new "struct mp_plan"
          C.mp_plan_init(plan, view, simple, true, token, token + 500)
          C.mp_plan_replicas(plan, C.MP_SCOPE_ALL, order, 0, 0)
          local walk, replicas = topology.walk(plan), topology.replicas(simple, token)
          if order ~= C.MP_ORDER_PRIMARY_FIRST then
            table.sort(walk)
            table.sort(replicas)
          end
          assert.same(replicas, walk)
          assert.equal(replication_factor, #walk)
        end
      end
      C.mp_placement_unref(simple)
    end
  end)

  it("gives all replicas also when every host of a large cluster is one", function()
    local many = cluster { { "dc1", 150 } }
    local wide, wide_ring = topology.view(many, "dc1", "r1"), topology.ring(many)
    local everywhere = topology.placement(wide_ring, wide, { class = "SimpleStrategy", replication_factor = "150" })
    for _, order in ipairs { C.MP_ORDER_PRIMARY_FIRST, C.MP_ORDER_SHUFFLED, C.MP_ORDER_LEAST_LOADED } do
      plan = ffi.new "struct mp_plan"
      C.mp_plan_init(plan, wide, everywhere, true, 5, 7)
      C.mp_plan_replicas(plan, C.MP_SCOPE_ALL, order, 0, 0)
      local seen, count = {}, 0
      for _, host in ipairs(topology.walk(plan)) do
        assert.is_true(host < 150 and not seen[host])
        seen[host], count = true, count + 1
      end
      assert.is_true(count >= 32, count)
    end
    C.mp_placement_unref(everywhere)
    C.mp_ring_unref(wide_ring)
    topology.free(wide)
  end)

  it("puts replicas first and keeps to the scope", function()
    for token = -500, 9500, 250 do
      local replicas = {}
      for _, host in ipairs(topology.replicas(placement, token)) do
        if view.hosts[host].isLocal then replicas[host] = true end
      end
      start(true, token)
      C.mp_plan_replicas(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_SHUFFLED, 0, 0)
      C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_IN_TURN, 0, 0)
      local walk = topology.walk(plan)
      assert.equal(4, #walk)
      assert.is_true(replicas[walk[1]] and replicas[walk[2]])
    end
  end)

  it("spreads shuffled replicas evenly", function()
    local counts = {}
    for _ = 1, 4000 do
      start(true, 10)
      C.mp_plan_replicas(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_SHUFFLED, 0, 0)
      local first = topology.walk(plan)[1]
      counts[first] = (counts[first] or 0) + 1
    end
    for _, count in pairs(counts) do assert.is_true(count > 1700 and count < 2300) end
  end)

  it("limits hosts for each remote datacentre, in failover order", function()
    view.remote_order[0], view.remote_order[1] = C.mp_view_dc_id(view, "dc3"), C.mp_view_dc_id(view, "dc2")
    start()
    C.mp_plan_hosts(plan, C.MP_SCOPE_REMOTE_DCS, C.MP_ORDER_IN_TURN, 1, 0)
    local walk = topology.walk(plan)
    assert.equal(2, #walk)
    assert.equal("dc3", hosts[walk[1] + 1].dc)
    assert.equal("dc2", hosts[walk[2] + 1].dc)
  end)

  it("sees hosts go down between two steps of its walk", function()
    start()
    C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_PRIMARY_FIRST, 0, 0)
    assert.equal(0, C.mp_plan_next(plan, nil))
    down(1)
    down(3)
    local rest = topology.walk(plan)
    for _, host in ipairs(rest) do assert.is_true(host == 2) end
  end)

  it("prefers the less loaded of two, and hosts that are not new", function()
    for i = 0, 3 do view.hosts[i].inFlight = i * 10 end
    local counts = { [0] = 0, 0, 0, 0 }
    for _ = 1, 3000 do
      start()
      C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_LEAST_LOADED, 0, 0)
      local first = C.mp_plan_next(plan, nil)
      counts[first] = counts[first] + 1
    end
    assert.is_true(counts[0] > counts[1] and counts[1] > counts[2] and counts[2] > counts[3])
    view.hosts[0].isNewlyUp = true
    local first = 0
    for _ = 1, 1000 do
      start()
      C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_LEAST_LOADED, 0, 0)
      if C.mp_plan_next(plan, nil) == 0 then first = first + 1 end
    end
    assert.is_true(first < 150)
  end)

  it("follows weights, and gives weight 0 only at the end", function()
    for i, weight in ipairs { 1, 3, 0, 0 } do view.hosts[i - 1].weight = weight end
    local counts = { [0] = 0, 0, 0, 0 }
    for _ = 1, 4000 do
      start()
      C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_WEIGHTED, 0, 0)
      local walk = topology.walk(plan)
      counts[walk[1]] = counts[walk[1]] + 1
      assert.is_true(walk[1] < 2 and walk[2] < 2)
      assert.equal(4, #walk)
    end
    assert.is_true(counts[1] > 2800 and counts[1] < 3200)
  end)

  it("puts the fastest first, unmeasured ones before", function()
    for i, latency in ipairs { 300, 100, 0, 200 } do view.hosts[i - 1].latencyUs = latency end
    start()
    C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_FASTEST, 0, 0)
    assert.same({ 2, 1, 3, 0 }, topology.walk(plan))
  end)

  it("knows the rack", function()
    start()
    C.mp_plan_hosts(plan, C.MP_SCOPE_SAME_RACK, C.MP_ORDER_PRIMARY_FIRST, 0, 0)
    assert.same({ 1, 3 }, topology.walk(plan))
  end)

  it("counts what does not fit and ignores what is out of range", function()
    start()
    for _ = 1, 9 do C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, C.MP_ORDER_IN_TURN, 0, 0) end
    assert.is_true(plan.overflow)
    start()
    for _, bad in ipairs { { 99, 0, 0 }, { 0, 99, 0 }, { 4, 0, 64 }, { 4294967295, 4294967295, 4294967295 } } do
      C.mp_plan_hosts(plan, bad[1], bad[2], 0, bad[3])
    end
    for _, bad in ipairs { 8192, 65535, 4294967295 } do C.mp_plan_host(plan, bad) end
    assert.is_true(plan.overflow)
    assert.equal(0, plan.step_count)
    C.mp_plan_host(plan, 8191)
    C.mp_plan_hosts(plan, C.MP_SCOPE_DC, C.MP_ORDER_IN_TURN, 0, 63)
    assert.same({}, topology.walk(plan))
  end)

  it("tells which step gave a host", function()
    start()
    C.mp_plan_host(plan, 7)
    C.mp_plan_hosts(plan, C.MP_SCOPE_LOCAL_DC, C.MP_ORDER_IN_TURN, 1, 0)
    local step = ffi.new "uint8_t[1]"
    assert.equal(7, C.mp_plan_next(plan, step))
    assert.equal(0, step[0])
    C.mp_plan_next(plan, step)
    assert.equal(1, step[0])
  end)

  local function said(index, size)
    local text = ffi.new("char[?]", size or 256)
    return ffi.string(C.mp_plan_step_text(plan, index or 0, text, size or 256))
  end

  it("says its steps in words", function()
    local scopes = { [C.MP_SCOPE_LOCAL_DC] = " of the local datacentre", [C.MP_SCOPE_SAME_RACK] = " of the local rack",
      [C.MP_SCOPE_REMOTE_DCS] = " of the remote datacentres", [C.MP_SCOPE_ALL] = " of all datacentres",
      [C.MP_SCOPE_DC] = " of datacentre dc2" }
    local orders = { [C.MP_ORDER_IN_TURN] = "in turn", [C.MP_ORDER_SHUFFLED] = "shuffled",
      [C.MP_ORDER_PRIMARY_FIRST] = "primary first", [C.MP_ORDER_LEAST_LOADED] = "least loaded",
      [C.MP_ORDER_FASTEST] = "fastest", [C.MP_ORDER_WEIGHTED] = "weighted" }
    for scope, place in pairs(scopes) do
      for order, way in pairs(orders) do
        for _, limit in ipairs { 0, 1, 65535 } do
          start(true, 4500)
          C.mp_plan_replicas(plan, scope, order, limit, 1)
          C.mp_plan_hosts(plan, scope, order, limit, 1)
          local of_each = scope == C.MP_SCOPE_REMOTE_DCS and " of each" or ""
          local most = limit > 0 and (", at most %d%s"):format(limit, of_each) or ""
          assert.equal("replicas" .. place .. ", " .. way .. most, said(0))
          assert.equal("hosts" .. place .. ", " .. way .. most, said(1))
          assert.equal("", said(2))
        end
      end
    end
    start()
    C.mp_plan_host(plan, 7)
    C.mp_plan_hosts(plan, C.MP_SCOPE_DC, C.MP_ORDER_IN_TURN, 0, 40)
    assert.equal("the named host", said(0))
    assert.equal("hosts of datacentre ?, in turn", said(1))
  end)

  it("says by which tags and lists it filters, whatever their number", function()
    for i = 0, C.MP_MARKS_MAX - 3 do assert.equal(i, C.mp_view_tag(view, "t" .. i, #("t" .. i))) end
    local lines = "10.0.0.1\n10.0.0.2\n" .. ("x"):rep(40)
    local list = C.mp_view_list(view, lines, #lines)
    assert.equal(C.MP_MARKS_MAX - 2, list)
    assert.equal(C.MP_MARKS_MAX - 1, C.mp_view_tag(view, "last", 4))
    start()
    C.mp_plan_only(plan, 1)
    C.mp_plan_only(plan, bit.lshift(1, 31)) -- the last one
    C.mp_plan_avoid(plan, bit.lshift(1, list))
    C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, C.MP_ORDER_IN_TURN, 0, 0)
    local whole = "hosts of all datacentres, in turn, only tag t0, only tag last, "
      .. "without the list 10.0.0.1 10.0.0.2 " .. ("x"):rep(22)
    assert.equal(whole, said(0))
    for size = 1, #whole + 2 do assert.equal(whole:sub(1, size - 1), said(0, size)) end
    start()
    C.mp_plan_only(plan, 0xffffffff)
    C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, C.MP_ORDER_IN_TURN, 0, 0)
    assert.equal(C.MP_MARKS_MAX, select(2, said(0, 4096):gsub(", only ", "")))
    C.mp_plan_no_filter(plan)
    C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, C.MP_ORDER_IN_TURN, 0, 0)
    assert.equal("hosts of all datacentres, in turn", said(1))
    for slot = 0, 8 do view.hosts[slot].latencyUs, view.hosts[slot].latencyAtMs = 100 + slot, 1 end
    C.mp_plan_avoid_slow(plan, 2, 1000, 0, 5)
    C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, C.MP_ORDER_IN_TURN, 0, 0)
    assert.equal("hosts of all datacentres, in turn, without slow ones", said(2))
  end)

  it("by default never leaves the local datacentre for a local consistency", function()
    local req = ffi.new "struct mp_request_view"
    req.isLocalConsistency = true
    start(true, 4500)
    assert.is_true(C.mp_default_plan(nil, req, plan))
    for _, host in ipairs(topology.walk(plan)) do assert.is_true(view.hosts[host].isLocal) end
    req.isLocalConsistency = false
    start(true, 4500)
    assert.is_true(C.mp_default_plan(nil, req, plan))
    assert.equal(9, #topology.walk(plan))
  end)
end)
