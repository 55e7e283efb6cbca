-- SPDX-License-Identifier: Apache-2.0
-- The C API: what a request says beside its values, what a statement says of its parameters, and what an answer tells
-- beside its rows. Their misuse stands in misuse_values.c.
local api = require "spec.support.capi"
local policies = require "spec.support.policies"
local C, ffi = api.C, api.ffi

local function on_cluster(name, body)
  it(name, function()
    api.on_cluster(function(env)
      local session = assert(env:open())
      assert.is_nil(env:connect(session))
      body(env, session)
      env:close(session)
    end)
  end)
end

local function host_of(result) return ffi.string(C.moonpool_result_host(result)) end

describe("a request of the C API", function()
  on_cluster("goes to the host that it names and to no other", function(env, session)
    for node = 1, 3 do
      for _, address in ipairs { "127.0.0." .. node, ("127.0.0.%d:%d"):format(node, env.port) } do
        local request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
        assert.equal(0, C.moonpool_request_set_host(request, address))
        assert.equal(("127.0.0.%d:%d"):format(node, env.port), env:execute(request, host_of))
      end
    end
  end)

  on_cluster("goes to a replica of its routing key", function(env, session)
    env.cluster:schema("CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    local function is_asked(id)
      local key = "\0\0\0" .. string.char(id)
      local request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
      assert.equal(0, C.moonpool_request_set_keyspace(request, "one"))
      assert.equal(0, C.moonpool_request_set_routing_key(request, key, 4))
      local host = env:execute(request, host_of)
      return host == ("127.0.0.%d:%d"):format(env.cluster:replicas("one", key)[1], env.port)
    end
    local rounds, all = 0
    repeat -- until the session has heard of the keyspace
      rounds, all = rounds + 1, true
      for id = 1, 8 do all = is_asked(id) and all end
    until all or rounds > 200
    assert.is_true(all)
  end)

  on_cluster("takes a payload with it, and its answer has one", function(env, session)
    local request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
    assert.equal(0, C.moonpool_request_add_payload(request, "first", "\0\1", 2))
    assert.equal(0, C.moonpool_request_add_payload(request, "second", nil, 0))
    local told = env:execute(request, function(result)
      local name, bytes = ffi.new "const char *[1]", ffi.new "const void *[1]"
      local name_len, len, list = ffi.new "size_t[1]", ffi.new "size_t[1]", {}
      for i = 0, C.moonpool_result_payloads(result) - 1 do
        assert(C.moonpool_result_payload(result, i, name, name_len, bytes, len) == 0)
        list[ffi.string(name[0], name_len[0])] = ffi.string(bytes[0], len[0])
      end
      assert(C.moonpool_result_payload(result, #list + 2, name, name_len, bytes, len) == C.MOONPOOL_INVALID_ARGUMENT)
      return list
    end)
    assert.same({ first = "\0\1", second = "" }, told)
    for _, case in ipairs { { nil, "x", 1 }, { "x", nil, 1 }, { ("n"):rep(65536), "x", 1 } } do
      request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
      assert.is_true(C.moonpool_request_add_payload(request, case[1], case[2], case[3]) < 0)
      C.moonpool_request_free(request)
    end
  end)

  on_cluster("has what its statement was told, unless it says otherwise", function(env, session)
    env.cluster:schema "CREATE TABLE ks.many (id int, n int, PRIMARY KEY (id, n))"
    for n = 1, 5 do assert(env:query(session, ("INSERT INTO many (id, n) VALUES (1, %d)"):format(n))) end
    local statement = assert(env:prepare(session, "SELECT n FROM many WHERE id = 1"))
    local function rows(own)
      local request = C.moonpool_request_new(statement)
      if own then assert.equal(0, C.moonpool_request_set_page_size(request, own)) end
      local id = ffi.new "uint8_t[16]"
      return unpack(env:execute(request, function(result)
        return { C.moonpool_result_rows(result), C.moonpool_result_trace_id(result, id) == 0 }
      end))
    end
    assert.same({ 5, false }, { rows() })
    local model = C.moonpool_request_new(statement)
    assert.equal(0, C.moonpool_request_set_page_size(model, 2))
    assert.equal(0, C.moonpool_request_set_trace(model, true))
    assert.equal(0, C.moonpool_request_set_tag(model, "told"))
    assert.equal(0, C.moonpool_statement_set_defaults(statement, model))
    assert.same({ 2, true }, { rows() })
    assert.same({ 3, true }, { rows(3) })
    -- A model that is made of it knows what was told before.
    model = C.moonpool_request_new(statement)
    assert.equal(0, C.moonpool_request_set_trace(model, false))
    assert.equal(0, C.moonpool_statement_set_defaults(statement, model))
    assert.same({ 2, false }, { rows() })
    local other = assert(env:prepare(session, "SELECT n FROM many WHERE id = 1")) -- of the same text, another value
    local request = C.moonpool_request_new(other)
    assert.equal(5, env:execute(request, function(result) return C.moonpool_result_rows(result) end))
    assert.equal(0, C.moonpool_statement_set_defaults(statement, nil))
    assert.same({ 5, false }, { rows() })
  end)

  on_cluster("and a statement have another keyspace than the session's", function(env, session)
    env.cluster:schema("CREATE KEYSPACE two WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    env.cluster:schema "CREATE TABLE two.only (id int PRIMARY KEY, v int)"
    local function only(keyspace)
      local request = C.moonpool_request_new_query(session, "INSERT INTO only (id, v) VALUES (1, 2)", -1)
      if keyspace then assert.equal(0, C.moonpool_request_set_keyspace(request, keyspace)) end
      return env:execute(request)
    end
    assert.equal("INVALID", select(2, only()).name)
    assert(only "two")
    local done, answer = false, nil
    assert.equal(0, C.moonpool_prepare_in(session, "two", "SELECT v FROM only WHERE id = ?", -1, env:callback(
      "void (*)(void *, struct moonpool_statement *, const struct moonpool_error *)", function(_, statement, err)
        done, answer = true, statement ~= nil and statement or env:error(err).message
      end), nil))
    env:wait("prepared", function() return done end)
    local request = C.moonpool_request_new(answer)
    assert.equal(0, C.moonpool_bind_int32(request, 1))
    assert.equal(1, env:execute(request, function(result) return C.moonpool_result_rows(result) end))
  end)

  on_cluster("is traced when it says so, and no other one", function(env, session)
    for _, traced in ipairs { true, false } do
      local request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
      assert.equal(0, C.moonpool_request_set_trace(request, traced))
      local id = ffi.new "uint8_t[16]"
      assert.equal(traced and 0 or C.MOONPOOL_NOT_FOUND, env:execute(request, function(result)
        return C.moonpool_result_trace_id(result, id)
      end))
      assert.equal(traced, ffi.string(id, 16) ~= ("\0"):rep(16))
    end
  end)

  it("has a tag that the balance policy sees", function()
    local folder = policies.folder()
    finally(function() policies.remove(folder) end)
    policies.write(folder .. "/quiet.lua", [[
      return balance {
        name = "Quiet",
        plan = function(plan, req)
          if req.tag == tags.nowhere then return plan:refuse() end
          plan:hosts(localDc)
        end,
      }
    ]])
    api.on_cluster(function(env)
      local session = assert(env:open((env.config:gsub("keyspace",
        ("loadBalancing = { policy = %q }, keyspace"):format(folder .. "/quiet.lua")))))
      assert.is_nil(env:connect(session))
      local function ask(tag)
        local request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
        assert.equal(0, C.moonpool_request_set_tag(request, tag))
        return env:execute(request)
      end
      assert(ask "anywhere")
      assert(ask "")
      assert.equal("POOL_BUSY", select(2, ask "nowhere").name)
      env:close(session)
    end)
  end)
end)

describe("a statement of the C API", function()
  on_cluster("says what its columns are, and so does a result without rows", function(env, session)
    env.cluster:schema "CREATE TABLE ks.c (id int PRIMARY KEY, tags map<text, frozen<list<int>>>, age int)"
    local select = assert(env:prepare(session, "SELECT tags, age FROM ks.c WHERE id = ?"))
    local text = ffi.new "char[64]"
    local function told(of, count, name, find, describe)
      local said = {}
      for i = 0, count - 1 do
        assert.is_true(describe(of, i, text, 64) > 0)
        said[i + 1] = ffi.string(name(of, i)) .. " " .. ffi.string(text)
        assert.equal(i, find(of, (said[i + 1]:match "^%a+")))
      end
      return said
    end
    local expected = { "tags map<text, frozen<list<int>>>", "age int" }
    assert.same(expected, told(select, C.moonpool_statement_columns(select), C.moonpool_statement_column_name,
      C.moonpool_statement_column, C.moonpool_statement_column_type_text))
    assert.equal(0x0009, C.moonpool_statement_column_type(select, 1))
    local request = C.moonpool_request_new(select)
    assert.equal(0, C.moonpool_bind_int32(request, 1))
    env:execute(request, function(result)
      assert.equal(0, C.moonpool_result_rows(result))
      assert.same(expected, told(result, C.moonpool_result_columns(result), C.moonpool_result_column_name,
        C.moonpool_result_column, C.moonpool_result_column_type_text))
    end)
    local insert = assert(env:prepare(session, "INSERT INTO ks.c (id) VALUES (1)"))
    assert.equal(0, C.moonpool_statement_columns(insert))
  end)

  on_cluster("says what its parameters are, and which of them does not fit", function(env, session)
    env.cluster:schema "CREATE TABLE ks.p (id int PRIMARY KEY, tags map<text, frozen<list<int>>>, age int)"
    local insert = assert(env:prepare(session, "INSERT INTO ks.p (id, tags, age) VALUES (?, ?, ?)"))
    assert.equal(3, C.moonpool_statement_parameters(insert))
    local text = ffi.new "char[64]"
    local said = {}
    for i = 0, 2 do
      assert.is_true(C.moonpool_statement_parameter_type_text(insert, i, text, 64) > 0)
      said[i + 1] = ffi.string(C.moonpool_statement_parameter_name(insert, i)) .. " " .. ffi.string(text)
      assert.equal(i, C.moonpool_statement_parameter(insert, (said[i + 1]:match "^%a+")))
    end
    assert.same({ "id int", "tags map<text, frozen<list<int>>>", "age int" }, said)
    assert.equal(0x0021, C.moonpool_statement_parameter_type(insert, 1))
    assert.equal(28, C.moonpool_statement_parameter_type_text(insert, 1, text, 4))
    assert.equal("map", ffi.string(text))

    local request = C.moonpool_request_new(insert)
    assert.equal(0, C.moonpool_bind_int32(request, 1))
    assert.equal(C.MOONPOOL_NOT_FOUND, C.moonpool_request_misfit(request))
    assert.equal(0, C.moonpool_bind_begin(request))
    assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_bind_bool(request, true))
    assert.matches("parameter 2 %(tags%), part 1 %(text%) of a map: got", ffi.string(C.moonpool_last_message()))
    assert.equal(1, C.moonpool_request_misfit(request))
    C.moonpool_request_free(request)
    request = C.moonpool_request_new(insert)
    C.moonpool_bind_int32(request, 1)
    C.moonpool_bind_null(request)
    assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_bind_text(request, "x", 1))
    assert.matches("parameter 3 %(age, int%): got", ffi.string(C.moonpool_last_message()))
    assert.equal(2, C.moonpool_request_misfit(request))
    assert.equal(C.MOONPOOL_TYPE_MISMATCH, select(2, env:execute(request)))
  end)
end)

describe("an answer of the C API", function()
  on_cluster("says whether its statement was applied", function(env, session)
    env.cluster:schema "CREATE TABLE ks.l (id int PRIMARY KEY, v int)"
    for _, case in ipairs { { "INSERT INTO ks.l (id, v) VALUES (1, 1) IF NOT EXISTS", true },
      { "INSERT INTO ks.l (id, v) VALUES (1, 2) IF NOT EXISTS", false },
      { "INSERT INTO ks.l (id, v) VALUES (1, 3)", true }, { "SELECT v FROM ks.l WHERE id = 1", true },
      { "SELECT v FROM ks.l WHERE id = 9", true } } do
      local applied
      assert(env:query(session, case[1], function(result)
        applied = C.moonpool_result_was_applied(result)
        assert.equal(1, C.moonpool_result_attempts(result))
        assert.is_true(C.moonpool_result_schema_agrees(result))
      end))
      assert.equal(case[2], applied)
    end
  end)

  on_cluster("brings the server's warnings", function(env, session)
    env.cluster:rule { statement = "SELECT", warn = "mind the gap" }
    local said = {}
    assert(env:query(session, "SELECT key FROM system.local", function(result)
      local text, len = ffi.new "const char *[1]", ffi.new "size_t[1]"
      for i = 0, C.moonpool_result_warnings(result) - 1 do
        assert.equal(0, C.moonpool_result_warning(result, i, text, len))
        said[#said + 1] = ffi.string(text[0], len[0])
      end
    end))
    assert.same({ "mind the gap" }, said)
  end)
end)
