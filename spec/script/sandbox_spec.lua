-- SPDX-License-Identifier: Apache-2.0
-- Attempts to get out: each is a policy that tries to read, write, load, allocate or crash, and must get an error that
-- names it while everything else goes on.
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

-- What a policy does on every request; none may succeed. Some are refused as text, some when the contract check runs.
local escapes = {
  { "reads a file", "io.open('/etc/passwd')", "unknown name 'io'" },
  { "runs a program", "os.execute('true')", "unknown name 'os'" },
  { "reads the environment", "os.getenv('HOME')", "unknown name 'os'" },
  { "asks for ffi", "require 'ffi'", "unknown name 'require'" },
  { "asks for ffi as a global", "ffi.cdef''", "unknown name 'ffi'" },
  { "asks for the packages", "package.loaded.os.exit(3)", "unknown name 'package'" },
  { "asks for the debugger", "debug.getregistry()", "unknown name 'debug'" },
  { "asks for the compiler", "jit.off()", "unknown name 'jit'" },
  { "loads text", "loadstring('return 1')()", "unknown name 'loadstring'" },
  { "loads a function", "load(function() end)", "unknown name 'load'" },
  { "runs a file", "dofile('/etc/passwd')", "unknown name 'dofile'" },
  { "loads a file", "loadfile('/etc/passwd')", "unknown name 'loadfile'" },
  { "asks for the globals", "_G.os.exit(3)", "unknown name '_G'" },
  { "reads its environment", "getfenv(0).os.exit(3)", "unknown name 'getfenv'" },
  { "changes an environment", "setfenv(1, {})", "unknown name 'setfenv'" },
  { "takes a metatable", "getmetatable('').__index = {}", "unknown name 'getmetatable'" },
  { "sets a metatable", "setmetatable(req, {})", "unknown name 'setmetatable'" },
  { "writes around a metatable", "rawset(tags, 'x', 1)", "unknown name 'rawset'" },
  { "reads around a metatable", "rawget(tags, 'x')", "unknown name 'rawget'" },
  { "makes a proxy", "newproxy(true)", "unknown name 'newproxy'" },
  { "collects garbage", "collectgarbage('stop')", "unknown name 'collectgarbage'" },
  { "catches errors", "pcall(function() while true do end end)", "unknown name 'pcall'" },
  { "catches errors with a handler", "xpcall(print, print)", "unknown name 'xpcall'" },
  { "starts a coroutine", "coroutine.wrap(function() end)()", "unknown name 'coroutine'" },
  { "yields", "coroutine.yield()", "unknown name 'coroutine'" },
  { "prints", "print('x')", "unknown name 'print'" },
  { "dumps a function", "string.dump(plan.hosts)", "attempt to call field 'dump'" },
  { "dumps through a text", "('').dump(plan.hosts)", "attempt to call field 'dump'" },
  { "runs a pattern", "('a'):rep(1e9)", "attempt to call method 'rep'" },
  { "searches with a pattern", "('a'):find('.-b')", "attempt to call method 'find'" },
  { "replaces with a pattern", "('a'):gsub('a', 'b')", "attempt to call method 'gsub'" },
  { "formats", "('%s'):format(plan)", "attempt to call method 'format'" },
  { "sorts", "table.sort({ 2, 1 })", "attempt to call field 'sort'" },
  { "concatenates a list", "table.concat({})", "attempt to call field 'concat'" },
  { "sets a global", "stolen = plan", "'stolen' is not declared: write `local stolen`" },
  { "replaces a word", "localDc_ = 1", "'localDc_' is not declared" },
  { "writes a field of the request", "req.isLwt = true", "constant location" },
  { "adds a field to the request", "req.x = 1", "a request is read%-only" },
  { "reads an unknown field", "local a = req.values", "a request has no field 'values'" },
  { "indexes the request as an array", "local a = req[1]", "a request has no field 'number'" },
  { "moves along the request", "local a = req + 1", "attempt to perform arithmetic" },
  { "calls the request", "req()", "is not callable" },
  { "asks the length of the request", "local a = #req", "attempt to get length" },
  { "walks the request", "for k in pairs(req) do end", "has no '__pairs' metamethod" },
  { "writes into the plan", "plan.hosts = nil", "plan is read%-only" },
  { "moves along the plan", "local a = plan + 1", "attempt to perform arithmetic" },
  { "indexes the plan", "local a = plan[0].x", "cannot be indexed with 'number'" },
  { "gives the plan a number as a host", "plan:host(5)", "plan:host: that is not a host" },
  { "gives the plan the request as a host", "plan:host(req)", "plan:host: that is not a host" },
  { "writes a tag's number", "tags.x = 5", "names are read%-only" },
  { "uses the gauge", "__mp_fuel = 1e18", "names that begin with __mp_ are moonpool's own" },
  { "calls the refill", "__mp_more()", "names that begin with __mp_ are moonpool's own" },
  { "ends the inner function early", "end end })() os.exit(3) (function() if x then if y then", "expected" },
  { "takes the arguments of the chunk", "local a = ...", "cannot use '...' outside a vararg function" },
  { "unpacks a million values", "unpack({}, 1, 1e6)", "too many results to unpack" },
  { "unpacks half a million values", "unpack({}, -250000, 250000)", "too many results to unpack" },
  { "overflows the stack", "local function f(...) return f(1, 2, 3, ...) + 1 end f()", "not enough memory" },
  { "raises a table", "error({ 1 })", "error with a table value" },
  { "raises nothing", "error()", "error with a nil value" },
}

local function policy_that(code)
  return "return balance { name = 'Escape', plan = function(plan, req)\nif req.tag == 1 then\n" .. code
    .. "\nend plan:hosts(localDc, inTurn) end }"
end

describe("the sandbox", function()
  after_each(policies.close_all)

  for _, escape in ipairs(escapes) do
    local name, code, expected = escape[1], escape[2], escape[3]
    it("holds a policy that " .. name, function()
      local p, why = policies.of(policy_that(code))
      assert.is_nil(p, "it was let in")
      assert.matches(expected, why)
      assert.matches("^policy.lua:[%d ]", why)
    end)
  end

  it("has at least 25 escapes that fail", function() assert.is_true(#escapes >= 25) end)

  it("gives each file the same few names", function()
    local p = assert(policies.of([[
      local known = { assert, error, ipairs, next, pairs, select, tonumber, tostring, type, unpack, math.floor,
        bit.band, string.sub, table.insert, ("x").upper }
      assert(#known == 15)
      assert(tostring(known) == "table" and tostring(1.5) == "1.5")
      local t = {} table.insert(t, "a") assert(t[1] == "a" and table.remove(t) == "a" and #t == 0)
      return balance { name = "Names", plan = function(plan) plan:hosts(allDcs, inTurn) end }]]))
    assert.equal("Names", require "ffi".string(p:info().name))
  end)

  it("asks back when a name is nearly right", function()
    local p, why = policies.of "return balance { name = 'Typo', plan = function(plan)\nplan:hosts(localDC) end }"
    assert.is_nil(p)
    assert.matches("^policy.lua:2: unknown name 'localDC', did you mean localDc%?", why)
  end)

  it("refuses bytecode", function()
    local folder = policies.folder()
    policies.write(folder .. "/b.lua", string.dump(loadstring "return 1"))
    local p, why = policies.try { policy = folder .. "/b.lua" }
    assert.is_nil(p)
    assert.matches("b.lua: this is bytecode; a policy is Lua source text", why, 1, true)
    policies.remove(folder)
  end)

  it("keeps a policy's globals from its child", function()
    local folder = policies.folder()
    policies.write(folder .. "/upper.lua", [[return balance { name = "Upper", options = { childPolicy = "Lower" },
      plan = function(plan, req) math.floor = nil plan:child(req) end }]])
    policies.write(folder .. "/lower.lua", [[return balance { name = "Lower",
      plan = function(plan) plan:hosts(localDc, inTurn, math.floor(1.5)) end }]])
    local p = policies.new { policy = "Upper", paths = { folder } }
    local view = topology.view({ { dc = "a" }, { dc = "a" } }, "a")
    finally(function()
      policies.close_all()
      topology.free(view)
      policies.remove(folder)
    end)
    for _ = 1, 100 do assert.equal(1, #p:walk(view, {})) end
  end)
end)

describe("a policy that takes memory", function()
  after_each(policies.close_all)
  local hogs = {
    tables = "local t = {} while true do t[#t + 1] = { 1, 2, 3 } end",
    texts = "local t, s = {}, 'x' for i = 1, 17 do s = s .. s end for i = 1, 1000 do t[i] = s .. i end",
    ["one text"] = "local s = 'x' while true do s = s .. s end",
    ["one table"] = "local t = {} for i = 1, 1e7 do t[i] = i end",
    closures = "local t = {} while true do t[#t + 1] = function() return t end end",
  }
  for name, code in pairs(hogs) do
    it("is stopped and gives it back: " .. name, function()
      local p = assert(policies.of("local kept\nreturn balance { name = 'Hog', plan = function(plan, req)\n"
        .. "if req.tag == 77 then " .. code .. " end plan:hosts(localDc, inTurn) end }",
        { memoryBytes = 2 * 1024 * 1024 }))
      local view = topology.view({ { dc = "a" } }, "a")
      finally(function()
        policies.close_all()
        topology.free(view)
      end)
      assert.equal(0, p:bind(view))
      local before = tonumber(p:info().memory_bytes)
      assert.is_false((p:plan(view, { tag = 77 })))
      assert.is_true(tonumber(p:info().memory_bytes) <= 2 * 1024 * 1024)
      p:turn()
      assert.is_true(tonumber(p:info().memory_bytes) < before + 600000, "it was not given back")
      -- A slow machine may notice the time before the memory.
      local message = p.events[1].message
      assert.is_truthy(message:find "not enough memory" or message:find "out of fuel", message)
      assert.matches("policy.lua", p.events[1].message)
      assert.same({ 0 }, p:walk(view, {}))
    end)
  end

  it("is refused when it does so from the start", function()
    local p, why = policies.of("local t = {}\nfor i = 1, 1e6 do t[i] = { i } end", { memoryBytes = 1024 * 1024 })
    assert.is_nil(p)
    assert.matches("not enough memory", why)
  end)

  it("works within little more than a state needs", function()
    local smallest
    for kib = 32, 1024, 32 do
      local p = policies.try { memoryBytes = kib * 1024 }
      if p then
        smallest = smallest or kib
        p:close()
      else
        assert.is_nil(smallest, "more memory was not enough")
      end
    end
    assert.is_true(smallest <= 512)
  end)
end)
