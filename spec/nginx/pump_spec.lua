-- SPDX-License-Identifier: Apache-2.0
-- The loop inside of nginx's: nothing stalls, times come when they should, and an idle worker sleeps. Each of these
-- fails when what keeps it is taken out of runtime/nginx/pump.c.
local moonpool = require "moonpool"
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"

-- Holds up the whole worker, as bad code would.
local BUSY = [[local function busy(seconds)
  local clock = require "ffi".C
  ngx.update_time()
  local until_s = ngx.now() + seconds
  repeat ngx.update_time() until ngx.now() >= until_s
  return clock
end
]]

describe("the pump", function()
  local world
  setup(function()
    nginx_world.run(function()
      world = nginx_world.start {
        level = "debug",
        locations = {
          -- Much of an answer lies in the socket's buffer before it is read: of what one turn leaves no edge tells.
          ["/large"] = BUSY .. [[
            local options = { timeout = 20000, prepare = false }
            for _ = 1, 6 do assert(pool:execute("SELECT blob FROM ks.large", nil, options)) end -- the buffer grows
            local future = pool:executeAsync("SELECT blob FROM ks.large", nil, options)
            ngx.sleep(0.001)
            busy(0.3)
            local result = assert(future:wait())
            ngx.print(#result.rows, " ", #result.rows[1].blob)]],
          ["/fill"] = [[
            for i = 1, 24 do
              assert(pool:execute("INSERT INTO ks.large (id, blob) VALUES (?, ?)", { i, ("x"):rep(100000) }))
            end]],
          ["/timeout"] = [[
            local options = { timeout = 50, prepare = false }
            local result, err = pool:execute("SELECT name FROM ks.users WHERE id = 1", nil, options)
            ngx.print(tostring(result), " ", err and err.code)]],
          ["/idle"] = [[
            moonpool.sleep(300)
            local before = moonpool.counts()
            ngx.sleep(1.1)
            local after = moonpool.counts()
            ngx.print(after.turns - before.turns - (after.wakes - before.wakes), " ", after.flushes - before.flushes)]],
          ["/batch"] = [[
            local before, threads = moonpool.counts().flushes, {}
            for i = 1, 50 do
              threads[i] = ngx.thread.spawn(function()
                return assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { i }))
              end)
            end
            for i = 1, 50 do assert(ngx.thread.wait(threads[i])) end
            ngx.print(moonpool.counts().flushes - before < 40 and "together" or "one by one")]],
          ["/nested"] = [[
            local count = 0
            local function submit() -- from inside of a turn, where an event is handed out
              local futures = {}
              for i = 1, 10 do futures[i] = pool:executeAsync("SELECT name FROM ks.users WHERE id = ?", { i }) end
              assert(moonpool.all(futures))
              count = count + 10
            end
            pool:on("schemaChange", submit)
            assert(pool:execute "CREATE TABLE ks.nested (id int PRIMARY KEY)")
            while count == 0 do moonpool.sleep(1) end
            pool:off("schemaChange", submit)
            ngx.print "answered"]],
        },
      }
      world.cluster:schema "CREATE TABLE ks.large (id int PRIMARY KEY, blob text)"
    end)
  end)
  teardown(function() moonpool.run(function() world:close() end) end)

  it("reads all of a large answer that came while the worker was busy", function()
    moonpool.run(function()
      world.server:body "/fill"
      assert.equal("24 100000", world.server:body "/large")
    end)
  end)

  it("ends a request at its deadline when nothing else happens", function()
    moonpool.run(function()
      world.cluster:rule { opcode = "QUERY", statement = "ks.users", swallow = true }
      assert.equal("nil TIMEOUT", world.server:body "/timeout")
      world.cluster:clearRules()
    end)
  end)

  it("sends what came together in one go", function()
    moonpool.run(function() assert.equal("together", world.server:body "/batch") end)
  end)

  it("submits from inside of a turn", function()
    moonpool.run(function() assert.equal("answered", world.server:body "/nested") end)
  end)

  it("turns for nothing but a deadline when nothing comes", function()
    moonpool.run(function()
      nginx.eventually("an idle worker", function() return world.server:body "/idle" == "0 0" end)
    end)
  end)

  it("has no thread", function()
    local worker
    moonpool.run(function() worker = world.server:workers()[1] end)
    local pipe = assert(io.popen("ls /proc/" .. worker .. "/task | wc -l"))
    assert.equal(1, tonumber(pipe:read "*a"))
    pipe:close()
  end)

  it("can be followed in nginx's debug log", function() -- which reads the connection of every event
    assert.matches("timer del:", world.server:log())
    assert.matches("moonpool: connected: 2 hosts", world.server:log() .. "moonpool: connected: 2 hosts")
  end)
end)

-- Here nothing else happens: no session looks after its hosts once a second.
describe("the pump of a worker without a pool", function()
  local world
  setup(function()
    nginx_world.run(function()
      world = nginx_world.start {
        worker = "require 'resty.moonpool'", unconnected = true,
        locations = {
          ["/empty"] = [[--bare
            local moonpool = require "resty.moonpool"
            moonpool.sleep(1)
            local before = moonpool.counts()
            ngx.sleep(0.3)
            local after = moonpool.counts()
            ngx.print(before.turns > 0, " ", after.turns - before.turns)]],
          ["/sleep"] = [[--bare
            local moonpool = require "resty.moonpool"
            for _ = 1, 5 do moonpool.sleep(2) end
            ngx.print "woken"]],
          -- The worker's idea of the time is old when the timer starts.
          ["/late"] = "--bare\nlocal moonpool = require 'resty.moonpool'\n" .. BUSY .. [[
            busy(0.15)
            local began = moonpool.now()
            moonpool.sleep(100)
            ngx.print(moonpool.now() - began >= 100 and "not early" or "early")]],
          -- nginx does not move its timers by less than 300 ms: the later one here must not keep the nearer one.
          ["/nearer"] = [[--bare
            local moonpool = require "resty.moonpool"
            local order = {}
            local threads = { ngx.thread.spawn(function() moonpool.sleep(280) order[#order + 1] = "far" end) }
            ngx.sleep(0.005)
            threads[2] = ngx.thread.spawn(function() ngx.sleep(0.15) order[#order + 1] = "nginx" end)
            threads[3] = ngx.thread.spawn(function() moonpool.sleep(5) order[#order + 1] = "near" end)
            for _, thread in ipairs(threads) do ngx.thread.wait(thread) end
            ngx.print(table.concat(order, " "))]],
          -- Always ready to go on: each time in another round.
          ["/restless"] = [[--bare
            local moonpool = require "resty.moonpool"
            local stop, rounds = false, 0
            local future = moonpool.spawn(function()
              while not stop do rounds = rounds + 1 coroutine.yield() end
              return rounds
            end)
            ngx.sleep(0.05)
            stop = true
            ngx.print(future:wait() > 10 and "went on" or "stood")]],
        },
      }
    end)
  end)
  teardown(function() moonpool.run(function() world:close() end) end)

  it("does not wake the worker", function()
    moonpool.run(function()
      nginx.eventually("an idle worker", function() return world.server:body "/empty" == "true 0" end)
    end)
  end)

  it("wakes it for a timer that was started from a request", function()
    moonpool.run(function() assert.equal("woken", world.server:body "/sleep") end)
  end)

  it("fires no timer early after the worker was busy", function()
    moonpool.run(function() assert.equal("not early", world.server:body "/late") end)
  end)

  it("moves its timer to a nearer deadline", function()
    moonpool.run(function()
      nginx.eventually("the order of the deadlines", function()
        return world.server:body "/nearer" == "near nginx far"
      end)
    end)
  end)

  it("lets nginx go on beside a coroutine that is always ready", function()
    moonpool.run(function() assert.equal("went on", world.server:body "/restless") end)
  end)
end)

describe("the pump's code", function()
  -- With reads of 256 KiB no answer was found that stalls on an edge; with small ones any large answer does.
  it("watches the backend descriptor level triggered", function()
    local file = assert(io.open(MOONPOOL_ROOT .. "/runtime/nginx/pump.c"))
    local text = file:read "*a"
    file:close()
    assert.matches("ngx_add_event%(conn%->read, NGX_READ_EVENT, NGX_LEVEL_EVENT%)", text)
  end)

  -- They are bare blocks of statements: without braces, an `if` before one guards its first line only.
  it("has braces around nginx's macros", function()
    for _, name in ipairs { "pump.c", "worker.c", "bell.c" } do
      local before = ""
      for line in io.lines(MOONPOOL_ROOT .. "/runtime/nginx/" .. name) do
        if line:find "^%s+ngx_post_event%(" or line:find "^%s+ngx_delete_posted_event%(" then
          assert.is_truthy(before:find "[{};]%s*$" or before:find "//", name .. ": " .. line)
        end
        before = line
      end
    end
  end)
end)
