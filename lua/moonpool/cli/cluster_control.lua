-- SPDX-License-Identifier: Apache-2.0
-- What happens to a simulated cluster, told from outside: the verbs of `moonpool ctl` for a process that has one
-- (moonpool sim --control, moonpool run --embedded --control). They are those of moonpool.embedded.
--
--   {"verb":"node","argument":"2 kill"}  ->  {"ok":true,"nodes":[{"number":2,"address":"127.0.0.2","state":"dead"}]}
local json = require "moonpool.cli.json"

local cluster_control = {} -- cluster: the one of this process, or nil

local ACTIONS = { kill = true, start = true, pause = true, resume = true, drain = true }

local function state_of(node)
  if not node.member then return "removed" end
  if node.paused then return "paused" end
  return node.serving and "up" or "dead"
end

local function shown(cluster, number)
  local node = cluster:node(number)
  return { number = number, address = node.address, datacenter = node.dc, rack = node.rack, state = state_of(node),
    connections = node.connections, requests = node.requests }
end

local function usage(verb) return { ok = false, error = verb .. " wants " .. cluster_control.verbs[verb].argument } end

-- name = { what it does, function(cluster, argument) that gives the answer, argument = what it wants, words = how many
-- words of a command line that may be, 1 }
local verbs = {}
cluster_control.verbs = verbs

verbs.nodes = { "The nodes of the simulated cluster.", function(cluster)
  local list = json.list {}
  for number in ipairs(cluster:nodes()) do list[number] = shown(cluster, number) end
  return { ok = true, nodes = list }
end }

verbs.node = { "Something happens to a node of the simulated cluster.", function(cluster, argument)
  local number, action = argument:match "^(%d+) (%a+)$"
  number = tonumber(number)
  if not number or not ACTIONS[action] then return usage "node" end
  if number < 1 or number > #cluster:nodes() then
    return { ok = false, error = ("there is no node %d: they are 1 to %d"):format(number, #cluster:nodes()) }
  end
  cluster[action](cluster, number)
  return { ok = true, nodes = json.list { shown(cluster, number) } }
end, argument = "N kill|start|pause|resume|drain", words = 2 }

verbs.rule = { "A rule of moonpool.embedded:rule{} from now on, as JSON.", function(cluster, argument)
  local spec, why = json.decode(argument)
  if type(spec) ~= "table" then return { ok = false, error = "rule: " .. (why or "an object expected") } end
  local ok, rule = pcall(cluster.rule, cluster, spec)
  if not ok then return { ok = false, error = (tostring(rule):gsub("^[^ ]-:%d+: ", "")) } end
  return { ok = true, rule = rule.number }
end, argument = '{"node":2,"opcode":"EXECUTE","delay":500}' }

verbs.clearRules = { "No rule of the simulated cluster holds any more.", function(cluster)
  cluster:clearRules()
  return { ok = true }
end }

-- The answer to a request whose verb is one of these.
function cluster_control.answer(request)
  local verb = verbs[request.verb]
  if not cluster_control.cluster then
    return { ok = false, error = request.verb .. " is for a simulated cluster: moonpool sim --control, or moonpool run "
      .. "--embedded N --control" }
  end
  if (verb.argument ~= nil) ~= (type(request.argument) == "string") then
    return verb.argument and usage(request.verb) or { ok = false, error = request.verb .. " takes no argument" }
  end
  local ok, answer = pcall(verb[2], cluster_control.cluster, request.argument)
  return ok and answer or { ok = false, error = tostring(answer) }
end

return cluster_control
