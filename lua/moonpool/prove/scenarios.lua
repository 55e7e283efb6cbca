-- SPDX-License-Identifier: Apache-2.0
-- Scenarios for `moonpool compare`: the traffic and what happens to the cluster. A file of a user's returns one such
-- table. Times are seconds of virtual time.
--
--   name, about       what it is called, and one sentence
--   seconds, rate     how long, and how many requests a second (20, 150)
--   reads             the part of them that reads; the others write (0.8)
--   consistency       of all requests ("LOCAL_ONE")
--   racks             in each datacentre (1)
--   key(random)       the key of the next request (one of 2000, all alike); random(n) gives 0 to n - 1
--   begin(c)          called before the first request
--   events            { { at = seconds, function(c) ... end }, ... }
--
-- `c` is the cluster of a spec (moonpool.testing: kill, start, pause, resume, setLatency, setWeight, rule, ...); hosts
-- are "datacenter1/1", datacentres "datacenter1". c:capacity(host, n) says how many requests a second it could bear,
-- c:service(host, ms) how long one takes it alone.
local LOCAL = "datacenter1"

local list = {}

list[#list + 1] = { name = "steady", about = "nothing happens" }

list[#list + 1] = { name = "slow node", about = "one node takes twenty times as long for half of the time",
  events = {
    { at = 5, function(c) c:service(LOCAL .. "/2", 10) end },
    { at = 15, function(c) c:service(LOCAL .. "/2", 0.5) end },
  } }

list[#list + 1] = { name = "node dies", about = "one node is gone after a quarter of the time, and back after three",
  events = {
    { at = 5, function(c) c:kill(LOCAL .. "/2") end },
    { at = 15, function(c) c:start(LOCAL .. "/2") end },
  } }

list[#list + 1] = { name = "datacentre lost", about = "all nodes of the local datacentre are gone for a quarter of it",
  consistency = "ONE",
  events = {
    { at = 7, function(c) c:kill(LOCAL) end },
    { at = 12, function(c) c:start(LOCAL) end },
  } }

list[#list + 1] = { name = "hot partition", about = "four of ten requests are for the same row",
  key = function(random) return random(10) < 4 and 1 or random(2000) end }

list[#list + 1] = { name = "rolling restart", about = "one node of the local datacentre after the other is restarted",
  begin = function(c)
    for i = 1, c.dcs[LOCAL] do
      c:after(2 + (i - 1) * 16 / c.dcs[LOCAL], function() c:kill(LOCAL .. "/" .. i) end)
      c:after(2 + (i - 0.5) * 16 / c.dcs[LOCAL], function() c:start(LOCAL .. "/" .. i) end)
    end
  end }

list[#list + 1] = { name = "uneven racks", about = "the nodes of the second rack bear half of what the others do",
  racks = 2,
  begin = function(c)
    for i = 2, c.dcs[LOCAL], 2 do c:capacity(LOCAL .. "/" .. i, 100) end
  end }

list[#list + 1] = { name = "one node without caches", about = "one node was restarted and reads from its disks",
  events = {
    { at = 3, function(c) c:service(LOCAL .. "/1", 8); c:capacity(LOCAL .. "/1", 60) end },
    { at = 9, function(c) c:service(LOCAL .. "/1", 3); c:capacity(LOCAL .. "/1", 120) end },
    { at = 15, function(c) c:service(LOCAL .. "/1", 0.5); c:capacity(LOCAL .. "/1", 200) end },
  } }

return list
