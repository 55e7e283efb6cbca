-- SPDX-License-Identifier: Apache-2.0
-- Several workers of one nginx: what they count is told by whichever is asked.
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"

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
        "http = { listen = '127.0.0.1:8' }, pooling = { maxConnectionsPerHost = { ['0'] = 3 } }")
      local server = nginx.start { workers = 2,
        worker = ("require('resty.moonpool').init_worker(%s, { shared = 'notes' })"):format(config),
        locations = { ["/metrics"] = METRICS, ["/get"] = [[
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
      assert.matches("maxConnectionsPerHost: 3 in each of 2 workers are up to 6 connections to a host", server:log())
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
