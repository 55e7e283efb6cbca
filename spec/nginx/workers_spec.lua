-- SPDX-License-Identifier: Apache-2.0
-- Several workers of one nginx: what they count is told by whichever is asked.
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"
local policies = require "spec.support.policies"

local METRICS = [[--bare
  local text, kind = require("resty.moonpool").metrics()
  ngx.header.content_type = kind
  ngx.print(text)]]

local function sum(text, name, label)
  local total = 0
  for labels, value in text:gmatch("\n" .. name .. "{(.-)} (%d+)") do
    if labels:find(label, 1, true) then total = total + tonumber(value) end
  end
  return total
end

describe("the workers of one nginx", function()
  it("are told of in one scrape, each with its number", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local config = nginx.config(cluster, "metrics = { listen = '127.0.0.1:9' }, " ..
        "http = { listen = '127.0.0.1:8' }, pooling = { maxConnectionsPerHost = { ['0'] = 5 } }")
      local server = nginx.start { workers = 2,
        worker = ("require('resty.moonpool').init_worker(%s, { shared = 'notes' })"):format(config),
        locations = { ["/metrics"] = METRICS, ["/most"] = [[
          ngx.print(require("resty.moonpool").pool():getHosts()[1].maxConnections)]], ["/get"] = [[
          local pool = assert(require("resty.moonpool").pool())
          assert(pool:execute "SELECT name FROM ks.users WHERE id = 1")
          ngx.print(ngx.worker.id())]] } }
      local asked = { 0, 0 }
      nginx.eventually("both workers answer", function()
        for _ = 1, 20 do
          local id = tonumber(server:body "/get") + 1
          asked[id] = asked[id] + 1
        end
        return asked[1] > 0 and asked[2] > 0
      end)
      nginx.eventually("all requests are told", function()
        local text = server:body "/metrics"
        local first, second = sum(text, "moonpool_requests_total", 'worker="0"'),
          sum(text, "moonpool_requests_total", 'worker="1"')
        return first >= asked[1] and second >= asked[2] and first + second >= asked[1] + asked[2]
      end)
      local status, text, head = server:get "/metrics"
      assert.equal(200, status)
      assert.matches("application/openmetrics%-text", head)
      assert.matches("\n# EOF\n$", text)
      local heads = {}
      for name in text:gmatch "# TYPE (%S+)" do
        assert.is_nil(heads[name], name .. " is told twice")
        heads[name] = true
      end
      -- The same configuration as outside of nginx: no worker takes the address, none is without a pool.
      assert.matches("metrics.listen: nothing listens at 127.0.0.1:9 for this worker", server:log())
      assert.matches("http.listen: nothing listens at 127.0.0.1:8 for this worker", server:log())
      assert.matches("maxConnectionsPerHost['0']: 5 connections to a host are 2 in each of 2 workers, 4 in all",
        server:log(), 1, true)
      assert.equal("2", server:body "/most")
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)

  -- A world with a dictionary; `more` of the configuration, locations beside those that say which worker answers.
  local function shared_world(more, locations, body)
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local all = {
        ["/hosts"] = [[
          local list = {}
          for _, host in ipairs(require("resty.moonpool").pool():getHosts()) do
            list[#list + 1] = host.address:match "^[^:]+" .. "=" .. host.status
          end
          table.sort(list)
          ngx.print(ngx.worker.id(), " ", table.concat(list, " "))]],
        ["/get"] = [[
          local pool = assert(require("resty.moonpool").pool())
          local result, err = pool:execute("SELECT name FROM ks.users WHERE id = ?", { 1 }, { timeout = 300 })
          ngx.print(ngx.worker.id(), " ", result and "ok" or err.code)]],
      }
      for path, lua in pairs(locations) do all[path] = lua end
      local server = nginx.start { workers = 2, locations = all,
        worker = ("require('resty.moonpool').init_worker(%s, { shared = 'notes' })")
          :format(nginx.config(cluster, more)) }
      body(server, cluster)
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end

  -- What each worker says, by its number, when all have said it in the way `pattern` wants.
  local function from_all(server, path, pattern, count)
    local said = {}
    nginx.eventually(path .. " of all workers", function()
      local id, text = server:body(path):match "^(%d+) (.*)$"
      said[id] = text
      local seen = 0
      for _, each in pairs(said) do seen = seen + (each:find(pattern) and 1 or 0) end
      return seen >= (count or 2)
    end)
    return said
  end

  it("help each other to see that a host is silent", function()
    -- A worker that has nothing to do would notice after a minute.
    shared_world("pooling = { heartBeatInterval = 60000, heartBeatTimeout = 300 }", {
      ["/ask"] = [[
        if ngx.worker.id() ~= 0 then return ngx.print(ngx.worker.id(), " not I") end
        local result, err = require("resty.moonpool").pool():execute("SELECT key FROM system.local", nil,
          { host = "127.0.0.2", timeout = 200 })
        ngx.print(ngx.worker.id(), " ", result and "ok" or "failed")]],
    }, function(server, cluster)
      from_all(server, "/hosts", "127.0.0.2=up")
      cluster:pause(2)
      from_all(server, "/ask", "failed", 1)
      from_all(server, "/hosts", "127.0.0.2=down")
      cluster:resume(2)
      from_all(server, "/hosts", "127.0.0.2=up")
    end)
  end)

  it("start warm: what others have prepared is prepared before the first request", function()
    shared_world(nil, {
      ["/known"] = [[
        local core, texts = require "moonpool.core_loader", {}
        for i, one in ipairs(core.preparedTexts(require("resty.moonpool").pool())) do texts[i] = one[1] end
        table.sort(texts)
        ngx.print(ngx.worker.pid(), " ", table.concat(texts, "; "))]],
      ["/told"] = [[ngx.print(ngx.worker.id(), " ", ngx.shared.notes:get "moonpool.statements.default" or "nothing")]],
      ["/more"] = [[
        local pool = require("resty.moonpool").pool()
        assert(pool:prepare "SELECT id FROM ks.users WHERE id = ?")
        assert(pool:prepare("SELECT id FROM users WHERE id = ?", { keyspace = "ks" }))
        ngx.print "0 done"]],
    }, function(server)
      from_all(server, "/get", "ok")
      server:body "/more"
      local all = { "SELECT id FROM ks.users WHERE id = ?", "SELECT id FROM users WHERE id = ?",
        "SELECT name FROM ks.users WHERE id = ?" }
      nginx.eventually("all are told", function()
        local told = server:body "/told"
        for _, text in ipairs(all) do
          if not told:find(text, 1, true) then return false end
        end
        return true
      end)
      local old = {}
      for _, pid in ipairs(server:workers()) do old[pid] = true end
      server:signal "HUP"
      nginx.eventually("a new worker answers", function()
        local pid, text = server:body("/known"):match "^(%d+) (.*)$"
        if old[tonumber(pid)] then return false end
        assert.equal(table.concat(all, "; "), text)
        return true
      end)
    end)
  end)

  it("have one among them that runs playbooks, and another one when that dies", function()
    local folder = policies.folder()
    policies.write(folder .. "/tick.lua", [[
      return playbook { name = "Tick", when = { every = "1s" }, coolDown = "1s", atMost = { 1000, per = "1h" },
        run = function(run) run:log "tick" end }
    ]])
    shared_world(("playbooks = { %q }"):format(folder .. "/tick.lua"), { ["/runs"] = [[
      local count = 0
      for _, entry in ipairs(debug.getfenv(require("resty.moonpool").pool()).playbooks:history()) do
        if entry.playbook == "Tick" then count = count + 1 end
      end
      ngx.print(ngx.worker.pid(), " ", count)]] }, function(server)
      local function leader_of(but)
        local pid
        nginx.eventually("a worker runs it", function()
          local id, count = server:body("/runs"):match "^(%d+) (%d+)$"
          pid = tonumber(id)
          return pid ~= but and tonumber(count) > 0
        end)
        return pid
      end
      local first = leader_of()
      local counts = from_all(server, "/runs", "%d")
      for id, count in pairs(counts) do
        assert.equal(tonumber(id) == first, tonumber(count) > 0, id .. ": " .. count)
      end
      server.expected = true -- nginx tells of the death in an [alert]
      server:signal("KILL", first)
      assert.not_equal(first, leader_of(first))
    end)
    policies.remove(folder)
  end)

  it("go on with their dictionary when another pool is made that has none", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local config = nginx.config(cluster)
      local server = nginx.start { worker = ([[
          local moonpool = require "resty.moonpool"
          moonpool.init_worker({ first = %s }, { shared = "notes" })
          moonpool.init_worker { second = %s }]]):format(config, config),
        locations = { ["/leader"] = "ngx.print(ngx.shared.notes:get 'moonpool.leader' or 'none')" } }
      nginx.eventually("one leads", function() return server:body "/leader" ~= "none" end)
      assert.equal(tostring(server:workers()[1]), server:body "/leader")
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)

  it("say once that the dictionary is too small, and go on", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster {}
      local server = nginx.start { http = "lua_shared_dict tiny 12k;",
        worker = ([[
          local core = require "moonpool.core_loader"
          local sleep = core.sleep
          core.sleep = function(ms) -- a second of the workers' coroutine
            if ms == 1000 then ngx.shared.notes:incr("rounds", 1, 0) ms = 5 end
            sleep(ms)
          end
          require("resty.moonpool").init_worker(%s, { shared = "tiny" })]]):format(nginx.config(cluster)),
        locations = { ["/rounds"] = "ngx.print(ngx.shared.notes:get 'rounds' or 0)", ["/metrics"] = METRICS } }
      nginx.eventually("some rounds", function() return tonumber(server:body "/rounds") > 5 end)
      local _, count = server:log():gsub("what this worker counts is not told to the other workers: " ..
        "lua_shared_dict tiny says no memory; make it larger", "")
      assert.equal(1, count)
      assert.matches('moonpool_requests_total{worker="0"', server:body "/metrics", 1, true)
      server:stop "QUIT"
      nginx_world.close(cluster)
    end)
  end)

  it("say which dictionary is missing", function()
    nginx_world.run(function()
      local server = nginx.start { worker = [[
        local moonpool = require "resty.moonpool"
        said = { select(2, pcall(moonpool.init_worker, { port = 1 }, { shared = "nowhere" })),
          select(2, pcall(moonpool.init_worker, { a = {} }, { share = "notes" })),
          select(2, pcall(moonpool.init_worker, { a = {} }, "notes")) }]],
        locations = { ["/said"] = "ngx.print(table.concat(said, '\\n'))" } }
      local said = server:body "/said"
      assert.matches("there is no shared dictionary 'nowhere': nginx.conf wants lua_shared_dict nowhere 1m;", said)
      assert.matches("unknown option 'share'; there is: shared", said)
      assert.matches("bad argument #2 to 'init_worker' %(options: a table expected, got string%)", said)
      server:stop()
    end)
  end)
end)
