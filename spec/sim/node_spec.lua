-- SPDX-License-Identifier: Apache-2.0
-- A node over its socket: versions, handshake, statements, paging, prepared statements, events.
local raw = require "spec.support.rawclient"

local function rows_of(answer, column)
  local list = {}
  for i, row in ipairs(answer.rows) do list[i] = row[column] end
  return list
end

describe("a simulated node", function()
  local world
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function ready(options)
    world = raw.world(options)
    world:schema "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
    world:schema "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))"
    return world:connect(1)
  end

  it("speaks versions 3, 4 and 5", function()
    world = raw.world()
    for version = 3, 5 do
      local conn = world:connect(1, { version = version })
      assert.equal("ready", conn.hello.kind)
      local answer = conn:query "SELECT release_version FROM system.local"
      assert.equal(version, answer.version)
      assert.equal("5.0.9", answer.rows[1].release_version)
    end
  end)

  it("refuses a version it does not speak, in words that drivers know", function()
    world = raw.world { max_version = 4 }
    local conn = world:connect(1, { version = 5, manual = true })
    local answer = conn:startup()
    assert.equal("PROTOCOL_ERROR", answer.name)
    assert.equal("Beta version of the protocol used (5/v5-beta), but USE_BETA flag is unset", answer.message)
    assert.equal(5, answer.version)
    assert.equal("ready", world:connect(1, { version = 4 }).hello.kind)

    local other = world:connect(2, { manual = true })
    other:send_raw "\66\0\0\9\1\0\0\0\0"
    answer = other:wait(9)
    assert.equal("Invalid or unsupported protocol version (66); supported versions are (3/v3, 4/v4, 5/v5-beta)",
      answer.message)
    assert.equal(4, answer.version)
  end)

  it("closes on what is no request", function()
    world = raw.world()
    local conn = world:connect(1, { manual = true })
    conn:send_raw "GET / HTTP/1.1\r\n\r\n"
    world.loop:until_true(function() return conn.ended end)
    local second = world:connect(1)
    second:send_raw(("x"):rep(64))
    world.loop:until_true(function() return second.ended end)
  end)

  it("asks for credentials and knows the right ones", function()
    world = raw.world { user = "cassandra", password = "secret" }
    assert.equal("authenticated", world:connect(1, { user = "cassandra", password = "secret" }).hello.kind)
    local answer = world:connect(1, { user = "cassandra", password = "wrong" }).hello
    assert.equal("BAD_CREDENTIALS", answer.name)
    assert.equal("Provided username cassandra and/or password are incorrect", answer.message)
    local conn = world:connect(1)
    assert.equal("PROTOCOL_ERROR", conn:query("SELECT * FROM system.local").name)
  end)

  it("demands STARTUP first and answers OPTIONS always", function()
    world = raw.world()
    local conn = world:connect(1, { manual = true })
    assert.equal("supported", conn:options().kind)
    assert.equal("PROTOCOL_ERROR", conn:query("SELECT * FROM system.local").name)
  end)

  it("writes and reads back over every version", function()
    ready()
    for version = 3, 5 do
      local conn = world:connect(2, { version = version })
      local insert = "INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?)"
      assert.equal("void", conn:query(insert, { values = { raw.int(version), raw.int(1), "text" } }).kind)
      local answer = conn:query("SELECT * FROM ks.t WHERE k = " .. version)
      assert.same({ { k = version, c = 1, v = "text" } }, answer.rows)
    end
  end)

  it("takes values by name", function()
    local conn = ready()
    conn:query("INSERT INTO ks.t (k, c, v) VALUES (:key, :place, 'x')",
      { values = { raw.int(5), raw.int(1) }, names = { "place", "key" } })
    assert.same({ { k = 1, c = 5, v = "x" } }, conn:query("SELECT * FROM ks.t").rows)
  end)

  it("says what is wrong with a statement", function()
    local conn = ready()
    local function message(cql, name)
      local answer = conn:query(cql)
      assert.equal("error", answer.kind, cql)
      assert.equal(name, answer.name, cql .. ": " .. answer.message)
      return answer.message
    end
    assert.matches("^line 1:0 no viable alternative at input 'FROB' ",
      message("FROB x", "SYNTAX_ERROR"))
    assert.matches("^line 1:9 .*'FORM'", message("SELECT * FORM ks.t", "SYNTAX_ERROR"))
    assert.equal("table nope does not exist", message("SELECT * FROM ks.nope", "INVALID"))
    assert.equal("keyspace no does not exist", message("SELECT * FROM no.t", "INVALID"))
    assert.equal("Undefined column name x in table ks.t", message("SELECT x FROM ks.t", "INVALID"))
    assert.matches("No keyspace has been specified", message("SELECT * FROM t", "INVALID"))
    assert.matches("ALLOW FILTERING$", message("SELECT * FROM ks.t WHERE v = 'x'", "INVALID"))
    assert.equal("Some clustering keys are missing: c", message("UPDATE ks.t SET v = 'x' WHERE k = 1", "INVALID"))
    assert.equal("Some partition key parts are missing: k", message("DELETE FROM ks.t WHERE c = 1", "INVALID"))
    assert.matches("Invalid STRING constant", message("INSERT INTO ks.t (k, c) VALUES ('a', 1)", "INVALID"))
    assert.matches("expected 2, got 0", message("INSERT INTO ks.t (k, c) VALUES (?, ?)", "INVALID"))
    assert.matches("not user%-modifiable", message("DROP TABLE system.local", "UNAUTHORIZED"))
    assert.matches("existing keyspace", message("CREATE KEYSPACE ks WITH replication = " ..
      "{'class': 'SimpleStrategy', 'replication_factor': 1}", "ALREADY_EXISTS"))
  end)

  it("knows the connection's keyspace, and one that comes with the request", function()
    local conn = ready()
    assert.same({ "keyspace", "ks" }, (function(a) return { a.kind, a.keyspace } end)(conn:query "USE ks"))
    assert.equal("void", conn:query("INSERT INTO t (k, c) VALUES (1, 1)").kind)
    local other = world:connect(1)
    assert.equal("error", other:query("SELECT * FROM t").kind)
    assert.equal(1, #other:query("SELECT * FROM t", { keyspace = "ks" }).rows)
    assert.equal("prepared", other:prepare("SELECT * FROM t WHERE k = ?", "ks").kind)
  end)

  it("pages through a partition and through the ring without losing or doubling a row", function()
    local conn = ready()
    for k = 1, 8 do
      for c = 1, 7 do
        conn:query("INSERT INTO ks.t (k, c, v) VALUES (?, ?, 'x')", { values = { raw.int(k), raw.int(c) } })
      end
    end
    local state, seen, pages = nil, {}, 0
    repeat
      -- Each page from another node: the state says all.
      local node = world:connect(pages % 3 + 1)
      local answer = node:query("SELECT k, c FROM ks.t", { pageSize = 5, state = state })
      assert.is_true(#answer.rows <= 5)
      for _, row in ipairs(answer.rows) do
        local key = row.k .. "/" .. row.c
        assert.is_nil(seen[key], key)
        seen[key] = true
        seen[#seen + 1] = key
      end
      state, pages = answer.state, pages + 1
      assert.equal(answer.more, state ~= nil)
    until not state
    assert.equal(56, #seen)
    assert.equal(12, pages)

    local first = conn:query("SELECT c FROM ks.t WHERE k = 3 ORDER BY c DESC LIMIT 6", { pageSize = 4 })
    assert.same({ 7, 6, 5, 4 }, rows_of(first, "c"))
    local second = conn:query("SELECT c FROM ks.t WHERE k = 3 ORDER BY c DESC LIMIT 6",
      { pageSize = 4, state = first.state })
    assert.same({ 3, 2 }, rows_of(second, "c"))
    assert.is_nil(second.state)
    assert.equal("PROTOCOL_ERROR", conn:query("SELECT * FROM ks.t", { pageSize = 4, state = "nonsense" }).name)
  end)

  it("prepares with the markers' names, types and routing indexes", function()
    local conn = ready()
    local prepared = conn:prepare "UPDATE ks.t USING TTL ? SET v = ? WHERE c = ? AND k = ?"
    assert.same({ "[ttl]", "v", "c", "k" }, prepared.params)
    assert.same({ "int", "text", "int", "int" }, prepared.types)
    assert.same({ 3 }, prepared.pk)
    local select = conn:prepare "SELECT v FROM ks.t WHERE k IN ? LIMIT ?"
    assert.same({ "k", "[limit]" }, select.params)
    assert.same({ "list<int>", "int" }, select.types)
    assert.same({}, select.pk)
  end)

  it("does not know what was prepared on another node, or was pushed out, or before a restart", function()
    ready { prepared_limit = 2 }
    local one, two = world:connect(1), world:connect(2)
    local insert = one:prepare "INSERT INTO ks.t (k, c) VALUES (?, 1)"
    local answer = two:execute(insert, { raw.int(1) })
    assert.equal("UNPREPARED", answer.name)
    assert.equal(insert.id, answer.id)
    assert.equal("void", one:execute(insert, { raw.int(1) }).kind)
    one:prepare "SELECT * FROM ks.t"
    one:execute(insert, { raw.int(1) })
    one:prepare "SELECT v FROM ks.t" -- SELECT * was used longest ago
    assert.equal("void", one:execute(insert, { raw.int(2) }).kind)
    one:prepare "SELECT c FROM ks.t"
    one:prepare "SELECT k FROM ks.t"
    assert.equal("UNPREPARED", one:execute(insert, { raw.int(1) }).name)
    one:prepare "INSERT INTO ks.t (k, c) VALUES (?, 1)"
    world:kill(1)
    world:start(1)
    assert.equal("UNPREPARED", world:connect(1):execute(insert, { raw.int(1) }).name)
  end)

  it("skips the metadata on request and sends it again when it has changed", function()
    local conn = ready()
    conn:query "INSERT INTO ks.t (k, c, v) VALUES (1, 1, 'x')"
    local old = conn:prepare "SELECT * FROM ks.t WHERE k = ?"
    local answer = conn:execute(old, { raw.int(1) }, { skip = true })
    assert.is_true(answer.skipped)
    assert.same({ { k = 1, c = 1, v = "x" } }, answer.rows)
    conn:query "ALTER TABLE ks.t ADD w int"
    assert.equal("UNPREPARED", conn:execute(old, { raw.int(1) }).name)
    local new = conn:prepare "SELECT * FROM ks.t WHERE k = ?"
    assert.not_equal(old.result_metadata_id, new.result_metadata_id)
    answer = conn:execute(old, { raw.int(1) }, { skip = true })
    assert.is_false(answer.skipped)
    assert.equal(new.result_metadata_id, answer.new_metadata_id)
    assert.same({ "k", "c", "v", "w" }, answer.columns)
  end)

  it("tells those who registered about schema and status, and nobody else", function()
    local conn = ready()
    local listener, deaf = world:connect(2), world:connect(2)
    assert.equal("ready", listener:register("SCHEMA_CHANGE", "STATUS_CHANGE", "TOPOLOGY_CHANGE").kind)
    assert.equal("PROTOCOL_ERROR", deaf:register("WEATHER_CHANGE").name)
    conn:query "CREATE TABLE ks.other (k int PRIMARY KEY)"
    world:kill(3)
    world:pass(3000)
    world:start(3)
    world:pass(1000)
    local told = {}
    for i, event in ipairs(listener.events) do
      local schema = event.type == "SCHEMA_CHANGE"
      told[i] = event.change .. " " .. (schema and event.keyspace .. "." .. event.name or event.address)
    end
    assert.same({ "CREATED ks.other", "DOWN 127.0.0.3", "UP 127.0.0.3" }, told)
    assert.same({}, deaf.events)
  end)

  it("gives a trace id on request and keeps the session", function()
    local conn = ready()
    assert.is_nil(conn:query("SELECT * FROM ks.t").trace)
    local answer = world:connect(2):query("SELECT * FROM ks.t", { tracing = true })
    assert.equal(16, #answer.trace)
    local session = conn:query("SELECT coordinator, command FROM system_traces.sessions WHERE session_id = ?",
      { values = { answer.trace } })
    assert.equal("\127\0\0\2", session.rows[1].coordinator)
  end)

  it("puts many answers into shared segments, and large ones into several", function()
    local conn = ready()
    local text = ("x"):rep(50000)
    for c = 1, 8 do
      conn:query("INSERT INTO ks.t (k, c, v) VALUES (1, ?, ?)", { values = { raw.int(c), text } })
    end
    local streams = {}
    for i = 1, 20 do
      streams[i] = conn:start_query(i % 2 == 0 and "SELECT * FROM ks.t WHERE k = 1" or "SELECT key FROM system.local")
    end
    for i, stream in ipairs(streams) do
      local answer = conn:wait(stream)
      assert.equal(i % 2 == 0 and 8 or 1, #answer.rows)
      if i % 2 == 0 then assert.equal(50000, #answer.rows[8].v) end
    end
    assert.is_nil(conn.bad)
  end)

  it("stops reading from a client that does not read", function()
    local conn = ready { output_limit = 65536 }
    conn:query("INSERT INTO ks.t (k, c, v) VALUES (1, 1, ?)", { values = { ("x"):rep(60000) } })
    conn.sock:stop()
    local streams = {}
    for i = 1, 200 do
      streams[i] = conn:start_query "SELECT v FROM ks.t WHERE k = 1"
      world:pass(20)
    end
    assert.is_true(tonumber(world:info(1).requests) < 150)
    conn.sock:start()
    for _, stream in ipairs(streams) do assert.equal(60000, #conn:wait(stream).rows[1].v) end
  end)
end)
