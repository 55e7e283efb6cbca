-- SPDX-License-Identifier: Apache-2.0
-- moonpool through its Lua API, as an application would use it: coroutines, each of which executes the statement,
-- reads the row and does it again. Keys vary, so every request is hashed and routed, by the Lua TokenAwarePolicy.
--
--   moonpool run bench/lua_client.lua --port 19500 --protocol 4 --outstanding 256 --seconds 1 --rows kv
--
-- With --table 1 by pool:execute(statement, { key }) and result.rows[1], else by pool:run(statement, key) and
-- result:first(). --requests N: that many to warm up and that many to measure, whatever the time, for callgrind.
local ffi = require "ffi"
local moonpool = require "moonpool"

-- What is asked, and how an answer is read. `page` reads every value, `pagecount` of the same only how many rows there
-- are.
local function value_of(bytes)
  return function(_, row) return #row.value == bytes end
end
local function every_value(columns, rows)
  return function(result)
    local read = 0
    for _, row in ipairs(result.rows) do
      for _, value in pairs(row) do
        if value ~= nil then read = read + 1 end
      end
    end
    return read == columns * rows
  end
end
local ROWS = {
  kv = { "SELECT value FROM bench.kv WHERE key = ?", value_of(100) },
  kv1k = { "SELECT value FROM bench.kv1k WHERE key = ?", value_of(1024) },
  kv10k = { "SELECT value FROM bench.kv10k WHERE key = ?", value_of(10240) },
  wide = { "SELECT * FROM bench.wide WHERE key = ?", every_value(100, 1), is_read_whole = true },
  page = { "SELECT * FROM bench.page WHERE key = ?", every_value(5, 5000), is_read_whole = true },
  pagecount = { "SELECT * FROM bench.page WHERE key = ?", function(result) return result.count == 5000 end,
    is_read_whole = true },
}
local LOOK_EVERY = 256 -- answers between two looks at the clock
local SAMPLE_EVERY = 16 -- answers between two latencies that are kept
local SAMPLES_MAX = 1e6

local options = { port = 19500, protocol = 4, outstanding = 256, seconds = 1, warmup = 1.2, table = 0, requests = 0,
  tls = false, rows = "kv", busypoll = 0 }
local arguments = { ... }
for i = 1, #arguments, 2 do
  local name, value = arguments[i]:match "^%-%-(%w+)$", arguments[i + 1]
  if name == "rows" then
    value = ROWS[value] and value
  elseif name ~= "tls" then
    value = tonumber(value)
  end
  if options[name] == nil or not value then
    error("usage: lua_client.lua [--port N] [--protocol 4|5] [--outstanding N] [--seconds N] [--warmup N] "
      .. "[--table 1] [--requests N] [--tls CA] [--busypoll US] [--rows kv|kv1k|kv10k|wide|page|pagecount]", 0)
  end
  options[name] = value
end

ffi.cdef [[
struct bench_timespec { long tv_sec, tv_nsec; };
int clock_gettime(int clock, struct bench_timespec *now);
void *malloc(size_t size);
]]
local CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME = 1, 2
local stamp = ffi.new "struct bench_timespec"
local function seconds_of(clock)
  ffi.C.clock_gettime(clock, stamp)
  return tonumber(stamp.tv_sec) + tonumber(stamp.tv_nsec) / 1e9
end

local pool = moonpool.ConnectionPool {
  contactPoints = { "127.0.0.1" },
  port = options.port,
  localDataCenter = "datacenter1",
  keyspace = "bench",
  protocolVersion = options.protocol,
  pooling = { coreConnectionsPerHost = { ["0"] = 1 }, maxConnectionsPerHost = { ["0"] = 1 },
    maxRequestsPerConnection = math.max(2048, options.outstanding) }, -- all of them in flight: none waits for room
  loadBalancing = { policy = "TokenAwarePolicy" },
  tls = options.tls and { ca = options.tls } or nil,
  busyPollUs = options.busypoll,
}
assert(pool:connect())
local statement = assert(pool:prepare(ROWS[options.rows][1]))
local is_right = ROWS[options.rows][2]

local phase, warm_until = "warm-up", seconds_of(CLOCK_MONOTONIC) + options.warmup
local first, last
local answered, next_key = 0, 0
-- Outside of Lua's heap: a growing table would be walked by every collection, which would be measured too.
local samples, sample_count = ffi.cast("float *", ffi.C.malloc(SAMPLES_MAX * 4)), 0

local function counts()
  local policy, stats = pool:policies().balance, pool:getStats()
  return {
    at = seconds_of(CLOCK_MONOTONIC),
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME),
    requests = answered,
    calls = policy.calls,
    fallbacks = stats.policyFallbacks,
    polls = stats.busyPolls,
  }
end

local function is_over(since, at, seconds)
  if options.requests > 0 then return answered >= since + options.requests end
  return seconds_of(CLOCK_MONOTONIC) >= at + seconds
end

local function look()
  if phase == "warm-up" and is_over(0, warm_until, 0) then
    phase, first = "measure", counts()
  elseif phase == "measure" and is_over(first.requests, first.at, options.seconds) then
    phase, last = "over", counts()
  end
end

local look_every = options.outstanding < LOOK_EVERY / 16 and 1 or LOOK_EVERY

local function ask(key)
  local result, err = pool:run(statement, key)
  return result, err, result and result:first()
end
if options.table ~= 0 then
  function ask(key)
    local result, err = pool:execute(statement, { key })
    return result, err, result and result.rows[1]
  end
elseif ROWS[options.rows].is_read_whole then
  function ask(key) return pool:run(statement, key) end
end

local function work()
  while phase ~= "over" do
    next_key = next_key + 1
    local result, err, row = ask(next_key)
    if not result then error(tostring(err), 0) end
    if not is_right(result, row) then error("not the rows that were expected", 0) end
    answered = answered + 1
    if answered % SAMPLE_EVERY == 0 and phase == "measure" and sample_count < SAMPLES_MAX then
      samples[sample_count] = result.info.latencyMs * 1000
      sample_count = sample_count + 1
    end
    if answered % look_every == 0 then look() end
  end
  return true
end

local workers = {}
for i = 1, options.outstanding do workers[i] = moonpool.spawn(work) end
assert(moonpool.all(workers))
pool:close()

local latencies = {}
for i = 1, sample_count do latencies[i] = samples[i - 1] end
table.sort(latencies)
local function quantile(q)
  return latencies[math.max(1, math.ceil(q * #latencies))] or 0
end
local requests = last.requests - first.requests
print(("client=lua rows=%s version=%d outstanding=%d requests=%d req_s=%.0f cpu_us=%.4f p50_us=%.1f p99_us=%.1f "
  .. "policy_calls=%d policy_fallbacks=%d busy_polls=%d"):format(options.rows, options.protocol, options.outstanding,
  requests, requests / (last.at - first.at), (last.cpu - first.cpu) * 1e6 / requests, quantile(0.5), quantile(0.99),
  last.calls - first.calls, last.fallbacks - first.fallbacks, last.polls - first.polls))
