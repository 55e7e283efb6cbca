-- SPDX-License-Identifier: Apache-2.0
-- What a process answers at its control socket, one line of JSON each way, for all its pools:
--
--   {"verb":"rollback","argument":"balance"}  ->  {"ok":true,"pools":[{"number":1,"ok":true,"generation":3}]}
--                                             ->  {"ok":false,"error":"..."}
--
-- With "pool":N it is meant for that pool alone. Whatever goes wrong is an answer.
local cluster_control = require "moonpool.cli.cluster_control"
local core = require "moonpool.core_loader"
local exporter = require "moonpool.exporter"
local json = require "moonpool.cli.json"
local nearest = require "moonpool.nearest"
local overview = require "moonpool.overview"
local pool = require "moonpool.pool"
local pool_verbs = require "moonpool.cli.pool_verbs"
local say = require "moonpool.cli.say"

local control = {}

local function failure(err)
  return { ok = false, error = core.redact(tostring(err and err.message or err)) }
end

local verbs = {}
-- name = { what it does, function(pool, argument), argument = its name }, or with whole = function(pools) instead
control.verbs = verbs

verbs.reload = { "Read configuration, handlers and policies again from their files.", function(each)
  local ok, err = each:reload()
  return ok and { ok = true } or failure(err)
end }

verbs.rollback = { "Return to the generation before of the policy of that KIND (balance, retry, ...).",
  function(each, kind)
    local called, ok, result = pcall(each.rollback, each, kind)
    if not called then return failure((tostring(ok):gsub("^[^ ]-:%d+: ", ""))) end
    return ok and { ok = true, generation = result } or failure(result)
  end, argument = "KIND" }

-- Of one kind, or of all that have one.
local function end_canaries(each, kind, method)
  local ended, running = {}, each:canary()
  for _, name in ipairs(kind and { kind } or core.policyKinds) do
    local state = running[name] and running[name].state
    if kind or state == "running" or state == "waiting" then
      local called, ok, err = pcall(each[method], each, name)
      if not called then return failure((tostring(ok):gsub("^[^ ]-:%d+: ", ""))) end
      if not ok then return failure(err) end
      ended[#ended + 1] = name
    end
  end
  if #ended == 0 then return failure "no canary runs" end
  return { ok = true, ended = json.list(ended) }
end

verbs.canary = { "Policies on trial, of one KIND or all: status, promote (to serve all) or abort (they are gone).",
  function(each, argument)
    local what, kind = argument:match "^(%S+)%s*(%S*)$"
    kind = kind ~= "" and kind or nil
    if what == "promote" then return end_canaries(each, kind, "promoteCanary") end
    if what == "abort" then return end_canaries(each, kind, "abortCanary") end
    if what ~= "status" then return failure "canary: status, promote or abort expected" end
    local all = each:canary()
    if kind and not all[kind] then return failure("there was no canary of a " .. kind .. " policy") end
    return { ok = true, canaries = kind and { [kind] = all[kind] } or all }
  end, argument = "status|promote|abort [KIND]", words = 2 }

verbs.policies = { "The policies in force, and how often a shadow agrees with one.", function(each)
  return { ok = true, policies = overview.policies(each) }
end }

verbs.stats = { "Counters and latencies.", function(each)
  local all = each:getStats()
  for name, value in pairs(each:getMetrics()) do all[name] = value end
  return { ok = true, stats = all }
end }

verbs.hosts = { "The hosts of the cluster as the pool sees them.", function(each)
  local list = json.list(each:getHosts())
  for _, host in ipairs(list) do host.tags = host.tags and json.list(host.tags) end
  return { ok = true, hosts = list }
end }

-- Of what there may be one of for each host an answer has so many, and says how many more there are: these verbs are
-- asked when all of a large cluster is down, and fit into an answer then, too.
local MOST_TOLD = 20

local function cut(result, ...)
  result.ok, result.more = result.ok ~= false, {}
  for _, name in ipairs { ... } do
    local list = result[name]
    result.more[name] = math.max(#list - MOST_TOLD, 0)
    result[name] = json.list { unpack(list, 1, MOST_TOLD) }
  end
  return result
end

-- Those that are not well come first.
local function worst_first(hosts)
  local list = {}
  for _, host in ipairs(hosts) do if host.status ~= "up" then list[#list + 1] = host end end
  for _, host in ipairs(hosts) do if host.status == "up" then list[#list + 1] = host end end
  return list
end

verbs.health = { "Whether the pool does its work: healthy, degraded (a host is down, ...) or unhealthy; what to do.",
  function(each)
    local up, down = 0, {}
    for _, host in ipairs(each:getHosts()) do
      if host.status == "up" then up = up + 1
      elseif host.distance ~= "ignored" then down[#down + 1] = host.address end
    end
    local health, err = each:getHealthStatus()
    if not health then return failure(err) end
    return cut({ ok = health.overall ~= "unhealthy", overall = health.overall, hostsUp = up, hostsDown = down,
      hosts = worst_first(health.hosts), recommendations = health.recommendations },
      "hostsDown", "hosts", "recommendations")
  end }

verbs.analyze = { "Bottlenecks: what is slow or too small, and the key to change.", function(each)
  local found, err = each:analyzePerformance()
  if not found then return failure(err) end
  return cut(found, "bottlenecks", "recommendations")
end }

verbs.playbooks = { "The playbooks, and what runs; 'off' cancels that and lets nothing begin, 'on' undoes it.",
  function(each, switch)
    if switch ~= nil and switch ~= "on" and switch ~= "off" then return failure "playbooks: on or off expected" end
    if switch then each:switchPlaybooks(switch == "on") end
    return { ok = true, playbooks = json.list(each:playbooks()) }
  end, argument = "on|off", optional = true }

-- Of moonpool playbook, whose words are its argument.
local function playbook_verb(what, method)
  return { what, function(each, argument)
    local name, host = argument:match "^(%S+)%s*(%S*)$"
    local ok, result = method(each, name or argument, host ~= "" and host or nil)
    if ok then return { ok = true, result = result == nil and ok or result } end
    return failure(result)
  end, argument = "NAME [HOST]", words = 2 }
end

verbs.playbookRun = playbook_verb("Begin that playbook now.",
  function(each, name, host) return each:runPlaybook(name, { host = host }) end)
verbs.playbookDryRun = playbook_verb("Begin that playbook now; what acts is only told.",
  function(each, name, host) return each:runPlaybook(name, { host = host, dry = true }) end)
verbs.playbookAck = playbook_verb("End the cool-down of that playbook.",
  function(each, name, host) return each:acknowledgePlaybook(name, host) end)
verbs.playbookHistory = { "What playbooks did, and why.", function(each, name)
  return { ok = true, entries = json.list(each:playbookHistory(name)) }
end, argument = "NAME", optional = true }

for name, verb in pairs(pool_verbs.verbs) do verbs[name] = verb end

-- One answer for all pools that are meant.
verbs.metrics = { "What the pools have counted, as OpenMetrics text.", whole = function(meant)
  local text, err = exporter.text(meant)
  return text and { ok = true, text = text } or failure(err)
end }

local function names_of(some)
  local list = {}
  for name in pairs(some) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, ", ")
end

local KEYS = { verb = true, argument = true, pool = true }

-- What is wrong with a request that was read from a line, or nil.
local function mistake(request)
  if type(request) ~= "table" then return "a question is an object: {\"verb\":\"health\"}" end
  local verb = type(request.verb) == "string" and verbs[request.verb]
  if not verb then
    local given = type(request.verb) == "string" and request.verb or ""
    local hint = nearest.hint(given, verbs)
    if hint == "" then hint = nearest.hint(given, cluster_control.verbs) end
    return ("unknown verb%s, one of these expected: %s"):format(hint,
      names_of(verbs) .. "; of a simulated cluster: " .. names_of(cluster_control.verbs))
  end
  for key in pairs(request) do
    if not KEYS[key] then return "a question has a verb, an argument and the number of a pool, nothing else" end
  end
  if verb.argument and type(request.argument) ~= "string" and not (verb.optional and request.argument == nil) then
    return request.verb .. " wants an argument: " .. verb.argument
  end
  if not verb.argument and request.argument ~= nil then return request.verb .. " takes no argument" end
  if request.pool ~= nil and type(request.pool) ~= "number" then return "pool: a number expected" end
end

local function ask_one(each, request)
  local called, result = pcall(verbs[request.verb][2], each, request.argument)
  if not called then result = failure(result) end
  local named = result.error and result.error:match "^%a+"
  local is_placed = request.verb == "reload" -- it begins with a file and a line
  if result.error and named ~= request.verb and not is_placed then
    result.error = request.verb .. ": " .. result.error
  end
  if result.error and result.error:find("there is no host ", 1, true) then
    result.error = result.error .. "; `moonpool ctl hosts` names them"
  end
  result.number = pool.all[each]
  return result
end

local function ask_whole(request, tell)
  local meant = {}
  for _, each in ipairs(pool.open()) do
    if request.pool == nil or request.pool == pool.all[each] then meant[#meant + 1] = each end
  end
  if #meant == 0 then return nil, "there is no pool" end
  local called, result = pcall(verbs[request.verb].whole, meant)
  return tell(called and result or failure(result))
end

-- Does what a request wants and calls tell(result) for each pool that is meant, each in a turn of the loop of its own:
-- traffic goes on in between. true, or nil and a message.
local function ask(request, tell)
  local wrong = mistake(request)
  if wrong then return nil, wrong end
  if verbs[request.verb].whole then return ask_whole(request, tell) end
  local asked = 0
  for _, each in ipairs(pool.open()) do
    local number = pool.all[each]
    if request.pool == nil or request.pool == number then
      if asked > 0 then core.sleep(0) end
      if pool.is_open(each) then
        asked = asked + 1
        local ok, why = tell(ask_one(each, request))
        if not ok then return nil, why end
      end
    end
  end
  if asked > 0 then return true end
  return nil, request.pool and ("there is no pool %s"):format(json.encode(request.pool)) or "there is no pool"
end

local function too_long(request)
  return ("the answer has more than %d bytes%s"):format(core.controlAnswerMax, request.pool == nil
    and ": ask for one pool at a time (moonpool ctl --pool N " .. request.verb .. ")" or "")
end

-- The answer to a line, as a line. `is_wanted` says after each pool whether anybody still waits for it.
function control.answer(line, is_wanted)
  local request, why = json.decode(line)
  if request == nil then return json.encode { ok = false, error = "this is no line of JSON: " .. tostring(why) } end
  if type(request) == "table" and cluster_control.verbs[request.verb] then
    return json.encode(cluster_control.answer(request))
  end
  local parts, length, all_ok = {}, 64, true
  local ok
  ok, why = ask(request, function(result)
    parts[#parts + 1] = json.encode(result)
    length = length + #parts[#parts] + 1
    all_ok = all_ok and result.ok
    if length > core.controlAnswerMax then return nil, too_long(request) end
    return not is_wanted or is_wanted(), "nobody waits for it any more"
  end)
  if not ok then return json.encode { ok = false, error = why } end
  return ('{"ok":%s,"pools":[%s]}'):format(tostring(all_ok), table.concat(parts, ","))
end

-- Answer at `path` until the process ends: the server, or nil and a message.
function control.listen(path)
  local server, why
  server, why = core.listenControl(path, function(client, line)
    local ok, answer = pcall(control.answer, line, function() return core.waitsControl(server, client) end)
    if not ok then answer = json.encode { ok = false, error = tostring(answer) } end
    core.replyControl(server, client, answer)
  end)
  if not server then return nil, "the control socket " .. path .. " cannot be made: " .. why end
  return server
end

-- SIGHUP: everything again from its files. What is refused says so in the log and by events, too.
function control.on_hangup()
  ask({ verb = "reload" }, function(result)
    say.error(("moonpool: SIGHUP: pool %d: %s"):format(result.number, result.ok and "reloaded" or result.error))
    return true
  end)
end

return control
