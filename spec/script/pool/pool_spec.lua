-- SPDX-License-Identifier: Apache-2.0
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local CREATE = "CREATE TABLE ks.users (id int PRIMARY KEY, name text, age int)"

describe("a pool", function()
  it_in("connects, executes and closes", function(world)
    local pool = world:newPool()
    assert.equal("moonpool pool (new)", tostring(pool))
    assert.is_true(pool:connect())
    assert.is_true(pool:connect())
    assert.equal("moonpool pool (open)", tostring(pool))
    local row = assert(pool:execute "SELECT cluster_name FROM system.local"):first()
    assert.equal("moonpool", row.cluster_name)
    assert.is_true(pool:close())
    assert.is_true(pool:close())
    assert.equal("moonpool pool (closed)", tostring(pool))
  end)

  it_in("says of a connection when it was used, once it was", function(world)
    local pooling = { coreConnectionsPerHost = { ["0"] = 3 }, maxConnectionsPerHost = { ["0"] = 3 } }
    local pool = world:pool { pooling = pooling }
    world:waitUp(pool)
    moonpool.sleep(500)
    local used, unused = 0, {}
    for _, connection in ipairs(pool:getConnectionDetails()) do
      if connection.lastUsedAt then used = used + 1 else unused[connection.id] = true end
      assert.is_true(connection.lastUsedAt == nil or connection.lastUsedAt >= connection.createdAt)
    end
    assert.is_true(next(unused) ~= nil)
    for _ = 1, 60 do assert(moonpool.all { pool:executeAsync "SELECT key FROM system.local",
      pool:executeAsync "SELECT key FROM system.local", pool:executeAsync "SELECT key FROM system.local" }) end
    local begun = 0
    for _, connection in ipairs(pool:getConnectionDetails()) do
      if unused[connection.id] and connection.lastUsedAt then
        begun = begun + 1
        assert.is_true(connection.lastUsedAt >= connection.createdAt + 400)
      end
    end
    assert.is_true(begun > 0)
  end)

  it_in("says of each host what was sent there", { nodes = 3 }, function(world)
    local pool = world:pool()
    world:waitUp(pool)
    for i = 1, 12 do
      assert(pool:execute("SELECT key FROM system.local", nil, { host = world:host(i % 4 == 0 and 1 or 2) }))
    end
    local sent = {}
    for node = 1, 3 do sent[node] = select(2, world:status(pool, node)).requests end
    assert.same({ 3, 9, 0 }, sent)
  end)

  it_in("is asked nothing by an empty text, and says so, wherever it stands", function(world)
    local pool = world:pool()
    local before = world.cluster:requests()
    for _, ask in ipairs {
      function() return pool:execute "" end, function() return pool:execute("", { 1 }) end,
      function() return pool:execute("", { a = 1 }, { prepare = false }) end, function() return pool:prepare "" end,
      function() return pool:execute("", nil, { prepare = true }) end, function() return pool:run "" end,
      function() return pool:executeAsync(""):wait() end, function() return pool:executeAsync("", { 1 }):wait() end,
      function() return pool:batch { "" } end, function() return pool:batchAsync({ { "" } }):wait() end,
      function() return pool:batch { { "", { 1 } } } end,
      function() return nil, select(2, pcall(pool:rows(""))) end,
    } do
      local result, err = ask()
      assert.is_nil(result)
      assert.equal("INVALID_ARGUMENT", err.code)
      assert.matches("empty text", tostring(err), 1, true)
      assert.is_false(err.maybeApplied)
    end
    assert.equal(before, world.cluster:requests())
    assert(pool:execute "SELECT key FROM system.local")
  end)

  it_in("is the same engine by both names", function(world)
    local pool = moonpool.AdvancedConnectionPool(world:configuration())
    assert.is_true(pool:initialize())
    assert(pool:execute "SELECT key FROM system.local")
    pool:close()
  end)

  it_in("connects once for all who ask at the same time", function(world)
    local pool = world:newPool()
    local futures = {}
    for i = 1, 5 do futures[i] = moonpool.spawn(function() return pool:connect() end) end
    assert.same({ true, true, true, true, true }, moonpool.all(futures))
    world:waitUp(pool)
    assert.equal(3, pool:getStats().totalConnections)
  end)

  it_in("that is not connected says so", function(world)
    local pool = world:newPool()
    for _, call in ipairs { "execute", "prepare" } do
      local result, err = pool[call](pool, "SELECT key FROM system.local")
      assert.is_nil(result)
      assert.equal("CLOSED", err.code)
    end
    pool:close()
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.equal("CLOSED", err.code)
  end)

  it_in("that cannot connect lists what it tried, and may try again", function(world)
    for node = 1, 3 do world.cluster:kill(node) end
    local pool = world:newPool { contactPoints = { "127.0.0.1", "127.0.0.2" } }
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert.is_false(err.maybeApplied)
    local tried = tostring(err)
    for _, host in ipairs { "127.0.0.1", "127.0.0.2" } do assert.matches(host, tried, 1, true) end
    for node = 1, 3 do world.cluster:start(node) end
    world:eventually("it connects", function() return (pool:connect()) end)
    assert(pool:execute "SELECT key FROM system.local")
  end)

  it_in("prepares once and takes positional and named parameters", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO users (id, name, age) VALUES (?, ?, ?)")
    assert.equal("INSERT INTO users (id, name, age) VALUES (?, ?, ?)", insert.cql)
    assert.same({ "id", "name", "age" }, { insert.parameters[1].name, insert.parameters[2].name,
      insert.parameters[3].name })
    assert.equal("int", insert.parameters[1].type)
    local before = world.cluster:node(1).prepares + world.cluster:node(2).prepares + world.cluster:node(3).prepares
    for _ = 1, 10 do assert(pool:prepare "INSERT INTO users (id, name, age) VALUES (?, ?, ?)") end
    local after = world.cluster:node(1).prepares + world.cluster:node(2).prepares + world.cluster:node(3).prepares
    assert.equal(before, after)
    assert(pool:execute(insert, { 1, "ana", 30 }))
    assert(pool:execute(insert, { id = 2, name = "bo", age = 40 }))
    assert(pool:execute(insert, { 3, nil, 50 }))
    assert(pool:execute(insert, { 4, "di", moonpool.null }))
    assert(pool:execute(insert, { id = 5, name = "eve", age = moonpool.unset }))
    local select = assert(pool:prepare "SELECT name, age FROM users WHERE id = ?")
    assert.same({ name = "ana", age = 30 }, pool:execute(select, { 1 }):first())
    assert.same({ name = "bo", age = 40 }, pool:execute(select, { id = 2 }):first())
    assert.same({ age = 50 }, pool:execute(select, { 3 }):first())
    assert.same({ name = "di" }, pool:execute(select, { 4 }):first())
    assert.same({ name = "eve" }, pool:execute(select, { 5 }):first())
    assert.equal("name", select.columns[1].name)
  end)

  it_in("prepares text with parameters by itself, unless it is told not to", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    assert(pool:execute("INSERT INTO users (id, name) VALUES (?, ?)", { 1, "ana" }))
    assert(pool:execute("INSERT INTO users (id, name) VALUES (?, ?)", { 2, "bo" }, { prepare = false }))
    assert(pool:execute("INSERT INTO users (id, name) VALUES (:i, :n)", { i = 3, n = "cy" }, { prepare = false }))
    for id, name in ipairs { "ana", "bo", "cy" } do
      assert.equal(name, pool:execute("SELECT name FROM users WHERE id = ?", { id }):first().name)
    end
    local prepares = 0
    for node = 1, 3 do prepares = prepares + world.cluster:node(node).prepares end
    assert.is_true(prepares >= 2)
    assert(pool:execute("SELECT name FROM users WHERE id = 1"))
    local now = 0
    for node = 1, 3 do now = now + world.cluster:node(node).prepares end
    assert.equal(prepares, now)
  end)

  it_in("pages through a result, and rows does it by itself", function(world)
    world:schema "CREATE TABLE ks.pages (k int, c int, PRIMARY KEY (k, c))"
    local pool = world:pool()
    for c = 1, 25 do assert(pool:execute("INSERT INTO pages (k, c) VALUES (1, ?)", { c })) end
    local first = assert(pool:execute("SELECT c FROM pages WHERE k = ?", { 1 }, { fetchSize = 10 }))
    assert.equal(10, #first.rows)
    assert.is_string(first.pageState)
    local second = assert(pool:execute("SELECT c FROM pages WHERE k = ?", { 1 },
      { fetchSize = 100, pageState = first.pageState }))
    assert.equal(15, #second.rows)
    assert.equal(11, second.rows[1].c)
    assert.is_nil(second.pageState)
    local seen = 0
    for row in pool:rows("SELECT c FROM pages WHERE k = ?", { 1 }, { fetchSize = 4 }) do
      seen = seen + 1
      assert.equal(seen, row.c)
    end
    assert.equal(25, seen)
    local ok, err = pcall(function() for _ in pool:rows("SELECT nonsense FROM pages") do error "no row" end end)
    assert.is_false(ok)
    assert.equal("INVALID", err.code)
  end)

  it_in("gives futures, whose requests are on their way at once", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO users (id, name) VALUES (?, ?)")
    local futures = {}
    for id = 1, 20 do futures[id] = pool:executeAsync(insert, { id, "user " .. id }) end
    assert.equal(20, pool:getStats().requestsInFlight)
    assert.is_false(futures[1]:done())
    assert(moonpool.all(futures))
    assert.is_true(futures[1]:done())
    local future = pool:executeAsync("SELECT name FROM users WHERE id = ?", { 7 })
    assert.equal("user 7", assert(future:wait()):first().name)
    local result, err = pool:executeAsync("SELECT nonsense FROM users"):wait()
    assert.is_nil(result)
    assert.equal("INVALID", err.code)
    result, err = pool:executeAsync(insert, { "x", 1 }):wait()
    assert.is_nil(result)
    assert.equal("TYPE_MISMATCH", err.code)
    pool:executeAsync(insert, { 21, "nobody waits" })
    collectgarbage()
    moonpool.sleep(100)
    assert.equal("nobody waits", pool:execute("SELECT name FROM users WHERE id = 21"):first().name)
  end)

  it_in("keeps what Lua has forgotten while a request needs it", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local futures = {}
    for i = 1, 50 do
      futures[i] = pool:executeAsync("SELECT name FROM users WHERE id = " .. i .. " -- " .. ("x"):rep(1000), nil,
        { keyspace = "k" .. "s", tag = "tag" .. i })
    end
    collectgarbage()
    collectgarbage()
    assert(moonpool.all(futures))
  end)

  it_in("works with many coroutines over few connections", { nodes = 3 }, function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO users (id, age) VALUES (?, ?)")
    local select = assert(pool:prepare "SELECT age FROM users WHERE id = ?")
    local futures = {}
    for i = 1, 200 do
      futures[i] = moonpool.spawn(function()
        for n = 1, 5 do
          assert(pool:execute(insert, { i, n }, { consistency = "QUORUM" }))
          assert.equal(n, assert(pool:execute(select, { i }, { consistency = "QUORUM" })):first().age)
        end
        return true
      end)
    end
    assert(moonpool.all(futures))
    assert.is_true(pool:getStats().totalConnections <= 12)
  end)

  it_in("is closed by its own handler, or by two coroutines at once, without harm", function(world)
    local pool = world:pool()
    pool:on("hostDown", function() pool:close() end)
    world.cluster:kill(3)
    world:eventually("it is closed", function() return tostring(pool):find "closed" end, 60000)
    local other = world:pool { contactPoints = { "127.0.0.1" } }
    local futures = { moonpool.spawn(function() return other:close() end),
      moonpool.spawn(function() return other:close() end) }
    assert.same({ true, true }, moonpool.all(futures))
  end)

  it_in("finishes what is in flight when it is closed, and refuses the rest", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO users (id, name) VALUES (?, ?)")
    world:waitUp(pool)
    for id = 1, 20 do assert(pool:execute(insert, { id, "x" })) end -- every host knows the statement
    local futures = {}
    for id = 1, 20 do futures[id] = pool:executeAsync(insert, { id, "x" }) end
    local closing = moonpool.spawn(function() return pool:close() end)
    for id = 1, 20 do assert(futures[id]:wait()) end
    assert.is_true(closing:wait())
    local result, err = pool:execute(insert, { 21, "x" })
    assert.is_nil(result)
    assert.equal("CLOSED", err.code)
    assert.is_nil(insert.cql)
  end)

  it_in("closes in every moment of connecting", function(world)
    for ms = 0, 12 do
      local pool = world:newPool()
      local connecting = moonpool.spawn(function() return pool:connect() end)
      moonpool.sleep(ms / 4)
      assert.is_true(pool:close())
      local ok, err = connecting:wait()
      if not ok then assert.equal("CLOSED", err.code) end
    end
  end)

  it_in("that nobody holds any more is closed by the collector", function(world)
    local function forget()
      local pool = moonpool.ConnectionPool(world:configuration())
      assert(pool:connect())
    end
    forget()
    collectgarbage()
    collectgarbage()
    moonpool.sleep(1000)
    for node = 1, 3 do assert.equal(0, world.cluster:node(node).connections) end
  end)
end)

describe("wrong arguments", function()
  it_in("are not taken for pools or statements, whatever they are", function(world)
    local pool = world:pool()
    local statement = assert(pool:prepare "SELECT key FROM system.local")
    local strangers = { io.stdout, newproxy(true), 1, "x", moonpool.null, {}, world.sim, statement }
    for _, stranger in ipairs(strangers) do
      assert.error_matches(function() pool.execute(stranger, "SELECT key FROM system.local") end, "a pool expected")
    end
    strangers[4], strangers[8] = true, pool
    for _, stranger in ipairs(strangers) do
      assert.error_matches(function() pool:execute(stranger) end, "a string or a prepared statement expected")
    end
    assert(pool:execute(statement))
  end)

  local function raised(pattern, fn, ...)
    local ok, err = pcall(fn, ...)
    assert.is_false(ok)
    assert.matches(pattern, err)
    return err
  end

  it_in("raise, and name the caller's line", function(world)
    local pool = world:pool()
    local err = raised("bad argument #1 to 'execute' %(statement: .* expected, got number%)",
      function() pool:execute(5) end)
    assert.matches("pool_spec.lua:%d+:", err)
    raised("#2 to 'execute' %(parameters: a table expected, got string%)", function() pool:execute("x", "y") end)
    raised("#3 to 'execute' %(options: a table expected, got number%)", function() pool:execute("x", {}, 5) end)
    raised("#1 to 'prepare' %(statement: a string expected, got nil%)", function() pool:prepare() end)
    raised("#2 to 'executeAsync'", function() pool:executeAsync("x", 5) end)
    raised("#1 to 'rows'", function() pool:rows() end)
    raised("unknown option 'consistancy'", function() pool:execute("x", nil, { consistancy = "ONE" }) end)
    raised("option 'consistency'.*got \"SOME\"", function() pool:execute("x", nil, { consistency = "SOME" }) end)
    raised("option 'consistency': a string expected, got number",
      function() pool:execute("x", nil, { consistency = 1 }) end)
    raised("option 'serialConsistency'", function() pool:execute("x", nil, { serialConsistency = "ONE" }) end)
    raised("option 'timeout': a whole number", function() pool:execute("x", nil, { timeout = -1 }) end)
    raised("option 'timeout': a number expected", function() pool:execute("x", nil, { timeout = "1" }) end)
    raised("option 'fetchSize'", function() pool:execute("x", nil, { fetchSize = -1 }) end)
    raised("option 'isIdempotent': a boolean expected", function() pool:execute("x", nil, { isIdempotent = 1 }) end)
    raised("option 'timestamp'", function() pool:execute("x", nil, { timestamp = 1.5 }) end)
    raised("names expected", function() pool:execute("x", nil, { "ONE" }) end)
    raised("pool:method%(%)", function() pool.execute("x") end)
    raised("handler: a function expected", function() pool:on("hostUp", 5) end)
    raised("unknown event.*hostUp", function() pool:on("hostUpp", print) end)
    local other = world:pool()
    local statement = assert(other:prepare "SELECT key FROM system.local")
    raised("prepared by another pool", function() pool:execute(statement) end)
    assert(pool:execute "SELECT key FROM system.local")
  end)

  it_in("that depend on the statement are returned", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    local insert = assert(pool:prepare "INSERT INTO users (id, name) VALUES (?, ?)")
    for _, case in ipairs {
      { { 1, "x", 3 }, "INVALID_ARGUMENT", "2 parameters, 3 were given" },
      { { 1, name = "x" }, "INVALID_ARGUMENT", "not both" },
      { { [1] = 1, [5] = "x" }, "INVALID_ARGUMENT", "one was given at place 5" },
      { { 1, "x", [1.5] = 2 }, "INVALID_ARGUMENT", "one was given at place 1.5" },
      { nil, "INVALID_ARGUMENT", "none were given" },
      { { id = 1, nmae = "x" }, "INVALID_ARGUMENT", "no parameter 'nmae'" },
      { { "one", "x" }, "TYPE_MISMATCH", "parameter 1 (id, int): got string" },
      { { id = 1, name = 7 }, "TYPE_MISMATCH", "parameter 2 (name, text): got number" },
      { { 1, {} }, "TYPE_MISMATCH", "parameter 2 (name, text): got table" },
    } do
      local result, err = pool:execute(insert, case[1])
      assert.is_nil(result)
      assert.equal(case[2], err.code)
      assert.matches(case[3], err.message, 1, true)
      assert.is_false(err.maybeApplied)
    end
    local result, err = pool:execute("SELECT key FROM system.local", nil, { host = "10.9.8.7" })
    assert.is_nil(result)
    assert.equal("NOT_FOUND", err.code)
    assert.equal(0, pool:getStats().requestsInFlight)
  end)
end)

describe("options", function()
  it_in("name the host that has to answer", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    for node = 1, 3 do
      for _ = 1, 3 do
        local result = assert(pool:execute("SELECT key FROM system.local", nil, { host = world:host(node) }))
        assert.equal(world:host(node), result.info.host)
      end
    end
  end)

  it_in("set consistency in any spelling, timestamps and the deadline", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    for _, consistency in ipairs { "LOCAL_QUORUM", "localQuorum", "local_quorum", "all", "One" } do
      assert(pool:execute("SELECT name FROM users WHERE id = 1", nil, { consistency = consistency }))
    end
    local insert = assert(pool:prepare "INSERT INTO users (id, name) VALUES (?, ?)")
    assert(pool:execute(insert, { 1, "late" }, { timestamp = 2000, consistency = "ALL" }))
    assert(pool:execute(insert, { 1, "early" }, { timestamp = 1000LL, consistency = "ALL" }))
    assert.equal("late", pool:execute("SELECT name FROM users WHERE id = 1"):first().name)
    world:waitUp(pool)
    for node = 1, 3 do assert(pool:execute(insert, { 3, "known" }, { host = world:host(node) })) end
    world.cluster:rule { statement = "INSERT", delay = 60000 }
    local from = moonpool.now()
    local result, err = pool:execute(insert, { 2, "never" }, { timeout = 70 })
    assert.is_nil(result)
    assert.equal("TIMEOUT", err.code)
    assert.is_true(err.maybeApplied)
    assert.is_true(moonpool.now() - from <= 80)
    world:calm()
  end)
end)
