-- SPDX-License-Identifier: Apache-2.0
-- Requests in the log: which are told, at what level, and the whole line. Times are those of the virtual clock.
local C = require "spec.support.c"
local clear = require "table.clear"
local session_world = require "spec.support.session_world"

local CONNECTIONS, REQUESTS, ERRORS, SLOW = C.MP_LOG_CONNECTIONS, C.MP_LOG_REQUESTS, C.MP_LOG_ERRORS, C.MP_LOG_SLOW

describe("a request in the log", function()
  local world, lines, answer

  local function open(wanted, slow_ms)
    world = session_world.connected { config = { log_wanted = wanted, log_slow_ms = slow_ms or 0,
      max_requests_per_connection = 2, max_queued = 1, local_limits = { core = 1, max = 1 } } }
    world:until_true(function() return world:up_count() == 3 end)
    world.on_statement = function(node, link, request) return answer and answer(node, link, request) or false end
    lines = world:hear(C.MP_LOG_INFO)
    answer = nil
  end
  after_each(function() world:close() end)

  local function pinned(options)
    options = options or {}
    options.pinned_host = world:find("127.0.0.1").index
    return options
  end
  -- The lines since the last time; times that the network makes are told as T.
  local function told()
    local list = {}
    for i, line in ipairs(lines) do list[i] = line:gsub(" [%d.]+ ms", " T ms") end
    clear(lines)
    return list
  end
  local function ask(cql, options) return world:execute(cql, pinned(options)) end

  it("is told when all are wanted", function()
    open(REQUESTS)
    ask "SELECT v FROM t WHERE k = 'secret'"
    assert.same({ "I request: T ms, 1 attempts, 127.0.0.1:9042: SELECT v FROM t WHERE k = ?" }, told())
    local prepared = world:prepare "UPDATE t SET v = ? WHERE k = 5"
    clear(lines)
    world:execute(prepared, pinned { values = { "x" } })
    assert.same({ "I request: T ms, 1 attempts, 127.0.0.1:9042: UPDATE t SET v = ? WHERE k = ?" }, told())
    world:execute({ { "INSERT INTO t (k) VALUES (1)" }, { "INSERT INTO t (k) VALUES (2)" } }, pinned())
    assert.same({ "I request: T ms, 1 attempts, 127.0.0.1:9042: BATCH of 2 statements" }, told())
    answer = function(_, link, request)
      link:error(request, C.MP_SE_INVALID, "no")
      return true
    end
    ask "SELECT v FROM t"
    assert.same({ "W request failed: INVALID after T ms, 1 attempts, the last at 127.0.0.1:9042: SELECT v FROM t" },
      told())
  end)

  it("is told when it fails, with what may be of it", function()
    open(ERRORS)
    ask "SELECT v FROM t"
    assert.same({}, told())
    answer = function() return true end
    ask("UPDATE t SET v = 1", { timeout_ms = 300 })
    assert.equal(1, #lines)
    assert.equal("W request failed: TIMEOUT after 300.0 ms, 1 attempts, the last at 127.0.0.1:9042, "
      .. "it may have been applied: UPDATE t SET v = ?", lines[1])
    clear(lines)
    for _ = 1, 4 do world:submit("UPDATE t SET v = 2", pinned { timeout_ms = 300 }) end
    local refused = "W request refused: POOL_BUSY: UPDATE t SET v = ?" -- one id is still owed, one request waits
    assert.same({ refused, refused }, told())
    world:pass(400)
    local failed = {}
    for _, line in ipairs(told()) do failed[#failed + 1] = line:match "^W request failed: TIMEOUT after T ms, (.*)" end
    table.sort(failed)
    assert.same({ "0 attempts: UPDATE t SET v = ?",
      "1 attempts, the last at 127.0.0.1:9042, it may have been applied: UPDATE t SET v = ?" }, failed)
    world:kill(world.nodes[1])
    world:until_true(function() return world:up_count() == 2 end)
    clear(lines)
    local record = world:submit("SELECT v FROM t", pinned())
    world:wait(record)
    assert.same({ "W request failed: NO_HOST_AVAILABLE after T ms, 0 attempts: SELECT v FROM t" }, told())
  end)

  it("is told when it is slow: as long as was said, and no less", function()
    open(SLOW, 100)
    local seen = { [true] = 0, [false] = 0 }
    for wait_ms = 96, 101, 0.5 do
      local held
      answer = function(_, link, request)
        held = { link, request }
        return true
      end
      local record = world:submit("SELECT v FROM t", pinned())
      world:until_true(function() return held end)
      world:pass(wait_ms)
      world:succeed(world.nodes[1], held[1], held[2])
      world:wait(record)
      local slow = record.latency_ms >= 100
      seen[slow] = seen[slow] + 1
      assert.same(slow and { "W slow request: T ms, 1 attempts, 127.0.0.1:9042: SELECT v FROM t" } or {}, told())
    end
    assert.is_true(seen[true] > 0 and seen[false] > 0)
  end)

  it("is not told when nobody wants it", function()
    open(CONNECTIONS)
    ask "SELECT v FROM t"
    answer = function(_, link, request)
      link:error(request, C.MP_SE_INVALID, "no")
      return true
    end
    ask "SELECT v FROM t"
    assert.same({}, told())
  end)
end)
