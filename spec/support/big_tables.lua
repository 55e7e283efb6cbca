-- SPDX-License-Identifier: Apache-2.0
-- System tables of any length for the scripted nodes of a session world: the rows are made once, as bytes.
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local big_tables = {}

local function ip(i) return string.char(127, 77 + math.floor(i / 65536), math.floor(i / 256) % 256, i % 256) end

-- The columns of session_world.peers_v2_columns. fields: host_id, dc, rack, tokens
function big_tables.peer(i, port, fields)
  fields = fields or {}
  local host_id = ("p"):rep(8) .. string.char(0, 0, 0, 0, 0, math.floor(i / 65536), math.floor(i / 256) % 256, i % 256)
  return rows.bytes { ip(i), ip(i), rows.int(port), fields.host_id or host_id, fields.dc or "dc1", fields.rack or "r1",
    "5.0.0", rows.collection(fields.tokens or { tostring(i * 7777777777) }) }
end

function big_tables.peers(count, port, fields_of)
  local list = {}
  for i = 1, count do list[i] = big_tables.peer(i, port, fields_of and fields_of(i)) end
  return { columns = session_world.peers_v2_columns, bytes = table.concat(list), count = count }
end

function big_tables.keyspaces(count)
  local list = {}
  local replication = rows.collection({ "class", "SimpleStrategy", "replication_factor", "3" }, 2)
  for i = 1, count do list[i] = rows.bytes { "keyspace" .. i, replication } end
  return { columns = { { "keyspace_name", "text" }, { "replication", "map<text, text>" } }, bytes = table.concat(list),
    count = count }
end

-- The node answers questions about that table with those rows.
function big_tables.answer(node, table_name, answer)
  local before = node.peer.on.QUERY
  node.peer.on.QUERY = function(link, request)
    if request.cql:find("FROM " .. table_name .. "$") then
      rows.send_bytes(link, request, answer.columns, answer.bytes, answer.count)
      return true
    end
    return before and before(link, request)
  end
end

return big_tables
