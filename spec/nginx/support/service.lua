-- SPDX-License-Identifier: Apache-2.0
-- The service of examples/nginx as a user starts it, on a cluster that the spec has.
--
--   local service = example.start("127.0.0.1:9042")   service:get "/users/1"   service:stop()
--   service:drive(width, function(count) ... return true end)   GETs at a time, until it returns true
local ffi = require "ffi"
local http = require "spec.nginx.support.http"
local moonpool = require "moonpool"
local nginx = require "spec.nginx.support.nginx"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
require "spec.support.sim_process" -- declares kill()

local PORT = 29
local USERS = 50

local example = {}

local Service = {}
Service.__index = Service

-- `hosts`: as CASSANDRA_HOSTS has them; nil: the simulated cluster that the command brings.
function example.start(hosts)
  local self = setmetatable({ folder = policies.folder(), port = ports.at(PORT) }, Service)
  local environment = hosts and ("CASSANDRA_HOSTS='%s'"):format(hosts) or ""
  local command = ([[echo $$ > %s/command.pid; exec "%s/examples/nginx/run" --port %d --folder %s]]):format(self.folder,
    MOONPOOL_ROOT, self.port, self.folder)
  os.execute(("( cd / && exec env MOONPOOL_BUILD='%s' %s sh -c '%s' > %s/said 2>&1 < /dev/null ) &"):format(
    MOONPOOL_BUILD_DIR, environment, command, self.folder))
  nginx.running[self] = true
  nginx.eventually("the service starts", function()
    return nginx.read(self.folder .. "/said"):find "Ctrl%-C ends" or self:is_over() and error(self:said(), 0)
  end)
  return self
end

function Service:get(path, options) return http.request(self.port, path, options) end

function Service:log() return nginx.read(self.folder .. "/error.log") end

function Service:fill()
  for id = 1, USERS do
    local status, body = self:get("/users/" .. id, { method = "PUT", body = ('{"name":"name %d"}'):format(id) })
    assert(status == 200, tostring(status) .. " " .. body .. self:log())
  end
end

-- How many GETs there were, and what was wrong with any.
function Service:drive(width, done)
  local count, failed, over = 0, {}, false
  local function work()
    while not over do
      count = count + 1
      local id = count % USERS + 1
      local status, body = self:get("/users/" .. id)
      if status ~= 200 or not body:find('"name":"name ' .. id .. '"', 1, true) then
        failed[#failed + 1] = id .. ": " .. tostring(status) .. " " .. body
      end
      over = over or done(count) == true
    end
  end
  local futures = {}
  for i = 1, width do futures[i] = moonpool.spawn(work) end
  assert(moonpool.all(futures))
  return count, table.concat(failed, "\n")
end

function Service:edit_policy()
  policies.write(self.folder .. "/policies/near_first.lua", [[return balance { name = "NearFirst",
    plan = function(plan) plan:hosts(localDc, inTurn) end }]])
end

function Service:pid() return tonumber(nginx.read(self.folder .. "/command.pid")) end

function Service:said() return nginx.read(self.folder .. "/said") .. self:log() end

function Service:is_over() return self:pid() ~= nil and not nginx.is_there(self:pid()) end

-- It ends what it has started.
function Service:kill()
  if self:pid() then ffi.C.kill(self:pid(), 15) end
end

function Service:stop()
  ffi.C.kill(self:pid(), 15)
  nginx.eventually("the end of the service", function() return self:is_over() end)
  nginx.running[self] = nil
  policies.remove(self.folder)
end

return example
