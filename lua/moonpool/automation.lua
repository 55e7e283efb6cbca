-- SPDX-License-Identifier: Apache-2.0
-- What a spec of playbooks and handlers has beside moonpool.testing: they run in a pool of the simulated cluster, and
-- what they did is asked afterwards. Programs and HTTP are made up: nothing leaves the process.
--
--   local lost = playbook "lost_node.lua"
--   cluster:kill "dc1/2"  cluster:sleep "40s"
--   expect(lost).ran { host = "dc1/2", steps = { "pause", "probe", "resume" }, within = "5m" }
--
-- An expectation that does not hold is an error that tells what happened instead.
local core = require "moonpool.core_loader"
local duration = require "moonpool.duration"
local handlers = require "moonpool.handlers"
local json = require "moonpool.cli.json"
local nearest = require "moonpool.nearest"
local paths = require "moonpool.paths"
local pools = require "moonpool.pool"
local steps = require "moonpool.playbook.steps"

local format = string.format

local automation = {}

local LOOK_MS = 100

local function check_keys(what, given, known)
  for key in pairs(given) do
    if not known[key] then error(format("%s: there is no '%s'%s", what, tostring(key), nearest.hint(key, known)), 4) end
  end
end

-- ---- what is made up --------------------------------------------------------------------------------------

local programs -- by path: function(argv) for the playbooks of the spec that runs
local posts    -- what was posted: { url, ... }

local function made_up(argv, _, input)
  if argv[1] == steps.curl then
    local post = json.decode(input or "") or {}
    post.url = argv[#argv]
    posts[#posts + 1] = post
    return { status = 0, output = "" }
  end
  local status, output = programs[argv[1]](argv)
  return { status = status or 0, output = output or "" }
end

-- ---- playbooks --------------------------------------------------------------------------------------------

local Playbook, Handlers = {}, {}
Playbook.__index, Handlers.__index = Playbook, Handlers

-- playbook(file) or playbook{ file, dryRun = true, commands = { [program] = function(argv) return status, output end },
-- and what run{} takes of policies }.
function automation.playbook(cluster, path, given, pool)
  programs, posts, steps.program = programs or {}, posts or {}, made_up
  local allowed = {}
  for program, fn in pairs(given.commands or {}) do
    programs[program] = fn
    allowed[program] = true
  end
  local definition, why = pools.adopt_playbook(pool, path, given.dryRun == true, allowed)
  if not definition then error(why, 4) end
  return setmetatable({ cluster = cluster, pool = pool, name = definition.name, posts = posts }, Playbook)
end

function Playbook:history() return self.pool:playbookHistory(self.name, 1e6) end

-- Begins it now, as by hand.
function Playbook:start(host)
  return self.cluster:inside(function()
    local ok, err = self.pool:runPlaybook(self.name, { host = host and self.cluster:address(host) })
    return ok, err
  end)
end

function Playbook:acknowledge() return self.pool:acknowledgePlaybook(self.name) end

-- ---- handlers ---------------------------------------------------------------------------------------------

local observed = setmetatable({}, { __mode = "k" }) -- by pool: what its handlers file heard and called

local function observe(pool, what, name, ...)
  local list = observed[pool]
  if list then list[#list + 1] = { what = what, name = name, ... } end
end

function automation.handlers(cluster, path, pool)
  observed[pool] = {}
  handlers.observer = observe
  local ok, why = pools.adopt_handlers(pool, path)
  if not ok then error(why, 4) end
  return setmetatable({ cluster = cluster, pool = pool, file = path, seen = observed[pool] }, Handlers)
end

-- The end of a test.
function automation.finish()
  programs, posts, steps.program, handlers.observer = nil, nil, core.command, nil
end

-- ---- what happened, as texts ------------------------------------------------------------------------------

local function host_name(cluster, address) return address and (cluster.addresses[address] or address) end

local MOST_TOLD = 40 -- lines

local function story(lines)
  if #lines == 0 then return "nothing happened" end
  local first = math.max(1, #lines - MOST_TOLD + 1)
  return (first > 1 and "the last of what happened:\n" or "what happened:\n") .. table.concat(lines, "\n", first)
end

local function told(self)
  local lines = {}
  for _, entry in ipairs(self:history()) do
    lines[#lines + 1] = format("  %s%s %s%s%s%s", entry.run and "run " .. entry.run .. " " or "",
      host_name(self.cluster, entry.host) or "-", entry.step, entry.what and " " .. entry.what or "",
      entry.result and ": " .. entry.result or "", entry.why and " (" .. entry.why .. ")" or "")
  end
  return story(lines)
end

local function text_of(cluster, each)
  local parts = {}
  for i = 1, #each do parts[i] = type(each[i]) == "table" and "{...}" or tostring(host_name(cluster, each[i])) end
  return format("%s %s(%s)", each.what == "event" and "heard" or "called", each.name, table.concat(parts, ", "))
end

local function seen_text(self)
  local lines = {}
  for i, each in ipairs(self.seen) do lines[i] = "  " .. text_of(self.cluster, each) end
  return story(lines)
end

local function shown(given)
  local parts = {}
  for key, value in pairs(given) do
    if type(value) == "table" then value = "{ " .. table.concat(value, ", ") .. " }" end
    parts[#parts + 1] = key .. " = " .. tostring(value)
  end
  table.sort(parts)
  return table.concat(parts, ", ")
end

-- ---- expectations -----------------------------------------------------------------------------------------

-- `count()` is how many of what is expected there are. Within a time: it goes on until there are enough.
local function settle(self, given, count, what, tell)
  local limit = given.within and assert(duration.ms(given.within)) or 0
  local function enough()
    local found = count()
    return given.times == nil and found > 0 or found == given.times
  end
  for _ = 1, math.ceil(limit / LOOK_MS) do
    if enough() then break end
    self.cluster:sleep(LOOK_MS)
  end
  if enough() then return end
  error(format("%s { %s }: %s, but %d did; %s", what, shown(given),
    given.times and given.times .. " expected" or "one expected", count(), tell(self)), 3)
end

local function matches(value, pattern)
  return pattern == nil or value ~= nil and tostring(value):find(pattern, 1, true) ~= nil
end

local function is_host(self, address, wanted)
  return wanted == nil or address ~= nil and self.cluster:address(wanted) == address
end

-- { host, steps = { name, ... }, outcome } of each run, oldest first.
local function runs_of(self)
  local runs, list = {}, {}
  for _, entry in ipairs(self:history()) do
    if entry.step == "begin" then
      runs[entry.run] = { host = entry.host, why = entry.why, steps = {}, outcome = "running" }
      list[#list + 1] = runs[entry.run]
    elseif entry.step == "end" then
      runs[entry.run].outcome = entry.result:match "^%a+"
    elseif entry.run and runs[entry.run] then
      table.insert(runs[entry.run].steps, entry.step)
    end
  end
  return list
end

-- In this order; others may stand between them.
local function has_steps(done, wanted)
  local at = 1
  for _, step in ipairs(done) do
    if step == wanted[at] then at = at + 1 end
  end
  return at > #wanted
end

local OUTCOMES = { done = true, failed = true, cancelled = true, running = true }

local of_playbook, of_handlers = {}, {}

function of_playbook.ran(self, given)
  check_keys("ran", given, { host = true, outcome = true, steps = true, times = true, why = true, within = true })
  local outcome = given.outcome or "done"
  if not OUTCOMES[outcome] then error("ran: outcome is done, failed, cancelled or running", 3) end
  settle(self, given, function()
    local count = 0
    for _, run in ipairs(runs_of(self)) do
      if is_host(self, run.host, given.host) and run.outcome == outcome and has_steps(run.steps, given.steps or {})
        and matches(run.why, given.why) then
        count = count + 1
      end
    end
    return count
  end, "ran", told)
end

function of_playbook.didNotRun(self, given)
  check_keys("didNotRun", given, { host = true })
  local count = 0
  for _, run in ipairs(runs_of(self)) do count = count + (is_host(self, run.host, given.host) and 1 or 0) end
  if count > 0 then error(format("didNotRun { %s }: it ran; %s", shown(given), told(self)), 3) end
end

-- An entry of the audit: a step with what and result as parts of texts; `skipped` is one whose step is that.
local function entries(self, name, given)
  check_keys(name, given, { step = true, host = true, what = true, result = true, why = true, times = true,
    within = true })
  settle(self, given, function()
    local count = 0
    for _, entry in ipairs(self:history()) do
      if (given.step == nil or entry.step == given.step) and (name ~= "wasSkipped" or entry.step == "skipped")
        and is_host(self, entry.host, given.host) and matches(entry.what, given.what)
        and matches(entry.result, given.result) and matches(entry.why, given.why) then
        count = count + 1
      end
    end
    return count
  end, name, told)
end

function of_playbook.did(self, given) entries(self, "did", given) end
function of_playbook.wasSkipped(self, given) entries(self, "wasSkipped", given) end

function of_playbook.notified(self, given)
  check_keys("notified", given, { text = true, url = true, times = true, within = true })
  settle(self, given, function()
    local count = 0
    for _, post in ipairs(self.posts) do
      local of_it = post.playbook == self.name and matches(post.text, given.text) and matches(post.url, given.url)
      count = count + (of_it and 1 or 0)
    end
    return count
  end, "notified", told)
end

local function noted(self, what, name, given)
  settle(self, given, function()
    local count = 0
    for _, each in ipairs(self.seen) do
      if each.what == what and (name == nil or each.name == name) and is_host(self, each[1], given.host) then
        count = count + 1
      end
    end
    return count
  end, what == "event" and "heard" or "called", seen_text)
end

function of_handlers.heard(self, given)
  check_keys("heard", given, { event = true, host = true, times = true, within = true })
  noted(self, "event", given.event, given)
end

function of_handlers.called(self, given)
  check_keys("called", given, { method = true, host = true, times = true, within = true })
  noted(self, "call", given.method, given)
end

function of_handlers.didNotFail(self)
  local count = self.pool:getHandlerErrors()
  if count > 0 then error(format("didNotFail: %d handlers raised an error; %s", count, seen_text(self)), 3) end
end

-- expect(playbook or handlers): its words as functions.
function automation.expect(subject)
  local meta = getmetatable(subject)
  local words = meta == Playbook and of_playbook or meta == Handlers and of_handlers
  if not words then error("expect: what playbook(...) or handlers(...) gave is expected, got " .. type(subject), 3) end
  return setmetatable({}, { __index = function(_, name)
    local word = words[name]
    if not word then error(format("expect: there is no '%s'%s", tostring(name), nearest.hint(name, words)), 2) end
    return function(given) word(subject, given or {}) end
  end })
end

-- A file of the spec's: beside it, or from the working folder.
function automation.find(path, folders)
  if path:sub(1, 1) == "/" then return path end
  for _, folder in ipairs(folders) do
    if core.readFile(folder .. "/" .. path) then return paths.absolute(folder .. "/" .. path) end
  end
  return paths.absolute(path)
end

return automation
