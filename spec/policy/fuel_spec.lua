-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local effort = require "spec.support.effort"
local gauge = require "spec.support.gauge"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

-- The text with each tick shown as <T>, or <Tn> when it pays for more, and what is fitted as <( and )>.
local function ticked(text)
  local out, why = gauge.inject(text)
  return out and gauge.show(out), why
end

local function refused(text, why)
  local out, told = gauge.inject(text)
  assert.is_nil(out, text)
  assert.equal(why, told)
end

describe("the fuel gauge", function()
  it("ticks where a loop or a call begins again, and nowhere else", function()
    assert.equal("while x do<T> end", (ticked "while x do end"))
    assert.equal("for i = 1, 2 do<T> end", (ticked "for i = 1, 2 do end"))
    assert.equal("for i, j in x do<T> end", (ticked "for i, j in x do end"))
    assert.equal("repeat<T> until x", (ticked "repeat until x"))
    assert.equal("local function f(a, b)<T> return a end", (ticked "local function f(a, b) return a end"))
    assert.equal("function a.b:c(...)<T> end", (ticked "function a.b:c(...) end"))
    assert.equal("x = function(--[[)]] a)<T> end", (ticked "x = function(--[[)]] a) end"))
    assert.equal("x = { goto_ = 1 } y = x.goto_", (ticked "x = { goto_ = 1 } y = x.goto_"))
    assert.equal("local a = b and c or d do a = 1 end", (ticked "local a = b and c or d do a = 1 end"))
  end)

  it("ticks behind labels, where something follows", function()
    assert.equal("::l::<T> goto l", (ticked "::l:: goto l"))
    assert.equal("::a:: ::b::<T> x = 1", (ticked "::a:: ::b:: x = 1"))
    assert.equal("::a::;<T> x = 1", (ticked "::a::; x = 1"))
    assert.equal("do goto c local y ::c:: end", (ticked "do goto c local y ::c:: end"))
    assert.equal("if x then goto c ::b:: ::c:: ; else ::d:: end ::e::",
      (ticked "if x then goto c ::b:: ::c:: ; else ::d:: end ::e::"))
    assert.equal("repeat<T> ::c::<T> until x", (ticked "repeat ::c:: until x"))
    assert.equal("::goto::<T> f()", (ticked "::goto:: f()"))
  end)

  it("takes goto for a name where it is one", function()
    for _, text in ipairs { "t.goto = x", "goto = 1", "t:goto(x)", "goto(x)", "goto.x = 1", "x = { goto = 1, goto }",
      "local goto, x = 1", "goto, x = 1, 2", "x = goto", "goto { 1 }", "goto 'x'", "goto[x] = 1", "goto:x()" } do
      assert.equal(text, (ticked(text)))
    end
    assert.equal("function goto.goto(goto, ...)<T> end", (ticked "function goto.goto(goto, ...) end"))
    assert.equal("for goto = 1, 2 do<T> end", (ticked "for goto = 1, 2 do end"))
  end)

  it("is not led astray by texts and comments", function()
    for _, text in ipairs {
      [[x = "while true do"]], [[x = 'a\'do']], [[x = "a\\" y = "do"]], "x = [[do]]", "x = [==[ ]] do ]==]",
      "--[[ do ]]", "--[==[ do ]] do ]==]", [[x = "\z
        do"]], "x = 'a\\\ndo'", "x = 0x1p4 .. 'do'", "-- do", '\n-- "\nx = "do"', "-- ::a::\rx = '::a::'",
      "x = [==[ ]=]==] y = 1", "x = t[t[ [[a]]]]", "x = [=[]]=]", "x = 0x1p-1-1", "x = 3-1 y = .5e-3",
    } do
      assert.equal(text, (gauge.show(gauge.inject(text), true)))
    end
    assert.equal("--[=[do]=] while x do<T> end", (ticked "--[=[do]=] while x do end"))
    assert.equal("-- x\rwhile 1 do<T> end", (ticked "-- x\rwhile 1 do end"))
    assert.equal("x = [[a]] while 1 do<T> end", (ticked "x = [[a]] while 1 do end"))
    assert.equal('x = "a\\\r\n" while 1 do<T> end', (ticked 'x = "a\\\r\n" while 1 do end'))
  end)

  it("fits what is put together", function()
    assert.equal("x = <(a .. b)>", (ticked "x = a .. b"))
    assert.equal("x = <(a + 1 .. -b ^ 2 .. c)> == d", (ticked "x = a + 1 .. -b ^ 2 .. c == d"))
    assert.equal("x = not <(a .. b)>", (ticked("x = not (a .. b)"):gsub("[()]*<", "<"):gsub(">.*", ">")))
    assert.equal("x = y < <(a .. (<(b .. c)>) .. d)> and <(e .. f(<(g .. h)>))>",
      (ticked "x = y < a .. (b .. c) .. d and e .. f(g .. h)"))
    assert.equal("return <('a'..'b')>, 1", (ticked("return'a'..'b', 1"):gsub("return", "return ")))
    assert.equal("x = <(1 ..2)>", (ticked "x = 1 ..2"))
    assert.equal("<T>x = ...", (ticked "x = ..."))
  end)

  it("looks at the keys under which something is stored, and at no others", function()
    for _, case in ipairs { { "t[<k>] = 1" }, { "t.a[<k>] = t[k]" }, { "t[a][<b>] = t[a][b]" }, { "t[k].a = 1" },
      { "t[1] = k t['a'] = k t[ [[b]] ] = k" }, { "t[k]:f(t[k])" }, { "f(t)[<k>] = 1" }, { "t[<f(t[k])>] = 1" },
      { "a[<i>], b.c, c[<j>] = b[j], a[i]" }, { "x = { [<k>] = { [<1 + k>] = t[k] }, [1] = 2, ['a'] = 3, k, t[k] }" },
      { "t[<-1>] = 1 t[<(1)>] = 1" }, { "t[<#t + 1>] = t[#t]" }, { "f { [<k>] = 1 } [<k>] = 2" },
      { "local a = t[k] return t[k]" }, { "for i = t[k], t[k] do end", "for i = t[k], t[k] do<T> end" },
      { "t[<function() t[<k>] = 1 end>] = 1", "t[<function()<T> t[<k>] = 1 end>] = 1" },
      { "t[<a .. b>] = 1", "t[< __mp_fit(a .. b)>] = 1" },
      { "t[<a .. b == c>] = 1", "t[< __mp_fit(a .. b) == c>] = 1" } } do
      local out = gauge.inject((case[1]:gsub("%[<", "["):gsub(">%]", "]")))
      local count
      repeat -- from the outermost
        out, count = out:gsub(" __mp_key(%b())", function(key) return "<" .. key:sub(2, -2) .. ">" end)
      until count == 0
      out = out:gsub(" __mp_fuel=__mp_fuel%-1 if __mp_fuel<0 then __mp_fuel=__mp_more%(%)end ", "<T>")
      assert.equal(case[2] or case[1], out)
    end
  end)

  it("pays for work in a row", function()
    local calls = ("f() "):rep(16)
    assert.equal(calls .. "<T>" .. calls .. "<T>f()", (ticked(calls .. calls .. "f()")))
    local fields = ("a, "):rep(40)
    assert.equal("<T2>x = { " .. fields .. "}", (ticked("x = { " .. fields .. "}")))
    local long = ("f(x) + "):rep(20) .. "x"
    assert.equal("<T5>while " .. long .. " do<T6> end", (ticked("while " .. long .. " do end")))
    assert.equal("<T5>repeat<T6> until " .. long, (ticked("repeat until " .. long)))
    assert.equal(calls .. "<T>while x do<T> f() end f()", (ticked(calls .. "while x do f() end f()")))
    assert.equal("<T>f(...)", (ticked "f(...)"))
    assert.equal("if x then " .. calls .. "end <T>f()", (ticked("if x then " .. calls .. "end f()")))
    assert.equal("function g()<T> " .. calls .. "<T>return f() end f()",
      (ticked("function g() " .. calls .. "return f() end f()")))
  end)

  it("keeps every line where it was", function()
    local text = "local a\nwhile a do\n\n  f(function()\n end)\nend\nx = a ..\nb\n::l::\ngoto l"
    assert.equal(select(2, text:gsub("\n", "")), select(2, gauge.inject(text):gsub("\n", "")))
  end)

  it("tells the line of the first loop", function()
    assert.equal(3, select(2, gauge.inject "local a\n-- while\nfor i = 1, 2 do end repeat until x"))
    assert.equal(2, select(2, gauge.inject "::l::\ngoto l"))
    assert.equal(4, select(2, gauge.inject "local a\r\n--[[\n\r]]\rwhile a do end"))
    assert.is_nil(select(2, gauge.inject "local function f() return 1 end"))
  end)

  it("refuses its own names", function()
    local why = "2: names that begin with __mp_ are moonpool's own"
    refused("local a\n__mp_fuel = 1e9", why)
    refused("\nlocal function __mp_more() end", why)
    refused("\nreturn function(__mp_fuel) end", why)
    refused("\nx.__mp_fuel = 1", why)
    refused("\n::__mp_more::", why)
    refused("\ngoto __mp_more", why)
  end)

  it("refuses what is too much", function()
    refused("\nx = '" .. ("x"):rep(4095) .. "'", "2: a text of more than 4096 bytes")
    refused("\n\nx = [[" .. ("x"):rep(4095) .. "]]", "3: a text of more than 4096 bytes")
    refused("local function f()\nx = { " .. ("1, "):rep(600) .. "} end",
      "2: this statement does too much at once: divide it")
    assert.is_string((gauge.inject("x = { " .. ("1, "):rep(6000) .. "}")))
  end)

  it("refuses what is no Lua and comes to it all the same", function()
    for _, text in ipairs { "end", "x = ", "t. goto x", "f(", "((((", "{", "::", "::a", "local", "for", "while",
      "function", "if x", "return return", "'", "[[", "--[[", "x = 'a\n'", "goto", "a b", "= 1", ("("):rep(1000),
      ("f{"):rep(1000), ("do "):rep(1000), ("not "):rep(1000) .. "x" } do
      local out, why = gauge.inject(text)
      assert.is_true(out ~= nil or why:match "^%d+: " ~= nil, text)
    end
    refused("end", "1: this is not understood")
    refused("do " .. "end\nend", "2: this is not understood")
    refused("\nx = " .. ("("):rep(1000), "2: this is nested too deeply")
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
      local complete = gauge.load(text)
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
      local p, why = effort.at_most_seconds(0.5, policies.of, slow:format(case[1]))
      assert.equal(case[2], p ~= nil, why)
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
