-- SPDX-License-Identifier: Apache-2.0
-- What a policy's file has around it. Attempts to get out of it are files: spec/escape.
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

describe("the sandbox", function()
  after_each(policies.close_all)

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

  it("takes the same name of a datacentre as often as it is said", function()
    local p = assert(policies.of([[
      local first, many = dc "one", {}
      for i = 1, 300 do many[i] = dc "one" end
      for i = 1, 300 do assert(many[i] == first) end
      assert(dc "two" ~= first)
      return balance { name = "Names", plan = function(plan) plan:hosts(first, inTurn) plan:hosts(allDcs, inTurn) end }
    ]]))
    assert.equal("Names", require "ffi".string(p:info().name))
  end)

  it("asks back when a name is nearly right", function()
    local p, why = policies.of "return balance { name = 'Typo', plan = function(plan)\nplan:hosts(localDC) end }"
    assert.is_nil(p)
    assert.matches("^policy.lua:2: unknown name 'localDC', did you mean localDc%?", why)
  end)

  it("refuses bytecode", function()
    local folder = policies.folder()
    -- The last ones hold no zero byte, so that they could pass for text.
    for _, text in ipairs { string.dump(loadstring "return 1"), "\239\187\191\27LJ\2\3", "\27LJ\2\3",
      "\239\187\191#!moonpool\n\27LJ\2\3", "#!moonpool\n\27LJ\2\3" } do
      policies.write(folder .. "/b.lua", text)
      local p, why = policies.try { policy = folder .. "/b.lua" }
      assert.is_nil(p)
      assert.matches("b.lua:[1 ]*:? ?this is bytecode", why)
    end
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
