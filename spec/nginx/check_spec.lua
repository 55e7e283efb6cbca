-- SPDX-License-Identifier: Apache-2.0
-- moonpool.check in init_by_lua*: nginx does not start with a configuration whose workers would have no pool, and a
-- reload with one is refused, so that the old workers go on.
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"
local policies = require "spec.support.policies"

describe("a configuration that is checked in the master", function()
  local folder
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  local function write(name, text)
    policies.write(folder .. "/" .. name, text)
    return folder .. "/" .. name
  end

  it("is refused at the start and at a reload, whatever of it is broken; the old workers go on", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local mine = [[return balance { name = "Mine", plan = function(plan) plan:hosts(localDc, inTurn) end }]]
      write("mine.lua", mine)
      local good = "return " .. nginx.config(cluster, ([[policyPath = { "%s" }, loadBalancing = { policy = "mine.lua" },
        handlers = "%s", playbooks = { "%s" } ]]):format(folder, write("handlers.lua", "return function(pool) end"),
        write("book.lua", [[return playbook { name = "Book", when = { every = "1h" }, coolDown = "1h",
          atMost = { 1, per = "1h" }, run = function() end }]])))
      local path = write("pool.lua", good)
      local server = nginx.start { workers = 2, init = ("require('resty.moonpool').check %q"):format(path),
        worker = ("require('resty.moonpool').init_worker %q"):format(path),
        locations = { ["/get"] = [[
          local pool = assert(require("resty.moonpool").pool())
          ngx.print(ngx.worker.pid(), " ", assert(pool:execute "SELECT name FROM ks.users WHERE id = 5"):first().name)
          ]] } }
      assert.matches("^%d+ name 5$", server:body "/get")
      assert.is_nil(nginx.descriptors(server:pid())["anon_inode:[eventpoll]"])
      local open = nginx.descriptors(server:pid())
      local old, refused = server:workers(), 0
      local function is_refused(file, text, why)
        local before = nginx.read(folder .. "/" .. file)
        write(file, text)
        server:signal "HUP"
        refused = refused + 1
        nginx.eventually("it is refused: " .. why, function()
          return select(2, server:log():gsub("init_by_lua error: ", "")) == refused
        end)
        assert.matches("init_by_lua error: [^\n]*" .. why .. "[^\n]*\n", server:log():match ".*(init_by_lua error.*)$")
        assert.same(old, server:workers())
        assert.matches("^%d+ name 5$", server:body "/get")
        write(file, before)
      end
      is_refused("pool.lua", "return {", "pool.lua:1: unexpected symbol")
      is_refused("pool.lua", good:gsub("port = %d+", "port = 'x'"), "pool.lua:1: port: got \"x\"")
      is_refused("mine.lua", "return balance {", "mine.lua:1: unexpected symbol")
      is_refused("mine.lua", mine:gsub("inTurn", "inTern"), "inTern")
      is_refused("handlers.lua", "return function(", "handlers.lua:1:")
      is_refused("book.lua", "return playbook { name = 'Book' }", "book.lua:1: ")
      assert.same(open, nginx.descriptors(server:pid()))
      server:signal "HUP"
      server:gone("the old workers' end", old)
      assert.matches("^%d+ name 5$", server:body "/get")
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)

  it("names the one of several that is wrong, and the caller's place", function()
    nginx_world.run(function()
      local server = nginx.prepare { init =
        "require('resty.moonpool').check { users = { contactPoints = { '127.0.0.1' } }, events = 'nowhere.lua' }" }
      local status, said = server:run()
      assert.equal(1, status)
      assert.matches("init_by_lua error: pool 'events': init_by_lua%(nginx.conf:%d+%):1: configuration nowhere.lua: " ..
        "No such file", said .. server:log())
      policies.remove(server.folder)
    end)
  end)

  it("leaves nothing for another user, who shall write it", function()
    nginx_world.run(function()
      local server = nginx.start { init = ("require('resty.moonpool').check { decisionLog = { file = %q } }"):format(
        folder .. "/decisions") }
      assert.is_nil(io.open(folder .. "/decisions"))
      server:stop()
    end)
  end)
end)
