-- SPDX-License-Identifier: Apache-2.0
-- A pool whose connections are replaced: one leaves for each that comes, and none before.
local C = require "spec.support.c"
local pool_world = require "spec.support.pool_world"
local sim_world = require "spec.support.sim_world"

describe("a pool that rotates", function()
  local world

  local function open(options)
    world = pool_world.open(options)
    world:until_ready(world.limits.core)
    world:pass(2000)
    world:forget()
    return world
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function rotate() C.mp_pool_rotate(world.pool, "for the spec") end

  local function kept_at_least(count, done)
    world:until_true(function()
      assert.is_true(world.pool.ready_count >= count, "too few")
      return done()
    end)
  end

  it("never has fewer than it wants, and loses no call", function()
    open { limits = { core = 3 } }
    local calls = {}
    for i = 1, 6 do calls[i] = assert(world:call("n" .. i)) end
    -- The limiter lets one in at a time.
    local tokens = 0
    world.may_open = function()
      tokens = tokens - 1
      return tokens >= 0
    end
    rotate()
    world:pass(200)
    assert.equal(0, world:count "added")
    assert.equal(3, world.pool.ready_count)
    for i = 1, 3 do
      tokens = 1
      kept_at_least(3, function() return world:count "added" == i end)
      world:pass(100)
      assert.equal(3, world.pool.ready_count)
      assert.equal(i, world.pool.draining_count + world:count "removed")
    end
    for _, node in ipairs(world.peer.links) do
      for _, request in ipairs(node.requests) do node:echo(request) end
    end
    world:until_true(function() return world:count "removed" == 3 end)
    for _, call in ipairs(calls) do assert.equal(0, call.rc) end
    assert.equal(0, world:count "down")
    for _, entry in ipairs(world.told) do assert.is_falsy(entry.lost) end
  end)

  it("keeps the old ones while no new one can be opened, and asks as seldom as its backoff says", function()
    open { limits = { core = 2, reconnect_base_ms = 1000, reconnect_max_ms = 4000 } }
    C.mp_loop_sim_fail_local(world.loop.handle, world.addr, true)
    rotate()
    world:pass(20000)
    assert.equal(2, world.pool.ready_count)
    assert.equal(0, world:count "down")
    assert.is_true(#world.asked < 40)
    C.mp_loop_sim_fail_local(world.loop.handle, world.addr, false)
    world:until_true(function() return world:count "removed" == 2 end)
    assert.equal(2, world.pool.ready_count)
  end)

  it("twice is once more", function()
    open { limits = { core = 2 } }
    rotate()
    rotate()
    kept_at_least(2, function() return world:count "removed" >= 2 and world.pool.ready_count == 2 end)
    world:pass(1000)
    assert.equal(2, world.pool.ready_count)
    assert.equal(2, #world.peer:open_links())
  end)

  it("may shrink, move or be given up meanwhile", function()
    open { limits = { core = 3, max = 3 } }
    world.may_open = function() return false end
    rotate()
    world:pass(100)
    world:set_limits { core = 1, max = 1 }
    world:pass(100)
    assert.equal(3, world.pool.ready_count) -- none is new yet
    world.may_open = nil
    world:until_true(function() return world.pool.ready_count == 1 and world.pool.draining_count == 0 end)
    world:pass(1000)
    assert.equal(1, #world.peer:open_links())
    rotate()
    local elsewhere = sim_world.addr("127.0.0.12", 9042)
    local there = world.base:listen(elsewhere)
    C.mp_pool_set_addr(world.pool, elsewhere)
    world:until_true(function() return #there:open_links() == 1 and #world.peer:open_links() == 0 end)
    world.may_open = function() return false end
    rotate()
    world:set_limits { core = 0, max = 1 }
    world:until_true(function() return world.pool.ready_count == 0 end)
  end)

  it("does nothing before it is open", function()
    world = pool_world.open { closed = true }
    rotate()
    C.mp_pool_open(world.pool)
    world:until_ready(2)
    world:pass(1000)
    assert.equal(2, world:count "added")
  end)
end)
