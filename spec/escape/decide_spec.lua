-- SPDX-License-Identifier: Apache-2.0
-- The corpus of attempts, one policy after the other: what each says when it is loaded, what it costs the loop on the
-- decision's own clock, and what becomes of it. Each file of this folder tells in its head what it tries and what must
-- happen: "refused at load: MESSAGE", "error: MESSAGE" (on requests that are meant: tag "evil", an error with 77
-- required answers, a 77th attempt, a datacentre of priority 77), or "harmless". Traffic goes through the same files
-- in traffic_spec.lua.
local ffi = require "ffi"
local asker = require "spec.support.asker"
local corpus = require "spec.support.escapes"
local effort = require "spec.support.effort"
local memory = require "spec.support.memory"
local policies = require "spec.support.policies"

local ms_of = asker.ms_of
-- A decision has 3 ms of its clock (MP_POLICY_SERVE_NS), and what is between two looks at it.
local STALL_MS, TURN_MS = 5, 25
local KEPT = 65536 -- bytes

describe("an attempt", function()
  local questions
  setup(function()
    questions = asker.new()
    corpus.plant()
  end)
  teardown(function() questions:close() end)
  after_each(function()
    policies.close_all()
    corpus.check_canary()
  end)

  local function says(file, text)
    -- On a machine that is busy the clock of the fuel may be first, whatever else would have stopped it.
    local says_it = text:find(file.text, 1, true) or text:find(": out of fuel: ", 1, true)
    assert.is_truthy(says_it, "it says: " .. text)
    assert.is_nil(text:find "0x%x%x%x%x%x%x", "it tells an address: " .. text)
    corpus.check_secret(text)
  end

  -- An error is stopped in time, told with its place, and what fails again and again rests.
  local function fails(file, p, ask, kind)
    local best, turn = math.huge, math.huge
    for _ = 1, 3 do
      local ms, worked
      for _ = 1, file.slow and 2000 or 1 do
        ms, worked = ms_of(ask, p, true)
        if not worked then break end
      end
      assert.is_false(worked, "it did what it tried")
      best, turn = math.min(best, ms), math.min(turn, (ms_of(p.turn, p)))
      assert.is_true(file.slow or ask(p, false), "it does not work any more")
    end
    if os.getenv "MOONPOOL_ESCAPE_TIMES" then
      io.stderr:write(("%-40s %6.2f ms, then %6.2f ms\n"):format(file.name, best, turn))
    end
    assert.is_true(turn < TURN_MS, ("giving it back took %.1f ms"):format(turn))
    local message = ffi.string(p:info(kind).last_error)
    says(file, message)
    assert.matches("^%S+%.lua", message)
    for _ = 1, file.slow and 20000 or 100 do
      if p:info(kind).is_suspended then break end
      ask(p, true)
    end
    assert.is_true(p:info(kind).is_suspended, "it does not rest")
    return best
  end

  local function try(file)
    local p, why = questions:open(file.kind, file.path, corpus.folder(file))
    if file.must == "refused at load" then
      assert.is_nil(p, "it was let in")
      says(file, why)
      return 0
    end
    assert.is_truthy(p, why)
    local kind = asker.kinds[file.kind]
    local function ask(_, evil) return questions:ask(file.kind, p, evil) end
    for _ = 1, 50 do assert.is_true(ask(p, false), "an honest request fails") end
    local took, errors, harm = 0, 0, ""
    if file.must == "error" then
      took = fails(file, p, ask, kind)
    else
      for _ = 1, 50 do
        ask(p, true)
        ask(p, false)
      end
      harm, errors = ffi.string(p:info(kind).last_error), tonumber(p:info(kind).errors)
    end
    p:turn()
    for _, line in ipairs(p.log) do corpus.check_secret(line) end
    p:close()
    assert.equal("", harm)
    assert.equal(0, errors)
    return took
  end

  for _, file in ipairs(corpus.files()) do
    it(file.tries:gsub("%.$", "") .. " (" .. file.name .. ")", function()
      local more, took
      for _ = 1, 3 do -- what this spec itself keeps comes once, and the machine is not always the same
        local before = memory.held()
        took = effort.tries(try, file)
        more = memory.held() - before
        if more < KEPT and took < STALL_MS then return end
      end
      assert.is_true(took < STALL_MS, ("it took %.1f ms"):format(took))
      error(more .. " bytes of memory are left")
    end)
  end

  it("is one of at least eighty", function() assert.is_true(#corpus.files() >= 80) end)
end)
