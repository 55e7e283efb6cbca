-- SPDX-License-Identifier: Apache-2.0
-- A million random calls of everything a policy can say, and a million random verdicts: what C makes of them is always
-- a plan whose hosts are up, each once, and which ends, and a verdict that the replay gate knows.
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local CALLS = tonumber(os.getenv "MOONPOOL_CALLS") or 1000000
local NODES = 12

-- It draws what it does from random(), which is the plan's own chance: the number of the request.
local PLANNER = [[
local made, hostsSeen = 0, {}
local lists = { { "10.0.0.1" }, { "a" }, { "b/r1", "10.0.0.2:9042" }, {}, { "nowhere", "" } }
local function below(n)
  local drawn = random() * n
  return drawn - drawn % 1
end
local function one(list) return list[1 + below(#list)] end
local function keep(host) hostsSeen[#hostsSeen < 40 and #hostsSeen + 1 or 1 + below(40)] = host end
local scopes = { localDc, sameRack, remoteDcs, allDcs, dc "a", dc "b", dc "c", dc "nowhere", dc "" }
local orders = { inTurn, shuffled, primaryFirst, leastLoaded, fastest, weighted }
local limits = { 0, 1, 2, 3, 100, 65536, 2 ^ 31 - 1, 0.5, 1.5 }
local odd = { 0 / 0, 1 / 0, -1 / 0, -1, 0, 2 ^ 31, 2 ^ 32 + 1, 2 ^ 53, -2 ^ 53, 1e308, 0.1, "x", "", true, 256LL, {},
  localDc, inTurn, 0x180, 0x1ff, 0x200, 0x205, 0x206, 0x300, 0x400, 0x40f }
local ways = {
  function(plan) plan:replicas(one(scopes), one(orders), one(limits)) end,
  function(plan) plan:replicas(one(scopes)) end,
  function(plan) plan:hosts(one(scopes), one(orders), one(limits)) end,
  function(plan) plan:hosts(one(scopes), one(orders)) end,
  function(plan) if #hostsSeen > 0 then plan:host(one(hostsSeen)) end end,
  function(plan) plan:only(random() < 0.5 and tagged "red" or listed(one(lists))) end,
  function(plan) plan:avoid(random() < 0.5 and tagged "blue" or listed(one(lists))) end,
  function(plan) plan:avoidSlow(1 + random() * 10, random() * 20000, random() * 5) end,
  function(plan) plan:allowAll() end,
  function(plan) plan:child() end,
  function()
    for _, host in hosts(one(scopes)) do keep(host) end
  end,
  function() for _, host in replicas(one(scopes)) do keep(host) end end,
  function() made = made + upCount(one(scopes)) * 0 end,
  function() made = made + shutCount(one(scopes)) * 0 end,
  function(plan) if random() < 0.01 then plan:refuse() end end,
}
local wrong = {
  function(plan) plan:hosts(one(odd), one(odd), one(odd)) end,
  function(plan) plan:replicas(one(scopes), one(odd), one(odd)) end,
  function(plan) plan:hosts(one(scopes), one(orders), one(odd)) end,
  function(plan) plan:host(one(odd)) end,
  function(plan) plan:only(one(odd)) end,
  function(plan) plan:avoidSlow(one(odd), one(odd), one(odd)) end,
  function() for _, host in hosts(one(odd)) do hostsSeen[1] = host end end,
  function() made = made + upCount(one(odd)) * 0 end,
}
return balance {
  name = "Random",
  options = { childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req)
    for _ = 1, 1 + below(20) do
      local call = req.tag == 5 and random() < 0.02 and one(wrong) or one(ways)
      if call == ways[10] then plan:child(req) else call(plan) end
    end
  end,
}]]

-- Everything between 0x300 and 0x302 is a verdict, delays are 0 to an hour, consistencies whole numbers 0 to 10.
local JUDGE = [[
local function below(n)
  local drawn = random() * n
  return drawn - drawn % 1
end
local verdicts = { giveUp, sameHost, nextHost }
local odd = { 0 / 0, 1 / 0, -1 / 0, -1, 1.5, 2 ^ 31, 2 ^ 32 + 0x301, 2 ^ 53, 1e308, "x", true, {}, 0x301LL, 0x2ff,
  0x303, localDc }
return retry {
  name = "Random",
  decide = function(err)
    if err.attempt ~= 77 or random() < 0.7 then
      return verdicts[1 + below(3)], random() * 1000, random() < 0.5 and below(11) or nil
    end
    if random() < 0.5 then return odd[1 + below(#odd)], random() end
    if random() < 0.5 then return verdicts[1 + below(3)], odd[1 + below(#odd)] end
    return verdicts[1 + below(3)], 0, odd[1 + below(#odd)]
  end,
}]]

-- Times: of the next try of a host, of the next copy of a request.
local TIMER = [[
local function below(n)
  local drawn = random() * n
  return drawn - drawn %% 1
end
local odd = { 0 / 0, 1 / 0, -1 / 0, -1, -0.1, 3600000.5, 86400001, 2 ^ 31, 2 ^ 32, 2 ^ 53, 1e308, "5", true, {}, 5LL }
local function time(meant)
  if not meant or random() < 0.7 then return random() * 3600000 end
  return odd[1 + below(#odd)]
end
return %s { name = "Random", %s }]]

local function random_source(seed)
  local state = seed
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n
  end
end

describe("random", function()
  local view, ring, placement, hosts
  setup(function()
    hosts = {}
    for i = 1, NODES do
      hosts[i] = { dc = ({ "a", "a", "b", "c" })[i % 4 + 1], rack = "r" .. i % 3,
        tokens = { i * 1000, i * 1000 + 500 } }
    end
    view = topology.view(hosts, "a", "r1")
    ring = topology.ring(hosts)
    placement = topology.placement(ring, view, { class = "NetworkTopologyStrategy", a = "3", b = "2", c = "1" })
    for i = 0, NODES - 1 do C.mp_view_name_host(view, i, "10.0.0." .. i .. ":9042", "id" .. i) end
  end)
  teardown(function()
    policies.close_all()
    C.mp_placement_unref(placement)
    C.mp_ring_unref(ring)
    topology.free(view)
  end)

  local odd_weights = { 1, 0, 0.5, 1e6, 0 / 0, -1, 1 / 0 }
  local function change(draw)
    for _ = 1, 1 + draw(3) do
      local host = view.hosts[draw(NODES)]
      host.isUp = draw(3) > 0
      host.isNewlyUp = draw(4) == 0
      host.weight = odd_weights[draw(#odd_weights) + 1]
      host.inFlight = draw(1000)
      host.latencyUs = draw(2) * draw(100000)
      host.latencyAtMs = draw(20000)
    end
    if draw(10) == 0 then
      local tags = ffi.new("const char *[2]", { "red", "blue" })
      assert(C.mp_view_set_tags(view, draw(NODES), tags, draw(3)) == 0)
    end
    assert(C.mp_view_rebuild(view) == 0)
  end

  local seen = ffi.new("uint32_t[?]", NODES)
  -- Walks the plan; hosts may go down on the way.
  local function walk(plan, number, draw)
    local given = 0
    for _ = 0, NODES do
      local host = C.mp_plan_next(plan, nil)
      if host == C.MP_NO_HOST then return given end
      if host >= NODES then error("plan " .. number .. " gives host " .. host) end
      if not view.hosts[host].isUp then error("plan " .. number .. " gives a host that is down") end
      if seen[host] == number then error("plan " .. number .. " gives a host twice") end
      seen[host] = number
      given = given + 1
      if draw(50) == 0 then change(draw) end
    end
    error("plan " .. number .. " does not end")
  end

  it("calls of a balance policy never spoil a plan", function()
    local p = assert(policies.of(PLANNER, { sim = true }))
    assert.equal(0, p:bind(view))
    local draw = random_source(tonumber(os.getenv "MOONPOOL_SEED") or 1)
    local balance = C.mp_policies_get(p.handle).balance
    local request, plan = ffi.new("struct mp_request_view", { tag = 5 }), ffi.new "struct mp_plan"
    local answered, full, number = 0, 0, 0
    while number * 9 < CALLS do -- a decision makes ten calls, or fewer until it fails
      number = number + 1
      if number % 20 == 0 then change(draw) end
      if number % 1000 == 0 then p:pass(1010) end
      request.hasToken, request.isLwt, request.isRead = draw(4) > 0, draw(8) == 0, draw(2) == 0
      C.mp_plan_init(plan, view, placement, request.hasToken, draw(13000), number * 2654435761)
      local ok = balance.plan(balance.self, request, plan)
      if plan.step_count > C.MP_PLAN_STEPS then error("plan " .. number .. " has too many steps") end
      local given = walk(plan, number, draw)
      if ok and given > 0 then answered = answered + 1 end
      if given == 3 then full = full + 1 end
    end
    local errors = tonumber(p:info().errors)
    assert.is_true(answered > number * 0.5, answered)
    assert.is_true(errors > number * 0.05 and errors < number * 0.5, errors)
    assert.is_true(full > 0)
    assert.is_false(p:info().is_suspended)
  end)

  it("verdicts of a retry policy are always one of three", function()
    local p
    local folder = policies.folder()
    finally(function() policies.remove(folder) end)
    policies.write(folder .. "/random.lua", JUDGE)
    p = policies.new { retry = "Random", paths = { folder }, sim = true }
    local retry = C.mp_policies_get(p.handle).retry
    local err, delay = ffi.new("struct mp_retry_view", { code = -1, attempt = 77 }), ffi.new "uint32_t[1]"
    local counts = { [0] = 0, 0, 0 }
    for number = 1, CALLS do
      if number % 10000 == 0 then p:pass(1010) end
      local verdict = tonumber(retry.decide(retry.self, err, delay))
      counts[verdict] = counts[verdict] + 1 -- another one is an error here
      if delay[0] > 3600000 then error("a delay of " .. delay[0]) end
      local lower = retry.lower_to[0]
      if lower > 10 and lower ~= C.MP_CONSISTENCY_AS_IT_IS then error("consistency " .. lower) end
    end
    local errors = tonumber(p:info(C.MP_POLICY_RETRY).errors)
    assert.is_true(errors > CALLS * 0.15 and errors < CALLS * 0.3, errors)
    for verdict = 0, 2 do assert.is_true(counts[verdict] > CALLS / 6, counts[verdict]) end
  end)

  local function timer(kind, entry)
    local folder = policies.folder()
    finally(function() policies.remove(folder) end)
    policies.write(folder .. "/random.lua", TIMER:format(kind, entry))
    return policies.new { [kind] = "Random", paths = { folder }, sim = true }
  end

  it("delays of a reconnect policy are milliseconds of a day at most", function()
    local p = timer("reconnect", "delay = function(try) return time(try.attempt == 77) end")
    local reconnect = C.mp_policies_get(p.handle).reconnect
    local try = ffi.new("struct mp_reconnect_view", { attempt = 77 })
    local delay, answered = ffi.new "uint64_t[1]", 0
    for number = 1, CALLS / 5 do
      if number % 10000 == 0 then p:pass(1010) end
      if reconnect.delay(reconnect.self, try, delay) then
        answered = answered + 1
        if delay[0] > 86400000ULL then error("a delay of " .. tostring(delay[0])) end
      end
    end
    assert.is_true(answered > CALLS / 5 * 0.65 and answered < CALLS / 5 * 0.85, answered)
  end)

  it("times of a speculate policy are milliseconds of an hour at most, or none", function()
    local p = timer("speculate", "after = function(req) return time(req.tag == 5) end")
    local speculate = C.mp_policies_get(p.handle).speculate
    local req = ffi.new("struct mp_request_view", { attempt = 1, isRead = true, idempotent = true, tag = 5 })
    local answered = 0
    for number = 1, CALLS / 5 do
      if number % 10000 == 0 then p:pass(1010) end
      local ms = speculate.after(speculate.self, req, 1)
      if ms ~= 0xffffffff then
        answered = answered + 1
        if ms > 3600000 then error("a copy after " .. ms) end
      end
    end
    assert.is_true(answered > CALLS / 5 * 0.65 and answered < CALLS / 5 * 0.85, answered)
  end)
end)
