-- SPDX-License-Identifier: Apache-2.0
-- Debian's nginx with lua-nginx-module and the module of this build, in a folder of its own, on 127.0.0.1.
--
--   local server = nginx.start{ init = LUA, worker = LUA, locations = { ["/get"] = LUA }, cluster = sim.cluster{...} }
--   server:get "/get" -> status, body      server:signal "HUP"   server:log()   server:stop()
--
-- `library` and `lua`: another module and another folder of Lua files than those of the build.
-- `by`: how the library comes in: "module" (load_module, the usual one), or the path of a file that Lua loads. The
-- others are text for nginx.conf: main, http, server, location[path] beside the Lua of locations; `workers`: how many.
local ffi = require "ffi"
local http = require "spec.nginx.support.http"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
local program = require "spec.support.program"
local unix = require "spec.support.unix" -- luacheck: ignore 211

local PORT = 26

local nginx = { library = MOONPOOL_BUILD_DIR .. "/ngx_moonpool_module.so" }

local CONF = [[
%s
worker_processes %d;
worker_shutdown_timeout %s;
error_log %s/error.log %s;
pid %s/nginx.pid;
env MOONPOOL_LIB;
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
%s
%s
events { worker_connections %d; }
http {
  access_log off;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  lua_package_path "%s/?.lua;%s/?/init.lua;;";
  lua_shared_dict notes 1m;
  %s
  init_by_lua_block { %s }
  init_worker_by_lua_block { %s }
  server {
    listen 127.0.0.1:%d;
    default_type text/plain;
    %s
%s  }
}
]]

local Server = {}
Server.__index = Server

local function read(path)
  local file = io.open(path)
  local text = file and file:read "*a" or ""
  if file then file:close() end
  return text
end
nginx.read = read

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- Waits for what will happen, however slow the machine is.
function nginx.eventually(what, condition)
  for _ = 1, 4000 do
    local value = condition()
    if value then return value end
    moonpool.sleep(5)
  end
  error("it did not happen: " .. what, 2)
end

local function locations(options)
  local list = {}
  for path, lua in pairs(options.locations or {}) do
    list[#list + 1] = ("    location = %s { content_by_lua_block { %s } }\n"):format(path, lua)
  end
  for path, text in pairs(options.location or {}) do
    list[#list + 1] = ("    location = %s { %s }\n"):format(path, text)
  end
  return table.concat(list)
end

-- A pool on that cluster, as the text of a configuration.
function nginx.config(cluster, more)
  return ("{ contactPoints = { '127.0.0.1' }, port = %d, localDataCenter = 'datacenter1', " ..
    "logging = { level = 'warn' }, %s }"):format(cluster.port, more or "")
end

function Server:conf(options)
  local folder = self.folder
  local by_module = (options.by or "module") == "module"
  local load = by_module and ("load_module %s;"):format(options.library or nginx.library) or ""
  local lua = options.lua or MOONPOOL_ROOT .. "/lua"
  write(folder .. "/nginx.conf", CONF:format(
    ffi.C.geteuid() == 0 and "user root;" or "", options.workers or 1, options.shutdown or "0", folder,
    options.level or "info", folder, load, options.main or "",
    options.connections or 512, lua, lua, options.http or "", options.init or "",
    options.worker or "", self.port, options.server or "", locations(options)))
end

function Server:command(arguments, shell)
  return ("cd '%s' && %s /usr/sbin/nginx -p '%s' -c '%s/nginx.conf' %s"):format(self.folder, shell or "", self.folder,
    self.folder, arguments or "")
end

-- What a start says, when it is not to succeed.
function Server:run()
  local text, status = program.sh(self:command(nil, self.shell))
  return status, text
end

nginx.running = {}

-- For who cannot stop them one by one, because a spec has failed.
function nginx.kill_all()
  for server in pairs(nginx.running) do
    server:kill()
    nginx.running[server] = nil
    policies.remove(server.folder)
  end
end

function Server:kill()
  local master = self:pid()
  if not master or not nginx.is_there(master) then return end
  local workers = self:workers()
  self:signal("KILL", master) -- first: it would start others
  for _, pid in ipairs(workers) do self:signal("KILL", pid) end
end

function nginx.prepare(options)
  local self = setmetatable({ folder = policies.folder(), port = ports.at(PORT) }, Server)
  if (options.by or "module") ~= "module" then self.shell = "MOONPOOL_LIB='" .. options.by .. "'" end
  self:conf(options)
  nginx.running[self] = true
  return self
end

-- In a coroutine of moonpool.
function nginx.start(options)
  local self = nginx.prepare(options)
  local status, text = self:run()
  assert(status == 0, text)
  nginx.eventually("nginx listens", function() return self:pid() and #self:workers() == (options.workers or 1) end)
  return self
end

function Server:get(path, options) return http.request(self.port, path, options) end
function Server:begin(path, options) return http.begin(self.port, path, options) end

-- The body of a request that must succeed.
function Server:body(path, options)
  local status, body = self:get(path, options)
  assert(status == 200, path .. ": " .. tostring(status) .. " " .. body .. "\n" .. self:log())
  return body
end

function Server:pid() return tonumber(read(self.folder .. "/nginx.pid")) end

function Server:workers()
  local list, master = {}, self:pid()
  local children = read(("/proc/%d/task/%d/children"):format(master, master))
  for pid in children:gmatch "%d+" do list[#list + 1] = tonumber(pid) end
  return list
end

function Server:signal(name, pid)
  os.execute(("kill -%s %d"):format(name, pid or self:pid()))
end

function nginx.is_there(pid)
  local state = read("/proc/" .. pid .. "/stat"):match "%) (%a)"
  return state ~= nil and state ~= "Z"
end

-- The descriptors of a process, by what they are: { ["socket"] = n, ["anon_inode:[eventpoll]"] = n, ... }
function nginx.descriptors(pid)
  local found = {}
  local pipe = assert(io.popen(("for f in /proc/%d/fd/*; do readlink $f; done 2>/dev/null"):format(pid)))
  for line in pipe:lines() do
    local kind = line:match "^(%a+):%[%d+%]$" or line
    found[kind] = (found[kind] or 0) + 1
  end
  pipe:close()
  return found
end

function Server:gone(what, pids) -- luacheck: ignore 212/self
  nginx.eventually(what or "the end of nginx", function()
    for _, pid in ipairs(pids) do
      if nginx.is_there(pid) then return false end
    end
    return true
  end)
end

function Server:log() return read(self.folder .. "/error.log") end

-- Lines of the log that no healthy server writes.
function Server:complaints()
  local list = {}
  for line in self:log():gmatch "[^\n]+" do
    if line:find("[alert]", 1, true) or line:find("[emerg]", 1, true) or line:find("[crit]", 1, true) then
      list[#list + 1] = line
    end
  end
  return table.concat(list, "\n")
end

function Server:stop(signal)
  local master = self:pid()
  if master and nginx.is_there(master) then
    local all = self:workers()
    all[#all + 1] = master
    self:signal(signal or "TERM")
    self:gone("the end of nginx", all)
  end
  local complaints = self:complaints()
  nginx.running[self] = nil
  policies.remove(self.folder)
  assert(complaints == "" or self.expected, complaints)
end

return nginx
