-- SPDX-License-Identifier: Apache-2.0
-- The rules of the house that a machine can check: who may include whom, where third parties live, how large things
-- get.
local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

local function tracked(pattern)
  local pipe = assert(io.popen(string.format("cd '%s' && git ls-files --cached --others --exclude-standard -- %s",
    MOONPOOL_ROOT, pattern)))
  local list = {}
  for path in pipe:lines() do
    local file = io.open(MOONPOOL_ROOT .. "/" .. path)
    if file then
      file:close()
      list[#list + 1] = path
    end
  end
  pipe:close()
  assert(#list > 0, "no file matches " .. pattern)
  return list
end

local function report(offences)
  assert(#offences == 0, "\n" .. table.concat(offences, "\n"))
end

-- Fails with every line of the matching files that offends(line, path) is true of.
local function no_line(pattern, offends)
  local offences = {}
  for _, path in ipairs(tracked(pattern)) do
    for number, line in ipairs(lines_of(MOONPOOL_ROOT .. "/" .. path)) do
      if offends(line, path) then offences[#offences + 1] = string.format("%s:%d: %s", path, number, line) end
    end
  end
  report(offences)
end

-- What each folder may include of the runtime, besides itself: folders with all that is below them, or single headers.
-- A room inside of a folder is a floor of its own.
local floors = {
  ["base/text"] = { "base/defs.h", "base/cursor.h" },
  base = { "base/text" },
  wire = { "base" },
  loop = { "base" },
  link = { "wire", "loop", "base" },
  pool = { "link", "wire", "loop", "base" },
  ["cluster/plan"] = { "wire", "base" },
  ["cluster/topology"] = { "cluster/plan", "cluster/config.h", "pool", "link", "wire", "loop", "base" },
  -- The session is made of its parts, and a request is on its way through all of them.
  ["cluster/request"] = { "cluster", "pool", "link", "wire", "loop", "base" },
  ["cluster/decisions"] = { "cluster", "pool", "link", "wire", "loop", "base" },
  cluster = { "cluster", "pool", "link", "wire", "loop", "base" },
  ["policy/gauge"] = { "base" },
  -- A canary is a part of a slot, and ends with what happens to it.
  ["policy/canary"] = { "policy", "cluster/plan", "loop", "wire", "base" },
  policy = { "policy/gauge", "policy/canary", "cluster/plan", "loop", "wire", "base" },
  script = { "policy", "cluster", "pool", "link", "wire", "loop", "base" },
  ["script/values"] = { "script/core.h", "script/runtime.h", "cluster", "wire", "base" },
  ["script/pool"] = { "script", "policy", "cluster", "pool", "link", "wire", "loop", "base" },
  http = { "script", "loop", "base" },
  ["sim/net"] = { "loop", "base" },
  ["sim/cql"] = { "wire", "base" },
  ["sim/store"] = { "sim/cql", "wire", "base" },
  ["sim/auth"] = { "sim", "wire", "loop", "base" },
  sim = { "sim", "wire", "loop", "base" },
  nginx = { "script/host.h", "script/runtime.h", "loop", "base" },
  api = { "moonpool.h", "script", "policy", "cluster", "loop", "base" },
  [""] = {}, -- what is installed stands alone
  cli = { "moonpool.h", "script", "policy", "loop", "base" },
}

local function split(path)
  local folder, name = path:match "^(.*)/([^/]+)$"
  return folder or "", name or path
end

local function may_include(folder, name, included)
  local place = split(included)
  if place == folder and (folder ~= "" or included:match "%.h$") then return true end
  local allowed = { unpack(floors[folder]) }
  -- The Lua binding of the simulated cluster stands beside what it binds and sees the script runtime.
  if folder == "sim" and name:match "^binding" then allowed[#allowed + 1] = "script" end
  -- The list of all that Lua gets.
  if folder == "script" and name == "core.c" then allowed[#allowed + 1] = "script" end
  -- The one file that attaches policies to a session.
  if folder == "policy" and name == "attach.c" then allowed[#allowed + 1] = "cluster/session.h" end
  for _, other in ipairs(allowed) do
    if included == other or (place .. "/"):sub(1, #other + 1) == other .. "/" then return true end
  end
  return false
end

describe("the floors", function()
  it("are respected by every include", function()
    no_line("'runtime/*.c' 'runtime/*.h'", function(line, path)
      local included = line:match '^%s*#%s*include%s+"([^"]+)"'
      if not included then return false end
      local folder, name = split(path:gsub("^runtime/", ""))
      assert(floors[folder], "a folder without a floor: " .. path)
      -- The C API turns wire values into C values and back; nothing else of the wire.
      local of_values = { ["wire/value.h"] = true, ["wire/scalar.h"] = true, ["wire/message.h"] = true,
        ["wire/type.h"] = true, ["wire/vector.h"] = true, ["wire/date.h"] = true }
      local is_api = folder == "api" and of_values[included]
      return not may_include(folder, name, included) and not is_api
    end)
  end)

  it("keep each third party in its one home", function()
    local homes = {
      ["<uv.h>"] = { "^runtime/loop/loop_uv" },
      ["<liburing"] = { "^runtime/loop/loop_uv_ring" },
      ["<lz4"] = { "^runtime/wire/compress" },
      ["<snappy"] = { "^runtime/wire/compress" },
      ["<openssl/"] = { "^runtime/link/tls", "^runtime/sim/tls" },
      ["<lua"] = { "^runtime/policy/", "^runtime/script/", "^runtime/sim/binding", "^runtime/http/binding",
        "^runtime/cli/", "^runtime/api/", "^runtime/nginx/" },
      ["<lauxlib"] = { "^runtime/policy/", "^runtime/script/", "^runtime/sim/binding", "^runtime/http/binding",
        "^runtime/cli/", "^runtime/api/", "^runtime/nginx/" },
      ["<microhttpd.h>"] = { "^runtime/http/" },
      ["<ngx"] = { "^runtime/nginx/" },
    }
    no_line("'runtime/*.c' 'runtime/*.h'", function(line, path)
      if not line:match "^%s*#%s*include" then return false end
      for party, allowed in pairs(homes) do
        local home = not line:find(party, 1, true)
        for _, pattern in ipairs(allowed) do home = home or path:match(pattern) ~= nil end
        if not home then return true end
      end
      return false
    end)
  end)

  it("have headers that compile alone", function()
    local headers = tracked "'runtime/*.h'"
    local source = os.tmpname()
    local offences = {}
    for _, path in ipairs(headers) do
      local file = assert(io.open(source, "w"))
      file:write('#include "', path:gsub("^runtime/", ""), '"\n')
      file:close()
      local command = string.format(
        "cc -x c -std=c11 -D_GNU_SOURCE -Wall -Wextra -I '%s/runtime' $(pkg-config --cflags luajit) " ..
        "-fsyntax-only '%s' 2>&1",
        MOONPOOL_ROOT, source)
      local pipe = assert(io.popen(command))
      local said = pipe:read "*a"
      pipe:close()
      if said ~= "" then offences[#offences + 1] = path .. ":\n" .. said end
    end
    os.remove(source)
    report(offences)
  end)
end)

describe("the house", function()
  it("keeps files and functions short", function()
    local offences = {}
    for _, path in ipairs(tracked "'*.c' '*.h' '*.lua'") do
      local lines = lines_of(MOONPOOL_ROOT .. "/" .. path)
      local is_data = path == "spec/wire/golden.lua"
      if #lines > 500 and not is_data then offences[#offences + 1] = string.format("%s: %d lines", path, #lines) end
      local start
      for number, line in ipairs(lines) do
        if path:match "%.[ch]$" then
          if line == "{" then start = number end
          if line == "}" and start then
            if number - start > 80 then
              offences[#offences + 1] = string.format("%s:%d: a function of %d lines", path, start, number - start)
            end
            start = nil
          end
        end
        local columns = #line:gsub("[\128-\191]", "") -- of UTF-8
        if columns > 120 then offences[#offences + 1] = string.format("%s:%d: %d columns", path, number, columns) end
      end
    end
    report(offences)
  end)

  it("ends all rules between sections at one column", function()
    no_line("'*.c' '*.h' '*.lua'", function(line, path)
      local is_rule = line:match "^// %-%-%-%- .*%-%-%-$" or line:match "^%-%- %-%-%-%- .*%-%-%-$"
      return is_rule ~= nil and #line ~= 110 and not path:match "^spec/escape/"
    end)
  end)

  it("keeps folders small enough to look at", function()
    local count, offences = {}, {}
    for _, path in ipairs(tracked "'*.c' '*.h' '*.lua'") do
      local folder = split(path)
      if not folder:match "^spec/escape" then count[folder] = (count[folder] or 0) + 1 end -- those are data
    end
    for folder, files in pairs(count) do
      if files > 40 then offences[#offences + 1] = string.format("%s: %d files", folder, files) end
    end
    report(offences)
  end)

  it("keeps policies under a hundred lines", function()
    local offences = {}
    for _, path in ipairs(tracked "'policies/*.lua'") do
      local lines = lines_of(MOONPOOL_ROOT .. "/" .. path)
      if #lines >= 100 then offences[#offences + 1] = string.format("%s: %d lines", path, #lines) end
    end
    report(offences)
  end)

  it("names its licence in the first line of every source", function()
    local offences = {}
    for _, path in ipairs(tracked "'*.c' '*.h' '*.lua'") do
      if not path:match "^spec/support/cdef/" and path ~= ".luacheckrc" then
        local lines = lines_of(MOONPOOL_ROOT .. "/" .. path)
        local first = lines[1] or ""
        if first:match "^#!" then first = lines[2] or "" end
        if not first:find("SPDX-License-Identifier: Apache-2.0", 1, true) then offences[#offences + 1] = path end
      end
    end
    report(offences)
  end)

  it("names a kind of policies in its own file only", function()
    local kinds = {}
    for line in io.lines(MOONPOOL_ROOT .. "/runtime/policy/policies.h") do
      local constant, name = line:match "X%(([A-Z]+), ([a-z]+)%)"
      if constant and constant ~= "NAME" then kinds[constant], kinds[name] = name, name end
    end
    assert(kinds.BALANCE and kinds.retry, "the list of kinds is not found")
    no_line("'runtime/policy/*.c' 'runtime/script/*.c' 'runtime/sim/*.c'", function(line, path)
      local kind = kinds[line:match "MP_POLICY_([A-Z]+)%f[%W]"]
      if path:match "^runtime/policy/" then kind = kind or kinds[line:match '"([a-z]+)"'] end
      return kind ~= nil and path ~= "runtime/policy/kind_" .. kind .. ".c"
    end)
  end)

  it("takes memory from base/mem.h only", function()
    no_line("'runtime/*.c'", function(line, path)
      if path == "runtime/base/mem.c" or line:match "^%s*//" then return false end
      line = " " .. line
      return line:match "[^%w_][mc]alloc%(" or line:match "[^%w_]realloc%(" or line:match "[^%w_>.]free%(" or
        line:match "[^%w_]strn?dup%("
    end)
  end)

  it("leaves no promise in the code", function()
    no_line("'runtime/*' 'lua/*' 'policies/*' 'examples/*' 'bench/*' 'scripts/*'", function(line)
      for _, word in ipairs { "TODO", "FIXME", "XXX", "HACK" } do
        if line:match("%f[%w]" .. word .. "%f[%W]") then return true end
      end
      return false
    end)
  end)
end)

describe("the map", function()
  it("leads along files that are there: the walks of docs/architecture.md", function()
    local offences, count, place = {}, 0, nil
    for _, line in ipairs(lines_of(MOONPOOL_ROOT .. "/docs/architecture.md")) do
      for path in (line:match "^|[^|]*|([^|]*%.c`[^|]*)|" or ""):gmatch "`([%w_/]+%.c)`" do
        place = path:match "^(.*)/" or place
        local file = io.open(MOONPOOL_ROOT .. "/runtime/" .. (path:find "/" and path or place .. "/" .. path))
        count = count + 1
        if file then file:close() else offences[#offences + 1] = path .. " below " .. place end
      end
    end
    assert(count > 40, "the walks are not found")
    report(offences)
  end)

  -- Is there a file or folder that the pattern means?
  local function sh_matches(pattern)
    return os.execute(string.format("ls -d '%s'/%s >/dev/null 2>&1", MOONPOOL_ROOT, pattern)) == 0
  end

  -- Sections are folders, `### cluster/plan/`; a file is named in its own folder's section.
  local function names_every_file(map, patterns, ending)
    local base = map:match "^(.*/)"
    local sections, section = {}, nil
    for _, line in ipairs(lines_of(MOONPOOL_ROOT .. "/" .. map)) do
      section = line:match "^### (%S+)/$" or section
      if section then sections[section] = (sections[section] or "") .. line .. "\n" end
    end
    local offences = {}
    for _, path in ipairs(tracked(patterns)) do
      local folder, name = split(path)
      folder = (folder .. "/"):sub(#base + 1):gsub("/$", "")
      if folder == "" then folder = base:gsub("/$", "") end
      local text = sections[folder] or error("no section of the map for " .. path)
      if not text:find("`" .. (ending and name or name:match "^[^.]+" .. "."), 1, true) then
        offences[#offences + 1] = path
      end
    end
    report(offences)
  end

  it("sends to files that are there: the table of what to touch", function()
    local offences, count, within = {}, 0, false
    for _, line in ipairs(lines_of(MOONPOOL_ROOT .. "/runtime/README.md")) do
      if line:match "^## " then within = line == "## To change X, touch Y" end
      for path in (within and not line:find("*planned*", 1, true) and line or ""):gmatch "`([%w_/.*]+)`" do
        local pattern = path:gsub("/$", "")
        local found = sh_matches(pattern) or sh_matches("runtime/" .. pattern)
        if path:find "[/.]" then
          count = count + 1
          if not found then offences[#offences + 1] = path end
        end
      end
    end
    assert(count > 30, "the table is not found")
    report(offences)
  end)

  it("names every file of the runtime", function()
    names_every_file("runtime/README.md", "'runtime/*.c' 'runtime/*.h'")
  end)

  it("names every file of the Lua half", function() names_every_file("lua/README.md", "'lua/*.lua'", true) end)
end)

describe("the list of faults", function()
  local list = table.concat(lines_of(MOONPOOL_ROOT .. "/docs/faults.md"), "\n")

  it("names specs that exist", function()
    local offences = {}
    for path in list:gmatch "`(spec/[%w_/]+%.lua)`" do
      local file = io.open(MOONPOOL_ROOT .. "/" .. path)
      if file then file:close() else offences[#offences + 1] = "docs/faults.md: no " .. path end
    end
    report(offences)
  end)

  it("knows every number that the name of a spec cites", function()
    no_line("'spec/*_spec.lua'", function(line)
      local number = line:match "%f[%w]it%(%s*\"([TPGASIRLCNX]%d+) "
      return number ~= nil and not list:find("\n| " .. number .. " |", 1, true)
    end)
  end)
end)

-- ---- what waits -------------------------------------------------------------------------------------------
-- Every function of the core that waits is known to lua/moonpool/nginx.lua: a coroutine of nginx's would go on without
-- its answer otherwise. Which functions wait is read from their code: those that come to mp_runtime_yield().
local function read(path)
  local file = assert(io.open(MOONPOOL_ROOT .. "/" .. path))
  local text = file:read "*a"
  file:close()
  return text
end

-- { function = { what it calls } } of a C file; statics of two files with one name do not matter here.
local function calls_of(text, into)
  for head, body in text:gmatch "\n([%a][^\n;{}]*%b())\n(%b{})" do
    local name = head:match "([%w_]+)%s*%("
    local calls = into[name] or {}
    for called in body:gmatch "([%w_]+)%s*%(" do calls[called] = true end
    into[name] = calls
  end
end

local function waiting()
  local calls = {}
  local pipe = assert(io.popen("cd '" .. MOONPOOL_ROOT .. "' && find runtime/script -name '*.c'"))
  for path in pipe:lines() do calls_of(read(path), calls) end
  pipe:close()
  local waits, grown = { mp_runtime_yield = true }, true
  while grown do
    grown = false
    for name, called in pairs(calls) do
      for other in pairs(not waits[name] and called or {}) do
        if waits[other] then waits[name], grown = true, true end
      end
    end
  end
  return waits
end

-- Those that only moonpool's own coroutines call, and what is refused in nginx.
local OWN = { nextEvent = true, askControl = true, command = true }

describe("a function of the core that waits", function()
  it("stands in the list of lua/moonpool/nginx.lua", function()
    local waits, known, found = waiting(), {}, {}
    for name in read("lua/moonpool/nginx.lua"):match("WAITING = (%b{})"):gmatch '"(%w+)"' do known[name] = true end
    for name, fn in read("runtime/script/functions.h"):gmatch 'X%("(%w+)", (mp_core_[%w_]+)' do
      if waits[fn] and not OWN[name] then found[name] = true end
    end
    assert.is_true(found.submit and found.connect and found.futurePark)
    assert.same(found, known)
  end)
end)
