-- SPDX-License-Identifier: Apache-2.0
-- Attempts: whatever happens to each of them and in whichever order, those under way are the ones that their requests
-- list, oldest first, and that their hosts count; and none outlives its request.
local C = require "spec.support.c"
local speculation = require "spec.support.speculation"
local rows = require "spec.support.rows"

local NODES, STEPS = 4, 400

describe("attempts", function()
  local world, draw, owed

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local acts = {
    ok = function(node, link, request) world:succeed(node, link, request) end,
    error = function(_, link, request)
      rows.error(link, request, { code = C.MP_SE_OVERLOADED, message = "because" })
    end,
    unprepared = function(_, link, request)
      rows.error(link, request, { code = C.MP_SE_UNPREPARED, message = "who?", id = request.id })
    end,
    die = function(_, link) link:close(true) end,
  }
  local names = { "ok", "ok", "ok", "error", "error", "unprepared", "die" }

  local function open(seed)
    draw, owed = require("spec.support.world").random(seed), {}
    local delays = {}
    for i = 1, 3 do delays[i] = draw(60) end
    world = speculation.open(NODES, delays, function(_, delay_ms)
      delay_ms[0] = draw(3) == 0 and draw(50) or 0
      return ({ C.MP_GIVE_UP, C.MP_SAME_HOST, C.MP_NEXT_HOST, C.MP_NEXT_HOST })[1 + draw(4)]
    end, {
      attempt_timeout_ms = 100, heartbeat_interval_ms = 200, heartbeat_timeout_ms = 100,
      max_requests_per_connection = 3,
      local_limits = { core = 1, max = 1, reconnect_base_ms = 50, reconnect_max_ms = 50 },
    })
    world.prepared = assert(world:prepare(speculation.read[1]))
    world.on_statement = function(node, link, request)
      if request.opcode == "PREPARE" and draw(3) > 0 then return false end
      owed[#owed + 1] = { node, link, request }
      return true
    end
  end

  local function check(records)
    local at_hosts = {}
    for _, record in ipairs(records) do
      if not record.done then
        local state = record.request.state
        local attempt, count, before = state.attempts, 0, 0
        while attempt ~= nil do
          assert.equal(record.request, attempt.request)
          assert.is_true(attempt.began_ns >= before)
          assert.equal(attempt ~= state.first, attempt.is_speculative)
          before, count = attempt.began_ns, count + 1
          at_hosts[attempt.host] = (at_hosts[attempt.host] or 0) + 1
          attempt = attempt.next
        end
        local phase = tonumber(state.phase)
        if phase == tonumber(C.MP_REQUEST_SENT) then
          assert.is_true(count >= 1 and count <= 4, count)
        else
          assert.equal(phase == tonumber(C.MP_REQUEST_PREPARING) and 1 or 0, count)
        end
        assert.is_true(state.due["in"] ~= nil or phase == tonumber(C.MP_REQUEST_ENDING))
      end
    end
    for i = 0, NODES - 1 do assert.equal(at_hosts[i] or 0, world.session.view.hosts[i].inFlight) end
  end

  local function act()
    if #owed == 0 or draw(3) == 0 then return end
    local node, link, request = unpack(table.remove(owed, 1 + draw(#owed)))
    if link.closed then return end
    if request.opcode == "PREPARE" then
      local id = #request.cql .. ":" .. request.cql
      node.known[id] = request.cql
      return rows.prepared(link, request, id, {})
    end
    local name = names[1 + draw(#names)]
    if name == "unprepared" and request.opcode ~= "EXECUTE" then name = "error" end
    if name == "die" and draw(4) > 0 then name = "ok" end
    acts[name](node, link, request)
  end

  for seed = 1, 12 do
    it("are under way where their requests and hosts say, seed " .. seed, function()
      open(seed)
      local records, slowest = {}, 0
      for _ = 1, STEPS do
        if draw(2) == 0 then
          local timeout_ms = 50 + draw(400)
          local what = ({ world.prepared, speculation.read[1], speculation.write[1] })[1 + draw(3)]
          local record = world:submit(what, {
            timeout_ms = timeout_ms, idempotent = draw(2) == 0,
            on_done = function(record) slowest = math.max(slowest, record.latency_ms - timeout_ms) end,
          })
          if record.rc == 0 then records[#records + 1] = record end
        end
        local record = records[#records]
        if draw(20) == 0 and record and not record.done then world:cancel(record) end
        act()
        world:pass(draw(12))
        check(records)
      end
      world:until_true(function() return world.open_requests == 0 end, 1000)
      check(records)
      assert.equal(0, tonumber(world.session.attempts.in_use))
      assert.is_true(slowest < 5, slowest)
      assert.is_true(world:stats().speculative > 0)
    end)
  end
end)
