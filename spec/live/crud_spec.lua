-- SPDX-License-Identifier: Apache-2.0
local live = require "spec.support.live"
local it = live.inCoroutine(it)

describe("a pool on a real Cassandra", function()
  setup(function() live.cluster() end)

  for _, version in ipairs { 5, 4, 3 } do
    it("creates, reads, updates and deletes over protocol v" .. version, function()
      local pool = live.pool { protocolVersion = version }
      live.keyspace(pool, "crud")
      live.ddl(pool, "CREATE TABLE IF NOT EXISTS crud.users (id int PRIMARY KEY, name text, age int)")
      local insert = assert(pool:prepare "INSERT INTO crud.users (id, name, age) VALUES (?, ?, ?)")
      for id = 1, 20 do assert(pool:execute(insert, { id, "user " .. id, id * 2 }, { consistency = "QUORUM" })) end
      local select = assert(pool:prepare "SELECT id, name, age FROM crud.users WHERE id = ?")
      for id = 1, 20 do
        local row = assert(pool:execute(select, { id }, { consistency = "quorum" })):first()
        assert.same({ id = id, name = "user " .. id, age = id * 2 }, row)
      end
      assert(pool:execute("UPDATE crud.users SET age = ? WHERE id = ?", { 99, 7 }, { consistency = "QUORUM" }))
      assert.equal(99, assert(pool:execute(select, { id = 7 }, { consistency = "QUORUM" })):first().age)
      assert(pool:execute("DELETE FROM crud.users WHERE id = 8", nil, { consistency = "QUORUM" }))
      assert.is_nil(assert(pool:execute(select, { 8 }, { consistency = "QUORUM" })):first())

      local clients = assert(pool:execute "SELECT protocol_version, driver_name FROM system_views.clients")
      local ours = 0
      for _, client in ipairs(clients.rows) do
        if client.driver_name == "moonpool" and client.protocol_version == version then ours = ours + 1 end
      end
      assert.is_true(ours > 0)
      pool:close()
    end)
  end

  for _, mode in ipairs { { 5, "lz4" }, { 4, "lz4" }, { 4, "snappy" }, { 3, "snappy" }, { 3, "lz4" } } do
    it(("compresses by %s over protocol v%d"):format(mode[2], mode[1]), function()
      local pool = live.pool { protocolVersion = mode[1], compression = mode[2] }
      live.keyspace(pool, "crud")
      live.ddl(pool, "CREATE TABLE IF NOT EXISTS crud.texts (id int PRIMARY KEY, v text)")
      local insert = assert(pool:prepare "INSERT INTO crud.texts (id, v) VALUES (?, ?)")
      local select = assert(pool:prepare "SELECT v FROM crud.texts WHERE id = ?")
      for id, size in ipairs { 1, 500, 600, 30000, 131071, 400000 } do
        local text = ("moonpool "):rep(math.ceil(size / 9)):sub(1, size)
        assert(pool:execute(insert, { id, text }, { consistency = "QUORUM" }))
        assert.is_true(assert(pool:execute(select, { id }, { consistency = "QUORUM" })):first().v == text)
      end
      pool:close()
    end)
  end

  it("pages through a result", function()
    local pool = live.pool()
    live.keyspace(pool, "crud")
    live.ddl(pool, "CREATE TABLE IF NOT EXISTS crud.pages (k int, c int, v text, PRIMARY KEY (k, c))")
    local insert = assert(pool:prepare "INSERT INTO crud.pages (k, c, v) VALUES (1, ?, ?)")
    for c = 1, 105 do assert(pool:execute(insert, { c, ("x"):rep(c) }, { consistency = "QUORUM" })) end
    local seen = 0
    for row in pool:rows("SELECT c, v FROM crud.pages WHERE k = 1", nil,
      { fetchSize = 10, consistency = "QUORUM" }) do
      seen = seen + 1
      assert.equal(seen, row.c)
      assert.equal(seen, #row.v)
    end
    assert.equal(105, seen)
    local first = assert(pool:execute("SELECT c FROM crud.pages WHERE k = 1", nil,
      { fetchSize = 100, consistency = "QUORUM" }))
    assert.equal(100, #first.rows)
    local second = assert(pool:execute("SELECT c FROM crud.pages WHERE k = 1", nil,
      { fetchSize = 100, pageState = first.pageState, consistency = "QUORUM" }))
    assert.equal(5, #second.rows)
    assert.is_nil(second.pageState)
    pool:close()
  end)

  it("tells whether a conditional write was applied", function()
    local pool = live.pool()
    live.keyspace(pool, "crud")
    live.ddl(pool, "CREATE TABLE IF NOT EXISTS crud.lwt (k int PRIMARY KEY, v int)")
    assert(pool:execute("TRUNCATE crud.lwt", nil, { timeout = 30000 }))
    local cql = "INSERT INTO crud.lwt (k, v) VALUES (?, ?) IF NOT EXISTS"
    assert.is_true(assert(pool:execute(cql, { 1, 10 }, { timeout = 20000 })).wasApplied)
    local second = assert(pool:execute(cql, { 1, 20 }, { timeout = 20000 }))
    assert.is_false(second.wasApplied)
    assert.equal(10, second:first().v)
    pool:close()
  end)

  it("gives the server's errors as values", function()
    local pool = live.pool()
    local result, err = pool:execute "SELEC 1"
    assert.is_nil(result)
    assert.equal("SYNTAX_ERROR", err.code)
    assert.equal(0x2000, err.serverCode)
    assert.is_false(err.maybeApplied)
    result, err = pool:execute "SELECT * FROM nowhere.nothing"
    assert.equal("INVALID", err.code)
    assert.is_nil(result)
    assert.matches("nowhere", err.message)
    result, err = pool:prepare "SELECT * FROM nowhere.nothing"
    assert.is_nil(result)
    assert.equal("INVALID", err.code)
    pool:close()
  end)

  it("reads its keyspace, contact points and datacentre from the environment in a configuration file", function()
    local pool = live.pool()
    live.keyspace(pool, "crud")
    pool:close()
    local path = os.tmpname() .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write [[
      local hosts = {}
      for host in (os.getenv "CASSANDRA_HOSTS" or "localhost"):gmatch "[^,]+" do hosts[#hosts + 1] = host end
      return {
        contactPoints = hosts,
        localDataCenter = os.getenv "CASSANDRA_DC" or "datacenter1",
        keyspace = os.getenv "CASSANDRA_KEYSPACE",
      }
    ]]
    file:close()
    local app = os.tmpname() .. ".lua"
    file = assert(io.open(app, "w"))
    file:write(([[
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool(%q)
      assert(pool:connect())
      print("spoke to " .. assert(pool:execute("SELECT rpc_address FROM system.local")):first().rpc_address)
      pool:close()
    ]]):format(path))
    file:close()
    local pipe = io.popen(string.format("CASSANDRA_HOSTS=127.0.0.9,127.0.0.2 CASSANDRA_DC=datacenter1 " ..
      "CASSANDRA_KEYSPACE=crud '%s/build/release/moonpool' run '%s' 2>&1", MOONPOOL_ROOT, app))
    local said = pipe:read "*a"
    pipe:close()
    os.remove(path)
    os.remove(app)
    assert.matches("^spoke to 127", said)
  end)
end)
