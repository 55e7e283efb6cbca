-- SPDX-License-Identifier: Apache-2.0
-- What the commands say when there is no memory for what they begin: a line, and never a traceback. Their configuration
-- is Lua code of their own process, which here takes the memory away.
local program = require "spec.support.program"

local function said(command, text)
  local path = program.file("local core = require 'moonpool.core_loader'\n" .. text
    .. "\nreturn { contactPoints = { '127.0.0.1' } }")
  local out, status = program.sh(("echo | '%s' %s '%s'"):format(program.moonpool, command, path))
  os.remove(path)
  assert.equal(1, status, out)
  return (out:gsub(path, "FILE", 1))
end

describe("a command without memory", function()
  for command, expected in pairs {
    ["explain --config"] = "moonpool: NO_MEMORY: out of memory\n",
    ["shell --config"] = "moonpool: NO_MEMORY: out of memory\n",
    serve = "moonpool: NO_MEMORY: out of memory\n",
    check = "FILE: NO_MEMORY: out of memory\n",
  } do
    it("says so: " .. command, function()
      assert.equal(expected, said(command,
        "core.newPool = function() return nil, core.noMemory end core.judgePool = core.newPool"))
    end)
  end

  it("says so: ctl, run", function()
    local out, status = program.run([[
      local core = require "moonpool.core_loader"
      core.askControl = function() return nil, core.noMemory end
      core.openMetrics, core.run = core.askControl, function(fn, ...) return fn(...) end
      assert(require("moonpool.cli.ctl").run { verb = "health", argument = {}, control = "/nowhere" } == 1)
      local pool = require("moonpool").ConnectionPool { contactPoints = { "127.0.0.1" } }
      print(require("moonpool.cli.control").answer('{"verb":"metrics"}'))
      error(core.noMemory)]])
    assert.equal(1, status, out)
    assert.equal("moonpool: /nowhere: NO_MEMORY: out of memory\n"
      .. '{"ok":false,"pools":[{"error":"out of memory","ok":false}]}\nNO_MEMORY: out of memory\n', out)
  end)
end)
