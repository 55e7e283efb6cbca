-- SPDX-License-Identifier: Apache-2.0
-- What playbooks keep on disk where there is a folder for it: what they remember, their audit, how long each rests and
-- how often it ran. A pool that is closed and made anew stands for a restart.
local moonpool = require "moonpool"
local playbooks = require "spec.playbook.support.files"
local it_in = require("spec.support.world").inside(it)

describe("a playbook, over a restart,", function()
  before_each(playbooks.begin)
  after_each(playbooks.finish)

  it_in("remembers on disk where there is a folder for it, and its audit is there, too", function(world)
    local state = playbooks.file "state"
    local body = "run = function(run) run.memory.n = (run.memory.n or 0) + 1 say(run.memory.n) end"
    for round = 1, 2 do
      local pool = playbooks.pool(world, { p = body }, { state = state })
      assert(pool:runPlaybook "p")
      playbooks.rest(world, pool)
      moonpool.sleep(100)
      assert.equal(tostring(round), playbooks.said[round])
      pool:close()
    end
    local lines = 0
    for line in io.lines(state .. "/audit.jsonl") do
      assert.equal("p", require("moonpool.cli.json").decode(line).playbook)
      lines = lines + 1
    end
    assert.equal(4, lines)
  end)

  it_in("remembers lists as lists", function(world)
    local state = playbooks.file "state"
    local body = [[run = function(run)
      local hosts = run.memory.hosts or {}
      hosts[#hosts + 1] = { "a", #hosts }
      run.memory.hosts = hosts
      say(#hosts, hosts[#hosts][2])
    end]]
    for round = 1, 3 do
      local pool = playbooks.pool(world, { p = body }, { state = state })
      assert(pool:runPlaybook "p")
      playbooks.rest(world, pool)
      moonpool.sleep(100)
      assert.equal(round .. " " .. round - 1, playbooks.said[round])
      pool:close()
    end
  end)

  it_in("rests over a restart where there is a folder for it, and has not forgotten how often it ran", function(world)
    local state = playbooks.file "state"
    local files = {
      rests = "when = { event = 'hostDown' }, coolDown = '1h', run = function() say 'rests' end",
      often = "when = { every = '10s' }, coolDown = 0, atMost = { 2, per = '1h' }, run = function() say 'often' end",
    }
    local function count(word)
      local times = 0
      for _, each in ipairs(playbooks.said) do times = times + (each == word and 1 or 0) end
      return times
    end
    local function round(ms)
      local pool = playbooks.pool(world, files, { state = state })
      world.cluster:kill(2)
      world:waitStatus(pool, 2, "down")
      moonpool.sleep(ms)
      world.cluster:start(2)
      world:waitStatus(pool, 2, "up")
      pool:close()
      moonpool.sleep(2000)
    end
    for expected = 1, 2 do
      playbooks.said = {}
      round(60000)
      round(60000)
      assert.equal(1, count "rests")
      assert.equal(2, count "often")
      if expected == 1 then moonpool.sleep(3700000) end -- the hour is over
    end
    local pool = playbooks.pool(world, files, { state = state })
    assert.equal(1, pool:acknowledgePlaybook "rests")
    pool:close()
    moonpool.sleep(2000)
    pool = playbooks.pool(world, files, { state = state })
    assert.equal(0, pool:acknowledgePlaybook "rests") -- that was kept as well
    pool:close()
  end)

  it_in("takes no nonsense for what was kept of limits, and rests no longer than it says", function(world)
    local state = playbooks.file "state"
    local far = "9e18"
    local body = "when = { every = '10s' }, coolDown = '10s', run = function() say 'p' end"
    for _, text in ipairs { "", "{", "[]", "7", '{"rests":7,"starts":{"p":7}}',
      '{"rests":{"p ":"x"},"starts":{"p":["x"]}}',
      '{"rests":{"p ":' .. far .. '},"starts":{"p":[' .. far .. ']}}' } do
      playbooks.said = {}
      require("moonpool.core_loader").makeFolder(state)
      playbooks.write("state/limits.json", text)
      local pool = playbooks.pool(world, { p = body }, { state = state })
      moonpool.sleep(45000)
      assert.is_true(#playbooks.said >= 2, text)
      pool:close()
      moonpool.sleep(2000)
    end
  end)
end)
