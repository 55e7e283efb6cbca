-- SPDX-License-Identifier: Apache-2.0
-- X3: os.exit gives its status wherever an application calls it, also when it closes the Lua state on its way, that is
-- from inside of the loop that runs it.
local ports = require "spec.support.ports"
local program = require "spec.support.program"

local OPEN = [[
  local moonpool = require "moonpool"
  local function new(port)
    return moonpool.ConnectionPool{ contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1", port = port,
      logging = { level = "off" } }
  end
  local pool = new()
  assert(pool:connect())
  assert(pool:execute("SELECT key FROM system.local WHERE key = ?", { "local" }))
  statement = pool:prepare "SELECT cluster_name FROM system.local WHERE key = ?"
  assert(pool:execute(statement, { "local" }))
]]

-- What ends the process with EXIT; `plain`: without a pool, too.
local places = {
  { "the application", "EXIT", plain = true },
  { "a coroutine of moonpool", "moonpool.spawn(function() moonpool.sleep(1) EXIT end) moonpool.sleep(1e6)",
    plain = true },
  { "a coroutine of its own", "coroutine.wrap(function() EXIT end)()", plain = true },
  { "a comparator", "table.sort({ 1, 2 }, function() EXIT end)", plain = true },
  { "a module", "package.preload.ends = function() moonpool.sleep(1) EXIT end require 'ends'", plain = true },
  { "pcall", "pcall(function() EXIT end)", plain = true },
  { "an error handler", "xpcall(error, function() EXIT end)", plain = true },
  { "a finalizer", "getmetatable(newproxy(true)).__gc = function() EXIT end collectgarbage() collectgarbage()",
    plain = true },
  { "a finalizer at the end", "hold = newproxy(true) getmetatable(hold).__gc = function() EXIT end", plain = true },
  { "a finalizer while another exit closes the state",
    "hold = newproxy(true) getmetatable(hold).__gc = function() EXIT end os.exit(3, true)", plain = true },
  { "a hook", "debug.sethook(function() debug.sethook() EXIT end, '', 1) for _ = 1, 100 do assert(moonpool) end",
    plain = true },
  { "a callback from C", [[
    local ffi = require "ffi"
    ffi.cdef "void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));"
    jit.off(true, true)
    ffi.C.qsort(ffi.new "int[2]", 2, 4, ffi.cast("int (*)(const void *, const void *)", function() EXIT return 0 end))
  ]], plain = true },
  { "a world of virtual time",
    "require('moonpool.sim').world { nodes = 1 }:run(function() moonpool.sleep(1000) EXIT end)", plain = true },
  { "a pool in a world of virtual time", [[
    require('moonpool.sim').world { nodes = 1 }:run(function() assert(new(9042):connect()) EXIT end)
  ]] },
  { "a handler", [[
    pool:on("hostDown", function() EXIT end)
    moonpool.embedded:kill(2)
    moonpool.sleep(1e6)
  ]] },
  { "with requests under way", [[
    for _ = 1, 50 do pool:executeAsync "SELECT key FROM system.local" pool:executeAsync(statement, { "local" }) end
    moonpool.spawn(function() pool:execute "SELECT key FROM system.local" end)
    pool:execute(statement, { "local" })
    EXIT
  ]] },
  { "behind an answer", [[
    for _ = 1, 5 do moonpool.spawn(function() pool:execute(statement, { "local" }) EXIT end) end
    moonpool.sleep(1e6)
  ]] },
  { "while others connect, prepare and close", [[
    local second, third = new(), new()
    moonpool.spawn(second.connect, second)
    moonpool.spawn(third.close, third)
    moonpool.spawn(pool.prepare, pool, "SELECT key FROM system.local WHERE key = ?")
    coroutine.yield()
    EXIT
  ]] },
  { "with a pool that is closed", "pool:close() EXIT" },
  { "with finalizers that look at everything", [[
    hold = newproxy(true)
    getmetatable(hold).__gc = function()
      tostring(pool) pool:getStats() pool:getHosts() pool:getConnectionDetails() pool:getMetrics() pool:policies()
      pool:explain{} pool:executeAsync "SELECT key FROM system.local" pcall(pool.close, pool) pcall(new)
      moonpool.spawn(print, "never") pcall(moonpool.run, print, "never") moonpool.uuid() tostring(statement)
    end
    last = newproxy(true)
    getmetatable(last).__gc = getmetatable(hold).__gc
    EXIT
  ]] },
}

local exits = { { "os.exit(7, true)", 7 }, { "os.exit(7)", 7 }, { "os.exit(true, true)", 0 },
  { "os.exit(false, true)", 1 } }

describe("os.exit", function()
  for _, place in ipairs(places) do
    it("gives its status in " .. place[1], function()
      for i, exit in ipairs(exits) do
        if i <= 2 or place == places[1] then
          local text = place[2]:gsub("EXIT", exit[1])
          local said, status = program.run(OPEN .. text, "--embedded 2")
          assert.equal("", said, exit[1])
          assert.equal(exit[2], status, exit[1])
          if place.plain then
            said, status = program.run("local moonpool = require 'moonpool' " .. text)
            assert.equal("", said, exit[1])
            assert.equal(exit[2], status, exit[1])
          end
        end
      end
    end)
  end

  it("gives its status in a LuaJIT that is not ours", function()
    for _, exit in ipairs(exits) do
      local said, status = program.luajit(([[
        local moonpool = require "moonpool"
        local cluster = require("moonpool.sim").cluster { nodes = 1, port = %d }
        moonpool.run(function()
          local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = %d,
            localDataCenter = "datacenter1" }
          assert(pool:connect())
          pool:executeAsync "SELECT key FROM system.local"
          print "exits"
          %s
        end)
      ]]):format(ports.at(29), ports.at(29), exit[1]))
      assert.equal("exits\n", said)
      assert.equal(exit[2], status)
    end
  end)
end)
