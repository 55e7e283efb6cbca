-- SPDX-License-Identifier: Apache-2.0
-- A pool that stands and works, and one deed of it: each of the allocations that it takes fails in turn. Whichever it
-- is, each request ends once, with an answer or an error, and the next one is answered. The suite tries some of them,
-- spread evenly; with MOONPOOL_TORTURE all are tried.
local C = require "spec.support.c"
local moonpool = require "moonpool"
local spared = require "spec.support.faults.spared"
local support = require "spec.support.world"

local EVERY = os.getenv "MOONPOOL_TORTURE" and 1 -- scripts/torture, scripts/coverage
local TRIED = 60 -- of each, in the suite
local INSERT = "INSERT INTO t (k, v) VALUES (?, ?)"
local CONFIG = { requestTimeout = 400, attemptTimeout = 200,
  speculativeExecution = { policy = "ConstantSpeculativeExecutionPolicy", delay = 20, maxSpeculativeExecutions = 2 },
  pooling = { enableBatching = true, maxRequestsPerConnection = 8 } }

local deeds = {}

-- Writes that travel together, two of them to each of three nodes; and then one by one.
function deeds.merge(note)
  local futures = {}
  for k = 1, 6 do futures[k] = note.ask("executeAsync", note.insert, { k, "m" }) end
  for _, future in pairs(futures) do future:wait() end
end

function deeds.prepare(note)
  note.ask("prepare", "SELECT v FROM t WHERE k = ? LIMIT 5")
  note.ask("execute", "SELECT k FROM t WHERE k = ?", { 1 })
end

deeds["a change of the schema"] = function(note)
  note.ask("execute", "CREATE TABLE more (k int PRIMARY KEY)")
end

deeds["a batch"] = function(note)
  local batch = {}
  for k = 1, 20 do batch[k] = { INSERT, { k, "b" } } end
  note.ask("batch", batch)
end

deeds["a payload, a keyspace, a trace"] = function(note)
  note.ask("execute", "SELECT v FROM t WHERE k = 1", nil, { payload = { a = "1", b = ("2"):rep(3000) } })
  note.ask("execute", note.insert, { 1, ("v"):rep(20000) }, { traceQuery = true })
end

deeds["attempts behind attempts"] = function(note, world)
  local rule = spared(function(given) world.cluster:rule(given) end)
  rule { opcode = "EXECUTE", error = "OVERLOADED", times = 1 }
  note.ask("execute", note.select, { 1 })
  rule { opcode = "EXECUTE", swallow = true, times = 2 }
  note.ask("execute", note.select, { 1 })
  rule { opcode = "EXECUTE", error = "UNPREPARED", times = 1 }
  note.ask("execute", note.select, { 1 })
end

deeds["more than the connections take"] = function(note)
  local futures = {}
  for k = 1, 40 do futures[k] = note.ask("executeAsync", note.select, { k }) end
  for _, future in pairs(futures) do future:wait() end
end

-- Calls a method that may say that there is no memory; nothing else is taken for it.
local function call(pool, method, ...)
  local ok, result, err = pcall(pool[method], pool, ...)
  if not ok then
    assert(tostring(result):lower():find "memory", result)
    return nil
  end
  return result, err
end

local function once(deed, nth)
  local count
  support.run({ nodes = 3, rf = 1 }, function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
    local pool = world:pool(CONFIG)
    world:waitUp(pool)
    local note = {}
    note.insert = assert(pool:prepare(INSERT, { isIdempotent = true }))
    note.select = assert(pool:prepare "SELECT v FROM t WHERE k = ?")
    for node = 1, 3 do
      for _ = 1, 2 do assert(pool:execute(note.insert, { node, "x" }, { host = world:host(node) })) end
      assert(pool:execute(note.select, { node }, { host = world:host(node) }))
    end
    moonpool.sleep(50)
    function note.ask(...) return call(pool, ...) end
    local before = C.mp_mem_stats().allocs
    C.mp_mem_fail_at(nth, false)
    deed(note, world)
    count = tonumber(C.mp_mem_stats().allocs - before)
    C.mp_mem_fail_at(0, false)
    local stats = pool:getStats()
    assert.equal(0, stats.requestsInFlight + stats.requestsQueued)
    assert.truthy(pool:execute(note.insert, { 7, "seven" }))
    assert.equal("seven", assert(pool:execute(note.select, { 7 })):first().v)
  end)
  return count
end

describe("a pool in use, without memory", function()
  after_each(function() C.mp_mem_fail_at(0, false) end)
  for name, deed in pairs(deeds) do
    it("survives " .. name, function()
      local total = once(deed, 0)
      assert.is_true(total > 3, total)
      for nth = 1, total, EVERY or math.ceil(total / TRIED) do
        local ok, err = pcall(once, deed, nth)
        assert(ok, ("allocation %d of %d: %s"):format(nth, total, tostring(err)))
      end
    end)
  end
end)
