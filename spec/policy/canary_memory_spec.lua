-- SPDX-License-Identifier: Apache-2.0
-- A canary that finds no memory somewhere: it begins, or it is refused and what is in force goes on; and policies that
-- end while one runs.
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local function policy(name) return ("return balance { name = '%s', plan = function(plan) plan:hosts(localDc) end }")
  :format(name) end

describe("a canary", function()
  local view
  before_each(function() view = topology.view({ { dc = "east" }, { dc = "east" }, { dc = "west" } }, "east") end)
  after_each(function()
    C.mp_mem_fail_at(0, false)
    policies.close_all()
    topology.free(view)
  end)

  local function opened()
    local p = policies.of(policy "One", { canary = 0.05, sim = true })
    assert.equal(0, (p:bind(view)))
    return p
  end

  it("begins whole or not at all, whichever allocation fails", function()
    local p = opened()
    local begun, refused, names = 0, 0, 1
    for nth = 1, 400 do
      names = names + 1
      policies.write(p.file, policy("Next" .. names))
      C.mp_mem_fail_at(nth, false)
      local ok = p:reload()
      C.mp_mem_fail_at(0, false)
      local info = ffi.new "struct mp_canary_info"
      local known = C.mp_policies_canary(p.handle, C.MP_POLICY_BALANCE, info)
      local runs = known and info.state == C.MP_CANARY_RUNNING
      assert.equal("One", ffi.string(p:info().name))
      assert.is_true(p:walk(view) ~= nil)
      if runs then
        assert.equal("Next" .. names, ffi.string(info.name))
        assert.equal(0, C.mp_policies_canary_abort(p.handle, C.MP_POLICY_BALANCE))
        begun = begun + 1
      else
        refused = refused + 1
      end
      p:turn()
      if ok and runs and nth > 20 and begun > 3 then break end
    end
    assert.is_true(begun > 0 and refused > 0)
  end)

  it("ends with its policies, also in an event that tells of it", function()
    local p = opened()
    policies.write(p.file, policy "Two")
    assert.is_true(p:reload())
    p.on_event = function(event)
      if event.canary == nil then return end
      C.mp_policies_free(p.handle)
      p.handle = nil
    end
    p:turn()
    assert.is_nil(p.handle)
    assert.equal("canary", p.events[#p.events].kind)
  end)

  it("is not before there is a cluster", function()
    local p = policies.of(policy "One", { canary = 0.05, sim = true })
    policies.write(p.file, policy "Two")
    assert.is_true(p:reload())
    assert.equal("Two", ffi.string(p:info().name))
  end)
end)
