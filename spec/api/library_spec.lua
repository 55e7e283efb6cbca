-- SPDX-License-Identifier: Apache-2.0
-- libmoonpool.so as others see it: what it lets them see and of which version, what it leaves alone, and that its
-- binary interface is the one on record.
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local sim_process = require "spec.support.sim_process"

local library = MOONPOOL_BUILD_DIR .. "/libmoonpool.so"

local function must(command)
  local said, status = program.sh(command)
  if status ~= 0 then error(command .. "\n" .. said, 2) end
  return said
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- The functions of the headers.
local function declared()
  local list = {}
  for _, header in ipairs { "moonpool.h", "moonpool_session.h" } do
    for declaration in read(MOONPOOL_ROOT .. "/runtime/" .. header):gmatch "\nMOONPOOL_API%s([^;]-)%(" do
      list[#list + 1] = declaration:match "moonpool_[%w_]+$"
    end
  end
  table.sort(list)
  return list
end

describe("the library", function()
  it("shows the functions of its headers, with a version, and the doors of LuaJIT", function()
    local seen, doors = {}, {}
    for name in must("nm -D --defined-only --with-symbol-versions '" .. library .. "'"):gmatch " [^A ] ([^\n]+)" do
      local symbol, version = name:match "^([%w_]+)@@(MOONPOOL_[%d.]+)$"
      assert.is_truthy(symbol, name)
      assert.equal("MOONPOOL_0.1", version)
      local list = symbol:find "^moonpool_" and seen or doors
      list[#list + 1] = symbol
    end
    table.sort(seen)
    assert.same(declared(), seen)
    assert.same({ "luaopen_moonpool_core", "luaopen_moonpool_httpcore", "luaopen_moonpool_simcore" }, doors)
  end)

  it("documents every function, or the lines of those that belong together", function()
    local missing = {}
    for _, header in ipairs { "moonpool.h", "moonpool_session.h" } do
      local documented = false
      for line in (read(MOONPOOL_ROOT .. "/runtime/" .. header) .. "\n"):gmatch "(.-)\n" do
        if line == "" then
          documented = false
        elseif line:find "^// " and not line:find "^// %-%-%-%-" then
          documented = true
        elseif line:find "^MOONPOOL_API" and not documented and not line:find "//" then
          missing[#missing + 1] = line
        end
      end
    end
    assert.same({}, missing)
  end)

  it("ends no process, prints nothing and handles no signal", function()
    for name in must("nm -D --undefined-only '" .. library .. "'"):gmatch " U ([%w_]+)" do
      for _, no in ipairs { "exit", "_exit", "_Exit", "quick_exit", "signal", "sigaction", "sigprocmask", "raise",
        "printf", "puts", "putchar", "vprintf", "stdout", "system", "chdir", "setlocale", "putenv", "setenv" } do
        assert.not_equal(no, name)
      end
    end
    local cluster = sim_process.start(1)
    finally(function() cluster:stop() end)
    local said, status = cluster:run "quiet"
    assert.not_matches("FOUND", said)
    assert.equal(0, status)
    assert.matches("moonpool debug: session: new %-> connecting", said) -- the log does go to the standard error
  end)
end)

describe("the binary interface", function()
  local folder
  setup(function()
    folder = policies.folder()
    must(("cd '%s' && mkdir -p scripts runtime && cp '%s'/scripts/abi '%s'/scripts/lib.sh scripts && " ..
      "cp '%s'/CMakeLists.txt .")
      :format(folder, MOONPOOL_ROOT, MOONPOOL_ROOT, MOONPOOL_ROOT))
  end)
  teardown(function() policies.remove(folder) end)

  local function judged(from, to)
    must(("cp '%s'/runtime/moonpool.h '%s'/runtime/moonpool_session.h '%s'/runtime/moonpool.abi '%s/runtime'")
      :format(MOONPOOL_ROOT, MOONPOOL_ROOT, MOONPOOL_ROOT, folder))
    if from then must(("sed -i 's/%s/%s/' '%s'/runtime/*.h"):format(from, to, folder)) end
    local said, status = program.sh(folder .. "/scripts/abi")
    return status, said
  end

  it("is the one on record", function()
    local status, said = judged()
    assert.equal(0, status, said)
  end)

  it("may get more, which is recorded, and nothing else", function()
    local more, breaks = "the interface has more than is on record", "programs that were built against"
    local cases = {
      { "MOONPOOL_EVENT_POLICY_CANARY,", "MOONPOOL_EVENT_POLICY_CANARY, MOONPOOL_EVENT_NEW,", more },
      { "uint32_t count;$", "uint32_t count; int another;", more },
      { "MOONPOOL_TIMEOUT = -5", "MOONPOOL_TIMEOUT = -55", breaks },
      { "hosts_total, hosts_up, hosts_down;", "hosts_total, hosts_up;", breaks },
      { "moonpool_loop_free(struct moonpool_loop \\*loop)", "moonpool_loop_end(struct moonpool_loop *loop)", breaks },
      { "double weight;", "float weight;", breaks },
    }
    for _, case in ipairs(cases) do
      local status, said = judged(case[1], case[2])
      assert.equal(1, status, case[1])
      assert.matches(case[3], said, 1, true)
    end
  end)
end)
