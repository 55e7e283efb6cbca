-- SPDX-License-Identifier: Apache-2.0
-- The first minute: what scripts/quickstart says while it builds, and that what it tells to try next works.
local policies = require "spec.support.policies"
local sh = require("spec.support.program").sh

local MOONPOOL = MOONPOOL_BUILD_DIR .. "/moonpool"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

describe("what quickstart tells to try next", function()
  local script = read(MOONPOOL_ROOT .. "/scripts/quickstart")
  local commands = {}
  for command in script:gmatch "\n  (build/release/moonpool [^\n]*)" do commands[#commands + 1] = command end

  it("is more than one thing, and all of the examples that it names are there", function()
    assert.is_true(#commands >= 3)
    for path in script:gmatch "[%w_/]+%.lua" do io.close(assert(io.open(MOONPOOL_ROOT .. "/" .. path))) end
    io.close(assert(io.open(MOONPOOL_ROOT .. "/docs/getting-started.md")))
  end)

  for _, command in ipairs(commands) do
    it("works: " .. command, function()
      local said, status = sh(("cd '%s' && timeout 60 %s"):format(MOONPOOL_ROOT,
        (command:gsub("build/release/moonpool", "'" .. MOONPOOL .. "'"))))
      assert.equal(0, status, said)
    end)
  end
end)

describe("a step that takes long", function()
  local folder
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  -- The function of scripts/lib.sh with its log in our folder; on a terminal or not.
  local function quietly(command, on_terminal)
    policies.write(folder .. "/run", (". '%s/scripts/lib.sh'\nlogs='%s'\nroot='%s'\nquietly step bash -c \"%s\"\n")
      :format(MOONPOOL_ROOT, folder, folder, command))
    local run = ("bash '%s/run'"):format(folder)
    return sh(on_terminal and ("script -qec \"%s\" /dev/null"):format(run) or run)
  end

  it("says nothing of what it does when it succeeds", function()
    assert.same({ "", 0 }, { quietly "echo '[1/2] one'; echo noise" })
    assert.equal("[1/2] one\nnoise\n", read(folder .. "/step.log"))
  end)

  it("is one line on a terminal, which is gone afterwards", function()
    local said, status = quietly("echo '[7/190] seven'; echo noise; sleep 1.5", true)
    assert.equal(0, status, said)
    assert.matches("\r[^\n]*%[7/190%] ", said)
    assert.is_nil(said:find "noise")
    assert.matches("\r\27%[K$", said)
  end)

  it("shows its end when it fails", function()
    local said, status = quietly "echo '[1/2] one'; echo 'file.c:3: error'; exit 3"
    assert.equal(3, status)
    assert.matches("failed with status 3; the end of step.log:\n%[1/2%] one\nfile.c:3: error\n", said)
  end)
end)
