-- SPDX-License-Identifier: Apache-2.0
-- A simulated cluster that is told from outside: moonpool ctl node, nodes, rule, clearRules; moonpool run --dcs.
local cluster_control = require "moonpool.cli.cluster_control"
local control = require "moonpool.cli.control"
local json = require "moonpool.cli.json"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
local sim_process = require "spec.support.sim_process"
local support = require "spec.support.world"
local it_in = support.inside(it)

describe("the verbs of a simulated cluster", function()
  local function ask(verb, argument)
    return json.decode(control.answer(json.encode { verb = verb, argument = argument }))
  end

  local function around(world, body)
    cluster_control.cluster = world.cluster
    local ok, why = pcall(body)
    cluster_control.cluster = nil
    if not ok then error(why, 0) end
  end

  it_in("do what moonpool.embedded does", function(world)
    local pool = world:pool()
    around(world, function()
      assert.equal(3, #ask("nodes").nodes)
      for _, case in ipairs { { "kill", "dead" }, { "start", "up" }, { "pause", "paused" }, { "resume", "up" } } do
        local answer = ask("node", "2 " .. case[1])
        assert.same({ true, 2, case[2] }, { answer.ok, answer.nodes[1].number, answer.nodes[1].state })
      end
      ask("node", "3 kill")
      world:waitStatus(pool, 3, "down")
      ask("node", "3 start")
      world:waitUp(pool)
      assert.equal(1, ask("rule", '{"statement":"release_version","error":"OVERLOADED","times":1}').rule)
      local result = assert(pool:execute "SELECT release_version FROM system.local")
      assert.equal(2, result.info.attempts)
      ask("rule", '{"statement":"release_version","error":"SYNTAX_ERROR"}')
      assert.is_nil((pool:execute "SELECT release_version FROM system.local"))
      assert.same({ ok = true }, ask "clearRules")
      assert(pool:execute "SELECT release_version FROM system.local")
    end)
  end)

  it_in("say what is wrong", function(world)
    assert.matches("^node is for a simulated cluster: moonpool sim", ask("node", "2 kill").error)
    around(world, function()
      for _, case in ipairs {
        { "node", "9 kill", "there is no node 9: they are 1 to 3" }, { "node", "0 kill", "there is no node 0" },
        { "node", "2 hug", "node wants N kill|start" }, { "node", "kill", "node wants N kill|start" },
        { "node", nil, "node wants N kill|start" }, { "nodes", "2", "nodes takes no argument" },
        { "rule", "{", "^rule: " }, { "rule", "5", "rule: an object expected" },
        { "rule", '{"nod":2}', "unknown key 'nod'" }, { "rule", '{"node":2}', "nothing to do" },
        { "nods", nil, "did you mean node" },
      } do
        local answer = ask(case[1], case[2])
        assert.is_false(answer.ok)
        assert.matches(case[3], answer.error)
      end
    end)
  end)
end)

describe("a process with a simulated cluster", function()
  local folder
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  it("is told by moonpool ctl, and its application sees the datacentres of --dcs", function()
    policies.write(folder .. "/app.lua", [[
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool{ contactPoints = moonpool.embedded.hosts,
        localDataCenter = os.getenv "CASSANDRA_DC", logging = { level = "off" },
        pooling = { coreConnectionsPerHost = { ["0"] = 1, ["1"] = 1 } } }
      assert(pool:connect())
      local dcs = {}
      for _, host in ipairs(pool:getHosts()) do dcs[host.datacenter] = (dcs[host.datacenter] or 0) + 1 end
      print(dcs.datacenter1, dcs.datacenter2)
      local told
      pool:on("hostDown", function(host) told = host end)
      local asks = io.popen("'" .. ... .. "' ctl --control '" .. arg[2] .. "' node 2 kill > /dev/null 2>&1 &")
      while not told do moonpool.sleep(10) end
      asks:close()
      print(told == moonpool.embedded.hosts[2])
      pool:close()
    ]])
    local program = MOONPOOL_BUILD_DIR .. "/moonpool"
    local said, status = sim_process.output(("MOONPOOL_EMBEDDED_PORT=%d '%s' run --embedded 4 --dcs 2 "
      .. "--control '%s' '%s' '%s' '%s'"):format(ports.at(59), program, folder .. "/s",
      folder .. "/app.lua", program, folder .. "/s"))
    assert.equal("2\t2\ntrue\n", said)
    assert.equal(0, status)
  end)

  it("wants --dcs to be of a cluster that it fits into", function()
    policies.write(folder .. "/app.lua", "print 'it runs'")
    local program = MOONPOOL_BUILD_DIR .. "/moonpool run "
    local said, status = sim_process.output(program .. "--dcs 2 " .. folder .. "/app.lua")
    assert.matches("%-%-dcs is of the simulated cluster", said)
    assert.equal(2, status)
    said, status = sim_process.output(program .. "--embedded 2 --dcs 3 " .. folder .. "/app.lua")
    assert.matches("2 nodes cannot stand in 3 datacentres", said)
    assert.equal(1, status)
  end)

  it("that is moonpool sim answers, too", function()
    local sim = folder .. "/sim"
    local program = MOONPOOL_BUILD_DIR .. "/moonpool"
    local said = sim_process.output(([[
      '%s' sim --nodes 2 --port %d --control '%s' > /dev/null 2>&1 & pid=$!
      until [ -S '%s' ]; do sleep 0.05; done
      '%s' ctl --control '%s' node 2 kill; '%s' ctl --control '%s' nodes; kill $pid; wait $pid]]):format(program,
      ports.at(58), sim, sim, program, sim, program, sim))
    assert.matches("2 +127%.0%.0%.2 +dead .*\n +1 +127%.0%.0%.1 +up .*\n +2 +127%.0%.0%.2 +dead", said)
  end)
end)
