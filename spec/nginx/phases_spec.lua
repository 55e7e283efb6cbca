-- SPDX-License-Identifier: Apache-2.0
-- Where in nginx a pool can be used, and what is said where it cannot.
local moonpool = require "moonpool"
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"

local GET = [[local moonpool = require "resty.moonpool"
  local result = assert(assert(moonpool.pool()):execute("SELECT name FROM ks.users WHERE id = ?", { 7 }))]]

describe("in nginx, a pool", function()
  local world
  setup(function()
    nginx_world.run(function()
      world = nginx_world.start {
        locations = {
          ["/rows"] = [[
            local names = {}
            for row in pool:rows("SELECT name FROM ks.users", nil, { fetchSize = 30 }) do
              names[#names + 1] = row.name
            end
            ngx.print(#names)]],
          ["/async"] = [[
            local futures = {}
            for i = 1, 20 do futures[i] = pool:executeAsync("SELECT name FROM ks.users WHERE id = ?", { i }) end
            local results = assert(moonpool.all(futures))
            for i = 1, 20 do assert(results[i]:first().name == "name " .. i) end
            ngx.print(futures[20]:done())]],
          ["/prepare"] = [[
            local statement = assert(pool:prepare "SELECT name FROM ks.users WHERE id = ?")
            collectgarbage()
            ngx.print(assert(pool:execute(statement, { 8 })):first().name)]],
          ["/batch"] = [[
            local cql = "INSERT INTO ks.users (id, name) VALUES (?, ?)"
            assert(pool:batch { { cql, { 200, "one" } }, { cql, { 201, "two" } } })
            assert(pool:batch({ { "INSERT INTO ks.users (id, name) VALUES (202, 'three')" } }, { type = "unlogged" }))
            local names = {}
            for id = 200, 202 do
              names[#names + 1] = assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { id })):first().name
            end
            assert(pool:execute "DELETE FROM ks.users WHERE id IN (200, 201, 202)")
            ngx.print(table.concat(names, " "))]],
          ["/warmup"] = "ngx.print(type(assert(pool:warmup())))",
          ["/steer"] = [[
            local host = pool:getHosts()[1].address
            assert(pool:drain(host))
            local _, refused = pool:recoverConnection(host)
            assert(pool:resume(host))
            assert(pool:recoverConnection(host))
            local _, unknown = pool:addNode("127.0.0.77", { timeout = 10 })
            local _, nowhere = pool:switchDatacenter "nowhere"
            assert(pool:removeNode(host))
            assert(pool:addNode(host))
            ngx.print(refused.code, " ", unknown.code, " ", nowhere.code)]],
          ["/spawn"] = [[
            local future = moonpool.spawn(function()
              moonpool.sleep(1)
              return assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { 9 })):first().name
            end)
            ngx.print(future:wait())]],
          ["/threads"] = [[
            local threads = {}
            for i = 1, 20 do
              threads[i] = ngx.thread.spawn(function()
                return assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { i })):first().name
              end)
            end
            for i = 1, 20 do
              local ok, name = ngx.thread.wait(threads[i])
              assert(ok and name == "name " .. i, name)
            end
            ngx.print "all"]],
          ["/coroutine"] = [[
            local co = coroutine.create(function(n)
              local first = assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { n })):first().name
              local m = coroutine.yield(first)
              return assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { m })):first().name
            end)
            local _, first = assert(coroutine.resume(co, 3))
            local _, second = assert(coroutine.resume(co, 4))
            ngx.print(first, ", ", second)]],
          ["/subrequests"] = [[
            local one, two = ngx.location.capture_multi { { "/get?id=5" }, { "/get?id=6" } }
            ngx.print(one.body, ", ", two.body)]],
          ["/timer"] = [[
            ngx.timer.at(0, function()
              local result = assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { 10 }))
              ngx.shared.notes:set("timer", result:first().name)
            end)
            while not ngx.shared.notes:get "timer" do ngx.sleep(0.002) end
            ngx.print(ngx.shared.notes:get "timer")]],
          ["/error"] = [[
            local result, err = pool:execute "SELECT nothing FROM ks.nowhere"
            ngx.print(tostring(result), " ", err.code, " ", err.maybeApplied)]],
          ["/wrong"] = [[
            local ok, why = pcall(pool.execute, pool, "SELECT name FROM ks.users WHERE id = ?", 7)
            ngx.print(ok, " ", why)]],
          ["/gsub"] = [[
            local ok, why = pcall(function()
              return (string.gsub("x", "x", function()
                return assert(pool:execute("SELECT name FROM ks.users WHERE id = 1")):first().name
              end))
            end)
            ngx.print(ok, " ", why)]],
          ["/run"] = [[ngx.print(select(2, pcall(moonpool.run, function() end)))]],
          ["/values"] = [[ngx.print(moonpool.null == ngx.null, " ", #moonpool.uuid(), " ", moonpool.now() > 0)]],
          ["/connect"] = [[ngx.print(tostring(pool:connect()), " ", pool:getStats().requestsInFlight)]],
          ["/events"] = [[
            local seen
            local fn = function(host) pool:execute "SELECT key FROM system.local" seen = tostring(host) end
            pool:on("schemaChange", fn)
            assert(pool:execute("CREATE TABLE IF NOT EXISTS ks.t" .. ngx.now() * 1000 .. " (id int PRIMARY KEY)"))
            while not seen do moonpool.sleep(1) end
            pool:off("schemaChange", fn)
            ngx.print "seen"]],
          ["/unknown"] = [[ngx.print(select(2, pcall(moonpool.pool, "other")))]],
          ["/again"] = [[ngx.print(select(2, pcall(moonpool.init_worker, {})))]],
          ["/written"] = [[
            local row = assert(pool:execute "SELECT name FROM ks.users WHERE id = 300"):first()
            if row then assert(pool:execute "DELETE FROM ks.users WHERE id = 300") end
            ngx.print(row and row.name or "not yet")]],
          ["/noted"] = [[ngx.print(ngx.shared.notes:get(ngx.var.arg_key) or "nothing")]],
        },
        location = {
          ["/rewrite"] = "rewrite_by_lua_block { " .. GET .. " ngx.print(result:first().name) ngx.exit(200) }",
          ["/access"] = "access_by_lua_block { " .. GET .. " ngx.ctx.name = result:first().name } " ..
            "content_by_lua_block { ngx.print(ngx.ctx.name) }",
          ["/log"] = "log_by_lua_block { local ok, why = pcall(function() " .. GET ..
            " end) ngx.shared.notes:set('log', why) } content_by_lua_block { ngx.print 'logged' }",
          ["/write"] = "content_by_lua_block { ngx.print 'said' } log_by_lua_block { " ..
            "require('resty.moonpool').pool():executeAsync('INSERT INTO ks.users (id, name) VALUES (?, ?)', " ..
            "{ 300, 'behind' }) }",
          ["/header"] = "header_filter_by_lua_block { local ok, why = pcall(function() " .. GET ..
            " end) ngx.shared.notes:set('header', why) } content_by_lua_block { ngx.print 'filtered' }",
          ["/set"] = "set_by_lua_block $x { local ok, why = pcall(function() " .. GET ..
            " end) return why } content_by_lua_block { ngx.print(ngx.var.x) }",
        },
      }
    end)
  end)
  teardown(function() moonpool.run(function() world:close() end) end)

  local function says(path, expected)
    moonpool.run(function() assert.equal(expected, world.server:body(path)) end)
  end
  local function matches(path, pattern)
    moonpool.run(function() assert.matches(pattern, world.server:body(path)) end)
  end

  it("answers in the content phase", function() says("/get?id=42", "42 name 42") end)
  it("answers in the rewrite phase", function() says("/rewrite", "name 7") end)
  it("answers in the access phase", function() says("/access", "name 7") end)
  it("answers in timers", function() says("/timer", "name 10") end)
  it("answers in subrequests", function() says("/subrequests", "5 name 5, 6 name 6") end)
  it("answers in light threads, each its own", function() says("/threads", "all") end)
  it("answers in coroutines of the user's", function() says("/coroutine", "name 3, name 4") end)
  it("gives pages", function() says("/rows", "100") end)
  it("gives futures", function() says("/async", "true") end)
  it("prepares", function() says("/prepare", "name 8") end)
  it("sends batches", function() says("/batch", "one two three") end)
  it("warms up", function() says("/warmup", "table") end)
  it("waits for hosts and nodes", function()
    says("/steer", "INVALID_ARGUMENT NOT_FOUND NOT_FOUND")
  end)
  it("has coroutines of its own", function() says("/spawn", "name 9") end)
  it("has the values of moonpool", function() says("/values", "true 36 true") end)
  it("connects once", function() says("/connect", "true 0") end)
  it("hands out events to handlers that wait", function() says("/events", "seen") end)
  it("gives errors", function() says("/error", "nil INVALID false") end)
  it("raises what is wrong with arguments", function() matches("/wrong", "^false .*bad argument #2 to 'execute'") end)

  local refused = "this call waits, and nginx cannot wait in %s"
  it("refuses to wait in log_by_lua", function()
    says("/log", "logged")
    matches("/noted?key=log", refused:format "log_by_lua%*: begin it in ngx.timer.at")
  end)
  it("writes behind the answer in log_by_lua", function()
    says("/write", "said")
    moonpool.run(function()
      nginx.eventually("the row is there", function() return world.server:body "/written" == "behind" end)
    end)
  end)
  it("refuses to wait in filters", function()
    says("/header", "filtered")
    matches("/noted?key=header", refused:format "header_filter_by_lua%*")
  end)
  it("refuses to wait in set_by_lua", function() matches("/set", refused:format "set_by_lua%*") end)
  it("refuses to wait below a function of C", function()
    matches("/gsub", "^false .*Lua cannot wait inside of 'gsub' %(called at content_by_lua")
  end)
  it("refuses moonpool.run, which would hold up the worker", function()
    matches("/run", "would hold up the whole worker")
  end)
  it("names the pools that are there", function()
    matches("/unknown", "there is no pool 'other': there are default")
  end)
  it("is made once in a worker", function() matches("/again", "there is a pool 'default' already") end)
  it("leaves nothing behind", function() moonpool.run(function() world:rests() end) end)
end)
