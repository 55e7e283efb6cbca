-- SPDX-License-Identifier: Apache-2.0
-- moonpool ctl: every verb as a person and as a program gets it, from a process that runs.
local cjson = require "cjson"
local ffi = require "ffi"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
require "spec.support.sim_process" -- kill, usleep

local APP = [[
local moonpool = require "moonpool"
local pool = moonpool.ConnectionPool(%q .. "/pool.lua")
assert(pool:connect())
local up = 0
repeat
  up = 0
  for _, host in ipairs(pool:getHosts()) do up = up + (host.status == "up" and 1 or 0) end
  moonpool.sleep(10)
until up == 3
io.open(%q .. "/ready", "w"):close()
while not io.open(%q .. "/stop") do
  pool:execute "SELECT key FROM system.local"
  moonpool.sleep(20)
end
pool:close()
]]

local POLICY = "return balance { name = '%s', plan = function(plan) plan:hosts(localDc, inTurn) end }"

local folder

local function eventually(what, condition)
  return program.eventually(what, condition, function() return policies.read(folder .. "/log") end)
end

local function ctl(arguments)
  return program.sh(("'%s' ctl --control %s/ctl.sock %s"):format(program.moonpool, folder, arguments))
end

local function json(arguments)
  local said = ctl("--json " .. arguments)
  local answer = cjson.decode(said)
  return answer.pools[1], answer
end

describe("moonpool ctl", function()
  setup(function()
    folder = policies.folder()
    policies.write(folder .. "/app.lua", APP:format(folder, folder, folder))
    policies.write(folder .. "/pool.lua", [[return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
      auth = { username = "ana", password = "CANARY", required = false }, requestTimeout = 5000,
      decisionLog = { sample = 1 }, controlEval = true,
      loadBalancing = { policy = "mine.lua", canary = { lasting = "1h" } } }]])
    policies.write(folder .. "/mine.lua", POLICY:format("Mine"))
    local command = "( '%s' run --embedded 3 --control %s/ctl.sock %s/app.lua > %s/log 2>&1 < /dev/null; "
    os.execute((command .. "touch %s/ended ) &"):format(program.moonpool, folder, folder, folder, folder))
    eventually("the application is ready", function() return io.open(folder .. "/ready") end)
  end)

  teardown(function()
    policies.write(folder .. "/stop", "")
    eventually("its end", function() return io.open(folder .. "/ended") end)
    policies.remove(folder)
  end)

  local function hosts()
    local by_address = {}
    for _, host in ipairs(json("hosts").hosts) do by_address[host.address:match "^[^:]+"] = host end
    return by_address
  end

  it("shows connections, the configuration without its secrets, and the version", function()
    local connections = json("connections").connections
    assert.equal(3, #connections)
    assert.equal("ready", connections[1].state)
    assert.matches("127%.0%.0%.%d:%d+ +ready", (ctl "connections"))
    local said = ctl "config"
    assert.matches("requestTimeout +5000", said)
    assert.matches("auth.password +%(secret%)", said)
    assert.is_nil(said:find "CANARY")
    assert.is_nil((ctl "--json config"):find "CANARY")
    assert.matches("^moonpool %d", (ctl "version"))
  end)

  it("tells what the decision log noted, for people and for programs", function()
    local list
    eventually("something is noted", function()
      list = json("decisions 5").decisions
      return #list == 5 and list[5].outcome
    end)
    assert.equal("Mine", list[1].policy)
    local said = ctl "decisions 1"
    assert.matches("^%d%d:%d%d:%d%d%.%d%d%d  read LOCAL_ONE: 127%.0%.0%.%d:%d+ %(hosts of .-%), ", said)
    assert.equal(1, select(2, ctl "decisions many"))
  end)

  it("explains a plan", function()
    local plan = json "explain"
    assert.equal(3, #plan.hosts)
    assert.same({ "Mine", 1 }, { plan.policy, plan.generation })
    assert.matches("^Mine, generation 1\n# +HOST", (ctl "explain"))
    assert.matches("\n1 +127%.0%.0%.%d:", (ctl [[explain '{"keyspace":"ks","token":"42"}']]))
    local said, status = ctl "explain nonsense"
    assert.equal(1, status)
    assert.matches("no JSON object", said, 1, true)
    assert.matches("unknown", (ctl [[explain '{"tokem":"42"}']]), 1, true)
  end)

  it("pauses, resumes, drains and weighs hosts", function()
    local address = hosts()["127.0.0.2"].address
    assert.same({ "pause " .. address .. ": done\n", 0 }, { ctl("pause " .. address) })
    assert.equal("paused", hosts()["127.0.0.2"].held or hosts()["127.0.0.2"].status)
    assert.equal(0, select(2, ctl("resume " .. address)))
    assert.equal(0, select(2, ctl("drain " .. address)))
    assert.equal(0, select(2, ctl("resume " .. address)))
    assert.equal(0, select(2, ctl("reconnect " .. address)))
    assert.equal(0, select(2, ctl("weight " .. address .. " 0.25")))
    assert.equal(0.25, hosts()["127.0.0.2"].weight)
    assert.equal(0, select(2, ctl("tags " .. address .. " batch slow")))
    for _, wrong in ipairs { "pause 203.0.113.9", "weight " .. address, "weight " .. address .. " much",
      "switchDatacenter nowhere", "log loud" } do
      local said, status = ctl(wrong)
      assert.equal(1, status, wrong .. ": " .. said)
      assert.matches("^moonpool: ", said)
    end
    assert.equal(2, select(2, ctl "pause"))
    assert.equal(2, select(2, ctl "kill"))
    assert.equal(2, select(2, ctl "stats --follow"))
  end)

  it("changes the level of the log", function()
    assert.same({ "log info: done\n", 0 }, { ctl "log info" })
    assert.equal(0, select(2, ctl "node 3 kill"))
    eventually("it is down", function() return hosts()["127.0.0.3"].status == "down" end)
    assert.equal(0, select(2, ctl "node 3 start"))
    eventually("a line of the level info", function()
      return policies.read(folder .. "/log"):find "moonpool info: 127%.0%.0%.3:%d+ is up"
    end)
    assert.equal(0, select(2, ctl "log off"))
  end)

  it("says what is on trial, and that its plan is not the one explained", function()
    ctl "events"
    policies.write(folder .. "/mine.lua", POLICY:format("Yours"))
    eventually("a trial", function() return json("canary status").canaries.balance end)
    assert.matches("\nbalance: generation 2 %(Yours%) beside 1: running: .*\n  busiestHost ", (ctl "policies"))
    assert.matches("^Mine, generation 1 %(not asked: generation 2, Yours, on trial%)\n#", (ctl "explain"))
    assert.matches('policyCanary +{"figures":{"attempts":{', (ctl "events"))
    assert.same({ "ended: balance\n", 0 }, { ctl "canary abort" })
    assert.is_nil((ctl "policies"):find("Yours", 1, true))
  end)

  it("says at which socket nobody answers, and how another is named", function()
    local said, status = program.sh(("XDG_RUNTIME_DIR='%s' '%s' ctl stats"):format(folder, program.moonpool))
    assert.equal(1, status)
    assert.matches("/moonpool.sock: no process serves it; --control PATH names another socket", said, 1, true)
  end)

  it("answers people in tables with a head, and programs in JSON, whatever they ask", function()
    for verb, head in pairs {
      stats = "totalConnections", metrics = "# TYPE", health = "healthy", connections = "ID +HOST +STATE +IN FLIGHT",
      hosts = "HOST +STATE +DISTANCE +PLACE +CONNECTIONS", config = "KEY +VALUE", version = "^moonpool",
      policies = "KIND +NAME +GENERATION +CALLS +ERRORS", playbooks = "NAME", explain = "# +HOST",
      nodes = "NODE +ADDRESS", analyze = "a request takes", events = "", reload = "reloaded", overview = "hosts",
    } do
      local said, status = ctl(verb)
      assert.equal(0, status, verb .. ": " .. said)
      assert.matches(head, said)
      said, status = ctl("--json " .. verb)
      assert.equal(0, status, verb)
      assert.is_true(cjson.decode(said).ok, verb)
    end
  end)

  it("runs Lua where it is allowed, which is said at the start", function()
    assert.matches("controlEval: whoever reaches the control socket may run any Lua", policies.read(folder .. "/log"))
    assert.same({ "3\n", 0 }, { ctl "eval 'pool:getMetrics().hostsUp'" })
    assert.same({ "key    n\nlocal  1\n", 0 }, { ctl [[eval '{ { key = "local", n = 1 } }']] })
    assert.matches("^data_center +key", (ctl [[eval 'pool:execute("SELECT key, data_center FROM system.local")']]))
    assert.same({ "hello\n", 0 }, { ctl "eval 'print([[hello]])'" })
    assert.same({ 1, { a = 2 } }, json([[eval 'return 1, { a = 2 }']]).values)
    local said, status = ctl "eval 'error([[no]])'"
    assert.equal(1, status)
    assert.matches("^moonpool: eval", said)
  end)

  it("follows events", function()
    ctl "events" -- from now on they are kept
    os.execute(("( '%s' ctl --control %s/ctl.sock events --follow > %s/events 2>&1 & echo $! > %s/follower )"):format(
      program.moonpool, folder, folder, folder))
    ctl "node 3 kill"
    eventually("hostDown", function() return policies.read(folder .. "/events"):find "hostDown +127%.0%.0%.3:" end)
    ctl "node 3 start"
    eventually("hostUp", function() return policies.read(folder .. "/events"):find "hostUp +127%.0%.0%.3:" end)
    ffi.C.kill(tonumber(policies.read(folder .. "/follower")), 15)
    local _, count = policies.read(folder .. "/events"):gsub("hostDown", "")
    assert.equal(1, count)
    local result = json "events"
    assert.is_true(result.last >= 2 and #result.events == result.last)
    assert.equal(0, #json("events " .. result.last).events)
    assert.is_true(result.events[1].at > 1.7e12)
  end)
end)
