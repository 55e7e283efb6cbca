-- SPDX-License-Identifier: Apache-2.0
-- The playbooks of examples/playbooks for a node that is lost and for one that is restarted, on a real Cassandra under
-- load: their own texts with shorter times.
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local moonpool = require "moonpool"
local policies = require "spec.support.policies"

local NODE = "127.0.0.2"

describe("a playbook on a real Cassandra", function()
  local folder

  setup(function()
    live.cluster()
    folder = policies.folder()
  end)
  teardown(function() policies.remove(folder) end)

  -- The example's text with other times, in a file of its own.
  local function example(name, times)
    local text = policies.read(MOONPOOL_ROOT .. "/examples/playbooks/" .. name .. ".lua")
    for from, to in pairs(times) do
      local count
      text, count = text:gsub(from, to)
      assert(count > 0, name .. " does not say " .. from)
    end
    policies.write(folder .. "/" .. name .. ".lua", text)
    return folder .. "/" .. name .. ".lua"
  end

  local function host_of(pool)
    for _, host in ipairs(pool:getHosts()) do
      if host.address:find(NODE, 1, true) then return host end
    end
    return {}
  end

  -- Its steps for the node with their results, in their order.
  local function story(pool, name)
    local list = {}
    for _, entry in ipairs(pool:playbookHistory(name)) do
      if entry.host and entry.host:find(NODE, 1, true) then
        list[#list + 1] = entry.step .. (entry.result and " " .. entry.result or "")
      end
    end
    return list
  end

  -- How a run of it for the node ended, or nil.
  local function outcome(pool, name)
    for _, step in ipairs(story(pool, name)) do
      local said = step:match "^end (.*)"
      if said then return said end
    end
  end

  local function pool_with(path)
    return live.pool { playbooks = { path, dryRun = false }, pooling = { reconnectBaseDelay = 200,
      reconnectMaxDelay = 1000 } }
  end

  it("spares a node that was killed, asks it when it is back, and lets it have little at first", function()
    local pool = pool_with(example("lost_node", { ['"30s"'] = '"2s"', ['"1m"'] = '"3s"', ['"2s" }%)'] = '"200ms" })' }))
    local insert, select = live.rows(pool, "lost")
    local load = live.read_and_write(pool, insert, select)
    live.cassandraWhileRunning("kill 2")
    live.eventually(30000, "it is paused", function() return host_of(pool).held == "paused" end)
    live.cassandraWhileRunning("start 2")
    live.eventually(60000, "it is on probation", function() return host_of(pool).share == 0.1 end)
    live.eventually(30000, "the end of the run", function() return outcome(pool, "lostNode") end)
    load:stop()
    assert.equal("done", outcome(pool, "lostNode"), table.concat(story(pool, "lostNode"), "\n"))
    local said = table.concat(story(pool, "lostNode"), ", ")
    assert.matches("begin, log, pause ok, waitUntil ok, probe ok, resume ok, sleep ok, resume ok, end done", said, 1,
      true)
    assert.same({}, load.failed)
    assert.is_nil(host_of(pool).held)
    assert.is_nil(host_of(pool).share)
    pool:close()
  end)

  it("gives a restarted node its traffic back in steps", function()
    local pool = pool_with(example("rolling_restart", { ['"20s"'] = '"1s"' }))
    local insert, select = live.rows(pool, "restarted")
    local load = live.read_and_write(pool, insert, select)
    local shares, watching = {}, true
    local watcher = moonpool.spawn(function()
      while watching do
        shares[host_of(pool).share or 1] = true
        moonpool.sleep(50)
      end
      return true
    end)
    live.cassandraWhileRunning("stop 2")
    live.eventually(30000, "it is down", function() return host_of(pool).status == "down" end)
    live.cassandraWhileRunning("start 2")
    live.eventually(60000, "the end of the run", function() return outcome(pool, "rollingRestart") end)
    load:stop()
    watching = false
    watcher:wait()
    assert.equal("done", outcome(pool, "rollingRestart"), table.concat(story(pool, "rollingRestart"), "\n"))
    for _, share in ipairs { 0.05, 0.2, 0.5, 1 } do assert.is_true(shares[share], share) end
    assert.same({}, load.failed)
    pool:close()
  end)

  it("leaves a cluster whose nodes are all up", function()
    local pool = live.pool()
    live.eventually(60000, "three hosts are up", function() return pool:getMetrics().hostsUp == 3 end)
    pool:close()
  end)
end)
