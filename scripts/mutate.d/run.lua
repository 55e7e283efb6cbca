-- SPDX-License-Identifier: Apache-2.0
-- One job of scripts/mutate: every JOBS-th of the chosen mutants, in a copy of the project of its own.
-- usage: luajit run.lua COPY JOB JOBS COUNT SECONDS SEED PATH...
-- Writes one line for each mutant into COPY/results: outcome, place, what was changed, and the source line.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local mutants = require "mutants"

local copy, job, jobs = arg[1], tonumber(arg[2]), tonumber(arg[3])
local count, seconds, seed = tonumber(arg[4]), tonumber(arg[5]), tonumber(arg[6])
local LATEST = os.time() + (seconds > 0 and seconds or 1e9)
-- Specs that use the whole runtime, for what the folder's own do not notice.
local WIDER = "spec/fault spec/policies spec/scenario"

local function sh(format, ...)
  return os.execute(string.format("cd '%s' && { " .. format .. "; } >>job.log 2>&1", copy, ...)) == 0
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function exists(path) -- a folder, too
  local file = io.open(copy .. "/" .. path)
  if file then file:close() end
  return file ~= nil
end

-- ---- which mutants ----------------------------------------------------------------------------------------

local function files()
  local list = {}
  for i = 7, #arg do
    local pipe = io.popen(string.format("cd '%s' && find 'runtime/%s' -name '*.c' | sort", copy, arg[i]))
    for path in pipe:lines() do list[#list + 1] = path end
    pipe:close()
  end
  return list
end

-- The same for all jobs: all mutants of all files, shuffled by the seed.
local function all_mutants()
  local list = {}
  for _, path in ipairs(files()) do
    for _, mutant in ipairs(mutants.of(read(copy .. "/" .. path))) do
      mutant.path = path
      list[#list + 1] = mutant
    end
  end
  local state = seed
  local function random(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
  end
  for i = #list, 2, -1 do
    local j = (random(32768) - 1) * 32768 + random(32768)
    j = j % i + 1
    list[i], list[j] = list[j], list[i]
  end
  return list
end

-- ---- the machine code -------------------------------------------------------------------------------------

local commands = {}
local function load_commands()
  local text = read(copy .. "/build/dev/compile_commands.json")
  for command, path in text:gmatch '"command": "(.-[^\\])",%s*"file": "([^"]+)"' do
    path = path:match "(runtime/.*)$"
    if path and not command:find("mp_spec_objects", 1, true) then
      commands[path] = command:gsub("\\", ""):gsub(" %-o %S+", ""):gsub("%-fsanitize=%S+", "")
    end
  end
end

-- A digest of the optimised code, nil when it does not compile.
local function code_of(path)
  local command = commands[path] .. " -O2 -g0 -w -o ../../code.o"
  if not sh("rm -f code.o; cd build/dev && %s", command) then return nil end
  local pipe = io.popen(string.format("cd '%s' && sha1sum code.o", copy))
  local digest = pipe:read "*a"
  pipe:close()
  return digest
end

-- ---- the specs --------------------------------------------------------------------------------------------

-- All of it: some specs run the program or load the library.
local function build() return sh "cmake --build --preset dev" end

-- A process that hangs is one that was noticed, too.
local function passes(specs, limit)
  return sh("timeout -k 2 %d build/dev/moonpool-spec --fail-fast %s", limit, specs)
end

local times = {} -- of the specs without a mistake
local function measure(specs)
  if not specs or times[specs] then return end
  local began = os.time()
  assert(passes(specs, 900), "the specs " .. specs .. " fail without any mistake: see " .. copy .. "/job.log")
  times[specs] = (os.time() - began) * 4 + 15
end

-- The specs of a file, of its room, of its folder.
local function specs_of(path)
  local folder, stem = path:match "^runtime/(.-)/?([^/]+)%.c$"
  local list, known = {}, {}
  for _, specs in ipairs { "spec/" .. folder .. "/" .. stem .. "_spec.lua", "spec/" .. folder,
    "spec/" .. folder:match "^[^/]*" } do
    if exists(specs) and not known[specs] then list[#list + 1], known[specs] = specs, true end
  end
  return list
end

local function killer_among(list)
  for _, specs in ipairs(list) do
    if not passes(specs, times[specs]) then return specs end
  end
end

-- ---- one after another ------------------------------------------------------------------------------------

local results = assert(io.open(copy .. "/results", "w"))
local function tell(outcome, mutant, text)
  local line = 0
  local source = ""
  for candidate in text:gmatch "([^\n]*)\n?" do
    line = line + 1
    if line == mutant.line then source = candidate:gsub("^%s+", "") break end
  end
  local said = string.format("%s\t%s:%d\t%s -> %s\t%s", outcome, mutant.path, mutant.line, mutant.from, mutant.to,
    source)
  results:write(said, "\n")
  results:flush()
  if outcome ~= "same" and outcome ~= "broken" then print((said:gsub("\t", "  "))) end
end

local function outcome_of(mutant, full, text)
  local before = code_of(mutant.path)
  local wrong = mutants.apply(text, mutant)
  write(full, wrong)
  local after = code_of(mutant.path)
  if after == nil then return "broken" end
  if after == before then return "same" end
  if not build() then return "broken" end
  local by = killer_among(specs_of(mutant.path))
  if not by and not times[WIDER] then
    write(full, text)
    assert(build())
    measure(WIDER)
    write(full, wrong)
    assert(build())
  end
  by = by or killer_among { WIDER }
  return by and "killed by " .. by:gsub(" .*", " ...") or "survived"
end

local function try(mutant)
  local full = copy .. "/" .. mutant.path
  local text = read(full)
  for _, specs in ipairs(specs_of(mutant.path)) do
    if not times[specs] then
      assert(build())
      measure(specs)
    end
  end
  local outcome = outcome_of(mutant, full, text)
  write(full, text)
  tell(outcome, mutant, text)
  return outcome ~= "same" and outcome ~= "broken"
end

assert(sh "cmake --preset dev" and build(), "the copy does not build: see " .. copy .. "/job.log")
load_commands()
local done, mine = 0, math.floor(count / jobs) + (job < count % jobs and 1 or 0)
for i, mutant in ipairs(all_mutants()) do
  if done >= mine or os.time() > LATEST then break end
  if i % jobs == job and try(mutant) then done = done + 1 end
end
assert(build())
