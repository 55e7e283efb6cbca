-- SPDX-License-Identifier: Apache-2.0
-- The decision log: what is noted of a request, which requests are, and the files. The format is docs/decision-log.md.
local json = require "moonpool.cli.json"
local moonpool = require "moonpool"
local C = require "spec.support.c"
local config_file = require "spec.support.config_file"
local policies = require "spec.support.policies"
local without_world = it
local it = require("spec.support.world").inside(it)

local function table_of(world)
  world:schema "CREATE TABLE ks.users (id int PRIMARY KEY, name text)"
end

local function by_host(decision)
  local hosts = {}
  for _, host in ipairs(decision.hosts) do hosts[host.host] = host end
  return hosts
end

local function lines_of(path)
  local list, file = {}, io.open(path)
  if not file then return list end
  for line in file:lines() do list[#list + 1] = line end
  file:close()
  return list
end

local folders = {}
local function folder()
  folders[#folders + 1] = policies.folder()
  return folders[#folders]
end

describe("the decision log", function()
  teardown(function()
    for _, path in ipairs(folders) do policies.remove(path) end
  end)

  it("is not there unless the configuration wants it", {}, function(world)
    local pool = world:pool()
    assert(pool:execute("SELECT key FROM system.local"))
    local list, err = pool:decisions()
    assert.is_nil(list)
    assert.equal("NOT_FOUND", err.code)
    assert.truthy(tostring(err):find("decisionLog", 1, true), tostring(err))
    assert.equal(0, pool:getStats().decisions)
  end)

  it("tells what the policy saw, what it planned, and what became of it", { nodes = 6, dcs = 2 }, function(world)
    table_of(world)
    local pool = world:pool { decisionLog = { sample = 1 }, loadBalancing = { usedHostsPerRemoteDc = 1 } }
    world:waitUp(pool, 4)
    local here = world:host(2)
    assert(pool:setHostWeight(here, 0.25))
    assert(pool:setHostTags(here, { "old" }))
    local read = assert(pool:prepare "SELECT name FROM users WHERE id = ?")
    assert(pool:execute(read, { 1 })) -- the replicas of the keyspace are looked up
    moonpool.sleep(100)
    local answer = assert(pool:execute(read, { 7 }, { tag = "scan", consistency = "LOCAL_QUORUM" }))
    local list = assert(pool:decisions())
    local last = list[#list]
    assert.equal("read", last.request.kind)
    assert.same({ "ks", "users", "LOCAL_QUORUM", "scan", true, true },
      { last.request.keyspace, last.request.table, last.request.consistency, last.request.tag, last.request.isLocal,
        last.request.idempotent })
    assert.truthy(last.request.token:match "^%-?%d+$")
    assert.same({ "TokenAwarePolicy", 1, 1, "datacenter1" },
      { last.policy, last.version, last.generation, last.localDatacenter })
    assert.equal(6, #last.hosts)
    assert.is_nil(last.hostsLeftOut)
    local hosts, replicas = by_host(last), 0
    for _, host in ipairs(last.hosts) do replicas = replicas + (host.replica and 1 or 0) end
    assert.is_true(replicas >= 3)
    assert.same({ "datacenter1", "rack1", true, 0.25, { "old" } }, { hosts[here].datacenter, hosts[here].rack,
      hosts[here].isLocal, hosts[here].weight, hosts[here].tags })
    assert.is_nil(hosts[world:host(1)].weight)
    assert.equal(answer.info.host, last.plan[1].host)
    assert.equal(1, last.plan[1].step)
    assert.equal("replicas of the local datacentre, shuffled", last.steps[1])
    assert.same({ answer.info.host, answer.info.attempts }, { last.outcome.host, last.outcome.attempts })
    assert.is_nil(last.outcome.error)
    assert.is_true(last.outcome.latencyUs > 0)
    assert.equal(#list, pool:getStats().decisions)
  end)

  it("tells what kind of request it was about", {}, function(world)
    table_of(world)
    local pool = world:pool { decisionLog = { sample = 1 } }
    for _, case in ipairs {
      { "read", { "SELECT name FROM ks.users WHERE id = 1", { isIdempotent = true } }, true },
      { "write", { "INSERT INTO ks.users (id) VALUES (1)" } },
      { "write", { "INSERT INTO ks.users (id) VALUES (1)", { isIdempotent = true } }, true },
      { "lwt", { "INSERT INTO ks.users (id) VALUES (1) IF NOT EXISTS", { isIdempotent = true } } },
      { "batch", { { "INSERT INTO ks.users (id) VALUES (1)", "DELETE FROM ks.users WHERE id = 2" } } },
    } do
      local what, options = case[2][1], case[2][2]
      if type(what) == "table" then assert(pool:batch(what, options)) else assert(pool:execute(what, nil, options)) end
      local request = assert(pool:decisions(1))[1].request
      assert.same({ case[1], case[3] }, { request.kind, request.idempotent })
    end
  end)

  it("tells hosts that are down, requests that fail, and who answered instead", { nodes = 3 }, function(world)
    table_of(world)
    local pool = world:pool { decisionLog = { sample = 1 }, retry = { policy = "FallthroughRetryPolicy" } }
    world:waitUp(pool)
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    world.cluster:rule { statement = "users", error = "OVERLOADED", times = 1 }
    local _, err = pool:execute("SELECT name FROM users WHERE id = 1")
    local list = assert(pool:decisions(1))
    assert.equal(1, #list)
    assert.equal("down", by_host(list[1])[world:host(2)].state)
    assert.equal(err.code, list[1].outcome.error)
    assert.equal(err.host, list[1].outcome.host)
  end)

  local strange = { 'd"\\c', "\255\254 no text", "Zürich-Süd", "plain-but-longer-than-eight" }
  for _, name in ipairs(strange) do
    it("tells the name of a datacentre whatever it is: " .. ("%q"):format(name):gsub("\n", "n"),
      { nodes = 3, datacenters = { { name, 3 } } }, function(world)
        local pool = world:pool { decisionLog = { sample = 1 }, localDataCenter = name }
        assert(pool:execute "SELECT key FROM system.local")
        local last = assert(pool:decisions(1))[1]
        local told = name:gsub("[\254\255]", "?")
        assert.same({ told, told }, { last.localDatacenter, last.hosts[1].datacenter })
      end)
  end

  it("tells no other host in the place of one that is gone", { nodes = 3 }, function(world)
    local pool = world:pool { decisionLog = { sample = 1 } }
    local gone = world:host(3)
    assert(pool:execute "SELECT key FROM system.local")
    assert.truthy(by_host(assert(pool:decisions(1))[1])[gone])
    world.cluster:kill(3)
    world.cluster:removeNode(3)
    world:eventually("it has left", function() return #pool:getHosts() == 2 end)
    local new = world.cluster:addNode { address = "127.0.0.9" } -- in its slot
    world:waitUp(pool, 3)
    local then_, now = assert(pool:decisions(1))[1]
    assert.is_nil(by_host(then_)[gone])
    assert.is_nil(by_host(then_)[world:host(new)])
    assert.truthy(by_host(then_).gone)
    assert(pool:execute "SELECT key FROM system.local")
    now = assert(pool:decisions(1))[1]
    assert.truthy(by_host(now)[world:host(new)])
    assert.is_nil(by_host(now).gone)
    assert.equal(by_host(then_).gone.slot, by_host(now)[world:host(new)].slot)
  end)

  it("tells a tag whatever is in it", {}, function(world)
    local pool = world:pool { decisionLog = { sample = 1 } }
    local bytes = {}
    for c = 1, 127 do bytes[c] = string.char(c) end
    local tags = { table.concat(bytes), "one", "\27[31m", "ü\255" }
    assert(pool:setHostTags(world:host(1), tags))
    assert(pool:execute "SELECT key FROM system.local")
    local host = by_host(assert(pool:decisions(1))[1])[world:host(1)]
    tags[4] = "???"
    table.sort(host.tags)
    table.sort(tags)
    assert.same(tags, host.tags)
    local many = {}
    for i = 1, C.MP_MARKS_MAX - 4 do many[i] = ("t%02d"):format(i) end
    many[#many + 1] = "one"
    assert(pool:setHostTags(world:host(1), many)) -- the last bit is one of theirs
    assert(pool:execute "SELECT key FROM system.local")
    host = by_host(assert(pool:decisions(1))[1])[world:host(1)]
    table.sort(host.tags)
    table.sort(many)
    assert.same(many, host.tags)
  end)

  it("has no value, no statement and no secret", {}, function(world)
    table_of(world)
    local path = folder() .. "/log"
    local pool = world:pool { decisionLog = { sample = 1, file = path } }
    local insert = assert(pool:prepare "INSERT INTO users (id, name) VALUES (?, ?)")
    assert(pool:execute(insert, { 4711, "hunter2-bound" }))
    assert(pool:execute("INSERT INTO users (id, name) VALUES (4712, 'hunter2-text')"))
    pool:execute "SELECT hunter2 FROM"
    pool:close()
    local text = table.concat(lines_of(path), "\n")
    assert.is_true(#text > 1000)
    for _, secret in ipairs { "hunter2", "4711", "4712", "INSERT", "SELECT" } do
      assert.is_nil(text:find(secret, 1, true), secret)
    end
  end)

  it("notes the share of the requests that was asked for", {}, function(world)
    local pool = world:pool { decisionLog = { sample = 0.1 } }
    for _ = 1, 4000 do assert(pool:execute("SELECT key FROM system.local")) end
    local noted = pool:getStats().decisions
    assert.is_true(noted > 320 and noted < 480, noted .. " of 4000")
  end)

  it("keeps the last thousand", {}, function(world)
    local pool = world:pool { decisionLog = { sample = 1 } }
    for _ = 1, 1234 do assert(pool:execute("SELECT key FROM system.local")) end
    local list = assert(pool:decisions())
    assert.equal(1000, #list)
    local number = pool:getStats().decisions
    assert.same({ number - 999, number }, { list[1].number, list[1000].number })
    assert.equal(5, #assert(pool:decisions(5)))
    assert.equal(0, pool:getStats().decisionsLost)
  end)

  it("of many hosts notes the replicas, those of the plan, and others", { nodes = 60, rf = 3 }, function(world)
    table_of(world)
    local pool = world:pool { decisionLog = { sample = 1 } }
    world:waitUp(pool)
    local read = assert(pool:prepare "SELECT name FROM users WHERE id = ?")
    assert(pool:execute(read, { 1 }))
    moonpool.sleep(100)
    for id = 1, 20 do
      assert(pool:execute(read, { id }))
      local last = assert(pool:decisions(1))[1]
      assert.same({ 48, 12 }, { #last.hosts, last.hostsLeftOut })
      local hosts, replicas = by_host(last), 0
      for _, host in pairs(hosts) do replicas = replicas + (host.replica and 1 or 0) end
      assert.equal(3, replicas)
      assert.equal(8, #last.plan)
      for _, planned in ipairs(last.plan) do assert.truthy(hosts[planned.host]) end
    end
  end)

  it("writes every record once, as a line, also those of the last moment", {}, function(world)
    local path = folder() .. "/log"
    local pool = world:pool { decisionLog = { sample = 1, file = path } }
    for _ = 1, 300 do pool:execute("SELECT key FROM system.local") end
    moonpool.sleep(1500)
    assert.is_true(#lines_of(path) >= 300)
    for _ = 1, 50 do pool:executeAsync("SELECT key FROM system.local") end
    pool:close()
    local seen, count = {}, 0
    for _, line in ipairs(lines_of(path)) do
      local decision = assert(json.decode(line))
      assert.is_nil(seen[decision.number])
      assert.truthy(decision.outcome)
      seen[decision.number], count = true, count + 1
    end
    assert.equal(pool:getStats().decisions, count + pool:getStats().decisionsLost)
    assert.equal(0, pool:getStats().decisionsLost)
  end)

  it("renames a file that is full, and keeps what it may", {}, function(world)
    local where = folder()
    local path = where .. "/log"
    local pool = world:pool { decisionLog = { sample = 1, file = path, keep = 100000 } }
    for _ = 1, 60 do
      for _ = 1, 40 do pool:executeAsync("SELECT key FROM system.local") end
      moonpool.sleep(1100)
    end
    pool:close()
    local pipe, total, names = io.popen("ls -s --block-size=1 --time-style=+ -l " .. where), 0, {}
    for line in pipe:lines() do
      local size, name = line:match "(%d+)%s+(log[%.%d]*)$"
      if name then total, names[#names + 1] = total + tonumber(size), name end
    end
    pipe:close()
    assert.same({ "log", "log.1", "log.2", "log.3" }, names)
    assert.is_true(total <= 100000 + 8 * 4096, total .. " bytes")
    for _, name in ipairs(names) do
      for _, line in ipairs(lines_of(where .. "/" .. name)) do assert(json.decode(line)) end
    end
  end)

  it("goes on in a file that is full when it cannot be renamed", {}, function(world)
    local where = folder()
    local path = where .. "/log"
    os.execute(("mkdir -p '%s.2/in' '%s.3/in'"):format(path, path)) -- neither can take the other's place
    local pool = world:pool { decisionLog = { sample = 1, file = path, keep = 100000 } }
    for _ = 1, 10 do
      for _ = 1, 40 do pool:executeAsync("SELECT key FROM system.local") end
      moonpool.sleep(1100)
    end
    pool:close()
    local stats = pool:getStats()
    assert.equal(0, stats.decisionsLost)
    assert.equal(stats.decisions, #lines_of(path))
  end)

  it("follows its configuration, and says what it cannot write", {}, function(world)
    local where = folder()
    local config = where .. "/pool.lua"
    local function write(log)
      policies.write(config, ([[return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
        logging = { level = "off" }%s }]]):format(log and ", decisionLog = " .. log or ""))
    end
    local function ask(pool, count)
      for _ = 1, count do assert(pool:execute("SELECT key FROM system.local")) end
      return pool:getStats().decisions
    end
    write(nil)
    local pool = moonpool.ConnectionPool(config)
    world.pools[#world.pools + 1] = pool
    assert(pool:connect())
    assert.equal(0, ask(pool, 10))
    write "{}"
    assert(pool:reload())
    assert.truthy(pool:decisions())
    write('{ sample = 1, file = "' .. where .. '" }') -- a folder
    assert(pool:reload())
    local noted = ask(pool, 10)
    moonpool.sleep(1100)
    write('{ sample = 1, file = "log" }') -- beside the configuration
    assert(pool:reload())
    assert.equal(noted + 10, ask(pool, 10))
    moonpool.sleep(1100)
    assert.equal(10, #lines_of(where .. "/log"))
    write(nil)
    assert(pool:reload())
    assert.equal(noted + 10, ask(pool, 10))
    assert.is_nil(pool:decisions())
  end)

  it("shares its file with other pools", {}, function(world)
    local path = folder() .. "/log"
    local one = world:pool { decisionLog = { sample = 1, file = path, keep = "1MB" } }
    local two = world:pool { decisionLog = { sample = 1, file = path, keep = "1MB" } }
    for _ = 1, 10 do
      for _ = 1, 40 do
        one:executeAsync("SELECT key FROM system.local")
        two:executeAsync("SELECT key FROM system.local")
      end
      moonpool.sleep(1100)
    end
    one:close()
    two:close()
    local count = 0
    for _, name in ipairs { "", ".1", ".2", ".3" } do
      for _, line in ipairs(lines_of(path .. name)) do
        assert(json.decode(line))
        count = count + 1
      end
    end
    assert.equal(800, count)
    assert.truthy(io.open(path .. ".1"), "it was never renamed")
  end)

  it("takes nothing from the heap on a request's way", {}, function(world)
    local function taken(log)
      local pool = world:pool { decisionLog = log }
      local read = assert(pool:prepare "SELECT key FROM system.local")
      for _ = 1, 400 do assert(pool:execute(read)) end
      collectgarbage()
      collectgarbage "stop"
      local before = C.mp_mem_stats().allocs
      for _ = 1, 200 do assert(pool:execute(read)) end
      local count = tonumber(C.mp_mem_stats().allocs - before)
      collectgarbage "restart"
      return count
    end
    -- The cluster and Lua take their share, too, which varies a little; one more for each request would be 200.
    local plain, logged = taken(nil), taken { sample = 1, file = folder() .. "/log" }
    assert.is_true(logged < plain + 150, logged .. " and " .. plain .. " without the log")
  end)
end)

describe("decisionLog in a configuration", function()
  local function check(text) return config_file.check("decisionLog", text) end

  without_world("takes sizes as people write them", function()
    for text, bytes in pairs { ['"100MB"'] = 1e8, ["70000"] = 70000, ['"1.5 GB"'] = 1.5e9, ['"1MiB"'] = 1048576 } do
      assert.equal(bytes, assert(check("{ file = 'f', keep = " .. text .. " }")).decisionKeep)
    end
    for _, text in ipairs { '"much"', "12", "-1", '"1XB"', "true", '"0MB"', "1/0", "0/0" } do
      local checked, why = check("{ file = 'f', keep = " .. text .. " }")
      assert.is_nil(checked)
      assert.truthy(why:find("decisionLog.keep", 1, true), why)
    end
  end)

  without_world("names what is wrong", function()
    local _, why = check "{ sampel = 1 }"
    assert.truthy(why:find("did you mean sample", 1, true), why)
    _, why = check "{ sample = 2 }"
    assert.truthy(why:find("decisionLog.sample", 1, true), why)
    local _, warnings = check "{ keep = '1MB' }"
    assert.truthy(warnings[1]:find("decisionLog.keep", 1, true), warnings[1])
  end)
end)
