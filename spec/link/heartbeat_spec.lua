-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local link_world = require "spec.support.link_world"
local clients = require "spec.support.client"

local function reason(name) return tonumber(C["MP_CLOSE_" .. name]) end

describe("a heartbeat", function()
  local world
  local settings = { heartbeat_interval_ms = 1000, heartbeat_timeout_ms = 300 }

  local function open(options)
    world = link_world.open { settings = options or settings }
    return world:ready()
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function swallow(node)
    node.peer.on.OPTIONS = function() return true end
  end

  it("asks once per interval while nothing is answered", function()
    local link, node = open()
    world:pass(10500)
    assert.equal(10, node.heartbeats)
    assert.is_nil(link.closed)
    assert.equal(0, link:in_flight())
  end)

  it("does not ask where answers come", function()
    local link, node = open()
    node.peer.on_request = function(at, request) at:echo(request) end
    for _ = 1, 12 do
      assert(link:call "x")
      world:pass(900)
    end
    assert.equal(0, node.heartbeats)
  end)

  it("is not asked for when the interval is zero", function()
    local link, node = open { heartbeat_interval_ms = 0, heartbeat_timeout_ms = 300 }
    world:pass(600000)
    assert.equal(0, node.heartbeats)
    assert.is_nil(link.closed)
  end)

  it("ends a connection that does not answer it in time", function()
    local link, node = open()
    local call = assert(link:call "unlucky")
    world:until_true(function() return #node.requests == 1 end)
    swallow(node)
    local before = world.loop:now_ms()
    world:until_true(function() return link.closed end)
    local took = world.loop:now_ms() - before
    assert.is_true(took > 1250 and took < 1400, took)
    assert.equal(reason "HEARTBEAT", link.closed.reason)
    assert.equal(C.MP_ELOST, call.rc)
    assert.equal(2, call.sent)
  end)

  it("ends a connection into a black hole", function()
    local link = open()
    C.mp_loop_sim_blackhole(world.loop.handle, world.addr, true)
    world:until_true(function() return link.closed end)
    assert.equal(reason "HEARTBEAT", link.closed.reason)
    C.mp_loop_sim_blackhole(world.loop.handle, world.addr, false)
  end)

  it("ends a connection whose answers are lost on the way", function()
    local link = open()
    C.mp_loop_sim_partition(world.loop.handle, world.addr, true)
    world:until_true(function() return link.closed end)
    assert.equal(reason "HEARTBEAT", link.closed.reason)
    C.mp_loop_sim_partition(world.loop.handle, world.addr, false)
  end)

  it("is not appeased by bytes that drip in", function()
    for version = 4, 5 do
      local link, node = open { heartbeat_interval_ms = 1000, heartbeat_timeout_ms = 300, version = version }
      swallow(node)
      local call = assert(link:call "drip")
      world:until_true(function() return #node.requests == 1 end)
      local bytes = node:framed(node:echo_bytes(node.requests[1], ("x"):rep(500)))
      for at = 1, 200 do
        if link.closed then break end
        node:raw(bytes:sub(at, at))
        world:pass(10)
      end
      assert.equal(reason "HEARTBEAT", link.closed.reason)
      assert.equal(C.MP_ELOST, call.rc)
      world:close()
    end
    world = nil
  end)

  it("is not appeased by events", function()
    local link, node = open()
    swallow(node)
    for _ = 1, 20 do
      if link.closed then break end
      node:event()
      world:pass(100)
    end
    assert.equal(reason "HEARTBEAT", link.closed.reason)
  end)

  it("is satisfied by the answer to any request", function()
    local link, node = open { heartbeat_interval_ms = 1000, heartbeat_timeout_ms = 1000 }
    swallow(node)
    node.peer.on_request = function(at, request) at:echo(request) end
    for _ = 1, 20 do
      assert(link:call "x")
      world:pass(1500)
      assert.is_nil(link.closed)
    end
    assert.equal(1, node.heartbeats)
  end)

  it("still works when every id for calls is taken", function()
    local link, node = open { heartbeat_interval_ms = 1000, heartbeat_timeout_ms = 300, max_streams = 2 }
    assert(link:call "slow 1")
    assert(link:call "slow 2")
    world:pass(5500)
    assert.is_nil(link.closed)
    assert.equal(5, node.heartbeats)
    assert.equal(2, link:in_flight())
    assert.equal(0, link:room())
    swallow(node)
    world:until_true(function() return link.closed end)
  end)

  it("goes on while the connection drains", function()
    local link, node = open()
    assert(link:call "x")
    world:until_true(function() return #node.requests == 1 end)
    link:drain()
    world:pass(2500)
    assert.equal(2, node.heartbeats)
    swallow(node)
    world:until_true(function() return link.closed end)
    assert.equal(reason "HEARTBEAT", link.closed.reason)
  end)

  describe("after this process slept", function()
    it("asks anew instead of judging", function()
      local link = open()
      C.mp_loop_sim_jump(world.loop.handle, 60000000000ULL)
      world:pass(2000)
      assert.is_nil(link.closed)
    end)

    it("that was under way gets one more chance", function()
      local link, node = open()
      for _ = 1, 3 do -- each time, as it was answered meanwhile
        local delayed
        node.peer.on.OPTIONS = function(_, request)
          delayed = request
          return true
        end
        world:until_true(function() return delayed end)
        C.mp_loop_sim_jump(world.loop.handle, 60000000000ULL)
        world.loop:turn(0)
        world:pass(100)
        assert.is_nil(link.closed)
        node:supported(delayed, { "5/v5" })
        node.peer.on.OPTIONS = nil
        world:pass(3000)
        assert.is_nil(link.closed)
      end
    end)

    it("that was under way and stays unanswered ends the connection all the same", function()
      local link, node = open()
      swallow(node)
      world:until_true(function() return node.heartbeats == 1 end)
      C.mp_loop_sim_jump(world.loop.handle, 60000000000ULL)
      world.loop:turn(0)
      world:pass(1000)
      assert.equal(reason "HEARTBEAT", link.closed.reason)
    end)

    it("that was under way gets no second chance after a second sleep", function()
      local link, node = open()
      swallow(node)
      world:until_true(function() return node.heartbeats == 1 end)
      for _ = 1, 2 do
        assert.is_nil(link.closed)
        C.mp_loop_sim_jump(world.loop.handle, 60000000000ULL)
        world.loop:turn(0)
        world:pass(200) -- of the 300 that the first sleep gave it
      end
      assert.equal(reason "HEARTBEAT", link.closed.reason)
    end)
  end)

  describe("that is asked for by its owner", function()
    it("is sent now, once at a time", function()
      local link, node = open { heartbeat_interval_ms = 60000, heartbeat_timeout_ms = 300 }
      for _ = 1, 5 do link:probe() end
      world:pass(200)
      assert.equal(1, node.heartbeats)
      link:probe()
      world:pass(200)
      assert.equal(2, node.heartbeats)
      assert.is_nil(link.closed)
    end)

    it("ends a silent connection long before the next regular one", function()
      local link, node = open { heartbeat_interval_ms = 60000, heartbeat_timeout_ms = 300 }
      swallow(node)
      local call = assert(link:call "timed out")
      clients.abandon(call)
      local before = world.loop:now_ms()
      link:probe()
      world:until_true(function() return link.closed end)
      assert.is_true(world.loop:now_ms() - before < 400)
    end)

    it("works without regular ones, and does not start them", function()
      local link, node = open { heartbeat_interval_ms = 0, heartbeat_timeout_ms = 300 }
      link:probe()
      world:pass(100000)
      assert.equal(1, node.heartbeats)
      assert.is_nil(link.closed)
      swallow(node)
      link:probe()
      world:pass(400)
      assert.equal(reason "HEARTBEAT", link.closed.reason)
    end)

    it("leaves the regular ones as they were", function()
      local link, node = open()
      world:pass(500)
      link:probe()
      world:pass(900)
      assert.equal(1, node.heartbeats)
      world:pass(200)
      assert.equal(2, node.heartbeats)
    end)

    it("is nothing on a connection that opens or has ended", function()
      world = link_world.open()
      local link = world.client:open(world.addr)
      link:probe()
      world:until_true(function() return link.ready end)
      link:close()
      link:probe()
      world:until_true(function() return link.closed end)
    end)
  end)

  describe("whose times are changed", function()
    local function set(link, interval, timeout) C.mp_conn_set_heartbeat(link.conn, interval, timeout) end

    it("comes by the new ones", function()
      local link, node = open { heartbeat_interval_ms = 60000, heartbeat_timeout_ms = 300 }
      set(link, 1000, 300)
      world:pass(3500)
      assert.equal(3, node.heartbeats)
      set(link, 1000, 300) -- the same
      set(link, 0, 300)
      world:pass(60000)
      assert.equal(3, node.heartbeats)
      set(link, 2000, 200) -- one has been due for long
      world:pass(2100)
      assert.equal(5, node.heartbeats)
      swallow(node)
      world:until_true(function() return link.closed end)
      assert.equal(reason "HEARTBEAT", link.closed.reason)
    end)

    it("is judged by the time of its question while one is under way", function()
      local link, node = open { heartbeat_interval_ms = 60000, heartbeat_timeout_ms = 300 }
      swallow(node)
      link:probe()
      set(link, 500, 300)
      world:until_true(function() return link.closed end)
      assert.equal(reason "HEARTBEAT", link.closed.reason)
    end)

    it("is asked without a time for its answer only when it is due", function()
      local link, node = open { heartbeat_interval_ms = 60000, heartbeat_timeout_ms = 300 }
      set(link, 60000, 0)
      link:probe()
      world:pass(1000)
      assert.equal(0, node.heartbeats)
    end)

    it("begins with the connection when that still opens, and while it drains", function()
      world = link_world.open { settings = { heartbeat_interval_ms = 0, heartbeat_timeout_ms = 300 } }
      local link = world.client:open(world.addr)
      set(link, 1000, 300)
      world:until_true(function() return link.ready end)
      local node = world.peer:last()
      world:pass(1500)
      assert.equal(1, node.heartbeats)
      local call = assert(link:call "slow")
      link:drain()
      set(link, 500, 300)
      world:pass(1200)
      assert.is_true(node.heartbeats >= 3)
      node:echo(node.requests[1], "done")
      world:until_true(function() return link.closed end)
      assert.equal(0, call.rc)
    end)
  end)
end)
