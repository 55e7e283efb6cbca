-- SPDX-License-Identifier: Apache-2.0
-- Before a policy serves it is asked what it will be asked: it is refused when one of these questions is its undoing,
-- and by nothing that it will never be asked.
local C = require "spec.support.c"
local ffi = require "ffi"
local policies = require "spec.support.policies"

describe("a policy on trial", function()
  local folder

  before_each(function() folder = policies.folder() end)
  after_each(function()
    policies.close_all()
    policies.remove(folder)
  end)

  -- Whether it is taken; otherwise why not.
  local function taken(kind, text)
    local path = folder .. "/mine.lua"
    policies.write(path, text)
    local p, why = policies.try { [kind] = path }
    if p then p:close() end
    return p ~= nil, why
  end

  local function refused_when(kind, shape, condition)
    local ok, why = taken(kind, shape:format(condition))
    assert.is_false(ok, condition)
    assert.matches("mine.lua:1: asked", why, 1, true)
  end

  local RETRY = "return retry { name = 'Mine', decide = function(err, req) if %s then error 'asked' end " ..
    "return giveUp end }"

  it("is asked about each error of a server, and about none", function()
    local count = 0
    for _, name in ipairs { "SERVER_ERROR", "UNAVAILABLE", "OVERLOADED", "IS_BOOTSTRAPPING", "TRUNCATE_ERROR",
      "WRITE_TIMEOUT", "READ_TIMEOUT", "READ_FAILURE", "FUNCTION_FAILURE", "WRITE_FAILURE", "SYNTAX_ERROR",
      "UNAUTHORIZED", "INVALID", "ALREADY_EXISTS", "UNPREPARED" } do
      refused_when("retry", RETRY, "err.code == " .. tonumber(C["MP_SE_" .. name]))
      count = count + 1
    end
    assert.equal(15, count)
    refused_when("retry", RETRY, "err.code == -1")
    assert.is_true(taken("retry", RETRY:format "err.code == 0x7777"))
  end)

  it("is asked about the first attempt and later ones, reads and writes, with answers and without", function()
    for _, condition in ipairs { "err.attempt == 1", "err.attempt > 1", "err.received == 0",
      "err.received >= err.required", "err.dataPresent", "not err.dataPresent", "err.isRead", "not err.isRead",
      "err.idempotent", "not err.idempotent" } do
      refused_when("retry", RETRY, condition)
    end
    for _, condition in ipairs { "err.attempt == 0", "err.required ~= 2", "err.received < 0" } do
      assert.is_true(taken("retry", RETRY:format(condition)), condition)
    end
  end)

  it("is asked about each copy of a request that there may be", function()
    local shape =
      "return speculate { name = 'Mine', after = function(req, sent) if %s then error 'asked' end return 5 end }"
    for sent = 1, tonumber(C.MP_SPECULATIVE_MAX) do refused_when("speculate", shape, "sent == " .. sent) end
    for _, condition in ipairs { "sent < 1", "sent > " .. tonumber(C.MP_SPECULATIVE_MAX) } do
      assert.is_true(taken("speculate", shape:format(condition)), condition)
    end
    for _, condition in ipairs { "req.isLwt", "req.isRead", "not req.isRead", "req.hasToken", "not req.hasToken" } do
      refused_when("speculate", shape, condition)
    end
  end)

  it("is asked for a plan of each kind of request", function()
    local shape = "return balance { name = 'Mine', plan = function(plan, req) if %s then error 'asked' end " ..
      "plan:hosts(localDc, inTurn) end }"
    for _, condition in ipairs { "req.isLwt", "not req.isLwt", "req.isRead", "not req.isRead", "req.hasToken",
      "not req.hasToken", "req.idempotent", "req.isLocalConsistency", "not req.isLocalConsistency" } do
      refused_when("policy", shape, condition)
    end
    assert.is_true(taken("policy", shape:format "req.attempt ~= 1"))
  end)
end)

describe("a policy that serves", function()
  after_each(policies.close_all)

  it("writes lines of any length to the log, the first letters of long ones", function()
    local topology = require "spec.support.topology"
    local view = topology.view({ { dc = "x" } }, "x")
    for _, count in ipairs { 1, 100, 254, 255, 256, 257, 300, 1000 } do
      local p = assert(policies.of("return balance { name = 'Loud', plan = function(plan)\nlog '" .. ("q"):rep(count) ..
        "' plan:hosts(localDc, inTurn) end }"))
      p:walk(view, {})
      local line = p.log[#p.log]
      assert.matches("policy Loud: ", line, 1, true)
      assert.equal(math.min(count, 255), #line:match "q+")
      p:close()
    end
    topology.free(view)
  end)

  it("may work on long texts and loop in the same decision", function()
    local topology = require "spec.support.topology"
    local view = topology.view({ { dc = "x" } }, "x")
    local p = assert(policies.of [[
      return balance { name = "Texts", plan = function(plan, req)
        local text, sum = "x", 0
        for _ = 1, 13 do text = text .. text end
        for i = 1, 200 do sum = sum + i end
        if #text == 8192 and sum == 20100 and text:upper():sub(-1) == "X" then plan:hosts(localDc, inTurn) end
      end }]])
    for _ = 1, 50 do assert.same({ 0 }, p:walk(view, {})) end
    assert.equal(0, tonumber(p:info().errors))
    p:close()
    topology.free(view)
  end)

  it("may have large tables in its file, before its functions and behind them", function()
    local items = {}
    for i = 1, 600 do items[i] = i .. " + 1" end
    local big = "{ " .. table.concat(items, ", ") .. " }"
    local text = "local before = " .. big .. "\nlocal function f(x) return function() return x end end\n" ..
      "local behind = " .. big .. "\nassert(#before == 600 and #behind == 600 and f(1)() == 1)\n" ..
      "return balance { name = 'Tables', plan = function(plan) plan:hosts(localDc, inTurn) end }"
    local p, why = policies.of(text)
    assert.truthy(p, why)
    local inside, said = policies.of((text:gsub("plan:hosts", "local own = " .. big .. "\nplan:hosts")))
    assert.is_nil(inside)
    assert.matches("this statement does too much at once: divide it", said, 1, true)
  end)

  it("keeps the newest of its news when nobody comes to read them", function()
    local p = assert(policies.of [[
      return balance { name = "News", plan = function(plan) plan:hosts(localDc, inTurn) end }]])
    for i = 1, 30 do
      policies.write(p.file, "error 'bad " .. i .. "'")
      assert.is_false((p:reload()))
    end
    p:turn(function() return #p.events >= 8 end)
    assert.equal(8, #p.events)
    for i, event in ipairs(p.events) do
      assert.equal("error", event.kind)
      assert.matches("bad " .. 22 + i, event.message, 1, true)
      assert.equal("News", event.name)
    end
    assert.equal(1, ffi.cast("int", p:info().generation))
  end)
end)
