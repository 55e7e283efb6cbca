-- SPDX-License-Identifier: Apache-2.0
-- The C API as a C program sees it: the installed header, real sockets, callbacks.
local api = require "spec.support.capi"
local C, ffi = api.C, api.ffi
ffi.cdef "int dup(int); int dup2(int, int); int close(int); int fileno(void *);"

local function on_cluster(name, body)
  it(name, function() api.on_cluster(body) end)
end

describe("the C API", function()
  it("has the version of the Lua side and the names of all codes", function()
    assert.equal(require("moonpool")._VERSION, ffi.string(C.moonpool_version()))
    assert.equal("TIMEOUT", ffi.string(C.moonpool_code_name(C.MOONPOOL_TIMEOUT)))
    assert.equal("TYPE_MISMATCH", ffi.string(C.moonpool_code_name(C.MOONPOOL_TYPE_MISMATCH)))
    assert.equal("END_OF_STREAM", ffi.string(C.moonpool_code_name(C.MOONPOOL_END_OF_STREAM)))
    assert.equal("UNKNOWN", ffi.string(C.moonpool_code_name(-999)))
  end)

  on_cluster("refuses what was bound for a table that is another one now, once", function(env)
    env.cluster:schema "CREATE TABLE ks.again (id int PRIMARY KEY, v int)"
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    local insert = assert(env:prepare(session, "INSERT INTO ks.again (id, v) VALUES (?, ?)"))
    local function bound()
      local request = C.moonpool_request_new(insert)
      C.moonpool_bind_int32(request, 1)
      return request, C.moonpool_bind_int32(request, 8)
    end
    local function refused(done, err)
      assert.is_nil(done)
      assert.same({ C.MOONPOOL_STATEMENT_CHANGED, "STATEMENT_CHANGED", false }, { err.code, err.name, err.maybe })
      assert.matches("v was int and is bigint", err.message)
    end
    assert(env:execute((bound())))
    local early, half = bound(), C.moonpool_request_new(insert)
    assert.equal(0, C.moonpool_bind_int32(half, 1))
    env.cluster:schema "DROP TABLE ks.again"
    env.cluster:schema "CREATE TABLE ks.again (id int PRIMARY KEY, v bigint)"
    refused(env:execute((bound()))) -- bound by what is known, and the nodes have forgotten it
    refused(env:execute(early))
    C.moonpool_bind_int32(half, 8)
    refused(env:execute(half))
    assert(env:execute((bound())))
    local stored = "SELECT v FROM ks.again WHERE id = 1 AND v = 8 ALLOW FILTERING"
    assert.equal(1, env:query(session, stored, function(result) return C.moonpool_result_rows(result) end))
    env:close(session)
  end)

  on_cluster("says what a protocol version lacks, and leaves the value that is stored", function(env)
    env.cluster:schema "CREATE TABLE ks.kept (id int PRIMARY KEY, v int)"
    for version = 3, 5 do
      local session = assert(env:open((env.config:gsub("keyspace", "protocolVersion = " .. version .. ", keyspace"))))
      assert.is_nil(env:connect(session))
      assert(env:query(session, "INSERT INTO ks.kept (id, v) VALUES (1, 7)"))
      local update = assert(env:prepare(session, "UPDATE ks.kept SET v = ? WHERE id = 1"))
      local request = C.moonpool_request_new(update)
      assert.equal(0, C.moonpool_bind_unset(request))
      local done, err = env:execute(request)
      if version == 3 then
        assert.is_nil(done)
        assert.same({ C.MOONPOOL_UNSUPPORTED, "UNSUPPORTED", false }, { err.code, err.name, err.maybe })
        assert.matches("^an unset value needs protocol v4, and this connection speaks v3", err.message)
      else
        assert(done, err)
      end
      local statement, why = env:prepare(session, "USE ks")
      assert.is_nil(statement)
      assert.matches("one connection of many", why.message)
      local kept = "SELECT v FROM ks.kept WHERE id = 1 AND v = 7 ALLOW FILTERING"
      assert.equal(1, env:query(session, kept, function(result) return C.moonpool_result_rows(result) end))
      env:close(session)
    end
  end)

  on_cluster("asks the translator of its configuration where nodes are", function(env)
    env.cluster:advertise(1, "10.0.0.1:9042")
    local address = "127.0.0.1:" .. env.port
    for _, translator in ipairs { ('{ ["10.0.0.1:9042"] = %q }'):format(address),
      ('function(named, host) assert(named == "10.0.0.1:9042" and #host.id == 36) return %q end'):format(address),
      "function() return 5 end", "function() error 'no' end" } do
      local text = env.config:gsub("keyspace", "addressTranslator = " .. translator .. ", keyspace")
      local session = assert(env:open(text))
      assert.is_nil(env:connect(session))
      collectgarbage()
      local host
      assert(env:query(session, "SELECT key FROM system.local", function(result)
        host = ffi.string(C.moonpool_result_host(result))
      end))
      assert.equal(address, host)
      env:close(session)
    end
    local session, why = env:open((env.config:gsub("keyspace", "addressTranslator = 5, keyspace")))
    assert.is_nil(session)
    assert.matches("addressTranslator: got 5 %(number%)", why)
  end)

  on_cluster("connects, writes, reads and closes", function(env)
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    assert(env:query(session,
      "CREATE TABLE ks.users (id bigint PRIMARY KEY, name text, score double, ok boolean, u uuid)"))
    local insert = assert(env:prepare(session, "INSERT INTO ks.users (id, name, score, ok, u) VALUES (?, ?, ?, ?, ?)"))
    assert.equal(5, C.moonpool_statement_parameters(insert))
    local uuid = ffi.new("uint8_t[16]", { 1, 2, 3 })
    for id = 1, 10 do
      local request = C.moonpool_request_new(insert)
      assert.equal(0, C.moonpool_bind_int64(request, id))
      assert.equal(0, C.moonpool_bind_text(request, "user " .. id, -1))
      assert.equal(0, C.moonpool_bind_double(request, id / 2))
      assert.equal(0, C.moonpool_bind_bool(request, id % 2 == 0))
      assert.equal(0, C.moonpool_bind_uuid(request, uuid))
      C.moonpool_request_set_consistency(request, C.MOONPOOL_QUORUM)
      C.moonpool_request_set_idempotent(request, true)
      assert(env:execute(request))
    end
    local select = assert(env:prepare(session, "SELECT id, name, score, ok, u FROM ks.users WHERE id = ?"))
    local request = C.moonpool_request_new(select)
    C.moonpool_bind_int64(request, 7)
    local row = assert(env:execute(request, function(result)
      assert.equal(5, C.moonpool_result_columns(result))
      assert.equal("name", ffi.string(C.moonpool_result_column_name(result, 1)))
      assert.is_true(C.moonpool_result_column_name(result, 5) == nil)
      assert.equal(2, C.moonpool_result_column(result, "score"))
      assert.equal(C.MOONPOOL_NOT_FOUND, C.moonpool_result_column(result, "nonsense"))
      assert.equal(0x0002, C.moonpool_result_column_type(result, 0))
      assert.equal(1, C.moonpool_result_rows(result))
      assert.matches("^127", ffi.string(C.moonpool_result_host(result)))
      assert.is_true(C.moonpool_result_latency_ns(result) > 0)
      local id, text, len = ffi.new "int64_t[1]", ffi.new "const char *[1]", ffi.new "size_t[1]"
      local small, number, flag = ffi.new "int32_t[1]", ffi.new "double[1]", ffi.new "bool[1]"
      assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_get_int64(result, 0, id))
      assert.equal(1, C.moonpool_result_next(result))
      assert.equal(0, C.moonpool_get_int64(result, 0, id))
      assert.equal(0, C.moonpool_get_int32(result, 0, small))
      assert.equal(0, C.moonpool_get_text(result, 1, text, len))
      assert.equal(0, C.moonpool_get_double(result, 2, number))
      assert.equal(0, C.moonpool_get_bool(result, 3, flag))
      local back = ffi.new "uint8_t[16]"
      assert.equal(0, C.moonpool_get_uuid(result, 4, back))
      assert.equal(3, back[2])
      assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_get_int64(result, 1, id))
      assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_get_text(result, 0, text, len))
      assert.equal(C.MOONPOOL_TYPE_MISMATCH, C.moonpool_get_double(result, 0, number))
      assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_get_int64(result, 5, id))
      local bytes = ffi.new "const void *[1]"
      assert.equal(0, C.moonpool_get_bytes(result, 0, bytes, len))
      assert.equal(8, tonumber(len[0]))
      assert.equal(0, C.moonpool_get_text(result, 1, text, len))
      assert.equal(0, C.moonpool_result_next(result))
      return { tonumber(id[0]), ffi.string(text[0], len[0]), number[0], flag[0], small[0] }
    end))
    assert.same({ 7, "user 7", 3.5, false, 7 }, row)
    local stats = ffi.new "struct moonpool_stats"
    C.moonpool_session_stats(session, stats)
    assert.is_true(stats.requests >= 11)
    assert.equal(3, stats.hosts_up)
    C.moonpool_statement_free(insert)
    env:close(session)
  end)

  on_cluster("converts values by the parameter's type, or refuses them", function(env)
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    assert(env:query(session, [[CREATE TABLE ks.t (k tinyint PRIMARY KEY, s smallint, i int, f float, v varint,
      d decimal, ip inet, dt date, b blob, t text, u uuid)]]))
    assert(env:query(session, "CREATE TABLE ks.edges (at time PRIMARY KEY, tu timeuuid, a ascii)"))
    local cql = "INSERT INTO ks.t (k, s, i, f, v, d, ip, dt, b, t, u) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    local insert = assert(env:prepare(session, cql))
    local request = C.moonpool_request_new(insert)
    assert.equal(0, C.moonpool_bind_int32(request, 127))
    assert.equal(0, C.moonpool_bind_int32(request, -32768))
    assert.equal(0, C.moonpool_bind_int64(request, 5))
    assert.equal(0, C.moonpool_bind_double(request, 1.5))
    assert.equal(0, C.moonpool_bind_text(request, "123456789012345678901", -1))
    assert.equal(0, C.moonpool_bind_int64(request, -42))
    assert.equal(0, C.moonpool_bind_text(request, "10.0.0.1xx", 8))
    assert.equal(0, C.moonpool_bind_text(request, "2024-02-29", -1))
    assert.equal(0, C.moonpool_bind_bytes(request, "\0\255", 2))
    assert.equal(0, C.moonpool_bind_null(request))
    assert.equal(0, C.moonpool_bind_unset(request))
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_bind_null(request))
    local _, rc = env:execute(request)
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, rc)

    local edges = assert(env:prepare(session, "INSERT INTO ks.edges (at, tu, a) VALUES (?, ?, ?)"))
    local statement = insert
    local function bound(position, bind, ...)
      request = C.moonpool_request_new(statement)
      for _ = 2, position do C.moonpool_bind_null(request) end
      local code = bind(request, ...)
      C.moonpool_request_free(request)
      return code
    end
    local wrong = C.MOONPOOL_TYPE_MISMATCH
    assert.equal(wrong, bound(1, C.moonpool_bind_int32, 128))
    assert.equal(wrong, bound(2, C.moonpool_bind_int32, 32768))
    assert.equal(wrong, bound(3, C.moonpool_bind_int64, 2147483648))
    assert.equal(wrong, bound(3, C.moonpool_bind_double, 1))
    assert.equal(wrong, bound(4, C.moonpool_bind_double, 1e300))
    assert.equal(wrong, bound(5, C.moonpool_bind_text, "1.5", -1))
    assert.equal(wrong, bound(7, C.moonpool_bind_text, "nonsense", -1))
    assert.equal(wrong, bound(8, C.moonpool_bind_text, "2023-02-29", -1))
    assert.equal(wrong, bound(9, C.moonpool_bind_text, "bytes are not text", -1))
    assert.equal(wrong, bound(10, C.moonpool_bind_bool, true))
    assert.equal(wrong, bound(11, C.moonpool_bind_text, "no uuid", -1))
    assert.equal(wrong, bound(4, C.moonpool_bind_double, 1e-300))
    assert.equal(wrong, bound(7, C.moonpool_bind_text, "10.0.0.1\0xx", 11))
    assert.equal(wrong, bound(7, C.moonpool_bind_text, ("1"):rep(1000), -1))
    assert.equal(wrong, bound(8, C.moonpool_bind_text, "2024-02-29\0", 11))
    assert.equal(wrong, bound(10, C.moonpool_bind_text, "\255", -1))
    assert.equal(wrong, bound(5, C.moonpool_bind_text, ("9"):rep(9864), -1))
    assert.equal(0, bound(10, C.moonpool_bind_text, "gr\195\188\195\159e\0", 8))
    assert.equal(0, bound(11, C.moonpool_bind_text, "550e8400-e29b-41d4-a716-446655440000", -1))
    statement = edges
    assert.equal(0, bound(1, C.moonpool_bind_int64, 86399999999999LL))
    assert.equal(wrong, bound(1, C.moonpool_bind_int64, 86400000000000LL))
    assert.equal(wrong, bound(1, C.moonpool_bind_int32, -1))
    assert.equal(wrong, bound(2, C.moonpool_bind_text, "550e8400-e29b-41d4-a716-446655440000", -1))
    assert.equal(wrong, bound(2, C.moonpool_bind_uuid, ffi.new "uint8_t[16]"))
    assert.equal(wrong, bound(3, C.moonpool_bind_text, "\195\188", -1))

    request = C.moonpool_request_new(insert)
    C.moonpool_bind_int32(request, 1)
    _, rc = env:execute(request)
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, rc) -- ten are missing
    env:close(session)
  end)

  on_cluster("reads page after page", function(env)
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    assert(env:query(session, "CREATE TABLE ks.p (k int, c int, PRIMARY KEY (k, c))"))
    local insert = assert(env:prepare(session, "INSERT INTO ks.p (k, c) VALUES (1, ?)"))
    for c = 1, 25 do
      local request = C.moonpool_request_new(insert)
      C.moonpool_bind_int32(request, c)
      assert(env:execute(request))
    end
    local seen, state = 0, nil
    repeat
      local request = C.moonpool_request_new_query(session, "SELECT c FROM ks.p WHERE k = 1", -1)
      C.moonpool_request_set_page_size(request, 10)
      if state then assert.equal(0, C.moonpool_request_set_paging_state(request, state, #state)) end
      state = assert(env:execute(request, function(result)
        while C.moonpool_result_next(result) > 0 do seen = seen + 1 end
        local bytes, len = ffi.new "const void *[1]", ffi.new "size_t[1]"
        if not C.moonpool_result_paging_state(result, bytes, len) then return "last" end
        return ffi.string(bytes[0], len[0])
      end))
    until state == "last" or seen > 100
    assert.equal(25, seen)
    env:close(session)
  end)

  on_cluster("tells errors with all that is known of them", function(env)
    local session = assert(env:open())
    local _, early = env:query(session, "SELECT key FROM system.local")
    assert.is_not_nil(early)
    assert.is_nil(env:connect(session))
    local ok, err = env:query(session, "SELEC 1")
    assert.is_nil(ok)
    assert.equal("SYNTAX_ERROR", err.name)
    assert.equal(C.MOONPOOL_SERVER_ERROR, err.code)
    assert.equal(0x2000, err.server)
    assert.is_false(err.maybe)
    assert.equal(1, err.attempts)
    local statement, refused = env:prepare(session, "SELECT nonsense FROM system.local")
    assert.is_nil(statement)
    assert.equal("INVALID", refused.name)
    env:close(session)
  end)

  on_cluster("prepares a text once", function(env)
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    local first = assert(env:prepare(session, "SELECT key FROM system.local WHERE key = ?"))
    local before = env.cluster:requests()
    local second = assert(env:prepare(session, "SELECT key FROM system.local WHERE key = ?"))
    assert.equal(before, env.cluster:requests())
    C.moonpool_statement_free(first)
    local request = C.moonpool_request_new(second)
    C.moonpool_bind_text(request, "local", -1)
    assert(env:execute(request))
    env:close(session)
  end)

  on_cluster("takes no memory per request once it has warmed up", function(env)
    local session = assert(env:open())
    assert.is_nil(env:connect(session))
    local select = assert(env:prepare(session, "SELECT key FROM system.local WHERE key = ?"))
    local done = 0
    local callback = env:callback("void (*)(void *, const struct moonpool_result *, const struct moonpool_error *)",
      function() done = done + 1 end)
    local function round()
      local target = done + 20
      for _ = 1, 20 do
        local request = C.moonpool_request_new(select)
        C.moonpool_bind_text(request, "local", -1)
        assert.equal(0, C.moonpool_execute(request, callback, nil))
      end
      -- Only the loop of the API: the cluster's shares the thread, and its memory is counted, too.
      return target
    end
    env:wait("warm", (function() local target = round() return function() return done >= target end end)())
    local before = C.moonpool_allocations()
    local target = round()
    C.moonpool_loop_turn(env.loop, 0)
    local submitted = C.moonpool_allocations() - before
    env:wait("answered", function() return done >= target end)
    assert.equal(0, tonumber(submitted))
    env:close(session)
  end)

  on_cluster("closes at any time: unconnected, connecting, with requests that were never executed", function(env)
    env:close(assert(env:open()))
    local session = assert(env:open())
    local told = 0
    local connected = env:callback("void (*)(void *, const struct moonpool_error *)", function() told = told + 1 end)
    assert.equal(0, C.moonpool_session_connect(session, connected, nil))
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, C.moonpool_session_connect(session, connected, nil))
    env:close(session)
    assert.equal(1, told)
    session = assert(env:open())
    assert.is_nil(env:connect(session))
    assert(C.moonpool_request_new_query(session, "never executed", -1) ~= nil)
    local statement = assert(env:prepare(session, "SELECT key FROM system.local"))
    assert(C.moonpool_request_new(statement) ~= nil)
    env:close(session)
  end)
end)

describe("a configuration of the C API", function()
  local loop
  before_each(function() loop = C.moonpool_loop_new(nil) end)
  after_each(function() C.moonpool_loop_free(loop) end)

  local function refused(text)
    local message = ffi.new "char[512]"
    assert.is_true(C.moonpool_session_from_text(loop, text, "pool.lua", message, 512) == nil)
    return ffi.string(message)
  end

  it("that is wrong is refused with its file and line", function()
    assert.matches("pool.lua:1:", refused "return {", 1, true)
    assert.matches("pool.lua:2:.*portt", refused "return {\n  portt = 9042 }")
    assert.matches("pool.lua", refused "return 5")
    assert.matches("boom", refused "error 'boom'")
    assert.matches("nowhere", refused "return { loadBalancing = { policy = 'nowhere' } }")
  end)

  -- What a function writes to the standard error, however it gets there.
  local function said_by(fn)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    local kept = ffi.C.dup(2)
    ffi.C.dup2(ffi.C.fileno(file), 2)
    local ok, err = pcall(fn)
    ffi.C.dup2(kept, 2)
    ffi.C.close(kept)
    file:close()
    local text = assert(io.open(path)):read "*a"
    os.remove(path)
    if not ok then error(err, 0) end
    return text
  end

  -- The warnings of a configuration's text.
  local function warned(text)
    return said_by(function()
      local message = ffi.new "char[512]"
      local session = C.moonpool_session_from_text(loop, text, "pool.lua", message, 512)
      assert(session ~= nil, ffi.string(message))
      C.moonpool_session_close(session, nil, nil)
      C.moonpool_loop_run(loop)
    end)
  end

  it("that is unwise tells its warnings, whatever level it has", function()
    local said = warned("return { contactPoints = { '127.0.0.1' }, logging = { level = 'off' },\n" ..
      "pooling = { heartBeatInterval = 0 } }")
    assert.matches("^moonpool warn: pool.lua:2: pooling.heartBeatInterval: ", said)
    assert.equal(1, select(2, said:gsub("\n", "")))
  end)

  it("that asks for what only Lua has says so, and what to use instead", function()
    local said = warned("return { contactPoints = { '127.0.0.1' }, handlers = 'h.lua', playbooks = { 'p.lua' },\n" ..
      "metrics = { listen = '127.0.0.1:9500' },\nhttp = { listen = '127.0.0.1:9501' } }")
    for line, key in pairs { [1] = "handlers", [2] = "metrics.listen", [3] = "http.listen" } do
      assert.matches(("pool.lua:%d: %s: has no effect in a session of the C API: "):format(line, key), said, 1, true)
    end
    assert.matches("pool.lua:1: playbooks: has no effect", said, 1, true)
    assert.equal(4, select(2, said:gsub("\n", "")))
  end)

  it("comes from a file as well", function()
    local message = ffi.new "char[512]"
    assert.is_true(C.moonpool_session_from_file(loop, "/nonexistent/pool.lua", message, 512) == nil)
    assert.matches("/nonexistent/pool.lua", ffi.string(message), 1, true)
    assert.is_true(C.moonpool_session_from_file(loop, "/nonexistent/pool.lua", message, 8) == nil)
    assert.equal(7, #ffi.string(message))
  end)
end)
