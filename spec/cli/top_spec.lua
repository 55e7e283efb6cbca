-- SPDX-License-Identifier: Apache-2.0
-- moonpool top: what it shows of a process that runs, by a terminal; what it draws, for screens of any size.
local ffi = require "ffi"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local screen = require "moonpool.cli.top_screen"
local tmux = require "spec.cli.tmux"
require "spec.support.sim_process" -- kill, usleep

local APP = [[
local moonpool = require "moonpool"
local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
  circuitBreaker = { enabled = true } }
assert(pool:connect())
io.open(%q .. "/ready", "w"):close()
while not io.open(%q .. "/stop") do
  pool:execute "SELECT key FROM system.local"
  moonpool.sleep(10)
end
pool:close()
]]

local folder, window

local function eventually(what, condition)
  return program.eventually(what, condition, function() return policies.read(folder .. "/log") end)
end

local function ctl(arguments)
  return program.sh(("'%s' ctl --control %s/ctl.sock %s"):format(program.moonpool, folder, arguments))
end

local function start()
  os.execute(("rm -f %s/ready %s/stop %s/ended"):format(folder, folder, folder))
  policies.write(folder .. "/app.lua", APP:format(folder, folder))
  local command = "( '%s' run --embedded 4 --control %s/ctl.sock %s/app.lua > %s/log 2>&1 < /dev/null; "
  os.execute((command .. "touch %s/ended ) &"):format(program.moonpool, folder, folder, folder, folder))
  eventually("the application is ready", function() return io.open(folder .. "/ready") end)
end

local function stop()
  policies.write(folder .. "/stop", "")
  eventually("its end", function() return io.open(folder .. "/ended") end)
end

local function open(options)
  options = options or {}
  window = tmux.open(("'%s' top --control %s/ctl.sock --interval 0.2"):format(program.moonpool, folder),
    { columns = options.columns or 100, rows = options.rows or 24, environment = options.environment })
  return window
end

-- How the terminal is left: lines are read by the line, and shown while they are typed.
local function assert_restored(status)
  local text = window:wait("status " .. status)
  text = text:find "icanon" and text or window:wait "icanon"
  assert.is_nil(text:find "%-icanon")
  assert.is_nil(text:find "%-echo[ ;\n]")
end

describe("moonpool top", function()
  if tmux.missing() then return it("is driven through tmux", function() pending(tmux.missing()) end) end

  setup(function()
    folder = policies.folder()
    start()
  end)

  after_each(function()
    if window then window:close() end
    window = nil
  end)

  teardown(function()
    stop()
    policies.remove(folder)
  end)

  it("shows hosts, a node that is killed, and what happens to it", function()
    open()
    local text = window:wait "4 of 4 hosts up"
    assert.matches("healthy: 4 of 4 hosts up", text)
    assert.matches("HOST +STATE +CONN +FLIGHT +REQ/S +P50 MS +P99 MS +ERR %% +BREAKER", text)
    for i = 1, 4 do assert.matches("127%.0%.0%." .. i .. ":%d+ +up +1 ", text) end
    window:wait "127%.0%.0%.1:%d+ +up +%d+ +%d+ +[1-9][%d.]+ " -- req/s
    ctl "node 3 kill"
    text = window:wait "127%.0%.0%.3:%d+ +down +0"
    assert.matches("degraded: 3 of 4 hosts up", text)
    window:wait "hostDown +127%.0%.0%.3:%d+: "
    ctl "node 3 start"
    window:wait "hostUp +127%.0%.0%.3:"
    window:wait "127%.0%.0%.3:%d+ +up"
    window:press "q"
    assert_restored(0)
  end)

  it("sorts, and pauses, resumes and drains the chosen host after a question", function()
    open()
    window:wait "vHOST"
    window:press "s"
    window:wait "vDC/RACK +STATE"
    window:press "s"
    window:wait "HOST +vSTATE"
    window:press("S", "S", "o")
    window:wait "%^HOST"
    window:press "o"
    window:wait "vHOST"
    window:press("Down", "p")
    window:wait "pause 127%.0%.0%.2:%d+%? "
    window:press "n"
    window:wait_without "pause 127%.0%.0%.2:%d+%? "
    assert.matches("127%.0%.0%.2:%d+ +up", (ctl "hosts"))
    window:press("p", "y")
    window:wait "pause 127%.0%.0%.2:%d+: done"
    window:wait "127%.0%.0%.2:%d+ +paused"
    window:press("r", "y")
    window:wait "127%.0%.0%.2:%d+ +up"
    window:press("d", "y")
    window:wait "drain 127%.0%.0%.2:%d+: done"
    window:wait "127%.0%.0%.2:%d+ +draining +0"
    window:press("r", "y")
    window:wait "127%.0%.0%.2:%d+ +up"
    window:press "?"
    window:wait "moonpool top: keys"
    window:press "?"
    window:wait "vHOST"
    window:press "C-c"
    assert_restored(130)
  end)

  it("follows the size of its terminal, and does without colours", function()
    open { environment = "TERM=vt100" }
    window:wait "BREAKER"
    window:resize(44, 10)
    window:wait_without "BREAKER"
    window:wait "HOST +STATE"
    window:resize(120, 30)
    window:wait "DC/RACK +STATE.*WEIGHT"
    window:press "q"
    assert_restored(0)
  end)

  it("says that the process has gone, and goes on when it is back", function()
    open()
    window:wait "4 of 4 hosts up"
    stop()
    window:wait "lost: .*no process serves it"
    start()
    window:wait_without "lost: "
    window:wait "4 of 4 hosts up"
    window:press "q"
    assert_restored(0)
  end)

  for name, number in pairs { TERM = 15, QUIT = 3, HUP = 1 } do
    it("leaves the terminal as it was by SIG" .. name, function()
      open()
      window:wait "4 of 4 hosts up"
      local found = program.sh(("pgrep -f '^%s top --control %s/'"):format(program.moonpool, folder))
      ffi.C.kill(assert(tonumber(found:match "^%d+"), found), number)
      assert_restored(number == 1 and 0 or 128 + number)
    end)
  end

  it("says what it lacks: a terminal that can move its cursor, lua-curses", function()
    open { environment = "TERM=dumb" }
    assert.matches("this terminal %(TERM=dumb%) cannot move its cursor", window:wait "status 1")
    local said, status = program.sh(("'%s' top < /dev/null"):format(program.moonpool))
    assert.equal(1, status)
    assert.matches("standard input and output are no terminal", said)
    policies.write(folder .. "/curses.lua", "error \"module 'curses' not found\"")
    said, status = program.sh(("LUA_PATH='%s/?.lua' '%s' top"):format(folder, program.moonpool))
    assert.equal(1, status)
    assert.matches("apt install lua-curses", said, 1, true)
    assert.equal(2, select(2, program.sh(("'%s' top --interval 0"):format(program.moonpool))))
  end)
end)

-- ---- what is drawn ----------------------------------------------------------------------------------------

local STATES = { "up", "down", "paused", "draining", "new" }

local function some_host(i)
  return { address = ("10.0.%d.%d:9042"):format(math.random(0, 255), i), datacenter = ("d"):rep(math.random(0, 40)),
    rack = "r" .. i, status = STATES[math.random(#STATES)], connections = math.random(0, 4096),
    inFlight = math.random(0, 99999), weight = math.random() * 1e6, requestsPerSecond = math.random() * 1e7,
    latencyP50 = math.random() * 1e5, latencyP99 = i % 3 > 0 and math.random() * 1e6 or nil, errorRate = math.random(),
    breaker = i % 2 == 0 and "halfOpen" or nil }
end

local function some_model(hosts, events)
  local model = { place = "/run/moonpool.sock", pools = 1, at = 1, sort = screen.sorts[math.random(#screen.sorts)],
    reversed = math.random(2) == 1, events = {}, pool = { overall = "healthy", hosts = {}, figures = { hostsUp = 1,
    totalConnections = 2, requestsInFlight = 3, requestsQueued = 0 } } }
  for i = 1, hosts do model.pool.hosts[i] = some_host(i) end
  for i = 1, events do model.events[i] = { at = i, event = "hostDown", host = ("h"):rep(i), reason = "why" } end
  model.chosen = hosts > 0 and model.pool.hosts[math.random(hosts)].address or nil
  return model
end

describe("the screen of moonpool top", function()
  local function text_of(lines)
    local texts = {}
    for i, spans in ipairs(lines) do
      texts[i] = ""
      for _, span in ipairs(spans) do texts[i] = texts[i] .. span[1] end
    end
    return texts
  end

  it("has as many lines as there are rows, the chosen host and the state of the pool among them", function()
    math.randomseed(7)
    for _ = 1, 150 do
      local rows, columns = math.random(8, 60), math.random(32, 200)
      local model = some_model(math.random(0, 80), math.random(0, 80))
      local texts = text_of(screen.lines(model, rows, columns))
      assert.equal(rows, #texts)
      local whole = table.concat(texts, "\n")
      if model.chosen then assert.is_truthy(whole:find(model.chosen, 1, true), whole) end
      for _, text in ipairs(texts) do
        if text:find "^[v^]?HOST" then assert.is_true(#text <= math.max(columns, 51), text) end
      end
    end
  end)

  it("keeps its last line for what matters, however small it is", function()
    for rows = 1, 12 do
      for columns = 1, 40, 3 do
        local model = some_model(5, 5)
        model.lost = "lost: nobody answers"
        local texts = text_of(screen.lines(model, rows, columns))
        assert.equal(rows, #texts)
        assert.equal(model.lost, texts[rows])
      end
    end
  end)

  it("is printable ASCII, whatever servers and files wrote", function()
    math.randomseed(8)
    local function bytes()
      local list = {}
      for i = 1, math.random(0, 40) do list[i] = string.char(math.random(0, 255)) end
      return table.concat(list)
    end
    for _ = 1, 100 do
      local model = some_model(6, 0)
      for _, host in ipairs(model.pool.hosts) do
        host.address, host.datacenter, host.rack = bytes(), bytes(), bytes()
      end
      for i = 1, 10 do
        local host = i % 2 == 0 and bytes() or nil
        model.events[i] = { at = i, event = bytes(), what = { [bytes()] = bytes() }, host = host }
      end
      model.message, model.place = bytes(), bytes()
      for _, text in ipairs(text_of(screen.lines(model, 24, 120))) do assert.is_nil(text:find "[^\32-\126]") end
    end
  end)

  it("sorts by each column, both ways", function()
    local hosts = some_model(40, 0).pool.hosts
    for _, title in ipairs(screen.sorts) do
      local one, other = screen.sorted(hosts, title, false), screen.sorted(hosts, title, true)
      assert.equal(#hosts, #one)
      assert.equal(#hosts, #other)
    end
    assert.equal("down", screen.sorted(hosts, "STATE", false)[1].status)
  end)
end)
