-- SPDX-License-Identifier: Apache-2.0
-- A session among scripted nodes in virtual time. The nodes know the system tables and prepared statements; every other
-- statement goes to `world.on_statement(node, link, request)`, which answers and returns true, or is answered as a
-- success. At the end nothing may be left.
local ffi = require "ffi"
local C = require "spec.support.c"
local sim_world = require "spec.support.sim_world"
local peers = require "spec.support.peer"

local session_world = {}
local str, text = peers.str, peers.text

local World = {}
World.__index = World
local nodes = require "spec.support.session_nodes"
for name, method in pairs(nodes) do World[name] = method end
session_world.peers_v2_columns = nodes.peers_v2_columns

-- ---- the session ------------------------------------------------------------------------------------------

local function error_of(err)
  if err == nil then return nil end
  local out = {
    err = err.err, code = ffi.string(C.mp_error_code(err)), server_code = err.server_code,
    maybe_applied = err.maybe_applied, host = ffi.string(err.host), message = ffi.string(err.message),
    total = err.attempt_total, attempts = {},
  }
  for i = 0, err.attempt_count - 1 do
    local attempt = err.attempts[i]
    out.attempts[i + 1] = {
      host = ffi.string(attempt.host), err = attempt.err, server_code = attempt.server_code, ms = attempt.ms,
      message = ffi.string(attempt.message),
    }
  end
  return out
end

local event_names = {}
for _, name in ipairs { "HOST_UP", "HOST_DOWN", "HOST_ADDED", "HOST_REMOVED", "CONNECTION_ADDED",
  "CONNECTION_REMOVED", "CONNECTION_LOST", "FAILOVER", "DC_FAILOVER", "SCHEMA_CHANGED", "BREAKER_OPEN",
  "BREAKER_HALF_OPEN", "BREAKER_CLOSE", "EVENTS_DROPPED",
  "POOL_RESIZED" } do
  event_names[tonumber(C["MP_EVENT_" .. name])] = name
end

local function note_event(world, event)
  local entry = {
    kind = event_names[tonumber(event.kind)], reason = ffi.string(event.reason), at = world.loop:now_ms(),
    host = event.host ~= nil and ffi.string(event.host.addr_text) or nil,
    to = event.to ~= nil and ffi.string(event.to.addr_text) or nil,
    from_dc = ffi.string(event.from_dc), to_dc = ffi.string(event.to_dc),
    count = event.count,
    keyspace = ffi.string(event.keyspace), table = ffi.string(event.table), change = ffi.string(event.change),
  }
  world.events[#world.events + 1] = entry
  if world.on_event then world.on_event(entry) end
end

session_world.defaults = {
  port = 9042, connect_timeout_ms = 1000, request_timeout_ms = 2000, heartbeat_interval_ms = 10000,
  heartbeat_timeout_ms = 500, discovery_interval_ms = 0, log_level = tonumber(C.MP_LOG_OFF),
}

local function set_config(world, config, overrides)
  C.mp_session_config_defaults(config)
  for key, value in pairs(session_world.defaults) do config[key] = value end
  for key, value in pairs(overrides) do
    if key == "local_limits" or key == "remote_limits" then
      for name, limit in pairs(value) do config[key == "local_limits" and "local" or "remote"][name] = limit end
    elseif key ~= "contacts" then
      if type(value) == "string" then
        world.kept[#world.kept + 1] = value
        value = ffi.cast("const char *", value)
      end
      config[key] = value
    end
  end
end

local function set_contacts(world, config, contacts)
  local points = ffi.new("struct mp_contact_point[?]", #contacts)
  for i, contact in ipairs(contacts) do
    world.kept[#world.kept + 1] = contact
    points[i - 1].host = ffi.cast("const char *", contact)
  end
  world.kept[#world.kept + 1] = points
  config.contact_points, config.contact_point_count = points, #contacts
end

local function finish(world, record, outcome)
  assert(not record.done, "a request was completed twice")
  record.done = true
  record.err = error_of(outcome.error)
  record.attempts = outcome.attempts
  record.schema_disagrees = outcome.schema_disagrees
  record.latency_ms = tonumber(outcome.latency_ns) / 1e6
  record.host = outcome.host ~= nil and ffi.string(outcome.host.addr_text) or nil
  if outcome.result ~= nil then
    record.kind = tonumber(outcome.result.kind)
    if outcome.result.kind == C.MP_RESULT_SCHEMA then
      local result = outcome.result
      record.change = { text(result.change), text(result.target), text(result.change_keyspace),
        text(result.change_name) }
    end
    if outcome.result.kind == C.MP_RESULT_ROWS then
      local cursor, count = ffi.new("struct mp_cursor", outcome.result.rows), outcome.result.column_count
      local values = ffi.new("struct mp_bytes[?]", math.max(count, 1))
      record.rows, record.columns = {}, {}
      for i = 0, count - 1 do record.columns[i + 1] = text(outcome.metadata.columns[i].name) end
      for r = 1, outcome.result.row_count do
        if C.mp_row_read(cursor, values, count) ~= 0 then
          assert(world.hostile, "a row that cannot be read")
          record.malformed = true
          break
        end
        local row = {}
        for i = 0, count - 1 do
          row[i + 1] = values[i].len >= 0 and ffi.string(values[i].data, values[i].len) or false
        end
        record.rows[r] = row
      end
    end
  end
end

local function make_callbacks(world)
  local loop = world.loop
  world.on_done = loop:callback("void (*)(struct mp_request *, const struct mp_outcome *)",
    function(request, outcome)
      local id = tonumber(ffi.cast("uintptr_t", request.data[0]))
      local record = assert(world.requests[id], "a completion for nothing")
      finish(world, record, outcome)
      world.open_requests = world.open_requests - 1
      if record.on_done then record.on_done(record) end
      if not record.kept then C.mp_request_give(request) end
    end)
  world.on_connected = loop:callback("void (*)(void *, const struct mp_error *)", function(data, err)
    local record = world.connects[tonumber(ffi.cast("uintptr_t", data))]
    assert(not record.done, "connect was told twice")
    record.done, record.err = true, error_of(err)
    if record.on_done then record.on_done(record) end
  end)
  world.on_closed = loop:callback("void (*)(void *)", function() world.closed_count = world.closed_count + 1 end)
  world.on_prepared = loop:callback("void (*)(void *, struct mp_prepared *, const struct mp_error *)",
    function(data, prepared, err)
      local record = world.prepares[tonumber(ffi.cast("uintptr_t", data))]
      assert(not record.done, "prepare was told twice")
      assert((prepared == nil) ~= (err == nil))
      record.done, record.err = true, error_of(err)
      record.prepared = prepared ~= nil and C.mp_prepared_ref(prepared) or nil
      if record.on_done then record.on_done(record) end
    end)
  world.on_listener = loop:callback("void (*)(void *, const struct mp_session_event *)",
    function(_, event) note_event(world, event) end)
end

-- ---- the simulated cluster in place of scripted nodes -----------------------------------------------------

local function open_cluster(world, options)
  local sim = ffi.new "struct mp_sim_options"
  for key, value in pairs(options) do
    if type(value) == "string" then
      world.kept[#world.kept + 1] = value
      value = ffi.cast("const char *", value)
    end
    sim[key] = value
  end
  local err = ffi.new "int[1]"
  world.cluster = C.mp_sim_cluster_new(world.loop.handle, sim, err)
  assert(world.cluster ~= nil, "no cluster: " .. err[0])
end

-- "kill", "start", "pause", "resume", "drain" of a node by number, from 0.
function World:node(verb, number)
  return C["mp_sim_node_" .. verb](self.cluster, number) == 0
end

function World:node_info(number)
  local info = ffi.new "struct mp_sim_node_info"
  assert(C.mp_sim_node_info(self.cluster, number, info) == 0)
  return info
end

-- A rule that spoils answers: the fields of mp_sim_rule_spec, `error` a table of mp_sim_error's.
function World:rule(fields)
  local spec = ffi.new "struct mp_sim_rule_spec"
  spec.node, spec.opcode = -1, -1
  for key, value in pairs(fields) do
    if key == "error" then
      for name, detail in pairs(value) do spec.error[name] = detail end
    else
      spec[key] = type(value) == "string" and str(value) or value
    end
  end
  local number = C.mp_sim_add_rule(self.cluster, spec)
  assert(number ~= 0)
  return number
end

-- What the window of the session, or of a host, says.
function World:measured(host)
  local figures = ffi.new "struct mp_figures"
  if host then C.mp_session_host_figures(self.session, host, figures)
  else C.mp_session_figures(self.session, figures) end
  return figures
end

function World:received(op, executed)
  return tonumber(C.mp_sim_received(self.cluster, -1, str(op), executed or false))
end

-- options: nodes (list of node options) or cluster (mp_sim_options), config, contacts (default: the first node's
-- address), keyspaces, policies, seed; real: on real sockets
function session_world.open(options)
  options = options or {}
  local world = setmetatable({
    loop = (options.real and sim_world.real or sim_world.loop)(options.seed or 1),
    nodes = {}, events = {}, requests = {}, connects = {}, prepares = {},
    kept = {}, shapes = {}, refreshes = 0, open_requests = 0, closed_count = 0,
    cluster_name = "test cluster", schema_version = ("v"):rep(16), keyspaces = options.keyspaces or {
      ks = { class = "org.apache.cassandra.locator.SimpleStrategy", replication_factor = "2" },
    },
  }, World)
  C.mp_loop_log(world.loop.handle).level = C.MP_LOG_OFF
  if options.cluster then
    open_cluster(world, options.cluster)
  else
    for _, node in ipairs(options.nodes or { {}, {}, {} }) do world:add_node(node) end
  end
  make_callbacks(world)
  local config = ffi.new "struct mp_session_config"
  set_config(world, config, options.config or {})
  set_contacts(world, config, options.contacts or { "127.0.0.1" })
  world.policies = options.policies
  world.session = C.mp_session_new(world.loop.handle, config, options.policies)
  assert(world.session ~= nil)
  C.mp_session_set_listener(world.session, world.on_listener, nil)
  return world
end

function World:until_true(done, limit_ms) self.loop:until_true(done, limit_ms or 30000) end
function World:pass(ms) self.loop:pass(ms) end

function World:begin_connect()
  local record = {}
  self.connects[#self.connects + 1] = record
  C.mp_session_connect(self.session, self.on_connected, ffi.cast("void *", #self.connects))
  return record
end

-- nil, or the error of connect.
function World:connect()
  local record = self:begin_connect()
  self:until_true(function() return record.done end)
  return record.err
end

-- A world that is connected, all its hosts up.
function session_world.connected(options)
  local world = session_world.open(options)
  local err = world:connect()
  assert(err == nil, err and err.message)
  return world
end

-- what: CQL text, or a prepared statement. options: the fields of mp_request_options, values (list of byte strings;
-- false: null, true: unset), names of the values, keyspace. A record: done, err, rows, host, attempts.
-- A string is a value, false null, true one that is not set.
local function put_values(request, values, names)
  for i, bytes in ipairs(values) do
    if names then
      C.mp_buf_u16(request.values, #names[i])
      C.mp_buf_bytes(request.values, names[i], #names[i])
    end
    local there = type(bytes) == "string"
    C.mp_buf_i32(request.values, there and #bytes or bytes and -2 or -1)
    if there then C.mp_buf_bytes(request.values, bytes, #bytes) end
  end
  request.value_count = #values
  request.named_values = names ~= nil
end

local function use(request, what)
  if type(what) == "string" then request.cql = str(what) else C.mp_request_use(request, what) end
end

-- { text or prepared, { value, ... } }, ...
local function add_statements(request, batch)
  assert(C.mp_request_batch(request, batch.type or C.MP_BATCH_LOGGED) == 0)
  local member = C.mp_request_take(request.session)
  for _, statement in ipairs(batch) do
    C.mp_request_clear(member)
    use(member, statement[1])
    put_values(member, statement[2] or {})
    assert(C.mp_batch_add(request, member) == 0)
  end
  C.mp_request_give(member)
end

-- `what`: a text, a prepared statement, or a list of statements
function World:submit(what, options)
  options = options or {}
  local request = C.mp_request_take(self.session)
  assert(request ~= nil)
  local record = { request = request }
  record.anchor = what
  if type(what) == "table" then add_statements(request, what) else use(request, what) end
  for key, value in pairs(options) do
    if key == "values" then
      put_values(request, value, options.names)
    elseif key == "keyspace" then
      request.keyspace = str(value)
    elseif key == "on_done" or key == "kept" then
      record[key] = value
    elseif key ~= "names" then -- which are with the values
      request.options[key] = value
    end
  end
  local id = #self.requests + 1
  self.requests[id] = record
  request.on_done = self.on_done
  request.data[0] = ffi.cast("void *", id)
  record.rc = C.mp_request_submit(request)
  if record.rc ~= 0 then
    C.mp_request_give(request)
  else
    self.open_requests = self.open_requests + 1
  end
  return record
end

-- Whether it will end with CANCELLED.
function World.cancel(_, record)
  assert(not record.done)
  local cancelled = C.mp_request_cancel(record.request)
  assert(not record.done, "a callback inside of a call")
  return cancelled
end

function World:wait(record, limit_ms)
  self:until_true(function() return record.done end, limit_ms)
  return record
end

function World:execute(what, options)
  local record = self:submit(what, options)
  assert(record.rc == 0, "submit: " .. record.rc)
  return self:wait(record)
end

function World:begin_prepare(cql, options)
  options = options or {}
  local record = {}
  self.prepares[#self.prepares + 1] = record
  local cached = ffi.new "struct mp_prepared *[1]"
  record.rc = C.mp_session_prepare(self.session, str(cql), str(options.keyspace or ""), options.timeout_ms or 0, cached,
    self.on_prepared, ffi.cast("void *", #self.prepares))
  if cached[0] ~= nil then
    record.done, record.cached, record.prepared = true, true, C.mp_prepared_ref(cached[0])
  end
  return record
end

-- The prepared statement, or nil and its error. Freed with the world.
function World:prepare(cql, options)
  local record = self:begin_prepare(cql, options)
  assert(record.rc == 0, "prepare: " .. record.rc)
  self:until_true(function() return record.done end)
  return record.prepared, record.err
end

function World:count(kind, host)
  local count = 0
  for _, event in ipairs(self.events) do
    if event.kind == kind and (not host or event.host == host) then count = count + 1 end
  end
  return count
end

function World:stats()
  local out = ffi.new "struct mp_session_stats"
  C.mp_session_stats(self.session, out)
  return setmetatable({}, { __index = function(_, key) return tonumber(out[key]) end })
end

function World:up_count()
  return self:stats().hosts_up
end

function World:find(ip)
  local host = C.mp_session_host_find(self.session, ip)
  return host ~= nil and host or nil
end

function World:statement_count()
  local count = 0
  for _, node in ipairs(self.nodes) do count = count + #node.statements end
  return count
end

-- What the session and its loop log from now on, at this level and above, until the world closes: a list of lines with
-- the first letter of their level, without the numbers of connections, which count through the process.
function World:hear(level)
  local lines, letters = {}, { [0] = "E", "W", "I", "D" }
  local sink = self.loop:callback("void (*)(void *, enum mp_log_level, const char *)", function(_, of, line)
    lines[#lines + 1] = letters[tonumber(of)] .. " " .. ffi.string(line):gsub("#%d+", "")
  end)
  self.logs = { C.mp_loop_log(self.loop.handle), ffi.cast("struct mp_log *", C.mp_session_log(self.session)) }
  for _, log in ipairs(self.logs) do log.level, log.sink = level, sink end
  return lines
end

local function stop_hearing(world)
  for _, log in ipairs(world.logs or {}) do log.level, log.sink = C.MP_LOG_OFF, nil end
end

-- ---- the end ----------------------------------------------------------------------------------------------

function World:close_session(drain_ms)
  local before = self.closed_count
  C.mp_session_close(self.session, drain_ms or 0, self.on_closed, nil)
  self:until_true(function() return self.closed_count > before end)
end

function World:close()
  if self.closed then return end
  self.closed = true
  stop_hearing(self)
  local ok, trouble = pcall(function()
    self:close_session()
    assert(self.open_requests == 0, self.open_requests .. " requests were never completed")
    for _, record in ipairs(self.connects) do assert(record.done, "connect was never told") end
    for _, record in ipairs(self.prepares) do assert(record.done or record.rc ~= 0, "prepare was never told") end
  end)
  for _, record in ipairs(self.prepares) do
    if record.prepared then C.mp_prepared_unref(record.prepared) end
  end
  if ok then C.mp_session_free(self.session) end
  for _, node in ipairs(self.nodes) do
    if node.peer then node.peer:close() end
  end
  if self.cluster then C.mp_sim_cluster_free(self.cluster) end
  self:pass(5)
  if not ok then error(trouble, 0) end
  self.loop:close()
end

return session_world
