-- SPDX-License-Identifier: Apache-2.0
-- Too much of everything.
local moonpool = require "moonpool"
local blocks = require("spec.support.bytes").blocks
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local function sum(world, field)
  local total = 0
  for _, node in ipairs(world.cluster:nodes()) do total = total + node[field] end
  return total
end

describe("load:", function()
  it("R1 a cluster that comes back is not stormed", { nodes = 12 }, function(world)
    local pool = world:pool { pooling = { connectionsPerSecond = 20, coreConnectionsPerHost = { ["0"] = 8 },
      maxConnectionsPerHost = { ["0"] = 8 }, reconnectBaseDelay = 10, reconnectMaxDelay = 50 } }
    world:eventually("all stand", function() return pool:getStats().totalConnections == 96 end, 20000)
    for node = 1, 12 do world.cluster:kill(node) end
    moonpool.sleep(5000)
    for node = 1, 12 do world.cluster:start(node) end
    local most, last = 0, sum(world, "startups")
    for _ = 1, 10 do
      moonpool.sleep(1000)
      local now = sum(world, "startups")
      most, last = math.max(most, now - last), now
    end
    assert.is_true(most <= 42, most .. " connections in a second") -- a second's worth saved up, and the control one
    assert.equal(96, pool:getStats().totalConnections)
  end)

  it("R4 what cannot be queued is refused at once, what was queued ends in time", function(world)
    local pool = world:pool { maxQueuedRequests = 50, pooling = { maxRequestsPerConnection = 4,
      maxConnectionsPerHost = { ["0"] = 1 } } }
    local read = assert(pool:prepare "SELECT key FROM system.local")
    world.cluster:rule { opcode = "EXECUTE", swallow = true }
    local codes, futures = {}, {}
    for i = 1, 200 do
      futures[i] = world:spawn(function()
        local began = moonpool.now()
        local _, err = pool:execute(read, nil, { timeout = 400 })
        codes[err.code] = (codes[err.code] or 0) + 1
        local took = moonpool.now() - began
        assert(err.code == "POOL_BUSY" and took < 5 or took <= 460, err.code .. " after " .. took)
        assert(not err.maybeApplied)
        return true
      end)
    end
    assert(moonpool.all(futures))
    assert.equal(200 - 50 - 12, codes.POOL_BUSY)
    assert.equal(62, codes.TIMEOUT)
  end)

  it("R5 where everybody is overloaded, retries are few and requests end", function(world)
    local pool = world:pool()
    local read = assert(pool:prepare "SELECT key FROM system.local")
    for node = 1, 3 do assert(pool:execute(read, nil, { host = world:host(node) })) end
    world.cluster:rule { opcode = "EXECUTE", error = "OVERLOADED" }
    local before, began = pool:getStats(), moonpool.now()
    local futures = {}
    for i = 1, 20 do
      futures[i] = world:spawn(function()
        for _ = 1, 200 do
          local result, err = pool:execute(read)
          assert(not result and err.code == "OVERLOADED" and #err.attempts <= 4, tostring(err))
        end
        return true
      end)
    end
    assert(moonpool.all(futures))
    local after = pool:getStats()
    local requests, retries = after.requests - before.requests, after.retries - before.retries
    local allowed = 1000 + requests / 10 + (moonpool.now() - began) / 1000 * 10 + 20
    assert.is_true(retries <= allowed, retries .. " retries for " .. requests .. " requests")
  end)

  it("I6 layers that all want to try again share one budget", { nodes = 6 }, function(world)
    local pool = world:pool {
      failover = { enabled = true, maxRetries = 10, retryDelay = 0 },
      retry = { policy = "DefaultRetryPolicy", maxRetries = 10 },
      speculativeExecution = { policy = "ConstantSpeculativeExecutionPolicy", delay = 0, maxSpeculativeExecutions = 3 },
    }
    world:schema "CREATE TABLE ks.rows (k text PRIMARY KEY, v text)"
    local read = assert(pool:prepare "SELECT v FROM rows WHERE k = ?")
    for node = 1, 6 do assert(pool:execute(read, { "a" }, { host = world:host(node) })) end
    world.cluster:rule { opcode = "EXECUTE", error = "OVERLOADED" }
    local received, began, total = world.cluster:requests(), moonpool.now(), 0
    local function ask(count) -- what came to the nodes for each request
      local futures = {}
      for i = 1, count do futures[i] = pool:executeAsync(read, { "a" }) end
      for i = 1, count do assert.is_nil((futures[i]:wait())) end
      total = total + count
    end
    for _ = 1, 200 do ask(100) end
    local seconds = (moonpool.now() - began) / 1000
    local further = world.cluster:requests() - received - total
    assert.is_true(further <= 1000 + total / 10 + 10 * seconds + 1, further .. " more for " .. total)
  end)

  it("R6 pages are fetched as they are read, however slowly", function(world)
    world:schema "CREATE TABLE ks.wide (k int, c int, v text, PRIMARY KEY (k, c))"
    local pool = world:pool { requestTimeout = 8000 }
    local insert = assert(pool:prepare "INSERT INTO wide (k, c, v) VALUES (1, ?, ?)")
    local text = ("x"):rep(20000)
    for c = 1, 60 do assert(pool:execute(insert, { c, text }, { consistency = "ALL" })) end
    local other = workload.new(world, pool, { mix = { read = 100 } }):start(4, 10)
    local read = assert(pool:prepare "SELECT c, v FROM wide WHERE k = 1")
    other:stop()
    for node = 1, 3 do assert(pool:execute(read, nil, { host = world:host(node), fetchSize = 1 })) end
    local before, rows = sum(world, "executes"), 0
    for row in pool:rows(read, nil, { fetchSize = 6 }) do
      rows = rows + 1
      assert(row.c == rows and row.v == text)
      moonpool.sleep(500)
      local pages = sum(world, "executes") - before
      assert(pages == math.ceil(rows / 6), pages .. " pages were fetched for " .. rows .. " rows")
    end
    assert.equal(60, rows)
    other:start(4, 100) -- a reader that stops in the middle holds up nobody
    for row in pool:rows(read, nil, { fetchSize = 6 }) do
      moonpool.sleep(1000)
      if row.c == 8 then break end
    end
    other:stop():none_failed():check()
  end)

  for _, step in ipairs { "OPTIONS", "STARTUP", "QUERY" } do
    for _, ending in ipairs { "reset", "close", "error" } do
      it("R10 handshakes that fail at " .. step .. " by " .. ending .. " leave nothing", { nodes = 2 }, function(world)
        local pool = world:pool { pooling = { reconnectBaseDelay = 5, reconnectMaxDelay = 10 } }
        world.cluster:rule { node = 2, opcode = step, [ending] = ending == "error" and "SERVER_ERROR" or true }
        world.sim:cut(2)
        moonpool.sleep(5000)
        local before, errors = blocks(), pool:getStats().connectionErrors
        moonpool.sleep(10000)
        assert.is_true(pool:getStats().connectionErrors - errors > 300)
        assert.is_true(math.abs(blocks() - before) < 60, "from " .. before .. " to " .. blocks() .. " blocks")
        world.cluster:clearRules()
        world:waitUp(pool)
      end)
    end
  end

  it("R12 the same host again, which went while the retry waited, is another one", function(world)
    local pool = world:pool { retry = { retryDelay = 200 } }
    local read = assert(pool:prepare "SELECT key FROM system.local")
    for _ = 1, 6 do
      local before = {}
      for node = 1, 3 do before[node] = world.cluster:node(node).executes end
      local rule = world.cluster:rule { opcode = "EXECUTE", times = 1,
        error = { code = "READ_TIMEOUT", required = 1, received = 1 } }
      local future, asked = pool:executeAsync(read), nil
      moonpool.sleep(50)
      for node = 1, 3 do
        if world.cluster:node(node).executes > before[node] then asked = node end
      end
      world.cluster:kill(asked)
      local result = assert(future:wait())
      assert.is_true(result.info.attempts >= 2 and result.info.host ~= world:host(asked))
      world.cluster:start(asked)
      world:waitUp(pool)
      rule:remove()
    end
  end)

  it("R12 the same host again is another one when it just went", function(world)
    local pool = world:pool { attemptTimeout = 300 }
    local load = workload.new(world, pool, { mix = { read = 100 } })
    for round = 1, 12 do
      local node = round % 3 + 1
      local rule = world.cluster:rule { node = node, opcode = "EXECUTE", error = { code = "READ_TIMEOUT", required = 1,
        received = 1 } }
      local futures = {}
      for i = 1, 20 do futures[i] = world:spawn(function() return load:one "read" and true or true end) end
      world:eventually("the rule has acted", function() return rule:hits() > 0 end, 1000)
      world.sim:cut(node)
      assert(moonpool.all(futures))
      rule:remove()
      world:waitUp(pool)
      moonpool.sleep(1200)
    end
    for _, failure in ipairs(load.failed) do assert(#failure.err.attempts <= 4, tostring(failure.err)) end
    load:check()
  end)
end)
