-- SPDX-License-Identifier: Apache-2.0
-- moonpool in nginx and OpenResty. Each worker has pools of its own, made once in init_worker_by_lua*:
--
--   local moonpool = require "resty.moonpool"
--   moonpool.init_worker { contactPoints = { "10.0.0.1" }, localDataCenter = "datacenter1" }   -- or the path of a file
--   moonpool.init_worker { users = "users.lua", events = { contactPoints = ... } }             -- several, by name
--
-- and used wherever nginx can wait (rewrite, access and content phases, timers, light threads, subrequests):
--
--   local pool = assert(moonpool.pool())         or  moonpool.pool "users"
--   local result, err = pool:execute("SELECT name FROM app.users WHERE id = ?", { id })
--
-- Everything else of `require "moonpool"` is here, too: null, uuid, sleep, spawn, all, ...
local moonpool = require "moonpool"
local async = require "moonpool.async"
local core = require "moonpool.core_loader"
local exporter = require "moonpool.exporter"
local listeners = require "moonpool.listeners"
local page = require "moonpool.page"
local reload = require "moonpool.reload"
local schema = require "moonpool.config.schema"
local workers = require "resty.moonpool.workers"

if not core.counts then error("resty.moonpool works inside of nginx: outside of it, require \"moonpool\"", 2) end

local RETRY_MS = 1000 -- between attempts at a cluster that cannot be reached yet
local WARM_MS = 5     -- between looks at what a pool learns from other workers

local resty = setmetatable({}, { __index = moonpool })

local pools = {} -- name = { name =, pool =, connected =, warming = }
local default = "default"

local is_key = {} -- of a configuration
for _, key in ipairs(schema.keys) do is_key[key[1]] = true end

-- A table is one configuration when any of its keys is one of a configuration's.
local function by_name(given)
  local named = type(given) == "table" and next(given) ~= nil
  for key in pairs(named and given or {}) do named = named and type(key) == "string" and not is_key[key] end
  return named and given or { [default] = given }
end

-- Every configuration of this worker, at the start and at a reload.
local complete = reload.complete
function reload.complete(checked)
  complete(checked)
  workers.divide(checked)
end

-- Connected, it learns what other workers know, for a bounded time, before it is anybody's. In a coroutine of its own:
-- a request's may end at any moment.
local function warm(entry)
  core.serve()
  local ok, why = pcall(workers.warm, entry.name, entry.pool)
  if not ok then core.log("warn", "what other workers know was not learned: " .. core.errorText(why), entry.pool) end
  entry.connected = true
end

-- True when it is somebody's; nil and an error without memory to wait with.
local function make_ready(entry)
  if not entry.warming then
    local ok, err = async.try(core.start, warm, entry)
    if not ok then return nil, err end
    entry.warming = true
  end
  while not entry.connected do
    local ok, err = async.try(core.sleep, WARM_MS)
    if not ok then return nil, err end
  end
  return true
end

-- Until it is connected, or closed. Whoever asks for the pool meanwhile waits for the same attempt.
local function connect(entry)
  core.serve()
  while not entry.connected do
    local ok, err = entry.pool:connect()
    if not ok and err.code == "CLOSED" then return end
    if not ok or not make_ready(entry) then core.sleep(RETRY_MS) end
  end
end

-- An address can be listened at by one worker only, and nginx listens already.
function exporter.begin(_, place)
  core.log("warn", ("metrics.listen: nothing listens at %s for this worker: serve moonpool.metrics() at a location " ..
    "of nginx's"):format(listeners.name(place)))
  return true
end

function page.begin(_, place)
  core.log("warn", ("http.listen: nothing listens at %s for this worker: the status page is moonpool serve's"):format(
    listeners.name(place)))
  return true
end

local function check_options(options)
  if type(options) ~= "table" then
    error("bad argument #2 to 'init_worker' (options: a table expected, got " .. type(options) .. ")", 3)
  end
  for key in pairs(options) do
    if key ~= "shared" then
      error("init_worker: unknown option '" .. tostring(key) .. "'; there is: shared", 3)
    end
  end
  local name = options.shared
  if name ~= nil and type(name) ~= "string" then
    error("init_worker: option 'shared': the name of a shared dictionary expected, got " .. type(name), 3)
  end
  if name and not ngx.shared[name] then
    error(("init_worker: there is no shared dictionary '%s': nginx.conf wants lua_shared_dict %s 1m;"):format(name,
      name), 3)
  end
end

-- None of those that were made is there, for the reason `err`.
local function give_up(made, err)
  for name, entry in pairs(made) do
    pools[name] = nil
    core.discard(entry.pool)
  end
  return nil, err
end

-- Makes the pools of this worker and begins to connect them; returns at once: true, or nil and an error when this
-- machine has nothing left. Raises what is wrong with a configuration. options.shared: the name of a dictionary
-- (lua_shared_dict) through which the workers tell each other what they count and know.
function resty.init_worker(configuration, options)
  if options ~= nil then check_options(options) end
  local phase = ngx.get_phase()
  if phase == "init" then
    error("init_worker: a pool belongs to one worker: call it in init_worker_by_lua*, not in init_by_lua*", 2)
  end
  if configuration == nil then
    error("init_worker: a configuration expected: a table, the path of a Lua file, or a table of these by name", 2)
  end
  local given = by_name(configuration)
  for name in pairs(given) do
    if pools[name] then error("init_worker: there is a pool '" .. name .. "' already in this worker", 2) end
  end
  local made = {}
  for name, one in pairs(given) do
    local pool, err = moonpool.ConnectionPool(one)
    if not pool then return give_up(made, err) end
    made[name] = { name = name, pool = pool, connected = false }
  end
  for name, entry in pairs(made) do
    pools[name] = entry
    local ok, err = async.try(core.start, connect, entry)
    if not ok then return give_up(made, err) end
  end
  local own = {}
  for name, entry in pairs(made) do own[name] = entry.pool end
  local ok, err = async.try(workers.begin, own, options and options.shared)
  if not ok then return give_up(made, err) end
  return true
end

local function unknown(name)
  local names = {}
  for known in pairs(pools) do names[#names + 1] = known end
  table.sort(names)
  if #names == 0 then
    error("there is no pool in this worker: make it in init_worker_by_lua* with moonpool.init_worker(configuration)", 3)
  end
  error("there is no pool '" .. tostring(name) .. "': there are " .. table.concat(names, ", "), 3)
end

-- The one that is there, when there is only one.
local function only()
  local name, entry = next(pools)
  return name and next(pools, name) == nil and entry or nil
end

-- pool(name): the connected pool; nil and an error when the cluster cannot be reached. The only one needs no name.
function resty.pool(name)
  local entry = pools[name or default] or name == nil and only()
  if not entry then unknown(name or default) end
  if entry.connected then return entry.pool end
  local ok, err = entry.pool:connect()
  if ok then ok, err = make_ready(entry) end
  if not ok then return nil, err end
  return entry.pool
end

-- metrics(): what pools have counted, as OpenMetrics text, and its type (docs/metrics.md): those of this worker,
-- or, with a shared dictionary, of all of them, with the label `worker`.
function resty.metrics(...)
  if ... ~= nil then async.no_arguments("metrics", ...) end
  local text, kind = workers.metrics()
  return text, kind
end

-- What this worker does just now, in numbers (docs/nginx.md).
function resty.counts(...)
  if ... ~= nil then async.no_arguments("counts", ...) end
  return core.counts()
end

return resty
