-- SPDX-License-Identifier: Apache-2.0
-- What a node can say wrong, and what it can say right in an unlucky order.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local mixed = { read = 40, write = 30, append = 30 }

-- A rule spoils some answers of every node; safe requests go elsewhere, others end as unknown, nothing else suffers.
local function spoiled(world, rule, options)
  options = options or {}
  options.pooling = { coreConnectionsPerHost = { ["0"] = 2 } }
  local pool = world:pool(options)
  local told = world:listen(pool, "connectionLost")
  local load = workload.new(world, pool, { mix = mixed })
  for node = 1, 3 do
    local spec = { node = node, opcode = "EXECUTE", times = 1, skip = node * 40 }
    for key, value in pairs(rule) do spec[key] = value end
    world.cluster:rule(spec)
  end
  load:run(500, 12, function() moonpool.sleep(world.random(12)) end)
  world:healed(pool)
  load:check()
  assert.equal(0, load:failures "read" + load:failures "write")
  return pool, load, told
end

local function reasons(told)
  local list = {}
  for i, event in ipairs(told.connectionLost) do
    list[i] = type(event[2]) == "table" and event[2].reason or tostring(event[2])
  end
  return table.concat(list, "\n")
end

-- The header of an envelope, v4.
local function envelope(fields)
  local function u32(n) return string.char(math.floor(n / 2 ^ 24) % 256, math.floor(n / 2 ^ 16) % 256,
    math.floor(n / 256) % 256, n % 256) end
  local stream = fields.stream or 0
  return string.char(fields.version or 0x84, fields.flags or 0, math.floor(stream / 256) % 256, stream % 256,
    fields.opcode or 0x08) .. u32(fields.length or #(fields.body or "")) .. (fields.body or "")
end

describe("protocol:", function()
  for _, version in ipairs { 4, 5 } do
    for seed = 1, 3 do it("P1 an answer that is cut short is no answer, v" .. version, { seed = seed }, function(world)
      local at = ({ 0, 1, 5, 9, 14, 20 })[world.seed % 6 + 1]
      local _, _, told = spoiled(world, { cut = at }, { protocolVersion = version })
      assert.is_true(#told.connectionLost > 0)
    end) end
  end

  -- What comes instead of an answer, and why the connection ends.
  for name, case in pairs {
    ["P2 an announced body of 2 GiB"] = { envelope { length = 0x7fffffff },
      "a body of 2147483647 bytes is over the limit" },
    ["P3 a negative length"] = { envelope { length = 0x80000000 }, "a body of 2147483648 bytes is over the limit" },
    ["P3 a length of minus one"] = { envelope { length = 0xffffffff }, "a body of 4294967295 bytes is over the limit" },
    ["P4 an unknown opcode"] = { envelope { opcode = 0x55 }, "unexpected opcode 0x55" },
    ["P4 the opcode of a request"] = { envelope { opcode = 0x07 }, "unexpected opcode 0x07 (QUERY)" },
    ["P4 the direction of a request"] = { envelope { version = 0x04 }, "a request came where a response belongs" },
    ["P5 another version in the middle"] = { envelope { version = 0x83 }, "protocol version 3 instead of 4" },
    ["P6 an answer that nobody asked for"] = { envelope { stream = 2000, body = "\0\0\0\1" },
      "RESULT for stream 2000, which waits for nothing" },
    ["P11 a web server's words"] = { "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", "an HTTP server?" },
    ["P11 a TLS alert"] = { "\21\3\1\0\2\2\10", "a TLS port?" },
  } do
    it(name .. " closes that connection, nothing else", function(world)
      local _, load, told = spoiled(world, { raw = case[1] }, { protocolVersion = 4 })
      assert.is_true(#told.connectionLost > 0)
      assert.is_true(load.of.append.ok > 50)
      for why in reasons(told):gmatch "[^\n]+" do assert.truthy(why:find(case[2], 1, true), why) end
    end)
  end

  for _, version in ipairs { 4, 5 } do
    it("P6 an answer on a stream that was never given closes, v" .. version, function(world)
      local _, _, told = spoiled(world, { stream = 1999 }, { protocolVersion = version })
      assert.is_true(#told.connectionLost > 0)
    end)

    it("P7 an answer that comes twice is given to nobody else, v" .. version, function(world)
      local _, _, told = spoiled(world, { duplicate = true }, { protocolVersion = version })
      assert.matches("for stream %d+, which waits for nothing", reasons(told))
    end)
  end

  it("P8 late answers never meet another request", function(world)
    local pool = world:pool { requestTimeout = 600, attemptTimeout = 200,
      pooling = { maxRequestsPerConnection = 8, heartBeatTimeout = 5000 } }
    local load = workload.new(world, pool, { timeout = 600 })
    for node = 1, 3 do
      world.cluster:rule { node = node, opcode = "EXECUTE", late = 900, probability = 0.05 }
    end
    load:run(1500, 24)
    moonpool.sleep(2000)
    assert.is_true(pool:getStats().lateAnswers > 20, pool:getStats().lateAnswers .. " answers came late")
    world:healed(pool)
    load:check()
  end)

  it("P9 ids that are never answered wear out a connection, not the pool", function(world)
    local pool = world:pool { pooling = { maxRequestsPerConnection = 64 }, attemptTimeout = 100 }
    local load = workload.new(world, pool, { mix = { read = 70, write = 30 } })
    for node = 1, 3 do world.cluster:rule { node = node, opcode = "EXECUTE", swallow = true, probability = 0.01 } end
    load:run(4000, 24)
    load:none_failed()
    world:healed(pool)
    load:run(200, 24):none_failed():check()
  end)

  for _, ids in ipairs { 1, 2, 3, 4, 16, 63 } do
    it("P9 " .. ids .. " ids that are all never answered wear out a connection, not the host", function(world)
      local pool = world:pool { pooling = { maxRequestsPerConnection = ids, maxConnectionsPerHost = { ["0"] = 1 } } }
      local read = assert(pool:prepare "SELECT key FROM system.local")
      world.cluster:rule { opcode = "EXECUTE", swallow = true }
      local futures = {}
      for i = 1, 3 * ids do futures[i] = pool:executeAsync(read, nil, { timeout = 200 }) end
      for _, future in ipairs(futures) do future:wait() end
      world.cluster:clearRules()
      moonpool.sleep(2000)
      for node = 1, 3 do assert(pool:execute(read, nil, { host = world:host(node) })) end
    end)
  end

  it("P10 more requests than ids wait, then hear that it is too much", function(world)
    local pool = world:pool { maxQueuedRequests = 100, pooling = { maxRequestsPerConnection = 16,
      maxConnectionsPerHost = { ["0"] = 1 } } }
    local read = assert(pool:prepare "SELECT key FROM system.local")
    world.cluster:rule { opcode = "EXECUTE", delay = 200 }
    local codes, futures = {}, {}
    for i = 1, 600 do
      futures[i] = world:spawn(function()
        local began = moonpool.now()
        local result, err = pool:execute(read)
        local code = result and "ok" or err.code
        codes[code] = (codes[code] or 0) + 1
        assert(moonpool.now() - began <= 2060)
        assert(result or not err.maybeApplied)
        return true
      end)
    end
    assert(moonpool.all(futures))
    assert.equal(600, (codes.ok or 0) + (codes.POOL_BUSY or 0))
    assert.is_true(codes.ok >= 148 and codes.ok <= 160, codes.ok)
    world.cluster:clearRules()
    assert(pool:execute(read))
  end)

  it("P14 a wrong checksum closes the connection, wherever the byte stands", function(world)
    local pool = world:pool { protocolVersion = 5, pooling = { coreConnectionsPerHost = { ["0"] = 2 } } }
    local told = world:listen(pool, "connectionLost", "hostDown")
    local load = workload.new(world, pool, { mix = mixed })
    for at = 0, 24, 2 do
      world.cluster:rule { node = at % 3 + 1, opcode = "EXECUTE", corrupt = at, times = 1 }
      load:run(40, 8, function() moonpool.sleep(5) end)
      moonpool.sleep(1500)
    end
    assert.is_true(#told.connectionLost >= 10)
    for why in reasons(told):gmatch "[^\n]+" do assert.matches("CRC%d%d", why) end
    assert.equal(0, #told.hostDown) -- one broken connection of two
    assert.equal(0, load:failures "read" + load:failures "write")
    world:healed(pool)
    load:check()
  end)

  for version = 3, 5 do
    it("P15 rows larger and smaller than a segment arrive whole, v" .. version, function(world)
      local pool = world:pool { protocolVersion = version, requestTimeout = 8000, attemptTimeout = 8000 }
      world:schema "CREATE TABLE ks.blobs (k int PRIMARY KEY, v text)"
      local futures = {}
      for i, size in ipairs { 0, 1, 100, 131000, 131071, 131072, 131200, 262144, 400001 } do
        futures[i] = world:spawn(function()
          local text = string.char(64 + i):rep(size)
          assert(pool:execute("INSERT INTO blobs (k, v) VALUES (?, ?)", { i, text }, { consistency = "ALL" }))
          for _ = 1, 3 do
            local row = assert(pool:execute("SELECT v FROM blobs WHERE k = ?", { i })):first()
            assert(row.v == text, "another text came back")
          end
          return true
        end)
      end
      assert(moonpool.all(futures))
    end)
  end

  it("P16 nodes of different age are each spoken to in their own version", function(world)
    world.cluster:setMaxVersion(2, 4)
    world.cluster:setMaxVersion(3, 3)
    for node = 1, 3 do
      local pool = world:pool { contactPoints = { world.cluster:node(node).address } }
      world:waitUp(pool, 3, 5000)
      for _ = 1, 12 do assert(pool:execute("SELECT key FROM system.local WHERE key = ?", { "local" })) end
      pool:close()
    end
  end)

  it("P16 a version that only some nodes know is never fallen below", function(world)
    world.cluster:setMaxVersion(1, 3)
    local pool = world:newPool { protocolVersion = 5 }
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.matches("version", tostring(err))
  end)

  it("P18 warnings, payloads and traces are read in their order", function(world)
    local rule
    for version = 4, 5 do
      local pool = world:pool { protocolVersion = version }
      for _, payload in ipairs { false, true } do
        rule = world.cluster:rule { opcode = "QUERY", statement = "rows", warn = "mind the gap", payload = payload }
        if version == 4 and not payload then world:schema "CREATE TABLE ks.rows (k text PRIMARY KEY, v text)" end
        for _, traced in ipairs { false, true } do
          local result = assert(pool:execute("SELECT k, v FROM rows", nil, { traceQuery = traced }))
          assert.same({ "mind the gap" }, result.info.warnings)
          assert.equal(traced, result.info.traceId ~= nil)
          assert.equal("k", result.columns[1].name)
        end
        rule:remove()
      end
    end
  end)

  it("P19 events of unknown kinds and on data connections are passed over", function(world)
    local event = function(kind) return envelope { stream = 65535, opcode = 0x0c,
      body = string.char(0, #kind) .. kind .. "\0\2UP" } end
    for _, kind in ipairs { "GRACEFUL_DISCONNECT", "STATUS_CHANGE" } do
      local pool = world:pool { protocolVersion = 4, attemptTimeout = 100 }
      local told = world:listen(pool, "connectionLost")
      world.cluster:rule { node = 2, opcode = "QUERY", statement = "keyspace_name", raw = event(kind), times = 2 }
      for _ = 1, 12 do assert(pool:execute "SELECT keyspace_name FROM system_schema.keyspaces") end
      assert.equal(0, #told.connectionLost, reasons(told))
    end
  end)

  it("P20 rows are read by the columns they were sent with", function(world)
    for version = 4, 5 do
      local name = "ks.wide" .. version
      world:schema("CREATE TABLE " .. name .. " (k int PRIMARY KEY, a text)")
      local pool = world:pool { protocolVersion = version }
      local select = assert(pool:prepare("SELECT * FROM " .. name .. " WHERE k = ?"))
      assert(pool:execute("INSERT INTO " .. name .. " (k, a) VALUES (?, ?)", { 1, "one" }, { consistency = "ALL" }))
      for node = 1, 3 do assert(pool:execute(select, { 1 }, { host = world:host(node) })) end
      local futures = {}
      for i = 1, 30 do
        world.cluster:rule { opcode = "EXECUTE", late = world.random(60), times = 1 }
        futures[i] = world:spawn(function()
          moonpool.sleep(i)
          local row = assert(pool:execute(select, { 1 })):first()
          assert(row.k == 1 and row.a == "one" and (row.aa == nil or row.aa == "new"), "a row was misread")
          return true
        end)
      end
      moonpool.sleep(15)
      assert(pool:execute("ALTER TABLE " .. name .. " ADD aa text"))
      assert(moonpool.all(futures))
      assert(pool:execute("INSERT INTO " .. name .. " (k, aa) VALUES (?, ?)", { 1, "new" }, { consistency = "ALL" }))
      for _ = 1, 9 do
        local row = assert(pool:execute(select, { 1 })):first()
        assert.same({ k = 1, a = "one", aa = "new" }, row)
      end
    end
  end)

  -- The node gives a statement the same id whoever prepares it, so it may know new columns of which this pool has not
  -- heard: its REGISTER got a READY, and nobody took note.
  it("P20 rows are read right when somebody else has prepared the statement anew", function(world)
    for version = 3, 5 do
      local name = "ks.shared" .. version
      local cql = "SELECT * FROM " .. name .. " WHERE k = ?"
      world:schema("CREATE TABLE " .. name .. " (k int PRIMARY KEY, b text)")
      local other = world:pool { protocolVersion = version }
      local deaf = version < 5 and world.cluster:rule { opcode = "REGISTER",
        raw = envelope { version = 0x80 + version, opcode = 0x02 } }
      local pool = world:pool { protocolVersion = version }
      if deaf then deaf:remove() end
      local told, select = world:listen(pool, "connectionLost"), assert(pool:prepare(cql))
      assert(pool:execute("INSERT INTO " .. name .. " (k, b) VALUES (?, ?)", { 1, "one" }, { consistency = "ALL" }))
      for node = 1, 3 do assert(pool:execute(select, { 1 }, { host = world:host(node) })) end
      assert(other:execute("ALTER TABLE " .. name .. " ADD a text"))
      local theirs = assert(other:prepare(cql))
      for node = 1, 3 do assert(other:execute(theirs, { 1 }, { host = world:host(node) })) end
      for i = 1, 9 do
        local row = assert(pool:execute(select, { 1 }, { host = world:host(i % 3 + 1) })):first()
        assert.same({ k = 1, b = "one" }, row)
      end
      assert.equal(0, #told.connectionLost, reasons(told))
      other:close()
    end
  end)

  it("P20 a type that grows while answers are under way", function(world)
    for version = 3, 5 do
      local kind, name = "grows" .. version, "ks.grown" .. version
      world:schema("CREATE TYPE ks." .. kind .. " (a text)")
      world:schema(("CREATE TABLE %s (k int PRIMARY KEY, f frozen<%s>, l list<frozen<%s>>, v text)"):format(name, kind,
        kind))
      local pool = world:pool { protocolVersion = version }
      local select = assert(pool:prepare("SELECT f, l, v FROM " .. name .. " WHERE k = ?"))
      assert(pool:execute("INSERT INTO " .. name .. " (k, f, l, v) VALUES (?, ?, ?, ?)",
        { 1, { a = "one" }, { { a = "two" } }, "v" }, { consistency = "ALL" }))
      for node = 1, 3 do assert(pool:execute(select, { 1 }, { host = world:host(node) })) end
      local futures = {}
      for i = 1, 30 do
        world.cluster:rule { opcode = "EXECUTE", late = world.random(60), times = 1 }
        futures[i] = world:spawn(function()
          moonpool.sleep(i)
          local row = assert(pool:execute(select, { 1 })):first()
          assert.same({ "one", "two", "v" }, { row.f.a, row.l[1].a, row.v })
          return true
        end)
      end
      moonpool.sleep(15)
      world:schema("ALTER TYPE ks." .. kind .. " ADD b int")
      assert(moonpool.all(futures))
      moonpool.sleep(3000)
      assert(pool:execute("INSERT INTO " .. name .. " (k, f, l) VALUES (?, ?, ?)", { 1, { b = 5 }, { { b = 6 } } },
        { consistency = "ALL" }))
      for _ = 1, 9 do
        assert.same({ f = { b = 5 }, l = { { b = 6 } }, v = "v" }, assert(pool:execute(select, { 1 })):first())
      end
    end
  end)

  it("P21 empty pages are read on, and a page that is followed by itself ends the loop", function(world)
    world:schema "CREATE TABLE ks.rows (k text PRIMARY KEY, v text)"
    local pool = world:pool { protocolVersion = 4, pooling = { coreConnectionsPerHost = { ["0"] = 1 } } }
    -- <metadata> with one global table, has_more_pages and the paging state; no rows, or one.
    local function page(state, value)
      local rows = value and "\0\0\0\1\0\0\0\1" .. value or "\0\0\0\0"
      local more = state and "\3\0\0\0\1\0\0\0" .. string.char(#state) .. state or "\1\0\0\0\1"
      return envelope { body = "\0\0\0\2\0\0\0" .. more .. "\0\2ks\0\4rows\0\1v\0\13" .. rows }
    end
    local function answers(...)
      world.cluster:clearRules()
      for _, bytes in ipairs { ... } do
        world.cluster:rule { opcode = "QUERY", statement = "SELECT v", raw = bytes, times = 1 }
      end
    end
    local function read()
      local values = {}
      for row in pool:rows("SELECT v FROM rows", nil, { fetchSize = 1, prepare = false }) do
        values[#values + 1] = row.v
      end
      return table.concat(values, " ")
    end
    answers(page("one", "a"), page "two", page "three", page(nil, "b"))
    assert.equal("a b", read())
    answers(page("one", "a"), page("one", "b"), page("one", "c"))
    local ok, err = pcall(read)
    assert.is_false(ok)
    assert.equal("PROTOCOL_ERROR", err.code)
    assert.matches("gave the same pageState twice", tostring(err))
  end)

  it("P22 no request runs before its connection has its keyspace", function(world)
    world:schema("CREATE KEYSPACE other WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
      "CREATE TABLE ks.who (k int PRIMARY KEY, v text)", "CREATE TABLE other.who (k int PRIMARY KEY, v text)")
    local plain = world:pool { keyspace = support.none }
    for _, keyspace in ipairs { "ks", "other" } do
      assert(plain:execute("INSERT INTO " .. keyspace .. ".who (k, v) VALUES (1, ?)", { keyspace },
        { consistency = "ALL" }))
    end
    world.cluster:rule { opcode = "QUERY", statement = "USE", delay = 250 }
    for _, keyspace in ipairs { "ks", "other" } do
      local pool = world:pool { keyspace = keyspace }
      world:spawn(function()
        for i = 1, 4 do
          moonpool.sleep(300)
          world.sim:cut(i % 3 + 1)
        end
        return true
      end)
      local answered = 0
      for _ = 1, 60 do
        moonpool.sleep(30)
        local result, err = pool:execute("SELECT v FROM who WHERE k = 1", nil, { prepare = false })
        assert(not result or result:first().v == keyspace)
        assert(result or err.code ~= "INVALID", tostring(err)) -- as it is for one without a keyspace
        answered = answered + (result and 1 or 0)
      end
      assert.is_true(answered >= 40, answered)
    end
  end)

  it("P23 UNPREPARED for a statement that was not sent ends the request, and never loops", function(world)
    world:schema "CREATE TABLE ks.rows (k text PRIMARY KEY, v text)"
    local pool = world:pool()
    local read = assert(pool:prepare "SELECT v FROM rows WHERE k = ?")
    world.cluster:rule { opcode = "EXECUTE", error = "UNPREPARED" }
    local prepares = 0
    for node = 1, 3 do prepares = prepares - world.cluster:node(node).prepares end
    local result, err = pool:execute(read, { "a" })
    assert.is_nil(result)
    assert.is_false(err.maybeApplied)
    assert.is_true(#err.attempts <= 4, #err.attempts .. " attempts")
    for node = 1, 3 do prepares = prepares + world.cluster:node(node).prepares end
    assert.is_true(prepares <= 2, prepares .. " times prepared")
    world.cluster:clearRules()
    world:waitUp(pool)
    assert(pool:execute(read, { "a" }))
  end)

  it("P24 an answer of the wrong kind closes, whatever was asked", function(world)
    local pool = world:pool { protocolVersion = 4, pooling = { coreConnectionsPerHost = { ["0"] = 1 } } }
    world:schema "CREATE TABLE ks.rows (k text PRIMARY KEY, v text)"
    local told = world:listen(pool, "connectionLost")
    local ready, void = "", ""
    for stream = 0, 40 do
      ready = ready .. envelope { stream = stream, opcode = 0x02 }
      void = void .. envelope { stream = stream, body = "\0\0\0\1" }
    end
    for opcode, bytes in pairs { QUERY = ready, PREPARE = void, EXECUTE = ready } do
      world.cluster:rule { node = 2, opcode = opcode, statement = "FROM rows", raw = bytes, times = 1 }
      for i = 1, 12 do
        assert(pool:execute("SELECT v FROM rows WHERE k = ?", { "a" .. i }, { prepare = opcode ~= "QUERY" }))
        assert(pool:prepare("SELECT v FROM rows WHERE k = ? LIMIT " .. i .. #told.connectionLost))
      end
      world.cluster:clearRules()
      world:waitUp(pool)
    end
    assert.is_true(#told.connectionLost >= 2, reasons(told))
  end)
end)
