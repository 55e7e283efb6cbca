-- SPDX-License-Identifier: Apache-2.0
-- moonpool test examples/policies/rack_first_test.lua
-- Six hosts in two datacentres, in virtual time; run{} sends requests to them through a real pool.
describe("RackFirst", function()
  local c
  before_each(function()
    c = cluster { dcs = { east = 6, west = 3 }, localDc = "east", racks = 3, localRack = "rack1" }
  end)

  it("asks my rack, where it has the row", function()
    local result = run { requests = 3000, policy = "RackFirst" }
    assert.equal(0, result.failures)
    -- Each rack keeps each row once, so one of its two hosts has it.
    assert.equal(3000, result.asked["east/1"] + result.asked["east/4"])
    assert.is_true(result.latency.p99 < 5)
  end)

  it("goes on in the datacentre when my rack is down", function()
    c:kill "east/1"
    c:kill "east/4"
    local result = run { requests = 3000, policy = "RackFirst", consistency = "LOCAL_QUORUM" }
    assert.equal(0, result.failures)
    assert.equal(0, result.asked["west/1"])
    assert.is_true(result.answered["east/2"] > 500)
  end)

  it("leaves the datacentre only when the consistency allows it", function()
    run { requests = 300, policy = "RackFirst" }
    for i = 1, 6 do c:kill("east/" .. i) end
    c:sleep(5000)
    local result = run { requests = 300, policy = "RackFirst", consistency = "ONE" }
    assert.equal(0, result.failures)
    assert.is_true(result.answered["west/1"] + result.answered["west/2"] + result.answered["west/3"] == 300)
    assert.equal(300, run { requests = 300, policy = "RackFirst", consistency = "LOCAL_ONE" }.failures)
  end)
end)
