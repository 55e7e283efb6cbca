-- SPDX-License-Identifier: Apache-2.0
-- A pool of `moonpool run` with busyPollUs: its loop looks before it sleeps, which it tells by a figure, and only as
-- long as some pool wishes it. The nodes are of the same process, on real sockets.
local program = require "spec.support.program"

local SCRIPT = [[
  local moonpool = require "moonpool"
  local function new(busy)
    local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
      busyPollUs = busy, logging = { level = "off" } }
    assert(pool:connect())
    return pool
  end
  local pool = new(nil)
  local looked = 0
  local function tell(what)
    for _ = 1, 20 do assert(pool:run "SELECT key FROM system.local") end
    local now = pool:getStats().busyPolls
    print(what, now > looked)
    looked = now
  end
  tell "nobody wishes it"
  local other = new(1000)
  tell "another pool of the loop does"
  assert(looked == other:getStats().busyPolls)
  other:close()
  tell "until it closed" -- as much as was looked meanwhile
  tell "it has closed"
]]

describe("busyPollUs", function()
  it("makes the loop of moonpool run look before it sleeps, while some pool wishes it", function()
    local said, status = program.run(SCRIPT, "--embedded 1")
    assert.equal(0, status, said)
    assert.matches("nobody wishes it\tfalse\nanother pool of the loop does\ttrue\n", said)
    assert.matches("it has closed\tfalse\n$", said)
  end)
end)
