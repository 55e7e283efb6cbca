-- SPDX-License-Identifier: Apache-2.0
-- examples/nginx, as a newcomer starts it.
local example = require "spec.nginx.support.service"
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"

describe("the REST service of examples/nginx", function()
  it("needs nothing but its command", function()
    nginx_world.run(function()
      local service = example.start()
      assert.equal(404, (service:get "/users/17")) -- before anybody has written
      assert.matches('"users":%[%]', (select(2, service:get "/users")))
      service:fill()
      local _, body = service:get "/users/17"
      assert.equal('name 17', body:match '"name":"(.-)"')
      assert.equal(404, (service:get "/users/999"))
      assert.equal(404, (service:get "/users/x"))
      assert.equal(400, (service:get("/users/1", { method = "PUT", body = "no" })))
      assert.equal(405, (service:get("/users/1", { method = "DELETE" })))
      local seen, path = 0, "/users?size=20"
      repeat
        local status, page = service:get(path)
        assert.equal(200, status)
        for _ in page:gmatch '"id":%d+' do seen = seen + 1 end
        local next = page:match '"next":"(.-)"'
        path = next and "/users?size=20&page=" .. next
      until not path
      assert.equal(50, seen)
      for _, wrong in ipairs { "size=0", "size=-1", "size=1.5", "size=x", "size=501", "size=1&size=2", "page=***",
        "page=YWJj" } do
        local code, said = service:get("/users?" .. wrong)
        assert.equal(400, code, wrong .. ": " .. said)
      end
      local long = ("x"):rep(30000)
      assert.equal(200, (service:get("/users/60", { method = "PUT", body = '{"name":"' .. long .. '"}' })))
      assert.equal(long, (select(2, service:get "/users/60")):match '"name":"(.-)"')
      assert.equal(413, (service:get("/users/60", { method = "PUT", body = long .. long .. long })))
      local status, health = service:get "/health"
      assert.equal(200, status)
      assert.matches('"up":3', health)
      assert.matches("moonpool_requests_total", (select(2, service:get "/metrics")))
      assert.equal(405, (service:get "/admin/reload"))
      assert.equal(200, (service:get("/admin/reload", { method = "POST" })))
      service:stop()
    end)
  end)

  it("loses no GET while a node is killed and its policy edited", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster { nodes = 3 }
      local service = example.start("127.0.0.1:" .. cluster.port)
      service:fill()
      local killed, edited, back
      local count, failed = service:drive(8, function(done)
        if done >= 100 and not killed then
          killed = true
          cluster:kill(2)
        end
        if done >= 200 and not edited then
          edited = true
          service:edit_policy()
        end
        if done >= 300 and not back then
          back = true
          cluster:start(2)
        end
        return done >= 500
      end)
      assert.equal("", failed)
      assert.is_true(count >= 500)
      nginx.eventually("the edited policy serves", function()
        return (select(2, service:get "/health")):find '"generation":2'
      end)
      nginx.eventually("the node is up again", function() return (select(2, service:get "/health")):find '"up":3' end)
      service:stop()
      nginx_world.close(cluster)
    end)
  end)
end)
