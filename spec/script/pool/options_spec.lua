-- SPDX-License-Identifier: Apache-2.0
-- Every option has its effect where it is taken, and is refused by name where it would have none.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local CREATE = "CREATE TABLE ks.u (id int PRIMARY KEY, name text)"
local SELECT = "SELECT name FROM u WHERE id = ?"

local function raised(fn, ...)
  local ok, why = pcall(fn, ...)
  assert.is_false(ok)
  return why
end

-- A value of the right type for each option, and the calls that honour it: a request of text, one of a prepared
-- statement, prepare(), a batch.
local OPTIONS = {
  consistency = { "ONE", "text", "statement", "prepare", "batch" },
  serialConsistency = { "SERIAL", "text", "statement", "prepare", "batch" },
  timeout = { 1000, "text", "statement", "prepare", "batch" },
  isIdempotent = { true, "text", "statement", "prepare", "batch" }, fetchSize = { 10, "text", "statement", "prepare" },
  traceQuery = { false, "text", "statement", "prepare", "batch" },
  tag = { "t", "text", "statement", "prepare", "batch" },
  keyspace = { "ks", "text", "prepare", "batch" }, prepare = { true, "text", "batch" },
  pageState = { false, "text", "statement" }, routingKey = { "\0\0\0\1", "text", "statement", "batch" },
  timestamp = { 5, "text", "statement", "batch" }, host = { "127.0.0.1", "text", "statement", "batch" },
  type = { "unlogged", "batch" }, profile = { "p", "text", "statement", "batch" },
}

describe("options", function()
  it_in("are taken by the calls that honour them, and refused by name by the others", function(world)
    world:schema(CREATE)
    local pool = world:pool { profiles = { p = {} } }
    local select = assert(pool:prepare(SELECT))
    local state = assert(pool:execute("SELECT key FROM system.local", nil, { fetchSize = 1 })).pageState or "state"
    local function call_of(method, ...) -- no tail call: the error names this line
      local result, err = pool[method](pool, ...)
      return result, err
    end
    local calls = {
      text = function(options) return call_of("execute", SELECT, { 1 }, options) end,
      statement = function(options) return call_of("execute", select, { 1 }, options) end,
      prepare = function(options) return call_of("prepare", SELECT, options) end,
      batch = function(options) return call_of("batch", { "DELETE FROM u WHERE id = 1" }, options) end,
    }
    for name, spec in pairs(OPTIONS) do
      local value, honoured = spec[1], {}
      if name == "pageState" then value = state end
      for i = 2, #spec do honoured[spec[i]] = true end
      for call, fn in pairs(calls) do
        if honoured[call] then
          local result, err = fn { [name] = value }
          if name ~= "pageState" then assert.truthy(result, tostring(err)) end
        else
          local why = raised(fn, { [name] = value })
          local to = ({ prepare = "prepare()", batch = "a batch", text = "one statement" })[call]
            or "a prepared statement"
          assert.matches("options_spec.lua:%d+: ", why)
          assert.matches(("option '%s' means nothing to %s"):format(name, to), why, 1, true)
        end
      end
    end
    for _, call in ipairs { "rows", "executeAsync" } do
      assert.matches("'keyspace' means nothing to a prepared statement: give it to prepare()",
        raised(pool[call], pool, select, { 1 }, { keyspace = "ks" }), 1, true)
      assert.matches("unknown option 'timout', did you mean timeout?",
        raised(pool[call], pool, select, { 1 }, { timout = 5 }), 1, true)
    end
  end)

  it_in("of an unknown name get the nearest one and the list of those that mean something", function(world)
    local pool = world:pool()
    local all = "consistency, serialConsistency, timeout, isIdempotent, fetchSize, pageState, keyspace, routingKey, "
      .. "timestamp, traceQuery, host, tag, prepare, profile"
    assert.matches("unknown option 'idempotent', did you mean isIdempotent? There are: " .. all,
      raised(pool.execute, pool, "x", nil, { idempotent = true }), 1, true)
    assert.matches("unknown option 'x'; there are: " .. all, raised(pool.execute, pool, "x", nil, { x = 1 }), 1, true)
    assert.matches("There are: consistency, serialConsistency, timeout, isIdempotent, fetchSize, keyspace, "
      .. "traceQuery, tag",
      raised(pool.prepare, pool, "x", { timeuot = 1 }), 1, true)
    assert.matches("unknown option 'timeout", raised(pool.execute, pool, "x", nil, { ["timeout\0"] = 1 }))
    assert.matches('option \'consistency\': a consistency expected, got "LOCALQUORM", did you mean LOCAL_QUORUM? '
      .. "There are: ANY, ONE, TWO, THREE, QUORUM, ALL, LOCAL_QUORUM, EACH_QUORUM, SERIAL, LOCAL_SERIAL, LOCAL_ONE",
      raised(pool.execute, pool, "x", nil, { consistency = "LOCALQUORM" }), 1, true)
    assert.matches('option \'serialConsistency\': a consistency expected, got "SERAIL", did you mean SERIAL?',
      raised(pool.execute, pool, "x", nil, { serialConsistency = "SERAIL" }), 1, true)
    assert.matches("unknown event 'hostUpp', did you mean hostUp? There are: hostUp, ",
      raised(pool.on, pool, "hostUpp", print), 1, true)
    assert.matches("unknown event 'hostUp", raised(pool.on, pool, "hostUp\0", print))
    for value, why in pairs { [-0x7fffffffffffffffLL - 1] = "-9223372036854775807 or more", [1.5] = "not whole",
      ["9223372036854775808"] = "microseconds since 1970 expected", [2 ^ 53 * 2] = "not exact above 2^53" } do
      assert.matches(why, raised(pool.execute, pool, "x", nil, { timestamp = value }), 1, true)
    end
    local ok, err = pool:execute("SELECT key FROM system.local", nil, { host = "10.9.9.9" })
    assert.is_nil(ok)
    assert.equal("NOT_FOUND", err.code)
    assert.matches('option \'host\': the cluster has no host "10.9.9.9"', tostring(err), 1, true)
    assert.matches("the name of a keyspace has at most 65535 bytes",
      raised(pool.execute, pool, "x", nil, { keyspace = ("k"):rep(65536) }), 1, true)
  end)

  it_in("of explain are checked like those of a request", function(world)
    local pool = world:pool()
    for field, why in pairs {
      consistensy = "unknown field 'consistensy', did you mean consistency? There are: keyspace, ",
      isread = "did you mean isRead?", nothing = "unknown field 'nothing'; there are: keyspace" } do
      assert.matches(why, raised(pool.explain, pool, { [field] = true }), 1, true)
    end
    for _, case in ipairs {
      { { token = 5 }, "token: a string expected, got number" }, { { isRead = 1 },
        "isRead: a boolean expected, got number" },
      { { token = "abc" }, "token: the digits" }, { { token = "1", routingKey = "k" },
        "a routingKey or a token expected" },
      { { token = "9223372036854775808" }, "token: the digits" }, { { "x" }, "unknown field ''" },
      { { consistency = "LOCAL_QORUM" }, "did you mean LOCAL_QUORUM?" },
    } do
      local why = raised(pool.explain, pool, case[1])
      assert.matches(case[2], why, 1, true)
    end
    assert.truthy(pool:explain { token = "-9223372036854775808", isRead = true, consistency = "one" })
  end)
end)

describe("hosts and tags", function()
  it_in("are whole names, and a list is all of its table", function(world)
    local pool = world:pool()
    local host = world:host(1)
    assert.matches("option 'host': an address", raised(pool.execute, pool, "x", nil, { host = host .. "\0" }), 1, true)
    assert.matches("an address expected", raised(pool.setHostWeight, pool, host .. "\0", 2), 1, true)
    assert.is_true(pool:setHostWeight(host, 2))
    for _, tags in ipairs { {}, { "a" }, { "a", nil, "b" }, { "b", "c" } } do
      assert.is_true(pool:setHostTags(host, tags))
    end
    for _, tags in ipairs { { "a", b = "c" }, { "a\0" }, { "" }, { 5 } } do
      raised(pool.setHostTags, pool, host, tags)
    end
    local many = {}
    for i = 1, 33 do many[i] = "t" .. i end
    assert.matches("at most 32 tags", raised(pool.setHostTags, pool, host, many), 1, true)
  end)
end)

describe("a policy that looks at tags", function()
  it_in("finds each of a host's, and none that it has not", function(world)
    local path = os.tmpname() .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write [[
      return balance { name = "Looks", plan = function(plan, req)
        for _, host in hosts(localDc) do
          if req.tag == tags.a and host:hasTag "a" or req.tag == tags.b and host:hasTag "b" or
            req.tag == tags.c and host:hasTag "c" then plan:host(host) end
        end
      end }]]
    file:close()
    local pool = world:pool { loadBalancing = { policy = path } }
    os.remove(path)
    os.remove((path:gsub("%.lua$", "")))
    world:waitUp(pool)
    local has = { { "a" }, { "b", "a" }, { "c", "x", "b" } }
    for node = 1, 3 do assert.is_true(pool:setHostTags(world:host(node), has[node])) end
    for tag, nodes in pairs { a = { 1, 2 }, b = { 2, 3 }, c = { 3 } } do
      local expected, got = {}, {}
      for i, node in ipairs(nodes) do expected[i] = world:host(node) end
      for i, place in ipairs(pool:explain({ tag = tag }).hosts) do got[i] = place.address or place.host end
      table.sort(expected)
      table.sort(got)
      assert.same(expected, got, tag)
    end
  end)
end)

describe("methods without arguments", function()
  it_in("say so when they get one", function(world)
    local pool = world:pool()
    for _, name in ipairs { "connect", "initialize", "close", "getStats", "getMetrics", "getConnectionDetails",
      "getHosts",
      "policies", "reload", "getHandlerErrors" } do
      local why = raised(function() pool[name](pool, { timeout = 5 }) end)
      assert.matches(("options_spec.lua:%%d+: '%s' takes no arguments, got table"):format(name), why)
    end
    local future = pool:executeAsync "SELECT key FROM system.local"
    assert.matches("'wait' takes no arguments, got number", raised(function() future:wait(500) end), 1, true)
    assert.truthy(future:wait())
    assert(pool:execute "SELECT key FROM system.local")
  end)
end)

describe("options given to prepare()", function()
  it_in("are those of every request of the statement, unless it says otherwise", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    world:waitUp(pool)
    local all = assert(pool:prepare(SELECT, { consistency = "ALL" }))
    local plain = assert(pool:prepare(SELECT))
    world.cluster:kill(2)
    world:eventually("the node is down", function() return world:status(pool, 2) ~= "up" end)
    moonpool.sleep(1500) -- the other nodes have noticed, too
    for _, call in ipairs {
      function(...) return pool:execute(...) end, function(...) return pool:executeAsync(...):wait() end,
      function(...)
        local ok, err = pcall(function(...) return pool:rows(...)() end, ...)
        return ok and {} or nil, err
      end,
    } do
      local result, err = call(all, { 1 })
      assert.is_nil(result)
      assert.equal("UNAVAILABLE", err.code)
      assert(call(all, { 1 }, { consistency = "ONE" }))
      assert(call(plain, { 1 }))
      assert(call(SELECT, { 1 })) -- the same text, prepared once
    end
  end)

  it_in("set the size of a page, the deadline, idempotence, the trace and the tag", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    for id = 1, 20 do assert(pool:execute("INSERT INTO u (id, name) VALUES (?, 'x')", { id })) end
    local paged = assert(pool:prepare("SELECT id FROM u", { fetchSize = 5, traceQuery = true }))
    local page = assert(pool:execute(paged, {}))
    assert.equal(5, #page.rows)
    assert.is_string(page.info.traceId)
    assert.equal(20, #assert(pool:execute(paged, nil, { fetchSize = 0, traceQuery = false })).rows)
    assert.is_nil(assert(pool:execute(paged, nil, { traceQuery = false })).info.traceId)

    local slow = assert(pool:prepare(SELECT, { timeout = 70 }))
    world.cluster:rule { statement = "SELECT name", delay = 60000 }
    local from = moonpool.now()
    local result, err = pool:execute(slow, { 1 })
    assert.is_nil(result)
    assert.equal("TIMEOUT", err.code)
    assert.is_true(moonpool.now() - from <= 80)
    world:calm()

    local write = "UPDATE u SET name = ? WHERE id = ?"
    local safe, unsafe = assert(pool:prepare(write, { isIdempotent = true })), assert(pool:prepare(write))
    local function attempts(statement, options)
      for node = 1, 3 do assert(pool:execute(statement, { "x", 1 }, { host = world:host(node) })) end
      world.cluster:rule { opcode = "EXECUTE", error = "OVERLOADED", times = 1 }
      local answer, why = pool:execute(statement, { "y", 1 }, options)
      world.cluster:clearRules()
      return answer and answer.info.attempts or "failed: " .. why.code
    end
    assert.equal(2, attempts(safe))
    assert.equal("failed: OVERLOADED", attempts(unsafe))
    assert.equal("failed: OVERLOADED", attempts(safe, { isIdempotent = false }))
    assert.equal(2, attempts(unsafe, { isIdempotent = true }))
  end)

  it_in("give policies the tag of every request", function(world)
    world:schema(CREATE)
    local path = os.tmpname() .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write [[return balance { name = "Tagged", plan = function(plan, req)
      if req.tag == tags.unwanted then plan:refuse() end
      plan:hosts(localDc)
    end }]]
    file:close()
    local pool = world:pool { loadBalancing = { policy = path } }
    os.remove(path)
    os.remove((path:gsub("%.lua$", "")))
    local tagged, plain = assert(pool:prepare(SELECT, { tag = "un" .. "wanted" })), assert(pool:prepare(SELECT))
    collectgarbage()
    local _, err = pool:execute(tagged, { 1 })
    assert.equal("POOL_BUSY", err.code)
    assert(pool:execute(tagged, { 1 }, { tag = "other" }))
    assert(pool:execute(plain, { 1 }))
  end)

  it_in("are the statement's own: a table that changes later, and the text's other statements, are others",
    function(world)
    world:schema(CREATE)
    local pool = world:pool()
    for id = 1, 8 do assert(pool:execute("INSERT INTO u (id, name) VALUES (?, 'x')", { id })) end
    local options = { fetchSize = 3 }
    local changed = moonpool.spawn(function() options.fetchSize, options.nonsense = 4, true end)
    local three = assert(pool:prepare("SELECT id FROM u", options))
    assert.is_true(changed:done()) -- while PREPARE was on its way
    local five = assert(pool:prepare("SELECT id FROM u", { fetchSize = 5 }))
    collectgarbage()
    assert.equal(3, #assert(pool:execute(three)).rows)
    assert.equal(5, #assert(pool:execute(five)).rows)
    assert.equal(8, #assert(pool:execute(assert(pool:prepare "SELECT id FROM u"))).rows)
    assert.equal("moonpool statement (0 parameters)", tostring(three))
    pool:close()
    assert.equal("moonpool statement (closed)", tostring(three))
  end)
end)

describe("fetchSize", function()
  it_in("0 is all rows at once, any other number a page", function(world)
    world:schema(CREATE)
    local pool = world:pool()
    for id = 1, 30 do assert(pool:execute("INSERT INTO u (id, name) VALUES (?, 'x')", { id })) end
    for size, rows in pairs { [0] = 30, [7] = 7, [30] = 30, [2 ^ 31 - 1] = 30 } do
      local result = assert(pool:execute("SELECT id FROM u", nil, { fetchSize = size }))
      assert.equal(rows, #result.rows)
      assert.equal(size == 7, result.pageState ~= nil)
      local seen = 0
      for _ in pool:rows("SELECT id FROM u", nil, { fetchSize = size }) do seen = seen + 1 end
      assert.equal(30, seen)
    end
    for _, wrong in ipairs { -1, 1.5, 2 ^ 31, 0 / 0 } do
      assert.matches("option 'fetchSize': a whole number from 0 to 2147483647 expected",
        raised(pool.execute, pool, "SELECT id FROM u", nil, { fetchSize = wrong }), 1, true)
    end
  end)
end)
