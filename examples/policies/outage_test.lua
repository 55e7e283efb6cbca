-- SPDX-License-Identifier: Apache-2.0
-- A datacentre is lost and comes back; run it with `moonpool test examples/policies/outage_test.lua`.
local function reads(consistency)
  return run { requests = 500, consistency = consistency, failover = "DatacentreFailoverPolicy",
    failoverOptions = { downFor = 10000, upFor = 60000 } }
end

it("moves to the other datacentre after ten seconds, and back after a minute", function()
  local c = cluster { dcs = { east = 3, west = 3 }, localDc = "east", racks = 3 }
  assert.equal("east", reads("ONE").serving)
  c:kill "east"
  c:sleep(8000)
  assert.equal("east", reads("ONE").serving)
  c:sleep(8000)
  local away = reads "ONE"
  assert.equal("west", away.serving)
  assert.equal(0, away.failures)
  assert.equal(0, away.asked["east/1"])
  c:start "east"
  c:sleep(50000)
  assert.equal("west", reads("ONE").serving)
  c:sleep(40000)
  assert.equal("east", reads("ONE").serving)
end)

it("answers no local request from the other datacentre", function()
  local c = cluster { dcs = { east = 3, west = 3 }, localDc = "east", racks = 3 }
  reads "LOCAL_QUORUM"
  c:kill "east"
  c:sleep(15000)
  local away = reads "LOCAL_QUORUM"
  assert.equal("west", away.serving)
  assert.equal(500, away.failures)
  for _, host in ipairs { "west/1", "west/2", "west/3" } do assert.equal(0, away.asked[host]) end
end)
