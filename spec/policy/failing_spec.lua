-- SPDX-License-Identifier: Apache-2.0
-- A policy that fails in service gives way: to the default plan, and to the generation before.
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local name_id = ffi.typeof "uint32_t (*)(void *, const char *, size_t)"

local function policy(name, body)
  return ("return balance { name = '%s', plan = function(plan, req)\n%s end }"):format(name, body)
end

local ONE = policy("Mine", "plan:hosts(localDc, primaryFirst, 1)")
local TWO = policy("Mine", "plan:hosts(localDc, primaryFirst, 2)")
local ENDLESS = policy("Mine", "while true do end")

local folder, view
local function file(name) return folder .. "/" .. name end

describe("a policy that fails in service", function()
  before_each(function()
    folder = policies.folder()
    view = topology.view({ { dc = "a" }, { dc = "a" }, { dc = "a" } }, "a")
  end)
  after_each(function()
    policies.close_all()
    topology.free(view)
    policies.remove(folder)
  end)

  local FAILS = policy("Mine", "if req.tag == 77 then error 'no' end plan:hosts(localDc, primaryFirst, 2)")
  local function serving(text)
    policies.write(file "p.lua", text)
    local p = policies.new { policy = file "p.lua", sim = true }
    assert.equal(0, p:bind(view))
    return p
  end

  it("is answered for by the default, counted, and told once a second", function()
    local p = serving(FAILS)
    for _ = 1, 50 do assert.is_false((p:plan(view, { tag = 77 }))) end
    assert.is_true((p:plan(view, { tag = 0 })))
    p:turn()
    assert.equal(1, #p.events)
    assert.equal("error", p.events[1].kind)
    assert.equal(file "p.lua" .. ":2: no", p.events[1].message)
    assert.equal(1, #p.log)
    p:pass(1000)
    p:plan(view, { tag = 77 })
    p:turn()
    assert.equal(2, #p.events)
    assert.matches("%(49 more since the last time%)", p.log[2])
    assert.equal(51, tonumber(p:info().errors))
    assert.equal(52, tonumber(p:info().calls))
    assert.matches("policy Mine %(generation 1%) failed, the default answers: .*p.lua:2: no", p.log[1])
    assert.equal(file "p.lua" .. ":2: no", ffi.string(p:info().last_error))
  end)

  it("whose file raises when it runs again, for the hosts of a session, does not begin to serve", function()
    policies.write(file "p.lua", "if tags.bad == 77 then error 'not here' end " .. ONE)
    local p = policies.new { policy = file "p.lua", sim = true }
    local names = ffi.new "struct mp_policy_names"
    local id = ffi.cast(name_id, function() return 77 end)
    names.tag_id, names.keyspace_id = id, id
    local rc, why = p:bind(view, names)
    id:free()
    assert.equal(C.MP_ESCRIPT, rc)
    assert.matches("policy Mine: .*p.lua:1: not here", why)
  end)

  it("gives way to the generation before it after a hundred failures in a row", function()
    local p = serving(ONE)
    policies.write(file "p.lua", FAILS)
    assert.is_true((p:reload()))
    for _ = 1, 99 do assert.is_false((p:plan(view, { tag = 77 }))) end
    assert.is_true((p:plan(view, {})))
    assert.equal(2, p:info().generation)
    for _ = 1, 100 do assert.is_false((p:plan(view, { tag = 77 }))) end
    assert.equal(1, p:info().generation)
    assert.equal(1, #p:walk(view, { tag = 77 }))
    p:turn()
    local last = p.events[#p.events]
    assert.equal("error", last.kind)
    assert.matches("p.lua:2: no; generation 1 is back", last.message, 1, true)
    assert.equal(C.MP_ENOTFOUND, C.mp_policies_rollback(p.handle, C.MP_POLICY_BALANCE))
  end)

  it("gives way after four failures that take the loop's time", function()
    local p = serving(ONE)
    policies.write(file "p.lua", policy("Mine", "if req.tag == 77 then while true do end end plan:hosts(localDc)"))
    assert.is_true((p:reload()))
    for _ = 1, 4 do assert.is_false((p:plan(view, { tag = 77 }))) end
    assert.equal(1, p:info().generation)
    assert.equal(1, #p:walk(view, { tag = 77 }))
  end)

  it("gives way after four such failures within ten seconds, though others come between them", function()
    local p = serving(ONE)
    policies.write(file "p.lua", policy("Mine", "if req.tag == 77 then while true do end end plan:hosts(localDc)"))
    assert.is_true((p:reload()))
    local function fail(times, pause)
      for _ = 1, times do
        assert.is_false((p:plan(view, { tag = 77 })))
        for _ = 1, 200 do assert.is_true((p:plan(view, {}))) end
        assert.equal(2, p:info().generation)
        p:pass(pause)
      end
    end
    fail(6, 4000) -- three each ten seconds
    fail(3, 1)
    assert.is_false((p:plan(view, { tag = 77 })))
    assert.equal(1, p:info().generation)
    assert.equal(1, #p:walk(view, { tag = 77 }))
  end)

  it("rests when there is nothing to go back to, and is asked again every second", function()
    local p = serving(FAILS)
    for _ = 1, 100 do p:plan(view, { tag = 77 }) end
    assert.is_true(p:info().is_suspended)
    local calls = tonumber(p:info().calls)
    for _ = 1, 50 do assert.is_false((p:plan(view, {}))) end
    assert.equal(calls, tonumber(p:info().calls))
    p:pass(990)
    assert.is_false((p:plan(view, {})))
    p:pass(20)
    assert.is_false((p:plan(view, { tag = 77 })))
    assert.equal(calls + 1, tonumber(p:info().calls))
    assert.is_false((p:plan(view, {})))
    p:pass(1010)
    assert.is_true((p:plan(view, {})))
    assert.is_false(p:info().is_suspended)
    assert.is_true((p:plan(view, {})))
  end)

  -- One call in many is timed, and all while it is in trouble: those take another way through C.
  it("leaves to the default what it says nothing about, in each call of many", function()
    local p = serving(policy("Mine", "if req.tag == 1 then plan:hosts(localDc) end"))
    for i = 1, 3000 do
      local says = i % 7 == 0
      assert.equal(says, (p:plan(view, { tag = says and 1 or 0 })))
    end
    assert.equal(0, tonumber(p:info().errors))
  end)

  it("leaves to the default what it fails in the middle of, in each call of many", function()
    local p = serving(policy("Mine", "plan:hosts(localDc) if req.tag == 77 then error 'no' end"))
    for i = 1, 3000 do
      local fails = i % 7 < 2 -- the second is met in trouble
      assert.equal(not fails, (p:plan(view, { tag = fails and 77 or 0 })))
    end
    assert.is_false(p:info().is_suspended)
  end)

  it("serves again as soon as its file is mended", function()
    local p = serving(FAILS)
    for _ = 1, 100 do p:plan(view, { tag = 77 }) end
    policies.write(file "p.lua", TWO)
    assert.is_true((p:reload()))
    assert.is_false(p:info().is_suspended)
    assert.equal(2, #p:walk(view, { tag = 77 }))
    -- What was failing is nothing to go back to.
    assert.equal(C.MP_ENOTFOUND, C.mp_policies_rollback(p.handle, C.MP_POLICY_BALANCE))
  end)

  it("never loses a request while files change, good and bad", function()
    local p = serving(ONE)
    local texts = { ONE, TWO, ENDLESS, "return 5", FAILS, policy("Mine", "plan:hosts(localDc)"), "return balance {" }
    local answered = 0
    for i = 1, 140 do
      policies.write(file "p.lua", texts[i % #texts + 1])
      p:reload()
      for n = 1, 20 do
        local ok, plan = p:plan(view, { tag = n == 1 and 77 or 0 }, nil, i * n)
        if not ok then
          C.mp_plan_init(plan, view, nil, false, 0, 1)
          assert.is_true(C.mp_default_plan(nil, ffi.new "struct mp_request_view", plan))
        end
        if #topology.walk(plan) > 0 then answered = answered + 1 end
      end
      p:turn()
    end
    assert.equal(140 * 20, answered)
    assert.is_true(tonumber(p:info().reloads) > 50)
  end)
end)
