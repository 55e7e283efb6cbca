-- SPDX-License-Identifier: Apache-2.0
-- moonpool check: policies are loaded, tried and measured as a pool would, handlers run against a stand-in for the
-- pool, playbooks are read, configurations are judged with what they name; any other Lua file must compile. What a file
-- is, it says itself: `return balance {`, `return retry {` ..., `return playbook {`, `return function(pool)`, a table
-- with contactPoints.
local chunk = require "moonpool.chunk"
local config = require "moonpool.config"
local core = require "moonpool.core_loader"
local handlers = require "moonpool.handlers"
local json = require "moonpool.cli.json"
local lint = require "moonpool.lint"
local nearest = require "moonpool.nearest"
local playbook_file = require "moonpool.playbook.file"
local playbooks = require "moonpool.playbook"
local say = require "moonpool.cli.say"
local secrets = require "moonpool.secrets"
local util = require "jit.util"
local pool = require "moonpool.pool" -- whose methods handlers may call, too

local check = {}

function check.define(parser)
  local command = parser:command("check", "Check policies, handlers, configurations and other Lua files without a " ..
    "cluster. Exits with 0: all are good, 1: something is wrong, 2: a file cannot be read.")
  command:argument("files", "What to check."):args "+":argname "FILE"
  command:flag("--json", "Print the findings as JSON: a list with an object for each file.")
end

local RET0 = bit.band(util.funcbc(loadstring "", 1), 0xff)

-- An application ends without a result. What does not compile may be anything.
local function has_result(text)
  local main = chunk.compile(text, "file")
  return not main or bit.band(util.funcbc(main, util.funcinfo(main).bytecodes - 1), 0xff) ~= RET0
end

-- What the last return gives back is a table, or may be one.
local function may_return_table(words)
  if words:find(" return { ", 1, true) and (words:sub(-3) == " } " or words:sub(-5) == " } ; ") then return true end
  local before = words:reverse():find(" nruter ", 1, true)
  return before ~= nil and words:sub(-before):find "^ [%a_][%w_. ]*;? $" ~= nil
end

local function kind_of(text)
  if not has_result(text) then return "lua" end
  local words = core.codeWords(text)
  local function has(code) return words:find(code, 1, true) ~= nil end
  for _, kind in ipairs(core.policyQuestions) do
    if has(" return " .. kind .. " ") then return kind end
  end
  if has " return playbook " then return "playbook" end
  if words:find " return function %( [%a_][%w_]* %) " and (has " : on ( " or has " : on '' ") then return "handlers" end
  if words:find " function [%a_][%w_]* [.:] [%a_][%w_]* %( " then return "lua" end -- a module
  local is_scenario = not has " contactPoints = " and (has " seconds = " or has " events = {") -- of moonpool compare
  if is_scenario then return "lua" end
  local is_configuration = words:sub(1, 10) == " return { " or has " contactPoints = " and may_return_table(words)
  return is_configuration and "configuration" or "lua"
end

local MOST = 50 -- problems that are told of one file, and warnings

-- Findings of one file: { file, kind, ok, problems, warnings, ... }; each problem is { line, message }.
local Findings = {}
Findings.__index = Findings

-- A message may begin with the file and a line, which then are not said twice.
local function finding(path, message, line)
  local rest = message:sub(1, #path + 1) == path .. ":" and message:sub(#path + 2) or message
  local number, tail = rest:match "^(%d+): (.*)$"
  if number then return { line = tonumber(number), message = tail } end
  return { line = line, message = rest == message and message or rest:gsub("^%s+", "") }
end

-- `message` may be a function that makes it: what is not told costs nothing.
local function add(self, list, message, line)
  if list.count >= MOST then
    list.count = list.count + 1
    return
  end
  if type(message) == "function" then message = message() end
  for part in core.redact(tostring(message)):gmatch "[^\n]+" do
    list.count = list.count + 1
    if list.count <= MOST then list[list.count] = finding(self.file, part, line) end
  end
end

function Findings:problem(message, line) add(self, self.problems, message, line) end
function Findings:warn(message, line) add(self, self.warnings, message, line) end

local function by_line(a, b) return (a.line or 0) < (b.line or 0) end

-- In the order of the file, and how many there are beyond.
local function complete(list)
  table.sort(list, by_line)
  if list.count <= MOST then return end
  list[MOST + 1] = { message = ("%d more like these are not shown"):format(list.count - MOST) }
end

local function by_path(path) return path:find "/" and path or "./" .. path end

local function judge_policy(findings, text)
  local path = by_path(findings.file)
  local found, refused = core.checkPolicy(findings.kind, path)
  if not found then
    if path ~= findings.file then refused = refused:gsub("^%./", "") end
    return findings:problem(refused)
  end
  findings.name, findings.costClass = found.name, found.costClass
  findings.nsPerCall, findings.bytesPerCall = found.nsPerCall, found.bytesPerCall
  if found.slowBecause then
    findings:warn((path == findings.file and found.slowBecause or found.slowBecause:gsub("^%./", "")) ..
      ": allowed, but slow")
  end
  local problems, warnings = lint.policy(findings.kind, text, assert(loadstring("return " .. found.facts))(),
    found.bytesPerCall)
  for _, problem in ipairs(problems) do findings:problem(problem.message, problem.line) end
  for _, warning in ipairs(warnings) do findings:warn(warning.message, warning.line) end
end

-- A pool that only listens: which events are handled, which methods it is asked for.
local function recorder(findings, events)
  local function line() return debug.getinfo(3, "l").currentline end
  local methods = {}
  function methods.on(self, event, fn)
    if event ~= handlers.RELOAD and not events[event] then
      findings:problem(function()
        return ("unknown event '%s'%s; there are: %s"):format(secrets.text(tostring(event)),
          nearest.hint(event, events), table.concat(core.eventNames(), ", "))
      end, line())
    elseif type(fn) ~= "function" then
      findings:problem(("the handler of '%s' must be a function, got a %s"):format(event, type(fn)), line())
    else
      findings.handles = findings.handles + 1
    end
    return self
  end
  function methods.off(self) return self end
  local proxy, memory = newproxy(true), {}
  getmetatable(proxy).__newindex = function() end
  getmetatable(proxy).__index = function(_, name)
    if name == "memory" then return memory end
    if methods[name] then return methods[name] end
    if type(core.poolMethods[name]) == "function" then return function() return true end end
    findings:problem(function()
      return ("a pool has no method '%s'%s"):format(secrets.text(tostring(name)),
        nearest.hint(name, core.poolMethods))
    end, line())
    return function() end
  end
  return proxy
end

local function judge_handlers(findings, text)
  local events = {}
  for _, name in ipairs(core.eventNames()) do events[name] = true end
  findings.handles = 0
  local ok, message = handlers.run(text, findings.file, recorder(findings, events))
  if not ok then return findings:problem(secrets.about(text, message)) end
  if findings.handles == 0 and #findings.problems == 0 then findings:warn "no event is handled" end
end

local function judge_playbook(findings)
  local definition, message = playbook_file.load(findings.file)
  if not definition then return findings:problem(message) end
  findings.name = definition.name
end

-- As a pool would take it, up to the point where it would connect.
local function judge_configuration(findings)
  local checked, found = config.check(findings.file, nil, core.readFile)
  if not checked then return findings:problem(found) end
  for _, warning in ipairs(found or {}) do findings:warn(tostring(warning)) end
  local ok, message = pool.judge(checked)
  if not ok then findings:problem(tostring(message)) end
  local set, wrong = playbooks.load(checked)
  if not set then findings:problem("playbooks: " .. wrong) end
  if checked.handlers then
    local named = check.judge(checked.handlers, "handlers")
    for _, problem in ipairs(named.problems) do
      findings:problem(("handlers: %s:%s%s"):format(named.file, problem.line and problem.line .. ": " or " ",
        problem.message))
    end
  end
end

function check.judge(path, kind)
  local findings = setmetatable({ file = path, problems = { count = 0 }, warnings = { count = 0 } }, Findings)
  local text, why = core.readFile(path)
  if not text then
    findings.kind, findings.unreadable = kind or "file", true
    findings:problem(why)
    return findings
  end
  findings.kind = kind or kind_of(text)
  if findings.kind == "configuration" then
    judge_configuration(findings)
  elseif findings.kind == "handlers" then
    judge_handlers(findings, text)
  elseif findings.kind == "playbook" then
    judge_playbook(findings)
  else
    local main, message = chunk.compile(text, path)
    if not main then
      findings:problem(secrets.about(text, message))
    elseif findings.kind ~= "lua" then
      judge_policy(findings, text)
    end
  end
  return findings
end

local function place(findings, found)
  return findings.file .. ":" .. (found.line and found.line .. ":" or "") .. " " .. found.message
end

local function report(findings)
  for _, found in ipairs(findings.problems) do say.error(place(findings, found)) end
  for _, found in ipairs(findings.warnings) do say.error("warning: " .. place(findings, found)) end
  if #findings.problems > 0 then return end
  local more = ""
  if findings.costClass then
    more = ("; %s: %d ns and %d bytes for each call"):format(findings.costClass, findings.nsPerCall,
      findings.bytesPerCall)
  elseif findings.handles then
    more = ("; handles %d events"):format(findings.handles)
  end
  say.line(("%s: ok (%s)%s"):format(findings.file, findings.kind, more))
end

local function as_json(findings)
  local function list(found)
    local entries = {}
    for i, entry in ipairs(found) do entries[i] = { line = entry.line, message = entry.message } end
    return json.list(entries)
  end
  return {
    file = findings.file, kind = findings.kind, ok = #findings.problems == 0, name = findings.name,
    problems = list(findings.problems), warnings = list(findings.warnings), costClass = findings.costClass,
    nsPerCall = findings.nsPerCall, bytesPerCall = findings.bytesPerCall,
  }
end

function check.run(options)
  local status, objects = 0, {}
  for i, path in ipairs(options.files) do
    local findings = check.judge(path)
    complete(findings.problems)
    complete(findings.warnings)
    if #findings.problems > 0 then status = math.max(status, findings.unreadable and 2 or 1) end
    if options.json then objects[i] = as_json(findings) else report(findings) end
  end
  if options.json then say.line(json.encode(json.list(objects))) end
  return status
end

return check
