-- SPDX-License-Identifier: Apache-2.0
-- The same with another event loop, that of lua-cqueues, which knows nothing of moonpool: any loop that can watch a
-- descriptor for a time turns moonpool in ten lines.
--
--   LUA_PATH='lua/?.lua;lua/?/init.lua;;' CASSANDRA_HOSTS=127.0.0.1 luajit examples/cqueues.lua
local cqueues = require "cqueues"
local moonpool = require "moonpool"

local over = false

local loop = cqueues.new()
loop:wrap(function()
  local watched = { pollfd = moonpool.fd(), events = "r" }
  while not over do
    local ms = moonpool.timeout()
    if ms ~= 0 then cqueues.poll(watched, ms and ms / 1000) end
    moonpool.turn()
  end
end)

local ticks = 0
loop:wrap(function()
  while not over do
    cqueues.sleep(0.005)
    ticks = ticks + 1
  end
end)

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
  print(("%d answers, version %s; the other coroutine %s"):format(#results, results[1]:first().release_version,
    ticks > 0 and "ticked" or "stood"))
  pool:close()
  over = true
end)

assert(loop:loop())
