-- SPDX-License-Identifier: Apache-2.0
-- X3: what a process inherits is not what the runtime expects: standard descriptors that are closed, few descriptors or
-- none, signals that are blocked, a folder that is gone, others of its kind.
local ports = require "spec.support.ports"
local program = require "spec.support.program"

local POOL = [[
  local moonpool = require "moonpool"
  local pool = moonpool.ConnectionPool{ contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
    logging = { level = "off" } }
  assert(pool:connect())
  assert(pool:execute "SELECT key FROM system.local")
]]

-- Every way to close some of 0, 1 and 2; or only those that `which` says, a bit for each.
local function subsets(which)
  local list = {}
  for _, bits in ipairs(which or { 0, 1, 2, 3, 4, 5, 6, 7 }) do
    local shell = {}
    for fd = 0, 2 do
      if math.floor(bits / 2 ^ fd) % 2 == 1 then shell[#shell + 1] = ("%d>&-"):format(fd) end
    end
    list[#list + 1] = table.concat(shell, " ")
  end
  return list
end

-- The status of a command whose output may go nowhere.
local function status_of(command) return select(2, program.sh("( " .. command .. " )")) end

describe("a process that is started with standard descriptors closed", function()
  local config
  before_each(function()
    config = program.file(("return { contactPoints = { '127.0.0.1' }, localDataCenter = 'datacenter1', " ..
      "logging = { level = 'off' }, control = %q }"):format(os.tmpname() .. ".sock"))
  end)
  after_each(function() os.remove(config) end)

  it("runs an application", function()
    local app = program.file(POOL .. "print 'out' io.stderr:write 'error' assert(not io.read()) pool:close()")
    for _, closed in ipairs(subsets()) do
      assert.equal(0, status_of(("'%s' run --embedded 1 '%s' </dev/null %s"):format(program.moonpool, app, closed)),
        closed)
    end
    os.remove(app)
  end)

  it("serves", function()
    for _, closed in ipairs(subsets()) do
      assert.equal(124, status_of(("timeout -s KILL 10 timeout 0.5 '%s' serve --embedded 1 '%s' </dev/null %s"):format(
        program.moonpool, config, closed)), closed)
    end
  end)

  it("simulates", function()
    for _, closed in ipairs(subsets { 1, 2, 4, 7 }) do
      assert.equal(124, status_of(("timeout -s KILL 10 timeout 0.3 '%s' sim --nodes 1 --port %d </dev/null %s"):format(
        program.moonpool, ports.at(28), closed)), closed)
    end
  end)

  it("checks, tests, asks and tells its version", function()
    local spec = program.file "it('is fine', function() end)"
    for _, closed in ipairs(subsets { 1, 2, 4, 7 }) do
      for command, expected in pairs {
        ["check '" .. config .. "'"] = 0, ["test '" .. spec .. "'"] = 0, version = 0, ["--help"] = 0, nonsense = 2,
        ["ctl stats --control /tmp/nobody.sock"] = 1,
      } do
        assert.equal(expected, status_of(("'%s' %s </dev/null %s"):format(program.moonpool, command, closed)),
          command .. " " .. closed)
      end
    end
    os.remove(spec)
  end)

  it("never prints to a node, also when the application closes them itself", function()
    local said, status = program.run([[
      local moonpool = require "moonpool"
      local ffi = require "ffi"
      ffi.cdef "int close(int fd); ssize_t write(int fd, const char *text, size_t size);"
      for fd = 0, 2 do ffi.C.close(fd) end
      local pool = moonpool.ConnectionPool{ contactPoints = { "localhost", "127.0.0.1" },
        localDataCenter = "datacenter1", logging = { level = "off" },
        pooling = { coreConnectionsPerHost = { ["0"] = 4 } } }
      assert(pool:connect())
      for _ = 1, 20 do
        for fd = 0, 2 do ffi.C.write(fd, "garbage\n", 8) end
        assert(pool:execute "SELECT key FROM system.local")
      end
      assert(pool:getStats().connectionErrors == 0)
      pool:close()
    ]], "--embedded 1")
    assert.equal("", said)
    assert.equal(0, status)
  end)

  it("in a LuaJIT that is not ours", function()
    local app = ([[
      local moonpool = require "moonpool"
      local cluster = require("moonpool.sim").cluster { nodes = 1, port = %d }
      moonpool.run(function()
        local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = %d,
          localDataCenter = "datacenter1" }
        assert(pool:connect())
        pool:close()
      end)
      cluster:close()
    ]]):format(ports.at(27), ports.at(27))
    for _, closed in ipairs(subsets()) do
      local _, status = program.luajit(app, ("sh -c 'exec \"$@\" </dev/null %s' sh env"):format(closed))
      assert.equal(0, status, closed)
    end
  end)
end)

-- ---- descriptors ------------------------------------------------------------------------------------------

-- Leaves `free` descriptors of 64.
local FREE = [[
  local ffi = require "ffi"
  ffi.cdef "int dup(int fd); int close(int fd);"
  local taken = {}
  local function leave(free)
    repeat taken[#taken + 1] = ffi.C.dup(1) until taken[#taken] < 0
    for _ = 1, free + 1 do
      local fd = table.remove(taken)
      if fd and fd >= 0 then ffi.C.close(fd) end
    end
  end
]]

describe("a process without descriptors", function()
  it("is told nil and an error by every call, whatever is missing", function()
    for free = 0, 10 do
      local said, status = program.run(FREE .. ([[
        local moonpool = require "moonpool"
        leave(%d)
        local ok, pool, err = pcall(moonpool.ConnectionPool, { contactPoints = { "127.0.0.1" },
          localDataCenter = "datacenter1", logging = { level = "off" }, keyspace = "system" })
        assert(ok and (pool or err.code == "LOCAL_ERROR"), tostring(pool))
        if pool then
          local function call(name, ...)
            local called, value, why = pcall(pool[name], pool, ...)
            assert(called, tostring(value))
            assert(value or why.code, name)
            return value
          end
          if call "connect" then
            call("execute", "SELECT key FROM system.local")
            call("execute", "SELECT key FROM system.local WHERE key = ?", { "local" })
            call("prepare", "SELECT cluster_name FROM system.local")
          end
          call "reload" call "getStats" call "getHosts" call "policies"
          assert(pool:close())
        end
        assert(moonpool.spawn(function() moonpool.sleep(1) return true end):wait())
        print "end"
      ]]):format(free), "--embedded 1", "ulimit -n 64;")
      assert.matches("end\n$", said)
      assert.equal(0, status, said)
    end
  end)

  it("gets a pool again when there are some, and keeps its policies without any", function()
    local said, status = program.run(FREE .. [[
      local moonpool = require "moonpool"
      local function new()
        return moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
          logging = { level = "off" } }
      end
      local first = new()
      assert(first:connect())
      leave(0)
      local pool, err = new()
      assert(pool == nil and err.code == "LOCAL_ERROR", tostring(err))
      assert(tostring(err):find("ulimit -n", 1, true))
      for _ = 1, 10 do assert(first:execute "SELECT key FROM system.local") end
      first:reload()
      assert(first:execute "SELECT key FROM system.local")
      assert(first:policies().balance.generation == 1)
      for _, fd in ipairs(taken) do if fd >= 0 then ffi.C.close(fd) end end
      assert(assert(new()):connect())
      assert(first:reload())
      print "end"
    ]], "--embedded 1", "ulimit -n 64;")
    assert.equal("end\n", said)
    assert.equal(0, status)
  end)

  it("is told the same of files that it names", function()
    local handlers = program.file "return function() end"
    local config = program.file(("return { contactPoints = { '127.0.0.1' }, handlers = %q }"):format(handlers))
    local said, status = program.run(FREE .. ([[
      local moonpool = require "moonpool"
      leave(0)
      local ok, pool, err = pcall(moonpool.ConnectionPool, %q)
      print(ok, pool, err.code)
      print(pcall(moonpool.ConnectionPool, { contactPoint = 1 }))
    ]]):format(config), nil, "ulimit -n 64;")
    os.remove(handlers)
    os.remove(config)
    assert.matches("^true\tnil\tLOCAL_ERROR\n", said)
    assert.equal(0, status)
  end)

  it("is told so by moonpool.run in a LuaJIT that is not ours", function()
    local said, status = program.luajit(FREE .. [[
      local moonpool = require "moonpool"
      leave(0)
      print(moonpool.run(function() return "ran" end))
      print(moonpool.ConnectionPool { contactPoints = { "127.0.0.1" } })
      for _, fd in ipairs(taken) do if fd >= 0 then ffi.C.close(fd) end end
      print(moonpool.run(function() return "ran" end))
    ]], "ulimit -n 64;")
    assert.matches("^nil\tLOCAL_ERROR: the event loop could not be made[^\n]*\nnil\tLOCAL_ERROR: [^\n]*\nran\n$", said)
    assert.equal(0, status)
  end)

  it("that starts with few of them works, or fails and says so", function()
    local app = program.file(POOL .. "pool:close()")
    local config = program.file "return { contactPoints = { '127.0.0.1' } }"
    for limit = 4, 40, 6 do
      for command in pairs {
        ["run --embedded 1 '" .. app .. "'"] = true, ["check '" .. config .. "'"] = true,
        ["ctl stats --control /tmp/nobody.sock"] = true,
      } do
        local said, status = program.sh(("ulimit -n %d; timeout -s KILL 20 '%s' %s"):format(limit, program.moonpool,
          command))
        assert.is_true(status == 0 or (status < 3 and #said > 0), ("%s with %d: %d %s"):format(command, limit, status,
          said))
      end
    end
    os.remove(app)
    os.remove(config)
  end)
end)

-- ---- the rest ---------------------------------------------------------------------------------------------

describe("a process", function()
  it("hears signals that were blocked when it was started", function()
    local app = program.file "require('moonpool').sleep(20000)"
    local said, status = program.sh(("env --block-signal=TERM --block-signal=INT --block-signal=HUP timeout -s KILL " ..
      "10 sh -c \"'%s' run '%s' & sleep 0.5; kill -TERM \\$!; wait \\$!\""):format(program.moonpool, app))
    os.remove(app)
    assert.equal(128 + 15, status, said)
  end)

  it("runs in a folder that is gone, and without an environment", function()
    local app = program.file(POOL .. "print 'end'")
    local said, status = program.sh(("cd $(mktemp -d) && rmdir $(pwd) && env -i '%s' run --embedded 1 '%s'"):format(
      program.moonpool, app))
    os.remove(app)
    assert.equal("end\n", said)
    assert.equal(0, status)
  end)

  it("is one of many that start at once", function()
    local app = program.file(POOL .. "print 'end'")
    local said, status = program.sh(("for i in 1 2 3 4 5 6; do '%s' run --embedded 1 '%s' & done; wait"):format(
      program.moonpool, app))
    os.remove(app)
    assert.equal(("end\n"):rep(6), said)
    assert.equal(0, status)
  end)
end)
