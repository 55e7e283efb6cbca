-- SPDX-License-Identifier: Apache-2.0
-- The recipes of docs/policies.md: each does what it says, and the manual shows the very file.
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local FOLDER = MOONPOOL_ROOT .. "/examples/policies/"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

describe("the recipe", function()
  local view, ring, placement
  -- dc "a": slots 0 to 3 in racks r1 and r2, "new": 4 and 5, "analytics": 6 and 7.
  before_each(function()
    local hosts = {}
    for _, part in ipairs { { "a", 4 }, { "new", 2 }, { "analytics", 2 } } do
      for i = 1, part[2] do
        hosts[#hosts + 1] = { dc = part[1], rack = "r" .. (i - 1) % 2 + 1, tokens = { #hosts * 1000 } }
      end
    end
    view = topology.view(hosts, "a", "r1")
    ring = topology.ring(hosts)
    placement = topology.placement(ring, view, { class = "NetworkTopologyStrategy", a = "2", new = "1" })
  end)
  after_each(function()
    policies.close_all()
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  local names = {
    data = nil,
    tag_id = function(_, text, len)
      local ffi = require "ffi"
      return ({ scan = 1, canary = 2, batch = 3 })[ffi.string(text, len)] or 0
    end,
  }
  local kept
  -- The recipe in service; the tags scan, canary and batch have the numbers 1, 2 and 3.
  local function serve(name, options)
    local ffi = require "ffi"
    local p = policies.new { policy = FOLDER .. name .. ".lua", options = options }
    kept = ffi.new "struct mp_policy_names"
    local tag = ffi.cast("uint32_t (*)(void *, const char *, size_t)", names.tag_id)
    local keyspace = ffi.cast("uint32_t (*)(void *, const char *, size_t)", function() return 0 end)
    p.callbacks[#p.callbacks + 1], p.callbacks[#p.callbacks + 2] = tag, keyspace
    kept.tag_id, kept.keyspace_id = tag, keyspace
    assert.equal(0, p:bind(view, kept))
    return p
  end

  local function set_tags(slot, ...)
    local ffi = require "ffi"
    local list = { ... }
    local array = ffi.new("const char *[?]", math.max(#list, 1))
    for i, tag in ipairs(list) do array[i - 1] = tag end
    assert.equal(0, C.mp_view_set_tags(view, slot, array, #list))
  end

  local function dc_of(slot) return slot < 4 and "a" or slot < 6 and "new" or "analytics" end

  it("prefers my rack", function()
    local p = serve "prefer_rack"
    for token = 0, 3500, 500 do
      local mine
      for _, slot in ipairs(topology.replicas(placement, token)) do
        if slot == 0 or slot == 2 then mine = slot end
      end
      if mine then assert.equal(mine, p:walk(view, { hasToken = true, routingToken = token }, placement, token)[1]) end
    end
    assert.equal(4, #p:walk(view, { hasToken = true, routingToken = 500 }, placement))
  end)

  it("sends one read in a hundred to a new datacentre, and back when that fails", function()
    local p = serve "new_datacentre"
    local there = 0
    for i = 1, 20000 do
      local walk = p:walk(view, { isRead = true }, nil, i * 7919)
      if dc_of(walk[1]) == "new" then
        there = there + 1
        assert.equal("a", dc_of(walk[2]))
      end
      if i <= 2000 then assert.equal("a", dc_of(p:walk(view, { isRead = false }, nil, i * 7919)[1])) end
    end
    assert.near(200, there, 60)
  end)

  it("gives old machines a smaller share", function()
    local p = serve "migration"
    for slot = 2, 3 do view.hosts[slot].weight = 0.25 end
    local old = 0
    for i = 1, 5000 do old = old + (p:walk(view, {}, nil, i * 7919)[1] >= 2 and 1 or 0) end
    assert.near(1000, old, 150)
  end)

  it("sends scans to one datacentre and nobody else there", function()
    local p = serve "scans"
    for i = 1, 100 do
      local walk = p:walk(view, { tag = 1 }, nil, i)
      assert.equal(2, #walk)
      for _, slot in ipairs(walk) do assert.equal("analytics", dc_of(slot)) end
      for _, slot in ipairs(p:walk(view, {}, nil, i)) do assert.equal("a", dc_of(slot)) end
    end
  end)

  it("avoids a host in maintenance until it is the last one", function()
    local p = serve "maintenance"
    set_tags(1, "maintenance")
    for i = 1, 100 do
      local walk = p:walk(view, {}, nil, i)
      assert.equal(4, #walk)
      assert.equal(1, walk[4])
    end
    set_tags(1)
    local first = 0
    for i = 1, 100 do first = first + (p:walk(view, {}, nil, i)[1] == 1 and 1 or 0) end
    assert.near(25, first, 1)
  end)

  it("sends lightweight transactions to one leader", function()
    local p = serve "lwt_leader"
    local primary = topology.replicas(placement, 500)[1]
    for i = 1, 100 do
      local req = { hasToken = true, routingToken = 500, isLwt = true }
      assert.equal(primary, p:walk(view, req, placement, i)[1])
    end
    view.hosts[primary].isUp = false
    assert(C.mp_view_rebuild(view) == 0)
    local second = topology.replicas(placement, 500)[2]
    assert.equal(second, p:walk(view, { hasToken = true, routingToken = 500, isLwt = true }, placement)[1])
  end)

  it("lets only canaries meet the canary", function()
    local p = serve "canary"
    set_tags(3, "canary", "other")
    for i = 1, 100 do
      assert.equal(3, p:walk(view, { tag = 2 }, nil, i)[1])
      assert.equal(3, p:walk(view, {}, nil, i)[4])
    end
  end)

  it("sheds load that can wait", function()
    local p = serve("shed_load", "{ limit = 10 }")
    assert.equal(4, #p:walk(view, { tag = 3 }))
    for slot = 0, 3 do view.hosts[slot].inFlight = 11 end
    local ok, plan = p:plan(view, { tag = 3 })
    assert.is_true(ok)
    assert.is_true(plan.refused)
    assert.same({}, topology.walk(plan))
    assert.equal(4, #p:walk(view, {}))
    view.hosts[0].inFlight = 0
    assert.equal(4, #p:walk(view, { tag = 3 }))
  end)

  it("is in the manual word for word", function()
    local manual = read(MOONPOOL_ROOT .. "/docs/policies.md")
    local count = 0
    for name, text in manual:gmatch "```lua\n%-%- examples/policies/([%w_]+)%.lua\n(.-)```" do
      assert.equal(read(FOLDER .. name .. ".lua"), "-- SPDX-License-Identifier: Apache-2.0\n" .. text, name)
      count = count + 1
    end
    assert.equal(8, count)
  end)
end)
