-- SPDX-License-Identifier: Apache-2.0
-- The copy of the project that scripts/mutate builds and tries mutants in, .cache/mutate/tree: its files, its two
-- builds (`quick`: optimised, without sanitizers; `dev`: with them), and one run of one spec file. Beside it lie its C
-- files as they are without mistakes.
local tree = { path = ".cache/mutate/tree", sources = ".cache/mutate/true" }

function tree.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- Only what differs is written, so that only that is built again.
function tree.write(path, text)
  local file = io.open(path, "rb")
  local before = file and file:read "*a"
  if file then file:close() end
  if before == text then return end
  file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

function tree.lines(format, ...)
  local pipe = io.popen(string.format(format, ...))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

-- A command of the shell; its output goes to the log.
function tree.succeeds(format, ...)
  return os.execute(string.format("{ " .. format .. "; } >>.cache/mutate/log 2>&1", ...)) == 0
end

local FLAGS = {
  quick = "-DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-O1 -g1 -w'",
  dev = "-DCMAKE_BUILD_TYPE=Debug -DMP_SANITIZE=ON -DCMAKE_C_FLAGS='-w'",
}

function tree.builds(kind)
  local build = tree.path .. "/build/" .. kind
  return tree.succeeds("cmake -G Ninja -S %s -B %s %s && cmake --build %s", tree.path, build, FLAGS[kind], build)
end

-- ---- a C file by itself -----------------------------------------------------------------------------------

local commands
local function command_of(path)
  if not commands then
    commands = {}
    local text = tree.read(tree.path .. "/build/quick/compile_commands.json")
    for command, file in text:gmatch '"command": "(.-[^\\])",%s*"file": "([^"]+)"' do
      file = file:match "(runtime/.*)$"
      if file and not command:find("mp_spec_objects", 1, true) then
        command = command:gsub("\\", ""):gsub(" %-o .*", ""):gsub(" %-w ", " "):gsub(" %-O1 %-g1", "")
        commands[file] = command
      end
    end
  end
  return commands[path]
end

-- Whether the text, in that file's place, compiles without a warning; with `optimised`, a digest of its machine code.
function tree.compiles(path, text, optimised)
  local alone = ".cache/mutate/alone"
  tree.write(alone .. ".c", text)
  local flags = optimised and "-O2 -w" or "-O0 -Werror"
  if not tree.succeeds("%s %s -c -o %s.o %s.c", command_of(path), flags, alone, alone) then return nil end
  return optimised and tree.lines("sha1sum <%s.o", alone)[1] or true
end

-- ---- one run of one spec file -----------------------------------------------------------------------------

-- Where the system lets us, a run has its processes to itself: none is left behind.
local shut_in
local function prefix()
  if not shut_in then
    local command = "unshare --fork --pid --mount-proc --kill-child "
    shut_in = os.execute(command .. "true 2>/dev/null") == 0 and command or ""
  end
  return shut_in
end

-- What became of it, "passed", "failed", "crashed" or "hung", and the CPU and wall seconds it took. `limits` has
-- seconds of both, and `memory` in bytes or none; `environment` is text for the shell.
function tree.run(kind, spec, environment, limits)
  local memory = kind == "quick" and limits.memory and string.format("--as=%.0f", limits.memory) or ""
  local out = tree.lines([[cd %s && exec 2>&1 && bash -c '
    TIMEFORMAT="%%U %%S %%R"
    time env %s ASAN_OPTIONS=hard_rss_limit_mb=3000 UBSAN_OPTIONS=halt_on_error=1 \
      %s prlimit --cpu=%d %s --core=0 timeout -k 2 %d build/%s/moonpool-spec --fail-fast %s >/dev/null 2>&1 </dev/null
    echo "$?"']], tree.path, environment, prefix(), limits.cpu, memory, limits.wall, kind,
    spec)
  local status = tonumber(out[#out])
  local user, system, wall = (out[#out - 1] or ""):match "([%d.]+) ([%d.]+) ([%d.]+)"
  local cpu = (tonumber(user) or 0) + (tonumber(system) or 0)
  local outcome = "failed"
  if status == 0 then outcome = "passed"
  elseif status == 124 or status == 137 or status == 152 then outcome = "hung"
  elseif status >= 128 then outcome = "crashed"
  end
  return outcome, cpu, tonumber(wall) or 0
end

return tree
