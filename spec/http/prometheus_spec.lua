-- SPDX-License-Identifier: Apache-2.0
-- A real Prometheus scrapes a pool. scripts/prometheus fetches it; where that is not possible, the spec is left out.
local cjson = require "cjson"
local ffi = require "ffi"
local client = require "spec.http.client"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
local program = require "spec.support.program"
require "spec.support.sim_process" -- kill, usleep

local APP = [[
local moonpool = require "moonpool"
local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
  metrics = { listen = "127.0.0.1:%d" } }
assert(pool:connect())
while not io.open "%s/stop" do
  for _ = 1, 10 do assert(pool:execute "SELECT key FROM system.local") end
  pool:execute "SELECT nothing FROM nowhere.atall"
  moonpool.sleep(20)
end
pool:close()
]]

local CONFIG = [[
global: { scrape_interval: 250ms, scrape_timeout: 250ms }
scrape_configs:
  - job_name: moonpool
    static_configs: [ { targets: [ "127.0.0.1:%d" ] } ]
]]

local function eventually(what, condition)
  for _ = 1, 1200 do
    local value = condition()
    if value then return value end
    ffi.C.usleep(50000)
  end
  error("it did not happen: " .. what, 2)
end

local function start(command, folder, name)
  local at = folder .. "/" .. name
  os.execute(("( sh -c 'echo $$ > %s.pid; exec %s' > %s.log 2>&1 < /dev/null; touch %s.ended ) &"):format(at, command,
    at, at))
end

local function stop(folder, name)
  local file = io.open(("%s/%s.pid"):format(folder, name))
  if not file then return end
  ffi.C.kill(file:read "*n", 15)
  file:close()
  eventually("the end of " .. name, function() return io.open(("%s/%s.ended"):format(folder, name)) end)
end

describe("a real Prometheus", function()
  it("scrapes a pool, and its histograms give quantiles", function()
    local said, status = program.sh("'" .. MOONPOOL_ROOT .. "/scripts/prometheus' 2>&1 | tail -n 1")
    if status ~= 0 or not said:find "^/" then return pending("there is no Prometheus: " .. said) end
    local folder, port, web = policies.folder(), ports.at(26), ports.at(27)
    policies.write(folder .. "/app.lua", APP:format(port, folder))
    policies.write(folder .. "/prometheus.yml", CONFIG:format(port))
    local function ask(path)
      local code, _, body = client.get("127.0.0.1", web, path)
      return code == 200 and cjson.decode((body:gsub("^%x+\r\n", ""):gsub("\r\n0\r\n\r\n$", ""))) or nil
    end
    local function query(text)
      local escaped = text:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)
      local answer = ask("/api/v1/query?query=" .. escaped)
      local first = answer and answer.data.result[1]
      return first and tonumber(first.value[2]), first and first.metric
    end
    local ok, why = pcall(function()
      start(("%s run --embedded 3 %s/app.lua"):format(program.moonpool, folder), folder, "app")
      start(("%s --config.file=%s/prometheus.yml --storage.tsdb.path=%s/data --web.listen-address=127.0.0.1:%d"):format(
        said:gsub("%s+$", ""), folder, folder, web), folder, "prometheus")
      eventually("the target is up", function() return query 'up{job="moonpool"}' == 1 end)
      eventually("requests are counted", function() return (query 'moonpool_requests_total{pool="1"}' or 0) > 50 end)
      eventually("errors are counted", function() return (query "moonpool_errors_total" or 0) > 0 end)
      eventually("hosts are told apart", function() return query "count(moonpool_host_up == 1)" == 3 end)
      local quantile = eventually("a quantile of requests", function()
        local value = query "histogram_quantile(0.99, sum by (le) (rate(moonpool_request_duration_seconds_bucket[1m])))"
        return value and value == value and value
      end)
      assert.is_true(quantile > 0 and quantile < 10, quantile)
      local _, labels = query "moonpool_host_attempts_total"
      assert.equal("datacenter1", labels.datacenter)
      assert.matches("^127%.0%.0%.%d+:%d+$", labels.host)
      local target = ask("/api/v1/targets").data.activeTargets[1]
      assert.equal("", target.lastError)
      local metadata = ask "/api/v1/metadata?metric=moonpool_request_duration_seconds"
      assert.equal("histogram", metadata.data.moonpool_request_duration_seconds[1].type)
      assert.equal("seconds", metadata.data.moonpool_request_duration_seconds[1].unit)
    end)
    policies.write(folder .. "/stop", "")
    stop(folder, "prometheus")
    eventually("the end of the application", function() return io.open(folder .. "/app.ended") end)
    local log = io.open(folder .. "/app.log"):read "*a"
    os.execute("rm -rf '" .. folder .. "'")
    assert(ok, tostring(why) .. "\n" .. log)
  end)
end)
