-- SPDX-License-Identifier: Apache-2.0
-- Specs on a real Cassandra: brings the wanted cluster up, runs bodies as moonpool coroutines, breaks nodes.
local moonpool = require "moonpool"

local live = {}
local root = MOONPOOL_ROOT

local function script(command)
  local status = os.execute(string.format("'%s/scripts/cassandra' %s >>'%s/.cache/logs/live.log' 2>&1", root, command,
    root))
  return status == 0 or status == true
end

-- One of scripts/cassandra's commands, blocking; raises when it fails.
function live.cassandra(command)
  os.execute(string.format("mkdir -p '%s/.cache/logs'", root))
  if not script(command) then
    error("scripts/cassandra " .. command .. " failed; see .cache/logs/live.log", 2)
  end
end

-- The same while coroutines go on: returns when the command has ended.
function live.cassandraWhileRunning(command)
  local marker = os.tmpname()
  os.remove(marker)
  os.execute(string.format("( '%s/scripts/cassandra' %s >>'%s/.cache/logs/live.log' 2>&1; echo $? >'%s.part'; " ..
    "mv '%s.part' '%s' ) </dev/null &", root, command, root, marker, marker, marker))
  for _ = 1, 3000 do
    local file = io.open(marker)
    if file then
      local status = file:read "*l"
      file:close()
      os.remove(marker)
      assert(status == "0", "scripts/cassandra " .. command .. " failed; see .cache/logs/live.log")
      return
    end
    moonpool.sleep(100)
  end
  error("scripts/cassandra " .. command .. " takes too long", 2)
end

-- The cluster a spec wants, started or repaired as needed. A different one that runs is replaced.
function live.cluster(options)
  options = options or {}
  local up = string.format("up --version %s --nodes %d --dcs %d%s", options.version or "5.0", options.nodes or 3,
    options.dcs or 1, options.auth and " --auth" or "")
  if options.tls then up = up .. " --tls " .. options.tls end
  if options.tlsOnly then up = up .. " --tls-only " .. options.tlsOnly end
  os.execute(string.format("mkdir -p '%s/.cache/logs'", root))
  if not script(up) then
    live.cassandra "down"
    live.cassandra(up)
  end
end

-- busted's `it`, with bodies that run as coroutines of moonpool's.
function live.inCoroutine(it)
  return function(name, body)
    it(name, function() moonpool.run(body) end)
  end
end

-- The path that one of the scripts prints, of what it has installed.
local function installed(name, argument)
  local command = string.format("'%s/scripts/%s' '%s' 2>/dev/null", root, name, argument or "")
  local pipe = assert(io.popen(command))
  local path = pipe:read "*l"
  pipe:close()
  return assert(path, "scripts/" .. name .. " printed no path")
end
function live.python() return installed "python-driver" end
function live.cqlsh() return installed "cqlsh" end
-- The options of java that run a program of the tree with the Java driver.
function live.java(source) return installed("java-driver", root .. "/" .. source) end

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

-- Runs a command of the shell while this process goes on serving: the lines that it printed, and those of its errors.
-- It has to end well.
function live.run(command)
  local out = os.tmpname()
  -- The status appears by a rename, so that it is never read half written.
  os.execute(string.format("( { %s ; } >'%s' 2>'%s.err'; echo $? >'%s.part'; mv '%s.part' '%s.rc' ) </dev/null &",
    command, out, out, out, out, out))
  local status
  live.eventually(300000, "it ends: " .. command, function()
    local file = io.open(out .. ".rc")
    if not file then return false end
    status = file:read "*l"
    file:close()
    return true
  end)
  local answers, errors = lines_of(out), lines_of(out .. ".err")
  for _, suffix in ipairs { "", ".err", ".rc" } do os.remove(out .. suffix) end
  if status ~= "0" then
    error(("status %s of %s:\n%s\n%s"):format(status, command, table.concat(answers, "\n"):sub(-2000),
      table.concat(errors, "\n"):sub(-3000)), 2)
  end
  return answers, errors
end

local function merge(base, extra)
  for key, value in pairs(extra or {}) do base[key] = value end
  return base
end

-- A connected pool; `options` replace the defaults key by key.
function live.pool(options)
  local pool = moonpool.ConnectionPool(merge({
    contactPoints = { "127.0.0.1", "127.0.0.2", "127.0.0.3" },
    localDataCenter = "datacenter1",
  }, options))
  assert(pool:connect())
  return pool
end

local function schema_versions(pool)
  local versions, count = {}, 0
  for _, host in ipairs(pool:getHosts()) do
    local result = pool:execute("SELECT schema_version FROM system.local", nil, { host = host.address })
    local version = result and result:first().schema_version or "unknown of " .. host.address
    if not versions[version] then versions[version], count = true, count + 1 end
  end
  return count
end

-- A schema statement that says IF [NOT] EXISTS. On a cold or busy node it takes its time, and all nodes must know of it
-- before the next one. One that the others took for dead when it was told (a spec before had stopped it) asks for it by
-- itself, and not before a minute has passed.
function live.ddl(pool, cql)
  local result, err
  for _ = 1, 10 do
    result, err = pool:execute(cql, nil, { timeout = 60000, isIdempotent = true })
    if result then break end
    moonpool.sleep(1000)
  end
  assert(result, err)
  for _ = 1, 900 do
    if schema_versions(pool) == 1 then return end
    moonpool.sleep(200)
  end
  error("the nodes do not agree on the schema after: " .. cql, 2)
end

function live.keyspace(pool, name, rf)
  live.ddl(pool, string.format("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = " ..
    "{'class': 'NetworkTopologyStrategy', 'datacenter1': %d}", name, rf or 3))
end

-- Wait until `condition` holds, at most `ms`.
function live.eventually(ms, what, condition)
  local deadline = moonpool.now() + ms
  while not condition() do
    if moonpool.now() > deadline then error("not within " .. ms .. " ms: " .. what, 2) end
    moonpool.sleep(50)
  end
end

-- The table NAME.kv of a hundred rows, k = 0 .. 99 and v = "v" .. k, on all replicas: an INSERT and a SELECT of it.
function live.rows(pool, name, rf)
  live.keyspace(pool, name, rf)
  live.ddl(pool, "CREATE TABLE IF NOT EXISTS " .. name .. ".kv (k int PRIMARY KEY, v text)")
  local insert = assert(pool:prepare("INSERT INTO " .. name .. ".kv (k, v) VALUES (?, ?)"))
  for k = 0, 99 do
    live.eventually(60000, "all replicas take a row", function()
      return (pool:execute(insert, { k, "v" .. k }, { consistency = "ALL", timeout = 20000 }))
    end)
  end
  return insert, assert(pool:prepare("SELECT v FROM " .. name .. ".kv WHERE k = ?"))
end

-- Events by name, as the pool tells them.
function live.listen(pool, ...)
  local told = {}
  for _, name in ipairs { ... } do
    told[name] = {}
    pool:on(name, function(...) table.insert(told[name], { ... }) end)
  end
  return told
end

-- Coroutines that work until stopped: each calls work(i, n) again and again and counts what it returns.
function live.load(workers, work)
  local load = { requests = 0, failed = {}, stopped = false, futures = {} }
  for i = 1, workers do
    load.futures[i] = moonpool.spawn(function()
      local n = 0
      while not load.stopped do
        n = n + 1
        load.requests = load.requests + 1
        local ok, err = work(i, n)
        if not ok then table.insert(load.failed, err) end
      end
      return true
    end)
  end
  function load:stop()
    self.stopped = true
    assert(moonpool.all(self.futures))
    return self
  end
  return load
end

-- Reads and idempotent writes of live.rows at QUORUM from 16 coroutines; one request in five is tagged "scan".
function live.read_and_write(pool, insert, select)
  return live.load(16, function(i, n)
    local key = (i * 7919 + n * 31) % 100
    moonpool.sleep(2)
    if n % 3 == 0 then
      return pool:execute(insert, { key, "v" .. key }, { consistency = "QUORUM", isIdempotent = true, timeout = 12000 })
    end
    local result, err = pool:execute(select, { key },
      { consistency = "QUORUM", timeout = 12000, tag = n % 5 == 0 and "scan" or nil })
    if not result then return nil, err end
    local row = result:first()
    if not row or row.v ~= "v" .. key then return nil, "a wrong row for " .. key end
    return true
  end)
end

return live
