-- SPDX-License-Identifier: Apache-2.0
-- A relative path in a file belongs to that file, whoever reads it and from wherever; one in a program belongs to the
-- working folder.
local ffi = require "ffi"
local policies = require "spec.support.policies"
local program = require "spec.support.program"

ffi.cdef "int usleep(unsigned us);"

local MOONPOOL = MOONPOOL_BUILD_DIR .. "/moonpool"

local folder
local function file(name) return folder .. "/" .. name end

local function sh(command, from) return program.sh(("cd '%s' && { %s; }"):format(from or folder, command)) end

local CONFIG = [[
return {
  contactPoints = { (os.getenv "CASSANDRA_HOSTS" or "127.0.0.1"):match "[^,]+" }, localDataCenter = "datacenter1",
  %s
}]]

before_each(function()
  folder = policies.folder()
  assert(os.execute(("cd '%s' && mkdir conf conf/policies conf/other elsewhere"):format(folder)) == 0)
  policies.write(file "conf/policies/mine.lua", "return balance { name = 'Mine', plan = function(plan) "
    .. "plan:hosts(localDc, inTurn) end }")
  policies.write(file "conf/other/over.lua", "return balance { name = 'Over', options = { childPolicy = "
    .. "'../policies/mine.lua' }, plan = function(plan, req) plan:child(req) end }")
  policies.write(file "conf/handlers.lua", "return function(pool) pool:on('hostUp', function(host) "
    .. "print('heard ' .. host) io.stdout:flush() end) end")
end)
after_each(function() policies.remove(folder) end)

local cases = {
  { "a handlers file", 'handlers = "handlers.lua"', "heard 127.0.0.1" },
  { "a folder of policies", 'policyPath = { "policies" }, loadBalancing = { policy = "Mine" }', "serves: Mine" },
  { "a policy by its path", 'loadBalancing = { policy = "policies/mine.lua" }', "serves: Mine" },
  { "a policy beside it", 'loadBalancing = { policy = "./policies/../policies/mine.lua" }', "serves: Mine" },
  { "a child policy", 'loadBalancing = { policy = "TokenAwarePolicy", childPolicy = "policies/mine.lua" }',
    "serves: TokenAwarePolicy" },
  { "a child that a policy names", 'loadBalancing = { policy = "other/over.lua" }', "serves: Over" },
}

describe("a relative path in a configuration", function()
  for _, case in ipairs(cases) do
    it("is good for check, from any folder: " .. case[1], function()
      policies.write(file "conf/pool.lua", CONFIG:format(case[2]))
      for from, path in pairs { [file "conf"] = "pool.lua", [folder] = "conf/pool.lua", ["/"] = file "conf/pool.lua",
        [file "elsewhere"] = "../conf/pool.lua" } do
        local said, status = sh(("'%s' check %s"):format(MOONPOOL, path), from)
        assert.equal(0, status, said)
      end
    end)

    it("is the same for run and explain: " .. case[1], function()
      policies.write(file "conf/pool.lua", CONFIG:format(case[2]))
      policies.write(file "app.lua", [[
        local pool = require "moonpool".ConnectionPool()
        assert(pool:connect())
        require "moonpool".sleep(20)
        print("serves: " .. pool:policies().balance.name)
        assert(pool:reload())
      ]])
      local said, status = sh(("'%s' run --embedded 1 --config ../conf/pool.lua ../app.lua"):format(MOONPOOL),
        file "elsewhere")
      assert.equal(0, status, said)
      assert.truthy(said:find(case[3], 1, true), said)
      said, status = sh(("'%s' explain --embedded 1 --config ../conf/pool.lua"):format(MOONPOOL), file "elsewhere")
      assert.equal(0, status, said)
    end)
  end

  it("is the same for serve, at its start and when the file changes", function()
    policies.write(file "conf/pool.lua", CONFIG:format('handlers = "handlers.lua", control = "ctl.sock"'))
    local log = file "log"
    os.execute(("cd / && '%s' serve --embedded 1 '%s' > '%s' 2>&1 < /dev/null & echo $! > '%s'"):format(MOONPOOL,
      file "conf/pool.lua", log, file "pid"))
    local function said(text)
      for _ = 1, 800 do
        local handle = io.open(log)
        local all = handle and handle:read "*a" or ""
        if handle then handle:close() end
        if all:find(text, 1, true) then return all end
        ffi.C.usleep(25000)
      end
      return error("not said: " .. text)
    end
    local ok, why = pcall(function()
      said("control socket " .. file "conf/ctl.sock")
      said "heard 127.0.0.1"
      policies.write(file "conf/second.lua", "return function(pool) pool:on('configReload', function(event) "
        .. "print('second', #event.changes) io.stdout:flush() end) end")
      policies.write(file "conf/pool.lua", CONFIG:format('handlers = "./second.lua", control = "ctl.sock", '
        .. 'policyPath = "policies", loadBalancing = { policy = "Mine" }'))
      said "second\t3"
      local text, status = sh(("'%s' ctl --control conf/ctl.sock policies"):format(MOONPOOL))
      assert.equal(0, status)
      assert.truthy(text:find("Mine", 1, true), text)
      policies.write(file "conf/pool.lua", CONFIG:format('handlers = "third.lua", control = "ctl.sock"'))
      said("handlers: " .. file "conf/third.lua" .. ": No such file or directory")
    end)
    os.execute(("kill $(cat '%s')"):format(file "pid"))
    if not ok then error(why, 0) end
  end)
end)

describe("a relative path in a program", function()
  it("belongs to the working folder at the time of the call", function()
    policies.write(file "app.lua", [[
      local ffi = require "ffi"
      ffi.cdef "int chdir(const char *path);"
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool {
        contactPoints = moonpool.embedded.contactPoints, localDataCenter = "datacenter1",
        handlers = "handlers.lua", policyPath = { "policies" }, loadBalancing = { policy = "Mine" },
        retry = { policy = arg[1] .. "/none.lua" },
      }
    ]])
    local said, status = sh(("'%s' run --embedded 1 ../app.lua ."):format(MOONPOOL), file "conf")
    assert.equal(1, status)
    assert.truthy(said:find(file "conf/none.lua" .. ": there is no such file", 1, true), said)
    policies.write(file "app.lua", [[
      local ffi = require "ffi"
      ffi.cdef "int chdir(const char *path);"
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool {
        contactPoints = moonpool.embedded.contactPoints, localDataCenter = "datacenter1",
        handlers = "handlers.lua", policyPath = { "policies" }, loadBalancing = { policy = "Mine" },
      }
      assert(ffi.C.chdir("/") == 0)
      assert(pool:connect())
      moonpool.sleep(20)
      assert(pool:reload())
      print(pool:policies().balance.name, pool:policies().balance.generation)
    ]])
    said, status = sh(("'%s' run --embedded 1 ../app.lua"):format(MOONPOOL), file "conf")
    assert.equal(0, status, said)
    assert.truthy(said:find("heard 127.0.0.1", 1, true), said)
    assert.truthy(said:find("Mine\t2", 1, true), said)
  end)
end)
