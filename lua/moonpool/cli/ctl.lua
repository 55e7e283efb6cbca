-- SPDX-License-Identifier: Apache-2.0
-- moonpool ctl: asks a process that serves pools (moonpool serve, moonpool run --control). Exit status 0: done, 1:
-- refused or nobody answers, 2: wrong usage.
local cluster_control = require "moonpool.cli.cluster_control"
local columns = require "moonpool.cli.columns"
local control = require "moonpool.cli.control"
local core = require "moonpool.core_loader"
local json = require "moonpool.cli.json"
local say = require "moonpool.cli.say"
local serve = require "moonpool.cli.serve"
local shadow_lines = require "moonpool.cli.shadow_lines"

local TIMEOUT_MS = 30000
local FOLLOW_MS = 250

local NO_CONTROL = "; --control PATH names another socket (moonpool run has one only with --control PATH)"

local ctl = {}

-- The options of a command that asks another process: which, and which of its pools.
function ctl.define_process(command)
  command:option("--control", "Where the process answers (default: $XDG_RUNTIME_DIR/moonpool.sock)."):argname "PATH"
  command:option("--pool", "Only the pool of this number, when the process has several."):argname "N"
    :convert(function(text) return tonumber(text) or nil, "'" .. text .. "' is no number of a pool" end)
end

function ctl.define(parser)
  local command = parser:command("ctl", "Ask or tell a process that runs moonpool serve, or run --control.")
  local lines, names = {}, {}
  for _, verbs in ipairs { control.verbs, cluster_control.verbs } do
    for name, verb in pairs(verbs) do
      names[#names + 1] = name
      lines[#lines + 1] = ("  %-18s %s"):format(name .. (verb.argument and " " .. verb.argument or ""), verb[1])
    end
  end
  table.sort(lines)
  table.sort(names)
  command:argument("verb", "What is wanted:\n" .. table.concat(lines, "\n")):argname "VERB":choices(names)
  command:argument("argument", "What the verb wants to know."):args "*":argname "ARG"
  ctl.define_process(command)
  command:flag("--json", "Print the answer as it comes: one line, or one for each look with --follow.")
  command:flag("--follow", "With events: go on until interrupted.")
end

local function shown(value)
  if type(value) ~= "number" or value == math.floor(value) then return tostring(value) end
  return ("%.3f"):format(value)
end

local printers = {}
for name, printer in pairs(require("moonpool.cli.pool_verbs").printers) do printers[name] = printer end

function printers.reload() print "reloaded" end

function printers.rollback(result, kind) print(("%s: generation %d serves"):format(kind, result.generation)) end

local function figure_text(name, figure)
  local limit = figure.limit and ("abortIf %.4g"):format(figure.limit) or "takes nothing back"
  return ("  %-16s %10.4g  in force %10.4g  %s%s"):format(name, figure.candidate, figure.inForce, limit,
    figure.confidence > 0 and ("  confidence %.5f"):format(figure.confidence) or "")
end

local function print_canary(kind, one)
  print(("%s: generation %d (%s) beside %d: %s%s"):format(kind, one.generation, one.name, one.inForce, one.state,
    one.reason ~= "" and ": " .. one.reason or ""))
  print(("  %.0f of %.0f s, share %.2f %% of %.2f %%, %d requests beside %d, at least %d wanted"):format(one.seconds,
    one.lasting, one.share * 100, one.wholeShare * 100, one.requests, one.requestsInForce, one.requestsWanted))
  for _, name in ipairs(columns.sorted(one.figures)) do print(figure_text(name, one.figures[name])) end
end

function printers.policies(result)
  local list = {}
  for i, kind in ipairs(columns.sorted(result.policies)) do
    list[i] = result.policies[kind]
    list[i].kind = kind
  end
  columns.print(list, { { "KIND", "kind" }, { "NAME", "name" }, { "GENERATION", "generation" }, { "CALLS", "calls" },
    { "ERRORS", "errors" }, { "FILE", "file" }, { "LAST ERROR", "lastError" } })
  for _, line in ipairs(shadow_lines.of(result.policies.shadow) or {}) do print(line) end
  for _, each in ipairs(list) do
    if each.canary then print_canary(each.kind, each.canary) end
  end
end

function printers.canary(result)
  if result.ended then return print("ended: " .. table.concat(result.ended, ", ")) end
  local kinds = columns.sorted(result.canaries)
  if #kinds == 0 then print "there was no canary" end
  for _, kind in ipairs(kinds) do print_canary(kind, result.canaries[kind]) end
end

function printers.stats(result)
  for _, name in ipairs(columns.sorted(result.stats)) do
    local value = result.stats[name] -- lists and tables are for --json
    if type(value) ~= "table" then print(("%-24s %s"):format(name, shown(value))) end
  end
end

function printers.hosts(result)
  columns.print(result.hosts, { { "HOST", "address" }, { "STATE", "status" }, { "DISTANCE", "distance" },
    { "PLACE", function(host) return host.datacenter .. "/" .. host.rack end }, { "CONNECTIONS", "connections" },
    { "IN FLIGHT", "inFlight" }, { "REQUESTS", "requests" }, { "MS", "averageLatency" }, { "WEIGHT", "weight" },
    { "SHARE", "share" }, { "BREAKER", "breaker" },
    { "TAGS", function(host) return table.concat(host.tags or {}, " ") end } })
end

local function and_more(count) return count > 0 and (" and %d more"):format(count) or "" end

local function print_recommendations(result)
  for _, advice in ipairs(result.recommendations) do print("  " .. advice.message .. " [" .. advice.key .. "]") end
  if result.more.recommendations > 0 then print(" " .. and_more(result.more.recommendations)) end
end

function printers.health(result)
  local down = result.hostsDown
  print(("%s: %d hosts up%s%s"):format(result.overall, result.hostsUp,
    #down > 0 and ", down: " .. table.concat(down, ", ") or "", and_more(result.more.hostsDown)))
  print_recommendations(result)
end

function printers.analyze(result)
  print(("a request takes %s ms, a connection %s ms to open, %.0f %% of the messages are of use"):format(
    shown(result.avgRequestTime), shown(result.avgConnectionTime), result.poolEfficiency * 100))
  if #result.bottlenecks == 0 then print "no bottleneck" end
  print_recommendations(result)
end

function printers.playbooks(result)
  columns.print(result.playbooks, { { "NAME", "name" }, { "GENERATION", "generation" }, { "WHEN", "when" },
    { "RUNS", function(book) return #book.running end },
    { "MODE", function(book) return not book.on and "switched off" or book.dry and "dry run" or "acts" end },
    { "FILE", "file" } })
  for _, book in ipairs(result.playbooks) do
    for _, run in ipairs(book.running) do
      print(("  run %d %s: %s, for %d s"):format(run.run, run.host or "", run.why, run.seconds))
    end
  end
end

function printers.playbookHistory(result)
  for _, entry in ipairs(result.entries) do
    print(("%s %s %s %s %s%s%s%s"):format(entry.time, entry.playbook, entry.run and "run " .. entry.run or "-",
      entry.host or "-", entry.step, entry.what and " " .. entry.what or "",
      entry.result and ": " .. entry.result or "", entry.why and " (" .. entry.why .. ")" or ""))
  end
end

function printers.playbookRun(result) print("run " .. tostring(result.result) .. " began") end
printers.playbookDryRun = printers.playbookRun
function printers.playbookAck(result) print(("%d cool-downs ended"):format(result.result)) end

function printers.metrics(result) io.stdout:write(result.text) end

-- Of a verb for a simulated cluster.
local function print_cluster(answer)
  if answer.nodes then
    columns.print(answer.nodes, { { "NODE", "number" }, { "ADDRESS", "address" }, { "STATE", "state" },
      { "PLACE", function(node) return node.datacenter .. "/" .. node.rack end }, { "CONNECTIONS", "connections" },
      { "REQUESTS", "requests" } })
  end
  if answer.rule then print("rule " .. answer.rule) end
  return 0
end

local function print_answer(answer, options)
  if answer.ok and cluster_control.verbs[options.verb] then return print_cluster(answer) end
  if not answer.pools then return say.failed(answer.error) end
  for _, result in ipairs(answer.pools) do
    local is_told = result.number and not options.quiet and (#answer.pools > 1 or options.pool)
    if is_told then print("pool " .. result.number) end
    for _, line in ipairs(result.output or {}) do print(line) end
    if result.error then say.failed(result.error) else printers[options.verb](result, options.argument) end
  end
  return answer.ok and 0 or 1
end

-- The status of what was answered and printed, and the answer.
local function ask_once(options)
  local path = options.control or serve.default_path()
  local line = json.encode { verb = options.verb, argument = options.argument, pool = options.pool }
  local ran, text, why = pcall(core.run, core.askControl, path, line, TIMEOUT_MS)
  if not ran then return say.failed(tostring(text)) end
  if not text then
    return say.failed(path .. ": " .. tostring(why) .. (options.control and "" or NO_CONTROL))
  end
  local answer = json.decode(text)
  if type(answer) ~= "table" then return say.failed(path .. ": this is no answer of moonpool") end
  if options.json then
    if not (options.quiet and answer.pools and #answer.pools[1].events == 0) then print(text) end
    io.stdout:flush()
    return answer.ok and 0 or 1, answer
  end
  return print_answer(answer, options), answer
end

-- One pool after the other has numbers of its own, so each is asked by its number.
local function follow(options)
  local status, first = ask_once(options)
  if status ~= 0 then return status end
  local last = {}
  for _, result in ipairs(first.pools) do last[result.number] = result.last end
  while true do
    local ran = pcall(core.run, core.sleep, FOLLOW_MS)
    if not ran then return 0 end
    for number, seen in pairs(last) do
      local answer
      status, answer = ask_once(setmetatable({ pool = number, argument = tostring(seen), quiet = true },
        { __index = options }))
      if status ~= 0 then return status end
      last[number] = answer.pools[1].last
    end
  end
end

function ctl.run(options)
  local verb = control.verbs[options.verb] or cluster_control.verbs[options.verb]
  local words = #options.argument
  options.argument = words > 0 and table.concat(options.argument, " ") or nil
  local missing = verb.argument and not verb.optional and words == 0
  if missing or words > (verb.argument and (verb.words or 1) or 0) then
    say.failed(options.verb .. (verb.argument and " wants one argument: " .. verb.argument or " takes no argument"))
    return 2
  end
  if options.follow and options.verb ~= "events" then
    say.failed "--follow goes with events"
    return 2
  end
  local status = options.follow and follow(options) or not options.follow and ask_once(options)
  core.finish()
  return status
end

return ctl
