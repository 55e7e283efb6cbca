-- SPDX-License-Identifier: Apache-2.0
-- Failover policies: what the built-in one says over time, and what is taken of what others say.
local ffi = require "ffi"
local C = require "spec.support.c"
local datacentres = require "spec.support.datacentres"
local policies = require "spec.support.policies"
local refuses = require "spec.support.refuses"
local world = require "spec.support.world"

local folder, dcs

local function clean()
  policies.close_all()
  if dcs then dcs:free() end
  dcs = nil
end

-- Asks the policy every `step` ms for `ms`; what it says is done. A list of moves, { at (from the start), to }.
local function follow(p, ms, step, meanwhile)
  local moves, from = {}, dcs.now
  while dcs.now - from < ms do
    if meanwhile then meanwhile(dcs.now - from) end
    local serving = assert(p:serving(dcs.handle), "the policy failed")
    if serving ~= dcs.handle.serving then
      dcs:serve(dcs.names[serving])
      moves[#moves + 1] = { at = dcs.now - from, to = dcs.names[serving] }
    end
    dcs:pass(step)
  end
  return moves
end

describe("DatacentreFailoverPolicy", function()
  after_each(clean)

  local function policy(options)
    return policies.new { failover = "DatacentreFailoverPolicy", failoverOptions = options }
  end

  it("stays at home while that is well", function()
    local p = policy()
    dcs = datacentres.new { { "east", 3 }, { "west", 3 } }
    dcs:set("east", 1)
    assert.same({}, follow(p, 100000, 1000))
  end)

  it("moves when home was down long enough, and back when it was up long enough", function()
    local p = policy "{ downFor = 10000, upFor = 60000 }"
    dcs = datacentres.new { { "east", 3 }, { "west", 3 } }
    dcs:set("east", 0)
    local moves = follow(p, 30000, 1000)
    assert.same({ { at = 10000, to = "west" } }, moves)
    dcs:set("east", 1)
    moves = follow(p, 90000, 1000)
    assert.equal(1, #moves)
    assert.equal("east", moves[1].to)
    assert.is_true(moves[1].at >= 60000 and moves[1].at <= 76000, tostring(moves[1].at))
  end)

  it("does not return because of a home that comes and goes", function()
    local p = policy()
    dcs = datacentres.new { { "east", 3 }, { "west", 3 } }
    dcs:set("east", 0)
    follow(p, 12000, 1000)
    assert.equal(dcs.ids.west, dcs.handle.serving)
    assert.same({}, follow(p, 600000, 1000, function(at) dcs:set("east", at % 60000 < 50000 and 3 or 0) end))
    assert.equal(1, #follow(p, 80000, 1000, function() dcs:set("east", 3) end))
  end)

  it("takes the most wanted datacentre that is well, and leaves it when it breaks, too", function()
    local p = policy()
    dcs = datacentres.new { { "home", 3 }, { "a", 3, 3 }, { "b", 3, 1 }, { "c", 3, 2 } }
    dcs:pass(20000)
    dcs:set("home", 0)
    assert.equal("b", follow(p, 12000, 1000)[1].to)
    dcs:set("b", 0)
    assert.same({ { at = 10000, to = "c" } }, follow(p, 12000, 1000))
    -- That the more wanted one is back is no reason to move again.
    dcs:set("b", 3)
    assert.same({}, follow(p, 100000, 1000))
  end)

  it("prefers one that has been well for a while to one that has just come", function()
    local p = policy()
    dcs = datacentres.new { { "home", 3 }, { "a", 3, 1 }, { "b", 3, 2 } }
    dcs:set("a", 0)
    dcs:pass(20000)
    dcs:set("home", 0)
    dcs:pass(9000)
    dcs:set("a", 3)
    assert.equal("b", follow(p, 12000, 1000)[1].to)
  end)

  it("stays where it is when nobody else is well", function()
    local p = policy()
    dcs = datacentres.new { { "home", 3 }, { "a", 3 } }
    dcs:set("a", 0)
    dcs:set("home", 0)
    assert.same({}, follow(p, 60000, 1000))
    assert.same({ { at = 6000, to = "a" } }, follow(p, 20000, 1000, function(at)
      if at == 5000 then dcs:set("a", 2) end
    end))
  end)

  it("counts hosts by number or by part", function()
    for options, cases in pairs {
      ["{ minUpHosts = 2 }"] = { [2] = 0, [1] = 1, [0] = 1 },
      ["{ minUpRatio = 0.5 }"] = { [3] = 0, [2] = 1, [0] = 1 },
      ["{ minUpHosts = 100 }"] = { [6] = 0, [5] = 1 }, -- more than there are: all of them
      ["{ minUpHosts = 0 }"] = { [1] = 0, [0] = 1 }, -- nobody at all is never enough
    } do
      for up, moves in pairs(cases) do
        local p = policy(options)
        dcs = datacentres.new { { "home", 6 }, { "a", 6 } }
        dcs:set("home", up)
        assert.equal(moves, #follow(p, 30000, 1000), options .. " with " .. up)
        clean()
      end
    end
  end)

  it("does not move more often than its times allow, whatever happens", function()
    for seed = 1, 8 do
      local random = world.random(seed)
      local p = policy "{ downFor = 5000, upFor = 20000 }"
      dcs = datacentres.new { { "home", 3 }, { "a", 3 }, { "b", 2 } }
      local names = { "home", "a", "b" }
      local function weather()
        if random(3) == 0 then
          local name = names[random(3) + 1]
          dcs:set(name, random(dcs.total[dcs.ids[name] + 1] + 1) * random(2))
        end
      end
      local hours = 2 * 3600000
      local moves = follow(p, hours, 1000, weather)
      -- Who is left has had no host for 5 s since it serves; or home has been well for 20 s since it was left.
      local left_home = 0
      for i = 1, #moves do
        local gap = moves[i].at - (i > 1 and moves[i - 1].at or 0)
        local returns = moves[i].to == "home" and moves[i].at - left_home >= 20000
        assert.is_true(gap >= 5000 or returns, moves[i].to .. " after " .. gap)
        if i == 1 or moves[i - 1].to == "home" then left_home = moves[i].at end
      end
      assert.is_true(#moves > 50 and #moves <= hours / 5000 + hours / 25000, #moves .. " moves")
      clean()
    end
  end)

  refuses(it, "failover", "DatacentreFailoverPolicy", {
    ["{ minUpHosts = -1 }"] = "failover.minUpHosts: got -1; must be 0 or more",
    ["{ downFor = -1 }"] = "failover.downFor: got -1; must be 0 or more",
    ["{ upFor = -1 }"] = "failover.upFor: got -1; must be 0 or more",
    ["{ minUpRatio = 2 }"] = "failover.minUpRatio: got 2; must be 0 to 1",
    ["{ minUpHost = 1 }"] = "has no such option, did you mean minUpHosts?",
  })
end)

describe("a failover policy", function()
  before_each(function()
    folder = policies.folder()
    dcs = datacentres.new { { "home", 4 }, { "a", 2, 7 }, { "b", 1 } }
  end)
  after_each(function()
    clean()
    policies.remove(folder)
  end)

  local function text(body)
    return "return failover { name = 'Mine', decide = function(home, serving, options)\n" .. body .. " end }"
  end
  local function try(body)
    policies.write(folder .. "/mine.lua", text(body))
    return policies.try { failover = folder .. "/mine.lua" }
  end
  local function said(body)
    local p = assert(try(body))
    local dc, why = p:serving(dcs.handle)
    return dc and dcs.names[dc], why
  end

  it("of the manual loads and works", function()
    local manual = assert(io.open(MOONPOOL_ROOT .. "/docs/policies.md"))
    local path = folder .. "/manual.lua"
    policies.write(path, (assert(manual:read("*a"):match "```lua\n(return failover {.-)```")))
    manual:close()
    local p = policies.new { failover = path }
    dcs:set("home", 0)
    dcs:pass(15000)
    assert.equal("a", dcs.names[p:serving(dcs.handle)])
    assert.is_true(p:info(C.MP_POLICY_FAILOVER).ns_per_call > 0)
  end)

  it("that is not there costs nothing", function()
    local p = policies.new {}
    assert.equal(nil, C.mp_policies_get(p.handle).serving.decide)
    assert.is_nil(p:info(C.MP_POLICY_FAILOVER))
  end)

  it("names a datacentre by reference or by text, or stays", function()
    assert.equal("home", (said "return nil"))
    assert.equal("home", (said ""))
    assert.equal("home", (said "return home"))
    assert.equal("a", (said "if home.total == 4 then return 'a' end"))
    assert.equal("b", (said "for _, dc in dcs() do if dc.name == 'b' then return dc end end"))
    assert.same({ "a", "because I say so" }, { said "if home.total == 4 then return 'a', 'because\\nI say so' end" })
    local long = select(2, said "local s = 'x' for _ = 1, 9 do s = s .. s end return home, s")
    assert.equal(159, #long)
    assert.is_truthy((try "return 'west'")) -- of a cluster that is not known yet
  end)

  it("sees counts, priority, who is home and who serves, and for how long", function()
    dcs:serve "a"
    dcs:set("home", 1)
    dcs:pass(700)
    assert.equal("", select(2, said [[
      if home.total ~= 4 then return end
      assert(home.isHome and not home.isServing and serving.isServing and not serving.isHome)
      assert(home ~= serving and home == home)
      assert(home.up == 1 and home.total == 4 and serving.priority == 7 and home.priority == 0)
      assert(home.name == "home" and serving.name == "a")
      assert(home:downFor(2) == 700 and home:upFor(2) == 0 and home:upFor() == 700 and serving:upFor(1.5) == 700)
      local names = ""
      for _, dc in dcs() do names = names .. dc.name end
      assert(names == "homeab", names)
    ]]))
  end)

  for _, case in ipairs {
    { "return 5", "decide must return a datacentre or its name, or nothing to stay, and may add a reason; got 5" },
    { "return true", "got true, nil" }, { "return 0/0", "got nan" }, { "return {}", "got table, nil" },
    { "return home, 5", "got datacentre " }, { "return home.name, home", "got " },
    { "return dcs", "got function, nil" },
    { "return localDc", "decide must return a datacentre" }, { "error 'no'", "no" },
    { "return home:upFor('x')", "upFor: takes a number of hosts, 0 to 8192; got x" },
    { "return home:upFor(-1)", "upFor: takes a number of hosts, 0 to 8192; got -1" },
    { "return home:downFor(0/0)", "downFor: takes a number of hosts" },
    { "return home:downFor(2^53)", "downFor: takes a number of hosts" },
    { "return home.upFor(5)", "upFor: write dc:upFor(hosts)" },
    { "return home.nme", "a datacentre has no field 'nme'" }, { "home.up = 5", "constant location" },
    { "while true do end", "out of fuel" },
  } do
    it("that says `" .. case[1] .. "` is refused when it is loaded, and stays when it serves", function()
      local p, why = try(case[1])
      assert.is_nil(p)
      assert.matches(case[2], why, 1, true)
      p = assert(try("if home.total == 4 then " .. case[1] .. " end"))
      assert.is_nil(p:serving(dcs.handle))
      assert.equal(1, tonumber(p:info(C.MP_POLICY_FAILOVER).errors))
      assert.matches(case[2], ffi.string(p:info(C.MP_POLICY_FAILOVER).last_error), 1, true)
    end)
  end

  it("that fails for one of all roles and states is refused when it is loaded", function()
    for home = 0, 2 do
      for serving = 0, 2 do
        for _, up in ipairs { "==", ">" } do
          local case = ("if home.index == %d and serving.index == %d and home.up %s 0 then error 'seen' end")
            :format(home, serving, up)
          local p, why = try(case)
          assert.is_nil(p, case)
          assert.matches("seen", why, 1, true)
        end
      end
    end
    for _, case in ipairs { "home:downFor(1) >= 100000000", "home:upFor(1) >= 100000000", "serving:downFor(1) > 200000",
      "home:downFor(1) == 0 and home.up == 0", "home:upFor(1) == 0 and home.up > 0", "home:downFor(1) == 1000",
      "home:upFor(1) == 2000" } do
      local p, why = try("if " .. case .. " then error 'seen' end")
      assert.is_nil(p, case)
      assert.matches("seen", why, 1, true)
    end
  end)

  it("never makes C serve what is no datacentre, whatever it returns", function()
    local p = assert(try [[
      if home.total ~= 4 then return end
      local value = random(0, 20) - random(0, 20)
      local list = { home, serving, "a", "b", "nowhere", "", value, value * 1e300, 0/0, -1, 65535, 2^53, true, false,
        {}, dcs, home.name, serving.index }
      local one, two = list[math.floor(random(1, 19))], list[math.floor(random(1, 30))]
      if chance(0.3) then return list[math.floor(random(1, 19))] end
      return one, two]])
    local answered = {}
    for i = 1, 20000 do
      dcs:serve(({ "home", "a", "b" })[i % 3 + 1])
      local dc = p:serving(dcs.handle)
      if dc then answered[dcs.names[dc]] = (answered[dcs.names[dc]] or 0) + 1 end
      if p:info(C.MP_POLICY_FAILOVER).is_suspended then
        p:turn()
        p = assert(policies.try { failover = folder .. "/mine.lua" })
      end
    end
    assert.is_true(answered.home > 100 and answered.a > 100 and answered.b > 100)
  end)

  it("that names a datacentre which is not there stays, and is counted", function()
    for _, name in ipairs { "nowhere", "" } do
      local p = assert(try("return '" .. name .. "'"))
      assert.is_nil(p:serving(dcs.handle))
      assert.equal(1, tonumber(p:info(C.MP_POLICY_FAILOVER).errors))
      assert.matches("there is no datacentre '" .. name .. "'", ffi.string(p:info(C.MP_POLICY_FAILOVER).last_error), 1,
        true)
    end
  end)

  it("may have a child", function()
    policies.write(folder .. "/mine.lua", [[return failover {
      name = "NeverA", options = { childPolicy = "DatacentreFailoverPolicy" },
      decide = function(home, serving, options, child)
        local dc = child(home, serving)
        if dc and dc.name == "a" then return "b", "a is not for us" end
        return dc
      end }]])
    local p = policies.new { failover = folder .. "/mine.lua", failoverOptions = "{ downFor = 2000 }" }
    dcs:set("home", 0)
    assert.same({ { at = 2000, to = "b" } }, follow(p, 3000, 1000))
  end)
end)
