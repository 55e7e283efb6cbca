-- SPDX-License-Identifier: Apache-2.0
local live = require "spec.support.live"
local it = live.inCoroutine(it)

describe("a pool on Cassandra 3.11", function()
  setup(function() live.cluster { version = "3.11" } end)
  teardown(function() live.cassandra "down" end)

  it("steps down from v5 to v4 and finds its peers in system.peers", function()
    local pool = live.pool { contactPoints = { "127.0.0.1" } }
    live.keyspace(pool, "old")
    live.ddl(pool, "CREATE TABLE IF NOT EXISTS old.t (k int PRIMARY KEY, v text)")
    local insert = assert(pool:prepare "INSERT INTO old.t (k, v) VALUES (?, ?)")
    local hosts, used = {}, 0
    for k = 1, 30 do
      local result = assert(pool:execute(insert, { k, "v" .. k }, { consistency = "QUORUM", timeout = 20000 }))
      if not hosts[result.info.host] then hosts[result.info.host], used = true, used + 1 end
    end
    assert.equal(3, used)
    local row = assert(pool:execute("SELECT v FROM old.t WHERE k = ?", { 17 }, { consistency = "QUORUM" })):first()
    assert.equal("v17", row.v)
    assert.matches("^3%.11", assert(pool:execute "SELECT release_version FROM system.local"):first().release_version)
    pool:close()
  end)

  it("cannot be spoken to in v5 alone, and says so", function()
    local moonpool = require "moonpool"
    local pool = moonpool.ConnectionPool {
      contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1", protocolVersion = 5,
    }
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.matches("version", tostring(err))
    pool:close()
  end)
end)
