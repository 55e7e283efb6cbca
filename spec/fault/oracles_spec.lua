-- SPDX-License-Identifier: Apache-2.0
-- The oracles of every world (spec/support/faults/oracles.lua) notice: each of them is shown what it is there for.
local moonpool = require "moonpool"
local C = require "spec.support.c"
local raw = require "spec.support.rawclient"
local support = require "spec.support.world"

local QUERY = "SELECT key FROM system.local"

-- What the oracles say about a world.
local function breaches(options, body)
  local ok, err = pcall(support.run, options, body)
  assert.is_false(ok, "nobody noticed")
  return tostring(err)
end

describe("the oracle", function()
  it("INV1 notices a request that is never answered, and one that is answered twice", function()
    local said = breaches({}, function(world)
      world.oracles:begins(world:pool(), QUERY)
    end)
    assert.matches("INV1 never answered: " .. QUERY, said)
    said = breaches({}, function(world)
      local ticket = world.oracles:begins(world:pool(), QUERY)
      for _ = 1, 2 do world.oracles:ends(ticket, nil, "an error") end
    end)
    assert.matches("INV1 answered twice: " .. QUERY, said)
  end)

  it("INV1 hears a request whose own coroutine is refused memory", function()
    support.run({}, function(world)
      world:schema "CREATE TABLE ks.rows (k int PRIMARY KEY)"
      local pool = world:pool()
      local insert = assert(pool:prepare "INSERT INTO ks.rows (k) VALUES (?)")
      for nth = 1, 12 do
        local futures = {}
        C.mp_mem_fail_at(nth, false)
        for i = 1, nth do -- more at a time than before, so that there is no coroutine left to be used again
          local ok, future = pcall(pool.executeAsync, pool, insert, { i })
          if ok then futures[#futures + 1] = future end
        end
        C.mp_mem_fail_at(0, false)
        for _, future in ipairs(futures) do future:wait() end
      end
    end)
  end)

  it("INV2 notices a row of somebody else", function()
    local said = breaches({ nodes = 1 }, function(world)
      local pool = world:pool { protocolVersion = 4, pooling = { coreConnectionsPerHost = { ["0"] = 1 },
        maxConnectionsPerHost = { ["0"] = 1 } } }
      world:schema "CREATE TABLE ks.rows (k text PRIMARY KEY, v text)"
      for _, key in ipairs { "a", "b" } do
        assert(pool:execute("INSERT INTO rows (k, v) VALUES (?, ?)", { key, "of " .. key }))
      end
      local read = assert(pool:prepare "SELECT k, v FROM rows WHERE k = ?")
      -- The first question waits at the node; the answer to the second one leaves under its number.
      world.cluster:rule { opcode = "EXECUTE", delay = 200, times = 1 }
      local first = pool:executeAsync(read, { "a" })
      world.cluster:rule { opcode = "EXECUTE", stream = 0, times = 1 }
      pool:execute(read, { "b" })
      first:wait()
    end)
    assert.matches("INV2 asked for a, got the row of b", said)
  end)

  it("INV2 notices an answer of a host that is not there", function()
    local said = breaches({}, function(world)
      local ticket = world.oracles:begins(world:pool(), QUERY)
      world.oracles:ends(ticket, { info = { host = "10.0.0.1:9042" } })
    end)
    assert.matches("INV2 10.0.0.1:9042 is no node of this cluster", said)
  end)

  it("INV3 notices what is executed twice", function()
    local said = breaches({}, function(world)
      world:schema "CREATE TABLE ks.lists (k int PRIMARY KEY, l list<text>)"
      local pool = world:pool()
      for _ = 1, 2 do
        assert(pool:execute("UPDATE lists SET l = l + ? WHERE k = 1", { { "op-1" } }))
      end
    end)
    assert.matches("INV3 op%-1 was executed 2 times", said)
  end)

  it("INV5 notices a stream id that is used while its answer is owed", function()
    local world = raw.world()
    local conn = world:connect(1)
    local function count() return tonumber(world:info(1).streams_reused) end
    for _ = 1, 3 do conn:query(QUERY) end
    assert.equal(0, count())
    world:rule { action = "DELAY", delay_ms = 300, times = 1 }
    local stream = conn:start_query(QUERY)
    conn.next_stream = function() return stream end
    conn:start_query(QUERY)
    world:pass(50)
    assert.equal(1, count())
    world:close()
    local said = breaches({}, function(here)
      here.cluster.nodes = function()
        return { { address = "127.0.0.1", port = 9042, connections = 0, streamsReused = 2 } }
      end
    end)
    assert.matches("INV5 node 1 was asked 2 times on a stream whose answer it owed", said)
  end)

  it("INV6 notices memory that is left", function()
    local kept = {}
    local said = breaches({}, function(world)
      world:pool()
      for i = 1, 100 do kept[i] = C.mp_alloc(1) end
    end)
    for i = 1, 100 do C.mp_free(kept[i]) end
    assert.matches("INV6 %d+ blocks of memory are left", said)
  end)

  it("INV6 notices a connection that is left, and waits for those of which a node has heard nothing", function()
    local pooling = { heartBeatInterval = 60000 }
    local said = breaches({}, function(world)
      world:pool()
      local node = world.cluster.node
      world.cluster.node = function(cluster, number)
        local info = node(cluster, number)
        if number == 2 then info.connections = 1 end
        return info
      end
    end)
    assert.matches("node 2 still has connections", said)
    support.run({}, function(world)
      local pool = world:pool { pooling = pooling }
      local used = world.cluster:node(2).connections
      world:blackhole(2)
      pool:execute(QUERY, nil, { host = world:host(2) })
      moonpool.sleep(20000) -- the user timeout
      world:blackhole(2, false)
      world:waitUp(pool)
      assert.is_true(world.cluster:node(2).connections > used, "no connection was given up without a word")
    end)
  end)

  it("INV7 notices a deadline that is not kept", function()
    local said = breaches({}, function(world)
      local pool = world:pool()
      world.oracles.timeouts[pool] = 100
      world.cluster:rule { opcode = "QUERY", statement = "system.local", delay = 300, times = 1 }
      assert(pool:execute(QUERY))
    end)
    assert.matches("INV7 an answer took %d+ ms, its deadline is 100", said)
  end)

  it("INV8 notices a host that does not come back", function()
    local said = breaches({}, function(world)
      local pool = world:pool()
      world:waitUp(pool)
      world.calm = function() end -- what disturbs goes on
      world.cluster:rule { node = 2, opcode = "QUERY", swallow = true }
    end)
    assert.matches("INV8 127.0.0.2:9042 does not serve again", said)
  end)

  it("INV10 notices a password in an error", function()
    local locked = { user = "ana", password = "opensesame" }
    local said = breaches(locked, function(world)
      local pool = world:pool { auth = { username = "ana", password = "opensesame" } }
      assert.is_nil((pool:execute "opensesame please"))
    end)
    assert.matches("INV10 an error shows a password", said)
  end)

  it("INV11 notices more attempts than the budget has", function()
    local said = breaches({}, function(world)
      world:pool()
      world.oracles:budget { getStats = function() return { retries = 1300, speculative = 0, requests = 100 } end }
    end)
    assert.matches("INV11 1300 further attempts for 100 requests", said)
  end)

  it("says nothing about a world where all is well", function()
    support.run({}, function(world)
      local pool = world:pool()
      for _ = 1, 50 do assert(pool:execute(QUERY)) end
      assert.has_error(function() pool:execute(QUERY, nil, { timeout = -1 }) end) -- a mistake is no request
      local future = pool:executeAsync(QUERY)
      moonpool.sleep(10)
      assert(future:wait())
      assert.equal(52, world.oracles.asked)
    end)
  end)
end)
