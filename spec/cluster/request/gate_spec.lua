-- SPDX-License-Identifier: Apache-2.0
-- The replay gate from end to end: each way an attempt can end, for each kind of statement, under a policy that always
-- wants another attempt. What the table of replay.c says is what must happen on the wire.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local classes = {
  { name = "read", class = C.MP_REPLAY_READ, cql = "SELECT v FROM t" },
  { name = "idempotent write", class = C.MP_REPLAY_IDEMPOTENT, cql = "UPDATE t SET v = 1", idempotent = true },
  { name = "list append", class = C.MP_REPLAY_UNSAFE, cql = "UPDATE t SET l = l + [1]" },
  { name = "counter update", class = C.MP_REPLAY_FRAGILE, cql = "UPDATE t SET c = c + 1" },
  { name = "lightweight transaction", class = C.MP_REPLAY_FRAGILE, cql = "INSERT INTO t (k) VALUES (1) IF NOT EXISTS",
    idempotent = true },
}

local function server(code, more)
  local fields = more or {}
  fields.code, fields.message = code, "because"
  return function(_, link, request) rows.error(link, request, fields) end
end

-- How a node makes an attempt end in each outcome; those that no node can cause are driven below.
local outcomes = {
  IS_BOOTSTRAPPING = server(C.MP_SE_IS_BOOTSTRAPPING),
  UNAVAILABLE = server(C.MP_SE_UNAVAILABLE, { consistency = 4, required = 2, received = 1 }),
  OVERLOADED = server(C.MP_SE_OVERLOADED),
  SERVER_ERROR = server(C.MP_SE_SERVER_ERROR),
  TRUNCATE_ERROR = server(C.MP_SE_TRUNCATE_ERROR),
  FUNCTION_FAILURE = server(C.MP_SE_FUNCTION_FAILURE),
  READ_TIMEOUT = server(C.MP_SE_READ_TIMEOUT, { consistency = 4, required = 2, received = 1 }),
  READ_FAILURE = server(C.MP_SE_READ_FAILURE, { consistency = 4, required = 2, received = 1, failures = 0 }),
  WRITE_TIMEOUT = server(C.MP_SE_WRITE_TIMEOUT,
    { consistency = 4, required = 2, received = 1, write_type = C.MP_WRITE_SIMPLE }),
  WRITE_TIMEOUT_BATCH_LOG = server(C.MP_SE_WRITE_TIMEOUT,
    { consistency = 4, required = 2, received = 1, write_type = C.MP_WRITE_BATCH_LOG }),
  WRITE_FAILURE = server(C.MP_SE_WRITE_FAILURE,
    { consistency = 4, required = 2, received = 1, failures = 0, write_type = C.MP_WRITE_SIMPLE }),
  CDC_WRITE_FAILURE = server(C.MP_SE_CDC_WRITE_FAILURE),
  CAS_WRITE_UNKNOWN = server(C.MP_SE_CAS_WRITE_UNKNOWN, { consistency = 4, required = 2, received = 1 }),
  SYNTAX_ERROR = server(C.MP_SE_SYNTAX_ERROR),
  UNAUTHORIZED = server(C.MP_SE_UNAUTHORIZED),
  INVALID = server(C.MP_SE_INVALID),
  CONFIG_ERROR = server(C.MP_SE_CONFIG_ERROR),
  ALREADY_EXISTS = server(C.MP_SE_ALREADY_EXISTS),
  BAD_CREDENTIALS = server(C.MP_SE_BAD_CREDENTIALS),
  PROTOCOL_ERROR = server(C.MP_SE_PROTOCOL_ERROR),
  UNKNOWN_CODE = server(0x7777),
  LOST = function(_, link) link:close(true) end,
  TIMEOUT = function() end,
}

describe("the replay gate", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  -- A policy that wants another attempt after everything. `same`: on the same host.
  local function greedy(same)
    local policies = ffi.new "struct mp_policy_calls"
    policies.retry.decide = world.loop:callback(
      "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)",
      function() return same and C.MP_SAME_HOST or C.MP_NEXT_HOST end)
    C.mp_session_set_policies(world.session, policies)
  end

  local function open(same)
    world = session_world.connected { nodes = { {}, {}, {}, {}, {} } }
    world:pass(1500)
    greedy(same)
  end

  local function outcome_of(name) return C["MP_OUTCOME_" .. name] end
  local function rule_of(name, kind) return C.mp_replay_rule(outcome_of(name), kind.class) end

  for name, strike in pairs(outcomes) do
    for _, kind in ipairs(classes) do
      it("decides about a " .. kind.name .. " that met " .. name, function()
        open()
        local rule = rule_of(name, kind)
        local struck = 0
        world.on_statement = function(node, link, request)
          struck = struck + 1
          if struck > 1 then return end
          strike(node, link, request)
          return true
        end
        local record = world:execute(kind.cql, { idempotent = kind.idempotent or false, timeout_ms = 1000 })
        if name == "TIMEOUT" and rule.most > 0 then assert.is_true(record.latency_ms < 600) end
        if rule.most > 0 then
          assert.is_nil(record.err, record.err and record.err.message)
          assert.equal(2, record.attempts)
          assert.equal(2, struck)
          assert.equal(0, world:stats().unsafe_retries_refused)
        else
          assert.is_truthy(record.err)
          assert.equal(1, struck)
          assert.equal(rule.maybe_applied, record.err.maybe_applied)
          local by_deadline = name == "TIMEOUT" -- then nobody asks for a retry
          assert.equal(by_deadline and 0 or 1, world:stats().unsafe_retries_refused)
          assert.equal(1, #record.err.attempts)
          assert.equal(record.err.host, record.err.attempts[1].host)
        end
      end)
    end
  end

  it("ends a request that meets the same outcome again and again, by the table or for lack of hosts", function()
    for name, strike in pairs(outcomes) do
      for _, kind in ipairs(classes) do
        if name ~= "TIMEOUT" and name ~= "LOST" then
          open()
          local rule = rule_of(name, kind)
          world.on_statement = function(node, link, request)
            strike(node, link, request)
            return true
          end
          local record = world:execute(kind.cql, { idempotent = kind.idempotent or false })
          local label = name .. " " .. kind.name
          assert.equal(math.min(rule.most + 1, 5), record.err.total, label)
          assert.equal(rule.maybe_applied, record.err.maybe_applied, label)
          assert.equal(record.err.total, world:statement_count(), label)
          world:close()
        end
      end
    end
    world = nil
  end)

  it("lets a retry on the same host be one on the next where the table says so", function()
    open(true)
    local hosts = {}
    world.on_statement = function(node, link, request)
      hosts[#hosts + 1] = node.ip
      if #hosts > 1 then return end
      outcomes.UNAVAILABLE(node, link, request)
      return true
    end
    assert.is_nil(world:execute("SELECT v FROM t").err)
    assert.not_equal(hosts[1], hosts[2])
  end)

  it("lets a retry on the same host be one on the next when that host has lost its connections", function()
    open(true)
    local hosts = {}
    world.on_statement = function(node, link)
      hosts[#hosts + 1] = node.ip
      if #hosts > 1 then return end
      world:kill(node)
      link:close(true)
      return true
    end
    assert.is_nil(world:execute("SELECT v FROM t").err)
    assert.not_equal(hosts[1], hosts[2])
    assert.equal(2, #hosts)
  end)

  it("sends a retry for the same host to the same host", function()
    open(true)
    local hosts = {}
    world.on_statement = function(node, link, request)
      hosts[#hosts + 1] = node.ip
      if #hosts > 1 then return end
      outcomes.READ_TIMEOUT(node, link, request)
      return true
    end
    assert.is_nil(world:execute("SELECT v FROM t").err)
    assert.equal(hosts[1], hosts[2])
    assert.equal(0, world:count "FAILOVER")
  end)

  it("sends what the system never took again, whatever it is", function()
    for _, kind in ipairs(classes) do
      open()
      -- The node reads nothing, so that what is offered stays here; then it is gone.
      C.mp_loop_sim_set_buffer(world.loop.handle, 64)
      for _, node in ipairs(world.nodes) do C.mp_loop_sim_stall(world.loop.handle, node.addr, true) end
      local slot = world:find("127.0.0.2").index
      local policies = ffi.new "struct mp_policy_calls"
      policies.balance.plan = world.loop:callback(
        "bool (*)(void *, const struct mp_request_view *, struct mp_plan *)", function(_, _, plan)
          C.mp_plan_host(plan, slot)
          C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, C.MP_ORDER_IN_TURN, 0, 0)
          return true
        end)
      C.mp_session_set_policies(world.session, policies)
      local filler = world:submit("UPDATE t SET v = '" .. ("x"):rep(3000) .. "'")
      world:pass(20)
      local record = world:submit(kind.cql, { idempotent = kind.idempotent or false })
      world:pass(20)
      for _, node in ipairs(world.nodes) do
        if node ~= world.nodes[2] then C.mp_loop_sim_stall(world.loop.handle, node.addr, false) end
      end
      C.mp_loop_sim_cut(world.loop.handle, world.nodes[2].addr)
      world:wait(record)
      assert.is_nil(record.err, record.err and record.err.message)
      assert.equal(2, record.attempts)
      world:wait(filler) -- a part of it was taken, not the whole
      assert.is_nil(filler.err, filler.err and filler.err.message)
      C.mp_loop_sim_stall(world.loop.handle, world.nodes[2].addr, false)
      world:close()
    end
    world = nil
  end)

  it("lets the policy wait before a retry, but not beyond the deadline", function()
    world = session_world.connected()
    local delay = 300
    local policies = ffi.new "struct mp_policy_calls"
    policies.retry.decide = world.loop:callback(
      "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)",
      function(_, _, delay_ms)
        delay_ms[0] = delay
        return C.MP_NEXT_HOST
      end)
    C.mp_session_set_policies(world.session, policies)
    local struck = 0
    world.on_statement = function(node, link, request)
      struck = struck + 1
      if struck ~= 1 then return end
      outcomes.OVERLOADED(node, link, request)
      return true
    end
    local record = world:execute("SELECT v FROM t")
    assert.is_nil(record.err)
    assert.is_true(record.latency_ms >= 300 and record.latency_ms < 310, record.latency_ms)
    delay, struck = 5000, 0
    record = world:execute("SELECT v FROM t")
    assert.equal("OVERLOADED", record.err.code)
    assert.is_true(record.latency_ms < 100)
    delay, struck = 300, 0
    local dropped = world:submit "SELECT v FROM t"
    world:pass(50)
    assert.equal(1, struck)
    assert.is_true(world:cancel(dropped)) -- while it waits for its retry
    world:wait(dropped)
    assert.same({ "CANCELLED", false }, { dropped.err.code, dropped.err.maybe_applied })
    assert.matches("OVERLOADED", dropped.err.message, 1, true)
    struck = 0
    local late = world:submit("SELECT v FROM t")
    world:pass(50)
    assert.equal(1, struck)
    C.mp_session_close(world.session, 1000, world.on_closed, nil)
    world:wait(late)
    assert.equal("CLOSED", late.err.code)
  end)

  it("keeps retries within a budget when a cluster is overloaded", function()
    world = session_world.connected()
    greedy()
    world.on_statement = function(node, link, request)
      outcomes.OVERLOADED(node, link, request)
      return true
    end
    for _ = 1, 60 do
      local records = {}
      for i = 1, 50 do records[i] = world:submit("SELECT v FROM t") end
      for _, record in ipairs(records) do world:wait(record) end
    end
    local stats = world:stats()
    assert.equal(3000, stats.requests)
    assert.is_true(stats.retries <= 1000 + 300 + 100, stats.retries)
    assert.is_true(stats.retries >= 1000)
  end)

  it("is tighter than any policy, and a policy may be tighter than it", function()
    world = session_world.connected()
    local policies = ffi.new "struct mp_policy_calls"
    policies.retry.decide = world.loop:callback(
      "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)",
      function(_, view)
        assert(view.code == C.MP_SE_UNAVAILABLE and view.attempt == 1 and view.required == 2 and view.received == 1)
        assert(view.isRead and not view.isLwt and view.err == C.MP_ESERVER)
        return C.MP_GIVE_UP
      end)
    C.mp_session_set_policies(world.session, policies)
    world.on_statement = function(node, link, request)
      outcomes.UNAVAILABLE(node, link, request)
      return true
    end
    local record = world:execute("SELECT v FROM t")
    assert.equal("UNAVAILABLE", record.err.code)
    assert.equal(C.MP_SE_UNAVAILABLE, record.err.server_code)
    assert.equal(1, record.err.total)
    assert.is_truthy(record.err.message:find("UNAVAILABLE: because", 1, true), record.err.message)
  end)

  it("uses the default plan when the policy fails, and counts it", function()
    world = session_world.connected()
    local policies = ffi.new "struct mp_policy_calls"
    policies.balance.plan = world.loop:callback(
      "bool (*)(void *, const struct mp_request_view *, struct mp_plan *)", function() return false end)
    C.mp_session_set_policies(world.session, policies)
    for _ = 1, 3 do assert.is_nil(world:execute("SELECT v FROM t").err) end
    assert.equal(3, world:stats().policy_fallbacks)
  end)

  it("tells a failover once a second for each host it leaves", function()
    open()
    local down = true
    world.on_statement = function(node, link, request)
      if node ~= world.nodes[1] or not down then return end
      outcomes.OVERLOADED(node, link, request)
      return true
    end
    for _ = 1, 50 do assert.is_nil(world:execute("SELECT v FROM t").err) end
    assert.equal(1, world:count("FAILOVER", "127.0.0.1:9042"))
    local event
    for _, entry in ipairs(world.events) do if entry.kind == "FAILOVER" then event = entry end end
    assert.is_truthy(event.to)
    assert.equal("because", event.reason)
    world:pass(1000)
    for _ = 1, 50 do assert.is_nil(world:execute("SELECT v FROM t").err) end
    assert.equal(2, world:count("FAILOVER", "127.0.0.1:9042"))
  end)

  it("lists every attempt of a request that finds no host", function()
    open()
    world.on_statement = function(_, link)
      link:close(true)
      return true
    end
    local record = world:execute("SELECT v FROM t")
    assert.equal("NO_HOST_AVAILABLE", record.err.code)
    assert.equal(5, #record.err.attempts)
    local seen = {}
    for _, attempt in ipairs(record.err.attempts) do
      assert.is_nil(seen[attempt.host])
      seen[attempt.host] = true
      assert.equal(C.MP_ELOST, attempt.err)
    end
    assert.is_truthy(record.err.message:find "5 attempts")
  end)
end)
