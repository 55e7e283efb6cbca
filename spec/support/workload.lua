-- SPDX-License-Identifier: Apache-2.0
-- Requests whose answers can be judged: each operation has an id of its own, and afterwards the tables say what became
-- of it. The oracles:
--
--   each request completes once, in time                      submitted, finished; LATE_MS
--   an answer belongs to its question                         read: the row carries the key and its value
--   what is not idempotent is executed once at most           append, lock: the nodes' own log
--   an acknowledged write is there                            write, append, count, lock
--   "certainly not applied" is certain                        append, count, lock
--   attempts are bounded                                      ATTEMPTS_MAX, and the pool's own counters
local moonpool = require "moonpool"

local LATE_MS = 60 -- a deadline is kept within this
local ATTEMPTS_MAX = 24
local ROWS, LISTS, COUNTERS = 40, 8, 4

local workload = {}
local Load = {}
Load.__index = Load

local function value_of(key) return "value of " .. key end

local tables = {
  "CREATE TABLE ks.rows (k text PRIMARY KEY, v text)",
  "CREATE TABLE ks.lists (k int PRIMARY KEY, l list<text>)",
  "CREATE TABLE ks.counts (k int PRIMARY KEY, c counter)",
  "CREATE TABLE ks.locks (k text PRIMARY KEY, v text)",
}
local statements = {
  read = "SELECT k, v FROM ks.rows WHERE k = ?",
  write = "INSERT INTO ks.rows (k, v) VALUES (?, ?)",
  append = "UPDATE ks.lists SET l = l + ? WHERE k = ?",
  list = "SELECT l FROM ks.lists WHERE k = ?",
  count = "UPDATE ks.counts SET c = c + 1 WHERE k = ?",
  counted = "SELECT c FROM ks.counts WHERE k = ?",
  lock = "INSERT INTO ks.locks (k, v) VALUES (?, ?) IF NOT EXISTS",
  locked = "SELECT v FROM ks.locks WHERE k = ?",
}

-- Makes the tables, fills the rows to read, prepares. `options`: consistency, timeout (of a request, ms), mix (shares
-- of read, write, append, count, lock in percent).
function workload.new(world, pool, options)
  options = options or {}
  local self = setmetatable({
    world = world, pool = pool, random = world.random,
    consistency = options.consistency or "QUORUM",
    timeout = options.timeout or 2000,
    mix = options.mix or { read = 35, write = 20, append = 25, count = 10, lock = 10 },
    submitted = 0, finished = 0, failed = {}, slowest = 0, ops = {}, prepared = {}, of = {}, faults = {},
  }, Load)
  for _, cql in ipairs(tables) do world.cluster:schema(cql) end
  for name in pairs(statements) do self.of[name] = { ok = 0, unknown = 0, never = 0 } end
  for _, name in ipairs { "read", "write", "append", "list", "count", "counted", "lock", "locked" } do
    self.prepared[name] = assert(pool:prepare(statements[name]))
  end
  for i = 1, ROWS do
    local key = "row-" .. i
    assert(pool:execute(self.prepared.write, { key, value_of(key) }, { consistency = "ALL", isIdempotent = true }))
  end
  return self
end

function Load:fault(text)
  self.faults[#self.faults + 1] = text
end

function Load:submit(kind, parameters, idempotent)
  local oracles = self.world.oracles
  local began, slept = moonpool.now(), oracles.slept
  self.submitted = self.submitted + 1
  local result, err = self.pool:execute(self.prepared[kind], parameters,
    { consistency = self.consistency, isIdempotent = idempotent, timeout = self.timeout })
  self.finished = self.finished + 1
  local took = moonpool.now() - began
  self.slowest = math.max(self.slowest, took)
  if took > self.timeout + oracles.slept - slept + LATE_MS then
    self:fault(string.format("a %s took %d ms, allowed are %d: %s", kind, took, self.timeout,
      tostring(err or "answered")))
  end
  local attempts = result and result.info.attempts or err and (err.attemptTotal or #err.attempts) or 0
  if attempts > ATTEMPTS_MAX then self:fault("a " .. kind .. " was tried " .. attempts .. " times") end
  return result, err
end

-- Notes what is known about the operation.
function Load:note(kind, result, err, op)
  local fate = result and "ok" or err.maybeApplied and "unknown" or "never"
  self.of[kind][fate] = self.of[kind][fate] + 1
  if err then table.insert(self.failed, { kind = kind, err = err }) end
  if op then
    op.kind, op.fate, op.err = kind, fate, err
    self.ops[#self.ops + 1] = op
  end
  return result, err
end

local kinds = {}

function kinds.read(self)
  local key = "row-" .. (self.random(ROWS) + 1)
  local result, err = self:note("read", self:submit("read", { key }))
  if not result then
    if err.maybeApplied then self:fault "a read may have been applied" end
    return nil, err
  end
  local row = result:first()
  if not row or row.k ~= key or row.v ~= value_of(key) then
    self:fault("asked for " .. key .. ", got " .. tostring(row and row.k) .. " = " .. tostring(row and row.v))
  end
  return result
end

function kinds.write(self, n)
  local key = "key-" .. n
  local result, err = self:submit("write", { key, value_of(key) }, true)
  return self:note("write", result, err, { key = key })
end

function kinds.append(self, n)
  local op = { id = "op-a" .. n, key = n % LISTS }
  local result, err = self:submit("append", { { op.id }, op.key })
  return self:note("append", result, err, op)
end

function kinds.count(self, n)
  local op = { key = n % COUNTERS }
  local result, err = self:submit("count", { op.key })
  return self:note("count", result, err, op)
end

function kinds.lock(self, n)
  local op = { id = "op-l" .. n, key = "lock-" .. math.floor(n / 40) }
  local result, err = self:submit("lock", { op.key, op.id })
  op.won = result and result.wasApplied
  return self:note("lock", result, err, op)
end

-- One request of a kind by chance, or of the named kind.
function Load:one(kind)
  self.sequence = (self.sequence or 0) + 1
  if not kind then
    local at = self.random(100)
    for _, name in ipairs { "read", "write", "append", "count", "lock" } do
      at = at - (self.mix[name] or 0)
      if at < 0 then kind = name break end
    end
    kind = kind or "read"
  end
  return kinds[kind](self, self.sequence)
end

-- `total` requests from `workers` coroutines; `between(i)` is called before each, and may wait.
function Load:run(total, workers, between)
  local left, futures = total, {}
  for i = 1, workers or 16 do
    futures[i] = self.world:spawn(function()
      while left > 0 do
        left = left - 1
        if between then between(total - left) end
        self:one()
      end
      return true
    end)
  end
  assert(moonpool.all(futures))
  return self
end

-- Requests until stop() is called, `pause` ms apart in each worker.
function Load:start(workers, pause, kind)
  self.stopped, self.background = false, {}
  for i = 1, workers or 8 do
    self.background[i] = self.world:spawn(function()
      while not self.stopped do
        self:one(kind)
        moonpool.sleep(pause or 5)
      end
      return true
    end)
  end
  return self
end

function Load:stop()
  self.stopped = true
  assert(moonpool.all(self.background))
  return self
end

-- ---- judgement --------------------------------------------------------------------------------------------

function Load:ask(name, key)
  for attempt = 1, 20 do
    local result, err = self.pool:execute(self.prepared[name], { key }, { consistency = "ALL", timeout = 5000 })
    if result then return result:first() end
    if attempt == 20 then error("the tables cannot be read afterwards: " .. tostring(err), 0) end
    moonpool.sleep(500)
  end
end

local function executed(self, op)
  local _, times = self.world.cluster:received(op.id)
  if times > 1 then self:fault(op.id .. " was executed " .. times .. " times: " .. tostring(op.err)) end
  if times > 0 and op.fate == "never" then
    self:fault(op.id .. " was executed, though certainly not: " .. tostring(op.err))
  end
end

local function check_append(self, op, stands)
  local times = stands[op.id] or 0
  executed(self, op)
  if op.fate == "ok" and times ~= 1 then self:fault(op.id .. " was acknowledged and stands " .. times .. " times") end
  if times > (op.fate == "never" and 0 or 1) then
    self:fault(op.id .. " (" .. op.fate .. ") stands " .. times .. " times: " .. tostring(op.err))
  end
end

local function check_lock(self, op, holders)
  local holder = holders[op.key]
  executed(self, op)
  if op.won and holder ~= op.id then
    self:fault(op.key .. " was given to " .. op.id .. " and is held by " .. tostring(holder))
  elseif holder == op.id and not op.won and op.fate ~= "unknown" then
    self:fault(op.key .. " is held by " .. op.id .. ", which was told that it is not: " .. tostring(op.err))
  elseif op.fate == "ok" and holder == nil then
    self:fault(op.key .. " is held by nobody though " .. op.id .. " had an answer")
  end
end

local function check_counts(self, ok, unknown)
  for key = 0, COUNTERS - 1 do
    local row = self:ask("counted", key)
    local value = row and row.c or 0
    if value < (ok[key] or 0) or value > (ok[key] or 0) + (unknown[key] or 0) then
      self:fault(string.format("counter %d is %d: %d were acknowledged, %d unknown", key, value, ok[key] or 0,
        unknown[key] or 0))
    end
  end
end

-- Reads what stands and holds it against what was said. Raises with all that is wrong.
function Load:check()
  local stands, holders, ok, unknown = {}, {}, {}, {}
  for key = 0, LISTS - 1 do
    local row = self:ask("list", key)
    for _, id in ipairs(row and row.l or {}) do stands[id] = (stands[id] or 0) + 1 end
  end
  for _, op in ipairs(self.ops) do
    if op.kind == "lock" and holders[op.key] == nil then
      local row = self:ask("locked", op.key)
      holders[op.key] = row and row.v or nil
    end
  end
  for _, op in ipairs(self.ops) do
    if op.kind == "append" then check_append(self, op, stands)
    elseif op.kind == "lock" then check_lock(self, op, holders)
    elseif op.kind == "count" then
      local to = op.fate == "ok" and ok or op.fate == "unknown" and unknown or {}
      to[op.key] = (to[op.key] or 0) + 1
    elseif op.kind == "write" and op.fate == "ok" then
      local row = self:ask("read", op.key)
      if not row or row.v ~= value_of(op.key) then self:fault("the acknowledged write of " .. op.key .. " is gone") end
    end
  end
  check_counts(self, ok, unknown)
  if self.submitted ~= self.finished then self:fault "a request did not complete exactly once" end
  local stats = self.pool:getStats()
  if stats.attempts > stats.requests * 2 + 1000 then
    self:fault(string.format("%d attempts for %d requests", stats.attempts, stats.requests))
  end
  if #self.faults > 0 then error(table.concat(self.faults, "\n", 1, math.min(#self.faults, 10)), 0) end
  return self
end

-- How many failed, all kinds or one.
function Load:failures(kind)
  local count = 0
  for _, failure in ipairs(self.failed) do count = count + ((not kind or failure.kind == kind) and 1 or 0) end
  return count
end

-- Raises with the first failure when there is one.
function Load:none_failed()
  if #self.failed > 0 then
    error(string.format("%d of %d requests failed, first a %s: %s", #self.failed, self.finished, self.failed[1].kind,
      tostring(self.failed[1].err)), 2)
  end
  return self
end

--- A load of 32 at a time under which connections are cut so many times, at one node after the other; it has ended, all
--- is healed, and every oracle was asked.
function workload.under_cuts(world, pool, times)
  local load = workload.new(world, pool):start(32, 30)
  for i = 1, times do
    moonpool.sleep(700 + world.random(100))
    world.sim:cut(i % 3 + 1)
  end
  load:stop()
  world:healed(pool, 3000)
  load:check()
  return load
end

return workload
