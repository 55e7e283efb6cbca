-- SPDX-License-Identifier: Apache-2.0
-- Connections for specs: opens them on a loop, submits calls, and writes down what came of each. It fails a spec whose
-- call is answered twice, or answered after it was abandoned, or whose connection is heard of after its end.
local ffi = require "ffi"
local C = require "spec.support.c"
local peers = require "spec.support.peer"

local client_module = {}

local Link = {}
Link.__index = Link

local Client = { link_type = Link }
Client.__index = Client

local function id_of(pointer) return tonumber(ffi.cast("uintptr_t", ffi.cast("const void *", pointer))) end

client_module.defaults = {
  version = 5, connect_timeout_ms = 5000, heartbeat_interval_ms = 30000, heartbeat_timeout_ms = 5000,
  max_streams = 2048, max_orphans = 1024, write_high_bytes = 1048576, max_body_bytes = 16777216,
}

local function on_answer(self, pointer, rc, answer)
  local call = assert(self.calls[id_of(pointer)], "an answer for a call that does not wait")
  assert(call.rc == nil, "a second answer")
  assert(not call.abandoned, "an answer to an abandoned call")
  call.rc = rc
  call.sent = tonumber(call.handle.sent)
  call.order = self.answered
  self.answered = self.answered + 1
  self.calls[id_of(pointer)] = nil
  self.open_calls = self.open_calls - 1
  if rc == 0 then
    call.opcode = answer.opcode
    if answer.opcode == C.MP_OP_RESULT then
      local body = C.mp_cursor_on(answer.body, answer.body_len)
      local result = ffi.new "struct mp_result_body"
      assert(C.mp_decode_result(body, answer.version, result) == 0)
      if result.kind == C.MP_RESULT_SET_KEYSPACE then call.text = peers.text(result.keyspace) end
      C.mp_result_drop(result)
    end
  else
    assert(answer == nil)
  end
  if call.on_answer then call.on_answer(call) end
end

local function note_end(link, close_end)
  link.closed = {
    reason = tonumber(close_end.reason), err = close_end.err, server_code = close_end.server_code,
    version_hint = close_end.version_hint, was_ready = close_end.was_ready, message = ffi.string(close_end.message),
  }
end

local function make_events(self, loop)
  local events = loop:keep(ffi.new "struct mp_conn_events")
  local function link_of(owner)
    local link = self.links[id_of(owner)]
    assert(not link.closed, "an event after the end")
    return link
  end
  events.on_ready = loop:callback("void (*)(void *, struct mp_conn *)", function(owner)
    local link = link_of(owner)
    assert(not link.ready)
    link.ready = true
    if link.on_ready then link.on_ready(link) end
  end)
  events.on_closed = loop:callback("void (*)(void *, struct mp_conn *, const struct mp_conn_end *)",
    function(owner, conn, close_end)
      local link = link_of(owner)
      note_end(link, close_end)
      for _, call in pairs(self.calls) do assert(call.link ~= link, "a call survives its connection") end
      if link.on_closed then link.on_closed(link) end
      C.mp_conn_free(conn)
      link.conn = nil
    end)
  events.on_event = loop:callback("void (*)(void *, struct mp_conn *, const struct mp_envelope *)", function(owner)
    local link = link_of(owner)
    link.events = link.events + 1
    if link.on_event then link.on_event(link) end
  end)
  events.on_writable = loop:callback("void (*)(void *, struct mp_conn *)", function(owner)
    local link = link_of(owner)
    link.writables = link.writables + 1
    if link.on_writable then link.on_writable(link) end
  end)
  return events
end

function client_module.new(loop, overrides)
  local self = setmetatable({ loop = loop, links = {}, calls = {}, texts = {}, kept = {} }, Client)
  self.open_calls, self.answered = 0, 0
  self.settings = self:make_settings(overrides)
  self.events = make_events(self, loop)
  self.last_id = ffi.new "uint64_t[1]"
  self.settings.last_id = self.last_id
  self.on_answer = loop:callback("void (*)(struct mp_call *, int, const struct mp_envelope *)",
    function(pointer, rc, answer) on_answer(self, pointer, rc, answer) end)
  self.encode = loop:callback("int (*)(void *, struct mp_buf *, uint8_t, int16_t)", function(arg, out, version, stream)
    local text = self.texts[id_of(arg)]
    if type(text) == "number" then return text end
    local params = ffi.new "struct mp_query_params"
    params.consistency = 1
    C.mp_encode_query(out, version, 0, stream, peers.str(text), params)
    return 0
  end)
  C.mp_loop_log(loop.handle).level = C.MP_LOG_OFF
  return self
end

function Client:make_settings(overrides)
  local settings = ffi.new "struct mp_conn_settings"
  for key, value in pairs(client_module.defaults) do settings[key] = value end
  for key, value in pairs(overrides or {}) do
    if type(value) == "string" then
      self.kept[#self.kept + 1] = value
      value = ffi.cast("const char *", value)
    end
    if key == "auth" then
      local auth, plain = ffi.new "struct mp_auth", ffi.new "struct mp_auth_plain"
      self.kept[#self.kept + 1] = { auth, plain, value }
      plain.username, plain.password = value.username or "", value.password or ""
      auth.data = plain
      auth.respond = value.respond or C.mp_auth_plain_respond
      auth.accept, auth["end"] = value.accept, value.finish
      value = auth
    end
    settings[key] = value
  end
  return settings
end

-- options: host_id (16 bytes), register, on_ready, on_closed, on_event, on_writable
function Client:open(addr, options)
  options = options or {}
  local link = setmetatable({ client = self, events = 0, writables = 0 }, Link)
  for key, value in pairs(options) do link[key] = value end
  local id = #self.links + 1
  self.links[id] = link
  local host_id
  if options.host_id then
    host_id = ffi.new "struct mp_uuid"
    ffi.copy(host_id.bytes, options.host_id, 16)
  end
  local err = ffi.new "int[1]"
  link.conn = C.mp_conn_open(self.loop.handle, self.settings, addr, host_id, options.register or false, self.events,
    ffi.cast("void *", id), err)
  if link.conn == nil then
    self.links[id] = false
    return nil, err[0]
  end
  return link
end

-- Opens, and waits until it is ready (or ended).
function Client:open_ready(addr, options)
  local link = assert(self:open(addr, options))
  self.loop:until_true(function() return link.ready or link.closed end, 20000)
  return link
end

function Link:state() return tonumber(C.mp_conn_state(self.conn)) end
function Link:in_flight() return C.mp_conn_in_flight(self.conn) end
function Link:orphans() return C.mp_conn_orphans(self.conn) end
function Link:room() return C.mp_conn_room(self.conn) end
function Link:close(reason, message) C.mp_conn_close(self.conn, reason or C.MP_CLOSE_ASKED, message) end
function Link:drain(reason) C.mp_conn_drain(self.conn, reason or C.MP_CLOSE_DRAINED) end
function Link:probe() C.mp_conn_probe(self.conn) end

-- Submits a query with this text (a number: the encoder fails with it). The call, or nil and the error.
function Link:call(text, answer_fn)
  local client = self.client
  local call = { link = self, asked = text, on_answer = answer_fn, handle = ffi.new "struct mp_call" }
  call.handle.on_answer = client.on_answer
  client.texts[1] = text
  local rc = C.mp_conn_call(self.conn, call.handle, client.encode, ffi.cast("void *", 1))
  if rc ~= 0 then return nil, rc end
  client.calls[id_of(call.handle)] = call
  client.open_calls = client.open_calls + 1
  return call
end

function client_module.sent(call) return tonumber(C.mp_call_sent(call.handle)) end

function client_module.abandon(call)
  local client = call.link.client
  call.abandoned = true
  if call.rc == nil then client.open_calls = client.open_calls - 1 end
  client.calls[id_of(call.handle)] = nil
  C.mp_call_abandon(call.handle)
end

function Client:waiting() return self.open_calls end

-- Closes what is open and lets the loop tell it.
function Client:close()
  for _, link in ipairs(self.links) do
    if link and link.conn ~= nil and not link.closed then link:close() end
  end
  self.loop:until_true(function()
    for _, link in ipairs(self.links) do
      if link and not link.closed then return false end
    end
    return true
  end)
end

return client_module
