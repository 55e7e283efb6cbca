-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local pool_world = require "spec.support.pool_world"
local sim_world = require "spec.support.sim_world"

local function reason(name) return tonumber(C["MP_CLOSE_" .. name]) end
local good = { username = "ana", password = "secret" }

describe("a pool", function()
  local world

  local function open(options)
    world = pool_world.open(options)
    return world
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  describe("that is opened", function()
    it("opens its core in parallel, and is up with the first", function()
      open { limits = { core = 4 } }
      assert.is_false(C.mp_pool_is_up(world.pool))
      local most = 0
      world:until_true(function()
        most = math.max(most, world.pool.opening_count)
        return world.pool.ready_count == 4
      end)
      assert.equal(4, most)
      assert.equal(4, world:count "added")
      assert.equal(1, world:count "up")
      assert.equal(0, world:count "down")
      assert.same({ "added", "up" }, { world.told[1].kind, world.told[2].kind })
      assert.equal(4, tonumber(world.pool.opened_total))
      assert.is_true(C.mp_pool_is_up(world.pool))
    end)

    it("gives nothing before it is up, and says when there is room", function()
      open()
      assert(world:take() == nil)
      world:until_true(function() return world:count "room" == 1 end)
      assert(world:take() ~= nil)
      world:pass(1000)
      assert.equal(1, world:count "room")
    end)

    it("checks that it is the right host", function()
      open { host_id = ("x"):rep(16), limits = { core = 1 } }
      world:until_true(function() return world:count "down" == 1 end)
      assert.equal(reason "IDENTITY", world.told[1].reason)
      assert.is_false(world.told[1].was_ready)
      assert.equal(0, world:count "up")
    end)

    it("opens nothing when its core is empty", function()
      open { limits = { core = 0 } }
      world:pass(1000)
      assert(world:take() == nil)
      world:pass(1000)
      assert.equal(0, #world.peer.links)
    end)

    it("asks before it opens, and waits while it may not", function()
      local allowed = 0
      open { limits = { core = 3 } }
      world.may_open = function()
        allowed = allowed + 1
        return allowed % 4 == 0
      end
      world:until_ready(3)
      assert.is_true(#world.asked >= 12)
      for i = 2, #world.asked do
        if i % 4 ~= 1 then assert.is_true(world.asked[i] - world.asked[i - 1] >= 24) end
      end
      assert.equal(0, world.pool.reconnect.attempt)
    end)
  end)

  describe("whose host is down", function()
    it("tells of every attempt, and tries for ever within the backoff's bounds", function()
      open { peer = false, limits = { core = 1, reconnect_base_ms = 100, reconnect_max_ms = 2000 } }
      world:pass(120000)
      local count = world:count "down"
      assert.is_true(count > 80 and count < 250, count)
      for i = 2, #world.told do
        assert.equal(reason "CONNECT", world.told[i].reason)
        local waited = world.told[i].at - world.told[i - 1].at
        local high = math.min(2000, 100 * 2 ^ (i - 2))
        assert.is_true(waited >= 49 and waited <= high + 5, i .. ": " .. waited)
      end
      assert.equal(count, tonumber(world.pool.failed_total))
      -- and when it comes back:
      world.peer = world.base:listen(world.addr)
      world:until_ready(1)
      assert.equal(1, world:count "up")
    end)

    it("knocks once per backoff, however many connections it owes", function()
      open { peer = false, limits = { core = 8, reconnect_base_ms = 1000, reconnect_max_ms = 1000 } }
      world:pass(60000)
      local bursts, last = 0, -1000
      for _, at in ipairs(world.asked) do
        if at - last > 100 then bursts = bursts + 1 end
        last = at
      end
      assert.is_true(bursts >= 55 and bursts <= 125, bursts)
      assert.is_true(#world.asked <= bursts * 8)
    end)

    it("counts connections that failed together as one failure", function()
      open { peer = false, limits = { core = 8, reconnect_base_ms = 1000, reconnect_max_ms = 60000 } }
      world:pass(100)
      assert.equal(8, world:count "down")
      assert.equal(1, world.pool.reconnect.attempt)
    end)

    it("tries soon when it is told that the host is back, but not at once", function()
      open { peer = false, limits = { core = 1, reconnect_base_ms = 60000, reconnect_max_ms = 60000 } }
      world:until_true(function() return world:count "down" == 1 end)
      world.peer = world.base:listen(world.addr)
      local before = world.loop:now_ms()
      for _ = 1, 10 do
        C.mp_pool_retry_now(world.pool)
        world:pass(5)
      end
      world:until_ready(1)
      local took = world.loop:now_ms() - before
      assert.is_true(took >= 99 and took < 160, took)
    end)

    it("tells of a connection that could not even begin, as of any that failed", function()
      for nth = 1, 3 do -- its place in the pool, its member, itself
        open { limits = { core = 1 } }
        C.mp_mem_fail_at(nth, false)
        world.loop:turn(0)
        C.mp_mem_fail_at(0, false)
        assert.equal(1, world:count "down", nth)
        assert.equal(reason "LOCAL", world.told[1].reason)
        assert.equal(C.MP_ENOMEM, world.told[1].err)
        assert.is_false(world.told[1].was_ready)
        assert.equal(1, tonumber(world.pool.failed_total))
        world:until_ready(1)
        world:close()
      end
      world = nil
    end)

    it("is not marked by what this machine could not do", function()
      open { limits = { core = 1 } }
      C.mp_loop_sim_fail_local(world.loop.handle, world.addr, true)
      world:pass(20000)
      assert.is_true(world:count "down" > 3)
      for _, entry in ipairs(world.told) do assert.equal(reason "LOCAL", entry.reason) end
      C.mp_loop_sim_fail_local(world.loop.handle, world.addr, false)
      world:until_ready(1)
    end)
  end)

  describe("that is refused for its credentials", function()
    it("knocks seldom", function()
      open { settings = { auth = { username = "ana", password = "guess" } }, peer = { auth = good },
        limits = { core = 3, reconnect_base_ms = 10, reconnect_max_ms = 100 } }
      world:pass(100000)
      local bursts, last = 0, -100000
      for _, at in ipairs(world.asked) do
        if at - last > 1000 then
          bursts = bursts + 1
          assert.is_true(at - last >= 10000)
          last = at
        end
      end
      assert.is_true(bursts >= 6 and bursts <= 10, bursts)
    end)

    it("reads new credentials at the next attempt", function()
      open { settings = { auth = { username = "ana", password = "old" } }, peer = { auth = good },
        limits = { core = 1 } }
      world:until_true(function() return world:count "down" == 1 end)
      world.client.settings.auth = world.client:make_settings({ auth = good }).auth
      world:until_ready(1)
    end)
  end)

  describe("that loses connections", function()
    it("replaces them, and stays up while one is left", function()
      open { limits = { core = 3 } }
      world:until_ready(3)
      world:pass(5000)
      world:forget()
      world.peer.links[1]:close(true)
      world:until_true(function() return world:count "removed" == 1 end)
      assert.is_true(world.told[1].lost)
      assert.equal(reason "LOST", world.told[1].reason)
      world:until_ready(3)
      assert.equal(0, world:count "down")
      assert.equal(1, tonumber(world.pool.lost_total))
    end)

    it("is down with the last one, and up again with the first", function()
      open()
      world:until_ready(2)
      world:pass(5000)
      world:forget()
      for _, node in ipairs(world.peer:open_links()) do node:close() end
      world:until_true(function() return world:count "removed" == 2 end)
      assert.equal(1, world:count "down")
      assert.is_true(world.told[#world.told].was_ready)
      world:until_ready(2)
      assert.equal(1, world:count "up")
      assert.equal(1, world:count "down")
    end)

    it("replaces them soon after a long life", function()
      open { limits = { core = 1, reconnect_base_ms = 100, reconnect_max_ms = 60000 } }
      for _ = 1, 8 do
        world:until_ready(1)
        world:pass(5000)
        world.peer:last():close(true)
        local before = world.loop:now_ms()
        world:until_true(function() return world.pool.ready_count == 0 end)
        world:until_ready(1)
        assert.is_true(world.loop:now_ms() - before < 110)
      end
    end)

    it("backs off from a host that takes connections and drops them", function()
      open { limits = { core = 1, reconnect_base_ms = 50, reconnect_max_ms = 60000 } }
      world.react.added = function() world.peer:last():close(true) end
      world:pass(60000)
      assert.is_true(world:count "added" < 30, world:count "added")
    end)

    it("does not let a flapping connection hurt those that live", function()
      open { limits = { core = 2, reconnect_base_ms = 50, reconnect_max_ms = 60000 } }
      world:until_ready(2)
      world:pass(5000)
      world:forget()
      world.react.added = function() world.peer:last():close(true) end
      world.peer.links[2]:close(true)
      world:pass(60000)
      assert.is_true(world:count "added" < 30, world:count "added")
      assert.equal(0, world:count "down")
      assert.equal(1, world.pool.ready_count)
    end)

    it("replaces one that has too many orphans while it still drains", function()
      open { limits = { core = 1 }, settings = { max_orphans = 2 } }
      world:until_ready(1)
      world:pass(2000)
      local calls = {}
      for i = 1, 5 do calls[i] = assert(world:call("n" .. i)) end
      world:until_true(function() return #world.peer.links[1].requests == 5 end)
      for i = 1, 3 do require("spec.support.client").abandon(calls[i]) end
      assert(world:take() == nil)
      world:until_true(function() return world:count "down" == 1 end)
      assert.equal(reason "ORPHANS", world.told[#world.told].reason)
      assert.equal(C.MP_ELOST, world.told[#world.told].err)
      world:until_true(function() return world.pool.draining_count == 1 and world.pool.ready_count == 1 end)
      assert.equal(2, #world.peer:open_links())
      local node = world.peer.links[1]
      node:echo(node.requests[4])
      node:echo(node.requests[5])
      world:until_true(function() return world:count "removed" == 1 end)
      assert.equal(reason "ORPHANS", world.told[#world.told].reason)
      assert.is_true(world.told[#world.told].lost)
    end)
  end)

  describe("whose host has another address", function()
    it("goes on with the old connections until a new one is ready, and is never down", function()
      open()
      world:until_ready(2)
      world:pass(2000)
      world:forget()
      local elsewhere = sim_world.addr("127.0.0.12", 9042)
      C.mp_pool_set_addr(world.pool, elsewhere)
      local call = assert(world:call "on the old one")
      world:pass(500)
      assert(world:take() ~= nil)
      assert.equal(0, world:count "removed")
      local there = world.base:listen(elsewhere)
      world:until_true(function() return world:count "removed" == 1 end)
      world:until_ready(2)
      assert.equal(2, #there:open_links())
      for _, node in ipairs(world.peer.links) do
        for _, request in ipairs(node.requests) do node:echo(request) end
      end
      world:until_true(function() return world:count "removed" == 2 end)
      assert.equal(0, call.rc)
      world:pass(10)
      assert.equal(0, world:count "down")
      assert.equal(0, #world.peer:open_links())
      for _, entry in ipairs(world.told) do assert.is_falsy(entry.lost) end
    end)

    it("tells that the new one cannot be reached, and goes back to what it has there", function()
      open { limits = { core = 2, reconnect_base_ms = 60000, reconnect_max_ms = 60000 } }
      world:until_ready(2)
      world:forget()
      C.mp_pool_set_addr(world.pool, sim_world.addr("127.0.0.12", 9042))
      world:until_true(function() return world:count "refused" >= 1 end)
      assert.equal(0, world:count "down")
      C.mp_pool_try_addr(world.pool, world.addr, true)
      world:pass(1000)
      assert.equal(2, world.pool.ready_count)
      assert.equal(0, world:count "added" + world:count "removed")
      assert.equal(2, #world.peer:open_links())
    end)

    it("tries another one at once or when its backoff ends, as it is told", function()
      for _, now in ipairs { true, false } do
        open { peer = false, limits = { core = 1, reconnect_base_ms = 4000, reconnect_max_ms = 4000 } }
        world:until_true(function() return world:count "down" == 1 end)
        local elsewhere = sim_world.addr("127.0.0.12", 9042)
        world.base:listen(elsewhere)
        local before = world.loop:now_ms()
        C.mp_pool_try_addr(world.pool, elsewhere, now)
        world:until_ready(1)
        local waited = world.loop:now_ms() - before
        assert.is_true(now and waited < 50 or not now and waited > 1000 and waited < 4100, waited)
        world:close()
      end
      world = nil
    end)

    it("forgets attempts to the old one", function()
      open { peer = false, limits = { core = 2, reconnect_base_ms = 60000, reconnect_max_ms = 60000 } }
      world:pass(1000)
      local elsewhere = sim_world.addr("127.0.0.12", 9042)
      world.base:listen(elsewhere)
      C.mp_pool_set_addr(world.pool, elsewhere)
      C.mp_pool_set_addr(world.pool, elsewhere)
      local before = world.loop:now_ms()
      world:until_ready(2)
      assert.is_true(world.loop:now_ms() - before < 100)
    end)
  end)

  describe("that is closed", function()
    it("lets requests in flight finish when it drains", function()
      open()
      world:until_ready(2)
      local calls = {}
      for i = 1, 6 do calls[i] = assert(world:call("n" .. i)) end
      world:pass(10)
      world:forget()
      C.mp_pool_close(world.pool, true)
      assert(world:take() == nil)
      world:pass(1000)
      assert.is_false(C.mp_pool_is_empty(world.pool))
      for _, node in ipairs(world.peer.links) do
        for _, request in ipairs(node.requests) do node:echo(request) end
      end
      world:until_true(function() return world:count "empty" == 1 end)
      assert.is_true(C.mp_pool_is_empty(world.pool))
      for _, call in ipairs(calls) do assert.equal(0, call.rc) end
      assert.same({ "removed", "removed", "empty" }, { world.told[1].kind, world.told[2].kind, world.told[3].kind })
      world:pass(60000)
      assert.equal(3, #world.told)
    end)

    it("ends requests in flight when it does not, also after it began to drain", function()
      open()
      world:until_ready(2)
      local calls = {}
      for i = 1, 6 do calls[i] = assert(world:call("n" .. i)) end
      world:pass(10)
      C.mp_pool_close(world.pool, true)
      world:pass(100)
      C.mp_pool_close(world.pool, false)
      for _, call in ipairs(calls) do assert.is_nil(call.rc) end
      world:until_true(function() return world:count "empty" == 1 end)
      for _, call in ipairs(calls) do assert.equal(C.MP_ECLOSED, call.rc) end
      assert.equal(0, world:count "down")
    end)

    it("at any moment of its opening leaves nothing", function()
      for after = 0, 12 do
        open { settings = { auth = good, cluster_name = "test cluster" }, peer = { auth = good } }
        world:pass(after / 3)
        C.mp_pool_close(world.pool, after % 2 == 0)
        world:until_true(function() return world:count "empty" == 1 end)
        assert.equal(world:count "added", world:count "removed")
        world:close()
      end
      world = nil
    end)

    it("while it waits to try again leaves no timer", function()
      open { peer = false, limits = { core = 1 } }
      world:pass(2000)
      C.mp_pool_close(world.pool, false)
      world:pass(10000)
      local count = #world.asked
      world:pass(60000)
      assert.equal(count, #world.asked)
    end)

    it("may be opened again", function()
      open()
      world:until_ready(2)
      C.mp_pool_close(world.pool, false)
      world:until_true(function() return world:count "empty" == 1 end)
      C.mp_pool_open(world.pool)
      world:until_ready(2)
      assert.equal(2, world:count "up")
    end)

    for _, kind in ipairs { "up", "added", "removed", "down", "room" } do
      it("inside of " .. kind .. " ends well", function()
        for drain = 0, 1 do
          open { settings = { max_streams = 2 }, limits = { max = 2 } }
          world.react[kind] = function() C.mp_pool_close(world.pool, drain == 1) end
          assert(world:take() == nil)
          world:pass(2)
          if kind == "removed" or kind == "down" then
            world:until_ready(2)
            for _, node in ipairs(world.peer:open_links()) do node:close(true) end
          end
          world:until_true(function() return world:count "empty" == 1 end)
          world:pass(1000)
          assert.equal(1, world:count "empty")
          world:close()
        end
        world = nil
      end)
    end

    it("may be taken apart inside of empty", function()
      open()
      world:until_ready(2)
      local apart
      world.react.empty = function()
        C.mp_pool_deinit(world.pool)
        ffi.fill(world.pool, ffi.sizeof "struct mp_pool", 0xee)
        apart = true
      end
      C.mp_pool_close(world.pool, false)
      world:pass(1000)
      assert.is_true(apart)
      world.closed = true
      world.base:close()
    end)
  end)

  it("shows each of its connections", function()
    open { limits = { core = 3 } }
    world:until_ready(3)
    local ids = {}
    local each = ffi.cast("void (*)(void *, struct mp_conn *)", function(_, conn)
      ids[#ids + 1] = tonumber(C.mp_conn_id(conn))
    end)
    C.mp_pool_each(world.pool, each, nil)
    each:free()
    table.sort(ids)
    assert.same({ 1, 2, 3 }, ids)
  end)

  it("comes through the lack of memory at any place", function()
    for nth = 1, 60 do
      open { limits = { core = 2, reconnect_base_ms = 20 } }
      C.mp_mem_fail_at(nth, false)
      pcall(world.pass, world, 50)
      C.mp_mem_fail_at(0, false)
      world:take()
      world:until_ready(2)
      world:close()
    end
    world = nil
  end)
end)
