-- SPDX-License-Identifier: Apache-2.0
-- The steps of a playbook: the pool's own verbs and a few of its own. A step raises when it fails, so that what follows
-- does not happen; whoever wants to go on catches it.
--
-- steps[name] = { acts = it acts on the cluster or the world: told and not done in a dry run; host = its first argument
-- is a host, which the run takes in its hands; removes = it takes that host out of use; does = function(run, ...),
-- undo = function(run, before, ...) for a run that ends before its end, before = function(run, ...) }.
local core = require "moonpool.core_loader"
local duration = require "moonpool.duration"
local json = require "moonpool.cli.json"

local format = string.format

local SLICE_MS = 50 -- between two looks at whether the run is over
local PROBE_TIMEOUT_MS = 2000
local NOTIFY_TIMEOUT_MS = 10000
local COMMAND_TIMEOUT_MS = 60000

local steps = {}

-- What a method returned, or its error raised.
local function sure(result, err)
  if result == nil or result == false then error({ message = core.errorText(err) }, 0) end
  return result
end

local function failed(...) error({ message = format(...) }, 0) end

local function time(value, what, default)
  if value == nil then value = default end
  local ms, why = duration.ms(value)
  if not ms then failed("%s: %s", what, why) end
  return ms
end

local function host_of(run, address)
  for _, host in ipairs(run.pool:getHosts()) do
    if host.address == address then return host end
  end
  failed("there is no host %s", tostring(address))
end

-- ---- steps of the pool ------------------------------------------------------------------------------------

-- A step that is a method of the pool, with all that it is given.
local function method(name)
  return function(run, ...) return sure(run.pool[name](run.pool, ...)) end
end

local function resume(run, _, host) return run.pool:resume(host) end

steps.pause = { acts = true, host = true, removes = true, does = method "pause", undo = resume }
steps.drain = { acts = true, host = true, removes = true, does = method "drain", undo = resume }
steps.resume = { acts = true, host = true, undoes = { "pause", "drain" }, does = method "resume" }
steps.reconnect = { acts = true, host = true, does = method "reconnect" }
steps.recoverConnection = { acts = true, host = true, does = method "recoverConnection" }
steps.resize = { acts = true, host = true, does = method "resize",
  undo = function(run, _, host) return run.pool:resize(host) end }
steps.setWeight = { acts = true, host = true, does = method "setHostWeight",
  before = function(run, host) return host_of(run, host).weight end,
  undo = function(run, before, host) return run.pool:setHostWeight(host, before or 1) end }
steps.setTags = { acts = true, host = true, does = method "setHostTags",
  before = function(run, host) return host_of(run, host).tags end,
  undo = function(run, before, host) return run.pool:setHostTags(host, before or {}) end }
steps.switchDatacenter = { acts = true, does = method "switchDatacenter",
  undo = function(run) return run.pool:switchDatacenter() end } -- where the policy has it
steps.usePolicy = { acts = true, does = method "usePolicy",
  undo = function(run, _, kind) return run.pool:usePolicy(kind) end } -- the configuration's
steps.execute = { acts = true, does = method "execute" }

-- ---- looking and waiting ----------------------------------------------------------------------------------

-- A query of the host itself, several times: its last result.
steps.probe = {
  does = function(run, host, options)
    options = options or {}
    local result
    for _ = 1, options.times or 1 do
      result = sure(run.pool:execute(options.query or "SELECT release_version FROM system.local", nil, {
        host = host, timeout = time(options.timeout, "timeout", PROBE_TIMEOUT_MS), isIdempotent = true,
      }))
      if options.every then run.pause_for(time(options.every, "every")) end
    end
    return result
  end }

steps.sleep = { does = function(run, value)
  run.pause_for(time(value, "sleep"))
  return true
end }

steps.waitUntil = { does = function(run, condition, limit)
  if type(condition) ~= "function" then failed("waitUntil: a function expected, got %s", type(condition)) end
  local ms = time(limit, "waitUntil", "10m")
  local till = core.now() + ms
  while not condition() do
    if core.now() >= till then failed("it did not come true within %s", duration.text(ms)) end
    run.pause_for(math.min(250, math.max(1, till - core.now())))
  end
  return true
end }

-- Of a run, between two looks at whether it is over: `check` raises then.
function steps.pause_for(ms, check)
  local till = core.now() + ms
  while true do
    check()
    local left = till - core.now()
    if left <= 0 then return end
    core.sleep(math.min(left, SLICE_MS))
  end
end

-- ---- programs and people ----------------------------------------------------------------------------------

local function text_of(list)
  local parts = {}
  for i, part in ipairs(list) do parts[i] = tostring(part) end
  return table.concat(parts, " ")
end

local function run_command(argv, options)
  options = options or {}
  local result, why = steps.program(argv, math.max(1, time(options.timeout, "timeout", COMMAND_TIMEOUT_MS)),
    options.input)
  if not result then failed("%s: %s", argv[1], why) end
  if result.late then failed("%s: it did not end in time and was killed", argv[1]) end
  if result.status ~= 0 then
    failed("%s: %s: %s", argv[1], result.status and "status " .. result.status or "signal " .. result.signal,
      result.output:sub(-200))
  end
  return result
end

-- A program of the configuration's `commands`, never through a shell: command({ program, argument, ... }, { timeout,
-- input }) gives { status, output, dropped }.
steps.command = { acts = true,
  what = function(argv) return type(argv) == "table" and text_of(argv) or tostring(argv) end,
  does = function(run, argv, options)
    if type(argv) ~= "table" then failed("command: { program, argument, ... } expected, got %s", type(argv)) end
    if not run.commands[argv[1]] then
      failed("%s is not among the commands of the configuration: playbooks = { commands = { ... } }", tostring(argv[1]))
    end
    return run_command(argv, options)
  end }

-- Posts JSON: notify{ url = ..., text = ..., timeout = ... }. What else it is given goes along. curl does it, which
-- knows proxies, certificates and time limits.
steps.notify = { acts = true,
  what = function(options) return type(options) == "table" and tostring(options.text) or tostring(options) end,
  does = function(run, options)
    if type(options) ~= "table" or type(options.url) ~= "string" or not options.url:find "^https?://" then
      failed "notify: { url = \"http://...\", text = ... } expected"
    end
    local ms = time(options.timeout, "timeout", NOTIFY_TIMEOUT_MS)
    local body = { playbook = run.name, run = run.number, host = run.host, dry = run.is_dry or nil }
    for key, value in pairs(options) do
      if key ~= "url" and key ~= "timeout" then body[key] = value end
    end
    return run_command({ steps.curl, "--silent", "--show-error", "--fail", "--max-time", tostring(ms / 1000),
      "--header", "Content-Type: application/json", "--data-binary", "@-", "--", options.url },
      { timeout = ms + 1000, input = json.encode(json.data(body)) })
  end }

steps.curl = "/usr/bin/curl"
steps.program = core.command -- what runs them; a spec of playbooks makes it up

return steps
