-- SPDX-License-Identifier: Apache-2.0
-- moonpool explain: which hosts a request would try, in which order, and which step of the policy put each there. On
-- the cluster of a configuration, or on a simulated one (--embedded).
local config = require "moonpool.config"
local core = require "moonpool.core_loader"
local json = require "moonpool.cli.json"
local paths = require "moonpool.paths"
local pools = require "moonpool.pool"
local say = require "moonpool.cli.say"
local schema = require "moonpool.schema"
local whole = require "moonpool.cli.whole"

local print = say.print

local explain = {}

function explain.define(parser)
  local command = parser:command("explain", "Print the plan for a request: each host in order, the step of the " ..
    "policy that gave it, and what is known of the host.")
  command:option("--config", "The configuration of the pool. Without it: 127.0.0.1."):argname "FILE"
  command:option("--embedded", "On a simulated cluster of N nodes."):argname "N"
    :convert(whole(1, 100, "number of nodes"))
  command:option("--dcs", "The simulated cluster has N datacentres: datacenter1, ..."):argname "N":default "1"
    :convert(whole(1, 16, "number of datacentres"))
  command:option("--keyspace", "Of the request; the configuration's without it."):argname "KEYSPACE"
  command:option("--table", "The table whose partition key --key is."):argname "TABLE"
  command:option("--key", "The partition key's value, once for each of its columns. Without --table: a text.")
    :argname "VALUE":count "*"
  command:option("--token", "The token itself (a negative one: --token=-5)."):argname "N"
  command:option("--consistency", "LOCAL_ONE without it."):argname "LEVEL"
  command:option("--tag", "The tag of the request."):argname "TAG"
  command:option("--policy", "Another load-balancing policy: a name or a path, without options."):argname "POLICY"
  command:flag("--write", "It is no read.")
  command:flag("--lwt", "It is a lightweight transaction.")
  command:flag("--json", "Print JSON.")
end

-- ---- the pool ---------------------------------------------------------------------------------------------

local REPLICATION = "CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'NetworkTopologyStrategy', %s}"

local function embed(options, given)
  local cluster = require("moonpool.cli.embedded").start(options.embedded, options.dcs)
  local parts = {}
  for i = 1, options.dcs do parts[i] = ("'datacenter%d': 3"):format(i) end
  local keyspace = options.keyspace or given.keyspace or "ks"
  cluster:schema(REPLICATION:format(keyspace, table.concat(parts, ", ")))
  given.contactPoints, given.port, given.localDataCenter = cluster.contactPoints, cluster.port, "datacenter1"
  options.keyspace = keyspace
  return cluster
end

-- This pool only plans: it listens nowhere, where the process that serves may do so, and does nothing by itself.
local NOT_ASKED_FOR = { "http", "metrics", "handlers", "playbooks", "decisionLog" }

-- A source of config.read, whose `given` may be changed still. --policy is as seen from the working folder.
local function read_config(options)
  local source, why = config.read(options.config or { contactPoints = { "127.0.0.1" } }, nil, core.readFile)
  if not source then return nil, why end
  local policy = options.policy
  if policy and paths.is_path(policy) then policy = paths.absolute(policy) end
  if policy then source.given.loadBalancing = { policy = policy } end
  for _, key in ipairs(NOT_ASKED_FOR) do source.given[key] = nil end
  return source
end

-- ---- the key ----------------------------------------------------------------------------------------------

local function encode_key(type_name, text)
  local numbers = { int = true, smallint = true, tinyint = true, float = true, double = true }
  local value = text
  if numbers[type_name] then value = tonumber(text)
  elseif type_name == "boolean" then value = text == "true" end
  if value == nil then return nil, ("'%s' is no %s"):format(text, type_name) end
  local ok, bytes = pcall(core.encode, type_name, value)
  if not ok or not bytes then return nil, ("'%s' is no %s: %s"):format(text, type_name, tostring(bytes)) end
  return bytes
end

local function routing_key(pool, options)
  if #options.key == 0 then return nil end
  if not options.table then return schema.compose(options.key) end
  local keyspace, err = pool:schema(options.keyspace)
  if not keyspace then return nil, tostring(err) end
  local of = keyspace.tables[options.table] or keyspace.views[options.table]
  if not of then return nil, ("there is no table %s.%s"):format(options.keyspace, options.table) end
  if #of.partitionKey ~= #options.key then
    return nil, ("the partition key of %s.%s has %d columns: --key is wanted %d times"):format(options.keyspace,
      options.table, #of.partitionKey, #of.partitionKey)
  end
  local values = {}
  for i, name in ipairs(of.partitionKey) do
    local why
    values[i], why = encode_key(of.columns[name].type, options.key[i])
    if not values[i] then return nil, ("--key (%s): %s"):format(name, why) end
  end
  return schema.compose(values)
end

-- ---- the answer -------------------------------------------------------------------------------------------

local function notes(host)
  local list = {}
  if host.isReplica then list[#list + 1] = "replica" end
  if not host.isLocal then list[#list + 1] = "remote" end
  if host.inFlight > 0 then list[#list + 1] = ("%d in flight"):format(host.inFlight) end
  if host.latencyMs > 0 then list[#list + 1] = ("%.2f ms"):format(host.latencyMs) end
  if host.weight ~= 1 then list[#list + 1] = ("weight %g"):format(host.weight) end
  return #list > 0 and " (" .. table.concat(list, ", ") .. ")" or ""
end

local function print_plan(found, policy)
  print(("%s (%s)"):format(policy.name, policy.file))
  for i, step in ipairs(found.steps) do print(("  step %d: %s"):format(i, step)) end
  if found.fallback then print("  the policy did not answer: this is the default plan") end
  if policy.lastError ~= "" then print("  its last error: " .. policy.lastError) end
  if found.refused then print "  the policy refuses the request: no host is asked" end
  if not found.hasReplicas then print "  replicas are not known: no key or token, or no such keyspace" end
  for i, host in ipairs(found.hosts) do
    print(("%3d  %-22s %s/%s%s  step %d: %s"):format(i, host.host, host.datacenter, host.rack, notes(host), host.step,
      host.why))
  end
  if #found.hosts == 0 then print "  no host" end
end

-- Until every host in use has been tried, at most two seconds.
local function settle(moonpool, pool)
  for _ = 1, 20 do
    moonpool.sleep(100)
    local waiting = false
    for _, host in ipairs(pool:getHosts()) do
      waiting = waiting or host.status == "new" and host.distance ~= "ignored"
    end
    if not waiting then return end
  end
end

local function ask(source, options)
  local moonpool = require "moonpool"
  local given = source.given
  local pool, err = pools.connected(source)
  if not pool then return nil, tostring(err) end
  options.keyspace = options.keyspace or given.keyspace
  local key, why = routing_key(pool, options)
  local found
  if not why then
    local request = {
      keyspace = options.keyspace, routingKey = key, token = options.token, consistency = options.consistency,
      tag = options.tag, isRead = not options.write and not options.lwt, isLwt = options.lwt or false,
      idempotent = not options.write and not options.lwt,
    }
    pool:explain(request) -- the replicas of a keyspace are looked up when somebody asks for them
    settle(moonpool, pool)
    found, why = pool:explain(request)
  end
  local policy = pool:policies().balance
  pool:close()
  return found, found and policy or tostring(why)
end

local function fail(message)
  local text = tostring(message):gsub("\nstack traceback:.*", ""):gsub("^[^\n]-explain%.lua:%d+: ", "")
  core.finish()
  return say.failed(text)
end

function explain.run(options)
  if options.token and not options.token:match "^%-?%d+$" then
    say.failed("--token: '" .. options.token .. "' is no token: a whole number")
    return 2
  end
  local source, why = read_config(options)
  if not source then return fail(why) end
  if options.embedded then
    local ok, cluster = pcall(embed, options, source.given)
    if not ok then return fail(cluster) end
  end
  if options.table and not (options.keyspace or source.given.keyspace) then
    return fail "--table wants a --keyspace"
  end
  local ok, found, policy = pcall(core.run, ask, source, options)
  if not ok then return fail(found) end
  if not found then return fail(policy) end
  if options.json then
    _G.print(json.encode { policy = policy.name, file = policy.file, steps = json.list(found.steps),
      hosts = json.list(found.hosts), fallback = found.fallback, refused = found.refused })
  else
    print_plan(found, policy)
  end
  core.finish()
  return 0
end

return explain
