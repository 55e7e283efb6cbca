-- SPDX-License-Identifier: Apache-2.0
-- Speculative execution policies: what the built-in ones say, what is taken of what others say, what it is good for.
local ffi = require "ffi"
local C = require "spec.support.c"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local refuses = require "spec.support.refuses"
local topology = require "spec.support.topology"
local world = require "spec.support.world"

local folder

local function policy(body)
  local path = folder .. "/mine.lua"
  policies.write(path, "return speculate { name = 'Mine', after = function(req, sent, options)\n" .. body .. " end }")
  return path
end

local function files()
  before_each(function() folder = policies.folder() end)
  after_each(function()
    policies.close_all()
    policies.remove(folder)
  end)
end

describe("a session without a speculate policy", function()
  files()

  it("has nobody to ask", function()
    local p = policies.new {}
    assert.equal(nil, C.mp_policies_get(p.handle).speculate.after)
    assert.is_nil(p:info(C.MP_POLICY_SPECULATE))
  end)
end)

describe("NoSpeculativeExecutionPolicy", function()
  files()

  it("wants no copy", function()
    local p = policies.new { speculate = "NoSpeculativeExecutionPolicy" }
    for sent = 1, 3 do assert.is_nil(p:after(sent)) end
    assert.equal(0, tonumber(p:info(C.MP_POLICY_SPECULATE).errors))
  end)
end)

describe("ConstantSpeculativeExecutionPolicy", function()
  files()

  it("wants one after its delay, and no more than it may", function()
    local p = policies.new { speculate = "ConstantSpeculativeExecutionPolicy" }
    assert.same({ 100 }, { p:after(1), p:after(2) })
    p = policies.new { speculate = "ConstantSpeculativeExecutionPolicy",
      speculateOptions = "{ delay = 2.5, maxSpeculativeExecutions = 2 }" }
    assert.same({ 3, 3 }, { p:after(1), p:after(2), p:after(3) })
  end)

  refuses(it, "speculate", "ConstantSpeculativeExecutionPolicy", {
    ["{ delay = -1 }"] = "speculativeExecution.delay: got -1; must be 0 to 3600000 ms",
    ["{ delay = 0/0 }"] = "speculativeExecution.delay: got nan; must be 0 to 3600000 ms",
    ["{ delay = 'x' }"] = 'speculativeExecution.delay: got "x" (string); ConstantSpeculativeExecutionPolicy takes a '
      .. "number",
    ["{ maxSpeculativeExecutions = 4 }"] = "speculativeExecution.maxSpeculativeExecutions: got 4; must be 1 to 3",
    ["{ percentile = 99 }"] = "speculativeExecution.percentile: ConstantSpeculativeExecutionPolicy",
  })
end)

describe("PercentileSpeculativeExecutionPolicy", function()
  files()

  refuses(it, "speculate", "PercentileSpeculativeExecutionPolicy", {
    ["{ percentile = 100 }"] = "speculativeExecution.percentile: got 100; must be more than 0 and less than 100",
    ["{ percentile = 0 }"] = "speculativeExecution.percentile: got 0; must be more than 0 and less than 100",
    ["{ minimumSamples = 0 }"] = "speculativeExecution.minimumSamples: got 0; must be 1 or more",
    ["{ maxSpeculativeExecutions = 0 }"] = "speculativeExecution.maxSpeculativeExecutions: got 0; must be 1 to 3",
  })

  it("asks what was measured, and wants nothing while that is too little", function()
    local p = policies.new { speculate = "PercentileSpeculativeExecutionPolicy",
      speculateOptions = "{ percentile = 95, minimumSamples = 40, maxSpeculativeExecutions = 2 }" }
    assert.is_nil(p:after(1)) -- nobody measures
    local asked, measured = {}, -1
    local names = ffi.new "struct mp_policy_names"
    local latency = ffi.cast("double (*)(void *, double, uint32_t)", function(_, quantile, least)
      asked[#asked + 1] = quantile .. " of " .. least
      return measured
    end)
    names.latency_ms = latency
    local view = topology.view({ { dc = "dc1" } }, "dc1")
    assert.equal(0, p:bind(view, names))
    for i = 1, #asked do asked[i] = nil end
    assert.is_nil(p:after(1))
    measured = 12.25
    assert.same({ 13, 13 }, { p:after(1), p:after(2), p:after(3) })
    assert.same({ "0.95 of 40", "0.95 of 40", "0.95 of 40" }, asked)
    assert.equal(0, tonumber(p:info(C.MP_POLICY_SPECULATE).errors))
    p:close()
    topology.free(view)
    latency:free()
  end)
end)

describe("a speculate policy", function()
  files()

  it("sees the request and how many attempts were made", function()
    local p = policies.new { speculate = policy [[
      if not req.isRead then return 500 end
      if req.consistency == QUORUM then return 40 + sent end
      return sent < 3 and 7 or nil]] }
    local view = topology.view({ { dc = "dc1" } }, "dc1")
    assert.equal(0, p:bind(view))
    assert.equal(500, p:after(1, { isRead = false }))
    assert.equal(42, p:after(2, { consistency = C.MP_CL_QUORUM }))
    assert.equal(7, p:after(2))
    assert.is_nil(p:after(3))
    local info = p:info(C.MP_POLICY_SPECULATE)
    assert.equal("Mine", ffi.string(info.name))
    assert.equal(4, tonumber(info.calls))
    assert.is_true(info.is_compiled)
    p:close()
    topology.free(view)
  end)

  it("may have a child", function()
    local path = folder .. "/half.lua"
    policies.write(path, [[return speculate {
      name = "Half", options = { childPolicy = "ConstantSpeculativeExecutionPolicy" },
      after = function(req, sent, options, child)
        local ms = child(req, sent)
        return ms and ms / 2
      end }]])
    local p = policies.new { speculate = path, speculateOptions = "{ delay = 300 }" }
    assert.equal(150, p:after(1))
    assert.is_nil(p:after(2))
    assert.equal("ConstantSpeculativeExecutionPolicy", ffi.string(p:info(C.MP_POLICY_SPECULATE).child))
  end)

  for _, value in ipairs { "0/0", "-1", "-0.001", "math.huge", "-math.huge", "2^53", "3600001", "'soon'", "{}", "true",
    "false", "req", "error('x')", "latency(2)", "latency('x')", "latency(0.5, 0)", "latency(0.5, {})", "req.nothing",
    "nothing", "table.concat(options, 1)" } do
    it("that says " .. value .. " gets no copy, and is counted", function()
      local p = policies.new { speculate = policy("local says = 1 if req.tag == 7 then says = "
        .. value .. " end return says") }
      assert.is_nil(p:after(1, { tag = 7 }))
      assert.equal(1, p:after(1))
      local info = p:info(C.MP_POLICY_SPECULATE)
      assert.equal(1, tonumber(info.errors))
      assert.matches("/mine.lua:%d: ", ffi.string(info.last_error))
      assert.not_matches("moonpool.policy", ffi.string(info.last_error), 1, true)
    end)
  end

  it("that loops for ever is stopped", function()
    local p = policies.new { speculate = policy "while req.tag == 7 do end return 1" }
    assert.is_nil(p:after(1, { tag = 7 }))
    assert.matches("out of fuel", ffi.string(p:info(C.MP_POLICY_SPECULATE).last_error), 1, true)
    assert.equal(1, p:after(1))
  end)

  it("is logged once a second at most", function()
    local p = policies.new { speculate = policy "if req.tag == 7 then error 'seven' end return 1", sim = true }
    local function lines()
      local count = 0
      for _, line in ipairs(p.log) do count = count + (line:find("mine.lua:2: seven", 1, true) and 1 or 0) end
      return count
    end
    for _ = 1, 50 do p:after(1, { tag = 7 }) end
    assert.equal(1, lines())
    p:pass(1100)
    p:after(1, { tag = 7 })
    assert.equal(2, lines())
  end)

  for body, message in pairs {
    ["return 'x'"] = "after must return milliseconds, 0 to 3600000, or nothing for no copy; got x",
    ["return sent.x.y"] = "mine.lua:2: attempt to index",
    ["req.tag = 5"] = "mine.lua:2: attempt to write to constant location",
    ["return nothing"] = "mine.lua:2:",
    ["return nextHost"] = "mine.lua:2:",
  } do
    it("is refused before it serves: " .. body, function()
      local p, why = policies.try { speculate = policy(body) }
      assert.is_nil(p)
      assert.matches(message, why, 1, true)
    end)
  end

  it("reloads, and an older generation comes back when the new one keeps failing", function()
    local p = policies.new { speculate = policy "return 10", watch = true }
    policy "if req.tag == 7 then error 'seven' end return 20"
    assert(p:turn(function() return #p.events == 1 end))
    assert.equal(20, p:after(1))
    for _ = 1, 100 do assert.is_nil(p:after(1, { tag = 7 })) end
    assert.equal(10, p:after(1))
    assert.equal(1, p:info(C.MP_POLICY_SPECULATE).generation)
  end)
end)

-- ---- in a pool --------------------------------------------------------------------------------------------

describe("speculative execution in a pool", function()
  local it_in = world.inside(it)
  files()

  local function prepare(w, speculative)
    w:schema "CREATE TABLE ks.kv (k int PRIMARY KEY, v text)"
    local pool = w:pool { speculativeExecution = speculative, attemptTimeout = 2000, requestTimeout = 4000 }
    w:waitUp(pool)
    local write, read = assert(pool:prepare "INSERT INTO kv (k, v) VALUES (?, 'x')"),
      assert(pool:prepare "SELECT v FROM kv WHERE k = ?")
    for node = 1, w.nodes do
      for _, statement in ipairs { write, read } do assert(pool:execute(statement, { 1 }, { host = w:host(node) })) end
    end
    return pool, read, write
  end

  -- Latencies of `count` reads from 8 workers, sorted.
  local function load(w, pool, read, count)
    local left, list, futures = count, {}, {}
    for i = 1, 8 do
      futures[i] = w:spawn(function()
        while left > 0 do
          left = left - 1
          local result = assert(pool:execute(read, { left % 50 }, { consistency = "ONE" }))
          list[#list + 1] = result.info.latencyMs
        end
        return true
      end)
    end
    assert(moonpool.all(futures))
    table.sort(list)
    return list
  end

  local function at(list, share) return list[math.ceil(#list * share)] end

  -- One node of three answers each tenth request late.
  local function slow_node(w)
    return w.cluster:rule { node = 2, opcode = "EXECUTE", delay = 600, probability = 0.1 }
  end

  local function tail(w, speculative)
    local pool, read = prepare(w, speculative)
    load(w, pool, read, 1000)
    slow_node(w)
    local before = pool:getStats()
    local list = load(w, pool, read, 3000)
    local after = pool:getStats()
    assert.equal(0, after.errors - before.errors)
    return list, after.attempts - before.attempts, after.speculative - before.speculative, pool
  end

  it_in("is off unless it is asked for: the tail is what the slowest node makes it", function(w)
    local list, attempts, copies = tail(w)
    assert.is_true(at(list, 0.99) > 500)
    assert.equal(3000, attempts)
    assert.equal(0, copies)
  end)

  it_in("cuts the tail after a constant delay", function(w)
    local list, attempts, copies, pool = tail(w, { delay = 20 })
    assert.is_true(list[#list] < 40, list[#list])
    assert.is_true(copies > 50 and copies < 200, copies)
    assert.equal(3000 + copies, attempts)
    local info = pool:policies().speculate
    assert.equal("ConstantSpeculativeExecutionPolicy", info.name)
    assert.equal(0, info.errors)
    assert.is_true(pool:getStats().speculativeWins >= copies)
  end)

  it_in("cuts the tail after a percentile of what was measured", function(w)
    local list, attempts, copies = tail(w, { policy = "PercentileSpeculativeExecutionPolicy", percentile = 95 })
    assert.is_true(at(list, 0.99) < 100, at(list, 0.99))
    assert.is_true(copies > 50 and copies < 3000 * 0.12, copies)
    assert.equal(3000 + copies, attempts)
  end)

  it_in("INV11 does not multiply the load of a cluster that is slow altogether", function(w)
    local pool, read = prepare(w, { delay = 1, maxSpeculativeExecutions = 3 })
    w.cluster:rule { opcode = "EXECUTE", delay = 50 }
    local before = pool:getStats()
    load(w, pool, read, 6000)
    local after = pool:getStats()
    local seconds = 40 -- 6000 requests of 50 ms from 8 workers
    assert.is_true(after.speculative - before.speculative <= 500 + 600 + seconds * 10)
    assert.is_true(after.speculative - before.speculative >= 600)
  end)

  it_in("tells of each attempt: in the answer by number, in an error one by one", function(w)
    local pool, read, write = prepare(w, { delay = 10, maxSpeculativeExecutions = 2 })
    w.cluster:rule { opcode = "EXECUTE", statement = "SELECT", node = 1, delay = 100 }
    local two, copies = 0, pool:getStats().speculative
    for i = 1, 30 do
      local result = assert(pool:execute(read, { i }, { consistency = "ONE" }))
      if result.info.attempts == 2 then two = two + 1 end
    end
    assert.is_true(two > 3)
    assert.equal(two, pool:getStats().speculative - copies)
    w.cluster:rule { opcode = "EXECUTE", statement = "INSERT", drop = true }
    local result, err = pool:execute(write, { 1 }, { isIdempotent = true, timeout = 300, consistency = "ONE" })
    assert.is_nil(result)
    assert.equal("TIMEOUT", err.code)
    assert.is_true(err.maybeApplied)
    local seen = {}
    for _, attempt in ipairs(err.attempts) do seen[attempt.host] = true end
    for node = 1, 3 do assert.is_true(seen[w:host(node)]) end
    w.cluster:clearRules()
  end)

  it_in("never doubles what must not run twice", function(w)
    w:schema("CREATE TABLE ks.l (k int PRIMARY KEY, l list<text>)", "CREATE TABLE ks.c (k int PRIMARY KEY, c counter)")
    local pool = prepare(w, { delay = 0, maxSpeculativeExecutions = 3 })
    w.cluster:rule { delay = 40 }
    for i, cql in ipairs {
      "UPDATE l SET l = l + [%s] WHERE k = 1", "INSERT INTO kv (k, v) VALUES (7, %s) IF NOT EXISTS",
      "UPDATE kv SET v = %s WHERE k = 7 IF v = 'other'", "INSERT INTO kv (k, v) VALUES (8, %s)",
    } do
      local options = { isIdempotent = cql:find " IF " ~= nil }
      assert(pool:execute(cql:format("'op-" .. i .. "'"), nil, options))
      assert(pool:execute(cql:format "?", { "op-p" .. i }, options))
      local received, executed = w.cluster:received("op-" .. i)
      assert.is_true(received == 1 and executed <= 1, cql)
      received, executed = w.cluster:received("op-p" .. i)
      assert.is_true(received <= 2 and executed <= 1, cql) -- before a host is told the statement it does nothing
    end
    assert(pool:execute("UPDATE c SET c = c + 1 WHERE k = 1", nil, { isIdempotent = true }))
    moonpool.sleep(500)
    assert.equal(0, pool:getStats().speculative)
    w.cluster:clearRules()
    assert.equal("1", tostring(pool:execute("SELECT c FROM c WHERE k = 1"):first().c))
    assert.equal(2, pool:getStats().speculative) -- a read may
  end)

  it_in("goes on without copies while the policy is broken", function(w)
    local pool, read = prepare(w, { policy = policy "if req.tag == tags.x then error 'tagged' end return 5" })
    for _ = 1, 20 do assert(pool:execute(read, { 1 }, { tag = "x" })) end
    assert(pool:execute(read, { 1 }))
    local info = pool:policies().speculate
    assert.equal(20, info.errors)
    assert.truthy(info.lastError:find("mine.lua:2: tagged", 1, true))
  end)
end)
