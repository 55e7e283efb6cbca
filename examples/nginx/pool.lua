-- SPDX-License-Identifier: Apache-2.0
-- The pool of each worker. Edit it while nginx runs: each worker takes what has changed.
local hosts = {}
for host in (os.getenv "CASSANDRA_HOSTS" or "127.0.0.1"):gmatch "[^,]+" do hosts[#hosts + 1] = host end

local folder = os.getenv "EXAMPLE_FOLDER" -- where the policy may be edited, when `run` has started this

return {
  contactPoints = hosts,
  port = tonumber(hosts[1]:match ":(%d+)$"),
  localDataCenter = os.getenv "CASSANDRA_DC" or "datacenter1",
  policyPath = { folder and folder .. "/policies" or "policies" },
  loadBalancing = { policy = "NearFirst" },
  logging = { level = "warn" },
}
