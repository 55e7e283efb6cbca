-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local pool_world = require "spec.support.pool_world"

local function reason(name) return tonumber(C["MP_CLOSE_" .. name]) end

describe("the size of a pool", function()
  local world

  local function open(options)
    world = pool_world.open(options)
    return world
  end

  local function echoes(request_delay)
    world.peer.on_request = function(node, request)
      node.requests[#node.requests + 1] = request
      if not request_delay then node:echo(request) end
    end
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  describe("that is taken from", function()
    it("gives the least busy connection", function()
      open { limits = { core = 3, grow_at = 1000 } }
      world:until_ready(3)
      for i = 1, 30 do assert(world:call("n" .. i)) end
      world:until_true(function() return C.mp_pool_in_flight(world.pool) == 30 end)
      world:pass(10)
      for _, node in ipairs(world.peer.links) do assert.equal(10, #node.requests) end
      assert.equal(3, C.mp_pool_busy_count(world.pool))
      local node = world.peer.links[2]
      for i = 1, 4 do node:echo(node.requests[i]) end
      world:until_true(function() return C.mp_pool_in_flight(world.pool) == 26 end)
      for i = 1, 4 do assert(world:call("m" .. i)) end
      world:pass(10)
      assert.equal(14, #node.requests)
    end)

    it("stays with one connection where they are equal, so that writes batch", function()
      open { limits = { core = 3 } }
      world:until_ready(3)
      echoes()
      for i = 1, 50 do
        local call = assert(world:call("n" .. i))
        world:until_true(function() return call.rc end)
        world:pass(2)
      end
      local used = 0
      for _, node in ipairs(world.peer.links) do used = used + (#node.requests > 0 and 1 or 0) end
      assert.equal(1, used)
    end)

    it("gives nothing when all ids are taken, and tells of the first room", function()
      open { limits = { core = 2, max = 2 }, settings = { max_streams = 3 } }
      world:until_ready(2)
      for i = 1, 6 do assert(world:call("n" .. i)) end
      assert(world:take() == nil)
      assert(world:take() == nil)
      world:pass(10)
      assert.equal(0, world:count "room")
      local node = world.peer.links[1]
      node:echo(node.requests[1])
      world:until_true(function() return world:count "room" == 1 end)
      assert(world:call "seventh")
    end)
  end)

  describe("that grows", function()
    it("by one at a time when even the least busy is at its mark, up to the maximum", function()
      open { limits = { core = 1, max = 3, grow_at = 4 } }
      world:until_ready(1)
      local most = 0
      for i = 1, 3 do assert(world:call("a" .. i)) end
      world:pass(100)
      assert.equal(1, world.pool.ready_count)
      for i = 1, 40 do
        assert(world:call("b" .. i))
        most = math.max(most, world.pool.opening_count)
      end
      world:pass(20)
      most = math.max(most, world.pool.opening_count)
      assert.equal(2, world.pool.ready_count)
      for i = 1, 40 do
        assert(world:call("c" .. i))
        world:pass(1)
        most = math.max(most, world.pool.opening_count)
      end
      assert.equal(3, world.pool.ready_count)
      assert.equal(1, most)
      for i = 1, 100 do assert(world:call("d" .. i)) end
      world:pass(100)
      assert.equal(3, world.pool.ready_count)
      assert.equal(0, world:count "removed")
    end)

    it("shrinks to its core when the rest carried nothing for the idle time, and says idle", function()
      open { limits = { core = 1, max = 3, grow_at = 2, idle_timeout_ms = 4000 } }
      world:until_ready(1)
      echoes(true)
      for i = 1, 60 do
        assert(world:call("a" .. i))
        world:pass(1)
      end
      world:until_ready(3)
      for _, node in ipairs(world.peer.links) do
        for _, request in ipairs(node.requests) do node:echo(request) end
      end
      echoes()
      world:forget()
      world:pass(3900)
      assert.equal(3, world.pool.ready_count)
      for _ = 1, 6 do
        assert(world:call "light load")
        world:pass(1000)
      end
      assert.equal(1, world.pool.ready_count)
      assert.equal(2, world:count "removed")
      for _, entry in ipairs(world.told) do
        assert.equal(reason "IDLE", entry.reason)
        assert.is_false(entry.lost)
      end
      assert.equal(0, world:count "down")
      world:pass(60000)
      assert.equal(1, world.pool.ready_count)
    end)

    it("does not flap under a steady load", function()
      open { limits = { core = 1, max = 4, grow_at = 4, idle_timeout_ms = 2000 } }
      world:until_ready(1)
      world.peer.on_request = function(node, request) node.requests[#node.requests + 1] = request end
      local calls = 0
      for _ = 1, 3000 do
        while C.mp_pool_in_flight(world.pool) < 10 do
          calls = calls + 1
          if not world:call("n" .. calls) then break end
        end
        world:pass(5)
        for _, node in ipairs(world.peer:open_links()) do
          for _, request in ipairs(node.requests) do node:echo(request) end
          node.requests = {}
        end
      end
      assert.is_true(world:count "added" <= 4, world:count "added")
    end)

    it("gives up what it wanted in a rush and could not open", function()
      open { limits = { core = 1, max = 3, grow_at = 2, idle_timeout_ms = 3000, reconnect_base_ms = 50 } }
      world:until_ready(1)
      world.peer:unlisten()
      for i = 1, 4 do assert(world:call("a" .. i)) end
      world:pass(1000)
      assert.is_true(tonumber(world.pool.failed_total) > 0)
      assert.equal(0, world:count "down")
      world:pass(9000)
      assert.equal(1, world.pool.target)
      local failed = tonumber(world.pool.failed_total)
      world:pass(30000)
      assert.is_true(tonumber(world.pool.failed_total) <= failed + 1)
    end)
  end)

  describe("with new limits", function()
    it("grows to a larger core and drains to a smaller one, without losing a request", function()
      open { limits = { core = 1, max = 1 } }
      world:until_ready(1)
      world:set_limits { core = 4, max = 4 }
      world:until_ready(4)
      local calls = {}
      for i = 1, 8 do calls[i] = assert(world:call("n" .. i)) end
      world:pass(10)
      world:set_limits { core = 1, max = 1 }
      assert.equal(1, world.pool.ready_count)
      assert.equal(3, world.pool.draining_count)
      for _, node in ipairs(world.peer.links) do
        for _, request in ipairs(node.requests) do node:echo(request) end
      end
      world:until_true(function() return world:count "removed" == 3 end)
      for _, call in ipairs(calls) do assert.equal(0, call.rc) end
      assert.equal(0, world:count "down")
    end)

    it("of nothing is down, and comes back with more", function()
      open()
      world:until_ready(2)
      world:set_limits { core = 0, max = 0 }
      world:until_true(function() return world:count "down" == 1 end)
      for _, entry in ipairs(world.told) do
        if entry.kind == "down" then assert.equal(reason "DRAINED", entry.reason) end
      end
      world:pass(1000)
      assert.is_true(C.mp_pool_is_empty(world.pool))
      world:set_limits { core = 1, max = 1 }
      world:until_ready(1)
      assert.equal(2, world:count "up")
    end)

    it("drops connections that are still opening first", function()
      open { limits = { core = 4 } }
      world:until_true(function() return world.pool.opening_count == 4 end)
      world:set_limits { core = 1, max = 1 }
      world:pass(1000)
      assert.equal(1, world.pool.ready_count)
      assert.equal(1, #world.peer:open_links())
    end)
  end)
end)
