-- SPDX-License-Identifier: Apache-2.0
-- Reloads every 10 ms, one version in three broken, while requests run: bench/reloads.lua, shorter and under the
-- sanitizers. MOONPOOL_RELOADS=N runs N of them, MOONPOOL_SEED=N with that seed.
local memory = require "spec.support.memory"

local RELOADS = tonumber(os.getenv "MOONPOOL_RELOADS") or 2500
local KEPT = 1000000 -- bytes: the session's rings and the simulated nodes grow a little

describe("a policy that is reloaded all the time", function()
  it("costs no request and no memory, and a good version serves", function()
    local reloads = assert(loadfile(MOONPOOL_ROOT .. "/bench/reloads.lua")) "as a module"
    local first, last, seen
    reloads.run({ reloads = RELOADS, seed = tonumber(os.getenv "MOONPOOL_SEED") or 1 }, function(now)
      assert.equal(0, now.failed, now.failure)
      last, seen = now, (seen or 0) + 1
      last.held = memory.held()
      if seen == 2 then first = last end
    end)
    assert.equal(10, seen)
    assert.is_true(last.requests > 5 * RELOADS, last.requests)
    assert.is_true(last.refused > RELOADS * 0.3, last.refused)
    assert.equal(math.floor(RELOADS / 50), last.steppedBack)
    assert.is_true(last.held - first.held < KEPT, last.held - first.held .. " bytes more than before")
  end)
end)
