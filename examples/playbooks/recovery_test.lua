-- SPDX-License-Identifier: Apache-2.0
-- What the playbooks beside this file do in an outage, and handlers with them:
--
--   moonpool test examples/playbooks/recovery_test.lua
describe("lostNode", function()
  it("spares a node that has been away for half a minute, and brings it back in small steps", function()
    cluster { dcs = { dc1 = 3 } }
    local lost = playbook "lost_node.lua"
    cluster:kill "dc1/2"
    cluster:sleep "20s"
    expect(lost).didNotRun() -- not yet
    cluster:sleep "20s"
    expect(lost).ran { host = "dc1/2", outcome = "running", steps = { "log", "pause" } }
    assert.equal(0, run { requests = 100 }.failures) -- meanwhile the others serve
    cluster:start "dc1/2"
    expect(lost).ran { host = "dc1/2", steps = { "waitUntil", "probe", "resume", "sleep", "resume" }, within = "5m" }
    assert.is_true(run { requests = 300 }.asked["dc1/2"] > 50)
  end)

  it("lets a node alone that is away for a moment", function()
    cluster { dcs = { dc1 = 3 } }
    local lost = playbook "lost_node.lua"
    cluster:kill "dc1/2"
    cluster:sleep "10s"
    cluster:start "dc1/2"
    cluster:sleep "2m"
    expect(lost).didNotRun()
  end)

  it("takes out no second host of three", function()
    cluster { dcs = { dc1 = 3 } }
    local lost = playbook "lost_node.lua"
    cluster:kill "dc1/2"
    cluster:sleep "1m"
    cluster:kill "dc1/3"
    cluster:sleep "1m"
    expect(lost).wasSkipped { host = "dc1/3", why = "its guard said no" }
    expect(lost).didNotRun { host = "dc1/3" }
  end)

  it("only tells what it would do in a dry run", function()
    cluster { dcs = { dc1 = 3 } }
    local lost = playbook { file = "lost_node.lua", dryRun = true }
    cluster:kill "dc1/2"
    expect(lost).did { step = "pause", host = "dc1/2", result = "would be done", within = "1m" }
  end)
end)

describe("the daemon's handlers", function()
  it("ask a host that is back for its version", function()
    cluster { dcs = { dc1 = 3 } }
    local daemon = handlers "../daemon/handlers.lua"
    cluster:kill "dc1/2"
    expect(daemon).heard { event = "hostDown", host = "dc1/2", within = "10s" }
    cluster:start "dc1/2"
    expect(daemon).heard { event = "hostUp", host = "dc1/2", within = "1m" }
    expect(daemon).called { method = "execute", times = 1, within = "1s" }
    expect(daemon).didNotFail()
  end)
end)
