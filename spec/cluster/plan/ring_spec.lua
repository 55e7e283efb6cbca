-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local topology = require "spec.support.topology"

-- Cassandra's placement, written a second time from its description, on plain tables.
local function reference(hosts, options, token)
  local ring = {}
  for i, host in ipairs(hosts) do
    for _, t in ipairs(host.tokens) do ring[#ring + 1] = { t, i - 1 } end
  end
  table.sort(ring, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
  local start = 1
  for i, entry in ipairs(ring) do
    if entry[1] >= token then start = i break end
    if i == #ring then start = 1 end
  end
  local order, seen = {}, {}
  for i = 0, #ring - 1 do
    local owner = ring[(start - 1 + i) % #ring + 1][2]
    if not seen[owner] then seen[owner], order[#order + 1] = true, owner end
  end
  local replicas = {}
  if options.class == "SimpleStrategy" then
    for i = 1, math.min(tonumber(options.replication_factor), #order) do replicas[i] = order[i] end
    return replicas
  end
  local left, repeats, used_racks = {}, {}, {}
  for dc, rf in pairs(options) do
    if dc ~= "class" then
      local members, racks, rack_count = 0, {}, 0
      for _, host in ipairs(hosts) do
        if host.dc == dc and #host.tokens > 0 then
          members = members + 1
          if not racks[host.rack] then racks[host.rack], rack_count = true, rack_count + 1 end
        end
      end
      left[dc], repeats[dc] = math.min(tonumber(rf), members), tonumber(rf) - rack_count
    end
  end
  for _, owner in ipairs(order) do
    local host = hosts[owner + 1]
    local rack = host.dc .. "/" .. host.rack
    if left[host.dc] and left[host.dc] > 0 then
      local new_rack = not used_racks[rack]
      if new_rack or repeats[host.dc] > 0 then
        if not new_rack then repeats[host.dc] = repeats[host.dc] - 1 end
        used_racks[rack] = true
        left[host.dc] = left[host.dc] - 1
        replicas[#replicas + 1] = owner
      end
    end
  end
  return replicas
end

local function random_hosts(random, n, dcs, racks, vnodes)
  local hosts = {}
  for i = 1, n do
    local tokens = {}
    for v = 1, vnodes do tokens[v] = random(-1e6, 1e6) end
    hosts[i] = { dc = "dc" .. random(1, dcs), rack = "r" .. random(1, racks), tokens = tokens }
  end
  return hosts
end

describe("a ring", function()
  it("gives a token to the first token at or behind it, and wraps", function()
    local ring = topology.ring { { tokens = { -100, 50 } }, { tokens = { 0 } }, { tokens = { 100 } } }
    local function owner(token) return ring.owners[C.mp_ring_find(ring, token)] end
    assert.equal(0, owner(-101))
    assert.equal(0, owner(-100))
    assert.equal(1, owner(-99))
    assert.equal(1, owner(0))
    assert.equal(0, owner(1))
    assert.equal(2, owner(100))
    assert.equal(0, owner(101))
    C.mp_ring_unref(ring)
  end)

  it("finds the ends of the token range", function()
    local low, high = -0x7fffffffffffffffLL - 1, 0x7fffffffffffffffLL
    local ring = topology.ring { { tokens = { low } }, { tokens = { high } } }
    assert.equal(0, ring.owners[C.mp_ring_find(ring, low)])
    assert.equal(1, ring.owners[C.mp_ring_find(ring, low + 1)])
    assert.equal(1, ring.owners[C.mp_ring_find(ring, high)])
    C.mp_ring_unref(ring)
  end)

  it("keeps one owner of a token that two hosts claim (G11)", function()
    local ring = topology.ring { { tokens = { 5, 7 } }, { tokens = { 5 } } }
    assert.equal(2, ring.count)
    assert.equal(0, ring.owners[C.mp_ring_find(ring, 5)])
    C.mp_ring_unref(ring)
  end)

  it("agrees with a linear search for any tokens", function()
    math.randomseed(7)
    for _ = 1, 200 do
      local hosts = random_hosts(math.random, math.random(1, 12), 1, 1, math.random(1, 16))
      local ring = topology.ring(hosts)
      for _ = 1, 50 do
        local token = math.random(-1100000, 1100000)
        local want = 0
        for i = 0, ring.count - 1 do
          if ring.tokens[i] >= token then want = i break end
        end
        assert.equal(want, C.mp_ring_find(ring, token))
      end
      C.mp_ring_unref(ring)
    end
  end)
end)

describe("a placement", function()
  local function check(hosts, options, rounds, slice)
    local view = topology.view(hosts, "dc1")
    local ring = topology.ring(hosts)
    local placement = topology.placement(ring, view, options, slice)
    for _ = 1, rounds do
      local token = math.random(-1100000, 1100000)
      assert.same(reference(hosts, options, token), topology.replicas(placement, token))
    end
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end

  it("by SimpleStrategy is Cassandra's, for random clusters", function()
    math.randomseed(11)
    for _ = 1, 150 do
      local hosts = random_hosts(math.random, math.random(1, 12), 2, 3, math.random(1, 8))
      check(hosts, { class = "org.apache.cassandra.locator.SimpleStrategy", replication_factor = "0" }, 1)
      check(hosts, { class = "SimpleStrategy", replication_factor = tostring(math.random(1, 5)) }, 20)
    end
  end)

  it("by NetworkTopologyStrategy is Cassandra's, for random clusters, racks and slices (G11)", function()
    math.randomseed(13)
    for _ = 1, 300 do
      local hosts = random_hosts(math.random, math.random(1, 14), 3, math.random(1, 4), math.random(1, 8))
      local options = { class = "NetworkTopologyStrategy" }
      for dc = 1, 3 do
        if math.random() < 0.8 then options["dc" .. dc] = tostring(math.random(1, 5)) end
      end
      check(hosts, options, 20, math.random(1, 40))
    end
  end)

  it("knows no replicas for a strategy it does not know", function()
    local hosts = { { dc = "dc1", rack = "r1", tokens = { 1 } } }
    local view, ring = topology.view(hosts, "dc1"), topology.ring(hosts)
    for _, options in ipairs { { class = "LocalStrategy" }, { class = "my.Own", replication_factor = "2" }, {} } do
      local placement = topology.placement(ring, view, options)
      assert.same({}, topology.replicas(placement, 1))
      C.mp_placement_unref(placement)
    end
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  it("takes nonsense for zero and ends with any factor (G11)", function()
    local hosts = { { dc = "dc1", rack = "r1", tokens = { 1, 5 } }, { dc = "dc1", rack = "r1", tokens = { 3 } } }
    local view, ring = topology.view(hosts, "dc1"), topology.ring(hosts)
    for rf, want in pairs { ["-1"] = 0, ["x"] = 0, [""] = 0, ["3/1"] = 2, ["99999999999999999999"] = 2 } do
      local placement = topology.placement(ring, view, { class = "SimpleStrategy", replication_factor = rf })
      assert.equal(want, #topology.replicas(placement, 2))
      C.mp_placement_unref(placement)
    end
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  it("of an empty ring knows nothing", function()
    local view, ring = topology.view({}, "dc1"), topology.ring {}
    local placement = topology.placement(ring, view, { class = "SimpleStrategy", replication_factor = "3" })
    assert.same({}, topology.replicas(placement, 0))
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  it("of 256,000 tokens is made in slices that each stay small", function()
    local hosts = {}
    math.randomseed(17)
    for i = 1, 1000 do
      local tokens = {}
      for v = 1, 256 do tokens[v] = ffi.cast("int64_t", math.random() * 1.8e19 - 9e18) end
      hosts[i] = { dc = "dc1", rack = "r" .. i % 3, tokens = tokens }
    end
    local view, ring = topology.view(hosts, "dc1"), topology.ring(hosts)
    local replication = topology.replication(view, { class = "NetworkTopologyStrategy", dc1 = "3" })
    local placement = C.mp_placement_new(ring, replication, view)
    assert.is_false(C.mp_placement_step(placement, view, 2000))
    assert.is_true(placement.done <= 2000)
    while not C.mp_placement_step(placement, view, 2000) do end
    assert.equal(3, #topology.replicas(placement, 12345))
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  -- Tokens may lie as badly as somebody likes: the walk to a row's replicas is not the ring's length.
  it("costs as many steps for tokens that lie as badly as they can", function()
    local network = "NetworkTopologyStrategy"
    for _, options in ipairs { { class = "SimpleStrategy", replication_factor = "3" },
      { class = network, dc1 = "3", dc2 = "2" }, { class = network, dc1 = "50" } } do
      -- Two hosts have nearly all tokens, in turn; the others, and their racks, one each, all at the end.
      local hosts = {}
      for i = 1, 60 do
        hosts[i] = { dc = i % 7 == 0 and "dc2" or "dc1", rack = "r" .. i % 20, tokens = { 1000000 + i } }
      end
      for i = 1, 6000 do hosts[i % 2 + 1].tokens[#hosts[i % 2 + 1].tokens + 1] = i end
      local view, ring = topology.view(hosts, "dc1"), topology.ring(hosts)
      local placement = C.mp_placement_new(ring, (topology.replication(view, options)), view)
      local steps = 0
      while not C.mp_placement_step(placement, view, 500) do steps = steps + 1 end
      assert.is_true(steps <= ring.count / 500 * 8, steps .. " steps")
      assert.equal(0, placement.err)
      for _ = 1, 5 do
        local token = math.random(1, 6010)
        assert.same(reference(hosts, options, token), topology.replicas(placement, token))
      end
      C.mp_placement_unref(placement)
      C.mp_ring_unref(ring)
      topology.free(view)
    end
  end)

  it("that would be too large is none", function()
    local hosts = {}
    for i = 1, 600 do hosts[i] = { dc = "dc1", rack = "r1", tokens = {} } end
    for i = 1, 60000 do
      local tokens = hosts[i % 600 + 1].tokens
      tokens[#tokens + 1] = i
    end
    local view, ring = topology.view(hosts, "dc1"), topology.ring(hosts)
    local placement = C.mp_placement_new(ring, (topology.replication(view, { class = "EverywhereStrategy" })), view)
    while not C.mp_placement_step(placement, view, 100000) do end
    assert.equal(C.MP_ETOOBIG, placement.err)
    assert.same({}, topology.replicas(placement, 1))
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  it("counts a datacentre once, and those that are not there not at all", function()
    local hosts = { { dc = "dc1", rack = "r1", tokens = { 1, 5 } }, { dc = "dc1", rack = "r2", tokens = { 3 } } }
    local view, ring = topology.view(hosts, "dc1"), topology.ring(hosts)
    local keys, values = { "class", "dc1", "dc1", "gone" }, { "NetworkTopologyStrategy", "1", "2", "3" }
    local ks, vs = ffi.new "struct mp_str[4]", ffi.new "struct mp_str[4]"
    for i = 1, 4 do
      ks[i - 1].data, ks[i - 1].len = keys[i], #keys[i]
      vs[i - 1].data, vs[i - 1].len = values[i], #values[i]
    end
    local replication = ffi.new "struct mp_replication"
    C.mp_replication_parse(replication, view, 4, ks, vs)
    assert.equal(1, replication.dc_count)
    assert.equal(1, view.dc_count)
    local placement = C.mp_placement_new(ring, replication, view)
    while not C.mp_placement_step(placement, view, 100) do end
    assert.equal(1, #topology.replicas(placement, 2))
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)
end)
