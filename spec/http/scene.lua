-- SPDX-License-Identifier: Apache-2.0
-- A process with a simulated cluster and pools, for those who look at it over HTTP: scene.run(text, options, look) runs
-- an application whose text may use
--
--   pool{ listen =, token =, metrics =, policy =, playbooks = }
--                                         -- a pool that is connected and uses a keyspace `app`, with two replicas
--   listen, port, folder, moonpool        -- "127.0.0.1:PORT", ...
--   stopped()                             -- it shall end
--
-- while look(folder, ctl) goes on; ctl "node 3 kill" is moonpool ctl. Gives what the process said.
local ffi = require "ffi"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
require "spec.support.sim_process" -- usleep

local scene = {}

local APP = [[
local moonpool = require "moonpool"
local folder, port = %q, %d
local listen = "127.0.0.1:" .. port
local function stopped()
  local file = io.open(folder .. "/stop")
  if file then file:close() end
  return file ~= nil
end
local function use(self)
  while not stopped() do
    self:execute("SELECT v FROM app.t WHERE k = ?", { math.random(1000000) })
    moonpool.sleep(20)
  end
end
local function pool(given)
  local config = { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
    circuitBreaker = { enabled = true }, loadBalancing = given.policy and { policy = given.policy } }
  if given.listen then config.http = { listen = given.listen, token = given.token } end
  config.playbooks = given.playbooks
  if given.metrics then config.metrics = { listen = given.metrics } end
  local self = moonpool.ConnectionPool(config)
  assert(self:connect())
  assert(self:execute("CREATE KEYSPACE IF NOT EXISTS app WITH replication = " ..
    "{'class':'NetworkTopologyStrategy','datacenter1':2}"))
  assert(self:execute "CREATE TABLE IF NOT EXISTS app.t (k int PRIMARY KEY, v text)")
  repeat
    assert(self:execute("SELECT v FROM app.t WHERE k = ?", { 1 }))
    moonpool.sleep(10)
    local ring = require "moonpool.core_loader".getRing(self, "app", 1)
  until ring and ring.hasReplicas
  moonpool.spawn(use, self)
  return self
end
%s
io.open(folder .. "/ready", "w"):close()
while not stopped() do moonpool.sleep(20) end
for _, each in ipairs(require "moonpool.pool".open()) do each:close() end
]]

-- Begins it: { folder, ctl = function(arguments), stop = function() that gives what it said }.
function scene.start(text, options)
  local folder = options.folder or policies.folder()
  local self = { folder = folder }
  policies.write(folder .. "/app.lua", APP:format(folder, options.port, text))
  os.execute(("rm -f %s/ready %s/stop %s/log"):format(folder, folder, folder))
  local command = "( '%s' run --embedded %d --control %s/ctl.sock %s/app.lua > %s/log 2>&1 < /dev/null; "
    .. "echo \"status $?\" >> %s/log ) &"
  os.execute(command:format(program.moonpool, options.nodes or 4, folder, folder, folder, folder))
  local function wait(what)
    for _ = 1, 1200 do
      if what() then return end
      ffi.C.usleep(25000)
    end
  end
  local function ended() return policies.read(folder .. "/log"):find "status %d" end
  wait(function() return io.open(folder .. "/ready") or ended() end)
  assert(not ended(), policies.read(folder .. "/log"))
  function self.ctl(arguments)
    return (program.sh(("'%s' ctl --control %s/ctl.sock %s"):format(program.moonpool, folder, arguments)))
  end
  function self.stop()
    policies.write(folder .. "/stop", "")
    wait(ended)
    return policies.read(folder .. "/log")
  end
  return self
end

function scene.run(text, options, look)
  local self = scene.start(text, options)
  local ok, why = pcall(look, self.folder, self.ctl)
  local log = self.stop()
  policies.remove(self.folder)
  assert(ok, tostring(why) .. "\n" .. log)
  assert(log:find "status 0", log)
  return log
end

return scene
