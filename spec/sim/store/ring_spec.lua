-- SPDX-License-Identifier: Apache-2.0
-- Placement: what must hold for any ring, and that it agrees with the driver's own ring.
local ffi = require "ffi"
local C = require "spec.support.c"

-- nodes: { { dc = 0, rack = 0, tokens = { ... } } }
local function make_ring(nodes)
  local ring = ffi.new "struct mp_sim_ring"
  C.mp_sim_ring_init(ring)
  local count = 0
  for _, node in ipairs(nodes) do count = count + #node.tokens end
  local entries, places = ffi.new("struct mp_sim_ring_entry[?]", count), ffi.new("struct mp_sim_ring_place[?]", #nodes)
  count = 0
  for i, node in ipairs(nodes) do
    places[i - 1].member, places[i - 1].dc, places[i - 1].rack = true, node.dc, node.rack
    for _, token in ipairs(node.tokens) do
      entries[count].token, entries[count].node = token, i - 1
      count = count + 1
    end
  end
  assert(C.mp_sim_ring_set(ring, entries, count, places, #nodes) == 0)
  return ring
end

local function strategy(rf, dc_rf)
  local s = ffi.new "struct mp_sim_strategy"
  if dc_rf then
    s.kind = C.MP_SIM_NETWORK_STRATEGY
    for dc, n in pairs(dc_rf) do
      s.dc_rf[dc] = n
      s.rf = s.rf + n
    end
  else
    s.kind, s.rf = C.MP_SIM_SIMPLE_STRATEGY, rf
  end
  return s
end

local function replicas(ring, s, token)
  local out = ffi.new "uint16_t[32]"
  local list = {}
  local count = C.mp_sim_ring_replicas(ring, s, C.mp_sim_ring_owner(ring, token), out)
  for i = 1, tonumber(count) do list[i] = out[i - 1] end
  return list
end

local function random_nodes(seed, dcs, racks, vnodes)
  local rand = ffi.new "struct mp_rand"
  C.mp_rand_seed(rand, seed)
  local nodes = {}
  for i = 1, 3 + tonumber(C.mp_rand_below(rand, 10)) do
    local tokens = {}
    for k = 1, vnodes do tokens[k] = ffi.cast("int64_t", C.mp_rand_u64(rand)) end
    local dc, rack = tonumber(C.mp_rand_below(rand, dcs)), tonumber(C.mp_rand_below(rand, racks))
    nodes[i] = { dc = dc, rack = rack, tokens = tokens }
  end
  return nodes, rand
end

describe("placement in the simulated cluster", function()
  it("gives a token to the first entry at or behind it, round the end", function()
    local ring = make_ring { { dc = 0, rack = 0, tokens = { -100 } }, { dc = 0, rack = 0, tokens = { 0 } },
      { dc = 0, rack = 0, tokens = { 100 } } }
    for token, owner in pairs { [-101] = 0, [-100] = 0, [-99] = 1, [0] = 1, [1] = 2, [100] = 2, [101] = 0 } do
      assert.equal(owner, replicas(ring, strategy(1), token)[1], token)
    end
    assert.same({ 1, 2, 0 }, replicas(ring, strategy(5), -1))
    C.mp_sim_ring_deinit(ring)
  end)

  it("puts replicas into different racks while there are any", function()
    local nodes = {}
    for i = 1, 6 do nodes[i] = { dc = 0, rack = math.floor((i - 1) / 2), tokens = { i * 100 } } end
    local ring = make_ring(nodes)
    assert.same({ 0, 2, 4 }, replicas(ring, strategy(0, { [0] = 3 }), 50))
    assert.same({ 1, 2, 4 }, replicas(ring, strategy(0, { [0] = 3 }), 150))
    C.mp_sim_ring_deinit(ring)
  end)

  it("holds its properties for random rings", function()
    for seed = 1, 60 do
      local dcs, racks = seed % 3 + 1, seed % 4 + 1
      local nodes, rand = random_nodes(seed, dcs, racks, seed % 2 == 0 and 1 or 8)
      local ring = make_ring(nodes)
      local dc_rf, in_dc, racks_in = {}, {}, {}
      for dc = 0, dcs - 1 do dc_rf[dc] = dc + 1 + seed % 2 end
      for _, node in ipairs(nodes) do
        in_dc[node.dc] = (in_dc[node.dc] or 0) + 1
        racks_in[node.dc] = racks_in[node.dc] or {}
        racks_in[node.dc][node.rack] = true
      end
      for _ = 1, 50 do
        local got = replicas(ring, strategy(0, dc_rf), ffi.cast("int64_t", C.mp_rand_u64(rand)))
        local seen, per_dc, per_rack = {}, {}, {}
        for _, n in ipairs(got) do
          assert.is_nil(seen[n], "a node twice")
          seen[n] = true
          local node = nodes[n + 1]
          per_dc[node.dc] = (per_dc[node.dc] or 0) + 1
          per_rack[node.dc] = per_rack[node.dc] or {}
          per_rack[node.dc][node.rack] = true
        end
        for dc = 0, dcs - 1 do
          local wanted = math.min(dc_rf[dc], in_dc[dc] or 0)
          assert.equal(wanted, per_dc[dc] or 0)
          local have, possible = 0, 0
          for _ in pairs(per_rack[dc] or {}) do have = have + 1 end
          for _ in pairs(racks_in[dc] or {}) do possible = possible + 1 end
          assert.equal(math.min(wanted, possible), have)
        end
      end
      C.mp_sim_ring_deinit(ring)
    end
  end)

  it("agrees with the driver's ring", function()
    local ok, topology = pcall(require, "spec.support.topology")
    assert(ok, topology)
    for seed = 1, 40 do
      local nodes, rand = random_nodes(seed, seed % 3 + 1, seed % 3 + 1, seed % 2 == 0 and 1 or 4)
      local hosts, options, dc_rf = {}, { class = "NetworkTopologyStrategy" }, {}
      for i, node in ipairs(nodes) do
        hosts[i] = { dc = "dc" .. node.dc, rack = "r" .. node.rack, tokens = node.tokens }
        dc_rf[node.dc] = node.dc + 2
        options["dc" .. node.dc] = tostring(node.dc + 2)
      end
      local view = topology.view(hosts, "dc0")
      local theirs = topology.ring(hosts)
      local ours = make_ring(nodes)
      local simple = topology.placement(theirs, view, { class = "SimpleStrategy", replication_factor = "3" })
      local network = topology.placement(theirs, view, options)
      for _ = 1, 40 do
        local token = ffi.cast("int64_t", C.mp_rand_u64(rand))
        assert.same(replicas(ours, strategy(3), token), topology.replicas(simple, token), "seed " .. seed)
        assert.same(replicas(ours, strategy(0, dc_rf), token), topology.replicas(network, token), "seed " .. seed)
      end
      C.mp_placement_unref(simple)
      C.mp_placement_unref(network)
      C.mp_ring_unref(theirs)
      topology.free(view)
      C.mp_sim_ring_deinit(ours)
    end
  end)
end)
