-- SPDX-License-Identifier: Apache-2.0
-- moonpool playbook: the playbooks of a process that serves pools, by its control socket.
local ctl = require "moonpool.cli.ctl"

local playbook = {}

-- word = the verb that the process knows.
local verbs = {
  list = "playbooks", run = "playbookRun", ["dry-run"] = "playbookDryRun", history = "playbookHistory",
  ack = "playbookAck",
}

function playbook.define(parser)
  local command = parser:command("playbook", "The playbooks of a process that runs moonpool serve, or run --control.")
  command:argument("word", "list: which there are and what runs. run, dry-run: begin one now. history: what they did. "
    .. "ack: end a cool-down."):argname "WORD":choices { "list", "run", "dry-run", "history", "ack" }
  command:argument("name", "Of a playbook."):args "?":argname "NAME"
  command:option("--host", "The host that it is for."):argname "ADDRESS"
  ctl.define_process(command)
  command:flag("--json", "Print the answer as it comes.")
end

function playbook.run(options)
  return ctl.run { verb = verbs[options.word], argument = { options.name, options.name and options.host },
    control = options.control, pool = options.pool, json = options.json }
end

return playbook
