-- SPDX-License-Identifier: Apache-2.0
-- An nginx whose workers have a pool on a simulated cluster in this process, where faults are made and connections
-- counted.
--
--   local world = nginx_world.start{ nodes = 2, locations = { ... }, ... }   -- the rest: spec/nginx/support/nginx.lua
--   world.server   world.cluster   world:close()
-- ks.users has the ids 0 to 99 with the names "name 0" to "name 99"; locations find `moonpool`, `pool` and `id` (of the
-- query) as locals.
local effort = require "spec.support.effort"
local moonpool = require "moonpool"
local nginx = require "spec.nginx.support.nginx"
local ports = require "spec.support.ports"
local sim = require "moonpool.sim"

local CLUSTER_PORT = 27

local nginx_world = {}

local World = {}
World.__index = World

local HEAD = [[
local moonpool = require "resty.moonpool"
local pool, why = moonpool.pool()
if not pool then ngx.status = 503 ngx.print(tostring(why)) return end
local id = tonumber(ngx.var.arg_id)
]]

-- Says the name of the id that was asked for.
nginx_world.GET = [[
local result, err = pool:execute("SELECT id, name FROM ks.users WHERE id = ?", { id })
if not result then ngx.status = 500 ngx.print(tostring(err)) return end
ngx.print(result:first().id, " ", result:first().name)
]]

local function fill(cluster)
  local given = { contactPoints = { "127.0.0.1" }, port = cluster.port, localDataCenter = "datacenter1",
    logging = { level = "off" } }
  local pool = effort.tries(moonpool.ConnectionPool, given)
  assert(pool:connect())
  for id = 0, 99 do
    assert(pool:execute("INSERT INTO ks.users (id, name) VALUES (?, ?)", { id, "name " .. id }))
  end
  pool:close()
end

local clusters = {} -- that are open

-- options.simulated: what sim.cluster is given beside it, for a spec that fills its cluster itself.
function nginx_world.cluster(options)
  local given = { nodes = options.nodes or 2, port = ports.at(CLUSTER_PORT), rf = options.rf or 1 }
  for key, value in pairs(options.simulated or {}) do given[key] = value end
  local cluster = sim.cluster(given)
  cluster.port = ports.at(CLUSTER_PORT)
  cluster:schema "CREATE TABLE ks.users (id int PRIMARY KEY, name text)"
  clusters[cluster] = true
  if not options.simulated then fill(cluster) end
  return cluster
end

function nginx_world.start(options)
  local self = setmetatable({}, World)
  self.cluster = nginx_world.cluster(options)
  local given, locations = {}, {}
  for key, value in pairs(options) do given[key] = value end
  for path, lua in pairs(options.locations or {}) do
    locations[path] = lua:find "^%-%-bare" and lua or HEAD .. lua
  end
  locations["/get"] = locations["/get"] or HEAD .. nginx_world.GET
  locations["/ping"] = "ngx.print 'pong'"
  locations["/counts"] = "local c = require('resty.moonpool').counts() ngx.print(c[ngx.var.arg_of])"
  given.locations = locations
  given.worker = options.worker or ("require('resty.moonpool').init_worker(%s)"):format(
    nginx.config(self.cluster, options.config))
  self.server = nginx.start(given)
  if not options.unconnected then self.server:body "/get?id=1" end
  return self
end

local function connections(cluster)
  local sum = 0
  for _, node in ipairs(cluster:nodes()) do sum = sum + node.connections end
  return sum
end

-- A count of the worker that answers.
function World:count(of) return tonumber(self.server:body("/counts?of=" .. of)) end

-- Connections to all nodes.
function World:connections() return connections(self.cluster) end

-- Nothing is left in the worker of what was on its way.
function World:rests()
  nginx.eventually("nothing waits in the worker", function()
    return self:count "waiting" == 0 and self:count "requests" == 0
  end)
  assert(self:count "answered" == 0, "an answer that nobody came for is kept")
end

function World:close(signal)
  self.server:stop(signal)
  nginx_world.close(self.cluster)
end

-- With nobody connected to it any more.
function nginx_world.close(cluster)
  nginx.eventually("the nodes have no connection any more", function() return connections(cluster) == 0 end)
  clusters[cluster] = nil
  cluster:close()
end

-- Runs fn in a coroutine of moonpool; whatever it leaves behind when it fails is ended.
function nginx_world.run(fn)
  local ok, why = xpcall(moonpool.run, debug.traceback, fn)
  if ok then return end
  nginx.kill_all()
  for cluster in pairs(clusters) do cluster:close() end
  clusters = {}
  error(why, 0)
end

function nginx_world.with(options, fn)
  nginx_world.run(function()
    local world = nginx_world.start(options)
    fn(world)
    world:close()
  end)
end

return nginx_world
