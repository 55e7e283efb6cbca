-- SPDX-License-Identifier: Apache-2.0
-- Makes views, rings and placements of any shape through FFI, for specs of plans and policies.
local ffi = require "ffi"
local C = require "spec.support.c"

local topology = {}

-- hosts: a list of { dc =, rack =, up = true, tokens = { ... }, weight =, inFlight =, latencyUs = }; the local
-- datacentre and rack by name. Returns the view; freed by topology.free(view).
function topology.view(hosts, local_dc, local_rack)
  local view = ffi.new "struct mp_view"
  assert(C.mp_view_init(view) == 0)
  view.local_dc = local_dc and C.mp_view_dc_id(view, local_dc) or C.MP_NO_HOST
  for i, host in ipairs(hosts) do
    local slot = view.hosts[i - 1]
    slot.index = i - 1
    slot.dcId = C.mp_view_dc_id(view, host.dc)
    slot.rackId = C.mp_view_rack_id(view, host.dc, host.rack or "rack1")
    slot.isUp = host.up ~= false
    slot.isLocal = host.dc == local_dc
    slot.isLocalRack = slot.isLocal and (host.rack or "rack1") == local_rack
    slot.weight = host.weight or 1
    slot.inFlight = host.inFlight or 0
    slot.latencyUs = host.latencyUs or 0
    slot.isNewlyUp = host.newlyUp or false
  end
  view.host_count = #hosts
  assert(C.mp_view_rebuild(view) == 0)
  return view
end

function topology.ring(hosts)
  local list = {}
  for i, host in ipairs(hosts) do
    for _, token in ipairs(host.tokens or {}) do list[#list + 1] = { token, i - 1 } end
  end
  local tokens = ffi.new("struct mp_ring_token[?]", math.max(#list, 1))
  for i, pair in ipairs(list) do tokens[i - 1].token, tokens[i - 1].owner = pair[1], pair[2] end
  local ring = C.mp_ring_new(tokens, #list)
  assert(ring ~= nil)
  return ring
end

local function str(text) return ffi.new("struct mp_str", text, #text) end

-- options: { class = "SimpleStrategy", replication_factor = "3" }
function topology.replication(view, options)
  local keys, values, anchors, n = {}, {}, {}, 0
  for key, value in pairs(options) do
    n = n + 1
    keys[n], values[n] = str(key), str(value)
    anchors[#anchors + 1], anchors[#anchors + 2] = key, value
  end
  local replication = ffi.new "struct mp_replication"
  local ks, vs = ffi.new("struct mp_str[?]", n), ffi.new("struct mp_str[?]", n)
  for i = 1, n do ks[i - 1], vs[i - 1] = keys[i], values[i] end
  C.mp_replication_parse(replication, view, n, ks, vs)
  return replication, anchors
end

function topology.placement(ring, view, options, slice)
  local replication = topology.replication(view, options)
  local placement = C.mp_placement_new(ring, replication, view)
  assert(placement ~= nil)
  local turns = 0
  while not C.mp_placement_step(placement, view, slice or 100000) do
    turns = turns + 1
    assert(turns < 1e6, "a placement does not end")
  end
  return placement
end

-- The slots of a token's replicas as a list.
function topology.replicas(placement, token)
  local count = ffi.new("uint32_t[1]", 12345)
  local row = C.mp_placement_find(placement, token, count)
  local list = {}
  for i = 0, tonumber(count[0]) - 1 do list[i + 1] = row[i] end
  return list
end

-- Walks a plan to its end: the slots in order.
function topology.walk(plan)
  local list = {}
  while true do
    local host = C.mp_plan_next(plan, nil)
    if host == C.MP_NO_HOST then return list end
    list[#list + 1] = host
    assert(#list <= C.MP_PLAN_SEEN)
  end
end

function topology.free(view) C.mp_view_deinit(view) end

return topology
