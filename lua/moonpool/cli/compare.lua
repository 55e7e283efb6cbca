-- SPDX-License-Identifier: Apache-2.0
-- moonpool compare: policies on the same simulated traffic and faults, in virtual time, and whether a difference is
-- more than noise. Exit status 0: they ran; 1: one of them cannot; 2: wrong usage.
local columns = require "moonpool.cli.columns"
local compare = require "moonpool.prove.compare"
local core = require "moonpool.core_loader"
local chunk = require "moonpool.chunk"
local json = require "moonpool.cli.json"
local nearest = require "moonpool.nearest"
local paths = require "moonpool.paths"
local say = require "moonpool.cli.say"
local scenarios = require "moonpool.prove.scenarios"
local svg = require "moonpool.cli.compare_svg"
local testing = require "moonpool.testing"
local whole = require "moonpool.cli.whole"

local command = {}

function command.define(parser)
  local names = {}
  for i, scenario in ipairs(scenarios) do names[i] = ("  %-24s %s"):format(scenario.name, scenario.about) end
  local this = parser:command("compare", "Run balance policies on the same simulated traffic and faults. The first " ..
    "one is what the others are compared with.")
  this:argument("policies", "Policies: names or paths, each with options if need be: 'NAME:spare = 2'."):args "2+"
    :argname "POLICY"
  this:option("--scenario", "A file with a scenario, or the name of one that ships (without it: all of these):\n" ..
    table.concat(names, "\n")):argname "FILE":count "*"
  this:option("--nodes", "Of the cluster."):argname "N":default "6":convert(whole(1, 100, "number of nodes"))
  this:option("--dcs", "Its datacentres: datacenter1, which is local, ..."):argname "N":default "2"
    :convert(whole(1, 16, "number of datacentres"))
  this:option("--seed", "The first seed."):argname "N":default "1":convert(whole(0, 1e9, "seed"))
  this:option("--seeds", "How many seeds: the more, the smaller differences can be told."):argname "N":default "5"
    :convert(whole(2, 1000, "number of seeds"))
  this:option("--svg", "Draw latency and load over time into this file."):argname "FILE"
  this:flag("--markdown", "Print tables of Markdown.")
  this:flag("--json", "Print JSON.")
end

-- ---- what is compared -------------------------------------------------------------------------------------

-- "NAME" or "NAME:spare = 2" or a path: { policy, options, label }, or nil and what is wrong.
local function choice_of(text)
  local policy, fields = text:match "^(.-%.lua):(.*)$"
  if not policy then policy, fields = text:match "^([%w_]+):(.*)$" end
  policy = policy or text
  local options
  if fields then
    local code, why = loadstring("return {" .. fields .. "}", "=options")
    if not code then return nil, ("%s: %s"):format(text, (why:gsub("^options:%d+: ", ""))) end
    local ok, given = chunk.run(setfenv(code, {}), tostring)
    if not ok then return nil, text .. ": " .. given end
    options = given
  end
  local label = policy
  if paths.is_path(policy) then
    policy = paths.absolute(policy)
    label = label:match "([^/]+)%.lua$" or label
  end
  return { policy = policy, options = options, label = label .. (fields and " (" .. fields .. ")" or "") }
end

local KEYS = { name = "string", about = "string", seconds = "number", rate = "number", reads = "number",
  racks = "number", consistency = "string", key = "function", begin = "function", events = "table" }

local function check_scenario(scenario, path)
  if type(scenario) ~= "table" then return nil, path .. ": a scenario is a table" end
  for key, value in pairs(scenario) do
    if not KEYS[key] then
      return nil, ("%s: there is no '%s'%s"):format(path, tostring(key), nearest.hint(tostring(key), KEYS))
    end
    if type(value) ~= KEYS[key] then return nil, ("%s: %s must be a %s"):format(path, key, KEYS[key]) end
  end
  for i, event in ipairs(scenario.events or {}) do
    if type(event) ~= "table" or type(event.at) ~= "number" or type(event[1]) ~= "function" then
      return nil, ("%s: events[%d] must be { at = seconds, function(c) ... end }"):format(path, i)
    end
  end
  for _, key in ipairs { "seconds", "rate" } do
    local value = scenario[key]
    if value and not (value > 0 and value <= 1e6) then return nil, ("%s: %s must be above 0"):format(path, key) end
  end
  scenario.name = scenario.name or path:match "([^/]+)%.lua$" or path
  return scenario
end

local function scenario_of(text)
  local by_name = {}
  for _, scenario in ipairs(scenarios) do
    if scenario.name == text then return scenario end
    by_name[scenario.name] = true
  end
  local file = io.open(text, "r")
  if not file then
    return nil, ("'%s' is neither a file nor a scenario that ships%s"):format(text, nearest.hint(text, by_name))
  end
  local code, why = chunk.compile(file:read "*a", text)
  file:close()
  if not code then return nil, why end
  local ok, scenario = chunk.run(code, chunk.text_of)
  if not ok then return nil, scenario end
  return check_scenario(scenario, text)
end

local function each(list, fn)
  local made = {}
  for i, text in ipairs(list) do
    local value, why = fn(text)
    if not value then return nil, why end
    made[i] = value
  end
  return made
end

-- ---- what is told -----------------------------------------------------------------------------------------

local function ms(value) return ("%.2f"):format(value) end
local function percent(value) return ("%.2f"):format(value * 100) end

-- name of the figure, what people call it, its unit, how it is written, and what is better.
local ROWS = {
  { "p50", "p50", "ms", ms, "less" }, { "p99", "p99", "ms", ms, "less" }, { "p999", "p99.9", "ms", ms, "less" },
  { "failed", "failed", "%", percent, "less" }, { "leftDatacenter", "left the datacentre", "%", percent, "less" },
  { "atReplica", "at a replica", "%", percent, "more" },
  { "spread", "busiest host / mean", "", ms, "less" }, { "attempts", "attempts per request", "", ms, "less" },
}

local function told_difference(row, difference)
  if not difference.is_sure then return "=" end
  local better = (difference.mean < 0) == (row[5] == "less")
  return ("%s%s %s"):format(difference.mean > 0 and "+" or "-", row[4](math.abs(difference.mean)),
    better and "better" or "worse")
end

local function cell(row, summary)
  local margin = summary.margin
  if margin < 5e-5 then return row[4](summary.mean) end
  return row[4](summary.mean) .. " ±" .. row[4](margin)
end

-- Of one scenario: a header and lines, each a list of cells.
local function table_of(result)
  local base, head, lines = result.policies[1], { "" }, {}
  for i, policy in ipairs(result.policies) do
    head[#head + 1] = policy.label
    if i > 1 then head[#head + 1] = "difference" end
  end
  for _, row in ipairs(ROWS) do
    local line = { row[2] .. (row[3] ~= "" and ", " .. row[3] or "") }
    for i, policy in ipairs(result.policies) do
      line[#line + 1] = cell(row, compare.summary(policy.runs, row[1]))
      if i > 1 then line[#line + 1] = told_difference(row, compare.difference(base.runs, policy.runs, row[1])) end
    end
    lines[#lines + 1] = line
  end
  return head, lines
end

local function print_markdown(head, lines)
  print("| " .. table.concat(head, " | ") .. " |")
  print("|---" .. ("|--:"):rep(#head - 1) .. "|")
  for _, line in ipairs(lines) do print("| " .. table.concat(line, " | ") .. " |") end
end

local function report(results, options)
  for _, result in ipairs(results) do
    local scenario = result.scenario
    print(("%s%s%s"):format(options.markdown and "### " or "", scenario.name,
      scenario.about and (options.markdown and "\n\n" or ": ") .. scenario.about or ""))
    if options.markdown then print "" end
    local head, lines = table_of(result)
    if options.markdown then print_markdown(head, lines) else print(columns.lines { head, unpack(lines) }) end
    for _, policy in ipairs(result.policies) do
      if policy.errors > 0 then print(("%s failed %d times"):format(policy.label, policy.errors)) end
    end
    print ""
  end
  if options.markdown then return end
  print(("mean of %d seeds ± what holds it with 95 %%; '=': the difference is none that these seeds can tell"):format(
    options.seeds))
end

local function as_json(results)
  local list = json.list {}
  for s, result in ipairs(results) do
    local policies = json.list {}
    for p, policy in ipairs(result.policies) do
      local figures, differences = {}, {}
      for _, row in ipairs(ROWS) do
        figures[row[1]] = compare.summary(policy.runs, row[1])
        if p > 1 then differences[row[1]] = compare.difference(result.policies[1].runs, policy.runs, row[1]) end
      end
      policies[p] = { policy = policy.label, name = policy.name, errors = policy.errors, figures = figures,
        difference = p > 1 and differences or nil }
    end
    list[s] = { scenario = result.scenario.name, policies = policies }
  end
  print(json.encode(list))
end

local function write(path, text)
  local file, why = io.open(path, "w")
  if not file then return nil, why end
  file:write(text)
  return file:close()
end

local function run(options)
  local choices, why = each(options.policies, choice_of)
  if not choices then return nil, why end
  local wanted = scenarios
  if #options.scenario > 0 then
    wanted, why = each(options.scenario, scenario_of)
    if not wanted then return nil, why end
  end
  testing.paths[#testing.paths + 1] = paths.working_folder()
  testing.paths[#testing.paths + 1] = paths.working_folder() .. "/policies"
  local results = compare.all(choices, wanted, { nodes = options.nodes, dcs = options.dcs },
    { first = options.seed, count = options.seeds })
  if options.json then as_json(results) else report(results, options) end
  if options.svg then return write(options.svg, svg.draw(results)) end
  return true
end

function command.run(options)
  if options.dcs > options.nodes then
    say.failed(("%d nodes cannot stand in %d datacentres"):format(options.nodes, options.dcs))
    return 2
  end
  local ran, ok, why = pcall(run, options)
  testing.finish()
  core.finish()
  if ran and ok then return 0 end
  local text = tostring(ran and why or ok):gsub("\nstack traceback:.*", ""):gsub("^[^\n]-%.lua:%d+: (%./)", "%1")
  return say.failed(text)
end

return command
