-- SPDX-License-Identifier: Apache-2.0
-- A pool as a daemon: its configuration. Edit it, or handlers.lua beside it, while it runs.
--
--   moonpool serve --embedded 3 examples/daemon/pool.lua      (or on a cluster of yours, named by CASSANDRA_HOSTS)
--   moonpool ctl health
--   moonpool top
local hosts = {}
for host in (os.getenv "CASSANDRA_HOSTS" or "127.0.0.1"):gmatch "[^,]+" do hosts[#hosts + 1] = host end

return {
  contactPoints = hosts,
  localDataCenter = os.getenv "CASSANDRA_DC" or "datacenter1",
  handlers = "handlers.lua",
  -- http = { listen = "127.0.0.1:9501" }, -- the status page
  pooling = { coreConnectionsPerHost = { ["0"] = 1 }, heartBeatInterval = 15000 },
  logging = { level = "info" },
}
