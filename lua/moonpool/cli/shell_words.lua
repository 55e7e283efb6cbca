-- SPDX-License-Identifier: Apache-2.0
-- What the lines of `moonpool shell` can say beside Lua itself, and how names are completed.
local columns = require "moonpool.cli.columns"
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local show = require "moonpool.cli.shell_show"

local words = {}

local HELP = {
  { "SELECT ...", "and other CQL: executed, the rows as a table" },
  { "pool:execute(cql, params, options)", "the same from Lua; all methods of the pool (docs/lua-api.md)" },
  { "explain { key = \"alice\" }", "the plan for a request: key, token, table, consistency, tag, isRead, isLwt" },
  { "use(\"LeastLoadedPolicy\", options)", "another balance policy, by name or path" },
  { "reload()", "configuration and policies again from their files" },
  { "hosts()", "the hosts as the pool sees them" },
  { "policies()", "the policies in force" },
  { "kill(2), start(2), nodes()", "of a simulated cluster: a node ends, is back; what there is" },
  { "cluster", "the simulated cluster: pause, resume, rule, ... (docs/simulated-cluster.md)" },
  { "sleep(ms)", "wait" },
  { "quit()", "or Ctrl-D" },
}

local function of_cluster(state, what)
  if state.cluster then return state.cluster end
  error(what .. " is for a simulated cluster: moonpool shell --embedded 3", 0)
end

-- A key alone is text; with a table it is as its column is, by the pool's schema.
local function request_of(state, given)
  local request = {}
  for name, value in pairs(given or {}) do request[name] = value end
  local key, of = request.key, request.table
  request.key, request.table = nil, nil
  request.isRead = request.isRead == nil and not request.isLwt or request.isRead
  if key == nil then return request end
  local bytes = type(key) == "string" and key or nil
  if of then
    local keyspace = assert(state.pool:schema(request.keyspace or state.keyspace))
    local known = keyspace.tables[of] or error("there is no table " .. of, 0)
    bytes = core.encode(known.columns[known.partitionKey[1]].type, key)
  end
  request.routingKey = bytes or core.encode("int", key)
  return request
end

-- The globals of a line.
function words.environment(state)
  local own = { pool = state.pool, moonpool = moonpool, cluster = state.cluster, sleep = moonpool.sleep }
  function own.help()
    return columns.lines(HELP)
  end
  function own.explain(request)
    local asked = request_of(state, request)
    state.pool:explain(asked) -- the replicas of a keyspace are looked up when somebody asks for them
    moonpool.sleep(50)
    local found, err = state.pool:explain(asked)
    if not found then return nil, err end
    return show.plan(found)
  end
  function own.use(policy, options)
    local ok, err = state.pool:usePolicy("balance", policy, options)
    if ok then return show.policies(state.pool:policies()) end
    return nil, err
  end
  function own.reload()
    local ok, err = state.pool:reload()
    if ok then return "reloaded" end
    return nil, err
  end
  function own.hosts() return show.hosts(state.pool:getHosts()) end
  function own.policies() return show.policies(state.pool:policies()) end
  function own.kill(node) of_cluster(state, "kill"):kill(node) end
  function own.start(node) of_cluster(state, "start"):start(node) end
  function own.nodes() return show.nodes(of_cluster(state, "nodes"):nodes()) end
  function own.quit() state.over = true end
  own.exit = own.quit
  state.own = own
  return setmetatable({}, { __index = function(_, name)
    local value = own[name]
    if value ~= nil then return value end
    return _G[name]
  end, __newindex = own })
end

-- ---- completion -------------------------------------------------------------------------------------------

local KEYWORDS = { "SELECT", "INSERT INTO", "UPDATE", "DELETE FROM", "FROM", "WHERE", "VALUES", "LIMIT", "CREATE TABLE",
  "DROP TABLE", "TRUNCATE" }

local function names_in(value)
  local list = {}
  local function add(from)
    if type(from) ~= "table" then return end
    for name in pairs(from) do
      if type(name) == "string" and name:find "^%a[%w_]*$" then list[#list + 1] = name end
    end
  end
  add(value)
  local meta = getmetatable(value)
  if type(meta) == "table" then add(rawget(meta, "__index")) end
  return list
end

-- The candidates for what stands at from .. to of the line.
function words.complete(state, line, from, to)
  local word, before = line:sub(from, to), line:sub(1, from - 1)
  local found, prefix = {}, ""
  local list
  local path, last = word:match "^([%w_%.]+[%.:])([%w_]*)$"
  if not path then path, last = before:match "([%w_%.]+[%.:])$", word end
  if path then
    local value = state.environment
    for name in path:gmatch "[%w_]+" do value = type(value) == "table" and value[name] or value and value[name] end
    list = value == state.pool and names_in(core.poolMethods) or names_in(value)
    prefix = word:sub(1, #word - #last)
    word = last
  elseif before:find "^%s*%u%u%u+" then
    list = KEYWORDS
  else
    list = names_in(state.own)
    for _, name in ipairs(names_in(_G)) do list[#list + 1] = name end
    for _, name in ipairs(KEYWORDS) do list[#list + 1] = name end
  end
  local seen = {}
  for _, name in ipairs(list) do
    if name:sub(1, #word) == word and not seen[name] then
      seen[name] = true
      found[#found + 1] = prefix .. name
    end
  end
  table.sort(found)
  return found
end

return words
