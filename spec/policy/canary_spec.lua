-- SPDX-License-Identifier: Apache-2.0
-- Canaries of balance policies in simulated clusters: what is bad is taken back before it met a hundredth of the
-- requests, what is good serves all in the end, and everything that ends one in between.
local canary = require "spec.policy.canary_trial"
local recorder = require "moonpool.recorder"
local it_in = require("spec.support.world").inside(it)

local policy = canary.policy
local GOOD = policy("Good", "plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)")
local SAME = "-- the same\n" .. GOOD:gsub("Good", "Same")
local OTHER = policy("Other", "plan:replicas(localDc, leastLoaded) plan:hosts(localDc, inTurn)")
local ONE_HOST = policy("OneHost", "plan:hosts(localDc, primaryFirst)")
local LEAVES = policy("Leaves", "plan:hosts(remoteDcs, shuffled) plan:hosts(localDc, inTurn)")
-- What they do wrong the contract check does not see: it has no such tag.
local function late(name, body)
  return ("return balance { name = '%s', plan = function(plan, req)\n  if req.tag == tags.late and %s end\n"
    .. "  plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)\nend }"):format(name, body)
end
local LOOPS = late("Loops", "chance(0.01) then while true do end")
local FAILS = late("Fails", "chance(0.3) then error 'no'")

local TRIAL = { share = 0.05, lasting = "20s", requests = 100 }

local function trial_of(world, options)
  options = options or {}
  options.text, options.canary = options.text or GOOD, options.canary or TRIAL
  return canary.new(world, options)
end

-- In how many of the seeds it is taken back before it met a hundredth of all requests since it began.
local function bad(name, text, world_options, config)
  for seed = 1, 6 do
    local options = { seed = seed }
    for key, value in pairs(world_options or {}) do options[key] = value end
    it_in(("takes back what %s, in seed %d"):format(name, seed), options, function(world)
      canary.around(function()
        local trial = trial_of(world, { config = config })
        trial:change(text)
        assert.equal("running", trial:state())
        local told = trial:settle()
        assert.equal("takenBack", told.state, told.reason)
        assert.is_true(trial:met() <= 0.01 * trial.sent, ("%d of %d"):format(trial:met(), trial.sent))
        assert.same({ "Good", 1 }, { trial:serves() })
        assert.equal(0, trial.failed)
      end)
    end)
  end
end

describe("a bad generation", function()
  bad("gives all to one host", ONE_HOST)
  bad("leaves the datacentre", LEAVES, { nodes = 6, dcs = 2 },
    { pooling = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } } })
  bad("loops at one request in a hundred", LOOPS)
  bad("fails", FAILS)
end)

describe("a good generation", function()
  it_in("is promoted when its time is over", function(world)
    canary.around(function()
      local trial = trial_of(world)
      trial:change(OTHER)
      assert.same({ "Good", 1 }, { trial:serves() })
      local told = trial:settle()
      assert.equal("promoted", told.state, told.reason)
      assert.same({ "Other", 2 }, { trial:serves() })
      assert.is_true(told.seconds >= 20 and told.seconds < 22, told.seconds)
      assert.same({ "Other", 2 }, { trial.told.policyReload[1][1].name, trial.told.policyReload[1][1].generation })
      assert.equal("promoted", trial:state())
      assert.equal(0, trial.pool:getStats().canaries)
    end)
  end)

  it_in("waits for enough requests", function(world)
    canary.around(function()
      local trial = trial_of(world, { gap = 400 })
      trial:change(OTHER)
      trial:load(600)
      assert.equal("waiting", trial:state())
      local told = trial.told.policyCanary
      assert.equal("waiting", told[#told][1].state)
      assert.matches("it serves no request yet: %d+ of 500 questions", told[#told][1].reason)
      trial.gap = 20
      assert.equal("promoted", trial:settle().state)
      assert.is_true(trial.told.policyCanary[3][1].requests >= 100)
    end)
  end)
end)

describe("equal generations", function()
  for seed = 1, 12 do
    it_in("are not taken back, in seed " .. seed, { seed = seed }, function(world)
      canary.around(function()
        local trial = trial_of(world, { keys = seed % 2 == 0 and 25 or nil })
        trial:change(SAME)
        local told = trial:settle()
        assert.equal("promoted", told.state, told.reason)
      end)
    end)
  end
end)

describe("a canary", function()
  it_in("gives each routing key to one generation for a round, and tells how it stands", function(world)
    canary.around(function()
      local trial = trial_of(world, { canary = { share = 0.3, lasting = "400s", requests = 100 }, gap = 1,
        config = { decisionLog = { sample = 1 } } })
      trial:change(OTHER)
      trial:load(1100) -- after so many it serves some
      trial:load(600)
      local seen, mixed = {}, 0
      for _, decision in ipairs(trial.pool:decisions(1000)) do
        local key = decision.request.token
        if seen[key] and seen[key] ~= decision.generation then mixed = mixed + 1 end
        seen[key] = decision.generation
        assert.equal(decision.generation == 2 or nil, decision.canary)
        assert.equal(decision.canary and "Other" or "Good", decision.policy)
      end
      assert.equal(0, mixed)
      local now = trial.pool:canary "balance"
      assert.same({ "balance", "running", "Other", trial.file, 2, 1, 0.3, 100 }, { now.policy, now.state, now.name,
        now.file, now.generation, now.inForce, now.wholeShare, now.requestsWanted })
      assert.is_true(now.share < 0.01)
      assert.equal(1, trial.pool:getStats().canaries)
      for name, limit in pairs { errorRate = 1.2, p99 = 1.3, attempts = 1.5, busiestHost = 1.5, leftDatacenter = 0.01,
        policyErrors = 0.001 } do
        assert.equal(limit, now.figures[name].limit)
      end
      assert.is_nil(now.figures.disagreement)
    end)
  end)

  it_in("is told with its figures to who asks what has happened", function(world)
    canary.around(function()
      local trial = trial_of(world)
      local told = recorder.of(trial.pool)
      trial:change(ONE_HOST)
      assert.equal("takenBack", trial:settle().state)
      local what
      for _, event in ipairs((told:since(0))) do
        if event.event == "policyCanary" then what = event.what end
      end
      assert.equal("takenBack", what.state)
      assert.same({ 1.5, 1 }, { what.figures.busiestHost.limit, what.figures.busiestHost.candidate })
    end)
  end)

  it_in("begins again with the newest text, and what is in force stays", function(world)
    canary.around(function()
      local trial = trial_of(world)
      trial:change(OTHER)
      trial:load(100)
      trial:change(SAME)
      assert.same({ "Good", 1 }, { trial:serves() })
      local told = trial.told.policyCanary
      assert.same({ "running", "takenBack", "running" }, { told[1][1].state, told[2][1].state, told[3][1].state })
      assert.matches("changed again", told[2][1].reason)
      assert.same({ "Same", 3 }, { told[3][1].name, told[3][1].generation })
      trial:change "return balance { nonsense }"
      assert.equal("running", trial:state()) -- what cannot be loaded changes nothing
      assert.equal(1, #trial.told.policyError)
      trial:change(GOOD) -- as it was
      assert.equal("takenBack", trial:state())
      assert.same({ "Good", 1 }, { trial:serves() })
      trial:change(OTHER)
      assert.equal("running", trial:state())
    end)
  end)

  it_in("ends by hand", function(world)
    canary.around(function()
      local trial = trial_of(world)
      local ok, err = trial.pool:promoteCanary "balance"
      assert.same({ nil, "NOT_FOUND" }, { ok, err.code })
      assert.is_nil(trial.pool:canary "balance")
      trial:change(OTHER)
      assert.is_true(trial.pool:abortCanary "balance")
      assert.same({ "Good", 1 }, { trial:serves() })
      trial:change(OTHER) -- it was taken back: the same text is not tried again
      assert.equal("takenBack", trial:state())
      trial:change(SAME)
      assert.is_true(trial.pool:promoteCanary "balance")
      assert.same({ "Same", 3 }, { trial:serves() })
      trial:load(50)
      trial:change(OTHER)
      assert.is_true(trial.pool:rollback "balance") -- the newest one leaves
      assert.same({ "Same", 3 }, { trial:serves() })
      assert.is_true(trial.pool:rollback "balance")
      assert.same({ "Good", 1 }, { trial:serves() })
      for _, kind in ipairs { "balanced", 5 } do
        assert.matches("unknown kind of policy", select(2, pcall(trial.pool.abortCanary, trial.pool, kind)), 1, true)
      end
    end)
  end)

  it_in("is what a reload by hand begins, for a text that is new", function(world)
    canary.around(function()
      local trial = trial_of(world)
      assert.is_true(trial.pool:reload())
      assert.same({ "Good", 2 }, { trial:serves() })
      require("spec.support.policies").write(trial.file, OTHER)
      assert.is_true(trial.pool:reload())
      assert.same({ "Good", 2 }, { trial:serves() })
      assert.equal("running", trial:state())
      assert.is_true(trial.pool:reload()) -- it goes on
      assert.equal("running", trial:state())
      assert.equal(3, trial.pool:canary("balance").generation)
    end)
  end)

  it_in("is not for a policy that is failing: what comes serves at once", function(world)
    canary.around(function()
      local trial = trial_of(world, { text = late("Broken", "true then error 'no'") })
      trial:load(150)
      trial:change(GOOD)
      assert.same({ "Good", 2 }, { trial:serves() })
    end)
  end)

  it_in("ends with the pool", function(world)
    canary.around(function()
      local trial = trial_of(world)
      trial:change(OTHER)
      trial:load(30)
      assert(trial.pool:close())
      assert.same({}, trial.pool:canary())
      local ok, err = trial.pool:abortCanary "balance"
      assert.same({ nil, "CLOSED" }, { ok, err.code })
    end)
  end)
end)
