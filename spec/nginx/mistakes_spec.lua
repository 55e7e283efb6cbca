-- SPDX-License-Identifier: Apache-2.0
-- What users of resty.moonpool do wrong, and what they are told: which pool, where it was done, and what to do instead.
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"

local POOL = [[--bare
  local ok, pool, err = pcall(require("resty.moonpool").pool, ngx.var.arg_name)
  ngx.print(ok and (pool and "there" or tostring(err)) or pool)]]

describe("a pool that a request closes", function()
  it("says to the others who did that, and can be made anew", function()
    nginx_world.with({ config = "", locations = {
      ["/close"] = "\n\nngx.print(tostring(pool:close()))",
      ["/pool"] = POOL,
      ["/refused"] = [[local ok, why = pcall(pool.close, pool, 5) ngx.print(why)]],
      ["/anew"] = [[--bare
        local moonpool = require "resty.moonpool"
        ngx.print(tostring(moonpool.init_worker(dofile(ngx.var.arg_file))))]],
    }, location = {
      ["/filter"] = "content_by_lua_block { ngx.print 'sent' } " ..
        "header_filter_by_lua_block { pcall(function() require('resty.moonpool').pool():close() end) }",
    } }, function(world)
      local server = world.server
      -- A close that is refused closes nothing.
      assert.matches("'close' takes no arguments", server:body "/refused")
      assert.equal("sent", server:body "/filter")
      assert.equal("there", server:body "/pool")
      assert.equal("true", server:body "/close")
      assert.matches("^CLOSED: the pool 'default' of this worker was closed at content_by_lua%(nginx.conf:%d+%):%d+" ..
        ", for all requests: they leave it open, or moonpool.init_worker makes it anew$", server:body "/pool")
      assert.equal(503, (server:get "/get?id=1"))
      local file = server.folder .. "/pool.lua"
      local out = assert(io.open(file, "w"))
      out:write("return ", nginx.config(world.cluster))
      out:close()
      assert.equal("true", server:body("/anew?file=" .. file))
      assert.equal("5 name 5", server:body "/get?id=5")
      assert.equal("there", server:body "/pool")
      world:rests()
    end)
  end)

  it("is told as closed while others wait for it to learn from other workers", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local server = nginx.start { locations = { ["/pool"] = POOL, ["/get"] = [[
          local pool = assert(require("resty.moonpool").pool())
          ngx.print(assert(pool:execute("SELECT name FROM ks.users WHERE id = 5")):first().name)]] },
        worker = ([[
          local workers, core = require "resty.moonpool.workers", require "moonpool.core_loader"
          workers.warm = function(_, pool) pool:close() end
          require("resty.moonpool").init_worker(%s)]]):format(nginx.config(cluster)) }
      assert.matches("^CLOSED: the pool 'default' of this worker was closed", server:body "/pool")
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)
end)

describe("what is wrong with init_worker's arguments", function()
  -- What the log and whoever asks for the pool are told; `worker` stands in one line of nginx.conf.
  local function told(worker, more)
    local said, log
    nginx_world.run(function()
      local given = { worker = worker, locations = { ["/pool"] = POOL } }
      for key, value in pairs(more or {}) do given[key] = value end
      local server = nginx.start(given)
      said, log = server:body("/pool?name=" .. (given.name or "")), server:log()
      server:stop()
    end)
    return said, log
  end

  it("is told with the caller's place, in the log and to whoever asks for the pool", function()
    local place = "init_worker_by_lua%(nginx.conf:%d+%):1: "
    for worker, why in pairs {
      ["require('resty.moonpool').init_worker '/nowhere/pool.lua'"] =
        place .. "configuration /nowhere/pool.lua: No such file or directory",
      ["require('resty.moonpool').init_worker { contactPoints = { '127.0.0.1' }, users = {} }"] =
        place .. "users: there is no such key",
      ["require('resty.moonpool').init_worker()"] = place .. "init_worker: a configuration expected",
      ["require('resty.moonpool').init_worker({}, { shared = 'nowhere' })"] =
        place .. "init_worker: there is no shared dictionary 'nowhere'",
      ["require('resty.moonpool').init_worker({}, 5)"] = place .. "bad argument #2 to 'init_worker'",
    } do
      local said, log = told(worker)
      assert.matches("^there is no pool in this worker: init_worker failed: " .. why, said)
      assert.matches("init_worker_by_lua error: " .. why, log)
    end
  end)

  it("names the pool among several, none of which is there then", function()
    local said, log = told("require('resty.moonpool').init_worker { users = { contactPoints = { '127.0.0.1' }, " ..
      "port = 9 }, events = 'nowhere.lua' }", { name = "users" })
    local why = "pool 'events': init_worker_by_lua%(nginx.conf:%d+%):1: configuration nowhere.lua: No such file"
    assert.matches("there is no pool in this worker: init_worker failed: " .. why, said)
    assert.matches("init_worker_by_lua error: " .. why, log)
  end)
end)

describe("a request with a Lua state of its own (lua_code_cache off)", function()
  it("is told that, whatever it asks for", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local server = nginx.start { http = "lua_code_cache off;",
        worker = ("require('resty.moonpool').init_worker(%s)"):format(nginx.config(cluster)),
        locations = { ["/said"] = [[
          local moonpool = require "resty.moonpool"
          for _, call in ipairs { "pool", "init_worker", "metrics", "sleep" } do
            ngx.say(call, ": ", (select(2, pcall(moonpool[call], call == "sleep" and 1 or nil))))
          end]] } }
      local said = server:body "/said"
      for _, call in ipairs { "pool", "init_worker", "metrics", "sleep" } do
        assert.matches(call .. ": [^\n]*moonpool serves another Lua state of this worker: it needs lua_code_cache on",
          said)
      end
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)
end)
