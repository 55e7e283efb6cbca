-- SPDX-License-Identifier: Apache-2.0
-- The simulated cluster of `moonpool run --embedded N`: on 127.0.0.1 upwards, port 9042 (or what the environment's
-- MOONPOOL_EMBEDDED_PORT says) or the next one that is free.
-- What the application sees as moonpool.embedded is the cluster of moonpool.sim (kill, start, pause, resume, rule, ...)
-- with contactPoints, port and hosts ("127.0.0.1", or "127.0.0.1:9043" on another port).
local cli = require "moonpool.cli_core"
local cluster_control = require "moonpool.cli.cluster_control"
local pool = require "moonpool.pool"
local sim = require "moonpool.sim"
local whole = require "moonpool.cli.whole"

local PORT, PORTS = 9042, 100

local embedded = {}

local kept = {} -- a cluster that is collected closes

function embedded.start(nodes, dcs)
  local ok, cluster
  local first = tonumber(os.getenv "MOONPOOL_EMBEDDED_PORT") or PORT
  local port = first
  repeat
    ok, cluster = pcall(sim.cluster, { nodes = nodes, dcs = dcs, port = port })
    port = port + 1
  until ok or port == first + PORTS
  if not ok then
    error("no port from " .. first .. " upwards is free for the embedded cluster: " .. tostring(cluster), 0)
  end
  kept[#kept + 1] = cluster
  cluster.port = port - 1
  cluster.contactPoints, cluster.hosts = {}, {}
  for i, node in ipairs(cluster:nodes()) do
    cluster.contactPoints[i] = node.address
    cluster.hosts[i] = cluster.port == PORT and node.address or node.address .. ":" .. cluster.port
  end
  return cluster
end

-- Converters of the command line's numbers.
embedded.nodes = whole(1, 100, "number of nodes")
embedded.dcs = whole(1, 32, "number of datacentres")

-- The cluster where the application or the configuration looks for it.
function embedded.provide(moonpool, nodes, dcs)
  if dcs and dcs > nodes then error(("moonpool: %d nodes cannot stand in %d datacentres"):format(nodes, dcs), 0) end
  local cluster = embedded.start(nodes, dcs)
  cluster_control.cluster = cluster
  moonpool.embedded = cluster
  pool.default_port = cluster.port
  cli.setenv("CASSANDRA_HOSTS", table.concat(cluster.hosts, ","))
  cli.setenv("CASSANDRA_DC", "datacenter1")
end

return embedded
