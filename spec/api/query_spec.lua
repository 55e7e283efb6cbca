-- SPDX-License-Identifier: Apache-2.0
-- The C API: values of queries that are not prepared, with types that the program tells or that C types have.
local api = require "spec.support.capi"
local C, ffi = api.C, api.ffi

local function on_cluster(name, body)
  it(name, function()
    api.on_cluster(function(env)
      env.cluster:schema [[CREATE TABLE ks.q (id int PRIMARY KEY, name text, big bigint, real double, yes boolean,
        small smallint, many map<text, int>, who uuid)]]
      local session = assert(env:open())
      assert.is_nil(env:connect(session))
      body(env, session)
      env:close(session)
    end)
  end)
end

local function query(session, cql, types)
  local request = C.moonpool_request_new_query(session, cql, -1)
  if types then
    assert.equal(0, C.moonpool_request_set_types(request, types), ffi.string(C.moonpool_last_message()))
  end
  return request
end

-- The columns of the row of that id, as read(result) tells them.
local function row(env, session, id, read)
  local request = query(session, "SELECT name, big, real, yes, small, many, who FROM q WHERE id = ?")
  assert.equal(0, C.moonpool_bind_int32(request, id))
  return env:execute(request, function(result)
    assert.equal(1, C.moonpool_result_next(result))
    return read(result)
  end)
end

local function text_at(result, column)
  local text, len = ffi.new "const char *[1]", ffi.new "size_t[1]"
  assert.equal(0, C.moonpool_get_text(result, column, text, len))
  return ffi.string(text[0], len[0])
end

local function number_at(result, column)
  local value = ffi.new "int64_t[1]"
  assert.equal(0, C.moonpool_get_int64(result, column, value))
  return tonumber(value[0])
end

describe("values of a query", function()
  on_cluster("are converted to the types that were told", function(env, session)
    local request = query(session, "INSERT INTO q (id, name, small, many, who) VALUES (?, ?, ?, ?, ?)",
      " int,text , smallint, frozen<map<text,int>>, uuid")
    assert.equal(0, C.moonpool_bind_int64(request, 7))
    assert.equal(0, C.moonpool_bind_text(request, "ana", -1))
    assert.equal(0, C.moonpool_bind_int64(request, -5))
    assert.equal(0, C.moonpool_bind_begin(request))
    for number, word in ipairs { "one", "two" } do
      assert.equal(0, C.moonpool_bind_text(request, word, -1))
      assert.equal(0, C.moonpool_bind_int32(request, number))
    end
    assert.equal(0, C.moonpool_bind_end(request))
    assert.equal(0, C.moonpool_bind_text(request, "00000000-0000-4000-8000-00000000000a", -1))
    assert(env:execute(request))
    row(env, session, 7, function(result)
      assert.equal("ana", text_at(result, 0))
      assert.equal(-5, number_at(result, 4))
      local value, uuid = ffi.new "struct moonpool_value", ffi.new "uint8_t[16]"
      assert.equal(0, C.moonpool_get_value(result, 5, value))
      assert.equal(4, C.moonpool_value_parts(value))
      assert.equal(0, C.moonpool_get_uuid(result, 6, uuid))
      assert.equal(10, uuid[15])
      return true
    end)
  end)

  on_cluster("have the types of C without any", function(env, session)
    local request = query(session, "INSERT INTO q (id, name, big, real, yes, who, many) VALUES (?, ?, ?, ?, ?, ?, ?)")
    assert.equal(0, C.moonpool_bind_int32(request, 8))
    assert.equal(0, C.moonpool_bind_bytes(request, "bytes", 5))
    assert.equal(0, C.moonpool_bind_int64(request, 9007199254740993LL))
    assert.equal(0, C.moonpool_bind_double(request, 0.5))
    assert.equal(0, C.moonpool_bind_bool(request, true))
    assert.equal(0, C.moonpool_bind_uuid(request, ffi.new("uint8_t[16]", 1)))
    assert.equal(0, C.moonpool_bind_null(request))
    assert(env:execute(request))
    row(env, session, 8, function(result)
      local real, yes, big = ffi.new "double[1]", ffi.new "bool[1]", ffi.new "int64_t[1]"
      assert.equal("bytes", text_at(result, 0))
      assert.equal(0, C.moonpool_get_int64(result, 1, big))
      assert.is_true(big[0] == 9007199254740993LL)
      assert.equal(0, C.moonpool_get_double(result, 2, real))
      assert.equal(0, C.moonpool_get_bool(result, 3, yes))
      assert.same({ 0.5, true }, { real[0], yes[0] })
      return true
    end)
    -- Another width than the column's is refused by the server, nothing is stored.
    request = query(session, "INSERT INTO q (id) VALUES (?)")
    assert.equal(0, C.moonpool_bind_int64(request, 9))
    local _, err = env:execute(request)
    assert.equal("INVALID", err.name)
  end)

  on_cluster("that do not fit, lack or are too many are told, and nothing is sent", function(env, session)
    local function says(rc, code, pattern)
      assert.equal(code, rc)
      assert.matches(pattern, ffi.string(C.moonpool_last_message()))
    end
    local request = query(session, "INSERT INTO q (id, name) VALUES (?, ?)", "int, list<int>")
    assert.equal(0, C.moonpool_bind_int32(request, 1))
    assert.equal(0, C.moonpool_bind_begin(request))
    says(C.moonpool_bind_text(request, "x", -1), C.MOONPOOL_TYPE_MISMATCH,
      "parameter 2 %(%?%), part 1 %(int%) of a list: got a string")
    assert.equal(1, C.moonpool_request_misfit(request))
    local _, rc = env:execute(request)
    assert.equal(C.MOONPOOL_TYPE_MISMATCH, rc)

    request = query(session, "INSERT INTO q (id, name) VALUES (?, ?)", "int, text")
    assert.equal(0, C.moonpool_bind_int32(request, 1))
    says(C.moonpool_request_set_types(request, "int"), C.MOONPOOL_INVALID_ARGUMENT, "once, before the first value")
    assert.equal(0, C.moonpool_request_free(request))
    request = query(session, "INSERT INTO q (id, name) VALUES (?, ?)", "int, text")
    assert.equal(0, C.moonpool_bind_int32(request, 1))
    _, rc = env:execute(request)
    says(rc, C.MOONPOOL_INVALID_ARGUMENT, "not every parameter has a value")
    request = query(session, "INSERT INTO q (id) VALUES (?)", "int")
    assert.equal(0, C.moonpool_bind_int32(request, 1))
    says(C.moonpool_bind_int32(request, 1), C.MOONPOOL_INVALID_ARGUMENT, "no more parameters")
    assert.equal(0, C.moonpool_request_free(request))
    request = query(session, "INSERT INTO q (id, many) VALUES (?, ?)")
    says(C.moonpool_bind_begin(request), C.MOONPOOL_INVALID_ARGUMENT, "needs its type")
    assert.equal(0, C.moonpool_request_free(request))
    request = query(session, "SELECT key FROM system.local", "") -- it has none
    says(C.moonpool_bind_int32(request, 1), C.MOONPOOL_INVALID_ARGUMENT, "no more parameters")
    assert.equal(0, C.moonpool_request_free(request))
    for _, types in ipairs { "nothing", "int,", ",int", "int>, tuple<int", "int; text", "map<int>", "list<'x'",
      "my_type", ("list<"):rep(100) .. "int" .. (">"):rep(100) } do
      request = query(session, "SELECT key FROM system.local")
      assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_request_set_types(request, types), types)
      _, rc = env:execute(request)
      assert.equal(C.MOONPOOL_INVALID_ARGUMENT, rc)
    end
  end)

  on_cluster("belong to a batch, too", function(env, session)
    local batch = C.moonpool_batch_new(session, C.MOONPOOL_BATCH_LOGGED)
    for id = 1, 2 do
      local request = query(session, "INSERT INTO q (id, name) VALUES (?, ?)", id == 1 and "int, text" or nil)
      assert.equal(0, C.moonpool_bind_int32(request, id))
      assert.equal(0, C.moonpool_bind_text(request, "of a batch", -1))
      assert.equal(0, C.moonpool_batch_add(batch, request), ffi.string(C.moonpool_last_message()))
    end
    assert(env:execute(batch))
    for id = 1, 2 do
      assert.equal("of a batch", row(env, session, id, function(result) return text_at(result, 0) end))
    end
  end)
end)

describe("the partition key of a query", function()
  on_cluster("is what its values are", function(env, session)
    env.cluster:schema("CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    env.cluster:schema "CREATE TABLE one.single (id int PRIMARY KEY, v int)"
    env.cluster:schema "CREATE TABLE one.double (v int, a text, b int, PRIMARY KEY ((a, b)))"
    local function host_of(result) return ffi.string(C.moonpool_result_host(result)) end
    -- Does it go to the one replica of that key?
    local function is_asked(cql, key, parameters, ...)
      local request = query(session, cql)
      assert.equal(0, C.moonpool_request_set_keyspace(request, "one"))
      for _, value in ipairs { ... } do
        local rc = type(value) == "string" and C.moonpool_bind_text(request, value, -1)
          or type(value) == "number" and C.moonpool_bind_int32(request, value)
        assert.equal(0, rc)
      end
      local list = ffi.new("uint32_t[?]", #parameters, parameters)
      assert.equal(0, C.moonpool_request_set_routing_parameters(request, list, #parameters))
      return env:execute(request, host_of) ==
        ("127.0.0.%d:%d"):format(env.cluster:replicas("one", key)[1], env.port)
    end
    local rounds, all = 0
    repeat -- until the session has heard of the keyspace
      rounds, all = rounds + 1, true
      for id = 1, 8 do
        local number = "\0\0\0" .. string.char(id)
        all = is_asked("UPDATE single SET v = ? WHERE id = ?", number, { 1 }, 5, id) and all
        all = is_asked("INSERT INTO double (b, v, a) VALUES (?, ?, ?)", "\0\2ab\0\0\4" .. number .. "\0", { 2, 0 }, id,
          1, "ab") and all
      end
    until all or rounds > 200
    assert.is_true(all)
    local request = query(session, "INSERT INTO q (id) VALUES (?)")
    assert.equal(0, C.moonpool_bind_null(request))
    local zero = ffi.new("uint32_t[1]", 0)
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_request_set_routing_parameters(request, zero, 1))
    assert.matches("or null", ffi.string(C.moonpool_last_message()))
    assert.equal(0, C.moonpool_request_free(request))
  end)
end)

describe("uuids of the C API", function()
  on_cluster("are made, told apart by their time, and the texts of columns", function(env, session)
    local made, text, us = ffi.new "uint8_t[16]", ffi.new "char[37]", ffi.new "int64_t[1]"
    local last = -1
    for _ = 1, 100 do
      assert.equal(0, C.moonpool_uuid_of_now(env.loop, made))
      assert.equal(0, C.moonpool_uuid_time(made, us))
      assert.equal(0, C.moonpool_uuid_text(made, text))
      local order = ffi.string(text)
      assert.matches("^%x+%-%x+%-1%x%x%x%-[89ab]", order)
      assert.is_true(us[0] >= last)
      last = us[0]
    end
    assert.is_true(math.abs(tonumber(last) / 1e6 - os.time()) < 600)
    assert.equal(0, C.moonpool_uuid_random(env.loop, made))
    assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_uuid_time(made, us))
    local request = query(session, "INSERT INTO q (id, who) VALUES (?, ?)")
    assert.equal(0, C.moonpool_bind_int32(request, 1))
    assert.equal(0, C.moonpool_bind_uuid(request, made))
    assert(env:execute(request))
    local read = ffi.new "uint8_t[16]"
    row(env, session, 1, function(result)
      assert.equal(0, C.moonpool_get_uuid(result, 6, read))
      return true
    end)
    assert.equal(ffi.string(made, 16), ffi.string(read, 16))
    assert.equal(0, C.moonpool_uuid_from_text("C232AB00-9414-11EC-B3C8-9F6BDECED846", -1, made))
    assert.equal(0, C.moonpool_uuid_time(made, us))
    assert.is_true(us[0] == 1645557742000000LL)
    assert.equal(0, C.moonpool_uuid_text(made, text))
    assert.equal("c232ab00-9414-11ec-b3c8-9f6bdeced846", ffi.string(text))
    assert.equal(0, C.moonpool_uuid_from_text("00000000-0000-1000-8000-000000000000", -1, made))
    assert.equal(0, C.moonpool_uuid_time(made, us))
    assert.is_true(us[0] == -12219292800000000LL) -- 1582
  end)
end)
