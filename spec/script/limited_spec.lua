-- SPDX-License-Identifier: Apache-2.0
-- Coroutines that may not hold the loop: whatever they do, they end, and nobody else is touched.
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"

-- In a coroutine over the loop of the process.
local function real(name, body) it(name, function() moonpool.run(body) end) end

describe("a limited turn", function()
  local function limited(text, ...)
    local fn = assert(loadstring(text))
    jit.off(fn, true)
    return core.spawnLimited(20, fn, ...)
  end

  local loops = {
    ["without end"] = "while true do end",
    ["that catches what it gets"] = "while true do pcall(function() while true do end end) end",
    ["in a coroutine of its own"] = "coroutine.wrap(function() while true do end end)()",
    ["after it has waited"] = "require('moonpool').sleep(1) while true do end",
    ["that keeps a hook of its own off"] = "while true do local x = ('x'):rep(100) end",
  }
  for name, text in pairs(loops) do
    real("ends a loop " .. name, function()
      local value, err = limited(text):wait()
      assert.is_nil(value)
      assert.matches("more than 20 ms without waiting", tostring(err))
    end)
  end

  real("is what those have, too, that it starts", function()
    local value, err = limited([[
      return require("moonpool").spawn(function() while true do end end):wait()]]):wait()
    assert.is_nil(value)
    assert.matches("more than 20 ms without waiting", tostring(err))
  end)

  real("is nobody else's, and not its own while it waits", function()
    local done = false
    local other = moonpool.spawn(function()
      local till = os.clock() + 0.1
      while os.clock() < till do end
      done = true
      return true
    end)
    local waits = limited [[
      for _ = 1, 20 do
        for i = 1, 10000 do local x = i end
        require("moonpool").sleep(2)
      end
      return "well"]]
    assert.equal("well", waits:wait())
    assert.is_true(other:wait())
    assert.is_true(done)
    assert.is_nil((debug.gethook()))
  end)
end)
