-- SPDX-License-Identifier: Apache-2.0
-- A session is closed after every single event of a recorded run: while names are resolved, nodes are tried, versions
-- refused, the topology read, pools opened, statements prepared, requests sent, waiting, delayed, prepared again, with
-- copies in flight, and after. However it stands, everything that was asked is told once, and nothing is left.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local EVENTS_MOST = 2000

describe("a session that is closed", function()
  local function strike(world, link, request)
    local count = world.struck
    world.struck = count + 1
    if count % 7 == 3 then
      link:close(true)
    elseif count % 7 == 5 then
      rows.error(link, request, { code = C.MP_SE_OVERLOADED, message = "busy" })
    else
      return false
    end
    return true
  end

  -- The run: it goes on by itself from callback to callback.
  local function begin()
    local world = session_world.open {
      nodes = { { versions = { 3, 4 } }, { versions = { 3, 4 } }, { versions = { 3, 4, 5 } }, { dead = true } },
      contacts = { "db.example", "127.0.0.4", "nowhere.example" },
      config = {
        max_requests_per_connection = 2, request_timeout_ms = 200, connect_timeout_ms = 300, protocol_version = 0,
        local_limits = { core = 1, max = 2, reconnect_base_ms = 20, reconnect_max_ms = 50 },
        heartbeat_interval_ms = 50, discovery_interval_ms = 40,
      },
    }
    C.mp_loop_sim_set_name(world.loop.handle, "db.example", world.nodes[1].addr, 1)
    world.struck = 0
    local policies = ffi.new "struct mp_policy_calls"
    policies.retry.decide = world.loop:callback(
      "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)", function(_, view, delay_ms)
        delay_ms[0] = view.attempt == 1 and 5 or 0
        return view.attempt < 4 and C.MP_NEXT_HOST or C.MP_GIVE_UP
      end)
    policies.speculate.after = world.loop:callback(
      "uint32_t (*)(void *, const struct mp_request_view *, uint32_t)", function(_, _, sent) return sent - 1 end)
    C.mp_session_set_policies(world.session, policies)
    world.on_statement = function(_, link, request) return strike(world, link, request) end
    local connect = world:begin_connect()
    local function try(what, options)
      local record = world:submit(what, options)
      if record.rc ~= 0 then assert(record.rc == C.MP_ECLOSED or record.rc == C.MP_EBUSY) end
    end
    connect.on_done = function(record)
      if record.err then return end
      for _ = 1, 12 do try "SELECT v FROM t" end
      try "USE ks"
      local prepare = world:begin_prepare "UPDATE t SET v = 1"
      prepare.on_done = function()
        if not prepare.prepared then return end
        for _, node in ipairs(world.nodes) do node.known = {} end
        for i = 1, 12 do try(prepare.prepared, { idempotent = i % 2 == 0 }) end
        world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", world.nodes[4])
        world:kill(world.nodes[2])
      end
    end
    return world
  end

  local function step(world)
    world.loop:turn(10)
  end

  local function count_events()
    local world = begin()
    local events = 0
    while world.loop:now_ms() < 1000 + 450 and events < EVENTS_MOST do
      step(world)
      events = events + 1
    end
    assert(world.connects[1].done and not world.connects[1].err, "the run did not even connect")
    assert(world.struck > 20)
    assert(world:stats().speculative > 3, "few copies: " .. world:stats().speculative)
    world:close()
    return events
  end

  for _, drain_ms in ipairs { 0, 30 } do
    it("after every event of a run, with " .. drain_ms .. " ms to drain", function()
      local events = count_events()
      assert.is_true(events > 300, events)
      for after = 0, events, drain_ms == 0 and 1 or 3 do
        local world = begin()
        for _ = 1, after do step(world) end
        local ok, trouble = pcall(function()
          C.mp_session_close(world.session, drain_ms, world.on_closed, nil)
          local before = world.loop:now_ms()
          world:until_true(function() return world.closed_count == 1 end, 2000)
          assert(world.loop:now_ms() - before <= drain_ms + 20, "closing took " .. world.loop:now_ms() - before)
          world:close()
        end)
        assert(ok, "closed after " .. after .. " events: " .. tostring(trouble))
      end
    end)
  end
end)
