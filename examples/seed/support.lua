-- SPDX-License-Identifier: Apache-2.0
-- What the examples of this folder share: where the cluster is, a keyspace with rows, and how they look at what they
-- cause. They run on the simulated cluster of `moonpool run --embedded N` and, where nothing has to fail, on a real one
-- (CASSANDRA_HOSTS, CASSANDRA_DC).
local moonpool = require "moonpool"

local seed = { cluster = moonpool.embedded, hosts = {}, dc = os.getenv "CASSANDRA_DC" or "datacenter1" }

if seed.cluster then
  seed.hosts, seed.dc = seed.cluster.hosts, seed.cluster:node(1).dc
else
  for host in (os.getenv "CASSANDRA_HOSTS" or "127.0.0.1"):gmatch "[^,]+" do seed.hosts[#seed.hosts + 1] = host end
end

local ROWS = 30

-- The simulated cluster, for examples that kill nodes or slow them down.
function seed.faults()
  return assert(seed.cluster, "this example makes nodes fail: moonpool run --embedded N")
end

-- Checks an effect: what is not so ends the example.
function seed.check(what, ok, got)
  if not ok then error(("%s: it is not so (%s)"):format(what, tostring(got)), 2) end
end

function seed.eventually(what, condition, limit)
  local deadline = moonpool.now() + (limit or 20000)
  while true do
    local value = condition()
    if value then return value end
    if moonpool.now() > deadline then error("it did not happen in time: " .. what, 2) end
    moonpool.sleep(20)
  end
end

-- Once more until it works: a cluster that has just started takes its time.
local function patiently(pool, ...)
  local result, err
  for _ = 1, 20 do
    result, err = pool:execute(...)
    if result then return result end
    moonpool.sleep(500)
  end
  error(err, 0)
end

-- A keyspace with a table `items` of some rows, on every datacentre; its name.
function seed.keyspace(name)
  local pool = moonpool.ConnectionPool { contactPoints = seed.hosts, localDataCenter = seed.dc,
    logging = { level = "off" } }
  assert(pool:connect())
  local options, count = {}, {}
  for _, host in ipairs(pool:getHosts()) do count[host.datacenter] = (count[host.datacenter] or 0) + 1 end
  for dc, hosts in pairs(count) do options[#options + 1] = ("'%s': %d"):format(dc, math.min(hosts, 3)) end
  local slow = { timeout = 20000, isIdempotent = true }
  patiently(pool, ("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'NetworkTopologyStrategy', %s}")
    :format(name, table.concat(options, ", ")), nil, slow)
  patiently(pool, ("CREATE TABLE IF NOT EXISTS %s.items (id int PRIMARY KEY, name text)"):format(name), nil, slow)
  for id = 1, ROWS do
    patiently(pool, ("INSERT INTO %s.items (id, name) VALUES (?, ?)"):format(name), { id, "item " .. id },
      { consistency = "ALL", isIdempotent = true, timeout = 20000 })
  end
  pool:close()
  return name
end

-- Waits until the pool knows where the rows of a keyspace are; it asks when a statement of it is used first.
function seed.know(pool, keyspace)
  seed.eventually("replication is known", function()
    pool:execute("SELECT name FROM " .. keyspace .. ".items WHERE id = ?", { 1 })
    return pool:explain({ keyspace = keyspace, routingKey = "\0\0\0\1" }).hosts[1].isReplica
  end)
end

-- `count` reads one after the other: how many each host answered, by address, and by datacentre.
function seed.read(pool, count, keyspace, options)
  local by_host, by_dc, place = {}, {}, {}
  for _, host in ipairs(pool:getHosts()) do place[host.address] = host.datacenter end
  for i = 1, count do
    local id = i % ROWS + 1
    local result = assert(pool:execute(("SELECT name FROM %s.items WHERE id = ?"):format(keyspace), { id }, options))
    local row = result:first()
    seed.check("the row that was asked for", row and row.name == "item " .. id, row and row.name)
    local host = result.info.host
    by_host[host] = (by_host[host] or 0) + 1
    by_dc[place[host]] = (by_dc[place[host]] or 0) + 1
  end
  return by_host, by_dc
end

-- `count` coroutines that call fn(number) again and again, until the function is called that this returns; or for two
-- minutes, so that an example that fails ends.
function seed.busy(count, fn)
  local going, futures, deadline = true, {}, moonpool.now() + 120000
  for number = 1, count do
    futures[number] = moonpool.spawn(function()
      while going and moonpool.now() < deadline do fn(number) end
      return true
    end)
  end
  return function()
    going = false
    assert(moonpool.all(futures))
  end
end

-- A host of getHosts() by the place of its name in seed.hosts.
function seed.host(pool, number)
  local address = seed.hosts[number]
  if not address:find ":" then address = address .. ":9042" end
  for _, host in ipairs(pool:getHosts()) do
    if host.address == address then return host end
  end
end

function seed.sum(map)
  local sum = 0
  for _, value in pairs(map) do sum = sum + value end
  return sum
end

return seed
