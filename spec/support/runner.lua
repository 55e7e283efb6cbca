-- SPDX-License-Identifier: Apache-2.0
-- Runs busted inside the spec host. Returns the exit status to host.c instead of exiting, so that lua_close() frees
-- everything and the leak checker sees only real leaks.
local root = MOONPOOL_BUILD_DIR .. "/../.."
package.path = table.concat({
  root .. "/?.lua", root .. "/lua/?.lua", root .. "/lua/?/init.lua",
  "/usr/share/lua/5.1/?.lua", "/usr/share/lua/5.1/?/init.lua", package.path,
}, ";")
package.cpath = "/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;/usr/lib/aarch64-linux-gnu/lua/5.1/?.so;" .. package.cpath
MOONPOOL_ROOT = root

-- Chunks of spec/ are not compiled. Specs have C functions call Lua ones, and a Lua function that is called from C that
-- was called from compiled code ends the process without a word, once in many runs: when the loop round the call has
-- become hot. What moonpool itself consists of is compiled as always. A file that computes much and has no callbacks
-- says jit.on(true, true).
local compiled_loadfile = loadfile

local function is_of_specs(path) return path:sub(1, 5) == "spec/" or path:find("/spec/", 1, true) ~= nil end

-- What busted loads.
function loadfile(path, ...) -- luacheck: ignore
  local chunk, why = compiled_loadfile(path, ...)
  if chunk and path and is_of_specs(path) then jit.off(chunk, true) end
  return chunk, why
end

-- What require() loads: before Lua's own searcher.
table.insert(package.loaders, 2, function(name)
  if not name:find "^spec%." then return end
  local path = package.searchpath(name, package.path)
  return path and assert(loadfile(path))
end)

-- A program of its own that wants the same process: the rest of the arguments is its.
if arg[1] == "--run" then
  require "spec.support.ports"
  return assert(loadfile(root .. "/" .. arg[2]))(unpack(arg, 3)) or 0
end

local results_file, filter, fail_fast
local paths = {}
local i = 1
while arg[i] do
  if arg[i] == "--results" then
    results_file, i = arg[i + 1], i + 1
  elseif arg[i] == "--fail-fast" then
    fail_fast = true
  elseif arg[i] == "--filter" then
    filter, i = arg[i + 1], i + 1
  else
    paths[#paths + 1] = arg[i]
  end
  i = i + 1
end
if #paths == 0 then
  io.stderr:write("usage: moonpool-spec [--results FILE] [--filter PATTERN] [--fail-fast] PATH...\n")
  return 2
end

require "spec.support.ports" -- embedded clusters of programs that specs start find theirs

local counts = { success = 0, failure = 0, error = 0, pending = 0 }
local exit_code = 0

local real_exit = os.exit
-- busted ends by os.exit(); an error with this value unwinds to here instead.
local done = {}
os.exit = function(code) -- luacheck: ignore
  exit_code = code == true and 0 or code == false and 1 or code or 0
  error(done, 0)
end

arg = { [0] = "moonpool-spec", "--output=" .. root .. "/spec/support/report.lua", "--pattern=_spec%.lua$",
  "--lpath=" .. root .. "/?.lua", "--no-auto-insulate" }
if fail_fast then arg[#arg + 1] = "--no-keep-going" end
if filter then arg[#arg + 1] = "--filter=" .. filter end
for _, path in ipairs(paths) do arg[#arg + 1] = path end
MOONPOOL_SPEC_COUNTS = counts

local ok, err = pcall(require "busted.runner", { standalone = false })
os.exit = real_exit -- luacheck: ignore
if not ok and err ~= done then
  io.stderr:write(tostring(err), "\n")
  exit_code = 1
end
if results_file then
  local file = assert(io.open(results_file, "w"))
  file:write(string.format("%d %d %d %d\n", counts.success, counts.failure, counts.error, counts.pending))
  file:close()
end
if counts.success + counts.failure + counts.error == 0 then
  io.stderr:write("moonpool-spec: no spec ran\n")
  exit_code = 1
end

return exit_code
