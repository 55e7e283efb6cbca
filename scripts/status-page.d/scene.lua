-- SPDX-License-Identifier: Apache-2.0
-- What the picture of the status page shows: five minutes of a busy cluster in which one host is slow for a while and
-- another is lost near the end. Prints "now" when it is time for the picture, and ends when its standard input does.
local moonpool = require "moonpool"
local sim = require "moonpool.sim"

local PORT, PAGE, SECONDS = tonumber(arg[1]), arg[2], tonumber(arg[3])

local cluster = sim.cluster { nodes = 6, racks = 3, vnodes = 8, port = PORT }
cluster:rule { opcode = "EXECUTE", probability = 0.02, delay = 14 }
cluster:rule { opcode = "EXECUTE", probability = 0.5, delay = 2 }

local pool = moonpool.ConnectionPool {
  contactPoints = { "127.0.0.1:" .. PORT }, port = PORT, localDataCenter = "datacenter1",
  pooling = { coreConnectionsPerHost = { ["0"] = 2 }, maxConnectionsPerHost = { ["0"] = 4 } },
  circuitBreaker = { enabled = true }, http = { listen = PAGE },
  loadBalancing = { policy = "TokenAwarePolicy" }, retry = { policy = "DefaultRetryPolicy" },
  speculativeExecution = { policy = "PercentileSpeculativeExecutionPolicy" },
  playbooks = { "examples/playbooks/lost_node.lua", "examples/playbooks/slow_host.lua", dryRun = false },
  logging = { level = "error" },
}
assert(pool:connect())
assert(pool:execute("CREATE KEYSPACE shop WITH replication = {'class':'NetworkTopologyStrategy','datacenter1':3}"))
assert(pool:execute "CREATE TABLE shop.orders (id int PRIMARY KEY, status text)")

-- More at some times than at others.
local function use(i)
  while true do
    pool:execute("SELECT status FROM shop.orders WHERE id = ?", { math.random(1e6) }, { isIdempotent = true })
    local wave = 1 + 0.45 * math.sin(moonpool.now() / 23000) + 0.2 * math.sin(moonpool.now() / 5100 + i)
    moonpool.sleep(math.random(10, 50) / wave)
  end
end
for i = 1, 14 do moonpool.spawn(use, i) end

moonpool.sleep(SECONDS * 500)
local slow = cluster:rule { node = 5, opcode = "EXECUTE", delay = 9 }
moonpool.sleep(SECONDS * 100)
slow:remove()
moonpool.sleep(math.max(1000, SECONDS * 400 - 42000))
cluster:kill(4)
moonpool.sleep(42000)
print "now"
io.stdout:flush()
moonpool.sleep(60000)
os.exit(0)
