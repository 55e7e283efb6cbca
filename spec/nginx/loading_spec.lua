-- SPDX-License-Identifier: Apache-2.0
-- The two ways in which the library comes into nginx, the configuration and the log there, and what is said where it
-- does not fit.
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"
local policies = require "spec.support.policies"

local with = nginx_world.with

-- A copy of the library in which `from` has become `to`, of the same length, wherever it stands.
local function patched(from, to)
  assert(#from == #to)
  local file = assert(io.open(nginx.library, "rb"))
  local text = file:read "*a"
  file:close()
  local count
  text, count = text:gsub(from:gsub("%p", "%%%0"), to)
  assert(count > 0, "not found in the library: " .. from)
  local path = os.tmpname()
  file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

describe("the library", function()
  it("is loaded by Lua as well as by load_module", function()
    -- Its handle is collected: a library that were unloaded then would take the worker with it.
    local worker = [[
      local open = package.loadlib(os.getenv "MOONPOOL_LIB", "luaopen_moonpool_nginx")
      assert(open)
      pcall(require("ffi").load, os.getenv "MOONPOOL_LIB")
      collectgarbage() collectgarbage()
      require("resty.moonpool").init_worker(%s)]]
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local server = nginx.start { by = nginx.library, worker = worker:format(nginx.config(cluster)), workers = 2,
        locations = { ["/get"] = [[
          collectgarbage()
          local pool = assert(require("resty.moonpool").pool())
          ngx.print(assert(pool:execute("SELECT name FROM ks.users WHERE id = 5")):first().name)]] } }
      for _ = 1, 10 do assert.equal("name 5", server:body "/get") end
      for _ = 1, 3 do
        local workers = server:workers()
        server:signal "HUP"
        server:gone("the old workers' end", workers)
        assert.equal("name 5", server:body "/get")
      end
      assert.equal("", server:complaints())
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)

  it("is refused by nginx, and refuses itself where Lua loads it, when nginx was built otherwise", function()
    local signature = nginx.read(nginx.library):match "%d,%d,%d,[01]+"
    local other = signature:gsub("[01]$", function(last) return last == "0" and "1" or "0" end)
    local path = patched(signature, other)
    nginx_world.run(function()
      local server = nginx.start { by = path, init = "said = select(2, pcall(require, 'resty.moonpool'))",
        locations = { ["/said"] = "ngx.print(said)" } }
      assert.matches("moonpool was built for an nginx with other options %(signature " .. other ..
        ", this one has " .. signature .. "%): build it against the headers of this one", server:body "/said")
      server:stop()
      local library = nginx.library
      nginx.library = path
      local refused = nginx.prepare {}
      nginx.library = library
      local status, said = refused:run()
      assert.equal(1, status)
      assert.matches("is not binary compatible", said)
      policies.remove(refused.folder)
    end)
    os.remove(path)
  end)

  it("serves from where it was installed, however it comes in", function()
    local prefix = policies.folder()
    assert(os.execute(("cmake --install '%s' --prefix '%s' >/dev/null 2>&1"):format(MOONPOOL_BUILD_DIR, prefix)) == 0)
    local pipe = assert(io.popen("find '" .. prefix .. "' -name ngx_moonpool_module.so"))
    local library = pipe:read "*l"
    pipe:close()
    assert.matches("/nginx/modules/ngx_moonpool_module%.so$", library)
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      for _, by in ipairs { "module", library } do
        local server = nginx.start { by = by, library = library, lua = prefix .. "/share/moonpool/lua",
          worker = ("require('resty.moonpool').init_worker(%s)"):format(nginx.config(cluster,
            "loadBalancing = { policy = 'LeastLoadedPolicy' }")),
          locations = { ["/get"] = [[
            local pool = assert(require("resty.moonpool").pool())
            ngx.print(assert(pool:execute("SELECT name FROM ks.users WHERE id = 5")):first().name, " ",
              pool:policies().balance.file)]] } }
        assert.equal("name 5 " .. prefix .. "/share/moonpool/policies/balance/least_loaded.lua", server:body "/get")
        server:stop "QUIT"
      end
      nginx_world.close(cluster)
    end)
    policies.remove(prefix)
  end)

  it("is named where it is not found", function()
    nginx_world.run(function()
      local server = nginx.start { by = "/nowhere/ngx_moonpool_module.so",
        init = "said = select(2, pcall(require, 'resty.moonpool'))", locations = { ["/said"] = "ngx.print(said)" } }
      assert.matches("ngx_moonpool_module.so was not found %(MOONPOOL_LIB may name it%):\n  /nowhere/",
        server:body "/said")
      server:stop()
    end)
  end)
end)

describe("a worker's pools", function()
  local folder
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  it("come from files that are watched, with their policies and handlers, and log to nginx's log", function()
    policies.write(folder .. "/first.lua", [[return balance { name = "MineFirst", plan = function(plan)
      plan:hosts(localDc, inTurn) end }]])
    policies.write(folder .. "/handlers.lua", [[return function(pool)
      pool:on("policyReload", function(event)
        ngx.shared.notes:set("reloaded", event.name .. " " .. event.generation)
      end)
      pool:on("configReload", function(event) ngx.log(ngx.NOTICE, "handler saw ", event.changes[1].key) end)
    end]])
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local function config(level)
        return "return " .. nginx.config(cluster, ([[logging = { level = "%s" }, policyPath = { "%s" },
          loadBalancing = { policy = "first.lua" }, handlers = "handlers.lua" ]]):format(level, folder))
          :gsub("logging = { level = 'warn' }, ", "")
      end
      policies.write(folder .. "/pool.lua", config "info")
      local server = nginx.start {
        worker = ("require('resty.moonpool').init_worker { users = %q, other = %s }"):format(folder .. "/pool.lua",
          nginx.config(cluster)),
        locations = {
          ["/get"] = [[local moonpool = require "resty.moonpool"
            local pool, other = assert(moonpool.pool "users"), assert(moonpool.pool "other")
            assert(other ~= pool)
            ngx.print(assert(pool:execute("SELECT name FROM ks.users WHERE id = 5")):first().name, " ",
              pool:policies().balance.name)]],
          ["/noted"] = "ngx.print(ngx.shared.notes:get 'reloaded')",
          ["/reload"] = "ngx.print(tostring(require('resty.moonpool').pool('users'):reload()))",
        },
      }
      assert.equal("name 5 MineFirst", server:body "/get")
      assert.matches("%[info%] [^\n]*moonpool: connected: 2 hosts known", server:log())
      policies.write(folder .. "/first.lua", [[return balance { name = "MineNow", plan = function(plan)
        plan:hosts(localDc, shuffled) end }]])
      nginx.eventually("the policy is reloaded", function() return server:body "/noted" == "MineNow 2" end)
      assert.equal("name 5 MineNow", server:body "/get")
      policies.write(folder .. "/pool.lua", config "warn")
      nginx.eventually("the configuration is reloaded", function()
        return server:log():find "%[notice%] [^\n]*handler saw logging.level"
      end)
      assert.equal("true", server:body "/reload")
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)

  it("are nil and an error without memory for one of them, and there when it is back", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local server = nginx.start { worker = ([[
          local core, resty, given = require "moonpool.core_loader", require "resty.moonpool", %s
          local start, count = core.start, 0
          said = {}
          for nth = 1, 9 do
            count = 0
            core.start = function(...)
              count = count + 1
              if count == nth then error(core.noMemory, 0) end
              return start(...)
            end
            local ok, err = resty.init_worker(given, { shared = "notes" })
            said[nth] = ok and "there" or err.code
            if ok then break end
          end
          core.start = function(fn, ...) -- what comes next is to learn from other workers
            core.start = start
            error(core.noMemory, 0)
          end]]):format(nginx.config(cluster)),
        locations = { ["/said"] = "ngx.print(table.concat(said, ', '))", ["/get"] = [[
          local pool = assert(require("resty.moonpool").pool())
          ngx.print(assert(pool:execute("SELECT name FROM ks.users WHERE id = 5")):first().name)]] } }
      assert.matches("^NO_MEMORY, [NO_MEMORY, ]*there$", server:body "/said")
      nginx.eventually("the pool is there", function() return server:body "/get" == "name 5" end)
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)

  it("say what is wrong with a configuration, and the worker goes on", function()
    nginx_world.run(function()
      local server = nginx.start { worker = "require('resty.moonpool').init_worker { port = 'x' }",
        locations = { ["/ping"] = "ngx.print 'pong'",
          ["/get"] = "ngx.print(select(2, pcall(require('resty.moonpool').pool)))" } }
      assert.equal("pong", server:body "/ping")
      assert.matches("init_worker_by_lua error: [^\n]*port", server:log())
      assert.matches("there is no pool in this worker: init_worker failed: [^\n]*port: got", server:body "/get")
      server:stop()
    end)
  end)

  it("answer with an error while the cluster cannot be reached, and connect when it can", function()
    with({ unconnected = true }, function(world)
      world.server:body "/get?id=1"
      for node = 1, 2 do world.cluster:kill(node) end
      local workers = world.server:workers()
      world.server:signal "HUP"
      world.server:gone("the old worker's end", workers)
      local status, body = world.server:get "/get?id=1"
      assert.equal(503, status)
      assert.matches("no host", body:lower())
      for node = 1, 2 do world.cluster:start(node) end
      nginx.eventually("the pool connects", function() return world.server:get "/get?id=1" == 200 end)
    end)
  end)

  it("are not connected once more by each request of a cluster that cannot be reached", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      for node = 1, 2 do cluster:kill(node) end
      -- The second of which they tell what the last attempt said does not pass.
      local server = nginx.start { worker = ([[
          local core = require "moonpool.core_loader"
          local now = core.now
          core.now = function() return 1000 end
          function go_on() core.now = now end
          require("resty.moonpool").init_worker(%s)]]):format(nginx.config(cluster)),
        locations = { ["/on"] = "go_on()", ["/get"] = [[
          local pool, err = require("resty.moonpool").pool()
          if not pool then ngx.status = 503 return ngx.print(tostring(err)) end
          ngx.print(assert(pool:execute("SELECT name FROM ks.users WHERE id = 5")):first().name)]] } }
      for _ = 1, 50 do
        local status, body = server:get "/get"
        assert.equal(503, status)
        assert.matches("NO_HOST_AVAILABLE", body)
      end
      local _, count = server:log():gsub("connect failed", "")
      assert.equal(1, count)
      for node = 1, 2 do cluster:start(node) end
      server:body "/on"
      nginx.eventually("the pool connects", function() return select(2, server:get "/get") == "name 5" end)
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)
end)
