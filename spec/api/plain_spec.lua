-- SPDX-License-Identifier: Apache-2.0
-- moonpool in a LuaJIT process that is not ours: found by the place of its own Lua files, or where MOONPOOL_LIB says.
local ports = require "spec.support.ports"
local sh = require("spec.support.program").sh

-- The library of this build is instrumented: a process that does not know that loads the sanitizer first.
local function luajit(script, environment)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write((script:gsub("PORT", ports.at(22))))
  file:close()
  local asan = sh("cc -print-file-name=libasan.so"):gsub("%s+$", "")
  local said, status = sh(string.format("cd /tmp && LD_PRELOAD='%s' ASAN_OPTIONS=detect_leaks=0 " ..
    "LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' %s luajit '%s'", asan, MOONPOOL_ROOT, MOONPOOL_ROOT,
    environment or "MOONPOOL_LIB='" .. MOONPOOL_BUILD_DIR .. "/libmoonpool.so'", path))
  os.remove(path)
  return said, status
end

describe("a plain LuaJIT process", function()
  it("requires moonpool and uses it inside of moonpool.run", function()
    local said, status = luajit [[
      local moonpool = require "moonpool"
      local cluster = require("moonpool.sim").cluster { nodes = 2, port = PORT }
      local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = PORT,
        localDataCenter = "datacenter1" }
      print(moonpool.run(function()
        assert(pool:connect())
        return pool:execute "SELECT cluster_name FROM system.local":first().cluster_name
      end))
      moonpool.run(function() pool:close() end)
      cluster:close()
    ]]
    assert.equal("moonpool\n", said)
    assert.equal(0, status)
  end)

  it("ends in order with a pool that is open and coroutines that wait", function()
    local said, status = luajit [[
      local moonpool = require "moonpool"
      cluster = require("moonpool.sim").cluster { nodes = 2, port = PORT }
      pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = PORT, localDataCenter = "datacenter1" }
      moonpool.run(function()
        assert(pool:connect())
        moonpool.spawn(function() moonpool.sleep(1e6) print "never" end)
        moonpool.spawn(function() pool:execute "SELECT key FROM system.local" print "never" end)
        pool:on("hostDown", print)
      end)
      print "end"
    ]]
    assert.equal("end\n", said)
    assert.equal(0, status)
  end)

  it("says so when a call waits outside of moonpool.run", function()
    local said, status = luajit [[
      local moonpool = require "moonpool"
      moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1" }:connect()
    ]]
    assert.matches("moonpool.run(function()", said, 1, true)
    assert.equal(1, status)
  end)

  it("says where it looked when the library is not there", function()
    local said, status = luajit("require 'moonpool'", "MOONPOOL_LIB=/nonexistent/libmoonpool.so")
    assert.matches("/nonexistent/libmoonpool.so: no such file", said, 1, true)
    assert.equal(1, status)
  end)
end)
