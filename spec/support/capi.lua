-- SPDX-License-Identifier: Apache-2.0
-- The C API through FFI, from the very header that is installed, and a simulated cluster on real sockets to use it on.
--
--   local api = require "spec.support.capi"
--   api.on_cluster(function(env) ... env:wait("done", function() return done end) end)

local assert = require "luassert"
local ffi = require "ffi"
local moonpool = require "moonpool"
local sim = require "moonpool.sim"
local ports = require "spec.support.ports"

local function declarations()
  local text = ""
  for _, header in ipairs { "moonpool.h", "moonpool_session.h" } do
    local file = assert(io.open(MOONPOOL_ROOT .. "/runtime/" .. header))
    text = text .. file:read "*a"
    file:close()
  end
  text = text:gsub("#ifdef __cplusplus.-#endif", ""):gsub("\n%s*#[^\n]*", "\n"):gsub("^%s*#[^\n]*", "")
  return (text:gsub("MOONPOOL_API", ""))
end
ffi.cdef(declarations())
local C = ffi.C

local api = { C = C, ffi = ffi }
local FIRST_PORT = ports.at(90)

local Env = {}
Env.__index = Env

-- A Lua function as a C callback; freed with the environment.
function Env:callback(kind, fn)
  local callback = ffi.cast(kind, function(...)
    local ok, err = xpcall(fn, debug.traceback, ...)
    if not ok then self.failure = self.failure or err end
  end)
  self.callbacks[#self.callbacks + 1] = callback
  return callback
end

local function turn(loop) return C.moonpool_loop_turn(loop, 1) end

-- The loop of the C API and the one of the cluster, in turns, until `done` says so.
function Env:wait(what, done)
  local deadline = moonpool.now() + 20000
  while not done() do
    turn(self.loop)
    moonpool.sleep(1)
    if self.failure then error(self.failure, 0) end
    if moonpool.now() > deadline then error("it did not happen: " .. what, 2) end
  end
end

function Env:open(text)
  local message = ffi.new "char[512]"
  local session = C.moonpool_session_from_text(self.loop, text or self.config, "spec", message, 512)
  return session ~= nil and session or nil, ffi.string(message)
end

local connect_kind = "void (*)(void *, const struct moonpool_error *)"
local prepare_kind = "void (*)(void *, struct moonpool_statement *, const struct moonpool_error *)"
local result_kind = "void (*)(void *, const struct moonpool_result *, const struct moonpool_error *)"

function Env.error(_, err)
  return err ~= nil and { code = C.moonpool_error_code(err), name = ffi.string(C.moonpool_error_name(err)),
    message = ffi.string(C.moonpool_error_message(err)), server = C.moonpool_error_server_code(err),
    host = ffi.string(C.moonpool_error_host(err)), maybe = C.moonpool_error_maybe_applied(err),
    attempts = C.moonpool_error_attempts(err) } or nil
end

function Env:connect(session)
  local answer
  assert.equal(0, C.moonpool_session_connect(session, self:callback(connect_kind, function(_, err)
    answer = { self:error(err) }
  end), nil))
  self:wait("connected", function() return answer end)
  return answer[1]
end

function Env:close(session)
  local closed = false
  C.moonpool_session_close(session, self:callback("void (*)(void *)", function() closed = true end), nil)
  self:wait("closed", function() return closed end)
end

function Env:prepare(session, cql)
  local answer
  assert.equal(0, C.moonpool_prepare(session, cql, -1, self:callback(prepare_kind, function(_, statement, err)
    answer = { statement = statement ~= nil and statement or nil, err = self:error(err) }
  end), nil))
  self:wait("prepared", function() return answer end)
  return answer.statement, answer.err
end

-- Executes a request; `read` gets the result inside of the callback. The error, or what read returned.
function Env:execute(request, read)
  local answer
  local rc = C.moonpool_execute(request, self:callback(result_kind, function(_, result, err)
    answer = { err = self:error(err) }
    if result ~= nil and read then answer.value = read(result) end
  end), nil)
  if rc ~= 0 then return nil, rc end
  self:wait("answered", function() return answer end)
  if answer.err then return nil, answer.err end
  return answer.value == nil and true or answer.value
end

function Env:query(session, cql, read)
  return self:execute(C.moonpool_request_new_query(session, cql, -1), read)
end

-- Runs body(env) beside a cluster of three nodes, in `dcs` datacentres; then everything has to be closed.
function api.on_cluster(body, dcs)
  local ok, cluster
  local port = FIRST_PORT
  repeat
    ok, cluster = pcall(sim.cluster, { nodes = 3, port = port, rf = 3, dcs = dcs })
    port = port + 1
  until ok or port > FIRST_PORT + 9
  assert(ok, cluster)
  local env = setmetatable({ cluster = cluster, port = port - 1, callbacks = {} }, Env)
  env.config = string.format("return { contactPoints = { '127.0.0.1' }, port = %d, keyspace = 'ks', " ..
    "localDataCenter = 'datacenter1', logging = { level = 'off' } }", env.port)
  env.loop = C.moonpool_loop_new(nil)
  local passed, err = xpcall(function() moonpool.run(body, env) end, function(err) return err end)
  if passed then C.moonpool_loop_free(env.loop) end
  cluster:close()
  for _, callback in ipairs(env.callbacks) do callback:free() end
  if not passed then error(err, 0) end
end

return api
