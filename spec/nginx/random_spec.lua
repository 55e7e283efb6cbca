-- SPDX-License-Identifier: Apache-2.0
-- Whatever clients, operators and nodes do at once, from a seed: requests of every kind, of which one in four is given
-- up by its client, reloads, policies that are edited and broken, nodes that die, come back and are slow. No answer is
-- wrong, no request is lost but those of clients that went, and nothing is left in a worker.
--
-- MOONPOOL_SEED=N runs with that seed, MOONPOOL_ROUNDS=N for longer.
local moonpool = require "moonpool"
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"
local policies = require "spec.support.policies"
local random_of = require "moonpool.prove.random"

local SEED = tonumber(os.getenv "MOONPOOL_SEED") or 20
local ROUNDS = tonumber(os.getenv "MOONPOOL_ROUNDS") or 16
local CLIENTS = 8
local GOOD = "return balance { name = 'Mine', plan = function(plan) plan:hosts(localDc, inTurn) end }"

local HEAD = [[
  local moonpool = require "resty.moonpool"
  local pool, why = moonpool.pool()
  if not pool then ngx.status = 503 ngx.print(tostring(why)) return end
  local id = tonumber(ngx.var.arg_id)
  local function ask(method)
    return pool[method or "execute"](pool, "SELECT id, name FROM ks.users WHERE id = ?", { id },
      { timeout = 120000, isIdempotent = true })
  end
  local function answer(result, err)
    if not result then ngx.status = 500 ngx.print(tostring(err)) return end
    ngx.print(result:first().id, " ", result:first().name)
  end
]]

-- The ways to a user's name.
local WAYS = {
  "answer(ask())",
  "answer(ask('executeAsync'):wait())",
  "answer(moonpool.spawn(ask):wait())",
  "ask('executeAsync') answer(ask())",
  "ngx.timer.at(0, function() ask() end) answer(ask())",
  "ngx.thread.spawn(ask) answer(ask()) ngx.exit(200)",
  "local one = ngx.thread.spawn(ask) ngx.thread.kill(ngx.thread.spawn(ask)) answer(select(2, ngx.thread.wait(one)))",
  "local one, two = ngx.thread.spawn(ask), ngx.thread.spawn(ask) answer(select(2, ngx.thread.wait(one, two)))",
  "local got = ngx.location.capture('/1?id=' .. id) ngx.status = got.status ngx.print(got.body)",
  "require('resty.moonpool').metrics() answer(ask())",
  "pool:reload() answer(ask())",
}

describe("in nginx, from the seed " .. SEED, function()
  it("no answer is wrong or lost, whatever happens at once", function()
    local folder, random = policies.folder(), random_of(SEED)
    local policy = folder .. "/mine.lua"
    policies.write(policy, GOOD)
    nginx_world.run(function()
      local cluster = nginx_world.cluster { nodes = 3, rf = 3 }
      local config = nginx.config(cluster, ("loadBalancing = { policy = %q }"):format(policy)):gsub(
        "contactPoints = %b{}", "contactPoints = { '127.0.0.1', '127.0.0.2', '127.0.0.3' }")
      local locations = { ["/counts"] = [[
        local counts = require("resty.moonpool").counts()
        ngx.print(ngx.worker.pid(), " ", counts.waiting + counts.requests + counts.answered)]] }
      for i, way in ipairs(WAYS) do locations["/" .. i] = HEAD .. way end
      local server = nginx.start { workers = 3, locations = locations, level = "warn",
        http = "lua_check_client_abort on; lua_thread_cache_max_entries 0;",
        init = ("require('resty.moonpool').check(%s)"):format(config),
        worker = ("require('resty.moonpool').init_worker(%s, { shared = 'notes' })"):format(config) }

      local failures, done, stop = {}, 0, false
      local function client()
        while not stop do
          local way, id = 1 + random(#WAYS), random(100)
          local call = server:begin(("/%d?id=%d"):format(way, id))
          if random(4) == 0 then
            moonpool.sleep(random(5))
            call:abort()
          else
            local status, body = call:finish()
            if status ~= 200 or body ~= id .. " name " .. id then
              failures[#failures + 1] = ("%s: %s %s"):format(WAYS[way], tostring(status), tostring(body))
            end
          end
          done = done + 1
        end
      end
      local clients, down = {}, nil
      for i = 1, CLIENTS do clients[i] = moonpool.spawn(client) end
      local is_good, refused = true, 0
      -- What is broken between the master's look and the workers' is found by these, as it would be without one.
      local function reload()
        local old = server:workers()
        server:signal "HUP"
        if is_good then return server:gone("the old workers' end", old) end
        refused = refused + 1
        nginx.eventually("the reload is refused", function()
          return select(2, server:log():gsub("init_by_lua error", "")) == refused
        end)
      end
      local events = {
        reload,
        function()
          if down then cluster:start(down) end
          down = not down and 1 + random(3) or nil
          if down then cluster:kill(down) end
        end,
        function()
          is_good = random(3) > 0
          policies.write(policy, is_good and GOOD .. "\n-- " .. done or "return {")
        end,
        function()
          cluster:rule { opcode = "EXECUTE", statement = "ks.users", delay = 5 + random(40), times = 30 }
        end,
      }
      for _ = 1, ROUNDS do
        local until_done = done + 20 + random(60)
        nginx.eventually("requests are answered", function() return done >= until_done end)
        events[1 + random(#events)]()
      end
      stop = true
      for _, future in ipairs(clients) do assert(future:wait() == nil) end
      assert.equal("", table.concat(failures, "\n"))

      policies.write(policy, GOOD)
      if down then cluster:start(down) end
      nginx.eventually("three workers are left", function() return #server:workers() == 3 end)
      local rests = {}
      nginx.eventually("nothing is left in them", function()
        local pid, left = server:body("/counts"):match "^(%d+) (%d+)$"
        rests[pid] = left == "0" or nil
        local count = 0
        for _ in pairs(rests) do count = count + 1 end
        return count >= 3
      end)
      assert.equal("", server:complaints())
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
    policies.remove(folder)
  end)
end)
