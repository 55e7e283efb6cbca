-- SPDX-License-Identifier: Apache-2.0
-- moonpool run: an application in a coroutine. It ends when the file and every coroutine that it spawned have ended;
-- then pools that are still open are closed. A number that the file returns is the exit status.
local cli = require "moonpool.cli_core"
local config = require "moonpool.config"
local control = require "moonpool.cli.control"
local core = require "moonpool.core_loader"
local embedded = require "moonpool.cli.embedded"
local modules = require "moonpool.modules"
local paths = require "moonpool.paths"
local pool = require "moonpool.pool"
local say = require "moonpool.cli.say"

local run = {}

function run.define(parser)
  local command = parser:command("run", "Run a Lua application.")
  command:option("--config", "A configuration file: what moonpool.ConnectionPool() takes when it is given nothing.")
    :argname "FILE"
  command:option("--embedded", "Simulate a cluster of N nodes in this process, and tell the application where it " ..
    "is: moonpool.embedded, and CASSANDRA_HOSTS unless it is set.")
    :argname "N"
    :convert(embedded.nodes)
  command:option("--dcs", "Of the simulated cluster: how many datacentres its nodes stand in."):argname "N"
    :convert(embedded.dcs)
  command:option("--control", "Answer 'moonpool ctl' at this path while the application runs."):argname "PATH"
  command:argument("app", "The application: a Lua file."):argname "APP.lua"
  command:argument("args", "Its arguments: ... and arg in the file."):args "*":argname "ARG"
end

local function failed(message)
  say.error(core.errorText(message))
  return 1
end

-- The status of an application that ended, or of the signal that ended it.
local function finish(ok, result)
  if ok then core.settle() end
  local signal = cli.caughtSignal()
  core.finish()
  if signal then return 128 + signal end
  if not ok then return failed(result) end
  return type(result) == "number" and result or 0
end

function run.run(options)
  local moonpool = require "moonpool"
  local chunk, message = loadfile(options.app)
  if not chunk then return failed(message) end
  if options.config then
    local ok, why = config.look(options.config, core.readFile) -- a wrong path shows before the application runs
    if not ok then return failed(why) end
    pool.default = paths.absolute(options.config)
    moonpool.config = options.config
  end
  arg = { [0] = options.app, unpack(options.rest) }
  if options.dcs and not options.embedded then
    say.failed "--dcs is of the simulated cluster: it wants --embedded N"
    return 2
  end
  cli.watchSignals()
  modules.enter() -- for good: coroutines go on after the application itself has ended
  if options.embedded then
    local ok, why = pcall(embedded.provide, moonpool, options.embedded, options.dcs)
    if not ok then return failed(why) end
  end
  cli.onHangup(control.on_hangup)
  if options.control then
    local server, why = control.listen(options.control)
    if not server then
      core.finish()
      return failed("moonpool: " .. why)
    end
  end
  return finish(pcall(core.run, chunk, unpack(options.rest)))
end

return run
