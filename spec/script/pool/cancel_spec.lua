-- SPDX-License-Identifier: Apache-2.0
-- future:cancel(): in each state of a request it ends at once with CANCELLED; what was not sent is not sent, and what
-- was says that it may be applied.
local moonpool = require "moonpool"
local sim = require "moonpool.sim"
local busted_it = it
local it = require("spec.support.world").inside(it) -- luacheck: ignore 411

local ONE = { ["0"] = 1 }

local function open(world, extra)
  world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
  local pool = world:pool(extra)
  world:waitUp(pool)
  return pool
end

local function cancel(future)
  assert.is_true(future:cancel())
  assert.is_false(future:cancel()) -- it is on its way to its end
  local result, err = future:wait()
  assert.same({ nil, "CANCELLED" }, { result, err.code })
  assert.same({ true, false }, { future:done(), future:cancel() })
  return err
end

-- Messages that the pool sends for requests while fn runs and for a second after it.
local function sent(pool, fn)
  local before = pool:getStats().attempts
  fn()
  moonpool.sleep(1000)
  return pool:getStats().attempts - before
end

local function assert_raises(fn, what)
  local ok, why = pcall(fn)
  assert.is_false(ok)
  assert.matches(what, why)
end

local function stored(pool, k)
  return #assert(pool:execute("SELECT v FROM t WHERE k = " .. k, nil, { consistency = "ALL" })).rows
end

describe("a request is cancelled", function()
  it("while a node has it, and its answer is thrown away", function(world)
    local pool = open(world)
    world.cluster:rule { opcode = "QUERY", statement = "t", delay = 200, times = 3 }
    for statement, applied in pairs { ["SELECT v FROM t"] = false, ["INSERT INTO t (k, v) VALUES (1, 'x')"] = true } do
      local future = pool:executeAsync(statement)
      moonpool.sleep(50)
      local err = cancel(future)
      assert.equal(applied, err.maybeApplied)
      assert.matches("^127%.0%.0%.%d:9042: cancelled by its caller$", err.message)
      assert.same({ 1, "CANCELLED" }, { #err.attempts, err.attempts[1].code })
    end
    local others = {}
    for i = 1, 20 do others[i] = pool:executeAsync "SELECT k FROM t" end
    for _, other in ipairs(others) do assert.equal("k", assert(other:wait()).columns[1].name) end
    moonpool.sleep(500)
    local stats = pool:getStats()
    assert.same({ 2, 2, 0, 0 }, { stats.cancelled, stats.lateAnswers, stats.errors, stats.requestsInFlight })
    assert.equal(1, stored(pool, 1))
  end)

  it("before its bytes have left", function(world)
    local pool = open(world)
    local insert = assert(pool:prepare "INSERT INTO t (k, v) VALUES (?, ?)")
    assert.is_true(cancel(pool:executeAsync(insert, { 1, "x" })).maybeApplied) -- they are not taken back
  end)

  it("while it waits for room on a connection", { nodes = 1 }, function(world)
    local pool = open(world, { pooling = { coreConnectionsPerHost = ONE, maxConnectionsPerHost = ONE,
      maxRequestsPerConnection = 1 } })
    world.cluster:rule { opcode = "QUERY", statement = "SELECT v", delay = 200, times = 1 }
    local first
    assert.equal(1, sent(pool, function()
      first = pool:executeAsync "SELECT v FROM t"
      local second = pool:executeAsync "INSERT INTO t (k, v) VALUES (1, 'x')"
      moonpool.sleep(20)
      assert.equal(1, pool:getStats().requestsQueued)
      local err = cancel(second)
      assert.same({ "cancelled by its caller", false, 0 }, { err.message, err.maybeApplied, #err.attempts })
      assert.equal(0, pool:getStats().requestsQueued)
    end))
    assert(first:wait())
    assert.equal(0, stored(pool, 1))
  end)

  it("while it waits for its retry, and tells what it had met", function(world)
    local pool = open(world, { failover = { retryDelay = 300 } })
    local insert = assert(pool:prepare("INSERT INTO t (k, v) VALUES (?, ?)", { isIdempotent = true }))
    world.cluster:rule { opcode = "EXECUTE", error = "IS_BOOTSTRAPPING", times = 1 }
    assert.equal(1, sent(pool, function()
      local future = pool:executeAsync(insert, { 1, "x" })
      moonpool.sleep(100)
      local err = cancel(future)
      assert.same({ 1, "IS_BOOTSTRAPPING", false }, { #err.attempts, err.attempts[1].code, err.maybeApplied })
    end))
    assert.equal(0, stored(pool, 1))
  end)

  it("with all of its copies", function(world)
    local pool = open(world, { speculativeExecution = { policy = "ConstantSpeculativeExecutionPolicy", delay = 20,
      maxSpeculativeExecutions = 2 } })
    world.cluster:rule { opcode = "QUERY", statement = "SELECT v", delay = 400, times = 3 }
    assert.equal(3, sent(pool, function()
      local future = pool:executeAsync "SELECT v FROM t"
      moonpool.sleep(100)
      assert.equal(3, #cancel(future).attempts)
    end))
    assert.equal(3, pool:getStats().lateAnswers)
    for _, host in ipairs(pool:getHosts()) do assert.equal(0, host.inFlight) end
  end)

  it("while its host is told the statement again", function(world)
    local pool = open(world)
    local insert = assert(pool:prepare "INSERT INTO t (k, v) VALUES (?, ?)")
    world.cluster:forgetPrepared()
    world.cluster:rule { opcode = "PREPARE", delay = 200, times = 1 }
    assert.equal(1, sent(pool, function()
      local future = pool:executeAsync(insert, { 1, "x" })
      moonpool.sleep(50)
      assert.is_false(cancel(future).maybeApplied)
    end))
    assert.equal(0, stored(pool, 1))
    assert(pool:execute(insert, { 1, "x" }))
  end)

  it("while the hosts agree on the schema, which has changed by then", function(world)
    local pool = open(world)
    world.cluster:rule { statement = "schema_version", delay = 400, times = 2 }
    local future = pool:executeAsync "CREATE TABLE ks.another (k int PRIMARY KEY)"
    moonpool.sleep(200)
    assert.is_true(cancel(future).maybeApplied)
    moonpool.sleep(2000)
    assert(pool:execute "SELECT k FROM another")
  end)

  it("while its text is prepared, after which nothing is sent", function(world)
    local pool = open(world)
    world.cluster:rule { opcode = "PREPARE", delay = 200, times = 3 }
    local text = "INSERT INTO t (k, v) VALUES (?, ?)"
    assert.equal(0, sent(pool, function()
      local at_once = pool:executeAsync(text, { 1, "x" })
      cancel(at_once)
      local later = pool:executeAsync(text, { 1, "x" })
      local batch = pool:batchAsync { { "INSERT INTO t (k, v) VALUES (?, 'b')", { 1 } } }
      moonpool.sleep(50)
      for _, future in ipairs { later, batch } do
        local err = cancel(future)
        assert.same({ "cancelled by its caller", false }, { err.message, err.maybeApplied })
      end
    end))
    assert.equal(0, stored(pool, 1))
    assert(pool:executeAsync(text, { 1, "x" }):wait())
    assert.equal(1, stored(pool, 1))
  end)

  it("when it is a batch", function(world)
    local pool = open(world)
    local insert = assert(pool:prepare "INSERT INTO t (k, v) VALUES (?, ?)")
    world.cluster:rule { opcode = "BATCH", delay = 200, times = 1 }
    local future = pool:batchAsync { { insert, { 1, "x" } }, { insert, { 2, "x" } } }
    moonpool.sleep(50)
    assert.is_true(cancel(future).maybeApplied)
  end)

  it("in a batch of automatic batching, of which the others notice nothing", function(world)
    local pool = open(world, { pooling = { enableBatching = true } })
    local insert = assert(pool:prepare("INSERT INTO t (k, v) VALUES (?, ?)", { isIdempotent = true }))
    for node = 1, world.nodes do assert(pool:execute(insert, { 0, "x" }, { host = world:host(node) })) end
    moonpool.sleep(50)
    local function three(from)
      local futures = {}
      for k = from, from + 2 do futures[#futures + 1] = pool:executeAsync(insert, { k, "x" }) end
      return futures
    end
    local open_ones = three(1)
    assert.is_false(cancel(open_ones[2]).maybeApplied)
    for _, i in ipairs { 1, 3 } do assert(open_ones[i]:wait()) end
    assert.same({ 1, 0, 1 }, { stored(pool, 1), stored(pool, 2), stored(pool, 3) })
    world.cluster:rule { opcode = "BATCH", delay = 200, times = 1 }
    local sent_ones = three(4)
    moonpool.sleep(50)
    assert.is_true(cancel(sent_ones[1]).maybeApplied)
    for _, i in ipairs { 2, 3 } do assert(sent_ones[i]:wait()) end
    assert.same({ 2, 1 }, { pool:getStats().cancelled, pool:getStats().mergedBatches })
    for k = 1, 3 do
      local futures = three(7 + 3 * k)
      cancel(table.remove(futures, k))
      for _, future in ipairs(futures) do assert(future:wait()) end
    end
  end)

  it("between two pages, of which the next may be asked for again", function(world)
    local pool = open(world)
    for k = 1, 5 do assert(pool:execute(("INSERT INTO t (k, v) VALUES (%d, 'x')"):format(k))) end
    local options = { fetchSize = 2 }
    local first = assert(pool:executeAsync("SELECT k FROM t", nil, options):wait())
    options.pageState = first.pageState
    local second = pool:executeAsync("SELECT k FROM t", nil, options)
    cancel(second)
    local again = assert(pool:executeAsync("SELECT k FROM t", nil, options):wait())
    assert.equal(2, #again.rows)
  end)

  it("and whoever waits for it hears of it", function(world)
    local pool = open(world)
    world.cluster:rule { opcode = "QUERY", statement = "SELECT v", delay = 200, times = 1 }
    local future, heard = pool:executeAsync "SELECT v FROM t", {}
    local waits = {}
    for i = 1, 3 do
      waits[i] = moonpool.spawn(function() heard[i] = select(2, future:wait()).code end)
    end
    moonpool.sleep(10)
    assert.is_true(future:cancel())
    for _, wait in ipairs(waits) do wait:wait() end
    assert.same({ "CANCELLED", "CANCELLED", "CANCELLED" }, heard)
    local none, err = moonpool.all { pool:executeAsync "SELECT k FROM t", future }
    assert.same({ nil, "CANCELLED" }, { none, err.code })
  end)

  it("from the answer of another one, and when nobody holds its future", function(world)
    local pool = open(world)
    world.cluster:rule { opcode = "QUERY", statement = "SELECT v", delay = 100, times = 20 }
    local futures = {}
    for i = 1, 10 do futures[i] = pool:executeAsync("SELECT v FROM t", nil, { host = world:host(1) }) end
    local first = moonpool.spawn(function()
      assert(futures[1]:wait())
      for i = 2, 10 do futures[i]:cancel() end
    end)
    local met = {}
    for i = 2, 10 do
      local result, err = futures[i]:wait()
      met[result and "ok" or err.code] = true
    end
    assert.is_true(first:done())
    assert.is_true(met.CANCELLED or met.ok)
    pool:executeAsync("SELECT v FROM t"):cancel()
    collectgarbage()
    moonpool.sleep(300)
  end)

  it("only if it is one, and under way", function(world)
    local pool = open(world)
    local over = pool:executeAsync "SELECT v FROM t"
    assert(over:wait())
    assert.is_false(over:cancel())
    local spawned = moonpool.spawn(function() moonpool.sleep(10) end)
    assert_raises(function() spawned:cancel() end, "cancel_spec.lua:%d+: a coroutine is not cancelled")
    spawned:wait()
    assert.is_false(spawned:cancel())
    assert_raises(function() spawned:cancel(5) end, "'cancel' takes no arguments, got number")
    local elsewhere = pool:executeAsync "SELECT v FROM t"
    local other = sim.world { nodes = 1 }
    other:run(function()
      assert_raises(function() elsewhere:cancel() end, "cancel it where it was made")
    end)
    other:close()
    assert(elsewhere:wait())
    pool:close()
    assert.is_false(pool:executeAsync("SELECT v FROM t"):cancel())
  end)
end)

busted_it("a future that is no future cannot be cancelled", function()
  local future = require("moonpool.core_loader").future(true)
  assert.has_error(function() future.cancel {} end)
  moonpool.run(function()
    assert.is_true(future:cancel())
    assert.equal("CANCELLED", select(2, future:wait()).code)
  end)
end)
