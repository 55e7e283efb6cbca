-- SPDX-License-Identifier: Apache-2.0
-- Workers come and go under load: reload, a worker killed, QUIT and TERM with requests in flight, another binary, a
-- master that must have no pool. No answer is wrong, no request is lost but those of a worker that was killed, nothing
-- stays open, at the nodes neither. A few reloads by default; MOONPOOL_HUPS=10000 in the environment makes it a soak.
local http = require "spec.nginx.support.http"
local moonpool = require "moonpool"
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"

local HUPS = tonumber(os.getenv "MOONPOOL_HUPS") or 12
local EACH = 40 -- requests for one reload

local function expected(i) return (i % 100) .. " name " .. (i % 100) end
local function path(i) return "/get?id=" .. (i % 100) end

-- Runs the requests; counts what was lost and what was wrong.
local function load(world, count, width, each)
  local lost, wrong = 0, 0
  http.load(world.server.port, count, width, path, function(i, status, body)
    if status ~= 200 then lost = lost + 1 elseif body ~= expected(i) then wrong = wrong + 1 end
    if each then each(i, status) end
  end)
  return lost, wrong
end

local with = nginx_world.with

describe("workers of nginx", function()
  it("N1 are replaced under load without a lost request or a wrong answer", function()
    with({ workers = 2 }, function(world)
      local hups = 0
      local lost, wrong = load(world, HUPS * EACH, 8, function(i)
        if i % EACH ~= 0 or hups == HUPS then return end
        hups = hups + 1
        world.server:signal "HUP"
      end)
      assert.equal("0 lost, 0 wrong", ("%d lost, %d wrong"):format(lost, wrong))
      assert.equal(HUPS, hups)
      -- The old ones are gone, with their connections: what is left are two workers, each with a control connection
      -- and one to each node.
      nginx.eventually("two workers are left", function() return #world.server:workers() == 2 end)
      nginx.eventually("their connections are left", function() return world:connections() == 6 end)
      world:rests()
      assert.equal("", world.server:complaints())
    end)
  end)

  it("N2 lose their own requests only when they are killed", function()
    with({ workers = 2, config = "" }, function(world)
      local lost_before, killed = 0, nil
      local lost, wrong = load(world, 200, 8, function(i, status)
        if i == 60 then
          killed = world.server:workers()[1]
          world.server:signal("KILL", killed)
        end
        if not killed and status ~= 200 then lost_before = lost_before + 1 end
      end)
      assert.equal(0, wrong)
      assert.equal(0, lost_before)
      assert.is_true(lost <= 8, lost .. " of at most 8 requests at a time were lost")
      nginx.eventually("another worker", function() return #world.server:workers() == 2 end)
      nginx.eventually("the connections of two workers", function() return world:connections() == 6 end)
      assert.equal("0 lost, 0 wrong", ("%d lost, %d wrong"):format(load(world, 50, 8)))
      -- nginx itself tells of the killed worker, and of nothing else.
      assert.matches("^[^\n]*exited on signal 9[^\n]*$", world.server:complaints())
      world.server.expected = true
    end)
  end)

  local function in_flight(world, count)
    local rule = world.cluster:rule { opcode = "EXECUTE", statement = "ks.users", delay = 150 }
    local calls = {}
    for i = 1, count do calls[i] = world.server:begin(path(i)) end
    nginx.eventually("the nodes have all requests", function() return rule:hits() == count end)
    return calls
  end

  it("N7 answer what is in flight at QUIT, and go", function()
    with({}, function(world)
      local calls, worker = in_flight(world, 5), world.server:workers()
      world.server:signal "QUIT"
      for i, call in ipairs(calls) do
        local status, body = call:finish()
        assert.equal(200, status)
        assert.equal(expected(i), body)
      end
      world.server:gone("the worker's end", worker)
    end)
  end)

  it("finish at QUIT what a handler has begun and nobody waits for", function()
    with({ locations = { ["/begin"] = [[
      pool:executeAsync("INSERT INTO ks.users (id, name) VALUES (?, ?)", { 1000, "later" })
      ngx.print "begun"]] } }, function(world)
      local rule = world.cluster:rule { opcode = "PREPARE", statement = "INSERT", delay = 150 }
      assert.equal("begun", world.server:body "/begin")
      nginx.eventually("the node is asked", function() return rule:hits() == 1 end)
      local worker = world.server:workers()
      world.server:signal "QUIT"
      world.server:gone("the worker's end", worker)
      local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = world.cluster.port,
        logging = { level = "off" } }
      assert(pool:connect())
      local row = assert(pool:execute "SELECT name FROM ks.users WHERE id = 1000"):first()
      pool:close()
      assert.equal("later", row and row.name)
    end)
  end)

  it("do not wait at QUIT for what was killed, but for what sleeps", function()
    with({ locations = {
      ["/killed"] = [[
        local thread = ngx.thread.spawn(moonpool.sleep, 3600000)
        ngx.thread.kill(thread)
        ngx.print "killed"]],
      ["/sleep"] = "ngx.shared.notes:set('asleep', 1) moonpool.sleep(150) ngx.print 'slept'",
      ["/asleep"] = "ngx.print(ngx.shared.notes:get 'asleep' or 0)",
    } }, function(world)
      assert.equal("killed", world.server:body "/killed")
      local call, worker = world.server:begin "/sleep", world.server:workers()
      nginx.eventually("it sleeps", function() return world.server:body "/asleep" == "1" end)
      world.server:signal "QUIT"
      assert.equal(200, (call:finish()))
      world.server:gone("the worker's end", worker)
    end)
  end)

  it("N7 go at TERM, whatever is in flight", function()
    with({}, function(world)
      local calls, worker = in_flight(world, 5), world.server:workers()
      world.server:signal "TERM"
      world.server:gone("the worker's end", worker)
      for _, call in ipairs(calls) do assert.is_nil((call:finish())) end
      assert.matches("%[warn%] [^\n]*moonpool: the worker ends: 5 requests in flight are dropped, and what was sent " ..
        "may be applied", world.server:log())
    end)
  end)

  -- Behind exit_worker_by_lua* nothing turns the loop any more.
  it("finish what timers do that nginx ends early, and say what is begun too late", function()
    with({ http = [[exit_worker_by_lua_block {
        local pool = require("resty.moonpool").pool()
        local _, why = pcall(pool.execute, pool, "SELECT name FROM ks.users WHERE id = 1")
        ngx.log(ngx.WARN, "at the exit: ", why)
        pool:executeAsync("INSERT INTO ks.users (id, name) VALUES (1001, 'too late')", nil, { prepare = false })
      }]], locations = { ["/timer"] = [[
        ngx.timer.at(3600, function(premature)
          local result = assert(pool:execute("SELECT name FROM ks.users WHERE id = 3"))
          ngx.log(ngx.WARN, "in the timer: ", premature, " ", result:first().name)
        end)
        ngx.print "begun"]] } }, function(world)
      assert.equal("begun", world.server:body "/timer")
      local worker = world.server:workers()
      world.server:signal "QUIT"
      world.server:gone("the worker's end", worker)
      local log = world.server:log()
      assert.matches("in the timer: true name 3", log)
      assert.matches("at the exit: [^\n]*this call waits, and nginx cannot wait in exit_worker_by_lua%*", log)
      assert.matches("moonpool: the worker ends: 1 request in flight is dropped", log)
    end)
  end)

  it("say nothing of requests when none is in flight", function()
    with({}, function(world)
      local worker = world.server:workers()
      world.server:signal "TERM"
      world.server:gone("the worker's end", worker)
      assert.is_nil(world.server:log():find "the worker ends")
    end)
  end)

  it("go after worker_shutdown_timeout, whatever is in flight", function()
    with({ shutdown = "100ms", config = "" }, function(world)
      world.cluster:rule { opcode = "EXECUTE", statement = "ks.users", swallow = true } -- for the request's 12 s
      local call, worker = world.server:begin "/get?id=1", world.server:workers()
      nginx.eventually("the worker waits", function() return world:count "waiting" == 1 end)
      local began = moonpool.now()
      world.server:signal "HUP"
      world.server:gone("the old worker's end", worker)
      assert.is_true(moonpool.now() - began < 10000, "it waited for the request's deadline")
      assert.is_not.equal(200, (call:finish()))
      world.cluster:clearRules()
    end)
  end)

  it("N6 give way to those of another binary", function()
    with({ workers = 1 }, function(world)
      local old = world.server:pid()
      local olds = world.server:workers()
      local new
      local lost, wrong = load(world, 120, 4, function(i)
        if i == 20 then world.server:signal("USR2", old) end
        if i == 60 then
          new = nginx.eventually("another master", function()
            local pid = world.server:pid()
            return pid and pid ~= old and pid
          end)
          nginx.eventually("its worker", function() return #world.server:workers() == 1 end)
          world.server:signal("WINCH", old)
        end
      end)
      world.server:gone("the old workers' end", olds)
      world.server:signal("QUIT", old)
      world.server:gone("the old master's end", { old })
      assert.equal("0 lost, 0 wrong", ("%d lost, %d wrong"):format(lost, wrong))
      assert.equal(new, world.server:pid())
      nginx.eventually("the connections of one worker", function() return world:connections() == 3 end)
    end)
  end)
end)

describe("the master of nginx", function()
  local INIT = [[
    local moonpool = require "resty.moonpool"
    said = { select(2, pcall(moonpool.init_worker, { contactPoints = { "127.0.0.1" } })),
      select(2, pcall(moonpool.ConnectionPool, { contactPoints = { "127.0.0.1" } })),
      select(2, pcall(moonpool.now)) }
  ]]

  it("N5 is refused a pool, at the start and at a reload, and opens nothing", function()
    with({ init = INIT, locations = {
      ["/said"] = "ngx.print(said[1], '\\n', said[2], '\\n', said[3])",
    } }, function(world)
      local function check()
        local said = world.server:body "/said"
        assert.matches("call it in init_worker_by_lua%*, not in init_by_lua%*", said)
        assert.matches("\n.*this is the master of nginx: make it in init_worker_by_lua%*.*\n", said)
        assert.equal(nil, nginx.descriptors(world.server:pid())["anon_inode:[eventpoll]"])
      end
      check()
      local worker = world.server:workers()
      world.server:signal "HUP"
      world.server:gone("the old worker's end", worker)
      check()
    end)
  end)
end)
