-- SPDX-License-Identifier: Apache-2.0
-- The simulated cluster's honesty once more: the DataStax Java driver runs a CRUD on it and on a real Cassandra, and
-- gets the same answers, line by line.
local live = require "spec.support.live"
local ports = require "spec.support.ports"
local sim = require "moonpool.sim"
local it = live.inCoroutine(it)

local function crud(version, port)
  return (live.run(("java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 %s %d V%d 127.0.0.1 127.0.0.2 127.0.0.3"):format(
    live.java "spec/live/support/Crud.java", port, version)))
end

describe("the Java driver", function()
  it("gets from the simulated cluster what it gets from a real one", function()
    local cluster = sim.cluster { nodes = 3, port = ports.at(20) }
    local simulated = crud(5, ports.at(20))
    local older = crud(4, ports.at(20))
    assert.equal("version: V4", older[2])
    table.remove(older, 2)
    cluster:close()
    live.cluster()
    local real = crud(5, 9042)
    assert.equal(#real - 1, #older)
    assert.is_true(#real >= 13)
    for i = 1, math.max(#real, #simulated) do assert.equal(real[i], simulated[i]) end
  end)
end)
