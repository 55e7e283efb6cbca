-- SPDX-License-Identifier: Apache-2.0
-- metrics.listen: what a process answers over HTTP while it works, and at its control socket.
local cjson = require "cjson"
local ffi = require "ffi"
local client = require "spec.http.client"
local openmetrics = require "spec.http.openmetrics"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
local program = require "spec.support.program"
local unix = require "spec.support.unix"
require "spec.support.sim_process" -- kill, usleep

local PORT = ports.at(28)

local APP = [[
local moonpool = require "moonpool"
local folder, port = "%s", %d
local function pool(listen)
  local self = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
    metrics = { listen = listen } }
  assert(self:connect())
  assert(self:execute "SELECT key FROM system.local")
  return self
end
%s
io.open(folder .. "/ready", "w"):close()
while not io.open(folder .. "/stop") do moonpool.sleep(20) end
]]

-- Runs an application, whose pools `text` makes, while check(folder) looks at it.
local function with_app(text, check, options)
  local folder = policies.folder()
  policies.write(folder .. "/app.lua", APP:format(folder, PORT, text))
  local command = "( '%s' run --embedded 2 %s %s/app.lua > %s/log 2>&1 < /dev/null; echo \"status $?\" >> %s/log ) &"
  os.execute(command:format(program.moonpool, options and options:format(folder) or "", folder, folder, folder))
  local function wait(what)
    for _ = 1, 1200 do
      if what() then return true end
      ffi.C.usleep(25000)
    end
  end
  local function ended() return policies.read(folder .. "/log"):find "status %d" end
  wait(function() return io.open(folder .. "/ready") or ended() end)
  local ok, why = pcall(check, folder)
  policies.write(folder .. "/stop", "")
  wait(ended)
  local log = policies.read(folder .. "/log")
  policies.remove(folder)
  assert(ok, tostring(why) .. "\n" .. log)
  return log
end

describe("metrics.listen", function()
  it("answers at an address while the pool works", function()
    local log = with_app("local one = pool('127.0.0.1:' .. port)", function()
      local status, headers, body = client.get("127.0.0.1", PORT, "/metrics")
      assert.equal(200, status)
      assert.equal("application/openmetrics-text; version=1.0.0; charset=utf-8", headers["content-type"])
      local families = openmetrics.read(body)
      assert.equal(1, openmetrics.value(families, "moonpool_requests_total", { pool = "1" }))
      local _, _, nothing = client.get("127.0.0.1", PORT, "/metrics", "HEAD")
      assert.equal("", nothing)
      assert.equal(404, (client.get("127.0.0.1", PORT, "/")))
      assert.equal(404, (client.get("127.0.0.1", PORT, "/metrics/../etc/passwd")))
      assert.equal(405, (client.get("127.0.0.1", PORT, "/metrics", "POST")))
      assert.matches("^HTTP/1%.1 400", client.raw("127.0.0.1", PORT, "no HTTP at all\r\n\r\n"))
      assert.equal(200, (client.get("127.0.0.1", PORT, "/metrics")))
    end)
    assert.matches("status 0", log)
  end)

  it("answers at a path, for this user; the socket goes with the pool", function()
    with_app("local one = pool(folder .. '/metrics.sock')", function(folder)
      local status, _, body = client.get(folder .. "/metrics.sock", nil, "/metrics")
      assert.equal(200, status)
      openmetrics.read(body)
      assert.equal("600\n", (program.sh("stat -c %a " .. folder .. "/metrics.sock")))
    end)
    with_app("pool(folder .. '/metrics.sock'):close()", function(folder)
      assert.is_nil((unix.dial(folder .. "/metrics.sock")))
      assert.is_nil(io.open(folder .. "/metrics.sock"))
    end)
  end)

  it("tells of all pools of the process, and stays until the last one that named the place is closed", function()
    with_app([[
      local place = '127.0.0.1:' .. port
      local one, two = pool(place), pool(place)
      local three = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" } }
      one:close()
    ]], function()
      local families = openmetrics.read((select(3, client.get("127.0.0.1", PORT, "/metrics"))))
      assert.equal(2, #families.moonpool_requests.samples)
      assert.equal(1, openmetrics.value(families, "moonpool_requests_total", { pool = "2" }))
      assert.equal(0, openmetrics.value(families, "moonpool_requests_total", { pool = "3" }))
    end)
  end)

  it("serves many at once, and nobody who is slow holds it up", function()
    with_app("local one = pool('127.0.0.1:' .. port)", function(folder)
      local slow = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d; printf \"GET /met\" >&3; sleep 20'"
      os.execute(("for i in 1 2 3 4 5 6; do (" .. slow .. " & echo $! >> %s/slow); done"):format(PORT, folder))
      for _ = 1, 20 do assert.equal(200, (client.get("127.0.0.1", PORT, "/metrics"))) end
      os.execute("kill $(cat " .. folder .. "/slow) 2>/dev/null")
    end)
  end)

  it("is an error with its place when somebody else listens there, or it is no address", function()
    with_app("local one = pool('127.0.0.1:' .. port)", function(folder)
      local config = folder .. "/pool.lua"
      local app = folder .. "/second.lua"
      policies.write(app, "require('moonpool').ConnectionPool '" .. config .. "'")
      local function refused(value)
        policies.write(config, "return {\n  contactPoints = { '127.0.0.1' },\n  metrics = { listen = " .. value
          .. " } }")
        return (program.sh("'" .. program.moonpool .. "' run " .. app))
      end
      assert.matches("pool.lua:3: metrics.listen: 127.0.0.1:" .. PORT .. ": another process listens there",
        refused(("'127.0.0.1:%d'"):format(PORT)), 1, true)
      assert.matches("metrics.listen: 203.0.113.1:9500: this machine has no such address",
        refused "'203.0.113.1:9500'", 1, true)
      for _, wrong in ipairs { "'localhost:9500'", "'127.0.0.1'", "9500", "''" } do
        assert.matches("pool.lua:3: metrics.listen: got", refused(wrong), 1, true)
      end
      assert.matches("metrics.listen: /nowhere/at/all: there is no such folder", refused "'/nowhere/at/all'", 1, true)
    end)
  end)

  it("is there for moonpool ctl, too, with one text for all pools", function()
    with_app("local one, two = pool(), pool()", function(folder)
      local function ctl(arguments)
        return program.sh(("'%s' ctl --control %s/ctl.sock %s"):format(program.moonpool, folder, arguments))
      end
      local said, status = ctl "metrics"
      assert.equal(0, status)
      assert.equal(2, #openmetrics.read(said).moonpool_requests.samples)
      assert.equal(1, #openmetrics.read((ctl "--pool 2 metrics")).moonpool_requests.samples)
      local answer = cjson.decode((ctl "--json metrics"))
      assert.is_true(answer.ok)
      openmetrics.read(answer.pools[1].text)
      assert.same({ "moonpool: there is no pool\n", 1 }, { ctl "--pool 7 metrics" })
    end, "--control %s/ctl.sock")
  end)
end)
