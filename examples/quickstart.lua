-- SPDX-License-Identifier: Apache-2.0
-- A day in the life of an application, in about ten seconds: it writes and reads all the time while its routing policy
-- is edited under it and a node of its cluster dies and comes back. Nothing of that may cost a request.
--
--   moonpool run --embedded 3 examples/quickstart.lua                        on a simulated cluster in this process
--   CASSANDRA_HOSTS=10.0.0.1,10.0.0.2 moonpool run examples/quickstart.lua   on yours (where no node is killed)
local moonpool = require "moonpool"

local WORKERS = 8
local cluster = moonpool.embedded -- nil on a real one
local hosts = {}
for host in (os.getenv "CASSANDRA_HOSTS" or "127.0.0.1"):gmatch "[^,]+" do hosts[#hosts + 1] = host end

local started = moonpool.now()
local function say(text, ...)
  print(("%5.1f s  " .. text):format((moonpool.now() - started) / 1000, ...))
  io.stdout:flush()
end

-- ---- a policy of our own, in a folder of its own ----------------------------------------------------------
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir -p '" .. folder .. "'") == 0, "no temporary folder")
local policy_file = folder .. "/quickstart_policy.lua"

local function write_policy(plan)
  local file = assert(io.open(policy_file, "w"))
  file:write([[
return balance {
  name = "QuickstartPolicy",
  plan = function(plan, req)
    ]] .. plan .. "\n  end,\n}\n")
  file:close()
end
write_policy "plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)"

-- ---- connect ----------------------------------------------------------------------------------------------
local pool = moonpool.ConnectionPool {
  contactPoints = hosts,
  localDataCenter = os.getenv "CASSANDRA_DC" or "datacenter1",
  policyPath = { folder },
  loadBalancing = { policy = "QuickstartPolicy" },
  logging = { level = "off" }, -- the events tell the same, and better
}
assert(pool:connect())
local nodes = #pool:getHosts()
say("connected to %d nodes, %s", nodes, cluster and "simulated in this process" or "yours")

local told = {}
local function on(event, text)
  pool:on(event, function(...)
    told[event] = (told[event] or 0) + 1
    say("%-12s %s", event, text(...))
  end)
end
on("hostDown", function(host, reason) return host .. ": " .. reason end)
on("hostUp", function(host) return host end)
on("failover", function(event) return event.from .. " -> " .. event.to .. ": " .. event.reason end)
on("policyReload", function(event) return ("%s, generation %d"):format(event.name, event.generation) end)
on("policyError", function(event) return (event.message:gsub("^.*/", "")) end)

local function wait_for(event, count)
  local deadline = moonpool.now() + 20000
  while (told[event] or 0) < (count or 1) do
    if moonpool.now() > deadline then error("no " .. event .. " within 20 s", 0) end
    moonpool.sleep(20)
  end
end

-- ---- a table, and coroutines that use it all the time -----------------------------------------------------
local ddl = { timeout = 30000 }
assert(pool:execute(([[CREATE KEYSPACE IF NOT EXISTS moonpool_quickstart WITH replication =
  {'class': 'SimpleStrategy', 'replication_factor': %d}]]):format(math.min(3, nodes)), nil, ddl))
assert(pool:execute([[CREATE TABLE IF NOT EXISTS moonpool_quickstart.visits (
  page text, visitor int, seconds double, PRIMARY KEY (page, visitor))]], nil, ddl))
local insert = assert(pool:prepare "INSERT INTO moonpool_quickstart.visits (page, visitor, seconds) VALUES (?, ?, ?)")
local select = assert(pool:prepare "SELECT seconds FROM moonpool_quickstart.visits WHERE page = ? AND visitor = ?")

local write_options = { consistency = "QUORUM", isIdempotent = true } -- so it may be sent again to another node
local read_options = { consistency = "QUORUM" }

local requests, failures, running = 0, {}, true
local served = {} -- answers by host

local function count(result, err)
  requests = requests + 1
  if result then
    served[result.info.host] = (served[result.info.host] or 0) + 1
  else
    failures[#failures + 1] = err
  end
  return result
end

local function work(visitor)
  local n = 0
  while running do
    n = n + 1
    local page, seconds = "/page/" .. n % 100, visitor + n / 7
    local written = count(pool:execute(insert, { page, visitor, seconds }, write_options))
    local result = count(pool:execute(select, { page = page, visitor = visitor }, read_options))
    if written and result and result:first().seconds ~= seconds then
      failures[#failures + 1] = "read something else than was written to " .. page
    end
    moonpool.sleep(1)
  end
end

local function show_spread(ms)
  served = {}
  moonpool.sleep(ms)
  local sum, parts = 0, {}
  for _, answers in pairs(served) do sum = sum + answers end
  for host, answers in pairs(served) do parts[#parts + 1] = ("%s %.0f %%"):format(host, answers * 100 / sum) end
  table.sort(parts)
  say("answers: %s", table.concat(parts, ", "))
end

local workers = {}
for i = 1, WORKERS do workers[i] = moonpool.spawn(work, i) end
say("%d coroutines write and read", WORKERS)
show_spread(1500)

-- ---- the story --------------------------------------------------------------------------------------------
local function edit_the_policy()
  say("the policy file is edited: the first host gets everything")
  write_policy "plan:hosts(localDc, primaryFirst)"
  wait_for "policyReload"
  show_spread(1500)
  say("it is edited again, and this time it is wrong")
  write_policy "plan:hosts(localDc, primaryFurst)"
  wait_for "policyError"
  say("the one before goes on; now it is put right")
  write_policy "plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)"
  wait_for("policyReload", 2)
  show_spread(1500)
end

local function lose_a_node()
  say("node 2 stops answering, and is killed with requests in its hands")
  cluster:pause(2)
  moonpool.sleep(30)
  cluster:kill(2)
  wait_for "hostDown"
  show_spread(3000)
  say("node 2 is started")
  cluster:start(2)
  wait_for "hostUp"
  show_spread(1500)
end

local ok, why = pcall(function()
  edit_the_policy()
  if cluster then lose_a_node() end
end)
if not ok then failures[#failures + 1] = why end

running = false
local ended, reason = moonpool.all(workers)
if not ended then failures[#failures + 1] = reason end
if cluster and not told.failover then failures[#failures + 1] = "a node was lost, but no failover was told" end
pool:execute("DROP KEYSPACE moonpool_quickstart", nil, ddl)
pool:close()
os.remove(policy_file)
os.execute("rmdir '" .. folder .. "'")

for i = 1, math.min(#failures, 5) do print(tostring(failures[i])) end
print(("%d requests, %d failed"):format(requests, #failures))
return #failures == 0 and 0 or 1
