-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local fuel = require "moonpool.decision.fuel"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local TICK = " __mp_fuel=__mp_fuel-1 if __mp_fuel<0 then __mp_fuel=__mp_more()end "

-- The text with each tick shown as <T>.
local function ticked(text)
  local out, why = fuel.inject(text)
  return out and out:gsub(TICK:gsub("%p", "%%%0"), "<T>"), why
end

describe("the fuel gauge", function()
  it("ticks where a loop or a call begins again, and nowhere else", function()
    assert.equal("while x do<T> end", (ticked "while x do end"))
    assert.equal("for i = 1, 2 do<T> end", (ticked "for i = 1, 2 do end"))
    assert.equal("repeat<T> until x", (ticked "repeat until x"))
    assert.equal("local function f(a, b)<T> return a end", (ticked "local function f(a, b) return a end"))
    assert.equal("function a.b:c(...)<T> end", (ticked "function a.b:c(...) end"))
    assert.equal("::l:: <T>goto l", (ticked "::l:: goto l"))
    assert.equal("x = function(--[[)]] a)<T> end", (ticked "x = function(--[[)]] a) end"))
    assert.equal("x = { goto_ = 1 } y = x.goto_", (ticked "x = { goto_ = 1 } y = x.goto_"))
    assert.equal("local a = b and c or d", (ticked "local a = b and c or d"))
  end)

  it("is not led astray by texts and comments", function()
    for _, text in ipairs {
      [[x = "while true do"]], [[x = 'a\'do']], [[x = "a\\" y = "do"]], "x = [[do]]", "x = [==[ ]] do ]==]",
      "--[[ do ]]", "--[==[ do ]] do ]==]", [[x = "\z
        do"]], "x = 'a\\\ndo'", "x = 0x1p4 .. 'do'",
    } do
      assert.equal(text, (ticked(text)))
    end
    assert.equal("", (ticked "-- do"))
    assert.equal('\nx = "do"', (ticked '-- "\nx = "do"'))
    assert.equal("a \nb--[=[do]=] ", (ticked "a -- \"\nb--[=[do]=] -- end"))
    assert.equal("\rwhile 1 do<T> end", (ticked "-- x\rwhile 1 do end"))
    assert.equal("x = [[a]] do<T> end", (ticked "x = [[a]] do end"))
    assert.equal('x = "a\\\r\n" do<T> end', (ticked 'x = "a\\\r\n" do end'))
  end)

  it("keeps every line where it was", function()
    local text = "local a\nwhile a do\n\n  f(function()\n end)\nend\n"
    assert.equal(select(2, text:gsub("\n", "")), select(2, fuel.inject(text):gsub("\n", "")))
  end)

  it("tells the line of the first loop", function()
    assert.equal(3, select(2, fuel.inject "local a\n-- while\nfor i = 1, 2 do end repeat until x"))
    assert.is_nil(select(2, fuel.inject "local function f() return 1 end"))
  end)

  it("refuses its own names", function()
    local out, why = fuel.inject "local a\n__mp_fuel = 1e9"
    assert.is_nil(out)
    assert.equal("2: names that begin with __mp_ are moonpool's own", why)
    assert.is_nil((fuel.inject "local function __mp_more() end"))
    assert.is_nil((fuel.inject "return function(__mp_fuel) end"))
  end)

  it("gives Lua the same program", function()
    local random = 12345
    local function draw(n)
      random = (random * 1103515245 + 12345) % 2147483648
      return math.floor(random / 65536) % n + 1
    end
    local statements = {
      "for i = 1, 3 do sum = sum + i %s end", "local n = 0 while n < 2 do n = n + 1 %s end",
      "local n = 0 repeat n = n + 1 %s until n > 1", "do sum = sum * 3 %s end",
      "sum = (function(a) %s return a + 1 end)(sum)",
      "sum = sum + #'do while'", "sum = sum + #[[repeat]] -- until\n", "if sum %% 2 == 0 then sum = sum + 7 %s end",
      "do local n = 0 ::again:: n = n + 1 if n < 3 then goto again end sum = sum + n end",
    }
    local function make(depth)
      local parts = {}
      for i = 1, draw(3) do
        local text = statements[draw(#statements)]
        local inner = depth > 0 and "do " .. make(depth - 1) .. " end" or ""
        parts[i] = text:find "%%s" and text:format(inner) or text:format()
      end
      return table.concat(parts, "\n")
    end
    for _ = 1, 300 do
      local text = "local sum = 1\n" .. make(3) .. "\nreturn sum"
      local plain = assert(loadstring(text))
      local injected, _, used = fuel.inject(text, {})
      local complete = assert(loadstring(fuel.complete(injected, used)))
      setfenv(complete, { __mp_more = function() return 1000 end })
      assert.equal(plain(), complete(), text)
    end
  end)
end)

-- Loops of all shapes, and how soon they end: spec/escape.
describe("an endless policy", function()
  local view
  after_each(policies.close_all)
  setup(function()
    view = topology.view({ { dc = "a" }, { dc = "a" }, { dc = "b" } }, "a")
  end)
  teardown(function() topology.free(view) end)

  it("is stopped in a simulated world, where no time passes, after a million ticks", function()
    local counted = {}
    for i = 1, 2 do
      local p = assert(policies.of([[local n = 0
        return balance { name = 'Endless', plan = function(plan, req)
          if req.tag == 77 then n = 0 while true do n = n + 1 end end
          plan:hosts(localDc, inTurn, n > 1000000 and n < 1100000 and 1 or 2)
        end }]], { sim = true }))
      assert.equal(0, p:bind(view))
      assert.is_false((p:plan(view, { tag = 77 })))
      counted[i] = #p:walk(view, {})
    end
    assert.same({ 1, 1 }, counted)
  end)

  it("is refused when it is endless from the start", function()
    local p, why = policies.of("return balance { name = 'Endless', plan = function(plan)\nwhile true do end end }")
    assert.is_nil(p)
    assert.matches("^policy.lua:2: out of fuel", why)
    p, why = policies.of("local n = 0\nwhile true do\nn = n + 1 end")
    assert.is_nil(p)
    assert.matches("^policy.lua:%d: out of fuel", why)
  end)

  it("is refused, or serves cold, when it is slow each time but never slow enough to be stopped", function()
    local slow = "return balance { name = 'Slow', plan = function(plan) local x = 0\n"
      .. "for i = 1, %d do x = x + i %% 7 end\nplan:hosts(localDc, inTurn) end }"
    for _, case in ipairs { { 1000, true }, { 400000, false } } do
      local from = os.clock()
      local p, why = policies.of(slow:format(case[1]))
      local spent = os.clock() - from
      assert.equal(case[2], p ~= nil, why)
      assert.is_true(spent < 0.5, ("it took %.0f ms"):format(spent * 1000))
      if not p then assert.matches("^policy.lua:2: out of fuel: .* .asked about", why) end
    end
  end)

  it("may loop over a thousand hosts", function()
    local many = {}
    for i = 1, 1000 do many[i] = { dc = "a" } end
    local wide = topology.view(many, "a")
    finally(function()
      policies.close_all()
      topology.free(wide)
    end)
    local p = assert(policies.of("return balance { name = 'Loops', plan = function(plan)\nlocal best\n"
      .. "for _, host in hosts(localDc) do if not best or host.inFlight < best.inFlight then best = host end end\n"
      .. "if best then plan:host(best) end plan:hosts(localDc, inTurn) end }"))
    assert.equal(0, p:bind(wide))
    wide.hosts[777].inFlight = 0
    for i = 0, 999 do if i ~= 777 then wide.hosts[i].inFlight = 5 end end
    for _ = 1, 50 do p:plan(wide, {}) end
    assert.same({}, p.events)
    for _ = 1, 50 do assert.equal(777, p:walk(wide, {})[1]) end
    assert.equal(0, tonumber(p:info().errors))
    assert.is_true(p:info().has_loop)
    assert.matches("policy.lua:3: this policy loops: allowed, but slow", table.concat(p.log, "\n"))
  end)

  it("shares one verdict between all requests: " .. C.MP_PLAN_STEPS .. " steps at most", function()
    local p = assert(policies.of("return balance { name = 'Many', plan = function(plan)\n"
      .. "for i = 1, 20 do plan:hosts(localDc, inTurn) end end }"))
    local _, plan = p:plan(view, {})
    assert.equal(C.MP_PLAN_STEPS, plan.step_count)
    assert.is_true(plan.overflow)
  end)
end)
