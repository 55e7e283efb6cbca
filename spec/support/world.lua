-- SPDX-License-Identifier: Apache-2.0
-- The one fixture of spec/fault and spec/scenario: a pool and a simulated cluster in virtual time, from one seed.
--
--   local it = require "spec.support.world".inside(it)
--   it("keeps its word", { nodes = 5 }, function(world) local pool = world:pool() ... end)
--
-- The body is a coroutine of that world. Behind it every pool is closed, and then nothing may be left: no connection,
-- no timer, no future, no request. A failure names the seed; MOONPOOL_SEED=N runs with that one instead.
local moonpool = require "moonpool"
local oracles = require "spec.support.faults.oracles"
local sim = require "moonpool.sim"

local M = {}

local KEEP_ALIVE_MS = 65000 -- a node hears of a client that gave up without a word after a minute at most

M.given_seed = tonumber(os.getenv "MOONPOOL_SEED")

-- What a pool has unless the spec says otherwise: short times, so that a second is a long time.
local defaults = {
  contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1", keyspace = "ks",
  requestTimeout = 2000, attemptTimeout = 500, logging = { level = "off" },
}
local pooling_defaults = {
  heartBeatInterval = 5000, heartBeatTimeout = 1000, connectionTimeout = 2000, idleTimeout = 60000,
  reconnectBaseDelay = 100, reconnectMaxDelay = 1000, connectionsPerSecond = 0,
}
local cluster_defaults = { nodes = 3, rf = 3, readTimeout = 1000, writeTimeout = 1000, detectTime = 1000 }

local function merged(base, extra)
  local out = {}
  for key, value in pairs(base) do out[key] = value end
  for key, value in pairs(extra or {}) do
    if value == M.none then out[key] = nil else out[key] = value end
  end
  return out
end
M.none = {} -- takes a default away

-- A random source that belongs to the spec: random(n) is 0 .. n - 1.
M.random = require "moonpool.prove.random"

local World = {}
World.__index = World

function M.open(options)
  options = options or {}
  local seed = M.given_seed or options.seed or 1
  local self = setmetatable({ seed = seed, pools = {}, served = {}, futures = {}, faults = {}, options = options },
    World)
  self.oracles = oracles.of(self)
  local given = merged(cluster_defaults, options)
  given.seed, given.heals, given.rf = seed, nil, options.rf or math.min(3, given.nodes)
  self.sim = sim.world(given)
  self.cluster = self.sim.cluster
  self.nodes = given.nodes
  self.random = M.random(seed)
  self.began = given.beginMs or 1000
  self.oracles:watch(self.sim)
  return self
end

function World.configuration(_, extra)
  local configuration = merged(defaults, extra)
  configuration.pooling = merged(pooling_defaults, extra and extra.pooling)
  return configuration
end

-- A pool that is closed with the world; not connected.
function World:newPool(extra)
  local configuration = self:configuration(extra)
  local pool = assert(moonpool.ConnectionPool(configuration)) -- nil, err: it finds no memory
  self.pools[#self.pools + 1] = pool
  self.oracles:pool(pool, configuration)
  return pool
end

function World:pool(extra)
  local pool = self:newPool(extra)
  assert(pool:connect())
  self.served[pool] = true
  return pool
end

function World:schema(...)
  for _, cql in ipairs { ... } do self.cluster:schema(cql) end
end

-- A coroutine that has to end before the world does.
function World:spawn(fn, ...)
  local future = moonpool.spawn(fn, ...)
  self.futures[#self.futures + 1] = future
  return future
end

function World.eventually(_, what, condition, limit_ms)
  local deadline = moonpool.now() + (limit_ms or 10000)
  while true do
    local value = condition()
    if value then return value end
    if moonpool.now() > deadline then error("it did not happen in time: " .. what, 2) end
    moonpool.sleep(10)
  end
end

-- Writes "old", whose first attempt reaches its node late, then "new", and gives what stands in the end.
function World:late_write(pool)
  self:schema "CREATE TABLE IF NOT EXISTS ks.late (k int PRIMARY KEY, v text)"
  local safe = { consistency = "QUORUM", isIdempotent = true, prepare = false }
  self.cluster:rule { statement = "'old'", delay = 1000, times = 1 }
  local written = assert(pool:execute("INSERT INTO ks.late (k, v) VALUES (1, 'old')", nil, safe))
  assert(written.info.attempts == 2, "the first attempt was not late")
  assert(pool:execute("INSERT INTO ks.late (k, v) VALUES (1, 'new')", nil, safe))
  moonpool.sleep(1500)
  return assert(pool:execute("SELECT v FROM ks.late WHERE k = 1", nil, { consistency = "ALL" })):first().v
end

-- 40 writes of one turn: how many merged batches the pool made of them.
function World.merges(_, pool)
  local insert = assert(pool:prepare("INSERT INTO t (id, v) VALUES (?, 'merged')", { isIdempotent = true }))
  assert(pool:execute(insert, { 0 })) -- where the rows of the keyspace are is known from its first use on
  moonpool.sleep(50)
  local before, futures = pool:getStats().mergedBatches, {}
  for i = 1, 40 do futures[i] = pool:executeAsync(insert, { i }) end
  assert(moonpool.all(futures))
  return pool:getStats().mergedBatches - before
end

-- Six coroutines that call ask(number), which gives nil and an error when it fails, until the function that this
-- returns is called (or 3000 requests were made: a spec may have failed). It raises when one failed, and gives their
-- number.
function World:keepAsking(ask)
  local going, count, failure = true, 0, nil
  for number = 1, 6 do
    self:spawn(function()
      while going and count < 3000 do
        local result, err = ask(number)
        count = count + 1
        if not result then failure = failure or err end
      end
    end)
  end
  return function()
    going = false
    moonpool.sleep(1000)
    if failure then error(tostring(failure), 2) end
    return count
  end
end

-- Events of a pool: a table of lists, by name; each entry is what a handler gets, in { ... }.
function World.listen(_, pool, ...)
  local told = {}
  for _, name in ipairs { ... } do
    told[name] = {}
    pool:on(name, function(...) table.insert(told[name], { ... }) end)
  end
  return told
end

function World:host(node)
  return self.cluster:node(node).address .. ":9042"
end

-- ---- hosts as a pool sees them ----------------------------------------------------------------------------

function World:status(pool, node)
  local address = self:host(node)
  for _, host in ipairs(pool:getHosts()) do
    if host.address == address then return host.status, host end
  end
end

function World.upCount(_, pool)
  local up = 0
  for _, host in ipairs(pool:getHosts()) do up = up + (host.status == "up" and 1 or 0) end
  return up
end

function World:waitUp(pool, count, limit_ms)
  self:eventually((count or self.nodes) .. " hosts are up",
    function() return self:upCount(pool) == (count or self.nodes) end, limit_ms)
end

function World:waitStatus(pool, node, status, limit_ms)
  self:eventually("node " .. node .. " is " .. tostring(status),
    function() return self:status(pool, node) == status end, limit_ms)
end

-- The node that keeps the control connection: it is the one with more connections than the pool holds there.
function World:controlNode(pool, except)
  for node = 1, #self.cluster:nodes() do
    local _, host = self:status(pool, node)
    if host and node ~= except and self.cluster:node(node).connections > host.connections then return node end
  end
end

-- ---- network faults that healing ends ---------------------------------------------------------------------

for _, kind in ipairs { "blackhole", "partition", "stall", "failLocal" } do
  World[kind] = function(self, node, on)
    local address = self.cluster:node(node).address
    self.sim[kind](self.sim, address, on ~= false)
    self.faults[kind .. " " .. address] = on ~= false and { kind, address } or nil
  end
end

-- Every fault ends. What is dead starts, what is paused goes on.
function World:calm()
  self.cluster:clearRules()
  for key, fault in pairs(self.faults) do
    self.sim[fault[1]](self.sim, fault[2], false)
    self.faults[key] = nil
  end
  self.sim:latency(0.25)
  for number, node in ipairs(self.cluster:nodes()) do
    if node.member then
      if node.paused then self.cluster:resume(number)
      elseif not node.serving then self.cluster:start(number) end
    end
  end
end

-- Healed: soon after the faults have ended each host that the pool uses serves again.
function World:healed(pool, limit_ms)
  self:calm()
  local deadline = moonpool.now() + (limit_ms or 10000)
  for number, node in ipairs(self.cluster:nodes()) do
    local _, host = self:status(pool, number)
    local result, err = host and host.distance == "ignored"
    while node.member and not result do
      result, err = pool:execute("SELECT key FROM system.local", nil, { host = self:host(number) })
      if not result and moonpool.now() > deadline then
        error("node " .. number .. " does not serve again: " .. tostring(err), 2)
      end
      moonpool.sleep(result and 0 or 20)
    end
  end
end

-- ---- the end ----------------------------------------------------------------------------------------------

function World:checkPool(pool)
  local stats = pool:getStats()
  local left = stats.requestsInFlight + stats.requestsQueued
  if left ~= 0 then error(left .. " requests were never completed", 0) end
  local failures = pool:getHandlerErrors()
  if failures ~= 0 and not self.handlersMayFail then error(failures .. " handlers failed", 0) end
end

function World:finish()
  for i, future in ipairs(self.futures) do
    if not future:done() then error("coroutine " .. i .. " has not ended", 0) end
    local _, err = future:wait()
    if err ~= nil then error("coroutine " .. i .. ": " .. tostring(err), 0) end
  end
  self.oracles:calm()
  for _, pool in ipairs(self.pools) do
    if not tostring(pool):find "%(clos" then self:checkPool(pool) end
    pool:close()
    self:checkPool(pool)
    assert(#pool:getConnectionDetails() == 0, "a closed pool has connections")
  end
  self:calm()
  moonpool.sleep(5000)
  local deadline = moonpool.now() + KEEP_ALIVE_MS
  for number in ipairs(self.cluster:nodes()) do
    while self.cluster:node(number).connections ~= 0 do
      if moonpool.now() > deadline then error("node " .. number .. " still has connections", 0) end
      moonpool.sleep(1000)
    end
  end
  self.oracles:check()
end

-- Runs body(world, ...) in a new world; returns the hash of all that happened there, and the trace if it was asked for.
function M.run(options, body, ...)
  local world = M.open(options)
  world.oracles:attach()
  local args = { ... }
  local ok, err = xpcall(function()
    world.sim:run(function()
      body(world, unpack(args))
      world:finish()
    end)
  end, function(err) return type(err) == "table" and (err.message or tostring(err)) or tostring(err) end)
  local trace = options and options.trace and world.sim:trace()
  local closed, hash = pcall(world.sim.close, world.sim)
  if ok and not closed then ok, err = false, hash end
  local kept, breaches = pcall(world.oracles.detach, world.oracles, not ok)
  if ok and not kept then ok, err = false, breaches end
  if not ok then error(tostring(err) .. "\n(MOONPOOL_SEED=" .. world.seed .. ")", 0) end
  return hash, trace
end

-- busted's `it`, with bodies that run in a world: it(name, [options,] body).
function M.inside(it)
  return function(name, options, body)
    if not body then options, body = nil, options end
    it(name, function() M.run(options, body) end)
  end
end

return M
