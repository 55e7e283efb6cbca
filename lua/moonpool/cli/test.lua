-- SPDX-License-Identifier: Apache-2.0
-- moonpool test: busted specs of policies, playbooks and handlers, with a simulated cluster in virtual time
-- (moonpool.testing).
local coverage = require "moonpool.prove.coverage"
local say = require "moonpool.cli.say"
local whole = require "moonpool.cli.whole"

local test = {}

function test.define(parser)
  local command = parser:command("test", "Run busted specs of policies, playbooks and handlers on a simulated " ..
    "cluster in virtual time. A spec has the words cluster, run, explore, holds, playbook, handlers and expect.")
  command:argument("specs", "Spec files."):args "+":argname "SPEC.lua"
  command:option("--seed", "What happens by chance follows from it."):argname "N":default "1":convert(function(text)
    local seed = tonumber(text)
    if seed and seed >= 0 and seed <= 9e15 and seed % 1 == 0 then return seed end
    return nil, "'" .. text .. "' is no seed: a whole number, 0 or more"
  end)
  command:option("--explore", "How many random cases explore{} tries, if that is more than it says itself (1000).")
    :argname "N":convert(whole(1, 1e9, "number of cases"))
  command:flag("--coverage", "Which lines and branches of policies ran: their source, marked.")
  command:option("--lcov", "The same in the format of LCOV, into this file."):argname "FILE"
  command:option("--filter", "Only the tests whose names match this Lua pattern."):argname "PATTERN"
end

local function folder_of(path)
  return path:match "^(.*)/[^/]*$" or "."
end

-- busted ends by os.exit(): an error with this value unwinds to here instead.
local function run_busted(arguments)
  local done, status = {}, 0
  local exit, kept_arg = os.exit, arg
  os.exit = function(code) -- luacheck: ignore 122
    status = code == true and 0 or code == false and 1 or code or 0
    error(done, 0)
  end
  arg = arguments
  local ok, why = pcall(require "busted.runner", { standalone = false })
  os.exit, arg = exit, kept_arg -- luacheck: ignore 122
  if not ok and why ~= done then
    say.failed(why)
    status = 1
  end
  return status
end

local function tell_coverage(options, status)
  local files = coverage.files()
  if options.coverage then print(coverage.marked(files)) end
  if not options.lcov then return status end
  local file, why = io.open(options.lcov, "w")
  if not file then
    say.failed(why)
    return 1
  end
  file:write(coverage.lcov(files))
  file:close()
  return status
end

function test.run(options)
  for _, path in ipairs(options.specs) do
    local file, why = io.open(path, "r")
    if not file then
      say.error(why)
      return 1
    end
    file:close()
  end
  if not pcall(require, "busted.runner") then
    return say.failed "the package 'busted' is needed for specs (Debian: lua-busted)"
  end
  local testing = require "moonpool.testing"
  testing.seed = options.seed
  for _, path in ipairs(options.specs) do
    local folder = folder_of(path)
    testing.paths[#testing.paths + 1] = folder
    testing.paths[#testing.paths + 1] = folder .. "/policies"
  end
  _G.cluster, _G.run = testing.word, testing.run
  local explore = require "moonpool.prove.explore"
  explore.cases = options.explore or explore.cases
  _G.explore = function(given) return explore.run(given, testing.paths, testing.seed) end
  _G.holds = function(given) return explore.holds(given, testing.paths) end
  _G.playbook, _G.handlers, _G.expect = testing.playbook, testing.handlers, testing.expect
  local arguments = { [0] = "moonpool test", "--output=plainTerminal", "--pattern=%.lua$", "--no-auto-insulate" }
  if options.filter then arguments[#arguments + 1] = "--filter=" .. options.filter end
  for _, path in ipairs(options.specs) do arguments[#arguments + 1] = path end
  if options.coverage or options.lcov then coverage.start() end
  local status = run_busted(arguments)
  testing.finish()
  if options.coverage or options.lcov then status = tell_coverage(options, status) end
  if status ~= 0 then say.error(("seed %d: --seed %d repeats it"):format(options.seed, options.seed)) end
  return status == 0 and 0 or 1
end

return test
