-- SPDX-License-Identifier: Apache-2.0
-- moonpool compare: what is told of two policies is what happens to them, the same again from the same seed, and noise
-- is not taken for a difference.
local cjson = require "cjson"
local compare = require "moonpool.prove.compare"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local scenarios = require "moonpool.prove.scenarios"
local svg = require "moonpool.cli.compare_svg"
local testing = require "moonpool.testing"

local CLUSTER = { nodes = 6, dcs = 2 }
local folder

local function write(name, text)
  policies.write(folder .. "/" .. name, text)
  return folder .. "/" .. name
end

-- A shipped scenario, shorter.
local function named(name)
  for _, scenario in ipairs(scenarios) do
    if scenario.name == name then return scenario end
  end
  error("no scenario " .. name)
end

local function run(policy, name, seed)
  return (compare.run({ policy = policy }, named(name), CLUSTER, seed or 1))
end

describe("moonpool compare", function()
  setup(function() folder = policies.folder() end)
  after_each(function() testing.finish() end)
  teardown(function() policies.remove(folder) end)

  it("has the scenarios that people ask about, each with a sentence", function()
    local names = {}
    for i, scenario in ipairs(scenarios) do
      names[i] = scenario.name
      assert.is_true(#scenario.about > 10)
    end
    assert.same({ "steady", "slow node", "node dies", "datacentre lost", "hot partition", "rolling restart",
      "uneven racks", "one node without caches" }, names)
  end)

  it("is the same again from the same seed, and another run from another one", function()
    local first = run("TokenAwarePolicy", "node dies", 3)
    assert.same(first, run("TokenAwarePolicy", "node dies", 3))
    assert.is_not.same(first, run("TokenAwarePolicy", "node dies", 4))
  end)

  it("shows what the scenarios do", function()
    local steady = run("TokenAwarePolicy", "steady")
    assert.same({ 0, 0, 1 }, { steady.failed, steady.leftDatacenter, steady.attempts })
    assert.is_true(steady.atReplica > 0.99)
    assert.is_true(run("RoundRobinPolicy", "steady").leftDatacenter > 0.3)
    assert.is_true(run("TokenAwarePolicy", "slow node").p99 > 4 * steady.p99)
    assert.is_true(run("LatencyAwarePolicy", "slow node").p99 < run("TokenAwarePolicy", "slow node").p99 / 2)
    assert.is_true(run("TokenAwarePolicy", "hot partition").spread > steady.spread)
    assert.is_true(run("TokenAwarePolicy", "uneven racks").p99 > steady.p99)
    assert.is_true(run("RoundRobinPolicy", "datacentre lost").failed < 0.05)
    assert.is_true(run("TokenAwarePolicy", "datacentre lost").failed > 0.1)
    assert.is_true(run("TokenAwarePolicy", "one node without caches").p99 > steady.p99)
    assert.is_true(run("TokenAwarePolicy", "rolling restart").failed < 0.02)
  end)

  it("takes no noise for a difference, and no difference for noise", function()
    local base, other, slower = {}, {}, {}
    local random = require("spec.support.world").random(5)
    local function noise() return (random(2001) - 1000) / 1000 end
    local wrong = 0
    for round = 1, 200 do
      for i = 1, 5 do
        local seed = noise() * 10 -- what the policies have in common
        base[i], other[i] = { p99 = 20 + seed + noise() }, { p99 = 20 + seed + noise() }
        slower[i] = { p99 = 26 + seed + noise() }
      end
      if compare.difference(base, other, "p99").is_sure then wrong = wrong + 1 end
      local difference = compare.difference(base, slower, "p99")
      assert.is_true(difference.is_sure, "round " .. round)
      assert.is_true(math.abs(difference.mean - 6) < difference.margin + 2)
    end
    assert.is_true(wrong <= 24, wrong .. " of 200 by chance, 10 are expected")
  end)

  it("is a command: policies with options, scenarios by name and file, text, JSON, a picture", function()
    local mine = write("mine.lua", [[return balance { name = "Mine", options = { far = false },
      plan = function(plan, req, options)
        if options.far then plan:hosts(remoteDcs, inTurn) end
        plan:hosts(localDc, inTurn)
      end }]])
    local file = write("short.lua", [[return { seconds = 3, rate = 60, reads = 1, consistency = "ONE",
      key = function(random) return random(10) end,
      begin = function(c) c:setLatency("datacenter1/1", 1) end,
      events = { { at = 1, function(c) c:kill "datacenter1/3" end } } }]])
    local base = ("'%s' compare RoundRobinPolicy %s '%s:far = true' --scenario %s --seeds 2 --svg %s/c.svg "):format(
      program.moonpool, mine, mine, file, folder)
    local said, status = program.sh(base)
    assert.equal(0, status, said)
    assert.matches("^short\n", said)
    assert.matches("mine %(far = true%)", said)
    assert.matches("left the datacentre, %% .- 100%.00", said)
    local picture = io.open(folder .. "/c.svg"):read "*a"
    assert.matches("^<svg .*</svg>\n$", picture)
    assert.matches("short: p99", picture, 1, true)
    local answer = cjson.decode((program.sh(base .. "--json")))
    assert.equal(3, #answer[1].policies)
    assert.equal("Mine", answer[1].policies[2].name)
    assert.equal(1, answer[1].policies[3].figures.leftDatacenter.mean)
    assert.is_true(answer[1].policies[3].difference.leftDatacenter.is_sure)
    assert.matches("| p99, ms |", (program.sh(base .. "--markdown")), 1, true)
  end)

  it("says what is wrong with what it is given", function()
    local function refused(status, message, arguments)
      local said, got = program.sh(("'%s' compare %s"):format(program.moonpool, arguments))
      assert.matches(message, said, 1, true)
      assert.equal(status, got, said)
    end
    local broken = write("broken.lua", "return balance {")
    refused(2, "at least 2", "RoundRobinPolicy")
    refused(2, "cannot stand in", "A B --nodes 2 --dcs 3")
    refused(1, "did you mean steady", "RoundRobinPolicy TokenAwarePolicy --scenario staedy")
    refused(1, "broken.lua:1", "RoundRobinPolicy " .. broken .. " --scenario steady")
    refused(1, "no balance policy", "RoundRobinPolicy NoSuchPolicy --scenario steady")
    for message, text in pairs {
      ["did you mean rate"] = "return { rat = 1 }", ["must be a number"] = "return { rate = 'x' }",
      ["did not come to its end"] = "while true do end", ["a scenario is a table"] = "return 1",
      ["events[1] must be"] = "return { events = { { at = 1 } } }",
    } do
      refused(1, message, "RoundRobinPolicy TokenAwarePolicy --scenario " .. write("s.lua", text))
    end
  end)

  it("draws a second of any number of requests", function()
    local latencies = {}
    for i = 1, 9000 do latencies[i] = (9001 - i) / 100 end
    local picture = svg.draw { { scenario = { name = "busy" }, policies = {
      { label = "One", timeline = { { latencies = latencies, hosts = { ["datacenter1/1"] = 9000 } } } } } } }
    assert.is_truthy(picture:find(">89.1 ms<", 1, true))
    assert.is_truthy(picture:find(">9e+03 /s<", 1, true))
  end)
end)
