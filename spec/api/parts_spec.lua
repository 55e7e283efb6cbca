-- SPDX-License-Identifier: Apache-2.0
-- Values with parts through the C API: bound part by part, read by cursor.
local api = require "spec.support.capi"
local C, ffi = api.C, api.ffi

local function on_cluster(name, body)
  it(name, function() api.on_cluster(body) end)
end

-- A value as Lua has it, read by the C API alone.
local function read(value)
  if C.moonpool_value_is_null(value) then return "null" end
  local text, len = ffi.new "const char *[1]", ffi.new "size_t[1]"
  local number, wide, flag = ffi.new "double[1]", ffi.new "int64_t[1]", ffi.new "bool[1]"
  if C.moonpool_value_text(value, text, len) == 0 then return ffi.string(text[0], len[0]) end
  if C.moonpool_value_int64(value, wide) == 0 then return tonumber(wide[0]) end
  if C.moonpool_value_double(value, number) == 0 then return number[0] end
  if C.moonpool_value_bool(value, flag) == 0 then return flag[0] end
  local count = C.moonpool_value_parts(value)
  if count >= 0 then
    local out, cursor, part = {}, ffi.new "struct moonpool_cursor", ffi.new "struct moonpool_value"
    assert.equal(0, C.moonpool_cursor_begin(value, cursor))
    local i = 0
    while C.moonpool_cursor_next(cursor, part) == 1 do
      local name = C.moonpool_value_field_name(value, i)
      i = i + 1
      out[name ~= nil and ffi.string(name) or i] = read(part)
    end
    assert.equal(count, i)
    return out
  end
  local buffer = ffi.new "char[300]"
  local size = C.moonpool_value_format(value, buffer, 300)
  if size >= 0 then return ffi.string(buffer, size) end
  assert.equal(0, C.moonpool_value_bytes(value, ffi.cast("const void **", text), len))
  return ffi.string(text[0], len[0])
end

-- The columns of the first row.
local function row_of(result)
  assert.equal(1, C.moonpool_result_next(result))
  local row, value = {}, ffi.new "struct moonpool_value"
  for i = 0, C.moonpool_result_columns(result) - 1 do
    local rc = C.moonpool_get_value(result, i, value)
    assert.is_true(rc == 0 or rc == C.MOONPOOL_NOT_FOUND)
    row[ffi.string(C.moonpool_result_column_name(result, i))] = read(value)
  end
  return row
end

describe("values with parts in the C API", function()
  on_cluster("are bound part by part and read by cursor", function(env)
    env.cluster:schema "CREATE TYPE ks.addr (street text, zip int, tags frozen<set<text>>)"
    env.cluster:schema [[CREATE TABLE ks.parts (k int PRIMARY KEY, l list<int>, m map<text, frozen<list<double>>>,
      t tuple<int, text>, a frozen<addr>, e frozen<addr>, v vector<float, 3>, w vector<text, 2>, n
      list<frozen<tuple<frozen<addr>, int>>>, d duration, i inet, x varint, s frozen<set<int>>)]]
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    local insert = assert(env:prepare(session, "INSERT INTO ks.parts (k, l, m, t, a, e, v, w, n, d, i, x, s) " ..
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"))
    local request = C.moonpool_request_new(insert)
    local function ok(rc) assert.equal(0, rc, ffi.string(C.moonpool_last_message())) end
    local function begin() ok(C.moonpool_bind_begin(request)) end
    local function done() ok(C.moonpool_bind_end(request)) end
    local function int(value) ok(C.moonpool_bind_int32(request, value)) end
    local function text(value) ok(C.moonpool_bind_text(request, value, #value)) end
    local function real(value) ok(C.moonpool_bind_double(request, value)) end
    int(1)
    begin() int(3) int(1) done()
    begin() text "a" begin() real(0.5) done() text "b" begin() done() done()
    begin() ok(C.moonpool_bind_null(request)) text "x" done()
    begin() ok(C.moonpool_bind_field(request, "zip")) int(5) begin() text "p" text "q" done() done()
    begin() done()
    begin() real(1) real(-0.5) real(2) done()
    begin() text "" text "ab" done()
    begin() begin() begin() text "s" done() int(7) done() done()
    ok(C.moonpool_bind_duration(request, 1, 2, 3))
    text "10.0.0.1"
    text "-12345678901234567890"
    begin() done()
    assert(env:execute(request))
    local row = env:query(session, "SELECT * FROM ks.parts WHERE k = 1", row_of)
    assert.same({ k = 1, l = { 3, 1 }, m = { "a", { 0.5 }, "b", {} }, t = { "null", "x" }, a = { street = "null",
      zip = 5, tags = { "p", "q" } }, e = { street = "null", zip = "null", tags = "null" }, v = { 1, -0.5, 2 },
      w = { "", "ab" }, n = { { { street = "s", zip = "null", tags = "null" }, 7 } }, d = row.d, i = "10.0.0.1",
      x = "-12345678901234567890", s = {} }, row)
    local seen = env:query(session, "SELECT a, d, v FROM ks.parts WHERE k = 1", function(result)
      C.moonpool_result_next(result)
      local value, part = ffi.new "struct moonpool_value", ffi.new "struct moonpool_value"
      local number, buffer = ffi.new "int32_t[2]", ffi.new "char[40]"
      local nanos = ffi.new "int64_t[1]"
      C.moonpool_get_value(result, 0, value)
      local types = { C.moonpool_value_type(value), C.moonpool_result_column_type(result, 2) }
      assert.equal(0, C.moonpool_value_field(value, "zip", part))
      assert.equal(0, C.moonpool_value_int32(part, number))
      assert.equal(5, number[0])
      assert.equal(C.MOONPOOL_NOT_FOUND, C.moonpool_value_field(value, "street", part))
      assert.is_true(C.moonpool_value_is_null(part))
      assert.equal(0x0d, C.moonpool_value_type(part))
      assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_value_field(value, "zap", part))
      C.moonpool_get_value(result, 1, value)
      assert.equal(0, C.moonpool_value_duration(value, number, number + 1, nanos))
      assert.same({ 1, 2, 3 }, { number[0], number[1], tonumber(nanos[0]) })
      C.moonpool_get_value(result, 2, value)
      assert.equal(16, C.moonpool_value_type_text(value, buffer, 40))
      assert.equal("vector<float, 3>", ffi.string(buffer))
      assert.equal(16, C.moonpool_value_type_text(value, buffer, 7))
      assert.equal("vector", ffi.string(buffer))
      return types
    end)
    assert.same({ 0x30, 0xff00 }, seen)
    env:close(session)
  end)

  on_cluster("are refused where they do not fit, and the request with them", function(env)
    env.cluster:schema "CREATE TYPE ks.addr (street text, zip int)"
    env.cluster:schema [[CREATE TABLE ks.parts (k int PRIMARY KEY, l list<int>, m map<text, int>, t tuple<int, text>,
      a frozen<addr>, v vector<int, 2>)]]
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    local function with(column, bind, code, why)
      local statement = assert(env:prepare(session, ("INSERT INTO ks.parts (k, %s) VALUES (1, ?)"):format(column)))
      local request = C.moonpool_request_new(statement)
      local rc = bind(request)
      assert.equal(code, rc, column)
      assert.matches(why, ffi.string(C.moonpool_last_message()), 1, true)
      assert.equal(code, select(2, env:execute(request)))
      C.moonpool_statement_free(statement)
    end
    local MISFIT, INVALID = C.MOONPOOL_TYPE_MISMATCH, C.MOONPOOL_INVALID_ARGUMENT
    local begin, done, int = C.moonpool_bind_begin, C.moonpool_bind_end, C.moonpool_bind_int32
    with("l", function(r) begin(r) return C.moonpool_bind_null(r) end, MISFIT, "part 1 (int) of a list: got null")
    with("l", function(r) begin(r) return C.moonpool_bind_unset(r) end, MISFIT, "got unset")
    with("l", function(r) begin(r) return C.moonpool_bind_text(r, "x", 1) end, MISFIT, "got a string")
    with("l", function(r) begin(r) return begin(r) end, MISFIT, "got a value with parts")
    with("l", function(r) begin(r) return C.moonpool_bind_field(r, "zip") end, INVALID, "only a user's type")
    with("l", function(r) return done(r) end, INVALID, "no value was begun")
    with("l", function(r) return C.moonpool_bind_field(r, "zip") end, INVALID, "no value was begun")
    with("m", function(r) begin(r) C.moonpool_bind_text(r, "a", 1) return done(r) end, MISFIT, "a key without its")
    with("t", function(r) begin(r) int(r, 1) return done(r) end, MISFIT, "fewer parts than it has")
    with("t", function(r)
      begin(r) int(r, 1) C.moonpool_bind_text(r, "a", 1)
      return int(r, 1)
    end, INVALID, "has no more parts")
    with("a", function(r) begin(r) return C.moonpool_bind_field(r, "zap") end, INVALID, "no such field")
    with("a", function(r) begin(r) return C.moonpool_bind_field(r, nil) end, INVALID, "the name is NULL")
    with("a", function(r)
      begin(r) C.moonpool_bind_field(r, "zip") int(r, 1)
      return C.moonpool_bind_field(r, "street")
    end, INVALID, "in the order of their type")
    with("v", function(r) begin(r) int(r, 1) return done(r) end, MISFIT, "fewer elements than it has")
    with("v", function(r) begin(r) return C.moonpool_bind_bytes(r, "xyz", 3) end, MISFIT, "another length")
    with("v", function(r) begin(r) int(r, 1) int(r, 2) return int(r, 3) end, INVALID, "has no more parts")
    local statement = assert(env:prepare(session, "INSERT INTO ks.parts (k, l) VALUES (1, ?)"))
    local request = C.moonpool_request_new(statement)
    begin(request)
    assert.equal(INVALID, select(2, env:execute(request)))
    assert.matches("begun and not ended", ffi.string(C.moonpool_last_message()), 1, true)
    C.moonpool_request_free(C.moonpool_request_new(statement))
    request = C.moonpool_request_new(statement)
    begin(request)
    assert.equal(0, C.moonpool_request_free(request)) -- and nothing is left of it
    assert.equal(MISFIT, C.moonpool_bind_duration(C.moonpool_request_new(statement), 1, 1, 1))
    env:close(session)
  end)

  on_cluster("are refused by their types when they are read", function(env)
    env.cluster:schema "CREATE TABLE ks.parts (k int PRIMARY KEY, l list<int>, t text)"
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    assert(env:query(session, "INSERT INTO ks.parts (k, l, t) VALUES (1, [5], 'x')"))
    local kept = ffi.new "struct moonpool_value"
    assert(env:query(session, "SELECT k, l, t FROM ks.parts", function(result)
      local value, cursor, part = ffi.new "struct moonpool_value", ffi.new "struct moonpool_cursor",
        ffi.new "struct moonpool_value"
      assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_get_value(result, 0, value)) -- no row yet
      C.moonpool_result_next(result)
      C.moonpool_get_value(result, 0, value)
      assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_value_parts(value))
      assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_cursor_begin(value, cursor))
      assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_value_field(value, "x", part))
      assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_value_format(value, ffi.new "char[9]", 9))
      C.moonpool_get_value(result, 1, kept)
      assert.equal(1, C.moonpool_value_parts(kept))
      value = ffi.new("struct moonpool_value", kept)
      value.size = 100000
      assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_value_parts(value))
      assert.matches("was changed", ffi.string(C.moonpool_last_message()), 1, true)
      assert.equal(0, C.moonpool_cursor_begin(kept, cursor))
      cursor.left = 1000
      assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_cursor_next(cursor, part))
      return true
    end))
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_value_parts(kept)) -- its result is gone
    assert.is_false(C.moonpool_value_is_null(kept))
    env:close(session)
  end)
end)
