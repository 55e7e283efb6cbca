-- SPDX-License-Identifier: Apache-2.0
-- X1 in applications: pools, statements and finalizers that are left to the collector, or to the end of the state.
local program = require "spec.support.program"

describe("an application", function()
  it("may close a pool, forget it, and go on", function()
    local said, status = program.run([[
      local moonpool = require "moonpool"
      for closers = 0, 2 do
        local pool = moonpool.ConnectionPool{ contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1" }
        assert(pool:connect())
        for _ = 1, closers do moonpool.spawn(pool.close, pool) end
        pool:close()
        pool = nil
        collectgarbage() collectgarbage()
        moonpool.sleep(20)
      end
      print "end"
    ]], "--embedded 1")
    assert.equal("end\n", said)
    assert.equal(0, status)
  end)

  it("may leave everything to the end of its state", function()
    local said, status = program.run([[
      local moonpool = require "moonpool"
      pool = moonpool.ConnectionPool{ contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1" }
      assert(pool:connect())
      statement = pool:prepare "SELECT key FROM system.local"
      future = pool:executeAsync(statement)
      hold = newproxy(true)
      getmetatable(hold).__gc = function()
        print(select("#", pool:getStats()), pcall(moonpool.run, function() end))
        print(pcall(moonpool.sleep, 1))
        moonpool.ConnectionPool{ contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1" }
        moonpool.spawn(function() print "never" end)
      end
      print "end"
    ]], "--embedded 1")
    assert.matches("^end\n", said)
    assert.is_nil(said:find("never", 1, true))
    assert.equal(0, status)
  end)
end)
