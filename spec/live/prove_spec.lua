-- SPDX-License-Identifier: Apache-2.0
-- A change of a policy, taken all the way on a real Cassandra as docs/prove.md does it: compared, asked about recorded
-- requests, asked beside the one in force, put into force by parts. A version that sends all to one host shows at each
-- of these, one that is good does not.
local json = require "moonpool.cli.json"
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local program = require "spec.support.program"

local STEADY = 'return balance { name = "Steady", plan = function(plan)\n' ..
  "  plan:replicas(localDc, shuffled)\n  plan:hosts(localDc, inTurn)\nend }\n"
local CALM = 'return balance { name = "Calm", plan = function(plan)\n' ..
  "  plan:replicas(localDc, leastLoaded)\n  plan:hosts(localDc, inTurn)\nend }\n"
local ONE = 'return balance { name = "One", plan = function(plan)\n  plan:hosts(localDc, primaryFirst)\nend }\n'

local folder
local function write(name, text)
  policies.write(folder .. "/" .. name, text)
  return folder .. "/" .. name
end

local function command(words)
  local lines = live.run(("'%s' %s"):format(program.moonpool, words))
  return table.concat(lines, "\n")
end

local function replayed(policy)
  return json.decode(command(("replay --json --policy '%s' '%s/log'"):format(policy, folder))).figures
end

describe("a policy on its way to production", function()
  setup(function()
    live.cluster()
    folder = policies.folder()
    write("steady.lua", STEADY)
    write("calm.lua", CALM)
    write("one.lua", ONE)
  end)
  teardown(function() policies.remove(folder) end)

  it("is compared on simulated traffic", function()
    local text = command(("compare --scenario steady --seeds 2 '%s/steady.lua' '%s/one.lua'"):format(folder, folder))
    assert.matches("worse", text)
  end)

  it("is asked about requests that were recorded, and beside the policy in force", function()
    local pool = live.pool { loadBalancing = { policy = folder .. "/steady.lua" }, logging = { level = "off" },
      decisionLog = { sample = 1, file = folder .. "/log" } }
    local load = live.read_and_write(pool, live.rows(pool, "prove", 2))
    live.eventually(20000, "requests are noted", function() return pool:getStats().decisions > 600 end)
    moonpool.sleep(1500) -- they are written once a second

    local same, calm, one = replayed(folder .. "/steady.lua"), replayed(folder .. "/calm.lua"),
      replayed(folder .. "/one.lua")
    assert.equal(0, same.differing)
    assert.same({ 0, 0 }, { calm.errors, calm.leftDatacenter })
    assert.equal(calm.atReplicaBefore, calm.atReplica)
    assert.is_true(one.atReplica < 0.9 and one.busiestHost == 1, json.encode(one))
    local _, status = program.sh(("'%s' replay --policy '%s/one.lua' --fail-if 'busiestHost > 0.6' '%s/log'"):format(
      program.moonpool, folder, folder))
    assert.equal(1, status)

    local told = live.listen(pool, "policyReload", "policyError")
    local path = write("shadow.lua", ONE)
    assert(pool:usePolicy("shadow", path))
    local agreement
    local function asked(name, count)
      live.eventually(20000, name .. " is asked", function()
        local shadow = pool:policies().shadow
        agreement = shadow.agreement
        return shadow.name == name and agreement.asked >= count
      end)
    end
    asked("One", 40)
    assert.is_true(agreement.sameFirst < 0.6, json.encode(agreement))
    assert.is_true((agreement.differences.notReplica or 0) > 0, json.encode(agreement))
    write("shadow.lua", CALM)
    asked("Calm", 40)
    assert.equal("shadow", told.policyReload[#told.policyReload][1].policy)
    for difference in pairs(agreement.differences) do assert.equal("otherHost", difference) end
    assert.is_true(agreement.sameFirst > 0.2 and agreement.sameFirst < 0.8, json.encode(agreement))
    assert.is_true(agreement.latencyMs > 0 and pool:policies().shadow.fuelPerCall > 0)
    assert.same({ "Steady", 1, 0 }, { pool:policies().balance.name, pool:policies().balance.generation,
      #told.policyError })
    load:stop()
    assert.equal(0, #load.failed, tostring(load.failed[1]))
    pool:close()
  end)

  it("comes into force by parts when it is good, and is taken back when it is not", function()
    local path = write("serving.lua", STEADY)
    local pool = live.pool { logging = { level = "off" }, loadBalancing = { policy = path,
      canary = { share = 0.2, lasting = "2s", requests = 100, abortIf = { p99 = false } } } } -- a machine may be busy
    local told = live.listen(pool, "policyCanary")
    local load = live.read_and_write(pool, live.rows(pool, "prove", 2))
    local function ends(text)
      local seen = #told.policyCanary
      write("serving.lua", text)
      live.eventually(30000, "the trial ends", function()
        local last = told.policyCanary[#told.policyCanary]
        return #told.policyCanary > seen and last[1].state ~= "running" and last[1].state ~= "waiting"
      end)
      return told.policyCanary[#told.policyCanary][1]
    end
    local one = ends(ONE)
    assert.equal("takenBack", one.state, one.reason)
    assert.equal(0, one.requests) -- it was found while it was only asked
    assert.same({ "Steady", 1 }, { pool:policies().balance.name, pool:policies().balance.generation })
    local calm = ends(CALM)
    assert.equal("promoted", calm.state, calm.reason)
    assert.equal("Calm", pool:policies().balance.name)
    load:stop()
    assert.equal(0, #load.failed, tostring(load.failed[1]))
    pool:close()
  end)
end)
