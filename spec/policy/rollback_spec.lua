-- SPDX-License-Identifier: Apache-2.0
local moonpool = require "moonpool"
local config_file = require "spec.support.config_file"
local policies = require "spec.support.policies"
local it_in = require("spec.support.world").inside(it)

local file, around, policy = config_file.file, config_file.around, config_file.policy

describe("a rollback", function()
  local function pool_with(world, text)
    policies.write(file "mine.lua", text)
    local pool = world:pool { loadBalancing = { policy = file "mine.lua" } }
    world:waitUp(pool)
    return pool, world:listen(pool, "policyReload", "policyError")
  end
  local function change_policy(world, text)
    policies.write(file "mine.lua", text)
    world.sim:touch(file "mine.lua")
    moonpool.sleep(100)
  end
  local ONE, TWO, THREE = policy("One", "plan:hosts(localDc, inTurn)"), policy("Two", "plan:hosts(localDc, shuffled)"),
    policy("Three", "plan:hosts(localDc, fastest)")

  it_in("returns to the generation before, and stays there until the file changes", function(world)
    around(function()
      local pool, told = pool_with(world, ONE)
      local ok, err = pool:rollback "balance"
      assert.is_nil(ok)
      assert.equal("NOT_FOUND", err.code)
      assert.matches("there is no earlier generation of the balance policy", err.message, 1, true)
      change_policy(world, TWO)
      assert.equal("Two", pool:policies().balance.name)
      local done, generation = pool:rollback "balance"
      assert.is_true(done)
      assert.equal(1, generation)
      assert.equal("One", pool:policies().balance.name)
      moonpool.sleep(50)
      assert.equal(1, told.policyReload[#told.policyReload][1].generation)
      change_policy(world, TWO) -- written again, the same
      assert.equal("One", pool:policies().balance.name)
      change_policy(world, THREE)
      assert.equal("Three", pool:policies().balance.name)
      assert.equal(3, pool:policies().balance.generation)
      assert.is_true(pool:rollback "balance")
      assert.equal("One", pool:policies().balance.name)
      assert.is_true(pool:reload()) -- by hand is by hand
      assert.equal("Three", pool:policies().balance.name)
    end)
  end)

  it_in("goes back further each time, three generations at most, and never to one that was taken back", function(world)
    around(function()
      local pool = pool_with(world, policy("P1", "plan:hosts(localDc, inTurn)"))
      local function serves() return pool:policies().balance.name, pool:policies().balance.generation end
      for i = 2, 5 do change_policy(world, policy("P" .. i, "plan:hosts(localDc, inTurn)")) end
      for i = 4, 2, -1 do
        assert.same({ true, i }, { pool:rollback "balance" })
        assert.same({ "P" .. i, i }, { serves() })
        assert(pool:execute "SELECT key FROM system.local")
      end
      local ok, err = pool:rollback "balance" -- P1 is one too many, P3 to P5 were taken back
      assert.is_nil(ok)
      assert.equal("NOT_FOUND", err.code)
      assert.same({ "P2", 2 }, { serves() })
      change_policy(world, policy("P6", "plan:hosts(localDc, inTurn)"))
      assert.same({ "P6", 6 }, { serves() })
      assert.same({ true, 2 }, { pool:rollback "balance" })
      assert.is_nil((pool:rollback "balance"))
    end)
  end)

  it_in("goes past those that were refused or failed", function(world)
    around(function()
      local pool, told = pool_with(world, policy("P1", "plan:hosts(localDc, inTurn)"))
      change_policy(world, policy("P2", "plan:hosts(localDc, inTurn)"))
      change_policy(world, policy("Bad", "plan:nonsense()"))
      change_policy(world, policy("P3", "plan:hosts(localDc, inTurn)"))
      -- Tags are numbers, of which the contract check knows the first ones.
      for i = 1, 20 do assert(pool:execute("SELECT key FROM system.local", nil, { tag = "tag" .. i })) end
      change_policy(world, (policy("Fails", "if req.tag == tags.bad then error 'no' end plan:hosts(localDc, inTurn)")
        :gsub("function%(plan%)", "function(plan, req)")))
      assert.equal("Fails", pool:policies().balance.name, pool:policies().balance.lastError)
      assert.equal(1, #told.policyError)
      for _ = 1, 300 do assert(pool:execute("SELECT key FROM system.local", nil, { tag = "bad" })) end
      assert.equal("P3", pool:policies().balance.name)
      assert.same({ true, 2 }, { pool:rollback "balance" })
      assert.same({ true, 1 }, { pool:rollback "balance" })
      assert.is_nil((pool:rollback "balance"))
      assert.equal("P1", pool:policies().balance.name)
    end)
  end)

  it_in("is wrong for what is no kind, and for a closed pool", function(world)
    local pool = world:pool()
    for _, kind in ipairs { "balances", 5, false } do
      local ok, why = pcall(pool.rollback, pool, kind)
      assert.is_false(ok)
      local meant = kind == "balances" and ", did you mean balance? There are: " or "; there are: "
      assert.matches(("unknown kind of policy '%s'%sbalance, retry, "):format(kind == "balances" and kind or "", meant),
        why, 1, true)
    end
    assert.is_false((pcall(pool.rollback, pool)))
    assert.is_nil((pool:rollback "retry"))
    pool:close()
    local ok, err = pool:rollback "balance"
    assert.is_nil(ok)
    assert.equal("CLOSED", err.code)
  end)
end)

describe("the list of policies", function()
  it_in("tells of each its file, its age and what it costs", function(world)
    around(function()
      policies.write(file "mine.lua", policy("One", "plan:hosts(localDc)"))
      local pool = world:pool { loadBalancing = { policy = file "mine.lua" },
        retry = { policy = "DefaultRetryPolicy" } }
      world:waitUp(pool)
      local opened = pool:getConnectionDetails()[1].createdAt
      moonpool.sleep(2000)
      policies.write(file "mine.lua", policy("Two", "for _, host in hosts(localDc) do plan:host(host) end"))
      assert.is_true(pool:reload())
      moonpool.sleep(5000)
      local list = pool:policies()
      local info, retry = list.balance, list.retry
      assert.same({ "Two", file "mine.lua", 2, 0, 0, "slow" },
        { info.name, info.file, info.generation, info.calls, info.errors, info.costClass })
      assert.equal(5000, info.ageMs)
      assert.is_true(info.since - opened >= 2000 and info.since - opened < 3000, info.since - opened)
      assert.equal("number", type(info.nsPerCall))
      assert.equal("number", type(info.bytesPerCall))
      assert.same({ "DefaultRetryPolicy", 2, "fast" }, { retry.name, retry.generation, retry.costClass })
      policies.write(file "mine.lua", policy("Three", "plan:hosts(localDc)"))
      assert.is_true(pool:reload())
      assert.equal("fast", pool:policies().balance.costClass)
      assert.equal(0, pool:policies().balance.bytesPerCall)
    end)
  end)
end)
