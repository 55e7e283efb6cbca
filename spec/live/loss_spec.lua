-- SPDX-License-Identifier: Apache-2.0
-- Nodes die, stop answering and come back under load.
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local moonpool = require "moonpool"

describe("losing a node of a real Cassandra", function()
  setup(function() live.cluster() end)

  -- Whether the host answers some of many reads.
  local function used_again(pool, select, host)
    local answered = 0
    for k = 0, 59 do
      local result = pool:execute(select, { k }, { consistency = "ONE", timeout = 12000 })
      if result and result.info.host:find(host, 1, true) then answered = answered + 1 end
    end
    return answered > 0
  end

  local function names(event_list)
    local list = {}
    for _, event in ipairs(event_list) do list[#list + 1] = tostring(event[1]) end
    return table.concat(list, " ")
  end

  it("by kill -9 costs no read and no idempotent write, and the node is used again", function()
    local pool = live.pool()
    local insert, select = live.rows(pool, "loss")
    local told = live.listen(pool, "hostDown", "hostUp", "failover", "connectionLost")
    local load = live.read_and_write(pool, insert, select)
    moonpool.sleep(2000)
    live.cassandraWhileRunning "kill 2"
    live.eventually(15000, "hostDown", function() return #told.hostDown > 0 end)
    moonpool.sleep(3000)
    live.cassandraWhileRunning "start 2"
    live.eventually(30000, "hostUp", function() return #told.hostUp > 0 end)
    moonpool.sleep(2000)
    load:stop()
    assert.same({}, load.failed)
    assert.is_true(load.requests > 1000)
    assert.matches("127.0.0.2", names(told.hostDown), 1, true)
    assert.matches("127.0.0.2", names(told.hostUp), 1, true)
    assert.is_true(#told.connectionLost > 0)
    assert.is_true(#told.failover > 0)
    assert.is_true(used_again(pool, select, "127.0.0.2"))
    pool:close()
  end)

  it("by SIGSTOP costs no read and no idempotent write: an attempt has a deadline of its own", function()
    local pool = live.pool()
    local insert, select = live.rows(pool, "loss")
    local told = live.listen(pool, "hostDown", "hostUp")
    local load = live.read_and_write(pool, insert, select)
    moonpool.sleep(2000)
    live.cassandraWhileRunning "pause 3"
    moonpool.sleep(15000)
    live.cassandraWhileRunning "resume 3"
    live.eventually(30000, "the host is up again", function() return #told.hostUp >= #told.hostDown end)
    moonpool.sleep(1000)
    load:stop()
    assert.same({}, load.failed)
    assert.is_true(load.requests > 1000)
    live.eventually(20000, "the node is used again", function() return used_again(pool, select, "127.0.0.3") end)
    pool:close()
  end)

  it("all of them at the start is an error, and connecting works once they live", function()
    for node = 1, 3 do live.cassandra("kill " .. node) end
    local pool = moonpool.ConnectionPool {
      contactPoints = { "127.0.0.1", "127.0.0.2", "127.0.0.3" }, localDataCenter = "datacenter1",
    }
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.equal("NO_HOST_AVAILABLE", err.code)
    for node = 1, 3 do assert.matches("127.0.0." .. node, tostring(err), 1, true) end
    live.cassandraWhileRunning "up"
    live.eventually(60000, "connect", function() return (pool:connect()) end)
    assert(pool:execute("SELECT release_version FROM system.local"))
    pool:close()
  end)
end)
