-- SPDX-License-Identifier: Apache-2.0
-- Automatic batching: what may leave together does, and nobody can tell but by the number of messages.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local busted_it = it
local it = support.inside(it) -- luacheck: ignore 411

local BATCHING = { pooling = { enableBatching = true } }

local function tables(world)
  world:schema("CREATE TABLE ks.u (k int PRIMARY KEY, v text)", "CREATE TABLE ks.n (k int PRIMARY KEY, c counter)",
    "CREATE KEYSPACE other WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 3}",
    "CREATE TABLE other.u (k int PRIMARY KEY, v text)")
end

local function open(world, extra)
  tables(world)
  local pool = world:pool(extra or BATCHING)
  world:waitUp(pool)
  local insert = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, ?)", { isIdempotent = true }))
  -- Where the keyspace's rows are is known from its first use on, and the nodes know the statement.
  for node = 1, world.nodes do assert(pool:execute(insert, { 0, "x" }, { host = world:host(node) })) end
  moonpool.sleep(50)
  assert(pool:execute(insert, { 0, "x" }))
  moonpool.sleep(50)
  return pool, insert
end

-- What the pool counts while fn runs.
local function counted(pool, fn)
  local before = pool:getStats()
  fn()
  local after, gained = pool:getStats(), {}
  for name, value in pairs(after) do gained[name] = value - before[name] end
  return gained
end

local function start_all(pool, requests)
  local futures = {}
  for i, request in ipairs(requests) do futures[i] = pool:executeAsync(unpack(request, 1, 3)) end
  return futures
end

local function answers(futures)
  local out = {}
  for i, future in ipairs(futures) do
    local result, err = future:wait()
    out[i] = result and "ok" or err.code
  end
  return out
end

local function inserts(insert, count, options)
  local out = {}
  for k = 1, count do out[k] = { insert, { k, "v" .. k }, options } end
  return out
end

describe("writes of one turn", function()
  it("leave as one batch, and each caller has its own answer", function(world)
    local pool, insert = open(world)
    local futures
    local gained = counted(pool, function()
      futures = start_all(pool, inserts(insert, 40))
      for _, future in ipairs(futures) do
        local result = assert(future:wait())
        assert.same({ true, 1, 0 }, { result.wasApplied, result.info.attempts, #result.rows })
        assert.is_string(result.info.host)
      end
    end)
    assert.same({ 40, 1, 40, 0, 1, 0 }, { gained.requests, gained.mergedBatches, gained.mergedRequests,
      gained.unmergedRequests, gained.attempts, gained.errors })
    assert.equal(41, #assert(pool:execute("SELECT k FROM u", nil, { consistency = "QUORUM" })).rows)
  end)

  it("are not merged unless the configuration says so", function(world)
    local pool, insert = open(world, {})
    assert.equal(0, counted(pool, function() answers(start_all(pool, inserts(insert, 9))) end).mergedRequests)
  end)

  it("leave by replica where there is one of each row", { rf = 1 }, function(world)
    local pool, insert = open(world)
    local gained = counted(pool, function() answers(start_all(pool, inserts(insert, 40))) end)
    assert.same({ 3, 40, 3 }, { gained.mergedBatches, gained.mergedRequests, gained.attempts })
  end)

  it("alone are sent as they are", function(world)
    local pool, insert = open(world)
    local gained = counted(pool, function() assert(pool:execute(insert, { 1, "x" })) end)
    assert.same({ 1, 0, 1 }, { gained.requests, gained.mergedBatches, gained.attempts })
  end)

  it("leave when they are so many, or so long", function(world)
    local pool, insert = open(world, { pooling = { enableBatching = true, batchSize = 10 } })
    local gained = counted(pool, function() answers(start_all(pool, inserts(insert, 35))) end)
    assert.same({ 4, 35 }, { gained.mergedBatches, gained.mergedRequests })
    local long = {}
    for k = 1, 8 do long[k] = { insert, { k, ("x"):rep(1500) } } end
    gained = counted(pool, function() answers(start_all(pool, long)) end)
    assert.same({ 4, 8 }, { gained.mergedBatches, gained.mergedRequests }) -- two of them are 3 kB
    for k = 1, 8 do long[k] = { insert, { k, ("x"):rep(3000) } } end
    gained = counted(pool, function() answers(start_all(pool, long)) end)
    assert.same({ 0, 8 }, { gained.mergedBatches, gained.attempts })
  end)

  it("wait for others as long as batchTimeout says", function(world)
    local pool, insert = open(world, { pooling = { enableBatching = true, batchTimeout = 20 } })
    local gained = counted(pool, function()
      local futures, began = {}, moonpool.now()
      for k = 1, 6 do
        futures[k] = pool:executeAsync(insert, { k, "x" })
        moonpool.sleep(5)
      end
      answers(futures)
      assert.is_true(moonpool.now() - began >= 40) -- the first one leaves after 20 ms, and so does the fifth
    end)
    assert.same({ 2, 6 }, { gained.mergedBatches, gained.mergedRequests })
    -- Who has not twice that time does not wait.
    gained = counted(pool, function() answers(start_all(pool, inserts(insert, 5, { timeout = 40 }))) end)
    assert.same({ 0, 5 }, { gained.mergedBatches, gained.attempts })
  end)
end)

describe("merges that wait", function()
  it("are so many at most; with one more the oldest leaves before its time", function(world)
    local pool, insert = open(world, { pooling = { enableBatching = true, batchTimeout = 200 } })
    local futures, began = {}, moonpool.now()
    local gained = counted(pool, function()
      for i = 1, 70 do -- each pair a merge of its own, for none has the timeout of another
        local options = { timeout = 1000 + i }
        for k = 1, 2 do futures[#futures + 1] = pool:executeAsync(insert, { 2 * i + k, "x" }, options) end
      end
      local oldest = assert(futures[1]:wait())
      assert.is_true(moonpool.now() - began < 150)
      assert.equal(1, oldest.info.attempts)
      for _, answer in ipairs(answers(futures)) do assert.equal("ok", answer) end
      assert.is_true(moonpool.now() - began >= 200)
    end)
    assert.same({ 140, 0 }, { gained.mergedRequests, gained.errors })
  end)
end)

describe("what must not be merged", function()
  local function never(name, make, options)
    it(name .. " is not", options, function(world)
      local pool, insert = open(world)
      local gained = counted(pool, function()
        local list = make(pool, insert, world)
        for _, answer in ipairs(answers(start_all(pool, list))) do assert.equal("ok", answer) end
      end)
      assert.equal(0, gained.mergedRequests)
    end)
  end
  local safe = { isIdempotent = true }
  never("a read", function(pool)
    local read = assert(pool:prepare "SELECT v FROM u WHERE k = ?")
    return { { read, { 1 } }, { read, { 2 } } }
  end)
  never("a write that nobody called idempotent", function(_, insert)
    return { { insert, { 1, "x" }, { isIdempotent = false } }, { insert, { 2, "x" }, { isIdempotent = false } } }
  end)
  never("a condition", function(pool)
    local lock = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, 'x') IF NOT EXISTS", safe))
    return { { lock, { 1 } }, { lock, { 2 } } }
  end)
  never("a counter", function(pool)
    local add = assert(pool:prepare("UPDATE n SET c = c + 1 WHERE k = ?", safe))
    return { { add, { 1 } }, { add, { 2 } } }
  end)
  never("one partition twice", function(_, insert) return { { insert, { 1, "x" } }, { insert, { 1, "y" } } } end)
  never("a range of partitions", function(pool)
    local delete = assert(pool:prepare("DELETE FROM u WHERE k IN (?, 7)", safe))
    return { { delete, { 1 } }, { delete, { 2 } } }
  end)
  never("a text", function()
    local raw = { isIdempotent = true, prepare = false }
    return { { "INSERT INTO u (k, v) VALUES (1, 'x')", nil, raw },
      { "INSERT INTO u (k, v) VALUES (2, 'x')", nil, raw } }
  end)
  never("another keyspace", function(pool, insert)
    local there = assert(pool:prepare("INSERT INTO other.u (k, v) VALUES (?, ?)", safe))
    return { { insert, { 1, "x" } }, { there, { 2, "x" } } }
  end)
  for option, values in pairs {
    consistency = { "ONE", "QUORUM" }, serialConsistency = { "SERIAL", "LOCAL_SERIAL" }, timeout = { 1000, 1001 },
    tag = { "a", "b" }, timestamp = { 5, 5 }, traceQuery = { true, true }, routingKey = { "\0\0\0\1", "\0\0\0\1" },
    host = { "127.0.0.1", "127.0.0.1" },
  } do
    never("what differs in " .. option .. ", or has one of its own,", function(_, insert)
      return { { insert, { 1, "x" }, { [option] = values[1] } }, { insert, { 2, "x" }, { [option] = values[2] } } }
    end)
  end

  it("partitions of other replicas are not", { nodes = 6, rf = 2 }, function(world)
    local pool, insert = open(world)
    world:schema("CREATE TABLE ks.w (k int PRIMARY KEY, v text)")
    local sets, order = {}, {}
    local requests = {}
    for k = 1, 60 do
      local replicas = world.cluster:replicas("ks", string.char(0, 0, 0, k))
      table.sort(replicas)
      local set = table.concat(replicas, " ")
      if not sets[set] then order[#order + 1] = set end
      sets[set] = (sets[set] or 0) + 1
      requests[k] = { insert, { k, "x" } }
    end
    local merges, alone = 0, 0
    for _, count in pairs(sets) do
      if count > 1 then merges = merges + 1 else alone = alone + 1 end
    end
    local gained = counted(pool, function() answers(start_all(pool, requests)) end)
    assert.is_true(#order > 3)
    assert.same({ merges, 60 - alone }, { gained.mergedBatches, gained.mergedRequests })
  end)
end)

describe("a merged batch that fails", function()
  it("for want of a node tells each of its callers", function(world)
    local pool, insert = open(world)
    world.cluster:rule { opcode = "BATCH", error = "OVERLOADED" }
    local futures = start_all(pool, inserts(insert, 5))
    for _, future in ipairs(futures) do
      local result, err = future:wait()
      assert.is_nil(result)
      assert.same({ "OVERLOADED", true, "OVERLOADED" }, { err.code, err.maybeApplied, err.attempts[1].code })
    end
  end)

  it("for want of time tells each of its callers, in time", function(world)
    local pool, insert = open(world)
    world.cluster:rule { opcode = "BATCH", swallow = true }
    local began = moonpool.now()
    for _, answer in ipairs(answers(start_all(pool, inserts(insert, 5, { timeout = 300 })))) do
      assert.equal("TIMEOUT", answer)
    end
    assert.is_true(moonpool.now() - began < 400)
  end)

  it("is sent again like any idempotent request", function(world)
    local pool, insert = open(world)
    world.cluster:rule { opcode = "BATCH", reset = true, times = 1 }
    local futures = start_all(pool, inserts(insert, 5))
    for _, future in ipairs(futures) do assert.equal(2, assert(future:wait()).info.attempts) end
  end)

  it("because of one of them costs only that one its success", function(world)
    local pool, insert = open(world)
    local short = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, ?) USING TTL ?", { isIdempotent = true }))
    local requests = inserts(insert, 5)
    requests[6] = { short, { 6, "x", -1 } }
    local list
    local gained = counted(pool, function() list = answers(start_all(pool, requests)) end)
    assert.same({ "ok", "ok", "ok", "ok", "ok", "INVALID" }, list)
    assert.same({ 1, 6, 6 }, { gained.mergedBatches, gained.mergedRequests, gained.unmergedRequests })
  end)

  it("with its session tells each of its callers", function(world)
    local pool, insert = open(world, { pooling = { enableBatching = true, batchTimeout = 500 } })
    local futures = start_all(pool, inserts(insert, 5))
    moonpool.sleep(10)
    pool:close()
    for _, answer in ipairs(answers(futures)) do assert.equal("CLOSED", answer) end
  end)
end)

describe("automatic batching", function()
  -- Random requests of several coroutines; gives what each was told, and what the tables hold in the end.
  local function play(seed, batching)
    local told, state, stats = {}, {}, nil
    support.run({ seed = seed, nodes = 4, rf = 2 }, function(world)
      local random = support.random(seed)
      local pool, insert = open(world, { pooling = { enableBatching = batching, batchSize = 7,
        batchTimeout = seed % 3 * 4 } })
      local update = assert(pool:prepare("UPDATE u SET v = ? WHERE k = ?", { isIdempotent = true }))
      local delete = assert(pool:prepare("DELETE FROM u WHERE k = ?", { isIdempotent = true }))
      local short = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, ?) USING TTL ?", { isIdempotent = true }))
      local add = assert(pool:prepare "UPDATE n SET c = c + ? WHERE k = ?")
      local lock = assert(pool:prepare "INSERT INTO other.u (k, v) VALUES (?, ?) IF NOT EXISTS")
      local function one(id)
        local k, options = random(25), { consistency = random(2) == 0 and "QUORUM" or "ALL" }
        local kind = random(14)
        if kind < 6 then return insert, { k, "i" .. id }, options end
        if kind < 8 then return update, { "u" .. id, k }, options end
        if kind == 8 then return delete, { k }, options end
        if kind == 9 then return short, { k, "bad", -1 }, options end
        if kind == 10 then return add, { 1, k }, options end
        if kind == 11 then return lock, { id, "x" }, options end
        if kind == 12 then return ("UPDATE u SET v = 't%d' WHERE k = %d"):format(id, k), nil, options end
        return ("DELETE FROM u WHERE k IN (%d, %d)"):format(k, (k + 1) % 25), nil, options
      end
      for round = 1, 12 do
        local futures = {}
        for i = 1, 10 + random(20) do
          local id = round * 100 + i
          futures[i] = pool:executeAsync(one(id))
          if random(12) == 0 then moonpool.sleep(random(6)) end
        end
        for _, answer in ipairs(answers(futures)) do told[#told + 1] = answer end
        -- What was answered can be read.
        assert(pool:execute(insert, { 1000, "round " .. round }, { consistency = "QUORUM" }))
        assert.equal("round " .. round,
          assert(pool:execute("SELECT v FROM u WHERE k = 1000", nil, { consistency = "QUORUM" })):first().v)
      end
      for _, cql in ipairs { "SELECT k, v FROM u", "SELECT k, c FROM n", "SELECT k, v FROM other.u" } do
        for _, row in ipairs(assert(pool:execute(cql, nil, { consistency = "ALL" })).rows) do
          state[#state + 1] = cql .. " " .. row.k .. " " .. tostring(row.v or row.c)
        end
      end
      table.sort(state)
      stats = pool:getStats()
    end)
    return told, state, stats
  end

  for seed = 1, 12 do
    busted_it("seed " .. seed .. " stores and answers what it would without", function()
      local told, state, stats = play(seed, true)
      local told_without, state_without, stats_without = play(seed, false)
      assert.same(told_without, told)
      assert.same(state_without, state)
      assert.is_true(stats.mergedRequests > 50 and stats.mergedBatches > 10)
      assert.equal(0, stats_without.mergedRequests)
      assert.equal(stats_without.requests, stats.requests)
    end)
  end
end)
