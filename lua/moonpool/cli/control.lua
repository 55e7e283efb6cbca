-- SPDX-License-Identifier: Apache-2.0
-- What a process answers at its control socket, one line of JSON each way, for all its pools:
--
--   {"verb":"rollback","argument":"balance"}  ->  {"ok":true,"pools":[{"number":1,"ok":true,"generation":3}]}
--                                             ->  {"ok":false,"error":"..."}
local core = require "moonpool.core_loader"
local json = require "moonpool.cli.json"
local pool = require "moonpool.pool"

local control = {}

-- Those that are not closed, in the order of their making.
local function pools()
  local list = {}
  for each in pairs(pool.all) do
    if core.identity(each) ~= false then list[#list + 1] = each end
  end
  table.sort(list, function(a, b) return pool.all[a] < pool.all[b] end)
  return list
end

local function failure(err)
  return { ok = false, error = tostring(err and err.message or err) }
end

local verbs = {}
control.verbs = verbs -- name = { what it does, function(pool, argument), argument = its name }

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

verbs.policies = { "The policies in force.", function(each) return { ok = true, policies = each:policies() } end }

verbs.stats = { "Counters and latencies.", function(each)
  local all = each:getStats()
  for name, value in pairs(each:getMetrics()) do all[name] = value end
  return { ok = true, stats = all }
end }

verbs.hosts = { "The hosts of the cluster as the pool sees them.", function(each)
  return { ok = true, hosts = json.list(each:getHosts()) }
end }

verbs.health = { "Whether the pool can serve: healthy, degraded (a host that it uses is down) or unhealthy.",
  function(each)
    local up, down = 0, json.list {}
    for _, host in ipairs(each:getHosts()) do
      if host.status == "up" then up = up + 1
      elseif host.distance ~= "ignored" then down[#down + 1] = host.address end
    end
    local overall = up == 0 and "unhealthy" or #down > 0 and "degraded" or "healthy"
    return { ok = overall ~= "unhealthy", overall = overall, hostsUp = up, hostsDown = down }
  end }

local function names()
  local list = {}
  for name in pairs(verbs) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, ", ")
end

-- The answer to a request that was read from a line.
function control.answer(request)
  local verb = type(request) == "table" and verbs[request.verb]
  if not verb then return { ok = false, error = "unknown verb, one of these expected: " .. names() } end
  if verb.argument and type(request.argument) ~= "string" then
    return { ok = false, error = request.verb .. " wants an argument: " .. verb.argument }
  end
  local answer = { ok = true, pools = json.list {} }
  for i, each in ipairs(pools()) do
    local result = verb[2](each, request.argument)
    result.number = pool.all[each]
    answer.ok = answer.ok and result.ok
    answer.pools[i] = result
  end
  if #answer.pools == 0 then return { ok = false, error = "there is no pool" } end
  return answer
end

local function answer_line(line)
  local request, why = json.decode(line)
  if request == nil then return { ok = false, error = "this is no line of JSON: " .. tostring(why) } end
  return control.answer(request)
end

-- Answer at `path` until the process ends: the server, or nil and a message.
function control.listen(path)
  local server, why
  server, why = core.listenControl(path, function(client, line)
    local ok, answer = pcall(answer_line, line)
    if not ok then answer = { ok = false, error = tostring(answer) } end
    core.replyControl(server, client, json.encode(answer))
  end)
  if not server then return nil, "the control socket " .. path .. " cannot be made: " .. why end
  return server
end

-- SIGHUP: everything again from its files. What is refused says so in the log and by events, too.
function control.on_hangup()
  local answer = control.answer { verb = "reload" }
  for _, result in ipairs(answer.pools or {}) do
    io.stderr:write(("moonpool: SIGHUP: pool %d: %s\n"):format(result.number, result.ok and "reloaded" or result.error))
  end
end

return control
