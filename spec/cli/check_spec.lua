-- SPDX-License-Identifier: Apache-2.0
-- moonpool check, as a user and a build server meet it.
local effort = require "spec.support.effort"
local sh = require("spec.support.program").sh

local MOONPOOL = MOONPOOL_BUILD_DIR .. "/moonpool"

local folder
local function file(name) return folder .. "/" .. name end
local function write(name, text)
  local handle = assert(io.open(file(name), "w"))
  handle:write(text)
  handle:close()
  return file(name)
end

local function check(arguments) return sh(("cd '%s' && '%s' check %s"):format(MOONPOOL_ROOT, MOONPOOL, arguments)) end

local function policy(body, head, options)
  return ("%s return balance {\n name = 'Mine',\n options = { %s },\n plan = function(plan, req, options)\n%s\n end }")
    :format(head or "", options or "", body)
end

describe("moonpool check", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)
  after_each(function() assert(os.execute("rm -rf '" .. folder .. "'")) end)

  it("takes what is good and tells what it is", function()
    local said, status = check(table.concat({
      write("a.lua", policy "plan:hosts(localDc, inTurn)"), write("b.lua", "return { contactPoints = { '10.0.0.1' } }"),
      write("c.lua", "print 'not run'"), write("d.lua", "return function(pool) pool:on('hostDown', print) end"),
    }, " "))
    assert.equal(0, status, said)
    assert.matches("a.lua: ok %(balance%); fast: %d+ ns and 0 bytes for each call", said)
    assert.matches("b.lua: ok %(configuration%)", said)
    assert.matches("c.lua: ok %(lua%)", said)
    assert.matches("d.lua: ok %(handlers%); handles 1 events", said)
    assert.is_nil(said:find "not run")
  end)

  it("finds nothing in what moonpool itself brings", function()
    local said, status = check "policies/*/*.lua $(find examples -name '*.lua' | sort)"
    assert.equal(0, status, said)
    assert.equal("warning: examples/policies/shed_load.lua:6: this policy loops: allowed, but slow\n",
      (said:gsub("[^\n]*: ok [^\n]*\n", "")))
  end)

  it("names what is wrong, with file and line", function()
    for _, case in ipairs {
      { "return balance {\n name = 'X',\n plan = function(", 3, "expected" },
      { policy "plan:hosts(nowhere)", 5, "unknown name 'nowhere'" },
      { policy "\nif req.attempt == 77 then count = 1 end plan:hosts(localDc)", 6, "'count' is not declared" },
      { policy "if req.attempt == 77 then plan:hosts(localDC) end plan:hosts(localDc)", 5, "did you mean localDc?" },
      { policy "if req.attempt == 77 then plan:replica(localDc) end plan:hosts(localDc)", 5, "did you mean replicas?" },
      { policy "plan:hosts(localDc) return req.attempt > 9 and req.isLWT", 5, "did you mean isLwt?" },
      { "return {\n contactPoints = 5,\n}", 2, "contactPoints" },
      { "print 'x'\nend", 2, "'end'" },
      { "return function(pool)\n pool:on('hostDwn', print) end", 2, "unknown event 'hostDwn', did you mean hostDown?" },
      { "return function(pool)\n pool:on('hostUp') end", 2, "must be a function" },
      { "return function(pool)\n pool:on('hostUp', print)\n pool:setHostWeigth('a', 1) end", 3, "setHostWeight" },
      { "return function(pool)\n pool:on('hostUp', print)\n error 'no' end", 3, "no" },
    } do
      local path = write("x.lua", case[1])
      local said, status = check(path)
      assert.equal(1, status, said)
      assert.equal(1, (said:find(path .. ":" .. case[2] .. ": ", 1, true)), case[1] .. "\n" .. said)
      assert.truthy(said:find(case[3], 1, true), said)
    end
  end)

  it("warns of what is doubtful, and only then", function()
    for _, case in ipairs {
      { policy("if req.tag == 'scan' then plan:hosts(allDcs) end plan:hosts(localDc)"), ":5: tag is a number" },
      { policy("if req.consistency ~= 'QUORUM' then plan:hosts(localDc) end"), ":5: consistency is a number" },
      { policy("plan:hosts(localDc)", "", "share = 1"), ": options.share is declared and never read" },
      { policy("plan:hosts(localDc, inTurn, options.most)", "", ""), ":5: options.most is not declared" },
      { policy("for _, host in hosts(localDc) do plan:host(host) end"), ":5: this policy loops: allowed, but slow" },
      { policy("kept[1] = { req.attempt } plan:hosts(localDc)", "local kept = {}"), ":5: a table is made for each" },
      { policy("plan:hosts(localDc, unpack(orders))", "local orders = { inTurn }"), "does not become machine code" },
    } do
      local path = write("x.lua", case[1])
      local said, status = check(path)
      assert.equal(0, status, said)
      assert.truthy(said:find("warning: ", 1, true) and said:find(case[2], 1, true), case[1] .. "\n" .. said)
    end
    local said = check(write("x.lua", policy([[
      local which = req.tag == tags.scan and "a" or "b"
      for key, value in pairs(options) do if key == which then return value end end
      plan:hosts(localDc)]], "", "a = 1, b = 2")))
    assert.is_nil(said:find "never read")
  end)

  it("looks at the policies and handlers that a configuration names", function()
    local broken = write("broken.lua", policy "plan:hosts(nowhere)")
    local config = "return { contactPoints = { '10.0.0.1' }, loadBalancing = { policy = '%s', %s } }"
    local said, status = check(write("pool.lua", config:format(broken, "")))
    assert.equal(1, status, said)
    assert.truthy(said:find("broken.lua:5: unknown name 'nowhere'", 1, true), said)
    said, status = check(write("pool.lua", config:format("TokenAwarePolicy", "shuffle = 1")))
    assert.equal(1, status, said)
    assert.truthy(said:find("shuffle", 1, true), said)
    local handlers = write("events.lua", "return function(pool) pool:on('hostup', print) end")
    said, status = check(write("pool.lua", ("return { contactPoints = { '10.0.0.1' }, handlers = '%s' }")
      :format(handlers)))
    assert.equal(1, status, said)
    assert.truthy(said:find("events.lua:1: unknown event 'hostup', did you mean hostUp?", 1, true), said)
  end)

  -- Whoever checks may be root, and the pool another user.
  it("begins no file that a pool would write", function()
    local text = "return { contactPoints = { '10.0.0.1' }, decisionLog = { file = %q } }"
    local said, status = check(write("pool.lua", text:format(file "decisions")))
    assert.equal(0, status, said)
    assert.is_nil(io.open(file "decisions"))
  end)

  it("tells of very many mistakes the first fifty, and how many more there are", function()
    local lines = {}
    for i = 1, 3000 do lines[i] = ("pool:on('hostDwn%d', print)"):format(i) end
    local path = write("x.lua", "return function(pool)\n" .. table.concat(lines, "\n") .. "\nend")
    local said, status = check(path)
    assert.equal(1, status)
    assert.equal(51, select(2, said:gsub("\n", "")))
    assert.truthy(said:find(path .. ": 2950 more like these are not shown", 1, true), said)
    assert.truthy(said:find("; there are: hostUp, hostDown, ", 1, true), said)
    assert.truthy((check("--json " .. path)):find('{"message":"2950 more like these are not shown"}', 1, true))
  end)

  it("prints JSON for programs", function()
    local path, bad = write("a.lua", policy "plan:hosts(localDc)"), write("b.lua", "print 'x'\nend")
    local said, status = check("--json " .. path .. " " .. bad)
    assert.equal(1, status)
    local first, second = said:match '^%[({.*}),({"file".*})%]\n$'
    assert.truthy(first, said)
    assert.matches('^{"bytesPerCall":0,"costClass":"fast","file":"' .. path:gsub("%p", "%%%0")
      .. '","kind":"balance","name":"Mine","nsPerCall":%d+,"ok":true,"problems":%[%],"warnings":%[%]}$', first)
    assert.matches('^{"file":"' .. bad:gsub("%p", "%%%0")
      .. '","kind":"lua","ok":false,"problems":%[{"line":2,"message":".*"}%],"warnings":%[%]}$', second)
  end)

  it("knows code from what looks like it", function()
    local judge = require("moonpool.cli.check").judge
    for text, kind in pairs {
      ["-- return balance {\nreturn { a = 1 }"] = "configuration", ["--[==[ return retry ]==] return 1"] = "lua",
      ["local s = [[ return balance { ]] return balance { name = s }"] = "balance",
      ["local s = 'return function(pool)'\nreturn balance\n{ name = s }"] = "balance",
      ["return\tretry--[[x]]{}"] = "retry", ["local returned = 1 return returned"] = "lua",
      ["return function(pool) pool:on [[hostUp]] end"] = "handlers",
      ["return function ( p )\np : on ('hostUp', print) end"] = "handlers",
      ["return function(pool) return pool end"] = "lua",
      ["local c = { contactPoints = {} } return c"] = "configuration",
      ["local c = { contactPoints = {} } return c.x;"] = "configuration", ["return { -- x\n}"] = "configuration",
      ["local a = { contactPoints = 1 } return { b = a, }"] = "configuration",
      ["return f { contactPoints = 1 }"] = "lua",
      ["return { about = 'a scenario', seconds = 20, rate = 150 }"] = "lua",
      ["return { rate = 9, events = { { at = 1, function(c) c:kill 'east' end } } }"] = "lua",
      ["return { contactPoints = { '10.0.0.1' }, seconds = 20 }"] = "configuration",
    } do
      assert.equal(kind, judge(write("a.lua", text)).kind, text)
    end
  end)

  it("spends no more than the length of a text on it", function()
    local judge = require("moonpool.cli.check").judge
    local undeclared = {}
    for i = 1, 2000 do undeclared[i] = "f" .. i .. "()" end
    for _, text in ipairs {
      "return" .. (" "):rep(120000) .. "{}", "return {" .. ("}"):rep(3000) .. (" "):rep(100000) .. "x",
      ("--[[ "):rep(40000), ("[=["):rep(40000), ("return "):rep(40000), ("return {"):rep(15000), ("x'"):rep(60000),
      ("return function("):rep(10000), ("\\"):rep(100000), "return" .. ("\n"):rep(100000) .. "balance {}",
      ("contactPoints "):rep(9000), "return " .. ("a."):rep(60000),
      policy("plan:hosts(localDc) if req.tag == 9999 then\n" .. table.concat(undeclared, "\n") .. " end"),
    } do
      local path = write("a.lua", text)
      local findings = effort.at_most(0.3, judge, path)
      assert.is_true(#findings.problems <= 21)
    end
    local said = check(write("a.lua", policy("plan:hosts(localDc) if req.tag == 9999 then\n"
      .. table.concat(undeclared, "\n") .. " end")))
    assert.matches(":25: unknown name 'f20'\n%S+:26: and 1980 more like these\n$", said)
  end)

  it("exits with 2 for what it cannot read and for what it does not understand", function()
    assert.equal(2, select(2, check "/nonexistent.lua"))
    assert.equal(2, select(2, check(folder)))
    assert.equal(2, select(2, check ""))
    assert.equal(2, select(2, check "--jsno a.lua"))
  end)
end)
