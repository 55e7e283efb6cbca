-- SPDX-License-Identifier: Apache-2.0
-- What automatic batching is worth: inserts by COROUTINES that each wait for their answer, with and without, in turn.
-- usage: moonpool run bench/batching.lua [SECONDS [COROUTINES [PID...]]]
-- Needs a Cassandra at 127.0.0.1:9042 (scripts/cassandra up); PIDs of its nodes, whose processor time is told, too.
local moonpool = require "moonpool"

local seconds, coroutines = tonumber(arg[1]) or 10, tonumber(arg[2]) or 256
local pids = { unpack(arg, 3) }
local VALUE = ("x"):rep(100)

local function server_seconds()
  local ticks = 0
  for _, pid in ipairs(pids) do
    local file = io.open("/proc/" .. pid .. "/stat")
    local user, system = file:read("*a"):match("%) %S" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
    file:close()
    ticks = ticks + user + system
  end
  return ticks / 100
end

local function pool_with(batching)
  local pool = moonpool.ConnectionPool {
    contactPoints = { "127.0.0.1" }, requestTimeout = 20000, pooling = batching or nil,
  }
  assert(pool:connect())
  return pool
end

local function prepare(pool)
  return assert(pool:prepare("INSERT INTO bench.rows (k, v) VALUES (?, ?)",
    { isIdempotent = true, consistency = "LOCAL_QUORUM" }))
end

local function measure(name, batching)
  local pool = pool_with(batching)
  local insert, done, stop = prepare(pool), 0, moonpool.now() + 1000
  local function work(first)
    local k = first
    while moonpool.now() < stop do
      assert(pool:execute(insert, { k, VALUE }))
      k, done = k + coroutines, done + 1
    end
    return true
  end
  local function all()
    local futures = {}
    for i = 1, coroutines do futures[i] = moonpool.spawn(work, i) end
    assert(moonpool.all(futures))
  end
  all() -- warm
  local client, server, began, before = os.clock(), server_seconds(), moonpool.now(), pool:getStats()
  done, stop = 0, moonpool.now() + seconds * 1000
  all()
  local took = (moonpool.now() - began) / 1000
  local stats = pool:getStats()
  local attempts = stats.attempts - before.attempts
  print(("%-28s %8.0f inserts/s  %6.2f a message  client %6.1f us  servers %6.1f us  p99 %5.1f ms"):format(name,
    done / took, done / attempts, (os.clock() - client) / done * 1e6, (server_seconds() - server) / done * 1e6,
    pool:getMetrics().latencyP99))
  pool:close()
end

local pool = pool_with()
assert(pool:execute("CREATE KEYSPACE IF NOT EXISTS bench WITH replication = "
  .. "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}"))
assert(pool:execute "CREATE TABLE IF NOT EXISTS bench.rows (k int PRIMARY KEY, v text)")
pool:close()
for round = 1, 2 do
  print("round " .. round)
  measure "without"
  measure("batchTimeout 0", { enableBatching = true })
  measure("batchTimeout 2", { enableBatching = true, batchTimeout = 2 })
end
