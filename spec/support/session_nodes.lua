-- SPDX-License-Identifier: Apache-2.0
-- The scripted nodes of a session's world (session_world.lua): what they say of themselves in the system tables, how
-- they prepare and answer statements, and the events they send. Methods of the world.
local ffi = require "ffi"
local C = require "spec.support.c"
local sim_world = require "spec.support.sim_world"
local peers = require "spec.support.peer"
local rows = require "spec.support.rows"

local str = peers.str

local Nodes = {}

local node_columns = {
  { "host_id", "uuid" }, { "data_center", "text" }, { "rack", "text" }, { "release_version", "text" },
  { "tokens", "set<text>" },
}

local function columns_of(extra)
  local columns = {}
  for _, column in ipairs(extra) do columns[#columns + 1] = column end
  for _, column in ipairs(node_columns) do columns[#columns + 1] = column end
  return columns
end

local local_columns = columns_of {
  { "cluster_name", "text" }, { "partitioner", "text" }, { "rpc_address", "inet" }, { "rpc_port", "int" },
  { "schema_version", "uuid" },
}
local peers_v2_columns = columns_of { { "peer", "inet" }, { "native_address", "inet" }, { "native_port", "int" } }
local peers_columns = columns_of { { "peer", "inet" }, { "rpc_address", "inet" } }
Nodes.peers_v2_columns = peers_v2_columns

local function node_values(node, extra)
  local values = {}
  for _, value in ipairs(extra) do values[#values + 1] = value end
  local common = { node.host_id, node.dc, node.rack, "5.0.0", node.tokens and rows.collection(node.tokens) or false }
  for _, value in ipairs(common) do values[#values + 1] = value end
  return values
end

-- nil: as it is; false: null
local function said(node, field, value)
  if node.says[field] ~= nil then return node.says[field] end
  return value
end

local function local_row(world, node)
  return node_values(node, { world.cluster_name, said(node, "partitioner",
    "org.apache.cassandra.dht.Murmur3Partitioner"), said(node, "rpc_address", rows.inet(node.ip)),
    said(node, "rpc_port", rows.int(node.port)), world.schema_version })
end

local function peer_row(node, is_v2)
  local shown = setmetatable({}, { __index = function(_, key)
    if node.says[key] ~= nil then return node.says[key] end
    return node[key]
  end })
  local peer = said(node, "peer", rows.inet(node.ip))
  local address = said(node, "native_address", rows.inet(node.ip))
  if is_v2 then return node_values(shown, { peer, address, said(node, "native_port", rows.int(node.port)) }) end
  return node_values(shown, { peer, address })
end

local function send_peers(world, node, link, request, is_v2)
  local data = {}
  for _, other in ipairs(world.nodes) do
    if other ~= node and other.member then data[#data + 1] = peer_row(other, is_v2) end
  end
  for _, extra in ipairs(world.extra_peers or {}) do data[#data + 1] = peer_row(extra, is_v2) end
  if world.no_peers then data = {} end
  rows.send(link, request, is_v2 and peers_v2_columns or peers_columns, data)
end

local function send_keyspaces(world, link, request)
  local data = {}
  for name, options in pairs(world.keyspaces) do
    local map = {}
    for key, value in pairs(options) do map[#map + 1], map[#map + 2] = key, value end
    data[#data + 1] = { name, rows.collection(map, 2) }
  end
  rows.send(link, request, { { "keyspace_name", "text" }, { "replication", "map<text, text>" } }, data)
end

-- What a client asks who waits until all nodes have one schema. node.schema_version: its own one, false: none.
-- world.on_schema_question(link, request, of_peers) answers and returns true, or returns rows of peers that go before.
local function send_schema_versions(world, node, link, request)
  local data = {}
  local of_peers = request.cql:find "FROM system.peers"
  for _, other in ipairs(world.nodes) do
    local version = other.schema_version
    if version == nil then version = world.schema_version end
    if not of_peers and other == node then data[1] = { version } end
    if of_peers and other ~= node and other.member then data[#data + 1] = { other.host_id, version } end
  end
  local more = world.on_schema_question and world.on_schema_question(link, request, of_peers ~= nil)
  if more == true then return end
  for i, row in ipairs(of_peers and more or {}) do table.insert(data, i, row) end
  rows.send(link, request, of_peers and { { "host_id", "uuid" }, { "schema_version", "uuid" } } or
    { { "schema_version", "uuid" } }, data)
end

local function system(world, node, link, request)
  local cql = request.cql
  if cql:find "^SELECT schema_version FROM system" or cql:find "^SELECT host_id, schema_version FROM system" then
    send_schema_versions(world, node, link, request)
  elseif cql:find "FROM system.local" then
    world.refreshes = world.refreshes + 1
    rows.send(link, request, local_columns, said(node, "local_empty", false) and {} or { local_row(world, node) })
  elseif cql:find "FROM system.peers_v2" then
    if node.old_peers then
      link:error(request, C.MP_SE_INVALID, "unconfigured table peers_v2")
    else
      send_peers(world, node, link, request, true)
    end
  elseif cql:find "FROM system.peers" then
    send_peers(world, node, link, request, false)
  elseif cql:find "FROM system_schema.keyspaces" then
    send_keyspaces(world, link, request)
  else
    return false
  end
  return true
end

-- The id of a statement as a node makes it: its length and text, so that no two are the same.
local function id_of_statement(cql) return #cql .. ":" .. cql end

local function prepare(world, node, link, request)
  node.prepares = node.prepares + 1
  local id = id_of_statement(request.cql)
  node.known[id] = request.cql
  local shape = world.shapes[request.cql] or {}
  rows.prepared(link, request, shape.id or id, shape)
end

local result_columns = { { "v", "text" } }

-- A success as the statement has it.
function Nodes.succeed(_, node, link, request)
  local cql = request.cql ~= "" and request.cql or node.known[request.id] or ""
  if cql:find "^SELECT" then
    rows.send(link, request, result_columns, { { node.ip } }, { skip_metadata = request.skip_metadata })
  else
    rows.void(link, request)
  end
end

local function serve(world, node, link, request)
  if request.opcode == "QUERY" and system(world, node, link, request) then return end
  node.statements[#node.statements + 1] = request
  if world.on_statement and world.on_statement(node, link, request) then return end
  if request.opcode == "PREPARE" then return prepare(world, node, link, request) end
  if request.opcode == "EXECUTE" and not node.known[request.id] then
    return rows.error(link, request, { code = C.MP_SE_UNPREPARED, message = "who?", id = request.id })
  end
  world:succeed(node, link, request)
end

function Nodes:listen(node)
  node.addr = sim_world.addr(node.ip, node.port)
  node.peer = peers.listen(self.loop, node.addr, {
    versions = node.versions, cluster_name = self.cluster_name, host_id = node.host_id, auth = node.auth,
    on_request = function(link, request) serve(self, node, link, request) end,
  })
end

function Nodes:add_node(options)
  local i = #self.nodes + 1
  local node = {
    ip = "127.0.0." .. i, port = 9042, host_id = string.char(i):rep(16), dc = "dc1", rack = "r1", member = true,
    tokens = { tostring(-9000 + 1000 * i) }, says = {}, statements = {}, known = {}, prepares = 0,
  }
  for key, value in pairs(options or {}) do node[key] = value end
  self.nodes[i] = node
  if not node.dead then self:listen(node) end
  return node
end

function Nodes.kill(_, node)
  node.peer:unlisten()
  for _, link in ipairs(node.peer:open_links()) do link:close(true) end
end

function Nodes:start(node)
  self:listen(node)
  node.known = {}
end

-- An event to the control connections at this node.
function Nodes.event(_, node, kind, change, other)
  local addr = ffi.new "struct mp_addr"
  assert(C.mp_addr_parse_ip(other.ip, other.port or 9042, addr) == 0)
  for _, link in ipairs(node.peer:open_links()) do
    if link.registered then
      link:send(function(buf) C.mp_encode_event_addr(buf, link.version, kind, change, addr) end)
    end
  end
end

function Nodes.schema_event(_, node, change, target, keyspace, name)
  for _, link in ipairs(node.peer:open_links()) do
    if link.registered then
      link:send(function(buf)
        C.mp_encode_event_schema(buf, link.version, change, target, str(keyspace), str(name or ""))
      end)
    end
  end
end

-- One of a kind that nobody knows, the others unreadable.
function Nodes.odd_events(_, link)
  for _, body in ipairs { "", "\0\3ODD", "\0\15TOPOLOGY_CHANGE", "\0\13STATUS_CHANGE\0\2UP\4abc" } do
    link:send(function(buf)
      local begin = C.mp_envelope_begin(buf, link.version, true, 0, -1, C.MP_OP_EVENT)
      C.mp_buf_bytes(buf, body, #body)
      C.mp_envelope_end(buf, begin)
    end)
  end
end

function Nodes:control_node()
  for _, node in ipairs(self.nodes) do
    for _, link in ipairs(node.peer and node.peer:open_links() or {}) do
      if link.registered then return node, link end
    end
  end
end

return Nodes
