-- SPDX-License-Identifier: Apache-2.0
-- explore{} of specs: promises that hold are found to hold, what breaks one is made small, and the spec that is printed
-- shows it again.
local explore = require "moonpool.prove.explore"
local policies = require "spec.support.policies"
local program = require "spec.support.program"

local folder

local function write(name, text)
  policies.write(folder .. "/" .. name, text)
  return folder .. "/" .. name
end

local function policy(name, body, more)
  local text = "return balance { name = %q, %s plan = function(plan, req, options)\n%s\nend }"
  return write(name .. ".lua", text:format(name, more or "", body))
end

local function run(given)
  given.cases = given.cases or 1500
  return explore.run(given, {}, 1)
end

local function broken(given)
  local ok, why = pcall(run, given)
  assert.is_false(ok, "nothing was found")
  return tostring(why)
end

describe("explore", function()
  setup(function() folder = policies.folder() end)
  teardown(function() policies.remove(folder) end)

  for name, promises in pairs {
    TokenAwarePolicy = { "staysLocal", "reachesEveryLocalHost", "replicasFirst", "neverRefuses" },
    DCAwareRoundRobinPolicy = { "staysLocal", "reachesEveryLocalHost", "neverRefuses" },
    RoundRobinPolicy = { "reachesEveryUpHost", "neverEmpty" },
    LeastLoadedPolicy = { "reachesEveryLocalHost", "replicasFirst" },
    LatencyAwarePolicy = { "reachesEveryLocalHost" },
    WeightedPolicy = { "reachesEveryLocalHost" },
    RegionPriorityPolicy = { "staysLocalWhenAsked", "reachesEveryLocalHost" },
  } do
    it("finds that " .. name .. " keeps its promises", function()
      assert.equal(1500, run { policy = name, promises = promises })
    end)
  end

  it("makes what breaks a promise as small as it can be", function()
    local why = broken { policy = "RoundRobinPolicy", promises = { "staysLocal" } }
    assert.matches("breaks the promise staysLocal", why, 1, true)
    local hosts = why:match "hosts = {\n(.-)\n      } } }"
    assert.equal(1, select(2, hosts:gsub("host = ", "")), why)
    assert.is_nil(hosts:find("inFlight", 1, true), why)
    assert.matches('request = { kind = "read", consistency = "ONE" }', why, 1, true)
  end)

  it("finds a rare one: of a tag, of a state, of two hosts", function()
    local mine = policy("Rare", [[
      if req.tag == tags.b and req.isLwt then plan:hosts(remoteDcs, inTurn) end
      plan:hosts(localDc, inTurn)]])
    local why = broken { policy = mine, promises = { "staysLocal" }, cases = 5000 }
    assert.matches('tag = "b"', why, 1, true)
    assert.matches('kind = "lwt"', why, 1, true)
    local only = policy("OneOnly", "plan:hosts(localDc, inTurn, 1)")
    why = broken { policy = only, promises = { "reachesEveryLocalHost" } }
    assert.equal(2, select(2, why:match("hosts = {\n(.-)\n      } } }"):gsub("host = ", "")), why)
  end)

  it("takes a function for a promise", function()
    local function noSlow(case)
      for _, host in ipairs(case.plan) do
        if (host.latencyUs or 0) > 50000 then return false, host.host .. " is slow" end
      end
      return true
    end
    local why = broken { policy = "RoundRobinPolicy", promises = { noSlow = noSlow } }
    assert.matches("breaks the promise noSlow: 10.%d.%d.%d+:9042 is slow", why)
    assert.equal(1500, run { policy = policy("None", "plan:refuse()"), promises = { noSlow } })
  end)

  it("asks of every policy that it does not fail, and comes to its end", function()
    local why = broken {
      policy = policy("Fails", "if req.tag == tags.a and req.isLwt then error 'no' end\nplan:hosts(allDcs)"),
    }
    assert.matches("Fails.lua:2: no", why, 1, true)
    why = broken { policy = policy("Ends", "plan:hosts(allDcs)\nif req.tag == tags.b then while true do end end") }
    assert.matches("always", why, 1, true)
  end)

  it("finds the same again from the same seed", function()
    local given = { policy = "RoundRobinPolicy", promises = { "replicasFirst" } }
    assert.equal(broken(given), broken { policy = "RoundRobinPolicy", promises = { "replicasFirst" } })
    given = { policy = "RoundRobinPolicy", promises = { "replicasFirst" }, seed = 9 }
    assert.matches("of seed 9", broken(given), 1, true)
  end)

  it("says what is wrong with what it is given", function()
    local function refused(message, given)
      local ok, why = pcall(run, given)
      assert.is_false(ok)
      assert.matches(message, tostring(why), 1, true)
    end
    refused("did you mean staysLocal", { policy = "RoundRobinPolicy", promises = { "stayLocal" } })
    refused("did you mean promises", { policy = "RoundRobinPolicy", promisse = {} })
    refused("no balance policy", { policy = "NoSuchPolicy" })
    refused("a name or a path", {})
  end)

  it("is part of moonpool test, and the spec that it prints fails in the same way", function()
    local mine = policy("Abroad", "plan:hosts(allDcs, inTurn)", "options = { far = 1 },")
    local spec = write("abroad_test.lua", ([[
      it("stays at home", function()
        explore { policy = %q, options = { far = 2 }, promises = { "staysLocal" }, cases = 10 }
      end)
      it("reaches all", function()
        explore { policy = %q, promises = { "reachesEveryUpHost" } }
      end)]]):format(mine, mine))
    local said, status = program.sh(("'%s' test --explore 3000 --seed 4 %s"):format(program.moonpool, spec))
    assert.equal(1, status)
    assert.matches("1 success / 0 failures / 1 error", said, 1, true)
    local again = said:match "(it%(\"keeps its word.-\nend%))"
    said, status = program.sh(("'%s' test %s"):format(program.moonpool, write("again_test.lua", again)))
    assert.equal(1, status, said)
    assert.matches("breaks the promise staysLocal", said, 1, true)
    local good = again:gsub(('policy = "%s"'):format(mine:gsub("%p", "%%%0")), 'policy = "TokenAwarePolicy"')
      :gsub('options = "[^"]*",', "")
    said, status = program.sh(("'%s' test %s"):format(program.moonpool, write("good_test.lua", good)))
    assert.equal(0, status, said)
  end)
end)
