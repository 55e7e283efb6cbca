-- SPDX-License-Identifier: Apache-2.0
-- Every rule, as a client sees it.
local raw = require "spec.support.rawclient"

describe("a fault rule", function()
  local world, conn

  local function make(version)
    world = raw.world()
    world:schema "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
    conn = world:connect(1, { version = version })
  end
  before_each(function() make(5) end)
  after_each(function() world:close() end)

  local insert = "INSERT INTO ks.t (k, v) VALUES (1, 'op-1')"

  local function applied() return #world:connect(2):query("SELECT * FROM ks.t WHERE k = 1").rows == 1 end

  it("delays a request before it is served", function()
    world:rule { action = "DELAY", delay_ms = 300, statement = "INSERT" }
    local stream = conn:start_query(insert)
    assert.is_nil(conn:wait(stream, 200))
    assert.is_false(applied())
    assert.equal("void", conn:wait(stream, 200).kind)
  end)

  it("answers late, overtaken by others, after it has applied", function()
    local rule = world:rule { action = "LATE", delay_ms = 300, statement = "INSERT" }
    local late = conn:start_query(insert)
    assert.equal("rows", conn:query("SELECT key FROM system.local").kind)
    assert.is_nil(conn.answers[late])
    assert.is_true(applied())
    assert.equal("void", conn:wait(late, 1000).kind)
    assert.equal(1, rule.hits())
  end)

  it("drops the answer of what it has served, or swallows the request", function()
    world:rule { action = "DROP", statement = "INSERT", times = 1 }
    assert.is_nil(conn:wait(conn:start_query(insert), 30000))
    assert.is_true(applied())
    world:rule { action = "SWALLOW", statement = "VALUES (2" }
    assert.is_nil(conn:wait(conn:start_query "INSERT INTO ks.t (k) VALUES (2)", 30000))
    assert.equal(1, conn:query("SELECT count(*) FROM ks.t").rows[1].count)
  end)

  it("answers with an error and its fields, applied or not", function()
    world:rule { action = "ERROR", statement = "INSERT", times = 1, error = { code = "WRITE_TIMEOUT",
      consistency = 4, required = 2, received = 1, write_type = 0 } }
    local answer = conn:query(insert)
    assert.same({ "WRITE_TIMEOUT", "QUORUM", 2, 1, "SIMPLE" },
      { answer.name, answer.consistency, answer.required, answer.received, answer.write_type })
    assert.is_false(applied())
    world:rule { action = "ERROR", statement = "INSERT", apply = true, error = { code = "OVERLOADED" } }
    assert.equal("OVERLOADED", conn:query(insert).name)
    assert.is_true(applied())
    assert.same({ 2, 1 }, { world:received "op-1" })
  end)

  it("closes or resets, before or after it has applied", function()
    world:rule { action = "CLOSE", statement = "INSERT", times = 1 }
    assert.equal("closed", conn:query(insert).kind)
    assert.is_false(applied())
    conn = world:connect(1)
    world:rule { action = "RESET", statement = "INSERT", apply = true }
    local answer = conn:query(insert)
    assert.equal("closed", answer.kind)
    assert.equal(-9, answer.rc)
    assert.is_true(applied())
  end)

  for version = 4, 5 do
    it("cuts the answer at any byte, over v" .. version, function()
      world:close()
      make(version)
      local whole = #conn.bytes
      conn:query "SELECT key FROM system.local"
      whole = #conn.bytes - whole
      for at = 0, whole - 1 do
        local rule = world:rule { action = "CUT", at = at, times = 1, statement = "system.local" }
        local victim = world:connect(1, { version = version })
        local before = #victim.bytes
        assert.equal("closed", victim:query("SELECT key FROM system.local").kind)
        assert.equal(at, #victim.bytes - before)
        assert.is_nil(victim.bad)
        rule.remove()
        victim.sock:close()
      end
    end)
  end

  it("sends bytes of its own instead", function()
    world:rule { action = "RAW", raw = "HTTP/1.1 400 Bad Request\r\n\r\n", statement = "INSERT" }
    local before = #conn.bytes
    conn:start_query(insert)
    world.loop:until_true(function() return conn.bad end)
    assert.equal("HTTP/1.1 400 Bad Request\r\n\r\n", conn.bytes:sub(before + 1))
    assert.is_false(applied())
  end)

  it("answers twice, on another stream, or with a wrong byte", function()
    world:rule { action = "DUPLICATE", times = 1, statement = "INSERT" }
    local stream = conn:start_query(insert)
    world:pass(100)
    assert.equal(stream, conn.got[#conn.got].stream)
    assert.equal(stream, conn.got[#conn.got - 1].stream)
    world:rule { action = "STREAM", stream = 1234, times = 1, statement = "INSERT" }
    stream = conn:start_query(insert)
    world:pass(100)
    assert.is_nil(conn.answers[stream])
    assert.equal("void", conn.answers[1234].kind)
    world:rule { action = "CORRUPT", at = 12, times = 1, statement = "INSERT" }
    conn:start_query(insert)
    world:pass(100)
    assert.is_truthy(conn.bad:find "CRC")
  end)

  it("reads nothing any more from a connection", function()
    world:rule { action = "DEAF", statement = "INSERT", times = 1 }
    assert.is_nil(conn:wait(conn:start_query(insert), 5000))
    assert.is_nil(conn:wait(conn:start_query "SELECT key FROM system.local", 5000))
    assert.equal("rows", world:connect(1):query("SELECT key FROM system.local").kind)
  end)

  it("adds warnings and a payload, beside a trace id", function()
    for payload = 0, 1 do
      local rule = world:rule { action = "WARN", raw = "careful", at = payload, statement = "system.local" }
      for _, tracing in ipairs { false, true } do
        local answer = conn:query("SELECT key FROM system.local", { tracing = tracing })
        assert.equal("careful", answer.warning)
        assert.equal(payload, answer.payloads)
        assert.equal(tracing, answer.trace ~= nil)
        assert.equal("local", answer.rows[1].key)
      end
      rule.remove()
    end
  end)

  it("looks at node, opcode, connection, number and chance", function()
    local rule = world:rule { action = "ERROR", node = 2, opcode = "QUERY", connection = 2, skip = 1, times = 2,
      error = { code = "OVERLOADED" } }
    local first, second = world:connect(2), world:connect(2)
    local names = {}
    for _, other in ipairs { conn, first, second } do
      for _ = 1, 4 do names[#names + 1] = other:query("SELECT key FROM system.local").name or "-" end
    end
    assert.same({ "-", "-", "-", "-", "-", "-", "-", "-", "-", "OVERLOADED", "OVERLOADED", "-" }, names)
    assert.equal(2, rule.hits())
    world:rule { action = "ERROR", probability = 0.25, error = { code = "OVERLOADED" }, node = 1 }
    local hits = 0
    for _ = 1, 400 do hits = hits + (conn:query("SELECT key FROM system.local").name and 1 or 0) end
    assert.is_true(hits > 60 and hits < 140, hits)
  end)

  it("spoils a handshake as well", function()
    world:rule { action = "SWALLOW", opcode = "STARTUP", node = 3, times = 1 }
    local victim = world:connect(3, { manual = true })
    assert.is_nil(victim:startup())
    assert.equal("ready", world:connect(3).hello.kind)
    world:rule { action = "ERROR", opcode = "STARTUP", node = 2, error = { code = "IS_BOOTSTRAPPING" } }
    assert.equal("IS_BOOTSTRAPPING", world:connect(2).hello.name)
  end)
end)
