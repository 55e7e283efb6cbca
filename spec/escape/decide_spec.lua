-- SPDX-License-Identifier: Apache-2.0
-- The corpus of attempts, one policy after the other: what each says when it is loaded, what it costs the loop on the
-- decision's own clock, and what becomes of it. Each file of this folder tells in its head what it tries and what must
-- happen: "refused at load: MESSAGE", "error: MESSAGE" (on requests that are meant: tag "evil", an error with 77
-- required answers, a 77th attempt, a datacentre of priority 77), or "harmless". Traffic goes through the same files
-- in traffic_spec.lua.
local ffi = require "ffi"
local C = require "spec.support.c"
local corpus = require "spec.support.escapes"
local datacentres = require "spec.support.datacentres"
local memory = require "spec.support.memory"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

ffi.cdef "uint64_t mp_vm_cpu_ns(void);"

local EVIL = 77
-- A decision has 3 ms of its clock (MP_DECIDE_SERVE_NS), and what is between two looks at it.
local STALL_MS, TURN_MS = 5, 25
local KEPT = 65536 -- bytes

local function ms_of(fn, ...)
  local from = C.mp_vm_cpu_ns()
  local result = fn(...)
  return tonumber(C.mp_vm_cpu_ns() - from) / 1e6, result
end

local function names()
  local made = ffi.new "struct mp_policy_names"
  local id = ffi.cast("uint32_t (*)(void *, const char *, size_t)",
    function(_, text, len) return ffi.string(text, len) == "evil" and EVIL or 1000 end)
  made.tag_id, made.keyspace_id = id, id
  return made, id
end
jit.off(names)

describe("an attempt", function()
  local view, dcs, known, callback
  setup(function()
    view = topology.view({ { dc = "datacenter1" }, { dc = "datacenter1" }, { dc = "b" } }, "datacenter1")
    dcs = datacentres.new { { "datacenter1", 2 }, { "b", 1 } }
    known, callback = names()
    corpus.plant()
  end)
  teardown(function()
    topology.free(view)
    dcs:free()
    callback:free()
  end)
  after_each(function()
    policies.close_all()
    corpus.check_canary()
  end)

  local kinds = { balance = C.MP_POLICY_BALANCE, retry = C.MP_POLICY_RETRY, reconnect = C.MP_POLICY_RECONNECT,
    speculate = C.MP_POLICY_SPECULATE, failover = C.MP_POLICY_FAILOVER }
  -- Each asks once, with or without what the attempts wait for.
  local calls = {
    balance = function(p, evil) p:plan(view, { tag = evil and EVIL or 0 }) end,
    retry = function(p, evil) p:decide { code = C.MP_SE_UNAVAILABLE, required = evil and 77 or 2 } end,
    reconnect = function(p, evil) p:delay { attempt = evil and 77 or 1 } end,
    speculate = function(p, evil) p:after(1, { tag = evil and EVIL or 0 }) end,
    failover = function(p, evil)
      C.mp_view_set_priority(dcs.view, 0, evil and 77 or 0)
      dcs:look()
      local serves = p:serving(dcs.handle)
      assert.is_true(serves == nil or serves == 0 or serves == 1)
    end,
  }

  -- Whether the policy answered.
  local function asker(file)
    local call, kind = calls[file.kind], kinds[file.kind]
    return function(p, evil)
      local before = p:info(kind)
      call(p, evil)
      local after = p:info(kind)
      return after.errors == before.errors and after.calls == before.calls + 1
    end
  end

  local function open(file)
    local options = { paths = { corpus.folder(file) } }
    options[file.kind == "balance" and "policy" or file.kind] = file.path
    return policies.try(options)
  end

  local function says(file, text)
    assert.is_truthy(text:find(file.text, 1, true), "it says: " .. text)
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
    local p, why = open(file)
    if file.must == "refused at load" then
      assert.is_nil(p, "it was let in")
      says(file, why)
      return 0
    end
    assert.is_truthy(p, why)
    assert.equal(0, p:bind(view, known))
    local ask, kind = asker(file), kinds[file.kind]
    for _ = 1, 50 do assert.is_true(ask(p, false), "an honest request fails") end
    local took = 0
    if file.must == "error" then
      took = fails(file, p, ask, kind)
    else
      for _ = 1, 50 do
        ask(p, true)
        ask(p, false)
      end
      assert.equal("", ffi.string(p:info(kind).last_error))
      assert.equal(0, tonumber(p:info(kind).errors))
    end
    p:turn()
    for _, line in ipairs(p.log) do corpus.check_secret(line) end
    p:close()
    return took
  end

  for _, file in ipairs(corpus.files()) do
    it(file.tries:gsub("%.$", "") .. " (" .. file.name .. ")", function()
      local more, took
      for _ = 1, 3 do -- what this spec itself keeps comes once, and the machine is not always the same
        local before = memory.held()
        took = try(file)
        more = memory.held() - before
        if more < KEPT and took < STALL_MS then return end
      end
      assert.is_true(took < STALL_MS, ("it took %.1f ms"):format(took))
      error(more .. " bytes of memory are left")
    end)
  end

  it("is one of at least eighty", function() assert.is_true(#corpus.files() >= 80) end)
end)
