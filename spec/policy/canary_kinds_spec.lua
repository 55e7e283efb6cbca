-- SPDX-License-Identifier: Apache-2.0
-- Canaries of retry, speculate and failover policies in simulated clusters; what the configuration and other processes
-- do to one.
local canary = require "spec.policy.canary_trial"
local json = require "moonpool.cli.json"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local it_in = require("spec.support.world").inside(it)

local GOOD = canary.policy("Good", "plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)")
local OTHER = canary.policy("Other", "plan:replicas(localDc, leastLoaded) plan:hosts(localDc, inTurn)")
local TRIAL = { share = 0.2, lasting = "10s", requests = 20 }

local function retry(name, body)
  return ("return retry { name = %q, decide = function(err) %s end }"):format(name, body)
end
local function speculate(name, body)
  return ("return speculate { name = %q, after = function(req, sent) %s end }"):format(name, body)
end
local function failover(name, body)
  return ("return failover { name = %q, decide = function(home) %s end }"):format(name, body)
end

local AGAIN, NOT_AT_ALL = retry("Again", "return nextHost"), retry("NotAtAll", "return giveUp")

describe("a canary of a retry policy", function()
  local function trial_of(world)
    local trial = canary.new(world, { kind = "retry", text = AGAIN, canary = TRIAL })
    world.cluster:rule { opcode = "EXECUTE", error = "OVERLOADED", probability = 0.05 }
    return trial
  end

  it_in("is taken back when requests fail by it", function(world)
    canary.around(function()
      local trial = trial_of(world)
      trial:change(NOT_AT_ALL)
      local told = trial:settle()
      assert.equal("takenBack", told.state, told.reason)
      assert.matches("^errorRate is 1, and 0", told.reason)
      assert.is_true(trial.failed > 0 and trial.failed <= 0.01 * trial.sent, trial.failed .. " of " .. trial.sent)
      assert.same({ "Again", 1 }, { trial:serves() })
    end)
  end)

  it_in("is promoted when it is as good", function(world)
    canary.around(function()
      local trial = trial_of(world)
      trial:change(retry("Also", "return nextHost"))
      local told = trial:settle()
      assert.equal("promoted", told.state, told.reason)
      assert.is_true(told.requests >= 20)
      assert.same({ "Also", 2 }, { trial:serves() })
    end)
  end)
end)

describe("a canary of a speculate policy", function()
  local function trial_of(world, text)
    local trial = canary.new(world, { kind = "speculate", text = speculate("Never", "return nil"),
      canary = { share = 0.2, lasting = "8s", requests = 100 } })
    trial:change(text)
    return trial, trial:settle()
  end

  it_in("is taken back when it sends everything twice", function(world)
    canary.around(function()
      local trial, told = trial_of(world, speculate("Twice", "if sent == 1 then return 0 end"))
      assert.equal("takenBack", told.state, told.reason)
      assert.matches("^attempts is 2, and 1", told.reason)
      assert.same({ "Never", 1 }, { trial:serves() })
      assert.equal(0, trial.failed)
    end)
  end)

  it_in("is promoted when it is as good", function(world)
    canary.around(function()
      local trial, told = trial_of(world, speculate("Later", "if sent == 1 then return 400 end"))
      assert.equal("promoted", told.state, told.reason)
      assert.same({ "Later", 2 }, { trial:serves() })
    end)
  end)
end)

describe("a canary of a failover policy", function()
  local STAYS, MOVES = "return home", "for _, dc in dcs() do if not dc.isHome then return dc end end"

  local function trial_of(world, text)
    local trial = canary.new(world, { kind = "failover", text = failover("Stays", STAYS),
      canary = { lasting = "20s", requests = 20 } })
    trial:change(text)
    for _ = 1, 40 do
      if trial:state() == "running" or trial:state() == "waiting" then moonpool.sleep(1000) end
    end
    moonpool.sleep(10)
    return trial, trial.told.policyCanary[#trial.told.policyCanary][1]
  end

  it_in("is only asked, and taken back when it decides differently", { nodes = 4, dcs = 2 }, function(world)
    canary.around(function()
      local trial, told = trial_of(world, failover("Moves", MOVES))
      assert.equal("takenBack", told.state, told.reason)
      assert.matches("^disagreement is 1", told.reason)
      assert.same({ "Stays", 1 }, { trial:serves() })
      assert.equal(0, trial.pool:getStats().dataCenterFailovers)
    end)
  end)

  it_in("is promoted when it decides the same", { nodes = 4, dcs = 2 }, function(world)
    canary.around(function()
      local trial, told = trial_of(world, failover("Also", STAYS))
      assert.equal("promoted", told.state, told.reason)
      assert.same({ "Also", 2 }, { trial:serves() })
      assert.equal(0, told.figures.disagreement.candidate)
    end)
  end)
end)

describe("a configuration", function()
  local config_file = require "spec.support.config_file"

  local function opened(world)
    policies.write(config_file.file "trial.lua", GOOD)
    local pool, told = config_file.open(world, { loadBalancing = { policy = "./trial.lua", canary = TRIAL } })
    local function change(text)
      policies.write(config_file.file "trial.lua", text)
      world.sim:touch(config_file.file "trial.lua")
      moonpool.sleep(60)
    end
    return pool, change, told
  end

  it_in("without canary ends it, with other keys begins it again, with another policy serves at once", function(world)
    config_file.around(function()
      local pool, change = opened(world)
      change(OTHER)
      moonpool.sleep(3000)
      assert.equal("running", pool:canary("balance").state)
      local less = { share = 0.1, lasting = "10s" }
      config_file.change(world, { loadBalancing = { policy = "./trial.lua", canary = less } })
      local now = pool:canary "balance"
      assert.same({ "running", 0.1, 1000, 2 }, { now.state, now.wholeShare, now.requestsWanted, now.generation })
      assert.is_true(now.seconds < 1)
      config_file.change(world, { loadBalancing = { policy = "./trial.lua" } })
      assert.same({ "takenBack", "the configuration has no canary any more" },
        { pool:canary("balance").state, pool:canary("balance").reason })
      assert.equal("Good", pool:policies().balance.name)
      change(GOOD:gsub("Good", "Third")) -- without canary as always
      assert.equal("Third", pool:policies().balance.name)
      config_file.change(world, { loadBalancing = { policy = "./trial.lua", canary = TRIAL } })
      change(OTHER:gsub("Other", "Fourth"))
      assert.equal("running", pool:canary("balance").state)
      config_file.change(world, { loadBalancing = { policy = "RoundRobinPolicy", canary = TRIAL } })
      assert.equal("takenBack", pool:canary("balance").state)
      assert.equal("RoundRobinPolicy", pool:policies().balance.name)
    end)
  end)
end)

describe("moonpool ctl canary", function()
  local control = require "moonpool.cli.control"
  local function ask(argument)
    local answer = json.decode(control.answer(json.encode { verb = "canary", argument = argument }))
    return answer.pools and answer.pools[1] or answer
  end

  it_in("shows, promotes and aborts", function(world)
    canary.around(function()
      local trial = canary.new(world, { text = GOOD, canary = TRIAL })
      assert.same({}, ask("status").canaries)
      assert.matches("canary: no canary runs", ask("abort").error, 1, true)
      assert.matches("no canary of the retry policy runs", ask("promote retry").error, 1, true)
      assert.matches("unknown kind of policy", ask("promote balanced").error, 1, true)
      assert.matches("status, promote or abort expected", ask("stop").error, 1, true)
      assert.matches("there was no canary of a balance policy", ask("status balance").error, 1, true)
      trial:change(OTHER)
      local shown = ask("status balance").canaries.balance
      assert.same({ "running", "Other", 2, 1 }, { shown.state, shown.name, shown.generation, shown.inForce })
      assert.equal(1.2, shown.figures.errorRate.limit)
      assert.equal(2, require("moonpool.overview").policies(trial.pool).balance.canary.generation)
      assert.same({ "balance" }, ask("abort").ended)
      assert.equal("takenBack", ask("status").canaries.balance.state)
      assert.is_nil(require("moonpool.overview").policies(trial.pool).balance.canary)
      trial:change(GOOD:gsub("Good", "Third"))
      assert.same({ "balance" }, ask("promote balance").ended)
      assert.same({ "Third", 3 }, { trial:serves() })
    end)
  end)
end)

describe("canaries of two kinds", function()
  it_in("run side by side and get different requests", function(world)
    canary.around(function()
      local trial = canary.new(world, { text = GOOD, canary = TRIAL,
        config = { speculativeExecution = { policy = "NoSpeculativeExecutionPolicy" } } })
      local other = require("spec.support.config_file").file "speculate.lua"
      policies.write(other, speculate("Never", "return nil"))
      assert.is_true(trial.pool:usePolicy("speculate", other, { canary = TRIAL }))
      trial:change(OTHER)
      policies.write(other, speculate("Later", "if sent == 1 then return 400 end"))
      world.sim:touch(other)
      moonpool.sleep(60)
      assert.equal(2, trial.pool:getStats().canaries)
      trial:settle()
      trial:load(3000, function() return trial.pool:getStats().canaries > 0 end)
      assert.same({ "promoted", "promoted" },
        { trial.pool:canary("balance").state, trial.pool:canary("speculate").state })
    end)
  end)
end)
