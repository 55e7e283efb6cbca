-- SPDX-License-Identifier: Apache-2.0
-- moonpool replay: what another policy would have done with the requests of a decision log. Exit status 0: it was
-- asked; 1: it cannot be, or --fail-if is true; 2: wrong usage.
local columns = require "moonpool.cli.columns"
local core = require "moonpool.core_loader"
local expression = require "moonpool.cli.expression"
local json = require "moonpool.cli.json"
local paths = require "moonpool.paths"
local replay = require "moonpool.prove.replay"
local say = require "moonpool.cli.say"

local MOST_REASONS = 12

local command = {}

function command.define(parser)
  local this = parser:command("replay", "Ask a policy what it would have done with the requests of a decision log " ..
    "(decisionLog.file), and count the difference.")
  this:option("--policy", "The load-balancing policy: a name or a path."):argname "POLICY"
  this:option("--options", "Its options: the fields of a Lua table, 'usedHostsPerRemoteDc = 2'."):argname "FIELDS"
  this:option("--policy-path", "A folder where policies are looked for, too."):argname "FOLDER":count "*"
  this:option("--fail-if", "Exit status 1 when this is true of the figures: 'leftDatacenter > 0.01'."):argname "EXPR"
  this:flag("--json", "Print JSON.")
  this:argument("logs", "Files of a decision log."):args "+":argname "LOG"
end

local function percent(number) return ("%.1f %%"):format(number * 100) end
local function ms(number) return ("%.3f ms"):format(number) end

local ROWS = {
  { "left the datacentre", "leftDatacenter", percent }, { "at a replica", "atReplica", percent },
  { "expected latency", "latencyMs", ms }, { "of the busiest host", "busiestHost", percent },
  { "without a host", "noHost", percent }, { "planned by the default", "fallbacks", percent },
}

local function print_host(what, record, planned, steps, refused)
  if refused or not planned then
    print(("      %-5s %s"):format(what, refused and "refused" or "no host"))
    return
  end
  local host
  for _, each in ipairs(record.hosts) do host = each.host == planned.host and each or host end
  local notes = {}
  if host and host.replica then notes[#notes + 1] = "replica" end
  if host and not host.isLocal then notes[#notes + 1] = "remote" end
  if host and host.inFlight then notes[#notes + 1] = host.inFlight .. " in flight" end
  if host and host.latencyUs then notes[#notes + 1] = ("%.2f ms"):format(host.latencyUs / 1000) end
  print(("      %-5s %-22s %s/%s%s  step %d: %s"):format(what, planned.host, host and host.datacenter or "?",
    host and host.rack or "?", #notes > 0 and " (" .. table.concat(notes, ", ") .. ")" or "", planned.step,
    steps[planned.step] or "?"))
end

local function print_difference(i, entry)
  local record, request = entry.record, entry.record.request
  local of = request.keyspace and " " .. request.keyspace .. (request.table and "." .. request.table or "") or ""
  print(("%4d. %s%s%s %s%s  (%s)"):format(i, request.kind, of, request.token and " token " .. request.token or "",
    request.consistency or "", request.tag and " tag " .. request.tag or "", entry.where))
  print_host("then", record, (record.plan or {})[1], record.steps or {}, record.refused)
  print_host("now", record, entry.found.plan[1], entry.found.steps, entry.found.refused)
end

local function print_load(of)
  print(("%-32s %10s %10s"):format("load", "then", "now"))
  for _, what in ipairs { "datacenters", "racks", "hosts" } do
    for _, name in ipairs(columns.sorted(of[what])) do
      local pair = of[what][name]
      print(("  %-30s %10s %10s"):format(name, percent(pair[1]), percent(pair[2])))
    end
  end
end

local function report(self, figures)
  print(("%d decisions of %s, asked of %s"):format(self.decisions, table.concat(columns.sorted(self.policies), ", "),
    self.policy))
  if self.skipped > 0 then print(("%d lines were no records"):format(self.skipped)) end
  if self.errors > 0 then print(("it failed %d times: %s"):format(self.errors, self.last_error)) end
  print(("first host differs               %s (%d)"):format(percent(figures.differ), figures.differing))
  print(("%-32s %10s %10s"):format("", "then", "now"))
  for _, row in ipairs(ROWS) do
    print(("%-32s %10s %10s"):format(row[1], row[3](figures[row[2] .. "Before"]), row[3](figures[row[2]])))
  end
  print_load(self:load())
  local reasons = self:reasons()
  if #reasons > 0 then print "why first hosts differ: the step of then, the step of now" end
  for i = 1, math.min(MOST_REASONS, #reasons) do
    print(("%8d  %s"):format(reasons[i].count, reasons[i].why))
  end
  local telling = self:telling()
  if #telling > 0 then print "the most telling differences" end
  for i, entry in ipairs(telling) do print_difference(i, entry) end
end

local function as_json(self, figures, failed)
  local differences = json.list {}
  for i, entry in ipairs(self:telling()) do
    local record, found = entry.record, entry.found
    for _, of in ipairs { record, found } do
      of.steps, of.plan = json.list(of.steps or {}), json.list(of.plan or {})
    end
    json.list(record.hosts)
    differences[i] = { where = entry.where, record = record, now = found }
  end
  local load = self:load()
  for _, of in pairs(load) do
    for _, pair in pairs(of) do json.list(pair) end
  end
  print(json.encode { policy = self.policy, figures = figures, load = load, reasons = json.list(self:reasons()),
    differences = differences, failed = failed, lastError = self.last_error })
end

-- Whether --fail-if is true; nil and a message when it says nothing.
local function judge(text, figures)
  if not text then return false end
  local value, why = expression.of(text, figures)
  if value == nil then return nil, "--fail-if: " .. why end
  return value and true or false
end

-- The exit status, and why it failed.
local function run(options)
  local policy, folders = options.policy, {}
  if paths.is_path(policy) then policy = paths.absolute(policy) end
  for i, folder in ipairs(options.policy_path) do folders[i] = paths.absolute(folder) end
  local self, why = replay.new(policy, options.options, folders)
  if not self then return 1, why end
  for _, path in ipairs(options.logs) do
    local ran, ok, message = pcall(self.file, self, path)
    if not ran or not ok then return 1, ran and message or ok end
  end
  local figures = self:figures()
  local failed
  failed, why = judge(options.fail_if, figures)
  if failed == nil then return 2, why end
  if options.json then as_json(self, figures, failed) else report(self, figures) end
  if failed then say.error("moonpool: --fail-if is true: " .. options.fail_if) end
  if self.decisions == 0 then return 1, "there is no record in these files" end
  return failed and 1 or 0
end

function command.run(options)
  if not options.policy then
    say.failed "--policy is wanted: the name or the path of a policy"
    return 2
  end
  local status, why = run(options)
  core.finish()
  if why then say.failed(why) end
  return status
end

return command
