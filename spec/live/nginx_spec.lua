-- SPDX-License-Identifier: Apache-2.0
-- The REST service of examples/nginx on a real Cassandra, under wrk.
local example = require "spec.nginx.support.service"
local live = require "spec.support.live"
local moonpool = require "moonpool"
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"
local policies = require "spec.support.policies"

-- GETs of the fifty users in turn; a body that is another's counts as a failure, too.
local SCRIPT = [[
local threads = {}
function setup(thread) threads[#threads + 1] = thread end
function init() asked, answered, wrong = 0, 0, 0 end
function request()
  asked = asked + 1
  return wrk.format("GET", "/users/" .. asked % 50 + 1)
end
function response(status, _, body)
  answered = answered + 1
  local id, name = body:match '"id":(%d+)', body:match '"name":"name (%d+)"'
  if status ~= 200 or not id or id ~= name then wrong = wrong + 1 end
end
function done(summary)
  local errors, wrong, answered = summary.errors, 0, 0
  for _, thread in ipairs(threads) do wrong, answered = wrong + thread:get "wrong", answered + thread:get "answered" end
  io.write(("answered %d wrong %d lost %d\n"):format(answered, wrong, errors.connect + errors.read + errors.write +
    errors.timeout + errors.status))
end
]]

describe("the REST service of examples/nginx on a real Cassandra", function()
  setup(function() live.cluster() end)

  it("answers every GET while a node is killed and its policy edited", function()
    nginx_world.run(function()
      local service = example.start "127.0.0.1,127.0.0.2,127.0.0.3"
      live.eventually(60000, "the service reaches the cluster", function() return service:get "/health" == 200 end)
      live.eventually(60000, "it has its users", function() return (pcall(service.fill, service)) end)
      local script = service.folder .. "/get.lua"
      policies.write(script, SCRIPT)
      local load = moonpool.spawn(live.run, ("wrk -t1 -c16 -d25s --timeout 12s -s '%s' http://127.0.0.1:%d/"):format(
        script, service.port))
      moonpool.sleep(2000)
      live.cassandraWhileRunning "kill 2"
      moonpool.sleep(2000)
      service:edit_policy()
      live.cassandraWhileRunning "start 2"
      local said = table.concat(assert(load:wait()), "\n")
      local answered, wrong, lost = said:match "answered (%d+) wrong (%d+) lost (%d+)"
      assert(answered, said)
      print(("  %s GETs answered"):format(answered))
      assert.equal("0 0", wrong .. " " .. lost, said .. service:log())
      assert.is_true(tonumber(answered) > 1000)
      nginx.eventually("the edited policy serves", function()
        return (select(2, service:get "/health")):find '"generation":2'
      end)
      live.eventually(60000, "the node is up again", function()
        return (select(2, service:get "/health")):find '"up":3'
      end)
      service:stop()
    end)
  end)
end)
