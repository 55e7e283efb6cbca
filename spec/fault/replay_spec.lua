-- SPDX-License-Identifier: Apache-2.0
-- What may be sent again and what may not, seen from the tables: nothing is lost that was acknowledged, nothing is done
-- twice. P17 is here, too: every error code for every kind of request.
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

-- What a node says after it has, or may have, done the work; and what it says when it certainly has not.
local afterwards = { "SERVER_ERROR", "OVERLOADED", "TRUNCATE_ERROR", "FUNCTION_FAILURE", "READ_TIMEOUT", "READ_FAILURE",
  "WRITE_TIMEOUT", "WRITE_FAILURE", "CDC_WRITE_FAILURE", "CAS_WRITE_UNKNOWN" }
local beforehand = { "IS_BOOTSTRAPPING", "SYNTAX_ERROR", "UNAUTHORIZED", "INVALID", "CONFIG_ERROR", "ALREADY_EXISTS" }
local kinds = { "read", "write", "append", "count", "lock" }
local fragile = { append = true, count = true, lock = true }

-- Each kind of request meets the rule once; returns what became of it: "ok", "unknown" or "never".
local function each_kind(world, load, rule, check)
  for _, kind in ipairs(kinds) do
    for _, times in ipairs { 1, 3 } do
      rule.times = times
      local set = world.cluster:rule(rule)
      local before = world.cluster:requests()
      local result, err = load:one(kind)
      assert(set:hits() > 0, "the rule did not act")
      check(kind, result and "ok" or err.maybeApplied and "unknown" or "never", err, world.cluster:requests() - before)
      set:remove()
      moonpool.sleep(50)
    end
  end
end

-- A retry policy: one of moonpool's, or one that wants everything again, which stands in a file.
local folder
local function named(policy)
  if policy ~= "hungry" then return policy end
  local path = folder .. "/hungry.lua"
  policies.write(path, [[return retry { name = "Hungry", decide = function() return nextHost end }]])
  return path
end

describe("replay:", function()
  setup(function() folder = policies.folder() end)
  teardown(function() policies.remove(folder) end)

  for _, code in ipairs(afterwards) do
    for _, applies in ipairs { true, false } do
      it("P17 " .. code .. ", " .. (applies and "applied" or "not applied"), function(world)
        local pool = world:pool()
        local load = workload.new(world, pool)
        for _, write_type in ipairs { "SIMPLE", "BATCH_LOG", "COUNTER", "CAS" } do
          local received = write_type == "SIMPLE" and 2 or 1
          local rule = { opcode = "EXECUTE", apply = applies,
            error = { code = code, writeType = write_type, required = 2, received = received } }
          each_kind(world, load, rule, function(kind, fate, err, requests)
            if fragile[kind] then
              assert(fate == "unknown", code .. " for a " .. kind .. ": " .. fate)
              assert(requests == 1, "a " .. kind .. " was sent " .. requests .. " times")
              assert(err.code == code, err.code)
            elseif kind == "read" then
              assert(fate ~= "unknown")
            end
            assert(requests <= 5, requests .. " requests for one")
          end)
          if not code:find "^WRITE" then break end
        end
        load:check()
      end)
    end
  end

  for _, code in ipairs(beforehand) do
    it("P17 " .. code .. " has certainly done nothing", function(world)
      local pool = world:pool()
      local load = workload.new(world, pool)
      each_kind(world, load, { opcode = "EXECUTE", error = code }, function(kind, fate, err, requests)
        if code == "IS_BOOTSTRAPPING" then
          assert(requests >= 2, "another host may not be bootstrapping")
        else
          assert(fate == "never" and requests == 1 and err.code == code, kind .. ": " .. tostring(err))
        end
        assert(fate ~= "unknown", kind)
      end)
      load:check()
    end)
  end

  it("P17 UNAVAILABLE has done nothing, but of a condition or a counter nobody knows", function(world)
    local pool = world:pool()
    local load = workload.new(world, pool)
    local rule = { opcode = "EXECUTE", error = { code = "UNAVAILABLE", required = 2, received = 1 } }
    each_kind(world, load, rule, function(kind, fate, _, requests)
      if kind == "count" or kind == "lock" then assert(fate == "unknown" and requests == 1, kind)
      else assert(fate ~= "unknown" and requests <= 4, kind) end
    end)
    load:check()
  end)

  it("P17 an error that the protocol does not know is never a reason to repeat", function(world)
    local pool = world:pool()
    local load = workload.new(world, pool)
    each_kind(world, load, { opcode = "EXECUTE", apply = true, error = 0x7777 }, function(kind, fate, _, requests)
      assert(requests == 1, kind)
      assert(fate == (kind == "read" and "never" or "unknown"), kind .. ": " .. fate)
    end)
    load:check()
  end)

  it("I1 an attempt that arrives late does not overwrite what was written since", function(world)
    assert.equal("new", world:late_write(world:pool { attemptTimeout = 200 }))
    assert.equal("old", world:late_write(world:pool { attemptTimeout = 200, clientTimestamps = false }))
  end)

  for _, ending in ipairs { "reset", "close", "drop" } do
    it("I1 what was applied before the connection went is not sent again, " .. ending, function(world)
      local pool = world:pool { pooling = { coreConnectionsPerHost = { ["0"] = 2 } } }
      local load = workload.new(world, pool, { timeout = 1000 })
      for i = 1, 12 do
        local rule = world.cluster:rule { opcode = "EXECUTE", [ending] = true, apply = ending ~= "drop", times = 1 }
        local kind = ({ "append", "count", "lock" })[i % 3 + 1]
        local result, err = load:one(kind)
        assert.is_nil(result)
        assert.is_true(err.maybeApplied)
        assert.equal(1, #err.attempts)
        rule:remove()
        world:waitUp(pool)
      end
      load:check()
      assert.equal(12, load:failures())
    end)

    it("I1 reads and idempotent writes go on elsewhere, " .. ending, function(world)
      local pool = world:pool { pooling = { coreConnectionsPerHost = { ["0"] = 2 } } }
      local load = workload.new(world, pool)
      for i = 1, 12 do
        local rule = world.cluster:rule { opcode = "EXECUTE", [ending] = true, apply = ending ~= "drop", times = 1 }
        load:one(i % 2 == 0 and "read" or "write")
        rule:remove()
        world:waitUp(pool)
      end
      load:none_failed():check()
    end)
  end

  -- Whatever the policy wants: the usual one, and one that wants everything again.
  for _, policy in ipairs { "DefaultRetryPolicy", "hungry" } do
    it("I2 a counter that timed out on the servers says how far it came, " .. policy, function(world)
      local pool = world:pool { retry = { policy = named(policy) } }
      local load = workload.new(world, pool)
      world.cluster:rule { opcode = "EXECUTE", apply = true, times = 1,
        error = { code = "WRITE_TIMEOUT", writeType = "COUNTER", required = 2, received = 1, consistency = "QUORUM" } }
      local _, err = load:one "count"
      assert.equal("WRITE_TIMEOUT", err.code)
      assert.is_true(err.maybeApplied)
      load:check()
    end)

    it("I3 a lock whose answer is lost was asked for once, " .. policy, function(world)
      local pool = world:pool { retry = { policy = named(policy) } }
      local load = workload.new(world, pool)
      for i = 1, 20 do
        world:waitUp(pool)
        local rule = world.cluster:rule { opcode = "EXECUTE", reset = true, apply = true, times = 1 }
        local id = "op-sole" .. i
        local result, err = pool:execute(load.prepared.lock, { "sole-" .. i, id })
        assert.is_nil(result)
        assert.same({ "CONNECTION_LOST", true, 1 }, { err.code, err.maybeApplied, #err.attempts })
        assert.equal(1, (world.cluster:received(id))) -- wherever it was executed
        rule:remove()
      end
      load:check()
    end)

    it("I3 a lock that many want under faults has one owner at most, " .. policy, function(world)
      local pool = world:pool { attemptTimeout = 200, retry = { policy = named(policy) } }
      local load = workload.new(world, pool, { mix = { lock = 80, read = 20 }, timeout = 1000 })
      for node = 1, 3 do
        world.cluster:rule { node = node, opcode = "EXECUTE", reset = true, apply = true, probability = 0.01 }
        world.cluster:rule { node = node, opcode = "EXECUTE", drop = true, probability = 0.03 }
        world.cluster:rule { node = node, opcode = "EXECUTE", late = 500, probability = 0.03 }
      end
      load:run(1200, 30, function() moonpool.sleep(15) end)
      world:healed(pool)
      load:check()
      assert.is_true(load.of.lock.ok > 300 and load.of.lock.unknown > 10)
    end)
  end

  it("I8 only what was said to be idempotent is repeated, and some things never", function(world)
    local pool = world:pool()
    world:schema("CREATE TABLE ks.t (k int PRIMARY KEY, v text, l list<text>, s set<text>)",
      "CREATE TABLE ks.c (k int PRIMARY KEY, c counter)")
    local statements = {
      { "INSERT INTO t (k, v) VALUES (1, 'op-%s')" },
      { "UPDATE t SET v = 'op-%s' WHERE k = 1" },
      { "UPDATE t SET l = l + ['op-%s'] WHERE k = 1" },
      { "UPDATE t SET s = s + {'op-%s'} WHERE k = 1" },
      { "/* SELECT */ INSERT INTO t (k, v) VALUES (1, 'op-%s')" },
      { "INSERT INTO t (k, v) VALUES (2, 'op-%s') IF NOT EXISTS", never = true },
      { "UPDATE c SET c = c + 1 WHERE k = 1", never = true, silent = true },
      { "UPDATE c SET c = c -1 WHERE k = 1", never = true, silent = true },
      { "UPDATE c SET c += 1 WHERE k = 1", never = true, silent = true },
      { "UPDATE c SET c -= 1 WHERE k = 1", never = true, silent = true },
      { "UPDATE t SET v = 'op-%s' -- here\r WHERE k = 1 IF EXISTS", never = true },
    }
    local number = 0
    for _, statement in ipairs(statements) do
      for _, idempotent in ipairs { false, true } do
        for _, prepare in ipairs { false, true } do
          number = number + 1
          local cql = statement[1]:format(tostring(number))
          world.cluster:rule { reset = true, apply = true, times = 1, opcode = prepare and "EXECUTE" or "QUERY" }
          local before = world.cluster:requests()
          local result, err = pool:execute(cql, nil, { isIdempotent = idempotent, prepare = prepare or nil })
          world.cluster:clearRules()
          local repeated = idempotent and not statement.never
          assert((result ~= nil) == repeated, cql .. ": " .. tostring(err))
          assert(result or err.maybeApplied, cql)
          local _, executed = world.cluster:received("op-" .. number)
          if not statement.silent and not prepare then
            assert(executed <= (repeated and 2 or 1), cql .. ": " .. executed)
          end
          assert(world.cluster:requests() - before <= (prepare and 5 or 2))
          world:waitUp(pool)
        end
      end
    end
  end)
end)
