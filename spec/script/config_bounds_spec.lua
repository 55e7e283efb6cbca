-- SPDX-License-Identifier: Apache-2.0
-- Reading and judging a configuration takes a bounded time and tells a bounded number of things, whatever is given.
local config = require "moonpool.config"
local effort = require "spec.support.effort"
local places = require "moonpool.config.places"
local plain = require "moonpool.plain"
local policies = require "spec.support.policies"

local folder
setup(function() folder = policies.folder() end)
teardown(function() policies.remove(folder) end)
local function file(text)
  policies.write(folder .. "/pool.lua", text)
  return folder .. "/pool.lua"
end

-- Lines of a message or a list, and what was checked. It may cost `units` (spec/support/effort).
local function judge(given, units)
  local checked, told = effort.at_most(units or 2, config.check, given, "app.lua:3")
  if checked then return told, checked end
  local lines = {}
  for line in told:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

local function numbered(count, make)
  local list = {}
  for i = 1, count do list[i] = make(i) end
  return list
end

local function keyed(count, make)
  local map = {}
  for i = 1, count do map["key" .. i] = make(i) end
  return map
end

describe("very many mistakes", function()
  local many = {
    { "an address again and again", 'contactPoints = { ' .. ('"127.0.0.1", '):rep(50000) .. "}", 49999 },
    { "wrong addresses", 'contactPoints = { ' .. ('"a b%d", '):rep(40000) .. "}", 40000 },
    { "addresses that are none", "contactPoints = { " .. ("5, "):rep(50000) .. "}", 50000 },
    { "unknown keys", ("k%d = 1, "):rep(40000), 40000 },
    { "unknown keys in a section", "pooling = { " .. ("k%d = 1, "):rep(40000) .. "}", 40000 },
    { "unknown keys of auth", "auth = { " .. ("k%d = 1, "):rep(40000) .. "}", 40000 },
    { "distances that are none", "pooling = { coreConnectionsPerHost = { " .. ("k%d = 1, "):rep(40000) .. "} }",
      40000 },
    { "options that are none", "retry = { " .. ("k%d = print, "):rep(40000) .. "}", 40000 },
    { "datacentres that are none", "regionSettings = { " .. ("k%d = 1, "):rep(20000) .. "}", 20001 },
  }
  for _, case in ipairs(many) do
    it("are told twenty times, and how many more there are: " .. case[1], function()
      local number = 0
      local text = "return { " .. case[2]:gsub("%%d", function()
        number = number + 1
        return tostring(number)
      end) .. " }"
      local lines = judge(file(text)) -- 0.1 units
      assert.equal(21, #lines)
      assert.matches(("pool.lua:1: %d more like these are not shown$"):format(case[3] - 20), lines[21])
    end)
  end

  it("are as many as there are when they are few", function()
    local lines = judge(keyed(20, function() return 1 end))
    assert.equal(20, #lines)
    assert.not_matches("more like these", table.concat(lines, "\n"))
    lines = judge(keyed(21, function() return 1 end))
    assert.equal(21, #lines)
    assert.equal("app.lua:3: 1 more like these are not shown", lines[21])
  end)
end)

describe("what is no plain data", function()
  local own = {}
  own.pooling = { own }
  local deep = {}
  local at = deep
  for _ = 1, 50 do
    at.retry = {}
    at = at.retry
  end
  local doubled = {}
  for _ = 1, 40 do doubled = { doubled, doubled } end
  local function raise() error "it was called" end
  local noisy = setmetatable({}, { __index = raise, __pairs = raise, __len = raise, __tostring = raise,
    __call = raise })
  for name, case in pairs {
    ["a table in itself"] = { own, "app.lua:3: pooling.1: a table that holds itself" },
    ["too deep"] = { deep, "app.lua:3: " .. ("retry."):rep(15) .. "retry: tables inside of tables, more than 16 deep" },
    ["doubled at each level"] = { { retry = doubled }, "tables inside of tables, more than 16 deep" },
    ["very many keys"] = { numbered(3e5, function(i) return i end), "more than 100000 entries" },
    ["many keys below"] = { { retry = keyed(1e5, function(i) return i end) }, "retry: more than 100000 entries" },
    ["a huge text"] = { { keyspace = ("x"):rep(1e7) }, "keyspace: a text of 10000000 bytes; at most 65536" },
    ["a huge key"] = { { [("x"):rep(1e7)] = 1 }, "a text of 10000000 bytes; at most 65536" },
    ["a key that is a table"] = { { [{}] = 1 }, "app.lua:3: a key must be a text or a number, got a table" },
    ["a key that is a truth"] = { { pooling = { [true] = 1 } }, "pooling: a key must be a text or a number, got a" },
    ["made by functions"] = { noisy, "app.lua:3: a table whose entries are made by its metatable; give a plain one" },
    ["made by functions below"] = { { pooling = noisy }, "app.lua:3: pooling: a table whose entries are made by" },
    ["a key with a text of its own"] = { { pooling = { [noisy] = 1 } }, "a key must be a text or a number" },
    ["a value with a text of its own"] = { { port = newproxy(true) }, "port: got a userdata; must be an integer" },
    ["options in itself"] = { { retry = { policy = "X", a = own } }, "a table that holds itself" },
    ["options too long"] = { { retry = numbered(20000, function(i) return i end) }, "retry.1: the name of an option" },
    ["options as text too long"] = { { retry = { list = numbered(20000, function() return 12345678 end) } },
      "retry: its options are 328906 bytes as text; at most 65536" },
    ["too many paths"] = { { policyPath = numbered(65, tostring) }, "policyPath: at most 64 paths" },
  } do
    it("is refused: " .. name, function()
      local lines = judge(case[1])
      assert.truthy(lines[1]:find(case[2], 1, true), lines[1])
      assert.is_true(#lines <= 21 and #table.concat(lines) < 20000)
    end)
  end

  it("may have defaults behind it", function()
    local base = { contactPoints = { "a" }, port = 1, pooling = setmetatable({ idleTimeout = 20000 }, {}) }
    local given = setmetatable({ port = 2 }, { __index = setmetatable({ keyspace = "k" }, { __index = base }) })
    local _, checked = judge(given)
    assert.same({ 2, "k", "a", 20000 },
      { checked.port, checked.keyspace, checked.contactPoints[1].host, checked.idleTimeout })
    given.port = 3
    assert.equal(2, checked.port)
  end)

  it("may hold a function of C where a function is taken", function()
    local _, checked = judge { contactPoints = { "a" }, addressTranslator = math.floor }
    local address, complaint = checked.addressTranslator("10.0.0.1:9042", "id", "dc", "rack")
    assert.is_nil(address)
    assert.matches("number expected", complaint)
  end)

  it("is copied as it was", function()
    local given = { 1, "two", { x = { true, false } }, [1.5] = print }
    assert.same(given, plain(given))
    assert.not_equal(given, plain(given))
  end)
end)

describe("a configuration file", function()
  local function refused(text, message)
    local lines = judge(file(text), 3)
    assert.truthy(lines[1]:find(message, 1, true), lines[1])
    assert.is_true(#table.concat(lines, "\n") < 20000)
  end

  it("comes to its end, also in what it loads and in coroutines", function()
    for _, text in ipairs {
      "while true do end", "load 'while true do end' ()",
      "local f = load 'local i = 0 while true do i = i + 1 end' f()",
      "coroutine.wrap(function() while true do end end)()", "while true do pcall(function() while true do end end) end",
      "local t = setmetatable({}, { __index = function() while true do end end }) return t.x",
    } do refused(text, "it did not come to its end within 500 ms") end
    assert.is_true((jit.status()))
  end)

  it("says what it likes, up to a point", function()
    refused("error(('x'):rep(1e6))", "pool.lua:1: xxx")
    refused("error {}", "pool.lua: table without a message was raised")
    refused("error(setmetatable({}, { __tostring = function() while true do end end }))", "pool.lua: table with")
    refused("error()", "pool.lua: nil without a message")
    refused("error { message = 'well' }", "pool.lua: well")
  end)

  it("may be anything", function()
    for _, unit in ipairs { "--[==[", "[=[", "'", '"', "\\", "[ ", "{", "}", "a=", "a = { ", "return ", "return { ",
      " ", "\n", "\0", "-", "]]", "'\\", 'contactPoints = { "a b" },', "auth = { ", "password = ", "s='--[==[' " } do
      local text = unit:rep(math.floor(2e5 / #unit))
      local began = os.clock()
      config.check_text("return { port = 0, " .. text, "pool.lua")
      config.check_text(text, "pool.lua")
      places(text, "pool.lua") { "a", "b", "c" }
      assert.is_true(os.clock() - began < 1.5, unit .. ": " .. os.clock() - began)
    end
    local _, checked = judge(file("return { port = 1, keyspace = 'k'" .. (" "):rep(1e6) .. "}"))
    assert.equal("k", checked.keyspace)
  end)
end)

describe("the place of a key", function()
  local text = [==[
local port = 1 -- pooling = 2
local s = "pooling = 3" .. [[ pooling = 4 ]]
--[=[
pooling = 5
]=]
if port == 1 then port = 2 end
return {
  ["pooling"] = {
    idleTimeout = 5 },
  idleTimeout = 6,
  ['a b'] = 7, [ [[c]] ] = 8,
}
]==]
  it("is found behind comments, texts and comparisons", function()
    local place = places(text, "x")
    assert.equal("x:8", place { "pooling" })
    assert.equal("x:9", place { "pooling", "idleTimeout" })
    assert.equal("x:9", place { "idleTimeout" })
    assert.equal("x:8", place { "pooling", "none" })
    assert.equal("x:7", place {})
    assert.equal("x:7", place { "port" })
    assert.equal("x:11", place { "a b" })
    assert.equal("x:11", place { "c" })
  end)
end)
