-- SPDX-License-Identifier: Apache-2.0
-- What a coroutine holds whose request is in flight, of Lua's memory and of the process's other memory; beside it the
-- least, a coroutine of Lua's own that waits for nothing. A line of figures for table.lua.
--
--   moonpool run bench/memory.lua --port 19500 --protocol 4
local ffi = require "ffi"
local moonpool = require "moonpool"

local FEW, MANY = 10, 4000

local options = { port = 19500, protocol = 4 }
local arguments = { ... }
for i = 1, #arguments, 2 do
  local name = arguments[i]:match "^%-%-(%w+)$"
  local value = tonumber(arguments[i + 1])
  if not options[name] or not value then error("usage: memory.lua [--port N] [--protocol 4|5]", 0) end
  options[name] = value
end

ffi.cdef [[
struct bench_mallinfo {
  size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct bench_mallinfo mallinfo2(void);
]]

-- Bytes that the C library has given out, Lua's among them; without what Lua would throw away.
local function held()
  collectgarbage()
  collectgarbage()
  local info = ffi.C.mallinfo2()
  return tonumber(info.uordblks + info.hblkhd)
end

local pool = moonpool.ConnectionPool {
  contactPoints = { "127.0.0.1" },
  port = options.port,
  localDataCenter = "datacenter1",
  keyspace = "bench",
  protocolVersion = options.protocol,
  pooling = { coreConnectionsPerHost = { ["0"] = 1 }, maxConnectionsPerHost = { ["0"] = 1 },
    maxRequestsPerConnection = MANY },
}
assert(pool:connect())
local statement = assert(pool:prepare "SELECT value FROM bench.kv WHERE key = ?")

-- The last coroutine runs when all others wait, in the turn in which they began.
local function in_flight(count)
  local before, workers, during = held(), {}, nil
  for i = 1, count do
    workers[i] = moonpool.spawn(function() return assert(pool:execute(statement, { i })).count end)
  end
  workers[count + 1] = moonpool.spawn(function()
    assert(pool:getStats().requestsInFlight == count, "not all are in flight")
    during = held()
    return true
  end)
  assert(moonpool.all(workers))
  return (during - before) / count
end

-- Of Lua alone, which counts its bytes itself.
local function waiting(count)
  collectgarbage()
  local before, kept = collectgarbage "count", {}
  for i = 1, count do
    kept[i] = coroutine.create(function() coroutine.yield(i) end)
    coroutine.resume(kept[i])
  end
  local bytes = (collectgarbage "count" - before) * 1024 / count
  return #kept == count and bytes
end

in_flight(FEW)
local bytes = in_flight(MANY)
pool:close()
print(("memory=coroutine bytes=%.0f least=%.0f"):format(bytes, waiting(MANY)))
