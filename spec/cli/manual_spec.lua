-- SPDX-License-Identifier: Apache-2.0
-- The manual page, completions and --help say the same, because they are made of the same: the build has what `moonpool
-- manual` prints, and installs it.
local policies = require "spec.support.policies"
local program = require "spec.support.program"

local FILES = {
  man = "moonpool.1.man", bash = "moonpool.bash", zsh = "_moonpool.zsh", fish = "moonpool.fish.fish",
}

local function moonpool(arguments) return program.sh(("'%s' %s"):format(program.moonpool, arguments)) end
local function has(name) return (select(2, program.sh("command -v " .. name .. " > /dev/null"))) == 0 end
local function path(kind) return MOONPOOL_BUILD_DIR .. "/manual/" .. FILES[kind] end

-- Commands, and the options of each, as --help tells them.
local function told()
  local commands = {}
  local help = moonpool "--help"
  for name in help:match("Commands:\n(.*)"):gmatch "\n?   (%l+) +%u" do
    local options, text = {}, moonpool(name .. " --help")
    for option in text:gmatch "\n   %-?%-?%w?,? ?%-%-([%w-]+)" do options[#options + 1] = option end
    commands[name] = options
  end
  return commands
end

describe("the manual", function()
  for kind in pairs(FILES) do
    it("is made by the build as it is printed: " .. kind, function()
      assert.equal(moonpool("manual " .. kind), policies.read(path(kind)))
    end)
  end

  it("has each command and each of its options, for people and for shells", function()
    local count, pages = 0, {}
    for kind in pairs(FILES) do pages[kind] = policies.read(path(kind)):gsub("\\%-", "-") end
    for name, options in pairs(told()) do
      count = count + 1
      assert.matches("\n.SS " .. name .. "\n", pages.man, 1, true)
      assert.matches("\n    " .. name .. ")\n", pages.bash, 1, true)
      assert.matches('"' .. name .. ":", pages.zsh, 1, true)
      assert.matches("-xa '" .. name .. "'", pages.fish, 1, true)
      assert.is_true(#options >= 1, name)
      for _, option in ipairs(options) do
        local of_man = pages.man:match("\n.SS " .. name .. "\n(.-)\n.S[SH] ")
        assert.matches("\\fB--" .. option .. "\\fR", of_man, 1, true)
        local of_bash = pages.bash:match("\n    " .. name .. "%)\n(.-)\n    %l+%)\n") or pages.bash
        assert.matches("--" .. option, of_bash, 1, true)
        assert.matches("--" .. option, pages.zsh, 1, true)
        assert.matches("-l '?" .. option:gsub("%-", "%%-"), pages.fish)
      end
    end
    assert.is_true(count >= 10)
  end)

  it("has each verb of ctl", function()
    local page = policies.read(path "man")
    for _, verbs in ipairs { require("moonpool.cli.control").verbs, require("moonpool.cli.cluster_control").verbs } do
      for verb in pairs(verbs) do assert.matches("\n  " .. verb .. " ", page, 1, true) end
    end
  end)

  it("is a page without a complaint", function()
    if has "man" then
      local said = program.sh(("LC_ALL=C.UTF-8 MANWIDTH=80 man -l --warnings '%s' 2>&1 > /dev/null"):format(path "man"))
      assert.equal("", said)
    end
    if has "mandoc" then
      local said = program.sh(("mandoc -Tlint -W warning '%s'"):format(path "man"))
      assert.equal("", said)
    end
  end)

  it("completes in bash: commands, options, verbs, words of options, files", function()
    local function completed(...)
      local words = { "moonpool", ... }
      local quoted = {}
      for i, word in ipairs(words) do quoted[i] = "'" .. word .. "'" end
      local script = ([[cd '%s/examples/playbooks' && source '%s' && COMP_WORDS=(%s) COMP_CWORD=%d && _moonpool &&
        printf '%%s\n' "${COMPREPLY[@]}"]]):format(MOONPOOL_ROOT, path "bash", table.concat(quoted, " "), #words - 1)
      policies.write("/tmp/moonpool-complete.sh", script)
      local said = program.sh "bash --norc /tmp/moonpool-complete.sh"
      os.remove "/tmp/moonpool-complete.sh"
      local list = {}
      for line in said:gmatch "[^\n]+" do list[#list + 1] = line end
      table.sort(list)
      return list
    end
    assert.same({ "ctl" }, completed "ct")
    assert.same({ "--version" }, completed "--v")
    assert.same({ "--control" }, completed("ctl", "--c"))
    assert.same({ "pause", "playbookAck" }, (function()
      local list = completed("ctl", "p")
      return { list[1], list[2] }
    end)())
    assert.same({ "lost_node.lua" }, completed("check", "lost"))
    assert.same({ "lost_node.lua" }, completed("serve", "--control", "lost"))
    assert.same({ "bash", "fish", "man", "zsh" }, completed("manual", ""))
  end)

  it("is in every shell's own words", function()
    for _, shell in ipairs { "bash", "zsh", "fish" } do
      if has(shell) then
        local said, status = program.sh(("%s -n '%s' 2>&1"):format(shell, path(shell)))
        assert.equal(0, status, said)
      end
    end
  end)
end)

describe("moonpool", function()
  it("tells its version by an option, too", function()
    local said, status = moonpool "--version"
    assert.equal(0, status)
    assert.equal(moonpool "version", said)
  end)

  it("only looks at a configuration with serve --check", function()
    local folder = policies.folder()
    policies.write(folder .. "/pool.lua", "return { contactPoints = { '192.0.2.1' }, playbooks = { 'p.lua' } }")
    policies.write(folder .. "/p.lua", "return playbook { name = 'p', run = function() end }")
    local said, status = moonpool("serve --check " .. folder .. "/pool.lua")
    assert.equal(0, status, said)
    policies.write(folder .. "/p.lua", "return playbook { name = 'p' }")
    said, status = moonpool("serve --check " .. folder .. "/pool.lua")
    assert.equal(1, status)
    assert.matches("p.lua:1: run: a function expected", said, 1, true)
    assert.equal(2, select(2, moonpool("serve --check " .. folder .. "/nothing.lua")))
    policies.remove(folder)
  end)
end)
