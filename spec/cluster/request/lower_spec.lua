-- SPDX-License-Identifier: Apache-2.0
-- A retry policy may ask for fewer replicas at the next attempt: for fewer only, and only where a second attempt does
-- no harm.
local ffi = require "ffi"
local C = require "spec.support.c"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

-- From those that wait for the fewest replicas to those that wait for the most. Serial levels and ANY are none of them.
local STRENGTHS = { { "ONE", "LOCAL_ONE" }, { "TWO" }, { "THREE" }, { "LOCAL_QUORUM" }, { "QUORUM" }, { "EACH_QUORUM" },
  { "ALL" } }

local strength_of, levels = {}, { "ANY", "SERIAL", "LOCAL_SERIAL" }
for strength, names in ipairs(STRENGTHS) do
  for _, name in ipairs(names) do
    strength_of[name] = strength
    levels[#levels + 1] = name
  end
end

local function code_of(name) return tonumber(C["MP_CL_" .. name]) end

describe("a consistency that a retry policy lowers", function()
  local world, wish, seen

  before_each(function()
    world = session_world.connected()
    local policies = ffi.new("struct mp_policy_calls", world.session.policies)
    wish = ffi.new "uint16_t[1]"
    policies.retry.lower_to = wish
    policies.retry.decide = world.loop:callback(
      "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)",
      function() return C.MP_NEXT_HOST end)
    C.mp_session_set_policies(world.session, policies)
    world.on_statement = function(_, link, request)
      seen[#seen + 1] = request.consistency
      if #seen > 1 then return end
      rows.error(link, request, { code = C.MP_SE_UNAVAILABLE, message = "no", consistency = request.consistency,
        required = 2, received = 1 })
      return true
    end
  end)
  after_each(function() world:close() end)

  -- The levels of both attempts.
  local function attempts(cql, asked, wished, options)
    options = options or {}
    options.consistency, seen = code_of(asked), {}
    wish[0] = wished and code_of(wished) or C.MP_CONSISTENCY_AS_IT_IS
    world:execute(cql, options)
    return seen
  end

  it("waits for fewer replicas than the caller's, or is the caller's", function()
    for _, asked in ipairs(levels) do
      for _, wished in ipairs(levels) do
        local lowered = strength_of[asked] and strength_of[wished] and strength_of[wished] < strength_of[asked]
        local first, second = unpack(attempts("SELECT v FROM t", asked, wished))
        assert.equal(code_of(asked), first)
        assert.equal(code_of(lowered and wished or asked), second, asked .. " to " .. wished)
      end
    end
  end)

  it("is the caller's when the policy says nothing", function()
    for _, asked in ipairs(levels) do
      assert.same({ code_of(asked), code_of(asked) }, attempts("SELECT v FROM t", asked))
    end
  end)

  it("is for what may be sent twice, and for no lightweight transaction", function()
    local quorum, one = code_of "QUORUM", code_of "ONE"
    local write, lwt = "UPDATE t SET v = 1 WHERE k = 1", "UPDATE t SET v = 1 WHERE k = 1 IF v = 2"
    assert.same({ quorum, one }, attempts(write, "QUORUM", "ONE", { idempotent = true }))
    assert.same({ quorum, quorum }, attempts(write, "QUORUM", "ONE"))
    assert.equal(quorum, attempts(lwt, "QUORUM", "ONE", { idempotent = true })[1])
    assert.is_nil(attempts(lwt, "QUORUM", "ONE", { idempotent = true })[2])
  end)
end)
