-- SPDX-License-Identifier: Apache-2.0
-- A scripted node for the specs of link/ and pool/: a listener that speaks the protocol as it is told, or not at all.
-- It shakes hands by itself; every other request goes to `peer.on_request(link, request)`, or is kept in
-- `link.requests` to be answered later. `peer.on[OPCODE](link, request)` replaces what it does for one opcode and
-- returns true; raw bytes may be sent at any time. A node never lacks memory: allocations that are made to fail are the
-- client's (spec/support/faults/spared.lua).
local ffi = require "ffi"
local C = require "spec.support.c"
local spared = require "spec.support.faults.spared"

local peer_module = {}

local opcode_names = {
  [0x01] = "STARTUP", [0x05] = "OPTIONS", [0x07] = "QUERY", [0x09] = "PREPARE", [0x0a] = "EXECUTE",
  [0x0b] = "REGISTER", [0x0d] = "BATCH", [0x0f] = "AUTH_RESPONSE",
}

function peer_module.str(text)
  return ffi.new("struct mp_str", ffi.cast("const char *", text), #text)
end
local str = peer_module.str

function peer_module.text(s)
  return s.data ~= nil and ffi.string(s.data, s.len) or ""
end

-- The bytes that `fill(buf)` appends, as one string.
peer_module.bytes = spared(function(fill)
  local buf = ffi.new "struct mp_buf"
  C.mp_buf_init(buf)
  fill(buf)
  local bytes = C.mp_buf_status(buf) == 0 and ffi.string(buf.data, buf.len)
  C.mp_buf_deinit(buf)
  return bytes or error "no memory for the node's answer"
end)
local bytes_of = peer_module.bytes

local Link = {}
Link.__index = Link

local Peer = {}
Peer.__index = Peer

-- ---- sending ----------------------------------------------------------------------------------------------

function Link:pump()
  if self.closed or #self.out == 0 then return end
  self.blocked = false
  local bytes = table.concat(self.out)
  local span = ffi.new "struct mp_span"
  span.data, span.len = ffi.cast("const void *", bytes), #bytes
  local took = math.max(0, tonumber(C.mp_sock_writev(self.sock, span, 1)))
  self.blocked = took < #bytes
  self.out = self.blocked and { bytes:sub(took + 1) } or {}
end

-- Bytes that the TLS of this link wants to send, by `make(wire)`: the result of `make`.
function Link:records(make)
  local wire = ffi.new "struct mp_buf"
  C.mp_buf_init(wire)
  local rc = make(wire)
  if wire.len > 0 then
    self.out[#self.out + 1] = ffi.string(wire.data, wire.len)
    if not self.blocked then self:pump() end
  end
  C.mp_buf_deinit(wire)
  return rc
end

function Link:raw(bytes)
  if self.closed or bytes == "" then return end
  if self.tls then
    local rc = self:records(function(wire) return C.mp_sim_tls_write(self.tls, bytes, #bytes, wire) end)
    assert(rc == 0)
    return
  end
  self.out[#self.out + 1] = bytes
  if not self.blocked then self:pump() end
end

-- Bodies of v3 and v4: each is compressed, also where it becomes larger by that.
local function compressed_bodies(bytes, kind)
  local out, at = {}, 1
  while at <= #bytes do
    local a, b, c, d = bytes:byte(at + 5, at + 8)
    local len = ((a * 256 + b) * 256 + c) * 256 + d
    local body = bytes:sub(at + 9, at + 8 + len)
    local packed = bytes_of(function(buf) C.mp_compress_body(kind, body, #body, buf) end)
    out[#out + 1] = bytes:sub(at, at) .. string.char(bit.bor(bytes:byte(at + 1), 1)) .. bytes:sub(at + 2, at + 4)
      .. bytes_of(function(buf) C.mp_buf_u32(buf, #packed) end) .. packed
    at = at + 9 + len
  end
  return table.concat(out)
end

-- Envelopes as they go over the wire now: in a segment on v5, and compressed if that was agreed on.
function Link:framed(bytes)
  local kind = self.compression
  if not self.segmented then return kind and compressed_bodies(bytes, kind) or bytes end
  return bytes_of(function(buf)
    if kind then
      C.mp_segment_append_lz4(buf, bytes, #bytes)
      return
    end
    local begin = C.mp_segment_begin(buf)
    C.mp_buf_bytes(buf, bytes, #bytes)
    C.mp_segment_end(buf, begin)
  end)
end

-- `peer.spoil(bytes, link)` may give other bytes than the node means to send: before the segment's checksum on v5.
function Link:send(fill)
  local bytes = bytes_of(fill)
  if self.peer.spoil then bytes = self.peer.spoil(bytes, self) end
  self:raw(self:framed(bytes))
end

-- ---- answers ----------------------------------------------------------------------------------------------

function Link:echo_bytes(request, text)
  self.owed[request.stream] = nil
  return bytes_of(function(buf)
    C.mp_encode_result_keyspace(buf, self.version, request.stream, str(text or request.cql))
  end)
end

-- Answers by a result that carries the request's text back.
function Link:echo(request, text)
  self:raw(self:framed(self:echo_bytes(request, text)))
end

function Link:error(request, code, message, version)
  self.owed[request.stream] = nil
  self:send(function(buf)
    local body = ffi.new "struct mp_error_body"
    body.code = code
    body.message = str(message)
    C.mp_encode_error(buf, version or self.version, request.stream, body)
  end)
end

function Link:supported(request, versions)
  self.owed[request.stream] = nil
  self:send(function(buf)
    local keys = { "CQL_VERSION", "PROTOCOL_VERSIONS", "WHAT_IS_THIS", "COMPRESSION" }
    local values = { { "3.4.6" }, versions, { "new" }, self.peer.compression or {} }
    local map, lists = ffi.new("struct mp_multi[4]"), {}
    for i, key in ipairs(keys) do
      lists[i] = ffi.new("struct mp_str[?]", #values[i])
      for j, value in ipairs(values[i]) do lists[i][j - 1] = str(value) end
      map[i - 1].key, map[i - 1].values, map[i - 1].count = str(key), lists[i], #values[i]
    end
    C.mp_encode_supported(buf, self.version, request.stream, map, 4)
  end)
end

function Link:ready(request)
  self.owed[request.stream] = nil
  self:send(function(buf) C.mp_encode_ready(buf, self.version, request.stream) end)
end

-- system.local: one row of the cluster's name and the host's id (16 bytes).
function Link:identity(request, name, host_id)
  self.owed[request.stream] = nil
  self:send(function(buf)
    local metadata = C.mp_metadata_new(2)
    local types = ffi.new("struct mp_type[2]")
    types[0].id, types[1].id = C.MP_TYPE_VARCHAR, C.MP_TYPE_UUID
    for i, column in ipairs { "cluster_name", "host_id" } do
      metadata.columns[i - 1].keyspace = str "system"
      metadata.columns[i - 1].table = str "local"
      metadata.columns[i - 1].name = str(column)
      metadata.columns[i - 1].type = types + (i - 1)
    end
    local head = ffi.new "struct mp_rows_head"
    head.metadata = metadata
    local mark = C.mp_encode_rows_begin(buf, self.version, request.stream, head)
    for _, value in ipairs { name, host_id } do
      local begin = C.mp_write_value_begin(buf)
      C.mp_buf_bytes(buf, value, #value)
      C.mp_write_value_end(buf, begin)
    end
    C.mp_encode_rows_end(buf, mark, 1)
    C.mp_metadata_unref(metadata)
  end)
end

function Link:event()
  self:send(function(buf)
    local addr = ffi.new "struct mp_addr"
    assert(C.mp_addr_parse_ip("127.0.0.9", 9042, addr) == 0)
    C.mp_encode_event_addr(buf, self.version, "STATUS_CHANGE", "UP", addr)
  end)
end

-- `cut`: with TLS, without saying so.
function Link:close(reset, cut)
  if self.closed then return end
  if self.tls and not reset and not cut and C.mp_sim_tls_is_open(self.tls) then
    self:records(function(wire) return C.mp_sim_tls_end(self.tls, wire) end)
  end
  self.closed = true
  C.mp_sock_close(self.sock, reset or false)
  C.mp_decoder_deinit(self.decoder)
end

function Link:shutdown() C.mp_sock_shutdown(self.sock) end
function Link:stop() C.mp_sock_read_stop(self.sock) end
function Link:start() C.mp_sock_read_start(self.sock) end

for name, method in pairs(Link) do
  if name ~= "__index" then Link[name] = spared(method) end
end

-- ---- the handshake as a node does it ----------------------------------------------------------------------

-- Up to v4 the answer to STARTUP is compressed, too.
local function switch_compression(link)
  local asked = link.startup:match "COMPRESSION%z.(%w+)"
  if not asked then return end
  local kind = C.mp_compression_find(str(asked))
  assert(kind > 0 and C.mp_compression_serves(kind, link.version), "asked for " .. asked)
  link.compression = kind
  C.mp_decoder_use_compression(link.decoder, kind)
end

local function switch_framing(link)
  if link.version < 5 then return end
  switch_compression(link)
  link.segmented = true
  C.mp_decoder_use_segments(link.decoder)
end

local default = {}

function default.OPTIONS(link, request)
  link:supported(request, link.peer.listed)
end

function default.STARTUP(link, request)
  local peer = link.peer
  if link.version < 5 then switch_compression(link) end
  if peer.auth then
    link:send(function(buf)
      C.mp_encode_authenticate(buf, link.version, request.stream, str(peer.auth.class or "PasswordAuthenticator"))
    end)
  else
    link:ready(request)
  end
  switch_framing(link)
end

function default.AUTH_RESPONSE(link, request)
  local auth = link.peer.auth
  link.tokens[#link.tokens + 1] = request.token
  if auth.silent then return end
  if auth.challenges and #link.tokens <= auth.challenges then
    link:send(function(buf)
      C.mp_encode_auth_challenge(buf, link.version, request.stream, str(auth.challenge or "more"))
    end)
  elseif auth.challenges or request.token == "\0" .. auth.username .. "\0" .. auth.password then
    link:send(function(buf) C.mp_encode_auth_success(buf, link.version, request.stream, str "") end)
  else
    link:error(request, C.MP_SE_BAD_CREDENTIALS, "Provided username and/or password are incorrect")
  end
end

function default.REGISTER(link, request)
  link.registered = true
  link:ready(request)
end

function default.QUERY(link, request)
  local peer = link.peer
  if request.cql:find("^SELECT cluster_name, host_id FROM system.local") then
    link:identity(request, peer.cluster_name, peer.host_id)
  elseif request.cql:find '^USE "' then
    link.used = request.cql:match '^USE "(.*)"$'
    if link.used == "missing" then
      link:error(request, C.MP_SE_INVALID, "Keyspace 'missing' does not exist")
    else
      link:echo(request, link.used)
    end
  else
    return false
  end
  return true
end

local function on_request(link, request)
  local peer = link.peer
  local own = peer.on[request.opcode]
  if own and own(link, request) then return end
  if not peer.versions[request.version] then
    link:error(request, C.MP_SE_PROTOCOL_ERROR, peer.version_message, peer.version_answered)
    return
  end
  local step = default[request.opcode]
  if step and step(link, request) ~= false then return end
  if peer.on_request then return peer.on_request(link, request) end
  link.requests[#link.requests + 1] = request
end

local function read_request(link, envelope)
  if link.closed then return C.MP_ECLOSED end
  local body = ffi.new "struct mp_request_body"
  assert(C.mp_decode_request(envelope, body) == 0)
  link.version = link.version or envelope.version
  local request = {
    opcode = opcode_names[envelope.opcode], version = envelope.version, stream = envelope.stream,
    cql = peer_module.text(body.cql), token = peer_module.text(body.token), id = peer_module.text(body.id),
    keyspace = peer_module.text(body.keyspace) .. peer_module.text(body.params.keyspace),
    consistency = body.params.consistency,
    values = peer_module.text(body.params.values), skip_metadata = body.params.skip_metadata,
    metadata_id = peer_module.text(body.result_metadata_id),
  }
  if envelope.opcode == C.MP_OP_OPTIONS and link.started then link.heartbeats = link.heartbeats + 1 end
  if envelope.opcode == C.MP_OP_STARTUP then
    link.started = true
    link.startup = ffi.string(envelope.body, envelope.body_len)
  end
  link.seen[#link.seen + 1] = request.opcode
  -- INV5: an id comes again only after its answer went out.
  if link.owed[request.stream] then error("stream " .. request.stream .. " is used twice at a time") end
  local tracked = request.opcode ~= "STARTUP" and request.opcode ~= "AUTH_RESPONSE"
  link.owed[request.stream] = tracked or nil
  on_request(link, request)
  return link.closed and C.MP_ECLOSED or 0
end

-- ---- the listener -----------------------------------------------------------------------------------------

local function id_of(data) return tonumber(ffi.cast("uintptr_t", data)) end

-- What the client's records say; nil when it was refused, or has ended.
local function plain_of(link, bytes, len)
  local plain = ffi.new "struct mp_buf"
  C.mp_buf_init(plain)
  local rc = link:records(function(wire) return C.mp_sim_tls_feed(link.tls, bytes, len, plain, wire) end)
  local said = plain.len > 0 and ffi.string(plain.data, plain.len) or ""
  C.mp_buf_deinit(plain)
  if rc == C.MP_EEOF then link.notified = true end
  if rc ~= 0 and rc ~= C.MP_EEOF then
    link.tls_error = rc
    link:close(false, true)
    return ""
  end
  return said
end

local function make_callbacks(peer, loop)
  local links = peer.links
  peer.on_envelope = loop:callback("int (*)(void *, const struct mp_envelope *)", function(data, envelope)
    return read_request(links[id_of(data)], envelope)
  end)
  local events = loop:keep(ffi.new "struct mp_sock_events")
  events.on_read = loop:callback("void (*)(void *, const uint8_t *, size_t)", spared(function(data, bytes, len)
    local link = links[id_of(data)]
    link.received = link.received + tonumber(len)
    if peer.sips then link:stop() end -- a thin line: one piece, until the spec lets it go on
    if peer.deaf then return end
    local said
    if link.tls then
      said = plain_of(link, bytes, len)
      bytes, len = ffi.cast("const uint8_t *", said), #said
      if len == 0 or link.closed then return end
    end
    local rc = C.mp_decoder_feed(link.decoder, bytes, len, peer.on_envelope, data)
    if rc ~= 0 and not link.closed then error("the peer cannot read: " .. ffi.string(link.decoder.why)) end
  end))
  events.on_end = loop:callback("void (*)(void *, int)", function(data, rc)
    local link = links[id_of(data)]
    link.ended = rc
    if not peer.lingers then link:close() end
  end)
  events.on_writable = loop:callback("void (*)(void *)", function(data) links[id_of(data)]:pump() end)
  return events
end

local accept = spared(function(peer, sock, events)
  local id = #peer.links + 1
  local link = setmetatable({
    peer = peer, id = id, sock = sock, decoder = ffi.new "struct mp_decoder", out = {}, owed = {}, requests = {},
    seen = {}, tokens = {}, received = 0, heartbeats = 0,
  }, Link)
  C.mp_decoder_init(link.decoder, false, 64 * 1024 * 1024)
  peer.links[id] = link
  if peer.tls then link.tls = ffi.gc(C.mp_sim_tls_new(peer.tls), C.mp_sim_tls_free) end
  C.mp_sock_adopt(sock, events, ffi.cast("void *", id))
  if peer.on_accept then peer.on_accept(link) end
end)

-- options: versions (list), auth { username, password, challenges }, cluster_name, host_id, on, on_request ...
function peer_module.listen(loop, addr, options)
  local peer = setmetatable({
    loop = loop, links = {}, on = {}, cluster_name = "test cluster", host_id = ("h"):rep(16),
    version_message = "Invalid or unsupported protocol version", version_answered = nil,
  }, Peer)
  for key, value in pairs(options or {}) do peer[key] = value end
  local versions = {}
  peer.listed = peer.listed or {}
  for _, version in ipairs(peer.versions or { 3, 4, 5 }) do
    versions[version] = true
    peer.listed[#peer.listed + 1] = version .. "/v" .. version
  end
  peer.versions = versions
  local events = make_callbacks(peer, loop)
  local err = ffi.new "int[1]"
  peer.listener = C.mp_loop_listen(loop.handle, addr,
    loop:callback("void (*)(void *, struct mp_sock *)", function(_, sock) accept(peer, sock, events) end), nil, err)
  assert(peer.listener ~= nil)
  return peer
end

function Peer:open_links()
  local open = {}
  for _, link in ipairs(self.links) do
    if not link.closed then open[#open + 1] = link end
  end
  return open
end

function Peer:last() return self.links[#self.links] end

function Peer:unlisten()
  if self.listener ~= nil then C.mp_listener_close(self.listener) end
  self.listener = nil
end

function Peer:close()
  self:unlisten()
  for _, link in ipairs(self.links) do link:close() end
end

return peer_module
