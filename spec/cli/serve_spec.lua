-- SPDX-License-Identifier: Apache-2.0
-- The daemon and those who talk to it, as real processes: moonpool serve, moonpool ctl, SIGHUP, and hostile clients.
local ffi = require "ffi"
local json = dofile(MOONPOOL_ROOT .. "/lua/moonpool/cli/json.lua")
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local unix = require "spec.support.unix"
local close, send = unix.close, unix.send

ffi.cdef "int kill(int pid, int signal);"
local HUP, TERM, INT, KILL = 1, 15, 2, 9

local exe = MOONPOOL_BUILD_DIR .. "/moonpool"
local folder, processes

local function file(name) return folder .. "/" .. name end
local read = policies.read

local function logs()
  local list = {}
  for i, process in ipairs(processes) do list[i] = read(process.log) end
  return table.concat(list, "\n--\n")
end

local function eventually(what, condition) return program.eventually(what, condition, logs) end

local Process = {}
Process.__index = Process

function Process:said(text) return eventually(text, function() return read(self.log):find(text, 1, true) end) end
function Process:signal(number) ffi.C.kill(self.pid, number) end
function Process:status()
  return eventually("the end", function() return tonumber(read(self.log):match "\nstatus (%d+)\n$") end)
end
function Process:stop(number)
  self:signal(number or TERM)
  return self:status()
end

local function start(arguments, environment)
  local number = #processes + 1
  local log, pid = file("log" .. number), file("pid" .. number)
  os.execute(("( %s sh -c 'echo $$ > %s; exec \"%s\" %s' > %s 2>&1 < /dev/null; echo \"\nstatus $?\" >> %s ) &")
    :format(environment or "", pid, exe, arguments, log, log))
  local process = setmetatable({ log = log }, Process)
  processes[number] = process
  process.pid = eventually("a process", function() return tonumber(read(pid)) end)
  return process
end

local function ctl(arguments, environment)
  return program.sh(("%s '%s' ctl %s"):format(environment or "", exe, arguments))
end

local CONFIG = [[
local hosts = {}
for host in os.getenv "CASSANDRA_HOSTS":gmatch "[^,]+" do hosts[#hosts + 1] = host end
return { contactPoints = hosts, localDataCenter = "datacenter1", %s }
]]
local function configure(extra) policies.write(file "pool.lua", CONFIG:format(extra or "")) end
local function handlers(text) policies.write(file "handlers.lua", "return function(pool) " .. text .. " end") end

local function serve(arguments)
  local process = start(("serve --embedded 2 --control %s %s %s"):format(file "ctl.sock", arguments or "",
    file "pool.lua"))
  process:said "connected, 2 of 2 hosts are up"
  return process
end

local function on(arguments) return "--control " .. file "ctl.sock" .. " " .. arguments end

before_each(function()
  folder, processes = policies.folder(), {}
end)
after_each(function()
  for _, process in ipairs(processes) do
    if process.pid and not read(process.log):find "\nstatus %d" then process:stop(KILL) end
  end
  os.execute("rm -rf '" .. folder .. "'")
end)

describe("moonpool serve", function()
  it("connects, handles events, and ends in order", function()
    configure('handlers = "handlers.lua"') -- beside the configuration
    handlers 'pool:on("hostUp", function(host) print("handler saw " .. host) io.stdout:flush() end)'
    local process = serve()
    process:said "handler saw 127.0.0.1"
    assert.equal(0, process:stop(TERM))
    assert.is_nil(io.open(file "ctl.sock"))
    assert.not_matches("ERROR", read(process.log))
  end)

  it("runs the example, where it is looked at and told", function()
    local process = start(("serve --embedded 3 --control %s %s/examples/daemon/pool.lua"):format(file "ctl.sock",
      MOONPOOL_ROOT))
    process:said "3 of 3 hosts are up"
    process:said "is up, version "
    assert.matches("healthy: 3 hosts up", (ctl(on "health")))
    assert.same({ "reloaded\n", 0 }, { ctl(on "reload") })
    assert.equal(0, process:stop())
  end)

  it("ends in order on SIGINT, too", function()
    configure()
    local process = start(("serve --embedded 1 --control %s %s"):format(file "ctl.sock", file "pool.lua"),
      "env --default-signal=INT")
    process:said "connected"
    assert.equal(0, process:stop(INT))
  end)

  it("tries until there is a cluster, and takes a better configuration at once", function()
    policies.write(file "pool.lua", 'return { contactPoints = { "127.0.0.1:1" }, localDataCenter = "wrong", '
      .. 'pooling = { connectionTimeout = 300 } }')
    local process = start(("serve --embedded 1 --control %s %s"):format(file "ctl.sock", file "pool.lua"))
    process:said "cannot connect, trying again in 2 s: NO_HOST_AVAILABLE"
    configure()
    process:said "connected, 1 of 1 hosts are up"
    assert.equal(0, process:stop())
  end)

  it("can be told to end while it tries", function()
    policies.write(file "pool.lua", 'return { contactPoints = { "127.0.0.1:1" } }')
    local process = start(("serve --control %s %s"):format(file "ctl.sock", file "pool.lua"))
    process:said "cannot connect"
    assert.equal(0, process:stop())
  end)

  it("refuses a wrong configuration with its line, and wrong usage", function()
    policies.write(file "pool.lua", "return {\n  contactPoints = 5 }")
    local process = start("serve " .. file "pool.lua")
    assert.equal(1, process:status())
    process:said(file "pool.lua" .. ":2: contactPoints: got 5 (number)")
    configure 'handlers = "none.lua"'
    process = start("serve --embedded 1 " .. file "pool.lua")
    assert.equal(1, process:status())
    process:said("handlers: " .. file "none.lua" .. ": No such file")
    assert.equal(1, start("serve /nonexistent.lua"):status())
    assert.equal(2, start("serve"):status())
    assert.equal(2, start("serve --embedded 0 x"):status())
  end)

  it("reads its files again on SIGHUP and when they change; what is refused changes nothing", function()
    configure('handlers = "handlers.lua", requestTimeout = 5000')
    handlers [[
      pool:on("configReload", function(e) print("told", e.changes[1].key, e.changes[1].to) io.stdout:flush() end)
    ]]
    local process = serve()
    process:signal(HUP)
    process:said "SIGHUP: pool 1: reloaded"
    configure('handlers = "handlers.lua", requestTimeout = 6000')
    process:said "told\trequestTimeout\t6000"
    configure('handlers = "handlers.lua", keyspace = "other"')
    process:said("keyspace: (not set) -> \"other\" cannot be applied while the pool runs")
    process:signal(HUP)
    process:said("SIGHUP: pool 1: " .. file "pool.lua")
    handlers "error 'no'"
    process:said "handlers refused"
    assert.matches("healthy: 2 hosts up", (ctl(on "health")))
    assert.equal(0, process:stop())
  end)

  it("notices files that are renamed over, and links that are swapped", function()
    local function version(number)
      local place = file("v" .. number)
      os.execute("mkdir " .. place)
      policies.write(place .. "/pool.lua", CONFIG:format(('handlers = "%s/current/handlers.lua", requestTimeout = %d')
        :format(folder, 1000 * number)))
      policies.write(place .. "/handlers.lua", ("return function(pool) pool:on('configReload', function(e) " ..
        "print('v%d', e.changes[1].to) io.stdout:flush() end) end"):format(number))
      return place
    end
    local function swap(place) -- as tools do: a new link, renamed over the old one
      os.execute(("ln -s %s %s/next && mv -T %s/next %s/current"):format(place, folder, folder, folder))
    end
    swap(version(1))
    local process = start(("serve --embedded 1 --control %s %s/current/pool.lua"):format(file "ctl.sock", folder))
    process:said "connected"
    swap(version(2)) -- both files at once
    process:said "\t2000"
    eventually("the new handlers", function()
      policies.write(file "v2/new", read(file "v2/pool.lua"):gsub("requestTimeout = %d+", "requestTimeout = 3000"))
      os.rename(file "v2/new", file "v2/pool.lua")
      return read(process.log):find("v2\t3000", 1, true) or read(process.log):find("v1\t3000", 1, true)
    end)
    process:said "v2\t3000"
    assert.equal(0, process:stop())
  end)

  it("has its control socket for itself, and takes over one that was left behind", function()
    configure()
    local first = serve()
    local second = start(("serve --embedded 1 --control %s %s"):format(file "ctl.sock", file "pool.lua"))
    assert.equal(1, second:status())
    second:said "ctl.sock cannot be made: another process serves it"
    assert.equal(0, select(2, ctl(on "stats")))
    first:signal(KILL)
    first:status()
    local text, status = ctl(on "stats")
    assert.equal(1, status)
    assert.matches("no process serves it any more", text)
    local third = serve()
    assert.equal(0, select(2, ctl(on "stats")))
    assert.equal(0, third:stop())
  end)

  it("does not touch what is no socket, and says why a socket cannot be made", function()
    configure()
    for _, case in ipairs {
      { "touch %s", "something else, which is no socket" }, { "mkdir %s", "something else" },
      { "ln -s /etc/passwd %s", "something else" }, { "mkfifo %s", "something else" },
    } do
      os.execute(case[1]:format(file "ctl.sock"))
      local process = start(("serve --embedded 1 --control %s %s"):format(file "ctl.sock", file "pool.lua"))
      assert.equal(1, process:status())
      process:said(case[2])
      assert.is_true(os.execute(("test -e %s"):format(file "ctl.sock")) == 0)
      os.execute("rm -rf " .. file "ctl.sock")
    end
    local process = start(("serve --embedded 1 --control %s/none/x %s"):format(folder, file "pool.lua"))
    assert.equal(1, process:status())
    process:said "there is no such folder"
    process = start(("serve --embedded 1 --control %s %s"):format(file(("x"):rep(120)), file "pool.lua"))
    assert.equal(1, process:status())
    process:said "a path of 1 to 107 bytes expected"
  end)

  it("takes its socket's place from the configuration or the environment, for this user alone", function()
    configure(('control = "%s"'):format(file "own.sock"))
    local process = start(("serve --embedded 1 %s"):format(file "pool.lua"))
    process:said("control socket " .. file "own.sock")
    process:said "connected"
    assert.equal(0, select(2, ctl("--control " .. file "own.sock" .. " stats")))
    assert.equal(0, os.execute(('test "$(stat -c %%a %s)" = 600'):format(file "own.sock")))
    process:stop()
    configure()
    local environment = "XDG_RUNTIME_DIR=" .. folder
    process = start(("serve --embedded 1 %s"):format(file "pool.lua"), environment)
    process:said("control socket " .. file "moonpool.sock")
    process:said "connected"
    assert.equal(0, select(2, ctl("stats", environment)))
    process:stop()
  end)
end)

describe("moonpool ctl", function()
  it("reloads, rolls back and looks, as text and as JSON", function()
    policies.write(file "mine.lua",
      "return balance { name = 'One', plan = function(plan) plan:hosts(localDc, inTurn) end }")
    configure(('loadBalancing = { policy = "%s" }'):format(file "mine.lua"))
    local process = serve()
    local text, status = ctl(on "policies")
    assert.equal(0, status)
    assert.matches("balance +One +1 ", text)
    text, status = ctl(on "rollback balance")
    assert.equal(1, status)
    assert.matches("there is no earlier generation of the balance policy", text)
    policies.write(file "mine.lua",
      "return balance { name = 'Two', plan = function(plan) plan:hosts(localDc, shuffled) end }")
    assert.same({ "reloaded\n", 0 }, { ctl(on "reload") })
    assert.matches("balance +Two +%d+ ", (ctl(on "policies")))
    text, status = ctl(on "rollback balance")
    assert.equal(0, status)
    assert.matches("balance: generation %d serves", text)
    policies.write(file "mine.lua", "return balance { name = 'Two', plan = 5 }")
    text, status = ctl(on "reload")
    assert.equal(1, status)
    assert.matches("mine.lua", text)
    assert.same({ "there was no canary\n", 0 }, { ctl(on "canary status") })
    text, status = ctl(on "canary promote balance")
    assert.equal(1, status)
    assert.matches("canary: no canary of the balance policy runs", text, 1, true)
    text, status = ctl(on "hosts")
    assert.equal(0, status)
    assert.matches("127.0.0.2:%d+ +up +local +datacenter1/rack1 +1 ", text)
    assert.matches("totalConnections +2", (ctl(on "stats")))
    local answer = json.decode((ctl(on "stats --json")):match "^(.-)\n")
    assert.equal(2, answer.pools[1].stats.totalConnections)
    answer = json.decode((ctl(on "hosts --json")):match "^(.-)\n")
    assert.equal(2, #answer.pools[1].hosts)
    text, status = ctl(on "reload --json")
    assert.equal(1, status)
    assert.is_false(json.decode(text:match "^(.-)\n").ok)
    assert.equal(0, process:stop())
  end)

  it("says when nobody answers", function()
    local text, status = ctl(on "stats")
    assert.equal(1, status)
    assert.matches("ctl.sock: no process serves it\n", text, 1, true)
    os.execute("touch " .. file "ctl.sock")
    assert.equal(1, select(2, ctl(on "stats")))
  end)

  it("answers wrong usage with status 2", function()
    for _, arguments in ipairs { "", "nonsense", "rollback", "reload twice", "stats --nonsense", "rollback a b" } do
      local text, status = ctl(arguments)
      assert.equal(2, status, arguments .. ": " .. text)
    end
    assert.matches("rollback KIND", (ctl "--help"))
  end)

  it("talks to an application, with all of its pools", function()
    policies.write(file "app.lua", [[
      local moonpool = require "moonpool"
      local function new() return moonpool.ConnectionPool { contactPoints = moonpool.embedded.contactPoints,
        localDataCenter = "datacenter1" } end
      local one, two, three = new(), new(), new()
      assert(one:connect()) assert(two:connect()) three:close()
      print "up" io.stdout:flush()
      while true do assert(one:execute "SELECT key FROM system.local") moonpool.sleep(5) end
    ]])
    local process = start(("run --embedded 1 --control %s %s"):format(file "ctl.sock", file "app.lua"))
    process:said "up"
    local text, status = ctl(on "reload")
    assert.same({ "pool 1\nreloaded\npool 2\nreloaded\n", 0 }, { text, status })
    process:signal(HUP)
    process:said "SIGHUP: pool 2: reloaded"
    assert.equal(128 + TERM, process:stop())
    assert.is_nil(io.open(file "ctl.sock"))
    assert.not_matches("ERROR", read(process.log))
  end)

  it("finds no pool where there is none", function()
    policies.write(file "app.lua", 'print "up" io.stdout:flush() require "moonpool".sleep(1e6)')
    local process = start(("run --control %s %s"):format(file "ctl.sock", file "app.lua"))
    process:said "up"
    local text, status = ctl(on "stats")
    assert.equal(1, status)
    assert.matches("there is no pool", text)
    process:stop()
  end)
end)

local function dial() return assert(unix.dial(file "ctl.sock"), "nobody listens") end

local function receive(fd) -- an answer, or nil when the other side has closed
  local line = unix.receive(fd)
  return line and json.decode(line)
end

describe("the control socket", function()
  local process
  before_each(function()
    configure()
    process = serve()
  end)

  -- Soon: those who left a moment ago may still be counted.
  local function works()
    eventually("an answer", function()
      local fd = dial()
      send(fd, '{"verb":"health"}\n')
      local answer = receive(fd)
      close(fd)
      return answer and answer.ok
    end)
  end

  it("answers line after line, also those that came together or in pieces", function()
    local fd = dial()
    send(fd, '{"verb":"health"}\n{"verb":"stats"}\n')
    assert.equal("healthy", receive(fd).pools[1].overall)
    assert.is_table(receive(fd).pools[1].stats)
    for byte in ('{"verb":"health"}\n'):gmatch "." do send(fd, byte) end
    assert.is_true(receive(fd).ok)
    send(fd, '{"verb":"health"}\n')
    unix.finish(fd) -- no more questions, but this answer
    assert.is_true(receive(fd).ok)
    assert.is_nil(receive(fd))
    close(fd)
    assert.equal(0, process:stop())
  end)

  it("survives what is no question", function()
    for _, line in ipairs {
      "", "{", "[]", "5", "null", '"reload"', "{}", '{"verb":5}', '{"verb":{}}', '{"verb":"exit"}',
      '{"verb":"__index"}',
      '{"verb":"rollback"}', '{"verb":"rollback","argument":[]}', '{"verb":"rollback","argument":"x"}', "\0\1\2\255",
      '{"verb":"\\ud800"}', '{"verb":"\\x"}', '{"verb":"a', ("["):rep(4000), ('{"a":'):rep(700), "reload",
      '{"verb":"stats"} {"verb":"stats"}', "nan", "-", "1e999", '{"verb":"stats","verb":"nonsense"}',
    } do
      local fd = dial()
      send(fd, line .. "\n")
      local answer = receive(fd)
      assert.is_false(answer.ok, line)
      assert.is_true(type(answer.error) == "string" or answer.pools[1].ok == false)
      close(fd)
    end
    works()
    assert.equal(0, process:stop())
    assert.not_matches("ERROR", read(process.log))
  end)

  it("closes on a line that is too long, and on those who do not wait", function()
    local fd = dial()
    send(fd, ("x"):rep(4097))
    assert.equal("a line has at most 4096 bytes", receive(fd).error)
    assert.is_nil(receive(fd))
    close(fd)
    fd = dial()
    send(fd, '{"verb":"health"')
    unix.finish(fd)
    assert.equal("the line has no end", receive(fd).error)
    assert.is_nil(receive(fd))
    close(fd)
    fd = dial()
    send(fd, ("x"):rep(4095) .. "\n")
    assert.is_false(receive(fd).ok)
    close(fd)
    for _ = 1, 200 do
      fd = dial()
      send(fd, '{"verb":"stats"}\n')
      close(fd)
    end
    works()
    assert.equal(0, process:stop())
  end)

  it("serves sixteen at a time and shuts the others out", function()
    local fds = {}
    for i = 1, 16 do
      fds[i] = dial()
      send(fds[i], '{"verb":"health"}\n')
      assert.is_true(receive(fds[i]).ok)
    end
    local other = dial()
    assert.equal("sixteen clients are served already", receive(other).error)
    assert.is_nil(receive(other))
    close(other)
    for _, fd in ipairs(fds) do
      send(fd, '{"verb":"health"}\n')
      assert.is_true(receive(fd).ok)
      close(fd)
    end
    works()
    assert.equal(0, process:stop())
  end)

  it("lets nobody else in, whatever has become of its mode", function()
    if not unix.is_root() then return pending "only root can be somebody else" end
    assert(os.execute(("chmod 666 '%s' && chmod 755 '%s'"):format(file "ctl.sock", folder)) == 0)
    local fd = unix.as_user(65534, dial)
    unix.offer(fd, '{"verb":"health"}\n')
    assert.is_nil(receive(fd))
    close(fd)
    process:said "a process of user 65534 was not let in: only this user and root are"
    works()
    assert.equal(0, process:stop())
  end)

  it("says so when no descriptor is left for a client", function()
    assert.equal(0, process:stop())
    policies.write(file "app.lua", [[
      local files = {}
      for _ = 1, 50 do files[#files + 1] = io.open "/dev/null" end
      print "full" io.stdout:flush()
      local moonpool = require "moonpool"
      moonpool.sleep(300)
      for _, each in ipairs(files) do each:close() end
      moonpool.sleep(1e6)
    ]])
    process = start(("run --control %s %s"):format(file "ctl.sock", file "app.lua"), "ulimit -n 40;")
    process:said "full"
    local text, status = ctl(on "stats")
    assert.same({ "moonpool: there is no pool\n", 1 }, { text, status })
    process:said "ctl.sock: a connection has to wait: Too many open files"
    process:stop()
  end)

  it("says so when no descriptor is left for itself", function()
    assert.equal(0, process:stop())
    policies.write(file "app.lua", 'print "fine"')
    local said = {}
    for limit = 5, 40 do
      local text, status = program.sh(("ulimit -n %d; '%s' run --control %s %s")
        :format(limit, exe, file "ctl.sock", file "app.lua"))
      if status == 0 then break end
      assert.equal(1, status, text)
      said[#said + 1] = text:match "[^\n]*no descriptor is free[^\n]*" or text:match "[^\n]*Too many open files[^\n]*"
      assert.is_string(said[#said], text)
    end
    assert.matches(file "ctl.sock" .. " cannot be made: no descriptor is free for it (ulimit -n)",
      table.concat(said, "\n"), 1, true)
  end)

  it("does not wait for somebody who takes no answers", function()
    local fd = dial()
    for _ = 1, 500 do send(fd, '{"verb":"stats"}\n') end
    works()
    assert.equal(0, process:stop())
    close(fd)
  end)
end)
