-- SPDX-License-Identifier: Apache-2.0
-- moonpool sim: the simulated cluster on real sockets, until a signal ends it.
local cli = require "moonpool.cli_core"
local cluster_control = require "moonpool.cli.cluster_control"
local control = require "moonpool.cli.control"
local core = require "moonpool.core_loader"
local say = require "moonpool.cli.say"
local whole = require "moonpool.cli.whole"

local sim = {}

function sim.define(parser)
  local command = parser:command("sim", "Run a simulated cluster on 127.0.0.1, 127.0.0.2, ... for any CQL client.")
  command:option("--nodes", "How many nodes, over all datacentres."):argname "N":default "3"
    :convert(whole(1, 100, "number of nodes"))
  command:option("--dcs", "How many datacentres: datacenter1, datacenter2, ..."):argname "N":default "1"
    :convert(whole(1, 32, "number of datacentres"))
  command:option("--port", "The port of every node."):argname "PORT":default "9042"
    :convert(whole(1, 65535, "port"))
  command:option("--control", "Answer 'moonpool ctl' (nodes, node N kill, rule, ...) at this path."):argname "PATH"
end

function sim.run(options)
  if options.dcs > options.nodes then
    say.failed(("%d nodes cannot stand in %d datacentres"):format(options.nodes, options.dcs))
    say.error "Try 'moonpool sim --help'."
    return 2
  end
  cli.watchSignals()
  local ok, cluster = pcall(require("moonpool.sim").cluster,
    { nodes = options.nodes, dcs = options.dcs, port = options.port })
  if not ok then
    return say.failed(("%s; is port %d taken?"):format((tostring(cluster):gsub("^[^\n:]+:%d+: ", "")), options.port))
  end
  if options.control then
    local server, why = control.listen(options.control)
    if not server then
      core.finish()
      return say.failed(why)
    end
    cluster_control.cluster = cluster
  end
  say.line(("%d nodes on 127.0.0.1 .. 127.0.0.%d, port %d. Ctrl-C ends them."):format(options.nodes, options.nodes,
    options.port))
  local done, why = pcall(core.run, function() while true do core.sleep(1e9) end end)
  local signal = cli.caughtSignal()
  core.finish()
  if not done and not signal then return say.failed(why) end
  return 0
end

return sim
