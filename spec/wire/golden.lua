-- SPDX-License-Identifier: Apache-2.0
-- Frames written by hand from native_protocol_v3, v4 and v5.spec. VV is the version byte of a request, RR that of a
-- response. `encode` must give these very bytes; `check` reads what was decoded from them. `spare` bytes at the end
-- may be missing without harm, because readers ignore what lies behind what they know.
local assert = require "luassert"
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"
local str, text = bytes.str, bytes.text

local M = {}

local function add(frame)
  for _, version in ipairs(frame.versions or { 3, 4, 5 }) do
    local hex = type(frame.hex) == "table" and frame.hex[version] or frame.hex
    hex = hex:gsub("VV", string.format("%02x", version)):gsub("RR", string.format("%02x", 0x80 + version))
    M[#M + 1] = {
      name = frame.name .. " in v" .. version, version = version, bytes = bytes.of(hex), encode = frame.encode,
      check = frame.check, spare = type(frame.spare) == "table" and frame.spare[version] or
        type(frame.spare) == "number" and frame.spare or 0,
    }
  end
end

-- Metadata from { { keyspace, table, name, type }, ... } and a list of partition key indexes.
function M.metadata(columns, pk)
  local metadata = ffi.gc(C.mp_metadata_new(#columns), C.mp_metadata_unref)
  for i, column in ipairs(columns) do
    local to = metadata.columns[i - 1]
    to.keyspace, to.table, to.name = str(column[1]), str(column[2]), str(column[3])
    to.type = C.mp_type_parse(str(column[4]), metadata.arena)
    assert(to.type ~= nil, column[4])
  end
  if pk then
    metadata.pk_count = #pk
    metadata.pk_indexes = ffi.cast("uint16_t *", C.mp_arena_alloc(metadata.arena, 2 * #pk))
    for i, index in ipairs(pk) do metadata.pk_indexes[i - 1] = index end
  end
  return metadata
end

function M.columns(metadata)
  local out = {}
  for i = 0, metadata.column_count - 1 do
    local column, buf = metadata.columns[i], bytes.buf()
    C.mp_type_format(buf, column.type)
    out[i + 1] = { text(column.keyspace), text(column.table), text(column.name), bytes.content(buf) }
  end
  return out
end

function M.params(fields)
  local params = ffi.new "struct mp_query_params"
  params.paging_state = bytes.value(nil)
  for name, value in pairs(fields) do params[name] = value end
  return params
end

-- A BATCH of { cql or id, count, values } statements. What it points to stays with it.
local kept = setmetatable({}, { __mode = "k" })
function M.batch(type, statements)
  local buf, batch = bytes.buf(), ffi.new "struct mp_batch_body"
  for _, statement in ipairs(statements) do
    C.mp_batch_put(buf, ffi.new("struct mp_batch_statement", { cql = str(statement.cql), id = str(statement.id),
      value_count = statement.count or 0, values = str(statement.values) }))
  end
  assert(not buf.failed)
  batch.type, batch.count = type, #statements
  batch.statements.data, batch.statements.len = ffi.cast("const char *", buf.data), buf.len
  kept[batch] = buf
  return batch
end

function M.batch_statements(run)
  local cursor, statement, out = C.mp_cursor_on(run.data, run.len), ffi.new "struct mp_batch_statement", {}
  while C.mp_batch_next(cursor, statement) do
    out[#out + 1] = { cql = text(statement.cql), id = text(statement.id), count = tonumber(statement.value_count),
      values = statement.value_count > 0 and text(statement.values) or nil }
  end
  assert.is_false(cursor.failed)
  return out
end

-- ---- requests ---------------------------------------------------------------------------------------------
add {
  name = "STARTUP",
  hex = "VV 00 0001 01 00000016 0001 000b 'CQL_VERSION' 0005 '3.0.0'",
  encode = function(buf, v)
    C.mp_encode_startup(buf, v, 1, ffi.new("struct mp_pair[1]", { { str "CQL_VERSION", str "3.0.0" } }), 1)
  end,
  check = function(r) assert.equal(bytes.of "0001 000b 'CQL_VERSION' 0005 '3.0.0'", bytes.rest(r.list)) end,
}
add {
  name = "OPTIONS",
  hex = "VV 00 0002 05 00000000",
  encode = function(buf, v) C.mp_encode_options(buf, v, 2) end,
  check = function(r) assert.equal(0x05, r.opcode) end,
}
add {
  name = "REGISTER",
  hex = "VV 00 0003 0b 00000022 0002 000f 'TOPOLOGY_CHANGE' 000d 'STATUS_CHANGE'",
  encode = function(buf, v)
    C.mp_encode_register(buf, v, 3, ffi.new("struct mp_str[2]", { str "TOPOLOGY_CHANGE", str "STATUS_CHANGE" }), 2)
  end,
  check = function(r) assert.equal(34, #bytes.rest(r.list)) end,
}
add {
  name = "AUTH_RESPONSE",
  hex = "VV 00 0004 0f 0000000c 00000008 00 'user' 00 'pw'",
  encode = function(buf, v) C.mp_encode_auth_response(buf, v, 4, "\0user\0pw", 8) end,
  check = function(r) assert.equal("\0user\0pw", text(r.token)) end,
}
add {
  name = "a bare QUERY",
  hex = {
    [3] = "VV 00 0005 07 0000000f 00000008 'SELECT 1' 0001 00",
    [4] = "VV 00 0005 07 0000000f 00000008 'SELECT 1' 0001 00",
    [5] = "VV 00 0005 07 00000012 00000008 'SELECT 1' 0001 00000000",
  },
  encode = function(buf, v) C.mp_encode_query(buf, v, 0, 5, str "SELECT 1", M.params { consistency = 1 }) end,
  check = function(r)
    assert.equal("SELECT 1", text(r.cql))
    assert.equal(1, r.params.consistency)
    assert.equal(0, r.params.value_count)
    assert.is_false(r.params.has_timestamp)
    assert.is_nil(text(r.params.paging_state))
  end,
}
local full_tail = [[ 0002 0001 'a' 00000004 00000007 0001 'b' ffffffff 00001388 00000002 abcd 0009 0005d0f1e2c3b4a5 ]]
add {
  name = "a QUERY with everything",
  hex = {
    [3] = "VV 02 7fff 07 00000030 00000001 'Q' 0006 7f" .. full_tail,
    [4] = "VV 02 7fff 07 00000030 00000001 'Q' 0006 7f" .. full_tail,
    [5] = "VV 02 7fff 07 00000037 00000001 'Q' 0006 000000ff" .. full_tail .. "0002 'ks'",
  },
  encode = function(buf, v)
    C.mp_encode_query(buf, v, 2, 32767, str "Q", M.params {
      consistency = 6, serial_consistency = 9, skip_metadata = true, named_values = true, value_count = 2,
      values = str(bytes.of "0001 'a' 00000004 00000007 0001 'b' ffffffff"), page_size = 5000,
      paging_state = bytes.value "\xab\xcd", has_timestamp = true, timestamp = 0x0005d0f1e2c3b4a5LL,
      keyspace = str "ks",
    })
  end,
  check = function(r, version)
    local p = r.params
    assert.same({ 6, 9, true, true, 2, 5000 }, { p.consistency, p.serial_consistency, p.skip_metadata, p.named_values,
      p.value_count, p.page_size })
    assert.equal(bytes.of "0001 'a' 00000004 00000007 0001 'b' ffffffff", text(p.values))
    assert.equal("\xab\xcd", text(p.paging_state))
    assert.is_true(p.has_timestamp and p.timestamp == 0x0005d0f1e2c3b4a5LL)
    assert.equal(version == 5 and "ks" or nil, text(p.keyspace))
  end,
}
-- A text with two values, one of which is null, and a prepared statement with none.
local members = "00 00000001 'Q' 0002 00000001 07 ffffffff 01 0002 beef 0000 "
add {
  name = "a BATCH",
  hex = {
    [3] = "VV 00 0006 0d 0000001e 01 0002" .. members .. "0006 00",
    [4] = "VV 00 0006 0d 0000001e 01 0002" .. members .. "0006 00",
    [5] = "VV 00 0006 0d 00000021 01 0002" .. members .. "0006 00000000",
  },
  encode = function(buf, v)
    C.mp_encode_batch(buf, v, 0, 6, M.batch(1, { { cql = "Q", count = 2, values = bytes.of "00000001 07 ffffffff" },
      { id = "\xbe\xef" } }), M.params { consistency = 6 })
  end,
  check = function(r)
    assert.same({ 1, 2, 6 }, { r.batch.type, r.batch.count, r.params.consistency })
    assert.same({ { cql = "Q", count = 2, values = bytes.of "00000001 07 ffffffff" },
      { id = "\xbe\xef", count = 0 } }, M.batch_statements(r.batch.statements))
  end,
}
add {
  name = "a BATCH with everything",
  hex = {
    [3] = "VV 02 7fff 0d 00000010 02 0000 0006 30 0009 0005d0f1e2c3b4a5",
    [4] = "VV 02 7fff 0d 00000010 02 0000 0006 30 0009 0005d0f1e2c3b4a5",
    [5] = "VV 02 7fff 0d 00000017 02 0000 0006 000000b0 0009 0005d0f1e2c3b4a5 0002 'ks'",
  },
  encode = function(buf, v)
    C.mp_encode_batch(buf, v, 2, 32767, M.batch(2, {}), M.params {
      consistency = 6, serial_consistency = 9, has_timestamp = true, timestamp = 0x0005d0f1e2c3b4a5LL,
      keyspace = str "ks", page_size = 5, skip_metadata = true, -- not BATCH's
    })
  end,
  check = function(r, version)
    local p = r.params
    assert.same({ 2, 0, 6, 9, 0 }, { r.batch.type, r.batch.count, p.consistency, p.serial_consistency, p.page_size })
    assert.is_true(p.has_timestamp and p.timestamp == 0x0005d0f1e2c3b4a5LL)
    assert.equal(version == 5 and "ks" or nil, text(p.keyspace))
  end,
}
add {
  name = "PREPARE",
  hex = {
    [3] = "VV 00 0007 09 0000000c 00000008 'SELECT 1'",
    [4] = "VV 00 0007 09 0000000c 00000008 'SELECT 1'",
    [5] = "VV 00 0007 09 00000010 00000008 'SELECT 1' 00000000",
  },
  encode = function(buf, v) C.mp_encode_prepare(buf, v, 0, 7, str "SELECT 1", str(nil)) end,
  check = function(r) assert.equal("SELECT 1", text(r.cql)) end,
}
add {
  name = "PREPARE in a keyspace", versions = { 5 },
  hex = "VV 00 0007 09 00000014 00000008 'SELECT 1' 00000001 0002 'ks'",
  encode = function(buf, v) C.mp_encode_prepare(buf, v, 0, 7, str "SELECT 1", str "ks") end,
  check = function(r) assert.equal("ks", text(r.keyspace)) end,
}
add {
  name = "EXECUTE",
  hex = {
    [3] = "VV 00 0100 0a 00000013 0004 deadbeef 0001 03 0001 00000004 0000002a",
    [4] = "VV 00 0100 0a 00000013 0004 deadbeef 0001 03 0001 00000004 0000002a",
    [5] = "VV 00 0100 0a 0000001a 0004 deadbeef 0002 cafe 0001 00000003 0001 00000004 0000002a",
  },
  encode = function(buf, v)
    C.mp_encode_execute(buf, v, 0, 256, str "\xde\xad\xbe\xef", str "\xca\xfe", M.params {
      consistency = 1, skip_metadata = true, value_count = 1, values = str(bytes.of "00000004 0000002a"),
    })
  end,
  check = function(r, version)
    assert.equal("\xde\xad\xbe\xef", text(r.id))
    assert.equal(version == 5 and "\xca\xfe" or nil, text(r.result_metadata_id))
    assert.equal(bytes.of "00000004 0000002a", text(r.params.values))
    assert.is_true(r.params.skip_metadata)
  end,
}
add {
  name = "EXECUTE with a value that is not set", versions = { 4, 5 },
  hex = {
    [4] = "VV 00 0008 0a 0000000d 0002 abcd 0001 01 0001 fffffffe",
    [5] = "VV 00 0008 0a 00000014 0002 abcd 0002 cafe 0001 00000001 0001 fffffffe",
  },
  encode = function(buf, v)
    local values = bytes.buf()
    C.mp_write_unset(values)
    C.mp_encode_execute(buf, v, 0, 8, str "\xab\xcd", str "\xca\xfe", M.params {
      consistency = 1, value_count = 1, values = str(bytes.content(values)),
    })
  end,
  check = function(r) assert.equal("\xff\xff\xff\xfe", text(r.params.values)) end,
}

-- ---- handshake --------------------------------------------------------------------------------------------
add {
  name = "READY",
  hex = "RR 00 0001 02 00000000",
  encode = function(buf, v) C.mp_encode_ready(buf, v, 1) end,
}
add {
  name = "AUTHENTICATE",
  hex = "RR 00 0001 03 00000031 002f 'org.apache.cassandra.auth.PasswordAuthenticator'",
  encode = function(buf, v)
    C.mp_encode_authenticate(buf, v, 1, str "org.apache.cassandra.auth.PasswordAuthenticator")
  end,
  check = function(name) assert.equal("org.apache.cassandra.auth.PasswordAuthenticator", name) end,
}
add {
  name = "AUTH_CHALLENGE",
  hex = "RR 00 0003 0e 00000006 00000002 'hi'",
  encode = function(buf, v) C.mp_encode_auth_challenge(buf, v, 3, str "hi") end,
  check = function(token) assert.equal("hi", token) end,
}
add {
  name = "AUTH_SUCCESS",
  hex = "RR 00 0004 10 00000004 ffffffff",
  encode = function(buf, v) C.mp_encode_auth_success(buf, v, 4, str(nil)) end,
  check = function(token) assert.is_nil(token) end,
}
add {
  name = "SUPPORTED",
  hex = [[RR 00 0005 06 00000034 0002 000b 'CQL_VERSION' 0001 0005 '3.4.5'
    000b 'COMPRESSION' 0002 0003 'lz4' 0006 'snappy']],
  encode = function(buf, v)
    local one = ffi.new("struct mp_str[1]", { str "3.4.5" })
    local two = ffi.new("struct mp_str[2]", { str "lz4", str "snappy" })
    C.mp_encode_supported(buf, v, 5, ffi.new("struct mp_multi[2]", {
      { str "CQL_VERSION", one, 1 }, { str "COMPRESSION", two, 2 },
    }), 2)
  end,
  check = function(pairs)
    assert.same({ "CQL_VERSION=3.4.5", "COMPRESSION=lz4", "COMPRESSION=snappy" }, pairs)
  end,
}

-- ---- ERROR ------------------------------------------------------------------------------------------------
local function error_frame(frame)
  local fields = frame.fields
  frame.encode = function(buf, v)
    local e = ffi.new "struct mp_error_body"
    for name, value in pairs(fields) do e[name] = type(value) == "string" and str(value) or value end
    C.mp_encode_error(buf, v, 9, e)
  end
  frame.check = function(e)
    for name, value in pairs(fields) do
      local found = e[name]
      if type(value) == "string" then found = text(found) end
      if type(value) == "number" then found = tonumber(found) end
      assert.equal(value, found)
    end
  end
  add(frame)
end
error_frame {
  name = "ERROR syntax",
  hex = "RR 00 0009 00 00000009 00002000 0003 'bad'",
  fields = { code = 0x2000, message = "bad" },
}
error_frame {
  name = "ERROR overloaded",
  hex = "RR 00 0009 00 00000006 00001001 0000",
  fields = { code = 0x1001, message = "" },
}
error_frame {
  name = "ERROR unavailable",
  hex = "RR 00 0009 00 00000012 00001000 0002 'no' 0006 00000002 00000001",
  fields = { code = 0x1000, message = "no", consistency = 6, required = 2, received = 1 },
}
error_frame {
  name = "ERROR read timeout",
  hex = "RR 00 0009 00 00000012 00001200 0001 't' 0004 00000001 00000002 01",
  fields = { code = 0x1200, message = "t", consistency = 4, received = 1, required = 2, data_present = true },
}
error_frame {
  name = "ERROR write timeout",
  hex = "RR 00 0009 00 00000019 00001100 0001 't' 0001 00000000 00000001 0006 'SIMPLE'",
  fields = { code = 0x1100, message = "t", consistency = 1, received = 0, required = 1, write_type = 0 },
}
error_frame {
  name = "ERROR write timeout of a CAS",
  hex = {
    [3] = "RR 00 0009 00 00000016 00001100 0001 't' 0008 00000001 00000002 0003 'CAS'",
    [4] = "RR 00 0009 00 00000016 00001100 0001 't' 0008 00000001 00000002 0003 'CAS'",
    [5] = "RR 00 0009 00 00000018 00001100 0001 't' 0008 00000001 00000002 0003 'CAS' 0000",
  },
  spare = { [5] = 2 },
  fields = { code = 0x1100, message = "t", consistency = 8, received = 1, required = 2, write_type = 5 },
}
error_frame {
  name = "ERROR read failure", versions = { 4, 5 },
  hex = {
    [4] = "RR 00 0009 00 00000016 00001300 0001 'f' 0002 00000001 00000002 00000001 00",
    [5] = "RR 00 0009 00 0000001d 00001300 0001 'f' 0002 00000001 00000002 00000001 04 00000000 0000 00",
  },
  fields = { code = 0x1300, message = "f", consistency = 2, received = 1, required = 2, failures = 1 },
}
error_frame {
  name = "ERROR write failure", versions = { 4, 5 },
  hex = {
    [4] = "RR 00 0009 00 0000001c 00001500 0001 'f' 0002 00000001 00000002 00000001 0005 'BATCH'",
    [5] = "RR 00 0009 00 00000023 00001500 0001 'f' 0002 00000001 00000002 00000001 04 00000000 0000 0005 'BATCH'",
  },
  fields = { code = 0x1500, message = "f", consistency = 2, received = 1, required = 2, failures = 1, write_type = 1 },
}
error_frame {
  name = "ERROR function failure", versions = { 4, 5 },
  hex = "RR 00 0009 00 00000011 00001400 0001 'f' 0002 'ks' 0002 'fn' 0000",
  spare = 2,
  fields = { code = 0x1400, message = "f", keyspace = "ks", table = "fn" },
}
error_frame {
  name = "ERROR CDC write failure", versions = { 5 },
  hex = "RR 00 0009 00 00000007 00001600 0001 'c'",
  fields = { code = 0x1600, message = "c" },
}
error_frame {
  name = "ERROR CAS write unknown", versions = { 5 },
  hex = "RR 00 0009 00 00000011 00001700 0001 'u' 0008 00000001 00000002",
  fields = { code = 0x1700, message = "u", consistency = 8, received = 1, required = 2 },
}
error_frame {
  name = "ERROR already exists",
  hex = "RR 00 0009 00 0000000d 00002400 0001 'e' 0002 'ks' 0000",
  fields = { code = 0x2400, message = "e", keyspace = "ks", table = "" },
}
error_frame {
  name = "ERROR unprepared",
  hex = "RR 00 0009 00 0000000d 00002500 0001 'p' 0004 deadbeef",
  fields = { code = 0x2500, message = "p", id = "\xde\xad\xbe\xef" },
}

-- ---- RESULT -----------------------------------------------------------------------------------------------
add {
  name = "RESULT void",
  hex = "RR 00 0001 08 00000004 00000001",
  encode = function(buf, v) C.mp_encode_result_void(buf, v, 1) end,
  check = function(r) assert.equal(1, tonumber(r.kind)) end,
}
add {
  name = "RESULT set keyspace",
  hex = "RR 00 0001 08 00000008 00000003 0002 'ks'",
  encode = function(buf, v) C.mp_encode_result_keyspace(buf, v, 1, str "ks") end,
  check = function(r) assert.equal("ks", text(r.keyspace)) end,
}

local function rows_frame(frame)
  frame.encode = function(buf, v)
    local metadata = M.metadata(frame.columns)
    local head = ffi.new "struct mp_rows_head"
    head.metadata, head.skip_metadata = metadata, frame.skip or false
    head.paging_state = bytes.value(frame.paging)
    head.new_metadata_id = str(frame.new_id)
    local mark = C.mp_encode_rows_begin(buf, v, 1, head)
    for _, row in ipairs(frame.rows) do
      for i = 1, #frame.columns do
        if row[i] then
          local begin = C.mp_write_value_begin(buf)
          C.mp_buf_bytes(buf, row[i], #row[i])
          C.mp_write_value_end(buf, begin)
        else
          C.mp_write_null(buf)
        end
      end
    end
    C.mp_encode_rows_end(buf, mark, #frame.rows)
  end
  frame.check = function(r)
    assert.equal(#frame.columns, r.column_count)
    assert.equal(#frame.rows, r.row_count)
    assert.equal(frame.paging ~= nil, r.has_more_pages)
    assert.equal(frame.paging, text(r.paging_state))
    assert.equal(frame.new_id, text(r.new_metadata_id))
    if frame.skip then
      assert.is_true(r.metadata == nil)
    else
      assert.same(frame.columns, M.columns(r.metadata))
    end
    local values = ffi.new("struct mp_bytes[?]", #frame.columns)
    for _, row in ipairs(frame.rows) do
      assert.equal(0, C.mp_row_read(r.rows, values, #frame.columns))
      for i = 1, #frame.columns do assert.equal(row[i] or nil, text(values[i - 1])) end
    end
  end
  add(frame)
end
rows_frame {
  name = "RESULT rows of one table",
  hex = [[RR 00 0001 08 00000048 00000002 00000001 00000002 0002 'ks' 0001 't' 0002 'id' 0009 0004 'tags' 0020 000d
    00000002 00000004 00000007 00000009 00000001 00000001 'x' 00000004 ffffffff ffffffff]],
  columns = { { "ks", "t", "id", "int" }, { "ks", "t", "tags", "list<text>" } },
  rows = { { "\0\0\0\7", bytes.of "00000001 00000001 'x'" }, { "\xff\xff\xff\xff", false } },
}
rows_frame {
  name = "RESULT rows without metadata, a page of several",
  hex = "RR 00 0001 08 0000001c 00000002 00000006 00000001 00000003 010203 00000001 00000001 'a'",
  columns = { { "k", "t", "c", "text" } }, skip = true, paging = "\1\2\3",
  rows = { { "a" } },
}
rows_frame {
  name = "RESULT rows of two tables, none of them",
  hex = [[RR 00 0001 08 00000026 00000002 00000000 00000002 0001 'a' 0001 't' 0001 'x' 000b
    0001 'b' 0001 'u' 0001 'y' 0002 00000000]],
  columns = { { "a", "t", "x", "timestamp" }, { "b", "u", "y", "bigint" } },
  rows = {},
}
rows_frame {
  name = "RESULT rows with changed metadata", versions = { 5 },
  hex = "RR 00 0001 08 0000001f 00000002 00000009 00000001 0002 beef 0001 'k' 0001 't' 0001 'c' 000d 00000000",
  columns = { { "k", "t", "c", "text" } }, new_id = "\xbe\xef",
  rows = {},
}
rows_frame {
  name = "RESULT rows of a smallint",
  hex = {
    [3] = [[RR 00 0001 08 00000046 00000002 00000001 00000001 0001 'k' 0001 't' 0001 'c'
      0000 0029 'org.apache.cassandra.db.marshal.ShortType' 00000000]],
    [4] = "RR 00 0001 08 0000001b 00000002 00000001 00000001 0001 'k' 0001 't' 0001 'c' 0013 00000000",
    [5] = "RR 00 0001 08 0000001b 00000002 00000001 00000001 0001 'k' 0001 't' 0001 'c' 0013 00000000",
  },
  columns = { { "k", "t", "c", "smallint" } }, rows = {},
}
rows_frame {
  name = "RESULT rows of a duration",
  hex = {
    [3] = [[RR 00 0001 08 00000049 00000002 00000001 00000001 0001 'k' 0001 't' 0001 'c'
      0000 002c 'org.apache.cassandra.db.marshal.DurationType' 00000000]],
    [4] = [[RR 00 0001 08 00000049 00000002 00000001 00000001 0001 'k' 0001 't' 0001 'c'
      0000 002c 'org.apache.cassandra.db.marshal.DurationType' 00000000]],
    [5] = "RR 00 0001 08 0000001b 00000002 00000001 00000001 0001 'k' 0001 't' 0001 'c' 0015 00000000",
  },
  columns = { { "k", "t", "c", "duration" } }, rows = {},
}

local function prepared_frame(frame)
  frame.encode = function(buf, v)
    C.mp_encode_result_prepared(buf, v, 1, str "\xab\xcd", str "\xbe\xef", M.metadata(frame.params, frame.pk),
      M.metadata(frame.result))
  end
  frame.check = function(r, version)
    assert.equal("\xab\xcd", text(r.prepared_id))
    assert.equal(version == 5 and "\xbe\xef" or nil, text(r.result_metadata_id))
    assert.same(frame.params, M.columns(r.params))
    assert.same(frame.result, M.columns(r.result))
    local pk = {}
    for i = 1, r.params.pk_count do pk[i] = r.params.pk_indexes[i - 1] end
    assert.same(version >= 4 and frame.pk or {}, pk)
  end
  add(frame)
end
prepared_frame {
  name = "RESULT prepared without a result",
  hex = {
    [3] = [[RR 00 0001 08 00000024 00000004 0002 abcd
      00000001 00000001 0001 'k' 0001 't' 0002 'id' 0009 00000004 00000000]],
    [4] = [[RR 00 0001 08 0000002a 00000004 0002 abcd
      00000001 00000001 00000001 0000 0001 'k' 0001 't' 0002 'id' 0009 00000004 00000000]],
    [5] = [[RR 00 0001 08 0000002e 00000004 0002 abcd 0002 beef
      00000001 00000001 00000001 0000 0001 'k' 0001 't' 0002 'id' 0009 00000004 00000000]],
  },
  params = { { "k", "t", "id", "int" } }, pk = { 0 }, result = {},
}
prepared_frame {
  name = "RESULT prepared with a key of two and a result", versions = { 4, 5 },
  hex = {
    [4] = [[RR 00 0001 08 0000003d 00000004 0002 abcd
      00000001 00000002 00000002 0001 0000 0001 'k' 0001 't' 0001 'b' 000d 0001 'a' 000c
      00000001 00000001 0001 'k' 0001 't' 0001 'v' 0022 0003]],
    [5] = [[RR 00 0001 08 00000041 00000004 0002 abcd 0002 beef
      00000001 00000002 00000002 0001 0000 0001 'k' 0001 't' 0001 'b' 000d 0001 'a' 000c
      00000001 00000001 0001 'k' 0001 't' 0001 'v' 0022 0003]],
  },
  params = { { "k", "t", "b", "text" }, { "k", "t", "a", "uuid" } }, pk = { 1, 0 },
  result = { { "k", "t", "v", "set<blob>" } },
}
add {
  name = "RESULT schema change of a table",
  hex = "RR 00 0001 08 0000001b 00000005 0007 'CREATED' 0005 'TABLE' 0002 'ks' 0001 't'",
  encode = function(buf, v) C.mp_encode_result_schema(buf, v, 1, "CREATED", "TABLE", str "ks", str "t") end,
  check = function(r)
    assert.same({ "CREATED", "TABLE", "ks", "t" },
      { text(r.change), text(r.target), text(r.change_keyspace), text(r.change_name) })
  end,
}
add {
  name = "RESULT schema change of a keyspace",
  hex = "RR 00 0001 08 0000001b 00000005 0007 'DROPPED' 0008 'KEYSPACE' 0002 'ks'",
  encode = function(buf, v) C.mp_encode_result_schema(buf, v, 1, "DROPPED", "KEYSPACE", str "ks", str(nil)) end,
  check = function(r)
    assert.same({ "DROPPED", "KEYSPACE", "ks" }, { text(r.change), text(r.target), text(r.change_keyspace) })
    assert.is_nil(text(r.change_name))
  end,
}

-- ---- EVENT ------------------------------------------------------------------------------------------------
local function address(ip, port)
  local addr = ffi.new "struct mp_addr"
  assert.equal(0, C.mp_addr_parse_ip(ip, port, addr))
  return addr
end
local function formatted(addr)
  local out = ffi.new "char[64]"
  C.mp_addr_format(addr, out)
  return ffi.string(out)
end
add {
  name = "EVENT of a status",
  hex = "RR 00 ffff 0c 0000001c 000d 'STATUS_CHANGE' 0002 'UP' 04 7f000001 00002352",
  encode = function(buf, v) C.mp_encode_event_addr(buf, v, "STATUS_CHANGE", "UP", address("127.0.0.1", 9042)) end,
  check = function(e)
    assert.equal(2, tonumber(e.kind))
    assert.equal("UP", text(e.change))
    assert.equal("127.0.0.1:9042", formatted(e.addr))
  end,
}
add {
  name = "EVENT of the topology",
  hex = [[RR 00 ffff 0c 00000030 000f 'TOPOLOGY_CHANGE' 0008 'NEW_NODE'
    10 00000000000000000000000000000001 00002352]],
  encode = function(buf, v) C.mp_encode_event_addr(buf, v, "TOPOLOGY_CHANGE", "NEW_NODE", address("::1", 9042)) end,
  check = function(e)
    assert.equal(1, tonumber(e.kind))
    assert.equal("NEW_NODE", text(e.change))
    assert.equal("[::1]:9042", formatted(e.addr))
  end,
}
add {
  name = "EVENT of the schema",
  hex = "RR 00 ffff 0c 00000025 000d 'SCHEMA_CHANGE' 0007 'UPDATED' 0004 'TYPE' 0002 'ks' 0001 'u'",
  encode = function(buf, v) C.mp_encode_event_schema(buf, v, "UPDATED", "TYPE", str "ks", str "u") end,
  check = function(e)
    assert.equal(3, tonumber(e.kind))
    assert.same({ "UPDATED", "TYPE", "ks", "u" },
      { text(e.change), text(e.target), text(e.keyspace), text(e.name) })
  end,
}
add {
  name = "EVENT of a function", versions = { 4, 5 },
  hex = [[RR 00 ffff 0c 0000002c 000d 'SCHEMA_CHANGE' 0007 'CREATED' 0008 'FUNCTION' 0002 'ks' 0002 'fn' 0000]],
  spare = 2,
  encode = function(buf, v) C.mp_encode_event_schema(buf, v, "CREATED", "FUNCTION", str "ks", str "fn") end,
  check = function(e) assert.same({ "FUNCTION", "fn" }, { text(e.target), text(e.name) }) end,
}
add {
  name = "EVENT of an unknown type",
  hex = "RR 00 ffff 0c 00000017 0013 'GRACEFUL_DISCONNECT' 0000",
  spare = 2,
  check = function(e)
    assert.equal(0, tonumber(e.kind))
    assert.equal("GRACEFUL_DISCONNECT", text(e.type))
  end,
}

return M
