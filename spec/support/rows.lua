-- SPDX-License-Identifier: Apache-2.0
-- Results as a scripted node sends them: rows of named, typed columns with their values as bytes, and prepared
-- statements.
local ffi = require "ffi"
local C = require "spec.support.c"
local peers = require "spec.support.peer"

local rows = {}
local str = peers.str

local function be(value, bytes)
  local out = {}
  for i = bytes, 1, -1 do
    out[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(out)
end

function rows.int(value) return be(value % 4294967296, 4) end

function rows.inet(text)
  local addr = ffi.new "struct mp_addr"
  assert(C.mp_addr_parse_ip(text, 0, addr) == 0)
  return ffi.string(addr.ip, addr.ip_len)
end

-- A set or a list of byte strings; a map as a list of keys and values one after the other.
function rows.collection(values, per_element)
  local out = { rows.int(#values / (per_element or 1)) }
  for _, value in ipairs(values) do
    out[#out + 1] = rows.int(#value)
    out[#out + 1] = value
  end
  return table.concat(out)
end

-- What a node says must not want memory where a spec lets one allocation fail: it is asked for a second time.
local function twice(fn, ...)
  local made = fn(...)
  if made == nil then made = fn(...) end
  assert(made ~= nil, "no memory")
  return made
end

-- columns: { { "name", "text" }, ... } or { "name", "text", "keyspace", "table" }. The caller unrefs.
function rows.metadata(columns, pk_indexes)
  local metadata = twice(C.mp_metadata_new, #columns)
  for i, column in ipairs(columns) do
    local slot = metadata.columns[i - 1]
    slot.name = str(column[1])
    slot.type = twice(C.mp_type_parse, str(column[2]), metadata.arena)
    slot.keyspace = str(column[3] or "ks")
    slot.table = str(column[4] or "t")
  end
  if pk_indexes then
    local indexes = ffi.cast("uint16_t *", twice(C.mp_arena_alloc, metadata.arena, 2 * #pk_indexes))
    for i, index in ipairs(pk_indexes) do indexes[i - 1] = index end
    metadata.pk_count, metadata.pk_indexes = #pk_indexes, indexes
  end
  return metadata
end

-- data: a list of rows, each a list of byte strings; false: null. options: skip_metadata, new_metadata_id, paging_state
function rows.send(link, request, columns, data, options)
  options = options or {}
  link.owed[request.stream] = nil
  link:send(function(buf)
    local metadata = rows.metadata(columns)
    local head = ffi.new "struct mp_rows_head"
    head.metadata = metadata
    head.skip_metadata = options.skip_metadata or false
    if options.new_metadata_id then head.new_metadata_id = str(options.new_metadata_id) end
    local mark = C.mp_encode_rows_begin(buf, link.version, request.stream, head)
    for _, row in ipairs(data) do
      for i = 1, #columns do
        local value = row[i]
        if value then
          C.mp_buf_i32(buf, #value)
          C.mp_buf_bytes(buf, value, #value)
        else
          C.mp_write_null(buf)
        end
      end
    end
    C.mp_encode_rows_end(buf, mark, #data)
    C.mp_metadata_unref(metadata)
  end)
end

-- The same of rows that are bytes already, `count` of them.
function rows.send_bytes(link, request, columns, bytes, count)
  link.owed[request.stream] = nil
  link:send(function(buf)
    local metadata = rows.metadata(columns)
    local head = ffi.new "struct mp_rows_head"
    head.metadata = metadata
    local mark = C.mp_encode_rows_begin(buf, link.version, request.stream, head)
    C.mp_buf_bytes(buf, bytes, #bytes)
    C.mp_encode_rows_end(buf, mark, count)
    C.mp_metadata_unref(metadata)
  end)
end

-- A row of byte strings (false: null) as bytes.
function rows.bytes(values)
  local out = {}
  for i, value in ipairs(values) do out[i] = value and rows.int(#value) .. value or "\255\255\255\255" end
  return table.concat(out)
end

function rows.void(link, request)
  link.owed[request.stream] = nil
  link:send(function(buf) C.mp_encode_result_void(buf, link.version, request.stream) end)
end

-- options: params, pk_indexes, result (columns), metadata_id
function rows.prepared(link, request, id, options)
  options = options or {}
  link.owed[request.stream] = nil
  link:send(function(buf)
    local params = rows.metadata(options.params or {}, options.pk_indexes)
    local result = rows.metadata(options.result or {})
    C.mp_encode_result_prepared(buf, link.version, request.stream, str(id), str(options.metadata_id or "m1"), params,
      result)
    C.mp_metadata_unref(params)
    C.mp_metadata_unref(result)
  end)
end

-- fields: code, message, consistency, required, received, write_type, data_present, id ...
function rows.error(link, request, fields)
  link.owed[request.stream] = nil
  link:send(function(buf)
    local body = ffi.new "struct mp_error_body"
    for key, value in pairs(fields) do
      body[key] = type(value) == "string" and str(value) or value
    end
    C.mp_encode_error(buf, link.version, request.stream, body)
  end)
end

return rows
