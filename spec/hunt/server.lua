-- SPDX-License-Identifier: Apache-2.0
-- A node that keeps the protocol up to some moment and then sends what it should not: envelopes with bits, bytes and
-- lengths changed, cut short, drawn out, mixed with others', said twice. A session talks to three such nodes; whatever
-- they say, each request ends once, the session closes, nothing is left, and an honest cluster is served again.
local random = require "spec.hunt.random"
local session_world = require "spec.support.session_world"

local server = { suite = 60 } -- seeds in the suite

local NASTY = { "\0\0\0\0", "\255\255\255\255", "\127\255\255\255", "\128\0\0\0", "\0\0\255\255", "\0\0\0\1",
  "\255\255", "\0\0", "\128\0", "\0\1" }
local HEADER = 9

local function replaced(bytes, at, by)
  return bytes:sub(1, at - 1) .. by .. bytes:sub(at + #by)
end

-- One change to an envelope; the header is spared most of the time, so that what is inside is read.
local changes = {
  function(r, bytes, at) return replaced(bytes, at, string.char(r.below(256))) end,
  function(r, bytes, at) return replaced(bytes, at, string.char(2 ^ r.below(8))) end,
  function(r, bytes, at) return replaced(bytes, at, r.pick(NASTY)):sub(1, #bytes) end,
  function(r, bytes) return bytes:sub(1, HEADER + r.below(#bytes - HEADER + 1)) end,
  function(r, bytes, at) return bytes:sub(1, at) .. bytes:sub(at, at + r.below(64)) .. bytes:sub(at + 1) end,
  function(r, bytes, at) return bytes:sub(1, at - 1) .. bytes:sub(at + 1 + r.below(16)) end,
  function(r, bytes, _, last) return bytes:sub(1, HEADER) .. (r.chance(2) and last or bytes):sub(HEADER + 1) end,
}

-- The length in the header as the body is, unless the change is to be about just that.
local function with_length(bytes)
  local length = #bytes - HEADER
  return bytes:sub(1, 5) .. string.char(math.floor(length / 2 ^ 24) % 256, math.floor(length / 65536) % 256,
    math.floor(length / 256) % 256, length % 256) .. bytes:sub(HEADER + 1)
end

local function spoiler(r, state)
  local last = ("\0"):rep(HEADER + 4)
  return function(bytes)
    local kept = bytes
    if not state.on or #bytes <= HEADER or not r.chance(state.rate) then
      last = kept
      return bytes
    end
    state.spoiled = state.spoiled + 1
    for _ = 1, 1 + r.below(3) do
      if #bytes <= HEADER then break end
      local at = r.chance(12) and 1 + r.below(HEADER) or HEADER + 1 + r.below(#bytes - HEADER)
      bytes = r.pick(changes)(r, bytes, at, last)
    end
    last = kept
    if #bytes >= HEADER and not r.chance(12) then bytes = with_length(bytes) end
    return r.chance(20) and bytes .. bytes or bytes
  end
end

local function read_metadata(prepared)
  for _, metadata in ipairs { prepared.params, prepared.result } do
    if metadata ~= nil then
      for i = 0, metadata.column_count - 1 do assert(metadata.columns[i].name.len < 65536) end
    end
  end
end

local function traffic(world, r, statements)
  for _ = 1, 1 + r.below(6) do
    local kind = r.below(4)
    if kind == 0 then
      local cql = r.pick { "SELECT v FROM t", "UPDATE t SET v = 1", "SELECT v FROM t WHERE k = ?" }
      local record = world:begin_prepare(cql)
      world:until_true(function() return record.done or record.rc ~= 0 end, 30000)
      if record.prepared then
        read_metadata(record.prepared)
        statements[#statements + 1] = record.prepared
      end
    elseif kind == 1 and #statements > 0 then
      world:submit(r.pick(statements), { idempotent = r.chance(2), page_size = r.below(3) })
    else
      world:submit(r.pick { "SELECT v FROM t", "UPDATE t SET v = 2", "INSERT INTO t (v) VALUES (now())",
        "CREATE TABLE t (k int PRIMARY KEY)" }, { idempotent = r.chance(2), trace = r.chance(4) })
    end
  end
  local node = r.pick(world.nodes)
  if r.chance(4) then world:event(node, "STATUS_CHANGE", r.pick { "UP", "DOWN" }, r.pick(world.nodes)) end
  if r.chance(4) then world:schema_event(node, "UPDATED", "TABLE", "ks", "t") end
  if r.chance(6) then
    for _, each in ipairs(world.nodes) do each.known = {} end
  end
end

function server.run(seed)
  local r = random.new(seed)
  local version = r.pick { 3, 4, 5, 5 }
  local world = session_world.open {
    seed = seed, nodes = { {}, {}, {} }, contacts = { "127.0.0.1", "127.0.0.2", "127.0.0.3" },
    config = { protocol_version = r.chance(3) and version or 0, request_timeout_ms = 800, connect_timeout_ms = 400,
      discovery_interval_ms = 300, keyspace = r.chance(2) and "ks" or nil, local_dc = "dc1" },
  }
  world.hostile = true
  world.shapes["SELECT v FROM t WHERE k = ?"] = { params = { { "k", "int" } }, pk_indexes = { 0 },
    columns = { { "v", "text" } } }
  local state = { on = r.chance(2), rate = r.pick { 1, 2, 5, 20 }, spoiled = 0 }
  for _, node in ipairs(world.nodes) do node.peer.spoil = spoiler(r, state) end
  local connect = world:begin_connect()
  world:until_true(function() return connect.done end, 60000)
  state.on = true
  local statements = {}
  if not connect.err then
    for _ = 1, 3 do
      traffic(world, r, statements)
      world:pass(r.below(400))
    end
    world:until_true(function() return world.open_requests == 0 end, 60000)
  end
  -- Honest nodes are served, whatever was said before.
  state.on = false
  world:pass(3000)
  if connect.err then assert(world:connect() == nil, "an honest cluster is not connected to") end
  world:until_true(function() return world:up_count() == 3 end, 60000)
  local record
  for _ = 1, 3 do record = world:execute "SELECT v FROM t" end
  assert(record.err == nil, record.err and record.err.message)
  world:close()
end

return server
