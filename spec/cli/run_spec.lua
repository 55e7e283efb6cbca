-- SPDX-License-Identifier: Apache-2.0
-- The executable as a user meets it: output, errors, exit status, signals.
local ports = require "spec.support.ports"
local sh = require("spec.support.program").sh

local function build(name) return MOONPOOL_BUILD_DIR .. "/" .. name end

local function file_with(text, suffix)
  local path = os.tmpname() .. (suffix or ".lua")
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

local function moonpool(arguments, before)
  return sh((before or "") .. "'" .. build "moonpool" .. "' " .. arguments)
end

local function run(text, options, arguments)
  local path = file_with(text)
  local said, status = moonpool("run " .. (options or "") .. " " .. path .. " " .. (arguments or ""))
  os.remove(path)
  return said, status, path
end

describe("moonpool run", function()
  it("runs an application in a coroutine, with its arguments", function()
    local said, status = run("local a, b = ... require('moonpool').sleep(1) print(a, b, arg[2], #arg)", "", "x --nodes")
    assert.equal("x\t--nodes\t--nodes\t2\n", said)
    assert.equal(0, status)
  end)

  it("waits for the coroutines that the application spawned", function()
    local said, status = run [[
      local moonpool = require "moonpool"
      moonpool.spawn(function() moonpool.sleep(30) print "second" end)
      print "first"
    ]]
    assert.equal("first\nsecond\n", said)
    assert.equal(0, status)
  end)

  it("finds its own modules whatever the environment puts before them, and the user's", function()
    local path = file_with("return 'mine'")
    local folder, name = path:match "^(.*)/([^/]*)%.lua$"
    local text = ("print(require '%s', (require 'cjson').encode { 1 })"):format(name)
    local app = file_with(text)
    for _, environment in ipairs { "LUA_PATH='%s/?.lua'", "LUA_PATH='%s/?.lua;;' LUA_CPATH='/none/?.so'",
      "LUA_PATH=';;%s/?.lua' LUA_CPATH=" } do
      local said, status = moonpool("run " .. app, environment:format(folder) .. " ")
      assert.equal("mine\t[1]\n", said)
      assert.equal(0, status)
    end
    assert.equal(0, select(2, moonpool("version", "env -i LUA_PATH=/none LUA_CPATH=/none ")))
    os.remove(path)
    os.remove(app)
  end)

  it("leaves nothing of the other commands in the application's heap, nor of reading its own options", function()
    local said, status = run [[
      local others = {}
      for name in pairs(package.loaded) do
        local command = name:match "^moonpool%.cli%.(%a+)$"
        if name == "argparse" or name:match "^moonpool%.prove%." or command == "shell" or command == "top"
          or command == "check" or command == "compare" then
          others[#others + 1] = name
        end
      end
      print(#others, others[1], pcall(require, "argparse"))
    ]]
    assert.matches("^0\tnil\ttrue\t", said)
    assert.equal(0, status)
  end)

  it("has the status that the application returns", function()
    assert.equal(7, select(2, run "return 7"))
    assert.equal(0, select(2, run "return 'text'"))
  end)

  it("tells what an error says, whatever it is", function()
    for raised, told in pairs {
      ["{ message = 'the message', code = 7 }"] = "the message",
      ["setmetatable({ message = 'not this' }, { __tostring = function() return 'its text' end })"] = "its text",
      ["require('moonpool.core').error('CLOSED', 'over')"] = "CLOSED: over",
      ["{}"] = "(error object is a table value)", ["nil"] = "(error object is a nil value)", ["12"] = "12",
    } do
      local said, status = run("error(" .. raised .. ", 0)")
      assert.equal(told, (said:gsub("\nstack traceback:.*", ""):gsub("\n$", "")))
      assert.equal(1, status)
      said = run("require('moonpool').spawn(function() error(" .. raised .. ", 0) end)")
      assert.matches("nobody waits for it: " .. told, said, 1, true)
    end
  end)

  it("tells an error with its file, line and traceback, and fails", function()
    local said, status, path = run "local function f() error 'boom' end\nf()"
    assert.matches(path .. ":1: boom", said, 1, true)
    assert.matches("traceback", said)
    assert.equal(1, status)
  end)

  it("tells a syntax error with its file and line", function()
    local said, status, path = run "local x =\n= 5"
    assert.matches("^" .. path:gsub("%p", "%%%0") .. ":2:", said)
    assert.equal(1, status)
    said, status = moonpool "run /nonexistent/app.lua"
    assert.matches("/nonexistent/app.lua", said, 1, true)
    assert.equal(1, status)
  end)

  it("logs the error of a coroutine that nobody waits for", function()
    local said, status = run "require('moonpool').spawn(function() error 'lost' end)"
    assert.matches("lost", said)
    assert.equal(0, status)
  end)

  it("gives the cluster that it simulates, and closes what was left open", function()
    local said, status = run([[
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool {
        contactPoints = moonpool.embedded.contactPoints, localDataCenter = os.getenv "CASSANDRA_DC",
      }
      assert(pool:connect())
      print(#moonpool.embedded.contactPoints, #pool:getHosts(), pool:execute "SELECT cluster_name FROM system.local"
        :first().cluster_name)
      local first = os.getenv "CASSANDRA_HOSTS":match "[^,]+"
      local other = moonpool.ConnectionPool { contactPoints = { first }, localDataCenter = "datacenter1" }
      assert(other:connect())
      print(first == moonpool.embedded.hosts[1])
    ]], "--embedded 2")
    assert.equal("2\t2\tmoonpool\ntrue\n", said)
    assert.equal(0, status)
  end)

  it("hands the configuration of --config to the first pool without one", function()
    local config = file_with "return { contactPoints = { '127.0.0.1' }, localDataCenter = 'datacenter1' }"
    local said, status = run([[
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool()
      assert(pool:connect())
      print(moonpool.config ~= nil, #pool:getHosts())
      pool:close()
    ]], "--embedded 1 --config " .. config)
    assert.equal("true\t1\n", said)
    assert.equal(0, status)
    said, status = run "require('moonpool').ConnectionPool()"
    assert.matches("a configuration expected", said)
    assert.equal(1, status)
    os.remove(config)
  end)

  it("names the file and line of a wrong configuration", function()
    local said, status, path = run [[
      local moonpool = require "moonpool"
      moonpool.ConnectionPool {
        contactPoint = { "127.0.0.1" } }
    ]]
    assert.matches(path .. ":%d+: .*contactPoint", said)
    assert.equal(1, status)
  end)

  for _, signal in ipairs { { "INT", 130 }, { "TERM", 143 } } do
    it("ends in order on SIG" .. signal[1], function()
      local path = file_with [[
        local moonpool = require "moonpool"
        local pool = moonpool.ConnectionPool { contactPoints = moonpool.embedded.contactPoints,
          localDataCenter = "datacenter1" }
        assert(pool:connect())
        print "up"
        io.stdout:flush()
        while true do assert(pool:execute "SELECT key FROM system.local") moonpool.sleep(1) end
      ]]
      -- The shell of popen ignores SIGINT for what it runs in the background; env gives it back its meaning.
      local said, status = sh(string.format("env --default-signal=INT '%s' run --embedded 1 '%s' & app=$!; " ..
        "sleep 1.5; kill -%s $app; wait $app", build "moonpool", path, signal[1]))
      os.remove(path)
      assert.matches("up", said)
      assert.not_matches("ERROR", said)
      assert.equal(signal[2], status)
    end)
  end
end)

describe("the examples", function()
  for _, example in ipairs { "simple_pool", "stats", "events" } do
    it("run as they stand: " .. example, function()
      local said, status = moonpool("run --embedded 3 '" .. MOONPOOL_ROOT .. "/examples/" .. example .. ".lua'")
      assert.equal(0, status, said)
    end)
  end

  it("run as they stand: quickstart", function()
    local said, status = moonpool("run --embedded 3 '" .. MOONPOOL_ROOT .. "/examples/quickstart.lua'")
    assert.equal(0, status, said)
    for _, word in ipairs { "hostDown", "failover", "hostUp", "policyReload", "policyError" } do
      assert.matches(word, said, 1, true)
    end
    assert.matches("%d+ requests, 0 failed", said)
  end)

  it("run as they stand: embed, a C program with its own libuv loop", function()
    local config = file_with ""
    local path = file_with(string.format([[
      local moonpool = require "moonpool"
      local file = assert(io.open(%q, "w"))
      file:write("return { contactPoints = { '127.0.0.1' }, port = ", moonpool.embedded.port,
        ", localDataCenter = 'datacenter1' }")
      file:close()
      local pipe = assert(io.popen(%q))
      moonpool.sleep(3000)
      io.write(pipe:read "*a")
      pipe:close()
    ]], config, "'" .. build "examples/moonpool-embed" .. "' " .. config .. " 2>&1; echo status $?"))
    local said = moonpool("run --embedded 3 '" .. path .. "'")
    os.remove(path)
    os.remove(config)
    assert.matches("user 10", said)
    assert.matches("10 rows from 127", said)
    assert.matches("status 0", said)
  end)
end)

describe("the command line", function()
  it("has help everywhere", function()
    for _, command in ipairs { "", "run", "serve", "ctl", "sim", "check", "explain", "test", "compare",
      "replay", "new", "shell", "sign", "version" } do
      local said, status = moonpool(command .. " --help")
      assert.matches("Usage: moonpool", said)
      assert.equal(0, status)
    end
  end)

  it("tells its version", function()
    local said, status = moonpool "version"
    assert.matches("^moonpool %d+%.%d+%.%d+ %(LuaJIT", said)
    assert.matches("CQL native protocol v5, v4 and v3; compression: lz4, snappy; TLS: yes; HTTP: yes; io_uring: ",
      said, 1, true)
    assert.matches("; io_uring: %a+[^()]*%)\n$", said)
    assert.equal(0, status)
    said = moonpool("version", "MOONPOOL_IO_URING=off ")
    if not said:find "built without" then assert.matches("io_uring: no, MOONPOOL_IO_URING is off)\n", said, 1, true) end
  end)

  it("answers wrong usage with status 2", function()
    for _, arguments in ipairs { "", "nonsense", "run", "run --embedded", "run --embedded 0 x.lua",
      "run --embedded x y", "run --nonsense x.lua", "sim --nodes 0", "sim --port 70000", "sim extra", "check" } do
      local said, status = moonpool(arguments)
      assert.equal(2, status, arguments .. ": " .. said)
      assert.matches("moonpool", said)
    end
  end)
end)

-- Shell: waits until somebody listens there, ten seconds at most.
local function listening(port)
  return string.format("timeout 10 bash -c 'until (: </dev/tcp/127.0.0.1/%d) 2>/dev/null; do sleep 0.05; done'", port)
end

describe("moonpool sim", function()
  it("serves other processes until it is told to stop", function()
    local app = file_with([[
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = ]] .. ports.at(23) .. [[,
        localDataCenter = "datacenter2" }
      assert(pool:connect())
      local dcs = {}
      for _, host in ipairs(pool:getHosts()) do dcs[#dcs + 1] = host.datacenter end
      table.sort(dcs)
      print(table.concat(dcs, " "))
      pool:close()
    ]])
    local exe = build "moonpool"
    local said, status = sh(string.format("'%s' sim --nodes 4 --dcs 2 --port %d & sim=$!; %s; " ..
      "'%s' run '%s'; kill -TERM $sim; wait $sim", exe, ports.at(23), listening(ports.at(23)), exe, app))
    os.remove(app)
    assert.matches("datacenter1 datacenter1 datacenter2 datacenter2", said)
    assert.equal(0, status)
  end)

  it("says why it cannot start", function()
    local exe = build "moonpool"
    local said, status = sh(string.format("'%s' sim --nodes 1 --port %d >/dev/null & sim=$!; %s; " ..
      "'%s' sim --nodes 1 --port %d; status=$?; kill -TERM $sim; wait $sim; (exit $status)",
      exe, ports.at(24), listening(ports.at(24)), exe, ports.at(24)))
    assert.equal(1, status, said)
    assert.matches("moonpool: ", said)
  end)
end)
