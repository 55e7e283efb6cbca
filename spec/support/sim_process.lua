-- SPDX-License-Identifier: Apache-2.0
-- A simulated cluster in a process of its own (moonpool sim), for programs that are processes themselves.
--
--   local cluster = sim_process.start(2)   cluster.port   cluster:stop()
--   cluster:run("misuse")         a C program of spec/api: what it said, and its exit status
--   sim_process.output(command)   the same of any command
local ffi = require "ffi"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
local program = require "spec.support.program"

ffi.cdef "int kill(int pid, int signal);"
local FIRST, PORTS = 94, 6 -- of the C API's

local sim_process = {}

local read, eventually = policies.read, program.eventually

local Cluster = {}
Cluster.__index = Cluster

function Cluster:stop()
  ffi.C.kill(self.pid, 15)
  eventually("the end of the cluster", function() return read(self.log):find "\nended\n" end)
  policies.remove(self.folder)
end

local function try(nodes, port)
  local self = setmetatable({ port = port, folder = policies.folder() }, Cluster)
  self.log = self.folder .. "/log"
  os.execute(("( sh -c 'echo $$ > %s/pid; exec \"%s/moonpool\" sim --nodes %d --port %d' > %s 2>&1 < /dev/null; " ..
    "echo \"\nended\" >> %s ) &"):format(self.folder, MOONPOOL_BUILD_DIR, nodes, port, self.log, self.log))
  eventually("a cluster", function() return read(self.log):find "ends them" or read(self.log):find "\nended\n" end)
  self.pid = tonumber(read(self.folder .. "/pid"))
  if not read(self.log):find "\nended\n" then return self end
  local why = read(self.log)
  policies.remove(self.folder)
  return nil, why
end

function sim_process.start(nodes)
  local why
  for port = ports.at(FIRST), ports.at(FIRST + PORTS - 1) do
    local self
    self, why = try(nodes or 1, port)
    if self then return self end
  end
  error(why)
end

sim_process.output = program.sh

-- app.r with the ids 0 to 49, for those programs.
function Cluster:fill()
  moonpool.run(function()
    local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = self.port,
      logging = { level = "off" } }
    assert(pool:connect())
    assert(pool:execute("CREATE KEYSPACE app WITH replication = " ..
      "{'class': 'SimpleStrategy', 'replication_factor': 1}"))
    assert(pool:execute "CREATE TABLE app.r (id int PRIMARY KEY)")
    for id = 0, 49 do assert(pool:execute("INSERT INTO app.r (id) VALUES (?)", { id })) end
    pool:close()
  end)
end

-- Runs a C program of spec/api against it.
function Cluster:run(name, arguments)
  return sim_process.output(("'%s/spec/api_%s' %d %s"):format(MOONPOOL_BUILD_DIR, name, self.port, arguments or ""))
end

return sim_process
