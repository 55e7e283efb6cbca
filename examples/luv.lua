-- SPDX-License-Identifier: Apache-2.0
-- A program with an event loop of its own, luv's, that talks to Cassandra beside what it does otherwise: a timer of its
-- own ticks meanwhile. In a plain LuaJIT, with Debian's lua-luv; MOONPOOL_LIB names libmoonpool.so where it is not
-- found:
--
--   LUA_PATH='lua/?.lua;lua/?/init.lua;;' CASSANDRA_HOSTS=127.0.0.1 luajit examples/luv.lua
local moonpool = require "moonpool"
local uv = require "luv"

moonpool.attach(uv)

local ticks = 0
local timer = uv.new_timer()
timer:start(0, 5, function() ticks = ticks + 1 end)

local hosts = {}
for host in (os.getenv "CASSANDRA_HOSTS" or "127.0.0.1"):gmatch "[^,]+" do hosts[#hosts + 1] = host end

moonpool.spawn(function()
  local pool = moonpool.ConnectionPool {
    contactPoints = hosts,
    port = tonumber(hosts[1]:match ":(%d+)$"),
    localDataCenter = os.getenv "CASSANDRA_DC" or "datacenter1",
    logging = { level = "warn" },
  }
  assert(pool:connect())
  local futures = {}
  for i = 1, 20 do futures[i] = pool:executeAsync "SELECT release_version FROM system.local" end
  local results = assert(moonpool.all(futures))
  moonpool.sleep(20)
  print(("%d answers, version %s; luv's own timer %s"):format(#results, results[1]:first().release_version,
    ticks > 0 and "ticked" or "stood"))
  pool:close()
  timer:close()
end)

uv.run() -- until nothing is left to do, moonpool's included
