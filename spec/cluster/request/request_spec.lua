-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

describe("a request", function()
  local world

  local function connected(options)
    world = session_world.connected(options)
    return world
  end

  local function pinned(ip, more)
    local options = more or {}
    options.pinned_host = world:find(ip).index
    return options
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  describe("that succeeds", function()
    it("gives its rows, its host and its attempts", function()
      connected()
      local record = world:execute("SELECT v FROM t", pinned "127.0.0.2")
      assert.same({ { "127.0.0.2" } }, record.rows)
      assert.same({ "v" }, record.columns)
      assert.equal("127.0.0.2:9042", record.host)
      assert.equal(1, record.attempts)
      assert.is_true(record.latency_ms > 0.4 and record.latency_ms < 5, record.latency_ms)
      local stats = world:stats()
      assert.same({ 1, 1, 0, 0 }, { stats.requests, stats.attempts, stats.errors, stats.requests_in_flight })
      assert.equal(1, tonumber(world:measured().ended))
    end)

    it("spreads over the hosts by the default plan", function()
      connected()
      for _ = 1, 30 do world:execute("UPDATE t SET v = 1") end
      for _, node in ipairs(world.nodes) do assert.equal(10, #node.statements) end
    end)

    it("never completes inside submit", function()
      connected()
      local record = world:submit("SELECT v FROM t")
      assert.is_nil(record.done)
      world:kill(world.nodes[1])
      world:kill(world.nodes[2])
      world:kill(world.nodes[3])
      world:until_true(function() return world:up_count() == 0 end)
      record = world:submit("SELECT v FROM t")
      assert.equal(0, record.rc)
      assert.is_nil(record.done)
      world:wait(record)
      assert.equal("NO_HOST_AVAILABLE", record.err.code)
      assert.equal("none of the 3 known hosts is up: 127.0.0.1:9042: the connection was lost; 127.0.0.2:9042: "
        .. "the connection was lost; 127.0.0.3:9042: the connection was lost", record.err.message)
      assert.equal(0, record.attempts)
      assert.is_false(record.err.maybe_applied)
    end)

    it("keeps the view's numbers", function()
      connected()
      local host = world:find "127.0.0.1"
      local view = world.session.view.hosts[host.index]
      local a = world:submit("SELECT v FROM t", pinned "127.0.0.1")
      local b = world:submit("SELECT v FROM t", pinned "127.0.0.1")
      assert.equal(2, view.inFlight)
      world:wait(a)
      world:wait(b)
      assert.equal(0, view.inFlight)
      assert.is_true(view.latencyUs >= 400 and view.latencyUs < 5000, view.latencyUs)
      assert.is_true(view.isUp and view.isLocal and view.isNewlyUp)
      assert.equal(2, tonumber(host.requests))
      assert.equal(2, tonumber(world:measured(host).ended))
      world:pass(50000)
      assert.is_true(view.isNewlyUp)
      world:pass(11000)
      assert.is_false(view.isNewlyUp)
    end)
  end)

  describe("that waits for room", function()
    local function crowded(more)
      local config = { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } }
      for key, value in pairs(more or {}) do config[key] = value end
      connected { nodes = { {} }, config = config }
      world.held = {}
      world.on_statement = function(node, link, request)
        table.insert(world.held, function() world:succeed(node, link, request) end)
        return true
      end
    end

    local function answer_one()
      world:until_true(function() return #world.held > 0 end)
      table.remove(world.held, 1)()
    end

    it("is sent in its turn", function()
      crowded()
      local order, records = {}, {}
      for i = 1, 5 do
        records[i] = world:submit("SELECT v FROM t", { on_done = function() order[#order + 1] = i end })
      end
      assert.equal(4, world:stats().requests_queued)
      assert.equal(1, world:stats().requests_in_flight)
      for _ = 1, 5 do answer_one() end
      world:wait(records[5])
      assert.same({ 1, 2, 3, 4, 5 }, order)
      assert.equal(0, world:stats().requests_queued)
    end)

    it("is not overtaken by one that came later", function()
      crowded()
      local order = {}
      local function note(name) return { on_done = function() order[#order + 1] = name end } end
      world:submit("SELECT v FROM t", { on_done = function()
        order[#order + 1] = "first"
        world:submit("SELECT v FROM t", note "again")
      end })
      local waiting = world:submit("SELECT v FROM t", note "waiting")
      answer_one()
      answer_one()
      world:wait(waiting)
      answer_one()
      world:until_true(function() return #order == 3 end)
      assert.same({ "first", "waiting", "again" }, order)
    end)

    it("is refused at once when the queue is full", function()
      crowded { max_queued = 2 }
      for _ = 1, 3 do assert.equal(0, world:submit("SELECT v FROM t").rc) end
      assert.equal(C.MP_EBUSY, world:submit("SELECT v FROM t").rc)
      for _ = 1, 3 do answer_one() end
      world:until_true(function() return world.open_requests == 0 end)
      assert.equal(0, world:submit("SELECT v FROM t").rc)
      answer_one()
    end)

    it("ends at its deadline and says that it never had a place", function()
      crowded()
      local first = world:submit("SELECT v FROM t")
      local second = world:submit("UPDATE t SET v = 1", { timeout_ms = 300 })
      local before = world.loop:now_ms()
      world:wait(second)
      assert.is_true(math.abs(world.loop:now_ms() - before - 300) < 5)
      assert.equal("TIMEOUT", second.err.code)
      assert.equal("no connection had room within 300 ms", second.err.message)
      assert.is_false(second.err.maybe_applied)
      answer_one()
      world:wait(first)
    end)

    it("ends when the host it waits for goes down", function()
      crowded()
      local first, second = world:submit("UPDATE t SET v = 1"), world:submit("UPDATE t SET v = 2")
      world:until_true(function() return #world.held > 0 end)
      world:kill(world.nodes[1])
      world:wait(first)
      world:wait(second)
      assert.equal("CONNECTION_LOST", first.err.code)
      assert.is_true(first.err.maybe_applied)
      assert.equal("NO_HOST_AVAILABLE", second.err.code)
      assert.is_false(second.err.maybe_applied)
    end)

    it("takes another host meanwhile, when one has room", function()
      connected { config = { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } } }
      world.on_statement = function(node) return node == world.nodes[1] end
      local stuck = world:submit("SELECT v FROM t", pinned "127.0.0.1")
      local waiting = world:submit("SELECT v FROM t", pinned "127.0.0.1")
      for _ = 1, 10 do assert.is_nil(world:execute("SELECT v FROM t").err) end
      assert.is_nil(stuck.done or waiting.done)
    end)

    it("and is cancelled, leaves the queue", function()
      crowded()
      local first, second, third = world:submit("SELECT v FROM t"), world:submit("SELECT v FROM t"),
        world:submit("SELECT v FROM t")
      assert.is_true(world:cancel(second))
      assert.equal(1, world:stats().requests_queued)
      world:wait(second)
      assert.same({ "CANCELLED", "cancelled by its caller", false, 0 },
        { second.err.code, second.err.message, second.err.maybe_applied, second.attempts })
      answer_one()
      answer_one()
      world:wait(third)
      assert.is_true(first.done)
    end)
  end)

  describe("whose node is silent", function()
    it("moves on after an attempt when it is safe", function()
      connected()
      world.on_statement = function(node) return node == world.nodes[1] end
      local slot = world:find("127.0.0.1").index
      -- Asks the silent host first, then the others in turn.
      local policies = ffi.new "struct mp_policy_calls"
      policies.balance.plan = world.loop:callback(
        "bool (*)(void *, const struct mp_request_view *, struct mp_plan *)", function(_, _, plan)
          C.mp_plan_host(plan, slot)
          C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, C.MP_ORDER_IN_TURN, 0, 0)
          return true
        end)
      C.mp_session_set_policies(world.session, policies)
      local before = world.loop:now_ms()
      local record = world:execute("SELECT v FROM t", { timeout_ms = 1000 })
      assert.is_nil(record.err)
      assert.equal(2, record.attempts)
      assert.is_true(math.abs(world.loop:now_ms() - before - 500) < 10)
      assert.equal(1, world:count("FAILOVER", "127.0.0.1:9042"))
      local write = world:execute("UPDATE t SET v = 1", { timeout_ms = 1000, idempotent = true })
      assert.is_nil(write.err)
      assert.equal(2, write.attempts)
    end)

    it("has only its own deadline when it is not", function()
      connected()
      world.on_statement = function() return true end
      local before = world.loop:now_ms()
      local record = world:execute("UPDATE t SET v = 1", { timeout_ms = 1000 })
      assert.is_true(math.abs(world.loop:now_ms() - before - 1000) < 5)
      assert.equal("TIMEOUT", record.err.code)
      assert.is_true(record.err.maybe_applied)
      assert.equal(1, record.attempts)
      assert.is_truthy(record.err.message:find "no answer within 1000 ms", record.err.message)
      assert.equal(1, world:stats().timeouts)
    end)

    it("never outlives its deadline, however many attempts it makes", function()
      connected()
      world.on_statement = function() return true end
      local before = world.loop:now_ms()
      local record = world:execute("SELECT v FROM t", { timeout_ms = 1000 })
      assert.is_true(math.abs(world.loop:now_ms() - before - 1000) < 5)
      assert.equal("TIMEOUT", record.err.code)
      assert.equal(2, record.err.total)
      assert.is_false(record.err.maybe_applied)
    end)

    it("has its connection asked for a sign of life", function()
      connected()
      C.mp_loop_sim_stall(world.loop.handle, world.nodes[1].addr, true)
      local record = world:execute("SELECT v FROM t", pinned("127.0.0.1", { timeout_ms = 400 }))
      assert.equal("TIMEOUT", record.err.code)
      world:until_true(function() return world:count("HOST_DOWN", "127.0.0.1:9042") == 1 end, 600)
      C.mp_loop_sim_stall(world.loop.handle, world.nodes[1].addr, false)
    end)

    it("has its late answer forgotten", function()
      connected()
      local late
      world.on_statement = function(node, link, request)
        if late then return end
        late = function() world:succeed(node, link, request) end
        return true
      end
      local record = world:execute("SELECT v FROM t", pinned("127.0.0.1", { timeout_ms = 200 }))
      assert.equal("TIMEOUT", record.err.code)
      local next_one = world:submit("SELECT v FROM t", pinned "127.0.0.1")
      late()
      world:wait(next_one)
      assert.is_nil(next_one.err)
      assert.equal(1, world:stats().late_answers)
    end)

    it("keeps to timeouts of every kind at once", function()
      connected()
      world.on_statement = function() return true end
      local records, before = {}, world.loop:now_ms()
      for i = 1, 200 do
        local timeout = 50 + (i * 37) % 400
        records[i] = world:submit("UPDATE t SET v = 1", { timeout_ms = timeout, on_done = function()
          local took = world.loop:now_ms() - before
          assert(math.abs(took - timeout) < 2, took .. " instead of " .. timeout)
        end })
      end
      for _, record in ipairs(records) do world:wait(record) end
    end)
  end)

  describe("that is cancelled", function()
    it("may be so from the callback of another", function()
      connected()
      local other = world:submit("SELECT v FROM t", pinned "127.0.0.1")
      local first = world:submit("SELECT v FROM t", pinned("127.0.0.1", {
        on_done = function() if not other.done then world:cancel(other) end end,
      }))
      world:wait(first)
      world:wait(other)
    end)

    it("and others submit and end from callbacks", function()
      connected()
      local left, finished = 300, 0
      local function go()
        finished = finished + 1
        if left == 0 then return end
        left = left - 1
        world:submit("SELECT v FROM t", { on_done = go })
      end
      for _ = 1, 8 do
        left = left - 1
        world:submit("SELECT v FROM t", { on_done = go })
      end
      world:until_true(function() return finished == 300 end)
    end)
  end)

  describe("that meets a node that breaks the protocol", function()
    local function broken(how)
      connected()
      local broke
      world.on_statement = function(_, link, request)
        if broke then return end
        broke = true
        how(link, request)
        return true
      end
    end
    -- By what is said of them.
    local cases = {
      ["rows without metadata, which were not asked for"] = function(link, request)
        rows.send(link, request, { { "v", "text" } }, { { "x" } }, { skip_metadata = true })
      end,
      ["PREPARED as the answer to a statement"] = function(link, request) rows.prepared(link, request, "id") end,
      ["the keyspace of one connection was changed"] = function(link, request) link:echo(request, "evil") end,
      ["READY as the answer to QUERY"] = function(link, request) link:ready(request) end,
      ["a malformed RESULT: a number of columns that is negative or over 65535"] = function(link, request)
        link:send(function(buf)
          local begin = C.mp_envelope_begin(buf, link.version, true, 0, request.stream, C.MP_OP_RESULT)
          C.mp_buf_i32(buf, 2)
          C.mp_buf_i32(buf, 0)
          C.mp_buf_i32(buf, 1000000)
          C.mp_envelope_end(buf, begin)
        end)
      end,
      ["a malformed ERROR: less than it says"] = function(link, request)
        link:send(function(buf)
          local begin = C.mp_envelope_begin(buf, link.version, true, 0, request.stream, C.MP_OP_ERROR)
          C.mp_buf_u16(buf, 0)
          C.mp_envelope_end(buf, begin)
        end)
      end,
      ["a malformed answer: less of a trace id, of warnings or of a payload than it says"] = function(link, request)
        link:send(function(buf)
          local begin = C.mp_envelope_begin(buf, link.version, true, C.MP_FLAG_TRACING, request.stream, C.MP_OP_RESULT)
          C.mp_buf_bytes(buf, "half of an id", 13)
          C.mp_envelope_end(buf, begin)
        end)
      end,
    }
    for name, how in pairs(cases) do
      it("closes that connection: " .. name, function()
        broken(how)
        local read = world:execute("SELECT v FROM t")
        assert.is_nil(read.err) -- safe: another host answered
        assert.equal(2, read.attempts)
        assert.equal(1, world:count "CONNECTION_LOST")
        world:close()
        broken(how)
        local write = world:execute("UPDATE t SET v = 1")
        assert.is_truthy(write.err)
        assert.is_true(write.err.maybe_applied)
        assert.equal(1, write.attempts)
        assert.equal("PROTOCOL_ERROR", write.err.code)
        -- What the connection itself refuses is told with the connection.
        local said = name:find "^READY" and "" or ": " .. name
        assert.equal(write.err.host .. ": the peer broke the protocol" .. said, write.err.message)
        local lost
        for _, event in ipairs(world.events) do
          if event.kind == "CONNECTION_LOST" then lost = event.reason end
        end
        assert.equal(name, lost)
        world:until_true(function() return world:up_count() == 3 end)
      end)
    end
  end)

  -- The nodes and the network of this world take memory, so the request's own way is walked by hand: submit,
  -- and then its answer.
  it("takes no memory once the session has warmed up", function()
    connected()
    local cql = "SELECT v FROM t WHERE k = ?"
    world.shapes[cql] = { params = { { "k", "int" } }, pk_indexes = { 0 }, result = { { "v", "text" } } }
    local prepared = world:prepare(cql)
    for i = 1, 30 do world:execute(prepared, { values = { rows.int(i) } }) end
    world.on_statement = function() return true end
    local body = rows.int(2) .. rows.int(4) .. rows.int(1) .. rows.int(1) .. rows.int(3) .. "abc"
    local envelope = ffi.new "struct mp_envelope"
    envelope.version, envelope.response, envelope.opcode = 5, true, C.MP_OP_RESULT
    envelope.body, envelope.body_len = ffi.cast("const uint8_t *", body), #body
    for round = 1, 10 do
      local before = C.mp_mem_stats().allocs
      local submitted = world:submit(prepared, { values = { rows.int(round) }, kept = true })
      assert.equal(0, submitted.rc)
      local state = submitted.request.state
      C.mp_call_abandon(state.first.call)
      C.mp_attempt_on_answer(state.first.call, 0, envelope)
      C.mp_request_give(submitted.request)
      local allocs = tonumber(C.mp_mem_stats().allocs - before)
      assert.same({ { "abc" } }, submitted.rows)
      if round > 1 then assert.equal(0, allocs) end
      world:pass(1)
    end
  end)
end)
