-- SPDX-License-Identifier: Apache-2.0
-- A tiny CQL client over FFI, for specs of the simulated cluster: one request, one answer, in virtual time. It shares
-- nothing with the driver but the encoders of wire/.
--
--   local world = raw.world{ nodes = 3 }        a simulated loop and a cluster (sim_cluster.h) on it
--   local conn = world:connect(1)               node 1, handshake done
--   local answer = conn:query "SELECT ..."      { kind = "rows", rows = { { name = value } } } or { kind = "error" }
local ffi = require "ffi"
local bit = require "bit"
local C = require "spec.support.c"
local loops = require "spec.support.loops"
local sim_world = require "spec.support.sim_world"

local raw = {}

local function str(text) return ffi.new("struct mp_str", ffi.cast("const char *", text), #text) end
raw.str = str

local function text_of(s) return s.data ~= nil and ffi.string(s.data, s.len) or "" end

local function with_buf(fill)
  local buf = ffi.new "struct mp_buf"
  C.mp_buf_init(buf)
  fill(buf)
  assert(C.mp_buf_status(buf) == 0)
  local bytes = ffi.string(buf.data, buf.len)
  C.mp_buf_deinit(buf)
  return bytes
end

-- ---- values -----------------------------------------------------------------------------------------------

function raw.int(value) return with_buf(function(buf) C.mp_buf_i32(buf, value) end) end
function raw.bigint(value) return with_buf(function(buf) C.mp_buf_i64(buf, value) end) end

-- The elements (byte strings) of a list or set; of a map keys and values in turn.
function raw.collection(elements, per_entry)
  return with_buf(function(buf)
    C.mp_buf_i32(buf, #elements / (per_entry or 1))
    for _, element in ipairs(elements) do
      C.mp_buf_i32(buf, #element)
      C.mp_buf_bytes(buf, element, #element)
    end
  end)
end

local decode

local function decode_elements(bytes, type, per_entry)
  local list, at = {}, 5
  for i = 1, tonumber(ffi.cast("int32_t", bit.bswap(ffi.cast("const int32_t *", bytes)[0]))) * per_entry do
    local len = bit.bswap(ffi.cast("const int32_t *", ffi.cast("const char *", bytes) + at - 1)[0])
    list[i] = decode(bytes:sub(at + 4, at + 3 + len), type.children[(i - 1) % per_entry])
    at = at + 4 + len
  end
  return list
end

-- Numbers become Lua numbers, collections lists (of a map: keys and values in turn), everything else stays bytes.
decode = function(bytes, type)
  local id = tonumber(type.id)
  if id == C.MP_TYPE_INT then return bit.bswap(ffi.cast("const int32_t *", bytes)[0]) end
  if id == C.MP_TYPE_BIGINT or id == C.MP_TYPE_COUNTER or id == C.MP_TYPE_TIMESTAMP then
    return tonumber(bit.bswap(ffi.cast("const int64_t *", bytes)[0]))
  end
  if id == C.MP_TYPE_BOOLEAN then return bytes ~= "\0" end
  if id == C.MP_TYPE_LIST or id == C.MP_TYPE_SET then return decode_elements(bytes, type, 1) end
  if id == C.MP_TYPE_MAP then return decode_elements(bytes, type, 2) end
  return bytes
end

-- ---- answers ----------------------------------------------------------------------------------------------

local function read_rows(answer, result, metadata)
  answer.kind, answer.rows, answer.columns = "rows", {}, {}
  answer.more = result.has_more_pages
  answer.skipped = result.metadata == nil
  if result.paging_state.data ~= nil then
    answer.state = ffi.string(result.paging_state.data, result.paging_state.len)
  end
  answer.new_metadata_id = text_of(result.new_metadata_id)
  metadata = result.metadata ~= nil and result.metadata or metadata
  local count = tonumber(result.column_count)
  local values = ffi.new("struct mp_bytes[?]", math.max(count, 1))
  for i = 1, count do answer.columns[i] = metadata ~= nil and text_of(metadata.columns[i - 1].name) or i end
  local cursor = result.rows
  for r = 1, tonumber(result.row_count) do
    assert(C.mp_row_read(cursor, values, count) == 0)
    local row = {}
    for i = 1, count do
      local value = values[i - 1]
      if value.len >= 0 then
        local bytes = ffi.string(value.data, value.len)
        if metadata ~= nil then
          row[answer.columns[i]] = decode(bytes, metadata.columns[i - 1].type)
        else
          row[i] = bytes
        end
      end
    end
    answer.rows[r] = row
  end
end

local function names_of(metadata)
  local list, types = {}, {}
  for i = 0, metadata.column_count - 1 do
    list[i + 1] = text_of(metadata.columns[i].name)
    types[i + 1] = with_buf(function(buf) C.mp_type_format(buf, metadata.columns[i].type) end)
  end
  return list, types
end

local function read_result(answer, body, version, metadata)
  local result = ffi.new "struct mp_result_body"
  assert(C.mp_decode_result(body, version, result) == 0, "a RESULT that cannot be read")
  local kind = tonumber(result.kind)
  if kind == C.MP_RESULT_VOID then
    answer.kind = "void"
  elseif kind == C.MP_RESULT_ROWS then
    read_rows(answer, result, metadata)
    C.mp_metadata_unref(result.metadata)
  elseif kind == C.MP_RESULT_SET_KEYSPACE then
    answer.kind, answer.keyspace = "keyspace", text_of(result.keyspace)
  elseif kind == C.MP_RESULT_SCHEMA then
    answer.kind, answer.change, answer.target = "schema", text_of(result.change), text_of(result.target)
    answer.keyspace, answer.name = text_of(result.change_keyspace), text_of(result.change_name)
  else
    answer.kind, answer.id = "prepared", text_of(result.prepared_id)
    answer.result_metadata_id = text_of(result.result_metadata_id)
    answer.params, answer.types = names_of(result.params)
    answer.pk = {}
    for i = 0, result.params.pk_count - 1 do answer.pk[i + 1] = tonumber(result.params.pk_indexes[i]) end
    answer.result = ffi.gc(result.result, C.mp_metadata_unref)
    C.mp_metadata_unref(result.params)
  end
end

local function read_error(answer, body, version)
  local err = ffi.new "struct mp_error_body"
  assert(C.mp_decode_error(body, version, err) == 0)
  answer.kind, answer.code, answer.message = "error", tonumber(err.code), text_of(err.message)
  answer.name = ffi.string(C.mp_server_error_name(err.code))
  answer.consistency = ffi.string(C.mp_consistency_name(err.consistency))
  answer.required, answer.received = tonumber(err.required), tonumber(err.received)
  answer.data_present, answer.write_type = err.data_present, ffi.string(C.mp_write_type_name(err.write_type))
  answer.id, answer.keyspace, answer.table = text_of(err.id), text_of(err.keyspace), text_of(err.table)
end

local kinds = {
  [0x02] = "ready", [0x03] = "authenticate", [0x06] = "supported", [0x0c] = "event", [0x10] = "authenticated",
}

local function read_answer(conn, envelope)
  local answer = { opcode = tonumber(envelope.opcode), stream = tonumber(envelope.stream),
    version = tonumber(envelope.version), kind = kinds[tonumber(envelope.opcode)] }
  local prefix = ffi.new "struct mp_response_prefix"
  assert(C.mp_decode_prefix(envelope, prefix) == 0)
  if prefix.has_trace_id then answer.trace = ffi.string(prefix.trace_id.bytes, 16) end
  if prefix.warning_count > 0 then answer.warning = text_of(C.mp_cursor_string(prefix.warnings)) end
  answer.payloads = tonumber(prefix.payload_count)
  if answer.opcode == C.MP_OP_RESULT then
    read_result(answer, prefix.body, answer.version, conn.decoding[answer.stream])
  elseif answer.opcode == C.MP_OP_ERROR then
    read_error(answer, prefix.body, answer.version)
  elseif answer.opcode == C.MP_OP_EVENT then
    local event = ffi.new "struct mp_event_body"
    assert(C.mp_decode_event(prefix.body, answer.version, event) == 0)
    answer.type, answer.change = text_of(event.type), text_of(event.change)
    answer.target, answer.keyspace = text_of(event.target), text_of(event.keyspace)
    answer.name = text_of(event.name)
    local addr = ffi.new "char[64]"
    C.mp_addr_format_ip(event.addr, addr)
    answer.address = ffi.string(addr)
  end
  return answer
end

-- ---- connections ------------------------------------------------------------------------------------------

local Conn = {}
Conn.__index = Conn

local function on_envelope(conn, envelope)
  local answer = read_answer(conn, envelope)
  if answer.kind == "event" then
    conn.events[#conn.events + 1] = answer
  else
    conn.got[#conn.got + 1] = answer
    conn.answers[answer.stream] = conn.answers[answer.stream] or answer
  end
  -- The answer to STARTUP is the last one that is not in a segment.
  if conn.version >= 5 and (answer.kind == "ready" or answer.kind == "authenticate") and not conn.framed then
    conn.framed = true
    C.mp_decoder_use_segments(conn.decoder)
  end
end

-- What the socket has not taken yet goes first.
function Conn:pump()
  while self.out ~= "" and not self.blocked and not self.sock.closed do
    local took = self.sock:write(self.out)
    if took < 0 then return end
    self.blocked = took < #self.out
    self.out = self.out:sub(took + 1)
  end
end

function Conn:send_raw(bytes)
  self.out = self.out .. bytes
  self:pump()
end

function Conn:send_bytes(bytes)
  if self.framed then
    bytes = with_buf(function(buf)
      local begin = C.mp_segment_begin(buf)
      C.mp_buf_bytes(buf, bytes, #bytes)
      C.mp_segment_end(buf, begin)
    end)
  end
  self:send_raw(bytes)
end

function Conn:next_stream()
  self.stream = self.stream + 1
  return self.stream
end

-- Sends what encode(buf, stream) appends; the stream, for wait().
function Conn:ask(encode)
  local stream = self:next_stream()
  self:send_bytes(with_buf(function(buf) encode(buf, stream) end))
  return stream
end

-- The answer on a stream, or { kind = "closed" }; nil when neither comes in `ms` of virtual time.
function Conn:wait(stream, ms)
  local deadline = self.loop:now_ms() + (ms or 20000)
  while not self.answers[stream] and not self.ended do
    if self.loop:now_ms() > deadline then return nil end
    self.loop:turn(20)
  end
  return self.answers[stream] or { kind = "closed", rc = self.ended }
end

local function query_params(options)
  local params = ffi.new "struct mp_query_params"
  local anchors = { options }
  params.consistency = options.consistency and C["MP_CL_" .. options.consistency] or C.MP_CL_ONE
  params.serial_consistency = options.serial and C["MP_CL_" .. options.serial] or 0
  params.skip_metadata = options.skip or false
  params.page_size = options.pageSize or 0
  if options.state then
    params.paging_state.data = ffi.cast("const uint8_t *", options.state)
    params.paging_state.len = #options.state
  end
  if options.keyspace then params.keyspace = str(options.keyspace) end
  if options.timestamp then params.has_timestamp, params.timestamp = true, options.timestamp end
  local values = options.values or {}
  local count = options.count or #values
  local bytes = with_buf(function(buf)
    for i = 1, count do
      local value = values[i]
      if options.names then
        C.mp_buf_u16(buf, #options.names[i])
        C.mp_buf_bytes(buf, options.names[i], #options.names[i])
      end
      C.mp_buf_i32(buf, value == nil and -1 or value == raw.unset and -2 or #value)
      if type(value) == "string" then C.mp_buf_bytes(buf, value, #value) end
    end
    C.mp_buf_u8(buf, 0)
  end)
  anchors[2] = bytes
  params.named_values = options.names ~= nil
  params.value_count = count
  params.values = ffi.new("struct mp_str", ffi.cast("const char *", bytes), #bytes - 1)
  return params, anchors
end
raw.unset, raw.query_params, raw.with_buf = {}, query_params, with_buf

function Conn:start_query(cql, options)
  options = options or {}
  return self:ask(function(buf, stream)
    local params, anchors = query_params(options)
    C.mp_encode_query(buf, self.version, options.tracing and C.MP_FLAG_TRACING or 0, stream, str(cql), params)
    return anchors
  end)
end

function Conn:query(cql, options) return self:wait(self:start_query(cql, options)) end

function Conn:prepare(cql, keyspace)
  return self:wait(self:ask(function(buf, stream)
    C.mp_encode_prepare(buf, self.version, 0, stream, str(cql), str(keyspace or ""))
  end))
end

function Conn:start_execute(prepared, values, options)
  options = options or {}
  options.values = values
  options.skip = options.skip or false
  return self:ask(function(buf, stream)
    local params, anchors = query_params(options)
    self.decoding[stream] = options.skip and prepared.result or nil
    C.mp_encode_execute(buf, self.version, options.tracing and C.MP_FLAG_TRACING or 0, stream, str(prepared.id),
      str(options.metadata_id or prepared.result_metadata_id or ""), params)
    return anchors
  end)
end

function Conn:execute(prepared, values, options) return self:wait(self:start_execute(prepared, values, options)) end

function Conn:options()
  return self:wait(self:ask(function(buf, stream) C.mp_encode_options(buf, self.version, stream) end))
end

function Conn:register(...)
  local names, list = { ... }, nil
  return self:wait(self:ask(function(buf, stream)
    list = ffi.new("struct mp_str[?]", #names)
    for i, name in ipairs(names) do list[i - 1] = str(name) end
    C.mp_encode_register(buf, self.version, stream, list, #names)
  end))
end

function Conn:startup(extra)
  return self:wait(self:ask(function(buf, stream)
    local pairs_of = ffi.new("struct mp_pair[2]")
    pairs_of[0].key, pairs_of[0].value = str "CQL_VERSION", str "3.0.0"
    if extra then pairs_of[1].key, pairs_of[1].value = str(extra[1]), str(extra[2]) end
    C.mp_encode_startup(buf, self.version, stream, pairs_of, extra and 2 or 1)
  end))
end

function Conn:authenticate(user, password)
  local token = "\0" .. user .. "\0" .. password
  return self:wait(self:ask(function(buf, stream)
    C.mp_encode_auth_response(buf, self.version, stream, token, #token)
  end))
end

function Conn:close()
  if not self.sock.closed then self.sock:close() end
  C.mp_decoder_deinit(self.decoder)
  self.decoder = nil
end

-- ---- worlds -----------------------------------------------------------------------------------------------

local World = {}
World.__index = World

function raw.world(options)
  options = options or {}
  local loop = loops.sim(options.seed or 1)
  local o = ffi.new "struct mp_sim_options"
  for key, value in pairs(options) do -- the caller's table keeps the strings alive
    if type(value) == "string" then
      value = ffi.cast("const char *", value)
    end
    o[key] = value
  end
  local err = ffi.new "int[1]"
  local cluster = C.mp_sim_cluster_new(loop.handle, o, err)
  assert(cluster ~= nil, "no cluster: " .. err[0])
  return setmetatable({ loop = loop, cluster = cluster, conns = {} }, World)
end

function World:info(node)
  local info = ffi.new "struct mp_sim_node_info"
  assert(C.mp_sim_node_info(self.cluster, node - 1, info) == 0)
  return info
end

-- options: version (5), manual (no handshake), user, password
function World:connect(node, options)
  options = options or {}
  local version = options.version or 5
  local conn = setmetatable({ loop = self.loop, version = version, stream = 0, answers = {}, got = {}, events = {},
    decoding = {}, bytes = "", out = "" }, Conn)
  conn.decoder = ffi.new "struct mp_decoder"
  C.mp_decoder_init(conn.decoder, true, 64 * 1024 * 1024)
  local failure
  local callback = ffi.cast(sim_world.types["int (*)(void *, const struct mp_envelope *)"], function(_, envelope)
    local ok, why = xpcall(on_envelope, debug.traceback, conn, envelope)
    failure = not ok and why or failure
    return ok and 0 or -1
  end)
  conn.callback = callback
  local addr = options.addr or self:info(node).addr
  local sock = assert(self.loop:connect(addr, {
    read = function(_, bytes)
      conn.bytes = conn.bytes .. bytes
      if conn.bad then return end
      local rc = C.mp_decoder_feed(conn.decoder, bytes, #bytes, callback, nil)
      if failure then error(failure, 0) end
      if rc < 0 then conn.bad = ffi.string(conn.decoder.why) end
    end,
    ["end"] = function(_, rc) conn.ended = rc end,
    writable = function()
      conn.blocked = false
      conn:pump()
    end,
  }))
  conn.sock = sock
  self.conns[#self.conns + 1] = conn
  self.loop:until_true(function() return sock.connected end, 300000)
  conn.refused = sock.connected ~= 0 and sock.connected or nil
  if conn.refused or options.manual then return conn end
  local answer = conn:startup()
  if answer and answer.kind == "authenticate" and options.user then
    answer = conn:authenticate(options.user, options.password)
  end
  conn.hello = answer
  return conn
end

local function node_verb(name)
  World[name] = function(self, node)
    assert(C["mp_sim_node_" .. name](self.cluster, node - 1) == 0, name .. " is not possible")
  end
end
for _, name in ipairs { "kill", "start", "pause", "resume", "drain" } do node_verb(name) end

-- Virtual time, with the others' belief in it.
function World:pass(ms) self.loop:pass(ms) end

function World:schema(cql)
  local why = ffi.new "char[512]"
  assert(C.mp_sim_schema_change(self.cluster, str(cql), why) == 0, ffi.string(why))
end

function World:received(op, node)
  return tonumber(C.mp_sim_received(self.cluster, node and node - 1 or -1, str(op), false)),
    tonumber(C.mp_sim_received(self.cluster, node and node - 1 or -1, str(op), true))
end

-- fields of struct mp_sim_rule_spec; opcode and action by the end of their C names; error: { code = "OVERLOADED", ... }
function World:rule(fields)
  local spec = ffi.new "struct mp_sim_rule_spec"
  spec.node, spec.opcode = -1, -1
  spec.statement, spec.raw = str(fields.statement or ""), str(fields.raw or "")
  for key, value in pairs(fields) do
    if key == "action" then spec.action = C["MP_SIM_" .. value]
    elseif key == "opcode" then spec.opcode = C["MP_OP_" .. value]
    elseif key == "node" then spec.node = value - 1
    elseif key == "error" then
      for name, field in pairs(value) do
        spec.error.body[name] = name == "code" and C["MP_SE_" .. field] or field
      end
      spec.error.set = true
    elseif key ~= "statement" and key ~= "raw" then spec[key] = value end
  end
  local number = C.mp_sim_add_rule(self.cluster, spec)
  assert(number > 0)
  local world = self
  return {
    hits = function() return tonumber(C.mp_sim_rule_hits(world.cluster, number)) end,
    remove = function() C.mp_sim_remove_rule(world.cluster, number) end,
  }
end

-- The nodes (from 1) that keep a key of a keyspace.
function World:replicas(keyspace, key)
  local out = ffi.new "uint16_t[32]"
  local bytes = ffi.new("struct mp_bytes", ffi.cast("const uint8_t *", key), #key)
  local list = {}
  for i = 1, tonumber(C.mp_sim_replicas_of(self.cluster, str(keyspace), bytes, out, 32)) do list[i] = out[i - 1] + 1 end
  return list
end

function World:close()
  for _, conn in ipairs(self.conns) do
    conn:close()
    conn.callback:free()
    conn.decoding = {}
  end
  C.mp_sim_cluster_free(self.cluster)
  self.loop:pass(1000)
  self.loop:close()
end

return raw
