-- SPDX-License-Identifier: Apache-2.0
-- Coroutines that nginx ends while they wait: whose client has gone, or by ngx.thread.kill, before the answer and
-- between the answer and their turn. Nothing of them is left, and nobody gets what was theirs.
local moonpool = require "moonpool"
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"

describe("a coroutine that is killed while it waits", function()
  local world
  setup(function()
    nginx_world.run(function()
      world = nginx_world.start {
        http = "lua_check_client_abort on;",
        locations = {
          ["/slow"] = [[
            ngx.shared.notes:incr("asked", 1, 0)
            pool:execute("SELECT name FROM ks.users WHERE id = ?", { id })
            ngx.shared.notes:incr("answered", 1, 0)
            ngx.print "answered"]],
          -- Many are answered in one turn; when the first has gone on the others are killed.
          ["/both"] = [[
            local function one() pool:execute("SELECT name FROM ks.users WHERE id = ?", { 1 }) end
            for _ = 1, 50 do
              local threads = {}
              for i = 1, 5 do threads[i] = ngx.thread.spawn(one) end
              ngx.thread.wait(unpack(threads))
              for i = 1, 5 do ngx.thread.kill(threads[i]) end
            end
            moonpool.sleep(20)
            local counts = moonpool.counts()
            ngx.print(counts.reaped, " ", counts.answered, " ", counts.seats)]],
          ["/early"] = [[
            for i = 1, 50 do
              local thread = ngx.thread.spawn(function()
                pool:execute("SELECT name FROM ks.users WHERE id = ?", { i })
              end)
              ngx.thread.kill(thread)
            end
            local sleeper = ngx.thread.spawn(moonpool.sleep, 50)
            ngx.thread.kill(sleeper)
            ngx.print(assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { 77 })):first().name)]],
          ["/sleepers"] = [[
            local threads = {}
            for i = 1, 100 do threads[i] = ngx.thread.spawn(moonpool.sleep, 3600000) end
            for i = 1, 100 do ngx.thread.kill(threads[i]) end
            ngx.print(moonpool.counts().seats)]],
          -- Many at a time, so that the seats and bells of those that were killed are used again.
          ["/check"] = [[
            local threads = {}
            for i = 0, 99 do
              threads[i] = ngx.thread.spawn(function()
                return assert(pool:execute("SELECT id, name FROM ks.users WHERE id = ?", { i })):first()
              end)
            end
            for i = 0, 99 do
              local ok, row = ngx.thread.wait(threads[i])
              assert(ok and row.id == i and row.name == "name " .. i, tostring(row))
            end
            ngx.print "right"]],
          ["/cancel"] = [[
            local future = pool:executeAsync("SELECT name FROM ks.users WHERE id = ?", { id })
            assert(ngx.on_abort(function()
              ngx.shared.notes:incr(future:cancel() and select(2, future:wait()).code or "late", 1, 0)
              ngx.exit(499)
            end))
            ngx.shared.notes:incr("begun", 1, 0)
            future:wait()]],
          ["/noted"] = "ngx.print(ngx.shared.notes:get(ngx.var.arg_key) or 0)",
        },
      }
    end)
  end)
  teardown(function() moonpool.run(function() world:close() end) end)
  local function rests_and_is_right()
    world:rests()
    assert.equal("right", world.server:body "/check")
  end

  it("N3 may have its request cancelled by its client's going", function()
    moonpool.run(function()
      local rule = world.cluster:rule { opcode = "EXECUTE", statement = "ks.users", delay = 200 }
      local calls = {}
      for i = 1, 5 do calls[i] = world.server:begin("/cancel?id=" .. i) end
      while tonumber(world.server:body "/noted?key=begun") < 5 do moonpool.sleep(1) end
      for i = 1, 5 do calls[i]:abort() end
      local function noted(key) return tonumber(world.server:body("/noted?key=" .. key)) end
      while noted "CANCELLED" + noted "late" < 5 do moonpool.sleep(1) end -- of any worker
      rule:remove()
      rests_and_is_right()
    end)
  end)

  it("N3 leaves no seat behind when its client goes", function()
    moonpool.run(function()
      local rule = world.cluster:rule { opcode = "EXECUTE", statement = "ks.users", delay = 100 }
      for round = 1, 3 do
        local calls = {}
        for i = 1, 10 do calls[i] = world.server:begin("/slow?id=" .. i) end
        while tonumber(world.server:body "/noted?key=asked") < 10 * round do moonpool.sleep(1) end
        for i = 1, 10 do calls[i]:abort() end
      end
      rule:remove()
      world:rests()
      assert.equal("0", world.server:body "/noted?key=answered")
      rests_and_is_right()
    end)
  end)

  it("N3 gives its seat to others when it is killed while it sleeps", function()
    moonpool.run(function()
      local seats = {}
      for round = 1, 4 do seats[round] = tonumber(world.server:body "/sleepers") end
      -- 100 in each round: those of the second find the seats of the first.
      assert.is_true(seats[4] - seats[1] < 50, table.concat(seats, " "))
      assert.equal("right", world.server:body "/check")
    end)
  end)

  it("N3 leaves no seat behind when it is killed before the answer", function()
    moonpool.run(function()
      assert.equal("name 77", world.server:body "/early")
      rests_and_is_right()
    end)
  end)

  it("N3 leaves no seat behind when it is killed between the answer and its turn", function()
    moonpool.run(function()
      local seats = {}
      for round = 1, 4 do
        local reaped, answered, count = world.server:body("/both"):match "(%d+) (%d+) (%d+)"
        assert.is_true(tonumber(reaped) >= round, "none was killed at that moment")
        assert.equal("0", answered)
        seats[round] = count
      end
      assert.equal(seats[1], seats[4])
      rests_and_is_right()
    end)
  end)
end)

-- lua-nginx-module gives the stack of a coroutine that it has killed to the next one, and functions that it made would
-- see that one's values: not with this directive.
describe("what a request has spawned that is killed", function()
  it("keeps its values with lua_thread_cache_max_entries 0", function()
    nginx_world.with({ http = "lua_check_client_abort on; lua_thread_cache_max_entries 0;", locations = {
      ["/spawn"] = [[
        local mine, other = "mine " .. id, "other"
        moonpool.spawn(function()
          while not ngx.shared.notes:get "go" do moonpool.sleep(1) end
          ngx.shared.notes:incr(mine == "mine " .. id and other == "other" and "right" or "wrong", 1, 0)
        end)
        ngx.shared.notes:incr("spawned", 1, 0)
        moonpool.sleep(3600000)]],
      ["/others"] = "local a, b, c = 1, 2, 3 ngx.sleep(0) ngx.print(a, b, c)",
      ["/go"] = "ngx.shared.notes:set('go', true)",
      ["/noted"] = "ngx.print(ngx.shared.notes:get(ngx.var.arg_key) or 0)",
    } }, function(world)
      local function noted(key) return tonumber(world.server:body("/noted?key=" .. key)) end
      for i = 1, 20 do
        local call = world.server:begin("/spawn?id=" .. i)
        nginx.eventually("it has spawned", function() return noted "spawned" == i end)
        call:abort()
        nginx.eventually("it is killed", function()
          return select(2, world.server:log():gsub("client prematurely closed connection", "")) == i
        end)
        for _ = 1, 3 do assert.equal("123", world.server:body "/others") end
      end
      world.server:body "/go"
      nginx.eventually("all have ended", function() return noted "right" + noted "wrong" == 20 end)
      assert.equal(20, noted "right")
    end)
  end)
end)
