-- SPDX-License-Identifier: Apache-2.0
-- Speculative execution in C: further copies of a request that is slow, whatever becomes of each of them.
local C = require "spec.support.c"
local rows = require "spec.support.rows"
local speculation = require "spec.support.speculation"
local str = require("spec.support.peer").str

local DELAY_MS, TIMEOUT_MS = speculation.DELAY_MS, speculation.TIMEOUT_MS

describe("a request with copies", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local acts, read, write = speculation.acts, speculation.read, speculation.write
  local ip = speculation.ip

  local function open(...) world = speculation.open(...) end
  local function act(i, how) world.held[ip(i)](how) end
  local function in_flight() return speculation.in_flight(world) end
  local function submit(...) return speculation.submit(world, ...) end

  -- ---- when one goes ----------------------------------------------------------------------------------------------

  it("gets them one after the other, each on the next host of its plan", function()
    open(4, { DELAY_MS, 30 })
    local record = submit(read)
    world:pass(DELAY_MS - 2)
    assert.same({ ip(1) }, world.arrived)
    world:pass(4)
    assert.same({ ip(1), ip(2) }, world.arrived)
    assert.equal(2, in_flight())
    world:pass(26)
    assert.same({ ip(1), ip(2) }, world.arrived)
    world:pass(4)
    assert.same({ ip(1), ip(2), ip(3) }, world.arrived)
    world:pass(200)
    assert.equal(3, #world.arrived)
    assert.equal(3, world.asked) -- the third time it said no
    act(3, "ok")
    world:wait(record)
    assert.equal(ip(3) .. ":9042", record.host)
    assert.same({ { ip(3) } }, record.rows)
    assert.equal(3, record.attempts)
    assert.equal(0, in_flight())
    local stats = world:stats()
    assert.same({ 1, 3, 2, 1, 0 },
      { stats.requests, stats.attempts, stats.speculative, stats.speculative_wins, stats.retries })
  end)

  it("gets none when it is answered before, and leaves no timer", function()
    open(3, { DELAY_MS })
    for _ = 1, 50 do
      local record = submit(read)
      world:until_true(function() return world.held[ip(1)] end)
      act(1, "ok")
      world.held = {}
      assert.is_nil(world:wait(record).err)
    end
    world:pass(500)
    assert.equal(50, #world.arrived)
    assert.equal(0, world:stats().speculative)
  end)

  it("gets no more than three, and all at once if the policy says so", function()
    open(6, { 0, 0, 0, 0, 0 })
    local record = submit(read)
    world:pass(2)
    assert.equal(4, #world.arrived)
    assert.equal(3, world.asked) -- and not again when there can be no more
    act(4, "ok")
    world:wait(record)
    assert.equal(4, record.attempts)
  end)

  it("gets none where the plan has no other host, or no other host has room", function()
    open(1, { DELAY_MS })
    local record = submit(read)
    world:pass(100)
    assert.equal(1, #world.arrived)
    act(1, "ok")
    assert.equal(1, world:wait(record).attempts)
    world:close()
    open(2, { DELAY_MS }, nil, { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } })
    local other = submit(read, { pinned_host = world:find(ip(2)).index })
    record = submit(read)
    world:pass(100)
    assert.equal(2, #world.arrived)
    assert.equal(0, world:stats().requests_queued)
    assert.equal(0, world:stats().speculative)
    act(1, "ok")
    act(2, "ok")
    world:wait(record)
    world:wait(other)
  end)

  it("counts the delay from the attempt, not from the wait for room before it", function()
    for _, held_ms in ipairs { DELAY_MS - 5, DELAY_MS * 3 } do
      open(2, { DELAY_MS }, nil, { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } })
      local others = { submit(read, { pinned_host = world:find(ip(1)).index }),
        submit(read, { pinned_host = world:find(ip(2)).index }) }
      local record = submit(read)
      world:pass(held_ms)
      assert.equal(2, #world.arrived)
      act(1, "ok")
      act(2, "ok")
      for _, other in ipairs(others) do world:wait(other) end
      world:pass(DELAY_MS - 3)
      assert.equal(3, #world.arrived)
      assert.equal(0, world:stats().speculative)
      world:pass(6)
      assert.equal(1, world:stats().speculative)
      act(2, "ok")
      world:wait(record)
      world:close()
    end
    world = nil
  end)

  -- ---- who may have them ------------------------------------------------------------------------------------------

  local refused = {
    ["a plain write"] = { "UPDATE t SET v = 1 WHERE k = 1", {} },
    ["a lightweight transaction"] = { "INSERT INTO t (k) VALUES (1) IF NOT EXISTS", { idempotent = true } },
    ["a counter"] = { "UPDATE t SET c = c + 1 WHERE k = 1", { idempotent = true } },
    ["a counter batch"] = { "BEGIN COUNTER BATCH UPDATE t SET c += 1 WHERE k = 1; APPLY BATCH", { idempotent = true } },
    ["a conditional batch"] =
      { "BEGIN BATCH INSERT INTO t (k) VALUES (1) IF NOT EXISTS; APPLY BATCH", { idempotent = true } },
    ["a write of now()"] = { "INSERT INTO t (k, v) VALUES (1, now())", { idempotent = true } },
    ["a write of uuid ( )"] = { "INSERT INTO t (k, v) VALUES (uuid ( ), 1)", { idempotent = true } },
    ["a list append"] = { "UPDATE t SET l = l + [1] WHERE k = 1", { idempotent = true } },
    ["an append of values"] = { "UPDATE t SET l = l + ? WHERE k = 1", { idempotent = true } },
    ["a schema statement"] = { "CREATE TABLE t (k int PRIMARY KEY)", { idempotent = true } },
    ["a truncation"] = { "TRUNCATE t", { idempotent = true } },
    ["a serial read"] = { "SELECT v FROM t", { consistency = C.MP_CL_SERIAL } },
    ["a local serial read"] = { "SELECT v FROM t", { consistency = C.MP_CL_LOCAL_SERIAL } },
    ["what cannot be read"] = { "(SELECT v FROM t)", { idempotent = true } },
  }
  for name, statement in pairs(refused) do
    it("cannot be " .. name, function()
      open(3, { 0, DELAY_MS })
      for _, prepare in ipairs { false, true } do
        world.arrived = {}
        local what = prepare and assert(world:prepare(statement[1])) or statement[1]
        local record = submit { what, statement[2] }
        world:pass(300)
        assert.equal(1, #world.arrived)
        act(1, "ok")
        assert.is_nil(world:wait(record).err)
      end
      assert.equal(0, world.asked)
      assert.equal(0, world:stats().speculative)
    end)
  end

  it("cannot be one that names its host", function()
    open(3, { 0 })
    local record = submit(read, { pinned_host = world:find(ip(1)).index })
    world:pass(300)
    assert.equal(1, #world.arrived)
    act(1, "ok")
    world:wait(record)
    assert.equal(0, world.asked)
  end)

  it("may be a read, an idempotent write or a plain batch, prepared or not", function()
    local allowed = {
      read, write, { "INSERT INTO t (k, nowhere) VALUES (1, 'now()')", { idempotent = true } },
      { "BEGIN BATCH INSERT INTO t (k) VALUES (1); APPLY BATCH", { idempotent = true } },
      { "SELECT now() FROM t", {} },
    }
    for _, statement in ipairs(allowed) do
      for _, prepare in ipairs { false, true } do
        open(2, { DELAY_MS })
        local what = prepare and assert(world:prepare(statement[1])) or statement[1]
        local record = submit { what, statement[2] }
        world:pass(100)
        assert.equal(2, #world.arrived, statement[1])
        act(2, "ok")
        assert.is_nil(world:wait(record).err)
        world:close()
      end
    end
    world = nil
  end)

  -- ---- failures among several -------------------------------------------------------------------------------------

  for first = 1, 2 do
    it("is retried when the last of them has failed, on a host that was not asked; first " .. first, function()
      open(3, { DELAY_MS }, function(view)
        assert(view.attempt == 2)
        return C.MP_NEXT_HOST
      end)
      local record = submit(write)
      world:until_true(function() return #world.arrived == 2 end)
      act(first, "error")
      world:pass(5)
      assert.equal(2, #world.arrived)
      act(3 - first, "error")
      world:until_true(function() return #world.arrived == 3 end)
      assert.equal(ip(3), world.arrived[3])
      act(3, "ok")
      world:wait(record)
      assert.is_nil(record.err)
      assert.equal(3, record.attempts)
      assert.equal(1, world:stats().retries)
      assert.equal(0, world:stats().speculative_wins)
    end)
  end

  it("has had the retries that the gate allows when copies met that outcome already", function()
    -- UNAVAILABLE: once more, on another host. Two hosts said so.
    open(3, { DELAY_MS }, function() return C.MP_NEXT_HOST end)
    acts.unavailable = function(_, link, request)
      rows.error(link, request,
        { code = C.MP_SE_UNAVAILABLE, message = "few", consistency = 4, required = 2, received = 1 })
    end
    local record = submit(read)
    world:until_true(function() return #world.arrived == 2 end)
    act(1, "unavailable")
    world:pass(5)
    act(2, "unavailable")
    world:wait(record)
    assert.equal("UNAVAILABLE", record.err.code)
    assert.equal(2, world:statement_count())
    assert.equal(1, world:stats().unsafe_retries_refused)
  end)

  it("whose first attempt failed before the delay gets its copies after the retry's delay", function()
    open(3, { DELAY_MS }, function() return C.MP_NEXT_HOST end)
    local record = submit(read)
    world:pass(DELAY_MS - 5)
    act(1, "error")
    world:pass(10)
    assert.equal(2, #world.arrived)
    world:pass(DELAY_MS)
    assert.same({ ip(1), ip(2), ip(3) }, world.arrived)
    act(3, "ok")
    world:wait(record)
    assert.equal(1, world:stats().speculative_wins)
  end)

  it("gives each attempt its time, also one that began as a copy", function()
    open(2, { 100 })
    local record = submit(read)
    world:wait(record)
    assert.equal("TIMEOUT", record.err.code)
    assert.equal(2, #record.err.attempts)
    -- Half of the request's time each, and the second began 100 ms later.
    assert.is_true(math.abs(record.err.attempts[1].ms - 500) < 5, record.err.attempts[1].ms)
    assert.is_true(math.abs(record.err.attempts[2].ms - 500) < 5, record.err.attempts[2].ms)
    assert.is_true(math.abs(record.latency_ms - 600) < 5, record.latency_ms)
    assert.is_false(record.err.maybe_applied)
  end)

  it("gives an attempt its time whose elder failed", function()
    open(2, { 100 })
    local record = submit(read)
    world:pass(110)
    act(1, "error")
    world:wait(record)
    assert.equal("TIMEOUT", record.err.code)
    assert.is_true(math.abs(record.err.attempts[2].ms - 500) < 5, record.err.attempts[2].ms)
    assert.is_true(math.abs(record.latency_ms - 600) < 5, record.latency_ms)
  end)

  it("never outlives its deadline", function()
    open(3, { 300, 300 }, nil, { attempt_timeout_ms = 900 })
    local record = submit(write)
    world:wait(record)
    assert.equal("TIMEOUT", record.err.code)
    assert.is_true(math.abs(record.latency_ms - TIMEOUT_MS) < 5, record.latency_ms)
    assert.equal(3, #record.err.attempts)
    assert.is_true(record.err.maybe_applied)
    assert.equal(1, world:stats().timeouts)
  end)

  it("does not wait for a host that forgot the statement while another may answer", function()
    open(2, { DELAY_MS })
    local prepared = assert(world:prepare(read[1]))
    world.nodes[1].known, world.nodes[2].known = {}, {}
    acts.unprepared = function(_, link, request)
      rows.error(link, request, { code = C.MP_SE_UNPREPARED, message = "who?", id = request.id })
    end
    local record = submit { prepared, {} }
    world:until_true(function() return #world.arrived == 2 end)
    local prepares = world.nodes[2].prepares
    act(2, "unprepared")
    world:pass(10)
    assert.equal(prepares + 1, world.nodes[2].prepares) -- for those that come later
    assert.equal(2, #world.arrived)
    act(1, "unprepared") -- the last one: it is told again, and asked again
    world:until_true(function() return #world.arrived == 3 end)
    assert.equal(ip(1), world.arrived[3])
    act(1, "ok")
    assert.is_nil(world:wait(record).err)
    assert.equal(3, record.attempts)
  end)

  it("is not given up because each of its hosts forgot the statement", function()
    open(4, { 0, 0, 0 })
    local prepared = assert(world:prepare(read[1]))
    for _, node in ipairs(world.nodes) do node.known = {} end
    world.on_statement = nil
    for _ = 1, 3 do
      local record = submit { prepared, {} }
      assert.is_nil(world:wait(record).err)
      for _, node in ipairs(world.nodes) do node.known = {} end
    end
  end)

  it("reads each answer by the metadata that this copy was sent with", function()
    open(3, { DELAY_MS })
    local cql = "SELECT v FROM t WHERE k = 7"
    world.shapes[cql] = { result = { { "v", "text" } } }
    local prepared = assert(world:prepare(cql))
    for _, node in ipairs(world.nodes) do node.known["" .. #cql .. ":" .. cql] = cql end
    for winner = 1, 2 do
      world.arrived = {}
      local record = submit { prepared, {} }
      world:until_true(function() return #world.arrived == 2 end)
      act(winner, "ok")
      world:wait(record)
      assert.is_nil(record.err, record.err and record.err.message)
      assert.same({ "v" }, record.columns)
      assert.same({ { ip(winner) } }, record.rows)
      act(3 - winner, "ok")
      world:pass(10)
    end
  end)

  it("is over for its copies when a node says that the schema changed, though that is still looked at", function()
    open(3, { DELAY_MS, DELAY_MS })
    acts.schema = function(_, link, request)
      link.owed[request.stream] = nil
      link:send(function(buf)
        C.mp_encode_result_schema(buf, link.version, request.stream, "CREATED", "TABLE", str "ks", str "t")
      end)
    end
    local record = submit(read)
    world:until_true(function() return #world.arrived == 2 end)
    act(2, "schema")
    world:pass(DELAY_MS * 2)
    assert.equal(0, in_flight())
    assert.equal(2, #world.arrived)
    act(1, "error")
    assert.is_nil(world:wait(record).err)
    assert.equal(tonumber(C.MP_RESULT_SCHEMA), record.kind)
  end)

  -- ---- load -------------------------------------------------------------------------------------------------------

  it("INV11 has no copies beyond half of the retry budget, however slow the cluster is", function()
    open(3, { 1, 1 })
    local total = 3000
    for i = 1, total do
      submit(read, { timeout_ms = 60 })
      if i % 100 == 0 then world:pass(2) end
    end
    world:until_true(function() return world.open_requests == 0 end)
    local stats = world:stats()
    assert.equal(total, stats.requests)
    -- It began full: half of 1000 copies, and one for ten requests.
    assert.is_true(stats.speculative <= 500 + total / 10 + 20, stats.speculative)
    assert.is_true(stats.speculative >= 500)
    assert.is_true(stats.speculative_refused > 1000)
    assert.equal(total + stats.speculative, stats.attempts)
  end)

  -- ---- the end ----------------------------------------------------------------------------------------------------

  it("may be cancelled with all its copies", function()
    open(3, { DELAY_MS, DELAY_MS })
    local early, late = submit(read), submit(read)
    world:pass(5)
    world:cancel(early)
    world:until_true(function() return #world.arrived == 4 end)
    assert.equal(3, in_flight())
    world:cancel(late)
    assert.equal(0, in_flight())
    world:pass(1000)
  end)

  it("finishes while the session drains, and gets no more copies", function()
    open(3, { DELAY_MS, DELAY_MS })
    local record = submit(read)
    world:until_true(function() return #world.arrived == 2 end)
    local closed = world.closed_count
    C.mp_session_close(world.session, 5000, world.on_closed, nil)
    world:pass(100)
    assert.equal(2, #world.arrived)
    act(1, "error")
    world:pass(5)
    assert.is_nil(record.done)
    act(2, "ok")
    world:wait(record)
    assert.is_nil(record.err)
    world:until_true(function() return world.closed_count > closed end, 1000)
  end)

  it("ends with the session that does not drain", function()
    open(3, { DELAY_MS, DELAY_MS })
    local record = submit(write)
    world:until_true(function() return #world.arrived == 3 end)
    world:close_session(0)
    assert.equal("CLOSED", record.err.code)
    assert.is_true(record.err.maybe_applied)
    assert.equal(3, #record.err.attempts)
  end)

  it("shares a connection that dies with other requests' copies", function()
    open(3, { DELAY_MS })
    local records = {}
    for i = 1, 20 do records[i] = submit(read) end
    world:until_true(function() return #world.arrived == 40 end)
    world:kill(world.nodes[2])
    world:pass(10)
    for _, record in ipairs(records) do assert.is_nil(record.done) end
    world:kill(world.nodes[1])
    for _, record in ipairs(records) do
      world:wait(record)
      assert.equal("CONNECTION_LOST", record.err.code)
      assert.same({ ip(2) .. ":9042", ip(1) .. ":9042" }, { record.err.attempts[1].host, record.err.attempts[2].host })
    end
    assert.equal(0, in_flight())
  end)

  it("tells of a silent host as a timeout would", function()
    open(2, { DELAY_MS })
    local view = world.session.view.hosts[world:find(ip(1)).index]
    C.mp_loop_sim_stall(world.loop.handle, world.nodes[1].addr, true)
    for _ = 1, 20 do
      local record = submit(read)
      world:until_true(function() return world.held[ip(2)] end)
      act(2, "ok")
      world.held = {}
      assert.is_nil(world:wait(record).err)
    end
    assert.is_true(view.latencyUs > DELAY_MS * 800, view.latencyUs)
    world:until_true(function() return world:count("HOST_DOWN", ip(1) .. ":9042") == 1 end, 600)
    C.mp_loop_sim_stall(world.loop.handle, world.nodes[1].addr, false)
  end)

  it("takes no memory once the session has warmed up", function()
    open(3, { DELAY_MS })
    local before
    for round = 1, 20 do
      world.arrived = {}
      local record = submit(read)
      world:until_true(function() return #world.arrived == 1 end)
      local request = record.request
      -- The copy is sent by hand: the nodes of this world take memory, too.
      local allocs = C.mp_mem_stats().allocs
      request.state.speculation.after_ms = 0
      C.mp_deadline_stop(request.state.speculation.due)
      C.mp_speculation_on_due(world.session, request.state.speculation.due)
      before = tonumber(C.mp_mem_stats().allocs - allocs)
      if round > 3 then assert.equal(0, before) end
      world:until_true(function() return #world.arrived == 2 end)
      act(2, "ok")
      world:wait(record)
      act(1, "ok")
      world:pass(5)
    end
    assert.equal(20, world:stats().speculative)
  end)
end)
