-- SPDX-License-Identifier: Apache-2.0
-- Requests that their caller cancels; phase_spec.lua has each phase, spec/script/pool/cancel_spec.lua what Lua sees.
local C = require "spec.support.c"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

describe("a request that is cancelled", function()
  local world
  after_each(function() world:close() end)

  it("is told once, later, and its late answer nobody", function()
    world = session_world.connected()
    local links = {}
    world.on_statement = function(_, link, request)
      links[#links + 1] = { link, request }
      return true
    end
    local sent = world:submit("SELECT v FROM t", { pinned_host = world:find("127.0.0.1").index })
    assert.is_true(world:cancel(sent))
    assert.is_false(world:cancel(sent)) -- once is enough
    world:wait(sent)
    local on_its_way = world:submit("UPDATE t SET v = 1", { pinned_host = world:find("127.0.0.1").index })
    world:pass(5)
    assert.is_true(world:cancel(on_its_way))
    world:wait(on_its_way)
    assert.same({ "CANCELLED", "127.0.0.1:9042: cancelled by its caller", true, 1 },
      { on_its_way.err.code, on_its_way.err.message, on_its_way.err.maybe_applied, on_its_way.attempts })
    assert.is_false(sent.err.maybe_applied) -- a read
    assert.equal(0, world:stats().requests_in_flight)
    world:pass(100)
    local errors = world:stats().errors
    for _, owed in ipairs(links) do rows.void(owed[1], owed[2]) end
    world:pass(100)
    assert.same({ 2, 2, 0 }, { world:stats().late_answers, world:stats().cancelled, errors })
  end)

  it("or is over, or was never sent, is none", function()
    world = session_world.connected()
    local use = world:submit("USE ks") -- ends by a task
    assert.is_false(world:cancel(use))
    world:wait(use)
    assert.equal("UNSUPPORTED", use.err.code)
    local request = C.mp_request_take(world.session)
    assert.is_false(C.mp_request_cancel(request)) -- never submitted
    C.mp_request_give(request)
  end)
end)
