-- SPDX-License-Identifier: Apache-2.0
-- Sessions whose requests get copies, among scripted nodes that do with each statement what a spec says, when it does.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local speculation = { acts = {}, DELAY_MS = 20, TIMEOUT_MS = 1000 }
local TIMEOUT_MS = speculation.TIMEOUT_MS

-- The hosts in the order of the nodes; a copy after each of `delays`, and no retry unless `retry` says what.
local function speculate(world, delays, retry)
  local slots = {}
  for i, node in ipairs(world.nodes) do slots[i] = world:find(node.ip).index end
  local policies = ffi.new "struct mp_policy_calls"
  world.asked = 0
  policies.balance.plan = world.loop:callback(
    "bool (*)(void *, const struct mp_request_view *, struct mp_plan *)", function(_, _, plan)
      for _, slot in ipairs(slots) do C.mp_plan_host(plan, slot) end
      return true
    end)
  policies.speculate.after = world.loop:callback(
    "uint32_t (*)(void *, const struct mp_request_view *, uint32_t)", function(_, _, sent)
      world.asked = world.asked + 1
      return delays[sent] or 0xffffffff -- MP_SPECULATE_NEVER
    end)
  policies.retry.decide = world.loop:callback(
    "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)", function(_, view, delay_ms)
      world.verdicts = (world.verdicts or 0) + 1
      return retry and retry(view, delay_ms) or C.MP_GIVE_UP
    end)
  C.mp_session_set_policies(world.session, policies)
end

-- Statements are held until a node is told what to do: world.held[ip](how).
local acts = speculation.acts
function acts.ok(node, link, request, world) world:succeed(node, link, request) end
function acts.error(_, link, request)
  rows.error(link, request, { code = C.MP_SE_SERVER_ERROR, message = "because" })
end
function acts.die(_, link) link:close(true) end
function acts.silent() end

function speculation.open(count, delays, retry, config)
  local nodes = {}
  for i = 1, count do nodes[i] = {} end
  local world = session_world.connected { nodes = nodes, config = config }
  world:until_true(function() return world:up_count() == count end)
  speculate(world, delays, retry)
  world.held, world.arrived = {}, {}
  world.on_statement = function(node, link, request)
    if request.opcode == "PREPARE" then return false end
    world.arrived[#world.arrived + 1] = node.ip
    world.held[node.ip] = function(how) acts[how](node, link, request, world) end
    return true
  end
  return world
end

function speculation.ip(i) return "127.0.0." .. i end

function speculation.in_flight(world)
  local sum = 0
  for i = 0, tonumber(world.session.view.host_count) - 1 do sum = sum + world.session.view.hosts[i].inFlight end
  return sum
end

speculation.read = { "SELECT v FROM t", {} }
speculation.write = { "UPDATE t SET v = 1 WHERE k = 1", { idempotent = true } }

function speculation.submit(world, statement, more)
  local options = { timeout_ms = TIMEOUT_MS }
  for _, from in ipairs { statement[2], more or {} } do
    for key, value in pairs(from) do options[key] = value end
  end
  return world:submit(statement[1], options)
end

return speculation
