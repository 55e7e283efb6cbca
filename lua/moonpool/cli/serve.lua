-- SPDX-License-Identifier: Apache-2.0
-- moonpool serve: a pool with its handlers as a daemon. It connects, trying again for as long as it takes, answers at
-- its control socket, reads its files again on SIGHUP, and ends in order on SIGTERM or SIGINT.
local cli = require "moonpool.cli_core"
local config = require "moonpool.config"
local control = require "moonpool.cli.control"
local core = require "moonpool.core_loader"
local embedded = require "moonpool.cli.embedded"
local modules = require "moonpool.modules"
local playbooks = require "moonpool.playbook"
local pool = require "moonpool.pool"
local say = require "moonpool.cli.say"

local FIRST_WAIT_S, LONGEST_WAIT_S = 1, 30

local serve = {}

-- Where a process answers unless it is told another place: for this user alone.
function serve.default_path()
  local folder = os.getenv "XDG_RUNTIME_DIR"
  if folder and folder ~= "" then return folder .. "/moonpool.sock" end
  return ("/tmp/moonpool-%d.sock"):format(cli.userId())
end

function serve.define(parser)
  local command = parser:command("serve", "Run a pool with its handlers as a daemon, until SIGTERM or SIGINT. " ..
    "SIGHUP reads its files again.")
  command:argument("file", "The configuration."):argname "FILE"
  command:flag("--check", "Only look whether the configuration, and what it names, would be taken, as " ..
    "'moonpool check' does.")
  command:option("--control", "Where 'moonpool ctl' finds it (default: the configuration's control, or " ..
    "$XDG_RUNTIME_DIR/moonpool.sock)."):argname "PATH"
  command:option("--embedded", "Simulate a cluster of N nodes in this process, to try it out."):argname "N"
    :convert(embedded.nodes)
  command:option("--dcs", "Of the simulated cluster: how many datacentres its nodes stand in."):argname "N"
    :convert(embedded.dcs)
end

local function told(...) say.line("moonpool: " .. table.concat { ... }) end

local function failed(message)
  say.failed(core.errorText(message))
  core.finish()
  return 1
end

-- A configuration that changed is tried at once.
local function wait(self, checked, seconds)
  for _ = 1, seconds do
    if pool.configuration(self) ~= checked then return end
    core.sleep(1000)
  end
end

local function connect(self)
  local seconds = FIRST_WAIT_S
  while true do
    local checked = pool.configuration(self)
    local ok, err = self:connect()
    if ok then break end
    told("cannot connect, trying again in ", seconds, " s: ", tostring(err))
    pool.refresh(self) -- what changed during the attempt could not be taken as a whole
    wait(self, checked, seconds)
    seconds = math.min(seconds * 2, LONGEST_WAIT_S)
  end
  local up, hosts = 0, self:getHosts()
  for _, host in ipairs(hosts) do up = up + (host.status == "up" and 1 or 0) end
  told("connected, ", up, " of ", #hosts, " hosts are up")
  cli.notify(("STATUS=connected, %d of %d hosts were up"):format(up, #hosts))
end

-- Signs of life come from the loop, so that they end when it is held up.
local function live(every)
  core.serve()
  while true do
    cli.notify "WATCHDOG=1"
    core.sleep(every)
  end
end

local function work(self)
  local watchdog = cli.watchdogMs()
  if watchdog > 0 then core.start(live, math.max(1, watchdog / 3)) end
  cli.notify "READY=1\nSTATUS=connecting" -- a cluster that is away is no reason to end
  connect(self)
  while true do core.sleep(1e9) end
end

function serve.run(options)
  if options.check then return require("moonpool.cli.check").run { files = { options.file } } end
  local moonpool = require "moonpool"
  cli.watchSignals()
  modules.enter() -- for good, also while the handlers file is loaded
  if options.embedded then
    local ok, why = pcall(embedded.provide, moonpool, options.embedded, options.dcs)
    if not ok then return failed(why) end
  end
  local source, wrong = config.read(options.file, nil, core.readFile)
  if not source then return failed(wrong) end
  playbooks.folder = os.getenv "STATE_DIRECTORY" or options.file .. ".state"
  local made, self, why = pcall(pool.from, source)
  if not made or not self then return failed(self or why) end
  cli.onHangup(control.on_hangup)
  local path = options.control or pool.configuration(self).control or serve.default_path()
  local server
  server, why = control.listen(path)
  if not server then return failed(why) end
  told("serving ", options.file, ", control socket ", path)
  local ok, message = pcall(core.run, work, self)
  local signal = cli.caughtSignal()
  if not signal then return failed(ok and "nothing is left to do" or message) end
  cli.notify "STOPPING=1"
  told("ending: requests in flight may finish")
  pcall(core.run, function() self:close() end)
  core.closeControl(server)
  core.finish()
  return 0
end

return serve
