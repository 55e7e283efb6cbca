-- SPDX-License-Identifier: Apache-2.0
-- The policies that need no script answer while one is broken: they say what the scripts of their names say.
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local names = { [tonumber(C.MP_GIVE_UP)] = "giveUp", [tonumber(C.MP_SAME_HOST)] = "sameHost",
  [tonumber(C.MP_NEXT_HOST)] = "nextHost" }

-- The verdict in C and its delay.
local function decide(fields, most)
  local view = ffi.new("struct mp_retry_view", { attempt = 1 })
  for key, value in pairs(fields) do view[key] = value end
  local delay = ffi.new "uint32_t[1]"
  local limit = most and ffi.new("uint32_t[1]", most)
  return names[tonumber(C.mp_default_retry(limit, view, delay))], delay[0]
end

local CODES = { -1, C.MP_SE_SERVER_ERROR, C.MP_SE_UNAVAILABLE, C.MP_SE_OVERLOADED, C.MP_SE_IS_BOOTSTRAPPING,
  C.MP_SE_TRUNCATE_ERROR, C.MP_SE_WRITE_TIMEOUT, C.MP_SE_READ_TIMEOUT, C.MP_SE_READ_FAILURE, C.MP_SE_FUNCTION_FAILURE,
  C.MP_SE_WRITE_FAILURE, C.MP_SE_CAS_WRITE_UNKNOWN, C.MP_SE_SYNTAX_ERROR, C.MP_SE_UNAUTHORIZED, C.MP_SE_INVALID,
  C.MP_SE_CONFIG_ERROR, C.MP_SE_ALREADY_EXISTS, C.MP_SE_UNPREPARED, C.MP_SE_PROTOCOL_ERROR, 0x7777 }

-- Everything that such a policy can be asked, within small numbers.
local function each_question(visit)
  for _, code in ipairs(CODES) do
    for attempt = 1, 5 do
      for received = 0, 3 do
        for flags = 0, 3 do
          for writeType = 0, code == C.MP_SE_WRITE_TIMEOUT and C.MP_WRITE_UNKNOWN or 0 do
            visit { code = code, attempt = attempt, received = received, required = 2, writeType = writeType,
              dataPresent = flags % 2 == 1, idempotent = flags >= 2 }
          end
        end
      end
    end
  end
end

describe("the retries without a script", function()
  after_each(policies.close_all)

  it("are those of DefaultRetryPolicy, whatever happened", function()
    for _, most in ipairs { 0, 1, 3, 4 } do
      local p = policies.new { retry = "DefaultRetryPolicy", retryOptions = ("{ maxRetries = %d }"):format(most) }
      each_question(function(err)
        local scripted = p:decide(err)
        if scripted ~= decide(err, most) or most == 3 and scripted ~= decide(err) then
          local said = {}
          for key, value in pairs(err) do said[#said + 1] = key .. "=" .. tostring(value) end
          error(table.concat(said, " ") .. ": " .. scripted .. " in Lua, " .. decide(err, most) .. " in C")
        end
      end)
      p:close()
    end
  end)

  it("wait twice as long each time for a server in trouble, within a bound, and for nothing else", function()
    for _, code in ipairs(CODES) do
      local in_trouble = code == C.MP_SE_OVERLOADED or code == C.MP_SE_SERVER_ERROR or code == C.MP_SE_TRUNCATE_ERROR
      for attempt = 1, 9 do
        local verdict, delay = decide({ code = code, attempt = attempt }, 9)
        assert.equal(in_trouble and 20 * 2 ^ math.min(attempt, 6) or 0, delay)
        if in_trouble then assert.equal("nextHost", verdict) end
      end
    end
  end)
end)

describe("the plan without a script", function()
  local view, ring, placement

  before_each(function()
    local hosts = {}
    for i = 1, 9 do hosts[i] = { dc = "dc" .. math.ceil(i / 3), tokens = { i * 1000 } } end
    view, ring = topology.view(hosts, "dc1", "rack1"), topology.ring(hosts)
    placement = topology.placement(ring, view, { class = "NetworkTopologyStrategy", dc1 = "2", dc2 = "2" })
  end)

  after_each(function()
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  local function walk(fields, token)
    local plan = ffi.new "struct mp_plan"
    C.mp_plan_init(plan, view, placement, token ~= nil, token or 0, 77)
    assert.is_true(C.mp_default_plan(nil, ffi.new("struct mp_request_view", fields), plan))
    return topology.walk(plan)
  end

  it("has the local replicas first, then the other local hosts, then remote ones", function()
    for token = -500, 9500, 250 do
      local replicas = {}
      for _, slot in ipairs(topology.replicas(placement, token)) do replicas[slot] = slot < 3 end
      local hosts = walk({}, token)
      assert.equal(9, #hosts)
      for i, slot in ipairs(hosts) do
        assert.equal(i <= 3, slot < 3)
        assert.equal(i <= 2, replicas[slot] or false)
      end
    end
  end)

  it("stays in the local datacentre for a local consistency", function()
    assert.equal(3, #walk { isLocalConsistency = true })
    assert.equal(3, #walk({ isLocalConsistency = true }, 4000))
    assert.equal(9, #walk {})
  end)

  it("asks the primary replica first for a lightweight transaction, and each replica first for others", function()
    local firsts = { [true] = {}, [false] = {} }
    for _, is_lwt in ipairs { true, false } do
      for chance = 1, 200 do
        local plan = ffi.new "struct mp_plan"
        C.mp_plan_init(plan, view, placement, true, 500, chance * 7919)
        C.mp_default_plan(nil, ffi.new("struct mp_request_view", { isLwt = is_lwt }), plan)
        firsts[is_lwt][C.mp_plan_next(plan, nil)] = true
      end
    end
    assert.same({ [0] = true }, firsts[true])
    assert.same({ [0] = true, [1] = true }, firsts[false])
  end)
end)
