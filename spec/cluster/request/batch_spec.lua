-- SPDX-License-Identifier: Apache-2.0
-- A batch on its way: where it goes, what of it may be sent again, and what happens when a node forgot its statements
-- or they were changed.
local moonpool = require "moonpool"
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"
local plain_it = it
local it = require("spec.support.world").inside(it) -- luacheck: ignore 411

local function tables(world)
  world:schema("CREATE TABLE ks.u (k int PRIMARY KEY, v text)", "CREATE TABLE ks.l (k int PRIMARY KEY, l list<text>)",
    "CREATE TABLE ks.n (k int PRIMARY KEY, c counter)",
    "CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE one.u (k int PRIMARY KEY, v text)")
end

local function int(value) return string.char(0, 0, math.floor(value / 256), value % 256) end

local function prepares(world)
  local sum = 0
  for node = 1, world.nodes do sum = sum + world.cluster:node(node).prepares end
  return sum
end

-- Every node knows them from now on.
local function tell_all(world, pool, ...)
  world:waitUp(pool)
  for node = 1, world.nodes do
    for _, statement in ipairs { ... } do
      assert(pool:batch({ statement }, { host = world:host(node), type = "unlogged" }))
    end
  end
end

-- How often nodes received it, and stored it.
local function fate(world, op) return { world.cluster:received(op) } end

describe("a batch", function()
  it("goes to a replica of its first statement that says where", { nodes = 6 }, function(world)
    tables(world)
    local pool = world:pool()
    world:waitUp(pool)
    local insert = assert(pool:prepare "INSERT INTO one.u (k, v) VALUES (?, ?)")
    local anywhere = assert(pool:prepare "UPDATE one.u SET v = 'x' WHERE k = 5") -- no marker, no key
    for k = 1, 40 do
      local result = assert(pool:batch { "DELETE FROM u WHERE k = 1", anywhere, { insert, { k, "x" } },
        { insert, { k + 1000, "x" } } })
      local replica = world.cluster:replicas("one", int(k))[1]
      if result.info.attempts == 1 then assert.equal(world:host(replica), result.info.host) end
    end
    local routed = assert(pool:batch({ { insert, { 1, "x" } } }, { routingKey = int(2) })).info.host
    assert.equal(world:host(world.cluster:replicas("one", int(2))[1]), routed)
  end)

  it("is told again what a node forgot, statement by statement, and sent again there", function(world)
    tables(world)
    local pool = world:pool()
    local statements, batch = {}, {}
    for i = 1, 5 do
      statements[i] = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, 'v" .. i .. "')"))
      batch[2 * i - 1], batch[2 * i] = { statements[i], { i } }, { statements[i], { 10 + i } }
    end
    for _ = 1, 2 do
      world.cluster:forgetPrepared()
      local before = prepares(world)
      local result = assert(pool:batch(batch, { consistency = "ALL" }))
      assert.same({ 5, 6 }, { prepares(world) - before, result.info.attempts })
    end
    assert.equal(10, #assert(pool:execute "SELECT k FROM u").rows)
  end)

  it("S1 of two statements fails where a node keeps only one, after two PREPAREs of each", function(world)
    tables(world)
    local pool = world:pool()
    local a = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, 'a')")
    local b = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, 'b')")
    world.cluster:setPreparedLimit(1)
    world.cluster:forgetPrepared()
    local before = prepares(world)
    local result, err = pool:batch({ { a, { 1 } }, { b, { 2 } } }, { host = world:host(2) })
    assert.is_nil(result)
    assert.same({ "UNPREPARED", false }, { err.code, err.maybeApplied })
    assert.equal(4, prepares(world) - before)
  end)

  it("P23 ends the connection when a node forgot what it was not asked for", function(world)
    tables(world)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, 'a')")
    world.cluster:rule { opcode = "BATCH", error = "UNPREPARED", times = 1 }
    local _, err = pool:batch { { insert, { 1 } } }
    assert.equal("PROTOCOL_ERROR", err.code)
    assert.matches("UNPREPARED for a statement that was not asked for", err.message)
  end)

  it("is sent again only as its worst statement may be", function(world)
    tables(world)
    local pool = world:pool()
    local safe = assert(pool:prepare("INSERT INTO u (k, v) VALUES (1, ?)", { isIdempotent = true }))
    local plain = assert(pool:prepare "INSERT INTO u (k, v) VALUES (2, ?)")
    local append = assert(pool:prepare "UPDATE l SET l = l + ? WHERE k = 1")
    local add = assert(pool:prepare "UPDATE n SET c = c + 1 WHERE k = 1")
    local lock = assert(pool:prepare "INSERT INTO u (k, v) VALUES (3, ?) IF NOT EXISTS")
    tell_all(world, pool, { safe, { "x" } }, { plain, { "x" } }, { append, { { "x" } } }, add, { lock, { "x" } })
    -- what, type, whether its caller calls all of it idempotent, attempts
    for _, case in ipairs {
      { { { safe, { "op" } } }, nil, nil, 2 }, { { { safe, { "op" } }, { plain, { "op" } } }, nil, nil, 1 },
      { { { safe, { "op" } }, { plain, { "op" } } }, nil, true, 2 }, { { { append, { { "op" } } } }, nil, nil, 1 },
      { { { safe, { "op" } }, "UPDATE l SET l = l + ['x'] WHERE k = 2" }, nil, nil, 1 },
      { { add }, "counter", true, 1 }, { { { lock, { "op" } } }, nil, true, 1 },
      { { { lock, { "op" } }, { safe, { "op" } } }, nil, true, 1 }, -- fails on its partitions, but not twice
    } do
      for _, fault in ipairs { { error = "OVERLOADED" }, { reset = true, apply = true }, { swallow = true } } do
        fault.opcode, fault.times = "BATCH", 1
        local rule = world.cluster:rule(fault)
        local before = world.cluster:requests()
        local result, err = pool:batch(case[1], { type = case[2], isIdempotent = case[3], consistency = "QUORUM" })
        assert.equal(1, rule:hits())
        local attempts = result and result.info.attempts or #err.attempts
        assert.equal(case[4], attempts)
        assert.equal(case[4] > 1, result ~= nil)
        assert.is_true(result ~= nil or err.maybeApplied)
        assert.is_true(world.cluster:requests() > before)
        rule:remove()
        world:waitUp(pool)
      end
    end
  end)

  it("whose log was not written in time may be sent once more, by whoever calls it idempotent", function(world)
    tables(world)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (1, ?)")
    tell_all(world, pool, { insert, { "x" } })
    world.cluster:rule { opcode = "BATCH", times = 1,
      error = { code = "WRITE_TIMEOUT", writeType = "BATCH_LOG", required = 1, received = 0 } }
    assert(pool:batch({ { insert, { "op-1" } } }, { isIdempotent = true }))
    assert.same({ 2, 1 }, fate(world, "op-1"))
  end)

  it("that is slow has a copy when all of it may run twice", function(world)
    tables(world)
    local pool = world:pool { speculativeExecution = { policy = "ConstantSpeculativeExecutionPolicy", delay = 20 } }
    world:waitUp(pool)
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, 'x')")
    tell_all(world, pool, { insert, { 1 } })
    local once = "UPDATE l SET l = l + ['x'] WHERE k = 2"
    for _, case in ipairs { { { { insert, { 1 } } }, 2 }, { { { insert, { 1 } }, once }, 1 } } do
      local rule = world.cluster:rule { opcode = "BATCH", delay = 300, times = 1 }
      local result = assert(pool:batch(case[1], { isIdempotent = true }))
      assert.equal(case[2], result.info.attempts)
      rule:remove()
      moonpool.sleep(400)
    end
  end)

  it("X11 fails once when a table was made again with other types, and stores nothing wrong", function(world)
    tables(world)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, ?)")
    local other = assert(pool:prepare "UPDATE l SET l = ? WHERE k = 1")
    assert(pool:batch { { insert, { 1, "text" } }, { other, { {} } } })
    world:schema("DROP TABLE ks.u", "CREATE TABLE ks.u (k int PRIMARY KEY, v int)")
    moonpool.sleep(10)
    local result, err = pool:batch { { other, { {} } }, { insert, { 1, "text" } } }
    assert.is_nil(result)
    assert.equal("TYPE_MISMATCH", err.code)
    assert.matches("statement 2: parameter 2 %(v, int%)", err.message)
    assert(pool:batch { { other, { {} } }, { insert, { 1, 5 } } })
    assert.equal(5, assert(pool:execute "SELECT v FROM u WHERE k = 1"):first().v)
  end)

  it("whose values were bound before the change says so, and is not sent", function(world)
    tables(world)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, ?)")
    assert(pool:batch { { insert, { 1, "text" } } })
    world.cluster:rule { opcode = "BATCH", error = "OVERLOADED", times = 1 }
    local future = pool:batchAsync({ { insert, { 1, "op-2" } } }, { isIdempotent = true })
    world:schema("DROP TABLE ks.u", "CREATE TABLE ks.u (k int PRIMARY KEY, v int)")
    local result, err = future:wait()
    assert.is_nil(result)
    assert.equal("STATEMENT_CHANGED", err.code)
    assert.matches("a statement of the batch was changed on the server after its values were bound "
      .. "(v was text and is int)", err.message, 1, true)
    assert.equal(0, fate(world, "op-2")[2])
  end)
end)

describe("a batch by itself", function()
  local world
  after_each(function() world:close() end)

  -- The nodes and the network of this world take memory, so the batch's own way is walked by hand.
  plain_it("takes no memory once the session has warmed up", function()
    world = session_world.connected()
    local cql = "INSERT INTO t (k, v) VALUES (?, ?)"
    world.shapes[cql] = { params = { { "k", "int" }, { "v", "text" } }, pk_indexes = { 0 } }
    local prepared = world:prepare(cql)
    world.on_statement = function() return true end
    local batch, envelope = {}, ffi.new "struct mp_envelope"
    for i = 1, 50 do
      batch[i] = i % 10 == 0 and { "DELETE FROM t WHERE k = 1" } or { prepared, { rows.int(i), "v" } }
    end
    envelope.version, envelope.response, envelope.opcode = 5, true, C.MP_OP_RESULT
    local void = rows.int(1)
    envelope.body, envelope.body_len = ffi.cast("const uint8_t *", void), #void
    for round = 1, 6 do
      local before = C.mp_mem_stats().allocs
      local submitted = world:submit(batch, { kept = true })
      assert.equal(0, submitted.rc)
      C.mp_call_abandon(submitted.request.state.first.call)
      C.mp_attempt_on_answer(submitted.request.state.first.call, 0, envelope)
      C.mp_request_give(submitted.request)
      if round > 2 then assert.equal(0, tonumber(C.mp_mem_stats().allocs - before)) end
      world:pass(1)
    end
  end)

  plain_it("refuses what is no statement of a batch, and what is one too many", function()
    world = session_world.connected()
    local request, member = C.mp_request_take(world.session), C.mp_request_take(world.session)
    request.on_done = world.on_done
    member.cql = bytes.str "DELETE FROM t WHERE k = 1"
    assert.equal(C.MP_EINVAL, C.mp_batch_add(request, member)) -- it is none
    assert.equal(0, C.mp_request_batch(request, C.MP_BATCH_UNLOGGED))
    assert.equal(C.MP_EINVAL, C.mp_request_submit(request)) -- it is empty
    assert.equal(0, C.mp_batch_add(request, member))
    member.named_values = true
    assert.equal(C.MP_EINVAL, C.mp_batch_add(request, member))
    C.mp_request_clear(member)
    assert.equal(C.MP_EINVAL, C.mp_batch_add(request, member)) -- nothing
    assert.equal(0, C.mp_request_batch(member, C.MP_BATCH_LOGGED))
    member.cql = bytes.str "x"
    assert.equal(C.MP_EINVAL, C.mp_batch_add(request, member))
    C.mp_request_clear(member)
    member.cql = bytes.str "D"
    for _ = 2, 65535 do assert(C.mp_batch_add(request, member) == 0) end
    assert.equal(C.MP_ETOOBIG, C.mp_batch_add(request, member))
    request.cql = bytes.str "x"
    assert.equal(C.MP_EINVAL, C.mp_request_submit(request)) -- two things
    C.mp_request_give(request)
    C.mp_request_give(member)
  end)
end)
