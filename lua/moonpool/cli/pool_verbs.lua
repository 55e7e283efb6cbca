-- SPDX-License-Identifier: Apache-2.0
-- Verbs of `moonpool ctl` that look at one pool or steer it: the pool's own methods, with their names and meanings.
-- Each is { what it does, function(pool, argument), argument = its name, words = how many, optional = true }.
local core = require "moonpool.core_loader"
local columns = require "moonpool.cli.columns"
local evaluate = require "moonpool.cli.evaluate"
local json = require "moonpool.cli.json"
local overview = require "moonpool.overview"
local pools = require "moonpool.pool"
local recorder = require "moonpool.recorder"
local say = require "moonpool.cli.say"
local secrets = require "moonpool.secrets"

local DRAIN_MS = 25000 -- whoever asks waits no longer

local verbs = {}

local function failure(err) return { ok = false, error = core.redact(tostring(err and err.message or err)) } end

-- Wrong arguments raise with a place in our own files, which says nothing to who asked.
local function call(fn, ...)
  local called, ok, err = pcall(fn, ...)
  if not called then
    return failure((tostring(ok):gsub("^[^ ]-:%d+: ", ""):gsub("^bad argument #%d+ to '[^']*' %((.*)%)$", "%1")))
  end
  return ok and { ok = true } or failure(err)
end

local function words_of(argument)
  local list = {}
  for word in argument:gmatch "%S+" do list[#list + 1] = word end
  return list
end

-- ---- looking ----------------------------------------------------------------------------------------------

verbs.connections = { "Its connections, one by one.", function(pool)
  return { ok = true, connections = json.list(pool:getConnectionDetails()) }
end }

verbs.config = { "What its configuration says, key by key, without secrets.", function(pool)
  local checked, list = pools.configuration(pool), json.list {}
  for i, entry in ipairs(checked.values) do
    local parts, value = {}, entry.value
    for part in entry.key:gmatch "[^.]+" do parts[#parts + 1] = part end
    if entry.rule.kind == "translator" then value = value.shown end
    local hidden = secrets.hides(parts) and type(value) ~= "boolean"
    list[i] = { key = entry.key, value = hidden and "(secret)" or secrets.value(value), place = checked.place(parts) }
  end
  return { ok = true, file = checked.file, values = list }
end }

verbs.version = { "What answers there.", function()
  return { ok = true, version = core.version, lua = jit.version }
end }

verbs.explain = { "What the balance policy plans now, for a request as JSON: {\"keyspace\":\"ks\",\"token\":\"42\"}.",
  function(pool, argument)
    local request, why = {}, nil
    if argument then request, why = json.decode(argument) end
    if type(request) ~= "table" then return failure("the request is no JSON object: " .. tostring(why)) end
    local called, plan, err = pcall(pool.explain, pool, request)
    if not called then return failure((tostring(plan):gsub("^[^ ]-:%d+: ", ""))) end
    if not plan then return failure(err) end
    local policy = overview.policies(pool).balance
    plan.policy, plan.generation, plan.canary = policy.name, policy.generation, policy.canary
    plan.ok, plan.hosts, plan.steps = true, json.list(plan.hosts or {}), plan.steps and json.list(plan.steps)
    return plan
  end, argument = "REQUEST", optional = true, words = 32 }

local SHOWN_DECISIONS = 20

verbs.decisions = { "The last N records of the decision log (20): where requests went, why, and what came of it.",
  function(pool, argument)
    local count = tonumber(argument or SHOWN_DECISIONS)
    if not count or count < 1 or count % 1 ~= 0 then return failure "decisions wants a number of decisions" end
    local list, err = pool:decisions(count)
    if not list then return failure(err) end
    for _, each in ipairs(list) do json.list(each.hosts); json.list(each.steps); json.list(each.plan) end
    return { ok = true, decisions = json.list(list) }
  end, argument = "N", optional = true }

-- ---- steering ---------------------------------------------------------------------------------------------

local function of_host(what, method, options)
  return { what, function(pool, host) return call(pool[method], pool, host, options) end, argument = "HOST" }
end

local function requests_at(pool, address)
  for _, host in ipairs(pool:getHosts()) do
    if host.address == address then return host.inFlight end
  end
  return 0
end

-- As PAUSE of PgBouncer: it is over when nothing is under way any more.
verbs.pause = { "No request goes to HOST until it is resumed; waits for those under way. Its connections stay.",
  function(pool, host)
    local answer, till = call(pool.pause, pool, host), core.now() + DRAIN_MS
    local address = answer.ok and core.findHost(pool, host)
    while answer.ok and requests_at(pool, address) > 0 do
      if core.now() >= till then
        return failure(("%s is paused, but %d requests are still under way after %d s"):format(address,
          requests_at(pool, address), DRAIN_MS / 1000))
      end
      core.sleep(10)
    end
    return answer
  end, argument = "HOST" }

verbs.resume = { "HOST is used again after pause, drain or kill; without HOST: all of them.", function(pool, host)
  if host then return call(pool.resume, pool, host) end
  for _, each in ipairs(pool:getHosts()) do
    local answer = each.held and call(pool.resume, pool, each.address)
    if answer and not answer.ok then return answer end
  end
  return { ok = true }
end, argument = "HOST", optional = true }

verbs.kill = of_host("No request goes to HOST until it is resumed, and its connections close at once.", "kill")
verbs.drain = of_host("No request goes to HOST; when those under way have ended its connections close.", "drain",
  { timeout = DRAIN_MS })
verbs.reconnect = of_host("The connections of HOST are opened anew.", "reconnect")

verbs.weight = { "HOST weighs so much for policies that look at weights.", function(pool, argument)
  local words = words_of(argument)
  local weight = tonumber(words[2])
  if #words ~= 2 or not weight then return failure "weight wants a host and a number" end
  return call(pool.setHostWeight, pool, words[1], weight)
end, argument = "HOST N", words = 2 }

verbs.tags = { "HOST has these tags and no others; none: it has none.", function(pool, argument)
  local words = words_of(argument)
  return call(pool.setHostTags, pool, table.remove(words, 1), words)
end, argument = "HOST TAG...", words = 32 }

verbs.switchDatacenter = { "That datacentre serves.", function(pool, name)
  return call(pool.switchDatacenter, pool, name)
end, argument = "NAME" }

verbs.eval = { "Runs LUA in the process, where `pool` is the pool, if the configuration says controlEval = true.",
  function(pool, text)
    if not pools.configuration(pool).controlEval then
      return failure "the configuration does not allow it: it wants controlEval = true"
    end
    core.log("warn", "eval at the control socket: " .. text, pool)
    return evaluate.run(pool, text)
  end, argument = "LUA", words = 4096 }

verbs.log = { "Its log has that LEVEL (error, warn, info, debug, off) until its configuration changes.",
  function(pool, level) return call(core.setLogLevel, pool, level) end, argument = "LEVEL" }

-- ---- events -----------------------------------------------------------------------------------------------

verbs.events = { "What has happened since event number N; --follow goes on.", function(pool, argument)
  local from = tonumber(argument or 0)
  if not from then return failure "events wants the number of an event" end
  local list, last, missed = recorder.of(pool):since(from)
  return { ok = true, events = json.list(list), last = last, missed = missed }
end, argument = "N", optional = true }

verbs.overview = { "What moonpool top shows, with the events since number N.", function(pool, argument)
  local from = tonumber(argument or 0)
  if not from then return failure "overview wants the number of an event" end
  local answer = overview.of(pool)
  local list, last, missed = recorder.of(pool):since(from)
  answer.ok, answer.events, answer.last, answer.missed = true, json.list(list), last, missed
  return answer
end, argument = "N", optional = true }

-- ---- for people -------------------------------------------------------------------------------------------

local printers = {}

local function done(verb)
  printers[verb] = function(_, argument) print(verb .. (argument and " " .. argument or "") .. ": done") end
end
for _, verb in ipairs { "pause", "resume", "kill", "drain", "reconnect", "weight", "tags", "switchDatacenter",
  "log" } do
  done(verb)
end

local function time_of(ms) return ms and os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(ms / 1000)) end

function printers.connections(result)
  columns.print(result.connections, { { "ID", "id" }, { "HOST", "host" }, { "STATE", "state" },
    { "IN FLIGHT", "inFlightRequests" }, { "SINCE", function(each) return time_of(each.createdAt) end },
    { "LAST USED", function(each) return time_of(each.lastUsedAt) end } })
end

function printers.config(result)
  if result.file then print(result.file) end
  columns.print(result.values, { { "KEY", "key" }, { "VALUE", function(each) return tostring(each.value) end } })
end

function printers.eval(result)
  for _, value in ipairs(result.values) do columns.value(value) end
end

function printers.version(result) print(("moonpool %s (%s)"):format(result.version, result.lua)) end

function printers.explain(result)
  local canary = result.canary
  print(("%s, generation %d%s"):format(result.policy, result.generation,
    canary and (" (not asked: generation %d, %s, on trial)"):format(canary.generation, canary.name) or ""))
  for i, host in ipairs(result.hosts) do host.number = i end
  columns.print(result.hosts, { { "#", "number" }, { "HOST", "host" },
    { "PLACE", function(host) return host.datacenter .. "/" .. host.rack end }, { "WHY", "why" } })
end

function printers.overview(result)
  print(json.encode(result))
end

local function became_of(outcome, first)
  if not outcome then return "under way" end
  local others = outcome.host and first and outcome.host ~= first.host
  return ("%s%.1f ms%s%s"):format(outcome.error and outcome.error .. ", " or "", outcome.latencyUs / 1000,
    outcome.attempts ~= 1 and (", %d attempts"):format(outcome.attempts) or "",
    others and ", answered by " .. outcome.host or "")
end

-- 12:00:01.250 read ks.users -7531 LOCAL_ONE: 10.0.0.1:9042 (replicas ..., shuffled), 1.2 ms
function printers.decisions(result)
  for _, each in ipairs(result.decisions) do
    local request, first, outcome = each.request, each.plan[1], each.outcome
    local where = request.keyspace and " " .. request.keyspace or ""
    if request.table then where = where .. "." .. request.table end
    local plan = each.refused and "refused" or "no host"
    if first then plan = first.host .. " (" .. each.steps[first.step] .. ")" end
    if each.canary then plan = plan .. (", by generation %d on trial"):format(each.generation) end
    print(("%s.%03d  %s%s%s %s: %s, %s"):format(os.date("!%H:%M:%S", math.floor(each.atMs / 1000)),
      each.atMs % 1000, request.kind, where, request.token and " " .. request.token or "", request.consistency, plan,
      became_of(outcome, first)))
  end
end

function printers.events(result)
  for _, each in ipairs(result.events) do
    local rest = each.host and each.host .. (each.reason and ": " .. each.reason or "") or json.encode(each.what or {})
    say.print(("%s  %-18s %s"):format(os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(each.at / 1000)), each.event, rest))
  end
  io.stdout:flush()
end

return { verbs = verbs, printers = printers }
