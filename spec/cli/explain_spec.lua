-- SPDX-License-Identifier: Apache-2.0
-- moonpool explain, as a user runs it, on embedded clusters.
local policies = require "spec.support.policies"
local sh = require("spec.support.program").sh

local MOONPOOL = MOONPOOL_BUILD_DIR .. "/moonpool"

local function explain(arguments)
  return sh("cd '" .. MOONPOOL_ROOT .. "' && '" .. MOONPOOL .. "' explain " .. arguments)
end

local function count(text, pattern) return select(2, text:gsub(pattern, "")) end

describe("moonpool explain", function()
  it("prints each host with the step that gave it", function()
    local out, status = explain "--embedded 6 --dcs 2 --key alice"
    assert.equal(0, status, out)
    assert.truthy(out:find("TokenAwarePolicy (", 1, true))
    assert.truthy(out:find("step 1: replicas of the local datacentre, shuffled", 1, true))
    assert.equal(3, count(out, "%(replica%)"))
    assert.equal(0, count(out, "datacenter2"))
  end)

  it("says when it does not know the replicas", function()
    local out, status = explain "--embedded 3"
    assert.equal(0, status, out)
    assert.truthy(out:find("replicas are not known", 1, true))
    assert.equal(3, count(out, "127%.0%.0%.%d:%d+"))
  end)

  it("takes another policy, a consistency and a token", function()
    local out = explain "--embedded 6 --dcs 2 --policy examples/policies/rack_first.lua --consistency quorum --token=-5"
    assert.matches("RackFirst %(/.*/examples/policies/rack_first.lua%)", out)
    assert.truthy(out:find("hosts of the remote datacentres, in turn, at most 2 of each", 1, true), out)
    assert.equal(2, count(out, "datacenter2/rack1 %(replica, remote%)"))
    out = explain "--embedded 6 --dcs 2 --policy examples/policies/rack_first.lua --consistency local_quorum"
    assert.equal(0, count(out, "datacenter2"))
  end)

  it("tells filters and refusals", function()
    local out = explain "--embedded 3 --policy examples/policies/maintenance.lua"
    assert.truthy(out:find(", without tag maintenance", 1, true), out)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write "return balance { name = 'No', plan = function(plan) plan:refuse() end }"
    file:close()
    out = explain("--embedded 1 --policy " .. path)
    os.remove(path)
    assert.truthy(out:find("the policy refuses the request", 1, true), out)
  end)

  it("prints JSON", function()
    local out, status = explain "--embedded 3 --policy RoundRobinPolicy --json"
    assert.equal(0, status)
    assert.equal(3, count(out, '"why":"hosts of all datacentres, in turn"'))
    assert.truthy(out:match '^{"fallback":false,.*"steps":%["hosts of all datacentres, in turn"%]}\n$')
  end)

  it("reads a configuration", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write "return { contactPoints = { '10.9.9.9' }, loadBalancing = { policy = 'LeastLoadedPolicy' } }"
    file:close()
    local out, status = explain("--embedded 3 --key 7 --config " .. path)
    os.remove(path)
    assert.equal(0, status, out)
    assert.truthy(out:find("replicas of the local datacentre, least loaded", 1, true), out)
  end)

  it("takes nothing that the process that serves has, and does none of its work", function()
    local path, place = os.tmpname(), os.tmpname()
    policies.write(path, ([[return { contactPoints = { "127.0.0.1" }, http = { listen = "%s/nowhere/page.sock" },
      handlers = "%s/none.lua", decisionLog = { file = "%s" } }]]):format(path, path, place))
    local out, status = explain("--embedded 3 --key 7 --config " .. path)
    os.remove(path)
    os.remove(place)
    assert.equal(0, status, out)
  end)

  it("says what is wrong in one line", function()
    local out, status = explain "--embedded 3 --policy Nix"
    assert.equal(1, status)
    assert.matches('^moonpool: loadBalancing%.policy: there is no balance policy "Nix"[^\n]*\n$', out)
    out, status = explain "--embedded 3 --consistency nix"
    assert.equal(1, status)
    assert.equal('moonpool: explain: a consistency expected, got "nix"; there are: ANY, ONE, TWO, THREE, QUORUM, ALL, '
      .. 'LOCAL_QUORUM, EACH_QUORUM, SERIAL, LOCAL_SERIAL, LOCAL_ONE\n', out)
    out, status = explain "--embedded 3 --keyspace ks --table nix --key 1"
    assert.equal(1, status)
    assert.equal("moonpool: there is no table ks.nix\n", out)
    assert.equal(2, select(2, explain "--token x"))
    assert.equal(1, select(2, explain "--config /nonexistent.lua"))
  end)
end)
