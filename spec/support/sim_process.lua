-- SPDX-License-Identifier: Apache-2.0
-- A simulated cluster in a process of its own (moonpool sim), for programs that are processes themselves.
--
--   local cluster = sim_process.start(2)   cluster.port   cluster:stop()
--   sim_process.program(folder, "name", text)   builds a C program against this build's library; its path
--   sim_process.output(command)                 what it said, and its exit status
local ffi = require "ffi"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"

ffi.cdef "int kill(int pid, int signal); int usleep(unsigned us);"
local FIRST, PORTS = 94, 6 -- of the C API's

local sim_process = {}

local function read(path)
  local file = io.open(path)
  local text = file and file:read "*a" or ""
  if file then file:close() end
  return text
end

local function eventually(what, condition)
  for _ = 1, 1200 do
    local value = condition()
    if value then return value end
    ffi.C.usleep(25000)
  end
  error("it did not happen: " .. what, 2)
end

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

function sim_process.output(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1; echo \"status $?\""))
  local said = pipe:read "*a"
  pipe:close()
  local text, status = said:match "^(.*)status (%d+)\n$"
  return text, tonumber(status)
end

-- Compiled as this build is, so that the sanitizers see the program, too.
function sim_process.program(folder, name, text)
  local path = folder .. "/" .. name
  policies.write(path .. ".c", text)
  local said, status = sim_process.output(("cc -std=c11 -D_GNU_SOURCE -g -fsanitize=address,undefined " ..
    "-fno-sanitize-recover=undefined -fno-omit-frame-pointer -I '%s/runtime' -o '%s' '%s.c' -L '%s' -lmoonpool " ..
    "-luv -Wl,-rpath,'%s'"):format(MOONPOOL_ROOT, path, path, MOONPOOL_BUILD_DIR, MOONPOOL_BUILD_DIR))
  if status ~= 0 then error(said, 2) end
  return path
end

return sim_process
