-- SPDX-License-Identifier: Apache-2.0
-- The n-th allocation and the n-th system call of a whole life fail: connecting (over TLS, too), preparing, asking,
-- reloading, closing. Whichever it is: nothing breaks, each request ends once, nothing is left, and afterwards a pool
-- works. The suite tries some of them, spread evenly; MOONPOOL_TORTURE=N tries every N-th (1: all), and
-- MOONPOOL_TORTURE=N/F those from number F on, and says how far it is (scripts/torture).
local certificates = require "spec.support.certificates"
local config_file = require "spec.support.config_file"
local policies = require "spec.support.policies"
local support = require "spec.support.world"
local C = require "spec.support.c"
local ffi = require "ffi"
local moonpool = require "moonpool"
local ports = require "spec.support.ports"
local sim = require "moonpool.sim"

ffi.cdef [[
void spec_syscalls_fail_at(uint64_t nth, int code);
uint64_t spec_syscalls_count(void);
]]

local EVERY, FIRST = (os.getenv "MOONPOOL_TORTURE" or ""):match "^(%d+)/?(%d*)$"
EVERY, FIRST = tonumber(EVERY), tonumber(FIRST) or 1
local TRIED = 40 -- of each kind, in the suite
local ERRORS = { { "EINTR", 4 }, { "EMFILE", 24 }, { "EPIPE", 32 }, { "EADDRNOTAVAIL", 99 }, { "ECONNRESET", 104 },
  { "ENOBUFS", 105 } }

local plan = "return balance { name = %q, plan = function(plan) plan:hosts(localDc, inTurn) end }"

local function step(total) return EVERY or math.max(1, math.floor(total / TRIED)) end

local function tell(name, nth, total)
  io.stdout:write(("%s: %d of %d\n"):format(name, nth, total))
  io.stdout:flush()
end

-- A life, of which any call may fail. Asks are counted: each has to come back once.
local function life(pool, note)
  local function ask(method, ...)
    note.asked = note.asked + 1
    local result = pool[method](pool, ...)
    note.answered = note.answered + 1
    return result
  end
  if not pool:connect() then pool:connect() end
  local statement = pool:prepare "SELECT v FROM ks.t WHERE k = ?"
  local insert = pool:prepare "INSERT INTO ks.t (k, v) VALUES (?, ?)"
  for i = 1, 6 do
    if statement and i % 2 == 0 then ask("execute", statement, { i })
    else ask("execute", "INSERT INTO ks.t (k, v) VALUES (?, ?)", { i, "v" }, { isIdempotent = true }) end
    if i == 3 then
      policies.write(config_file.file "balance.lua", plan:format "Other")
      pool:reload()
    end
  end
  ask("execute", "SELECT k, v FROM ks.t", {}, { fetchSize = 2 })
  ask("batch", { { "INSERT INTO ks.t (k, v) VALUES (?, ?)", { 8, "b" } }, { "DELETE FROM ks.t WHERE k = 9" } })
  ask("execute", "CREATE TABLE ks.more (k int PRIMARY KEY)")
  local under_way = {}
  for i = 1, insert and 4 or 0 do -- which travel together
    under_way[i] = pool:executeAsync(insert, { 10 + i % 2, "m" }, { isIdempotent = true })
  end
  for _, future in pairs(under_way) do future:wait() end
  pool:close()
end

-- What stands behind: a pool that nothing is refused.
local function works(pool)
  assert(pool:connect())
  assert(pool:execute("INSERT INTO ks.t (k, v) VALUES (?, ?)", { 7, "seven" }))
  assert(pool:execute("SELECT v FROM ks.t WHERE k = ?", { 7 })):first()
end

-- May fail, by a refusal that says so; nothing else is taken for one.
local function attempt(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then return end
  local said = tostring(err):lower()
  -- The second one is how LuaJIT says that it had no memory for the code of a function.
  assert(said:find "memory" or said:find "unable to dump", said)
end

describe("torture:", function()
  local folder
  setup(function()
    config_file.folder = policies.folder()
    if C.mp_tls_is_built() then folder = certificates.folder() end
  end)
  teardown(function()
    policies.remove(config_file.folder)
    if folder then certificates.remove(folder) end
  end)
  after_each(function()
    C.mp_mem_fail_at(0, false)
    C.spec_syscalls_fail_at(0, 0)
  end)

  local function options(encrypted)
    local given = { nodes = 2, heals = false }
    if encrypted then given.tlsCert, given.tlsKey = folder .. "/good.pem", folder .. "/good.key" end
    return given
  end
  local function configuration(encrypted)
    policies.write(config_file.file "balance.lua", plan:format "First")
    return { loadBalancing = { policy = config_file.file "balance.lua" }, requestTimeout = 400, attemptTimeout = 200,
      pooling = { enableBatching = true },
      tls = encrypted and { ca = folder .. "/ca.pem", serverName = "node.test" } or nil }
  end

  -- try(nth, encrypted, round) lives once, the n-th call of it fails (0: none), and gives how many there were: more
  -- than `least`, when none fails.
  local function any_fails(name, least, try, what)
    for _, encrypted in ipairs { false, true } do
      if not encrypted or C.mp_tls_is_built() then
        local whole_name = name .. (encrypted and ", over TLS" or "")
        it(whole_name, function()
          local total, round = try(0, encrypted, 0), 0
          assert.is_true(total > least, total)
          for nth = FIRST, total, step(total) do
            local ok, err = pcall(try, nth, encrypted, round)
            assert(ok, what(nth, round) .. ": " .. tostring(err))
            round = round + 1
            if EVERY and round % 200 == 0 then tell(whole_name, nth, total) end
          end
          if EVERY then tell(whole_name, total, total) end
        end)
      end
    end
  end

  -- In virtual time; gives how many allocations there were.
  local function starve(nth, encrypted)
    local note, count = { asked = 0, answered = 0 }, nil
    support.run(options(encrypted), function(world)
      world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
      local given = configuration(encrypted)
      local before = C.mp_mem_stats().allocs
      C.mp_mem_fail_at(nth, false)
      attempt(function() life(world:newPool(given), note) end)
      count = tonumber(C.mp_mem_stats().allocs - before)
      C.mp_mem_fail_at(0, false)
      works(world:newPool(configuration(encrypted)))
    end)
    assert.equal(note.asked, note.answered)
    return count
  end

  any_fails("R3 any allocation fails", 200, starve, function(nth) return "allocation number " .. nth end)

  -- On real sockets, a cluster and a pool of one process: a call that fails may be that of either.
  local function error_of(round) return ERRORS[round % #ERRORS + 1] end
  local function refuse(nth, encrypted, round)
    local count
    local note = { asked = 0, answered = 0 }
    moonpool.run(function()
      local given = { nodes = 2, rf = 2, port = ports.at(8) }
      if encrypted then given.tlsCert, given.tlsKey = folder .. "/good.pem", folder .. "/good.key" end
      local cluster = sim.cluster(given)
      cluster:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
      local function open()
        local keys = configuration(encrypted)
        keys.contactPoints, keys.port, keys.localDataCenter = { "127.0.0.1", "127.0.0.2" }, ports.at(8), "datacenter1"
        keys.logging, keys.requestTimeout, keys.attemptTimeout = { level = "off" }, 10000, 5000
        keys.pooling.reconnectBaseDelay, keys.pooling.reconnectMaxDelay = 5, 20
        return moonpool.ConnectionPool(keys)
      end
      C.spec_syscalls_fail_at(nth, error_of(round)[2])
      local pool = open()
      life(pool, note)
      count = tonumber(C.spec_syscalls_count())
      C.spec_syscalls_fail_at(0, 0)
      assert.equal(0, pool:getStats().requestsInFlight + pool:getStats().requestsQueued)
      local second = open()
      works(second)
      second:close()
      cluster:close()
    end)
    assert.equal(note.asked, note.answered)
    return count
  end

  any_fails("R9 any system call of a socket fails", 50, refuse, function(nth, round)
    return ("system call number %d, %s"):format(nth, error_of(round)[1])
  end)
end)
