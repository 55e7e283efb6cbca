-- SPDX-License-Identifier: Apache-2.0
-- Handlers that do what handlers should not, and what events keep in spite of it: their order, their sums, the traffic,
-- the end of the pool and of the program.
local moonpool = require "moonpool"
local program = require "spec.support.program"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local SELECT = "SELECT key FROM system.local"

-- A world has to be left without timers, so what goes on for ever here ends with its spec.
local over
local function for_ever()
  while not over do moonpool.sleep(100) end
end

local function traffic(pool)
  for _ = 1, 20 do assert(pool:execute(SELECT, nil, { isIdempotent = true })) end
end

local function restart(world, pool, node)
  world.cluster:kill(node)
  world:waitStatus(pool, node, "down")
  world.cluster:start(node)
  world:waitStatus(pool, node, "up")
end

-- Node 2 goes and comes; afterwards each other handler has heard of it, requests work, and the pool closes.
local function survives(world, pool, options)
  local heard = 0
  pool:on("hostDown", function() heard = heard + 1 end)
  restart(world, pool, 2)
  if not (options and options.closes) then traffic(pool) end
  world:eventually("the others hear of it", function() return heard == 1 end)
  assert(pool:close())
end

describe("a handler that", function()
  it_in("throws, whatever it throws, harms nothing", function(world)
    world.handlersMayFail = true
    local pool = world:pool()
    for _, what in ipairs { "a text", 5, true, {}, setmetatable({}, { __tostring = function() error "worse" end }),
      moonpool.null, function() end, coroutine.create(function() end) } do
      pool:on("hostDown", function() error(what) end)
    end
    pool:on("hostDown", function() error() end)
    survives(world, pool)
    assert.equal(9, pool:getHandlerErrors())
  end)

  local endless = {
    { "sleeps for ever", for_ever },
    { "waits for what does not come", function() moonpool.spawn(coroutine.yield):wait() end },
    { "waits for the end of itself", function() local mine mine = moonpool.spawn(function() mine:wait() end) end },
  }
  for _, case in ipairs(endless) do
    it_in(case[1] .. " harms nothing", function(world)
      over = false
      local pool = world:pool()
      pool:on("hostDown", case[2])
      survives(world, pool)
      over = true
    end)
  end

  it("yields for ever keeps neither the traffic nor the program from its end", function()
    local said, status = program.run([[
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool{ contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1" }
      local begun = 0
      pool:on("hostUp", function() begun = begun + 1 while true do coroutine.yield() end end)
      pool:on("connectionAdded", function() while true do moonpool.sleep(1) end end)
      assert(pool:connect())
      while begun < 3 do moonpool.sleep(1) end
      for i = 1, 100 do assert(pool:execute "SELECT key FROM system.local") end
      assert(pool:close())
      print "closed"]], "--embedded 3")
    assert.equal(0, status, said)
    assert.matches("closed\n", said, 1, true)
    assert.matches("coroutines of event handlers have not ended: they are not waited for", said, 1, true)
  end)

  it_in("never ends is not called for ever: what is left out is counted, told and named", function(world)
    local pool = world:pool { pooling = { coreConnectionsPerHost = { ["0"] = 40 },
      maxConnectionsPerHost = { ["0"] = 40 } } }
    world:eventually("all connections", function() return pool:getStats().totalConnections == 120 end)
    local begun, told = 0, 0
    over = false
    pool:on("connectionRemoved", function()
      begun = begun + 1
      for_ever()
    end)
    pool:on("eventsDropped", function(event) told = told + event.count end)
    for round = 1, 4 do
      for node = 1, 3 do world.cluster:kill(node) end
      world:eventually("all are gone", function() return pool:getStats().totalConnections == 0 end)
      for node = 1, 3 do world.cluster:start(node) end
      world:eventually("all are back " .. round, function() return pool:getStats().totalConnections == 120 end)
    end
    assert.equal(256, begun)
    assert.equal(4 * 120 - 256, pool:getStats().eventsDropped)
    assert.equal(4 * 120 - 256, told)
    traffic(pool)
    over = true
  end)

  it_in("closes the pool harms nothing", function(world)
    local pool = world:pool()
    local closed = 0
    for _ = 1, 3 do
      pool:on("hostDown", function()
        assert(pool:close())
        closed = closed + 1
      end)
    end
    local futures = {}
    for i = 1, 200 do futures[i] = pool:executeAsync(SELECT, nil, { isIdempotent = true }) end
    world.cluster:kill(2)
    for i = 1, 200 do
      local result, err = futures[i]:wait()
      assert(result or err.code == "CLOSED" or err.code == "NO_HOST_AVAILABLE", tostring(err))
    end
    world:eventually("it is closed", function() return closed == 3 end)
    assert(pool:close())
    world:calm()
  end)

  it_in("removes itself, others and all, or adds more, harms nothing", function(world)
    local pool = world:pool()
    local calls = {}
    local first, second
    function first()
      calls[#calls + 1] = "first"
      pool:off("hostDown", first)
      pool:off("hostDown", second)
      pool:off("hostDown", first)
    end
    function second() calls[#calls + 1] = "second" end
    local function grows()
      calls[#calls + 1] = "grows"
      pool:on("hostDown", grows)
    end
    pool:on("hostDown", first)
    pool:on("hostDown", second)
    pool:on("hostDown", grows)
    for _ = 1, 3 do restart(world, pool, 2) end
    moonpool.sleep(100)
    table.sort(calls)
    -- grows: 1, then 2, then 4 of it
    assert.equal("first grows grows grows grows grows grows grows second", table.concat(calls, " "))
    traffic(pool)
  end)

  it_in("submits ten thousand queries harms nothing but its own", { readTimeout = 5000 }, function(world)
    local pool = world:pool { maxQueuedRequests = 2000, pooling = { maxRequestsPerConnection = 128 } }
    local answered, refused, other = 0, 0, 0
    pool:on("hostDown", function()
      local futures = {}
      for i = 1, 10000 do futures[i] = pool:executeAsync(SELECT, nil, { isIdempotent = true }) end
      for i = 1, 10000 do
        local result, err = futures[i]:wait()
        if result then answered = answered + 1
        elseif err.code == "POOL_BUSY" then refused = refused + 1
        else other = other + 1 end
      end
    end)
    survives(world, pool)
    world:eventually("all have ended", function() return answered + refused + other == 10000 end)
    assert.is_true(answered > 0 and refused > 0, answered .. " " .. refused .. " " .. other)
  end)
end)

describe("events", function()
  it_in("come in the order of what happened", function(world)
    local pool = world:newPool()
    local order = {}
    for _, name in ipairs { "hostAdded", "connectionAdded", "hostUp", "connectionLost", "connectionRemoved",
      "hostDown" } do
      pool:on(name, function(host) if host == world:host(2) then order[#order + 1] = name end end)
    end
    assert(pool:connect())
    world:waitUp(pool)
    restart(world, pool, 2)
    assert(pool:close())
    world:eventually("the last one", function() return #order == 9 end)
    assert.equal("hostAdded connectionAdded hostUp connectionLost connectionRemoved hostDown connectionAdded hostUp "
      .. "connectionRemoved", table.concat(order, " "))
  end)

  -- What was added and is not removed stands, whatever happens to nodes, connections and sizes.
  for seed = 1, 4 do
    it_in("of connections add up (" .. seed .. ")", { seed = seed, nodes = 4 }, function(world)
      local pool = world:newPool { pooling = { coreConnectionsPerHost = { ["0"] = 3 },
        maxConnectionsPerHost = { ["0"] = 6 }, maxRequestsPerConnection = 128, idleTimeout = 500 } }
      local standing, added, lost, removed = {}, 0, 0, 0
      pool:on("connectionAdded", function(host)
        standing[host], added = (standing[host] or 0) + 1, added + 1
      end)
      pool:on("connectionRemoved", function(host)
        standing[host], removed = (standing[host] or 0) - 1, removed + 1
      end)
      pool:on("connectionLost", function() lost = lost + 1 end)
      assert(pool:connect())
      for _ = 1, 15 do
        local what, node = world.random(4), world.random(4) + 1
        if what == 0 and world.cluster:node(node).serving then world.cluster:kill(node)
        elseif what == 1 and not world.cluster:node(node).serving then world.cluster:start(node)
        elseif what == 2 then world.sim:cut(node)
        else
          local futures = {}
          for i = 1, 400 do futures[i] = pool:executeAsync(SELECT, nil, { isIdempotent = true }) end
          for i = 1, 400 do futures[i]:wait() end
        end
        moonpool.sleep(world.random(900))
        local stands = 0
        moonpool.sleep(1)
        for _, host in ipairs(pool:getHosts()) do
          stands = stands + (standing[host.address] or 0)
          -- those that drain stand, too
          assert((standing[host.address] or 0) >= host.connections, host.address)
        end
        assert.equal(added - removed, stands)
      end
      assert(pool:close())
      world:eventually("all are gone", function() return added == removed end)
      assert.is_true(lost > 0 and lost <= removed, lost .. " of " .. removed)
      assert.equal(0, pool:getStats().eventsDropped)
    end)
  end
end)

describe("lastUsedAt", function()
  it_in("is nil before the first request", function(world)
    local three = { ["0"] = 3 }
    local pool = world:pool { pooling = { coreConnectionsPerHost = three, maxConnectionsPerHost = three } }
    world:eventually("all connections", function() return pool:getStats().totalConnections == 9 end)
    local used = 0
    for _, connection in ipairs(pool:getConnectionDetails()) do assert.is_nil(connection.lastUsedAt) end
    for _ = 1, 3 do assert(pool:execute(SELECT)) end
    for _, connection in ipairs(pool:getConnectionDetails()) do
      used = used + (connection.lastUsedAt and 1 or 0)
      assert.is_true(connection.lastUsedAt == nil or connection.lastUsedAt >= connection.createdAt)
    end
    assert.is_true(used > 0)
  end)
end)
