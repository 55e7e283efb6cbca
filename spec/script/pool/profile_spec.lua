-- SPDX-License-Identifier: Apache-2.0
-- Options that all requests have (defaults), and those of a name (profiles): which goes before which.
local moonpool = require "moonpool"
local config = require "moonpool.config"
local it_in = require("spec.support.world").inside(it)

local function raised(fn, ...)
  local ok, why = pcall(fn, ...)
  assert.is_false(ok)
  return why
end

-- With one of three nodes gone ALL fails, QUORUM and what is less does not.
local function open(world, extra)
  world:schema "CREATE TABLE ks.u (k int PRIMARY KEY, v text)"
  local pool = world:pool(extra)
  local insert = assert(pool:prepare "INSERT INTO u (k, v) VALUES (?, 'x')")
  for k = 1, 25 do assert(pool:execute(insert, { k }, { consistency = "QUORUM" })) end
  world.cluster:kill(3)
  world:waitStatus(pool, 3, "down")
  moonpool.sleep(2000)
  return pool, insert
end

local CONFIGURATION = {
  defaults = { consistency = "all", fetchSize = 10 },
  profiles = { reports = { consistency = "One", fetchSize = 7, timeout = 300 }, strict = { consistency = "ALL" },
    safe = { isIdempotent = true, traceQuery = true, tag = "safe" } },
}

local function code(result, err) return result and "ok" or err.code end

describe("options of the configuration", function()
  it_in("are every request's, unless its profile, its statement or itself says otherwise", function(world)
    local pool, insert = open(world, CONFIGURATION)
    local quorum = assert(pool:prepare("INSERT INTO u (k, v) VALUES (?, 'q')", { consistency = "QUORUM" }))
    for _, case in ipairs {
      { "UNAVAILABLE", insert }, { "ok", insert, { consistency = "ONE" } }, { "ok", insert, { profile = "reports" } },
      { "UNAVAILABLE", insert, { profile = "reports", consistency = "ALL" } }, { "ok", quorum },
      { "UNAVAILABLE", quorum, { profile = "strict" } }, { "ok", quorum, { profile = "safe" } },
      { "UNAVAILABLE", insert, { profile = "safe" } },
    } do
      assert.equal(case[1], code(pool:execute(case[2], { 1 }, case[3])))
      assert.equal(case[1], code(pool:executeAsync(case[2], { 1 }, case[3]):wait()))
      assert.equal(case[1], code(pool:batch({ { case[2], { 1 } } }, case[3])))
    end
    assert.equal("UNAVAILABLE", code(pool:execute "DELETE FROM u WHERE k = 99"))
    assert.equal("ok", code(pool:execute("DELETE FROM u WHERE k = 99", nil, { profile = "reports" })))
  end)

  it_in("have each its effect", function(world)
    local pool, insert = open(world, CONFIGURATION)
    local select = "SELECT k FROM u"
    assert.equal(10, #assert(pool:execute(select, nil, { consistency = "ONE" })).rows)
    assert.equal(7, #assert(pool:execute(select, nil, { profile = "reports" })).rows)
    assert.equal(25, #assert(pool:execute(select, nil, { profile = "reports", fetchSize = 0 })).rows)
    local count = 0
    for _ in pool:rows(select, nil, { profile = "reports" }) do count = count + 1 end
    assert.equal(25, count)
    assert.is_string(assert(pool:execute(select, nil, { profile = "safe", consistency = "ONE" })).info.traceId)
    world.cluster:rule { opcode = "EXECUTE", error = "OVERLOADED", times = 1 }
    assert.equal(2, assert(pool:execute(insert, { 1 }, { profile = "safe", consistency = "ONE" })).info.attempts)
    world.cluster:rule { statement = "slow", swallow = true }
    local began = moonpool.now()
    assert.equal("TIMEOUT", code(pool:execute("DELETE FROM u WHERE k = 98 /* slow */", nil, { profile = "reports" })))
    assert.near(300, moonpool.now() - began, 30)
  end)

  it_in("of a name that is none are an error that names those that are", function(world)
    local pool = open(world, CONFIGURATION)
    local function execute(options) -- no tail call: the error names this line
      local result, err = pool:execute("SELECT k FROM u", nil, options)
      return result, err
    end
    assert.matches([[profile_spec.lua:%d+: option 'profile': the configuration has no profile "report", ]]
      .. "did you mean reports%? There are: reports, safe, strict", raised(execute, { profile = "report" }))
    assert.matches("no profile", raised(execute, { profile = "" }))
    assert.matches("option 'profile': a string expected, got number", raised(execute, { profile = 5 }))
    assert.matches("'profile' means nothing to prepare%(%): give it with each request",
      raised(pool.prepare, pool, "SELECT k FROM u", { profile = "reports" }))
  end)

  it("are judged like all of it", function()
    for given, message in pairs {
      [{ defaults = { consistency = "SERIAL" } }] = 'defaults.consistency: got "SERIAL" (string); must be one of ANY',
      [{ defaults = { serialConsistency = "ONE" } }] = "must be one of SERIAL, LOCAL_SERIAL",
      [{ defaults = { timeout = 0 } }] = "defaults.timeout: got 0 (number); must be an integer of milliseconds",
      [{ defaults = { fetchsize = 5 } }] = "defaults.fetchsize: there is no such key, did you mean fetchSize?",
      [{ defaults = 5 }] = "defaults: got 5 (number); must be a table",
      [{ profiles = { a = { isIdempotent = 1 } } }] = "profiles.a.isIdempotent: got 1 (number); must be true or false",
      [{ profiles = { "x" } }] = "the name of a profile must be a text that is not empty",
      [{ profiles = { a = "x" } }] = "profiles.a: got \"x\" (string); must be a table",
    } do
      given.contactPoints = { "a" }
      local checked, why = config.check(given)
      assert.is_nil(checked)
      assert.matches(message, why, 1, true)
    end
  end)
end)
