-- SPDX-License-Identifier: Apache-2.0
-- A pool whose policy file is written anew and reloaded every 10 ms, one version in three broken, while requests run,
-- in virtual time on the simulated cluster. No request may fail, a good version must serve all the time, and memory
-- must stay where it is.
--
--   moonpool run bench/reloads.lua --reloads 100000 --seed 1
--
-- spec/scenario/reload_soak_spec.lua runs the same, shorter and under the sanitizers, by dofile.
local moonpool = require "moonpool"
local sim = require "moonpool.sim"

local WORKERS, PAUSE_MS, RELOAD_MS = 4, 4, 10
local SERVICE_EVERY = 50 -- reloads between two versions that fail only in service
local KEYS = 100

local plans = {
  "plan:hosts(localDc, inTurn)",
  "plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)",
  "plan:replicas(localDc, req.isLwt and primaryFirst or leastLoaded) plan:hosts(localDc) plan:hosts(remoteDcs)",
  "for _, host in hosts(localDc) do if host.inFlight == 0 then plan:host(host) break end end plan:hosts(localDc)",
}
local function good(n)
  return ('-- %d\nreturn balance { name = "Good%d", plan = function(plan, req)\n%s\nend }'):format(n, n,
    plans[n % #plans + 1])
end

local function policy(body)
  return 'return balance { name = "Bad", plan = function(plan, req)\n' .. body .. "\nend }"
end
local broken = {
  { "syntax", 'return balance { name = "Bad", plan = function(plan' },
  { "an error while it is loaded", "error 'not today'" },
  { "an error when it is asked", policy "local nothing plan:hosts(nothing.x)" },
  { "an endless loop", policy "while true do end" },
  { "an unknown name", policy "plan:hosts(localDC)" },
  { "memory", policy "local t = {} while true do t[#t + 1] = { 1, 2, 3 } end" },
  { "a scope that is none", policy "plan:hosts(0 / 0, inTurn)" },
  { "one table too big", "local t = {} for i = 1, 1e7 do t[i] = i end" },
  { "not a policy", "return 2 ^ 53" },
  { "a limit that is none", policy "plan:hosts(localDc, inTurn, -1)" },
  { "no text", "" },
}
-- It passes every test, and never ends once it serves.
local IN_SERVICE = policy "if req.tag == tags.evil then while true do end end plan:hosts(localDc, inTurn)"

local reloads = {}

local function write(path, text)
  local file = assert(io.open(path .. ".new", "w"))
  file:write(text)
  file:close()
  assert(os.rename(path .. ".new", path))
end

local function rss_kib()
  local file = assert(io.open "/proc/self/statm")
  local _, pages = file:read("*n", "*n")
  file:close()
  return pages * 4
end

local function work(state)
  local pool, n = state.pool, 0
  while not state.stopped do
    n = n + 1
    local result, err = pool:execute(state.read, { n % KEYS }, { tag = n % 2 == 0 and "scan" or nil })
    state.requests = state.requests + 1
    if not result or result:first().v ~= "v" .. n % KEYS then
      state.failed = state.failed + 1
      state.failure = state.failure or tostring(err or "a wrong row")
    end
    moonpool.sleep(PAUSE_MS)
  end
  return true
end

local function fail(state, i, what)
  error(("reload %d (seed %d): %s"):format(i, state.seed, what), 0)
end

local function check_in_force(state, i)
  local info = state.pool:policies().balance
  local name = state.versions.in_force
  if info.name ~= name then
    fail(state, i, ("%s is in force instead of %s: %s"):format(info.name, name, info.lastError))
  end
end

-- Goes into force, fails when it is asked, and leaves it by itself.
local function fail_in_service(state, i)
  write(state.versions.path, IN_SERVICE)
  assert(state.pool:reload())
  for _ = 1, 4 do
    local result, err = state.pool:execute(state.read, { 0 }, { tag = "evil" })
    if not result then fail(state, i, tostring(err)) end
  end
  check_in_force(state, i)
  state.stepped_back = state.stepped_back + 1
end

local Versions = {}
Versions.__index = Versions

-- The versions of the file `path`, the first one written: `in_force` is the name of the one that has to serve.
function reloads.versions(path)
  write(path, good(0))
  return setmetatable({ path = path, in_force = "Good0" }, Versions)
end

-- Writes the n-th version; what is wrong with it, or nil.
function Versions:write(n)
  local bad = n % 3 == 0 and broken[n / 3 % #broken + 1] or nil
  write(self.path, bad and bad[2] or good(n))
  if not bad then self.in_force = "Good" .. n end
  return bad and bad[1]
end

local function reload(state, i)
  if i % SERVICE_EVERY == 0 then return fail_in_service(state, i) end
  local bad = state.versions:write(i)
  local from = os.clock()
  local ok, err = state.pool:reload()
  if bad then
    if ok then fail(state, i, bad .. " was let in") end
    if not tostring(err):find("p.lua", 1, true) then fail(state, i, "a refusal without a file: " .. tostring(err)) end
    state.refused = state.refused + 1
  else
    if not ok then fail(state, i, "a good version was refused: " .. tostring(err)) end
    state.times[#state.times + 1] = os.clock() - from
  end
  check_in_force(state, i)
end

local function tenth(state, i, report)
  table.sort(state.times)
  local count = #state.times
  report { reloads = i, requests = state.requests, failed = state.failed, failure = state.failure,
    refused = state.refused, steppedBack = state.stepped_back, rssKib = rss_kib(),
    medianUs = (state.times[math.ceil(count / 2)] or 0) * 1e6,
    p99Us = (state.times[math.ceil(count * 0.99)] or 0) * 1e6 }
  state.times = {}
end

local function run(state, count, report)
  local pool = moonpool.ConnectionPool {
    contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1", logging = { level = "off" },
    loadBalancing = { policy = state.versions.path },
  }
  state.pool = pool
  assert(pool:connect())
  assert(pool:execute "CREATE TABLE ks.kv (k int PRIMARY KEY, v text)")
  for k = 0, KEYS - 1 do assert(pool:execute("INSERT INTO ks.kv (k, v) VALUES (?, ?)", { k, "v" .. k })) end
  for i = 1, 5 do assert(pool:execute("SELECT key FROM system.local", nil, { tag = "other" .. i })) end
  state.read = assert(pool:prepare "SELECT v FROM ks.kv WHERE k = ?")
  local workers = {}
  for i = 1, WORKERS do workers[i] = moonpool.spawn(work, state) end
  for i = 1, count do
    reload(state, i)
    moonpool.sleep(RELOAD_MS)
    if i % math.ceil(count / 10) == 0 or i == count then tenth(state, i, report) end
  end
  state.stopped = true
  assert(moonpool.all(workers))
  pool:close()
end

-- options: reloads, seed; report(figures) is called ten times.
function reloads.run(options, report)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir '" .. folder .. "'"))
  local state = { versions = reloads.versions(folder .. "/p.lua"), seed = options.seed or 1, requests = 0, failed = 0,
    refused = 0, stepped_back = 0, times = {} }
  local world = sim.world { seed = state.seed, nodes = 3, rf = 3 }
  local ok, err = pcall(world.run, world, run, state, options.reloads, report)
  os.execute("rm -rf '" .. folder .. "'")
  if not ok then error(err, 0) end
  world:close()
end

local arguments = { ... }
if arguments[1] ~= "as a module" then
  local options = { reloads = 100000, seed = 1 }
  for i = 1, #arguments, 2 do
    local name, value = arguments[i]:match "^%-%-(%w+)$", tonumber(arguments[i + 1])
    if not options[name] or not value then error("usage: reloads.lua [--reloads N] [--seed N]", 0) end
    options[name] = value
  end
  local failed = 0
  print(" reloads  refused  stepped back  requests  failed  reload: median  p99 us       RSS KiB")
  reloads.run(options, function(now)
    failed = now.failed
    print(("%8d %8d %13d %9d %7d %15.0f %7.0f %13d"):format(now.reloads, now.refused, now.steppedBack, now.requests,
      now.failed, now.medianUs, now.p99Us, now.rssKib))
    io.stdout:flush()
    if now.failure then print("first failure: " .. now.failure) end
  end)
  if failed > 0 then error(failed .. " requests failed", 0) end
end
return reloads
