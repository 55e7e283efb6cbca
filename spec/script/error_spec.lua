-- SPDX-License-Identifier: Apache-2.0
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

describe("the text of what was raised", function()
  it("is there whatever was raised", function()
    local core = require "moonpool.core_loader"
    local raises = function() error "no" end
    for text, value in pairs {
      ["no"] = setmetatable({}, { __tostring = function() error("no", 0) end }), ["plain"] = "plain", ["5"] = 5,
      ["said"] = { message = "said" }, ["well"] = setmetatable({}, { __tostring = function() return "well" end }),
      ["(error object is a table value)"] = setmetatable({}, { __index = raises }),
      ["(error object is a boolean value)"] = false, ["(error object is a function value)"] = raises,
      ["(error object is a userdata value)"] = newproxy(true),
    } do
      assert.equal(text, core.errorText(value))
    end
  end)
end)

describe("an error", function()
  it_in("of the server has its name, its number and its words", function(world)
    local pool = world:pool()
    for _, case in ipairs {
      { "SELEC 1", "SYNTAX_ERROR", 0x2000 },
      { "SELECT nonsense FROM system.local", "INVALID", 0x2200 },
      { "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", "ALREADY_EXISTS",
        0x2400 },
    } do
      local result, err = pool:execute(case[1])
      assert.is_nil(result)
      assert.equal(case[2], err.code)
      assert.equal(case[3], err.serverCode)
      assert.is_false(err.maybeApplied)
      assert.matches("^127%.0%.0%.%d:9042$", err.host)
      assert.equal(1, #err.attempts)
      assert.equal(err.host, err.attempts[1].host)
      assert.equal(case[2], err.attempts[1].code)
      assert.equal(err.message, err.attempts[1].error)
      assert.is_number(err.attempts[1].ms)
      assert.equal(case[2] .. ": " .. err.message .. " (" .. err.host .. ")", tostring(err))
    end
  end)

  it_in("lists every attempt, and prints them", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    world.cluster:rule { statement = "SELECT key", error = { code = "OVERLOADED", message = "busy" } }
    local result, err = pool:execute "SELECT key FROM system.local"
    assert.is_nil(result)
    assert.is_true(#err.attempts >= 2)
    local text = tostring(err)
    for _, attempt in ipairs(err.attempts) do
      assert.equal("OVERLOADED", attempt.code)
      assert.equal("busy", attempt.error)
      assert.matches("\n  " .. attempt.host .. ": OVERLOADED: busy (after " .. attempt.ms .. " ms)", text, 1, true)
    end
  end)

  it_in("of a write whose fate is open says that it may have been applied", function(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, l list<int>)"
    local pool = world:pool()
    local append = assert(pool:prepare "UPDATE t SET l = l + ? WHERE k = 1")
    assert(pool:execute(append, { { 1 } }))
    world.cluster:rule { opcode = "EXECUTE", swallow = true }
    local result, err = pool:execute(append, { { 2 } }, { timeout = 300 })
    assert.is_nil(result)
    assert.equal("TIMEOUT", err.code)
    assert.is_nil(err.serverCode)
    assert.is_true(err.maybeApplied)
    assert.matches("may have been applied", tostring(err))
    world:calm()
  end)

  it_in("when all hosts are gone is NO_HOST_AVAILABLE", function(world)
    local pool = world:pool()
    for node = 1, 3 do world.cluster:kill(node) end
    moonpool.sleep(100)
    local result, err = pool:execute "SELECT key FROM system.local"
    assert.is_nil(result)
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert.is_false(err.maybeApplied)
    world:calm()
  end)

  it("has a code from the one list", function()
    assert.is_string(moonpool.errors.TIMEOUT)
    assert.is_string(moonpool.errors.POOL_BUSY)
    assert.is_nil(moonpool.errors.NONSENSE)
  end)
end)
