-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local session_world = require "spec.support.session_world"

describe("the events of a session", function()
  it("wait in a queue with an end: what is dropped is counted, and told where it would have stood", function()
    local world = session_world.connected()
    local most = tonumber(C.MP_EVENTS_MAX)
    world.events = {}
    for i = 1, most + 7 do C.mp_session_tell(world.session, C.MP_EVENT_FAILOVER, nil, nil, tostring(i)) end
    assert.equal(0, #world.events, "told inside of the call")
    assert.equal(7, world:stats().events_dropped)
    world:pass(1)
    C.mp_session_tell(world.session, C.MP_EVENT_FAILOVER, nil, nil, "later")
    world:pass(1)
    assert.equal(most + 2, #world.events)
    for i = 1, most do
      local event = world.events[i]
      if event.kind ~= "FAILOVER" or event.reason ~= tostring(i) then error("event " .. i .. ": " .. event.reason) end
    end
    assert.equal("EVENTS_DROPPED", world.events[most + 1].kind)
    assert.equal(7, world.events[most + 1].count)
    assert.equal("later", world.events[most + 2].reason)
    assert.equal(7, world:stats().events_dropped)
    world:close()
  end)

  it("keep the beginning of a text that is too long", function()
    local world = session_world.connected()
    C.mp_session_tell(world.session, C.MP_EVENT_FAILOVER, nil, nil, ("x"):rep(5000))
    world:pass(1)
    assert.equal(("x"):rep(159), world.events[#world.events].reason)
    world:close()
  end)

  it("tell of each connection that goes that it was removed, and of one that was lost both", function()
    local world = session_world.connected { config = { local_limits = { core = 2, max = 2 } } }
    world:until_true(function() return world:count "CONNECTION_ADDED" == 6 end)
    world:kill(world.nodes[2])
    world:until_true(function() return world:count "HOST_DOWN" == 1 end)
    assert.equal(2, world:count "CONNECTION_LOST")
    assert.equal(2, world:count "CONNECTION_REMOVED")
    world:close_session()
    assert.equal(2, world:count "CONNECTION_LOST")
    assert.equal(6, world:count "CONNECTION_REMOVED")
    world:close()
  end)
end)
