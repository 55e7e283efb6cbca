-- SPDX-License-Identifier: Apache-2.0
-- Statements that nodes forget or refuse.
local blocks = require("spec.support.bytes").blocks
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local support = require "spec.support.world"
local it = support.inside(it)

describe("prepared:", function()
  local function tables(world)
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
  end

  local function prepares(world)
    local sum = 0
    for node = 1, 3 do sum = sum + world.cluster:node(node).prepares end
    return sum
  end

  it("S1 servers that forget faster than they are told cost two PREPAREs a request at most", function(world)
    tables(world)
    local pool = world:pool()
    local statements = {}
    for i = 1, 4 do statements[i] = assert(pool:prepare("SELECT v FROM t WHERE k = ? LIMIT " .. i)) end
    world.cluster:setPreparedLimit(1)
    local before, futures, failed = prepares(world), {}, 0
    for i = 1, 200 do
      futures[i] = world:spawn(function()
        moonpool.sleep(i)
        local result, err = pool:execute(statements[i % 4 + 1], { i })
        if not result then
          failed = failed + 1
          assert(not err.maybeApplied and tostring(err):lower():find "prepare", tostring(err))
        end
        return true
      end)
    end
    assert(moonpool.all(futures))
    assert.is_true(prepares(world) - before <= 400)
    assert.is_true(failed < 100, failed .. " failed")
  end)

  it("S1 a batch of two statements for nodes that keep one is given up with the reason", function(world)
    tables(world)
    local pool, pair = world:pool(), {}
    for i, cql in ipairs { "INSERT INTO t (k, v) VALUES (?, 'a')", "INSERT INTO t (k, v) VALUES (?, 'b')" } do
      pair[i] = { assert(pool:prepare(cql)), { i } }
    end
    for node = 1, 3 do assert(pool:batch(pair, { host = world:host(node) })) end
    world.cluster:setPreparedLimit(1)
    for node = 1, 3 do world.cluster:forgetPrepared(node) end
    local before = prepares(world)
    local result, err = pool:batch(pair)
    assert.is_nil(result)
    assert.equal("UNPREPARED", err.code)
    assert.is_false(err.maybeApplied)
    assert.is_true(prepares(world) - before <= 2 * #pair, prepares(world) - before .. " times prepared")
    world.cluster:setPreparedLimit(100)
    assert(pool:batch(pair))
  end)

  it("S2 after all nodes forgot everything each statement is prepared once on each", function(world)
    tables(world)
    local pool = world:pool()
    local statements = {}
    for i = 1, 20 do statements[i] = assert(pool:prepare("SELECT v FROM t WHERE k = ? LIMIT " .. i)) end
    for _ = 1, 2 do
      world.cluster:forgetPrepared()
      local before, futures = prepares(world), {}
      for i = 1, 600 do
        futures[i] = world:spawn(function()
          assert(pool:execute(statements[i % 20 + 1], { i }))
          return true
        end)
      end
      assert(moonpool.all(futures))
      local count = prepares(world) - before
      assert.is_true(count >= 20 and count <= 60, count .. " PREPAREs for 20 statements on 3 nodes")
    end
  end)

  it("S3 a PREPARE that fails is told to all that wait, and the next one may succeed", function(world)
    tables(world)
    local pool = world:pool()
    for _, ending in ipairs { "error", "reset", "swallow" } do
      local rule = world.cluster:rule { opcode = "PREPARE", [ending] = ending == "error" and "OVERLOADED" or true }
      local futures, told = {}, 0
      local cql = "SELECT v FROM t WHERE k = ? /* " .. ending .. " */"
      for i = 1, 30 do
        futures[i] = world:spawn(function()
          local began = moonpool.now()
          local result, err = pool:execute(cql, { i })
          assert(not result, ending .. " gave a result")
          assert(not err.maybeApplied, tostring(err))
          assert(moonpool.now() - began <= 2060, "it took " .. moonpool.now() - began)
          told = told + 1
          return true
        end)
      end
      assert(moonpool.all(futures))
      assert.equal(30, told)
      rule:remove()
      world:waitUp(pool)
      assert(pool:execute(cql, { 1 }))
    end
  end)

  it("S4 texts without number take the memory of those that are kept", function(world)
    tables(world)
    local pool = world:pool { maxPreparedStatements = 100 }
    local number = 0
    local function ask(count)
      for _ = 1, count do
        number = number + 1
        assert(pool:execute("SELECT v FROM t WHERE k = ? /* " .. number .. " */", { number }))
      end
    end
    local held = assert(pool:prepare "SELECT v FROM t WHERE k = ? /* held */")
    world.cluster:setPreparedLimit(100) -- the nodes forget, too
    ask(400)
    local before = blocks()
    ask(1600)
    assert.is_true(blocks() - before < 200, blocks() - before .. " blocks more for 1600 texts")
    assert(pool:execute(held, { 1 })) -- what the program holds is nobody's to forget
  end)

  it("S4 what nodes say of columns takes a bounded memory, too", { nodes = 1, rf = 1 }, function(world)
    tables(world)
    local pool = world:pool { protocolVersion = 4, requestTimeout = 60000, attemptTimeout = 60000 }
    -- PREPARED, without parameters, and two columns of a type of 160 kB that takes 3 MiB.
    local tuple = "\0\49\156\64" .. ("\0\32\0\9"):rep(40000)
    local columns = "\0\0\0\1\0\0\0\2\0\2ks\0\1t\0\1a" .. tuple .. "\0\1b" .. tuple
    for i = 1, 26 do
      local body = "\0\0\0\4\0\2id" .. ("\0"):rep(12) .. columns
      local length = string.char(0, math.floor(#body / 65536), math.floor(#body / 256) % 256, #body % 256)
      local rule = world.cluster:rule { opcode = "PREPARE", raw = "\132\0\0\0\8" .. length .. body, times = 1 }
      assert.equal(2, #assert(pool:prepare("SELECT a, b FROM t WHERE k = " .. i)).columns)
      rule:remove()
      collectgarbage()
    end
    local kept = core.preparedTexts(pool)
    assert.is_true(#kept >= 10 and #kept < 26, #kept)
    for i, text in ipairs(kept) do assert.equal("SELECT a, b FROM t WHERE k = " .. 26 - #kept + i, text[1]) end
  end)

  it("INV7 a text with parameters keeps one deadline over PREPARE and EXECUTE", function(world)
    tables(world)
    local pool = world:pool { attemptTimeout = 1500 }
    world.cluster:rule { opcode = "PREPARE", delay = 700 }
    world.cluster:rule { opcode = "EXECUTE", delay = 700 }
    local began = moonpool.now()
    local result, err = pool:execute("SELECT v FROM t WHERE k = ?", { 1 }, { timeout = 1000 })
    local took = moonpool.now() - began
    assert.is_nil(result)
    assert.equal("TIMEOUT", err.code)
    assert.is_true(took <= 1060, "it took " .. took)
  end)
end)
