-- SPDX-License-Identifier: Apache-2.0
-- moonpool test, as a user runs it.
local sh = require("spec.support.program").sh

local MOONPOOL = MOONPOOL_BUILD_DIR .. "/moonpool"

-- What a command prints (both streams) and its exit status.
local function command(...)
  local words = { "cd '" .. MOONPOOL_ROOT .. "' && '" .. MOONPOOL .. "'" }
  for _, word in ipairs { ... } do words[#words + 1] = "'" .. word .. "'" end
  return sh(table.concat(words, " "))
end

local function spec_of(text, ...)
  local path = os.tmpname()
  os.rename(path, path .. ".lua")
  path = path .. ".lua"
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local out, status = command("test", path, ...)
  os.remove(path)
  return out, status
end

describe("moonpool test", function()
  it("runs the spec of the manual", function()
    local out, status = command("test", "examples/policies/rack_first_test.lua")
    assert.equal(0, status, out)
    assert.truthy(out:find "3 successes")
  end)

  it("kills a whole datacentre, and shows who serves", function()
    local out, status = command("test", "examples/policies/outage_test.lua")
    assert.equal(0, status, out)
    assert.truthy(out:find "2 successes")
  end)

  it("tells by its exit status that a test failed, and which seed repeats it", function()
    local out, status = spec_of([[
      it("expects too much", function()
        cluster { dcs = { east = 2 } }
        assert.equal(0, run { requests = 10 }.asked["east/1"])
      end)]], "--seed", "77")
    assert.equal(1, status)
    assert.truthy(out:find "1 failure")
    assert.truthy(out:find("--seed 77 repeats it", 1, true))
  end)

  it("gives a test who was asked, what failed and how long it took, the same for the same seed", function()
    local text = [[
      it("looks", function()
        local c = cluster { dcs = { east = 3, west = 2 }, localDc = "west" }
        c:setLatency("west/2", 30)
        local r = run { requests = 500, policy = "RoundRobinPolicy", kind = "write" }
        local parts = { r.requests, r.failures, r.latency.p50, r.latency.p99, r.policy.name, r.policy.errors }
        for _, host in ipairs { "east/1", "east/2", "east/3", "west/1", "west/2" } do
          parts[#parts + 1] = r.asked[host]
        end
        assert.equal(500, r.asked["east/1"] + r.asked["east/2"] + r.asked["east/3"] + r.asked["west/1"]
          + r.asked["west/2"])
        assert.is_true(r.latency.p99 >= 30)
        print("LINE " .. table.concat(parts, " "))
      end)]]
    local first, status = spec_of(text, "--seed", "5")
    assert.equal(0, status, first)
    local second = spec_of(text, "--seed", "5")
    assert.equal(first:match "LINE [^\n]+", second:match "LINE [^\n]+")
    assert.truthy(first:match "LINE 500 0 [%d.]+ [%d.]+ RoundRobinPolicy 0 100 100 100 100 100")
  end)

  it("kills, starts and pauses hosts", function()
    local out, status = spec_of [[
      it("kills", function()
        local c = cluster { dcs = { east = 3 } }
        run { requests = 30 }
        c:kill "east/1"
        local r = run { requests = 300 }
        assert.equal(0, r.failures)
        assert.is_true(r.asked["east/1"] < 70)
        assert.equal(300, r.answered["east/2"] + r.answered["east/3"])
        c:start "east/1"
        c:sleep(60000)
        assert.is_true(run { requests = 300 }.answered["east/1"] > 50)
        c:pause "east/2"
        r = run { requests = 300 }
        assert.is_nil(r.answered["east/2"])
        c:resume "east/2"
      end)]]
    assert.equal(0, status, out)
  end)

  it("knows tags, weights and rules", function()
    local out, status = spec_of [[
      it("knows", function()
        local c = cluster { dcs = { east = 3 } }
        c:setTags("east/2", { "maintenance" })
        assert.equal(0, run { requests = 300, policy = "./examples/policies/maintenance.lua" }.asked["east/2"])
        c:setWeight("east/1", 0)
        assert.equal(0, run { requests = 300, policy = "WeightedPolicy" }.answered["east/1"] or 0)
        c:rule { node = "east/3", error = "UNAVAILABLE", statement = "FROM test.t" }
        local r = run { requests = 100, retry = "FallthroughRetryPolicy" }
        assert.is_true(r.failures > 10)
        assert.equal(r.failures, r.errors.UNAVAILABLE)
      end)]]
    assert.equal(0, status, out)
  end)

  it("asks a shadow beside the policy", function()
    local out, status = spec_of [[
      it("would be about as good", function()
        cluster { dcs = { east = 3 } }
        local r = run { requests = 200, shadow = "TokenAwarePolicy", shadowOptions = { shuffleReplicas = false } }
        assert.is_true(r.shadow.asked > 100 and r.shadow.sameFirst > 0.2 and r.shadow.sameFirst < 0.5)
        assert.is_nil(r.shadow.differences.notReplica)
      end)]]
    assert.equal(0, status, out)
  end)

  it("sends copies when a speculate policy says so", function()
    local out, status = spec_of [[
      it("cuts the tail", function()
        local c = cluster { dcs = { east = 3 } }
        c:setLatency("east/2", 200)
        local without = run { requests = 300 }
        assert.is_true(without.latency.p99 >= 200)
        assert.equal(300, without.attempts)
        local with = run { requests = 300, speculate = "ConstantSpeculativeExecutionPolicy",
          speculateOptions = { delay = 10 } }
        assert.is_true(with.latency.max < 30)
        assert.is_true(with.speculative > 50 and with.speculative == with.speculativeWins)
        assert.equal(300 + with.speculative, with.attempts)
      end)]]
    assert.equal(0, status, out)
  end)

  it("names what is misspelt", function()
    local out, status = spec_of [[it("x", function() run { request = 5 } end)]]
    assert.equal(1, status)
    assert.truthy(out:find("there is no 'request', did you mean requests?", 1, true), out)
  end)

  it("says how it is used", function()
    local _, status = command "test"
    assert.equal(2, status)
    local out
    out, status = command("test", "/nonexistent/spec.lua")
    assert.equal(1, status)
    assert.truthy(out:find("/nonexistent/spec.lua", 1, true))
  end)
end)
