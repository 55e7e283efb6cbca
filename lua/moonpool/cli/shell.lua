-- SPDX-License-Identifier: Apache-2.0
-- moonpool shell: a prompt on a pool. A line is CQL or Lua; results are printed as tables.
--
-- Lines are read on the main thread while the loop turns beside it, so connections live while somebody thinks; each
-- line runs as a coroutine of its own.
local config = require "moonpool.config"
local core = require "moonpool.core_loader"
local embedded = require "moonpool.cli.embedded"
local lines = require "moonpool.cli.shell_lines"
local paths = require "moonpool.paths"
local pools = require "moonpool.pool"
local say = require "moonpool.cli.say"
local words = require "moonpool.cli.shell_words"
local show = require "moonpool.cli.shell_show"

local shell = {}

local NODES = 3

function shell.define(parser)
  local command = parser:command("shell", "A prompt on a pool: CQL, Lua, explain, reload, kill.")
  command:option("--config", "The configuration of the pool. Without it: a simulated cluster."):argname "FILE"
  command:option("--embedded", "On a simulated cluster of N nodes (3 without a --config)."):argname "N"
    :convert(embedded.nodes)
  command:option("--dcs", "Of the simulated cluster: how many datacentres its nodes stand in."):argname "N"
    :convert(embedded.dcs)
  command:option("--policy", "Another load-balancing policy: a name or a path."):argname "POLICY"
  command:option("--keyspace", "The keyspace of its statements."):argname "KEYSPACE"
end

-- ---- the pool ---------------------------------------------------------------------------------------------

local KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', %s}"
local TABLE = "CREATE TABLE ks.users (id int PRIMARY KEY, name text)"

local function embed(options, given)
  local nodes, dcs = options.embedded or NODES, options.dcs or 1
  if dcs > nodes then error(("%d nodes cannot stand in %d datacentres"):format(nodes, dcs), 0) end
  local cluster, parts = embedded.start(nodes, dcs), {}
  for i = 1, dcs do parts[i] = ("'datacenter%d': %d"):format(i, math.min(3, math.floor(nodes / dcs))) end
  cluster:schema(KEYSPACE:format(table.concat(parts, ", ")))
  cluster:schema(TABLE)
  given.contactPoints, given.port = cluster.contactPoints, cluster.port
  given.localDataCenter, given.keyspace = "datacenter1", given.keyspace or options.keyspace or "ks"
  return cluster
end

local function open(options)
  local source, why = config.read(options.config or {}, nil, core.readFile)
  if not source then error(why, 0) end
  local given, cluster = source.given, nil
  if options.keyspace then given.keyspace = options.keyspace end
  if options.policy then
    local policy = paths.is_path(options.policy) and paths.absolute(options.policy) or options.policy
    given.loadBalancing = { policy = policy }
  end
  if options.embedded or not options.config then cluster = embed(options, given) end
  local pool, err = pools.connected(source)
  if not pool then error(tostring(err), 0) end
  return { pool = pool, cluster = cluster, keyspace = given.keyspace }
end

-- ---- a line -----------------------------------------------------------------------------------------------

local CQL = { select = true, insert = true, update = true, delete = true, create = true, drop = true, alter = true,
  truncate = true, begin = true, describe = true, desc = true }

local function is_cql(text)
  local word, rest = text:match "^%s*(%a+)%s*(.?)"
  return word ~= nil and CQL[word:lower()] and rest ~= "(" and rest ~= "=" and rest ~= ""
end

-- The line as a function; nil and true when it goes on, nil and a message when it is none.
local function compile(text, environment)
  local code = loadstring("return " .. text, "=line")
  local why
  if not code then code, why = loadstring(text, "=line") end
  if code then return setfenv(code, environment) end
  if why:find "near '<eof>'$" then return nil, true end
  return nil, (why:gsub("^line:%d+: ", ""))
end

local function print_results(state, ok, ...)
  if not ok then return say.error(core.errorText((...))) end
  local count, first = select("#", ...), ...
  while count > 0 and (select(count, ...)) == nil do count = count - 1 end
  if first == nil and count == 2 then return say.error(tostring((select(2, ...)))) end
  for i = 1, count do
    local text = show.value((select(i, ...)), state.pool)
    if text ~= "" then print(text) end
  end
end

local function execute(state, text)
  if is_cql(text) then
    local cql = text:gsub(";%s*$", "")
    print_results(state, true, state.pool:execute(cql, nil, { prepare = false }))
    return
  end
  local code, why = compile(text, state.environment)
  if not code then return say.error(why == true and "the line does not end" or why) end
  print_results(state, xpcall(code, function(err)
    if type(err) == "table" then return err end
    return (tostring(err):gsub("^line:%d+: ", ""))
  end))
end

-- ---- the prompt -------------------------------------------------------------------------------------------

local function is_whole(state, text)
  if text:match "^%s*$" or is_cql(text) then return true end
  local _, why = compile(text, state.environment)
  return why ~= true
end

-- true: there may be another line.
local function turn(state, reader)
  local text = reader:read "moonpool> "
  while text and not is_whole(state, text) do
    local more = reader:read "       >> "
    if not more then break end
    text = text .. "\n" .. more
  end
  if not text then return false end
  if text:match "%S" then
    local ran, why = pcall(core.run, execute, state, text)
    if not ran then say.error(tostring(why)) end
  end
  return not state.over
end

local function fail(message)
  local text = tostring(message):gsub("\nstack traceback:.*", ""):gsub("^[^\n]-%.lua:%d+: ", "", 1)
  core.finish()
  return say.failed(text)
end

function shell.run(options)
  if options.dcs and options.config and not options.embedded then
    say.failed "--dcs is of the simulated cluster: it wants --embedded N"
    return 2
  end
  local ok, state = pcall(core.run, open, options)
  if not ok then return fail(state) end
  state.environment = words.environment(state)
  local reader = lines.new(function(line, from, to) return words.complete(state, line, from, to) end)
  if reader.greets then
    print(("moonpool %s, %s. A line is CQL or Lua; help() says more, Tab completes, Ctrl-D ends."):format(core.version,
      state.cluster and #state.cluster:nodes() .. " simulated nodes" or "a real cluster"))
  end
  repeat local more = turn(state, reader) until not more
  reader:close()
  pcall(core.run, function() state.pool:close() end)
  core.finish()
  return 0
end

return shell
