-- SPDX-License-Identifier: Apache-2.0
-- The view against a model of it that is made anew each time: groups, the order of remote datacentres, the least
-- latency, and the numbers that names get.
local ffi = require "ffi"
local C = require "spec.support.c"
local random = require "spec.hunt.random"

local DCS = 5

describe("the view", function()
  local view
  before_each(function()
    view = ffi.new "struct mp_view"
    assert.equal(0, C.mp_view_init(view))
  end)
  after_each(function() C.mp_view_deinit(view) end)

  local function group(of)
    local list = {}
    for i = 0, of.count - 1 do list[i + 1] = of.hosts[i] end
    return list
  end

  local function select(wanted)
    local list = {}
    for slot = 0, view.host_count - 1 do
      local host = view.hosts[slot]
      if host.isUp and wanted(host) then list[#list + 1] = slot end
    end
    return list
  end

  it("has the usable hosts of each place, in the order of their slots, whatever changes", function()
    local r = random.new(5)
    for dc = 0, DCS - 1 do assert.equal(dc, C.mp_view_dc_id(view, "dc" .. dc)) end
    local priority = {}
    for round = 1, 400 do
      view.host_count = math.min(60, view.host_count + r.below(3))
      for _ = 1, 1 + r.below(10) do
        local host = view.hosts[r.below(view.host_count + 1)]
        host.isUp, host.isLocal, host.isLocalRack = r.chance(2), r.chance(3), r.chance(2)
        host.dcId = r.below(DCS + 1) -- one is none of the view's
        host.latencyUs = r.chance(4) and 0 or 1 + r.below(1000)
      end
      view.local_dc = r.chance(6) and C.MP_NO_HOST or r.below(DCS)
      local changed = r.below(DCS)
      priority[changed] = r.chance(3) and 0 or r.below(4)
      C.mp_view_set_priority(view, changed, priority[changed])
      C.mp_view_set_priority(view, DCS, 1) -- there is none
      local epoch = view.epoch
      assert.equal(0, C.mp_view_rebuild(view))
      assert.equal(epoch + 1, view.epoch)

      local all = select(function() return true end)
      assert.same(all, group(view.all))
      assert.equal(#all, view.up_count)
      assert.same(select(function(host) return host.isLocal end), group(view["local"]))
      assert.same(select(function(host) return host.isLocal and host.isLocalRack end), group(view.rack))
      for dc = 0, DCS - 1 do
        assert.same(select(function(host) return host.dcId == dc end), group(view.dcs[dc]))
      end

      local remote, order = {}, {}
      for dc = 0, DCS - 1 do
        if dc ~= view.local_dc then remote[#remote + 1] = dc end
      end
      local function rank(dc) return (priority[dc] or 0) == 0 and math.huge or priority[dc] end
      table.sort(remote, function(a, b)
        if rank(a) ~= rank(b) then return rank(a) < rank(b) end
        return a < b
      end)
      for i = 0, view.remote_count - 1 do order[i + 1] = view.remote_order[i] end
      assert.same(remote, order)

      local best = 0
      for _, slot in ipairs(all) do
        local us = view.hosts[slot].latencyUs
        if us > 0 and (best == 0 or us < best) then best = us end
      end
      assert.equal(best, C.mp_view_best_us(view, round * 100))
      for _, slot in ipairs(all) do view.hosts[slot].latencyUs = view.hosts[slot].latencyUs + 1 end
      assert.equal(best, C.mp_view_best_us(view, round * 100 + 99)) -- as it was
    end
  end)

  it("keeps the hosts of a rebuild that lacks memory, and gets the others by the next", function()
    for slot = 0, 39 do view.hosts[slot].isUp, view.hosts[slot].dcId = true, C.mp_view_dc_id(view, "dc") end
    view.host_count = 40
    for nth = 1, 10 do
      C.mp_mem_fail_at(nth, true)
      local rc = C.mp_view_rebuild(view)
      C.mp_mem_fail_at(0, false)
      assert.is_true(rc == 0 or rc == C.MP_ENOMEM)
      assert.equal(view.up_count, view.all.count)
      if rc == 0 then break end
    end
    assert.equal(0, C.mp_view_rebuild(view))
    assert.equal(40, view.up_count)
    assert.equal(40, view.dcs[0].count)
  end)

  it("numbers names of datacentres and racks, each once, as far as there is room", function()
    for i = 0, C.MP_DCS_MAX - 1 do assert.equal(i, C.mp_view_dc_id(view, "dc" .. i)) end
    assert.equal(C.MP_ETOOBIG, C.mp_view_dc_id(view, "one more"))
    assert.equal(7, C.mp_view_dc_id(view, "dc7"))
    assert.equal(7, C.mp_view_find_dc(view, { data = "dc7x", len = 3 }))
    assert.equal(-1, C.mp_view_find_dc(view, { data = "dc7x", len = 4 }))
    assert.equal(0, C.mp_view_rack_id(view, "a", "b"))
    assert.equal(1, C.mp_view_rack_id(view, "a", "c"))
    assert.equal(2, C.mp_view_rack_id(view, "c", "b"))
    assert.equal(0, C.mp_view_rack_id(view, "a", "b"))
    local long = ("n"):rep(C.MP_NODE_NAME_MAX)
    assert.equal(3, C.mp_view_rack_id(view, long, long))
    assert.equal(C.MP_ETOOBIG, C.mp_view_rack_id(view, long .. "n", long))
  end)
end)
