-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

describe("prepared statements", function()
  local world

  local function connected(options)
    world = session_world.connected(options)
    return world
  end

  local function prepares()
    local count = 0
    for _, node in ipairs(world.nodes) do count = count + node.prepares end
    return count
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local select = "SELECT v FROM t WHERE k = ?"
  local function shape_of_select(more)
    local shape = { params = { { "k", "int" } }, pk_indexes = { 0 }, result = { { "v", "text" } } }
    for key, value in pairs(more or {}) do shape[key] = value end
    return shape
  end

  it("take little memory", function()
    connected { config = { keyspace = "ks" } }
    world.shapes[select] = shape_of_select()
    local prepared = assert(world:prepare(select))
    for _, metadata in ipairs { prepared.params, prepared.result } do
      assert.is_true(metadata.arena.total_bytes <= 256, tostring(metadata.arena.total_bytes))
    end
  end)

  it("are prepared on one host, and known to the cache", function()
    connected { config = { keyspace = "ks" } }
    world.shapes[select] = shape_of_select()
    local prepared = assert(world:prepare(select))
    assert.equal(1, prepares())
    local again = world:begin_prepare(select)
    assert.is_true(again.cached)
    assert.is_true(again.prepared == prepared)
    assert.is_true(world:begin_prepare(select, { keyspace = "ks" }).cached)
    assert.equal(1, prepared.params.column_count)
    assert.equal("ks", ffi.string(prepared.keyspace.data, prepared.keyspace.len))
    assert.is_true(prepared.keyspace_id > 0)
  end)

  it("are prepared once for all who ask meanwhile, and so is the error", function()
    connected()
    local records = {}
    for i = 1, 10 do records[i] = world:begin_prepare(select) end
    world:until_true(function() return records[10].done end)
    for _, record in ipairs(records) do assert.is_true(record.prepared == records[1].prepared) end
    assert.equal(1, prepares())
    world.on_statement = function(_, link, request)
      if request.opcode ~= "PREPARE" then return end
      rows.error(link, request, { code = C.MP_SE_SYNTAX_ERROR, message = "line 1: no viable alternative" })
      return true
    end
    local asked = world:statement_count()
    local failed = {}
    for i = 1, 10 do failed[i] = world:begin_prepare "SELEC" end
    world:until_true(function() return failed[10].done end)
    for _, record in ipairs(failed) do
      assert.equal("SYNTAX_ERROR", record.err.code)
      assert.is_truthy(record.err.message:find "no viable alternative")
    end
    assert.equal(asked + 1, world:statement_count())
  end)

  it("go on to another host when one is lost, silent or overloaded", function()
    connected { config = { request_timeout_ms = 600 } }
    local strikes = {
      function(link) link:close(true) end,
      function() end,
      function(link, request) rows.error(link, request, { code = C.MP_SE_OVERLOADED, message = "busy" }) end,
      function(link, request) rows.void(link, request) end, -- the wrong kind of result
    }
    for i, strike in ipairs(strikes) do
      world:until_true(function() return world:up_count() == 3 end)
      local struck
      world.on_statement = function(_, link, request)
        if struck then return end
        struck = true
        strike(link, request)
        return true
      end
      local prepared, err = world:prepare("SELECT v FROM t" .. i)
      assert.is_truthy(prepared, err and err.message)
    end
  end)

  it("close the connection whose answer to PREPARE cannot be read, and no other", function()
    connected()
    local shapes = {
      [{ "\0\0\0\4\0", "a malformed answer to PREPARE" }] = C.MP_OP_RESULT, -- half of an id's length
      [{ "\0\0", "a malformed answer to PREPARE" }] = C.MP_OP_ERROR,
      [{ "\0\0\0\1", "a malformed answer to PREPARE" }] = C.MP_OP_RESULT, -- VOID
    }
    for shape, opcode in pairs(shapes) do
      world:until_true(function() return world:up_count() == 3 end)
      local lines = world:hear(C.MP_LOG_WARN)
      local struck
      world.on_statement = function(_, link, request)
        if struck then return end
        struck = link
        link:send(function(buf)
          local begin = C.mp_envelope_begin(buf, link.version, true, 0, request.stream, opcode)
          C.mp_buf_bytes(buf, shape[1], #shape[1])
          C.mp_envelope_end(buf, begin)
        end)
        return true
      end
      local cql = "SELECT v FROM t" .. #shape[1] .. opcode
      local prepared, err = world:prepare(cql)
      assert.is_truthy(prepared, err and err.message)
      world:until_true(function() return struck.closed end)
      local told = 0
      for _, line in ipairs(lines) do told = told + (line:find(shape[2], 1, true) and 1 or 0) end
      assert.is_true(told >= 1, table.concat(lines, "\n"))
    end
    world.on_statement = nil
    local before = world:count "CONNECTION_LOST"
    assert.is_truthy(world:prepare "SELECT v FROM t WHERE k = 1")
    world.on_statement = function() return true end
    local _, err = world:prepare("SELECT v FROM slow", { timeout_ms = 300 })
    assert.equal("TIMEOUT", err.code)
    world:pass(100)
    assert.equal(before, world:count "CONNECTION_LOST") -- silence is no mistake of the protocol
  end)

  it("are given up in time, and by name", function()
    connected()
    world.on_statement = function() return true end
    local before = world.loop:now_ms()
    local prepared, err = world:prepare(select, { timeout_ms = 300 })
    assert.is_nil(prepared)
    assert.equal("TIMEOUT", err.code)
    assert.equal(-1, err.server_code)
    assert.is_true(math.abs(world.loop:now_ms() - before - 300) < 5)
    for _, node in ipairs(world.nodes) do world:kill(node) end
    world:until_true(function() return world:up_count() == 0 end)
    prepared, err = world:prepare(select .. " ")
    assert.is_nil(prepared)
    assert.equal("NO_HOST_AVAILABLE", err.code)
  end)

  it("fail as their last attempt did where that says something, and for want of a host otherwise", function()
    for how, expected in pairs { error = "SERVER_ERROR", silence = "TIMEOUT", loss = "NO_HOST_AVAILABLE" } do
      connected { config = { attempt_timeout_ms = 200 } }
      world.on_statement = function(_, link, request)
        if how == "error" then
          rows.error(link, request, { code = C.MP_SE_SERVER_ERROR, message = "no" })
        elseif how == "loss" then
          link:close(true)
        end
        return true
      end
      local prepared, err = world:prepare(select, { timeout_ms = 5000 })
      assert.is_nil(prepared)
      assert.equal(expected, err.code)
      assert.equal(how == "error" and C.MP_SE_SERVER_ERROR or -1, err.server_code)
      assert.is_true(#err.attempts >= 1)
      for _, attempt in ipairs(err.attempts) do
        assert.equal(how == "error" and C.MP_SE_SERVER_ERROR or -1, attempt.server_code)
      end
      world:close()
    end
    world = nil
  end)

  it("wait for room like requests", function()
    connected { nodes = { {} }, config = { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } } }
    local held
    world.on_statement = function(node, link, request)
      if held then return end
      held = function() world:succeed(node, link, request) end
      return true
    end
    world:submit "SELECT v FROM t"
    local record = world:begin_prepare(select)
    world:pass(100)
    assert.is_nil(record.done)
    held()
    world:until_true(function() return record.done end)
    assert.is_truthy(record.prepared)
    held = nil
    world:submit "SELECT v FROM t"
    local late = world:begin_prepare("SELECT 1", { timeout_ms = 50 })
    world:until_true(function() return late.done end)
    assert.equal("TIMEOUT", late.err.code)
  end)

  it("leave the cache in the order of their last use", function()
    connected { config = { prepared_max = 3 } }
    for i = 1, 3 do world:prepare("SELECT " .. i) end
    assert.is_true(world:begin_prepare("SELECT 1").cached)
    world:prepare "SELECT 4"
    assert.is_true(world:begin_prepare("SELECT 1").cached)
    local second = world:begin_prepare "SELECT 2"
    assert.is_nil(second.cached)
    world:until_true(function() return second.done end)
    for i = 1, 500 do world:prepare("SELECT " .. i) end
    assert.equal(3, tonumber(world.session.prepares.lru.count))
  end)

  it("are closed with the session", function()
    connected()
    world.on_statement = function() return true end
    local record = world:begin_prepare(select)
    world:pass(10)
    world:close_session(1000)
    assert.equal("CLOSED", record.err.code)
  end)

  it("refuse USE, and other keyspaces before v5", function()
    connected { nodes = { { versions = { 3, 4 } } } }
    local _, err = world:prepare "USE ks"
    assert.equal("UNSUPPORTED", err.code)
    assert.truthy(err.message:find("one connection of many", 1, true))
    _, err = world:prepare(select, { keyspace = "other" })
    assert.equal("UNSUPPORTED", err.code)
    assert.truthy(err.message:find("needs protocol v5, and this connection speaks v4", 1, true), err.message)
    assert.equal(0, world:statement_count())
    world:close()
    connected { config = { keyspace = "ks" } }
    local here, there = world:prepare(select), world:prepare(select, { keyspace = "other" })
    assert.is_true(here ~= there)
    local said = {}
    for _, node in ipairs(world.nodes) do
      for _, request in ipairs(node.statements) do said[#said + 1] = request.keyspace end
    end
    table.sort(said)
    assert.same({ "", "other" }, said)
  end)

  describe("that are executed", function()
    it("are prepared again where they are not known, and nobody notices", function()
      connected()
      world.shapes[select] = { params = { { "k", "int" } }, result = { { "v", "text" } } }
      local prepared = world:prepare(select)
      for _ = 1, 9 do
        local record = world:execute(prepared, { values = { rows.int(1) } })
        assert.is_nil(record.err)
        assert.same({ "v" }, record.columns)
      end
      assert.equal(3, prepares())
      assert.equal(2, world:stats().reprepared)
      assert.equal(0, world:stats().retries)
    end)

    it("are prepared again once for many requests", function()
      connected()
      local prepared = world:prepare "UPDATE t SET c = c + 1 WHERE k = 0"
      for _, node in ipairs(world.nodes) do node.known, node.prepares = {}, 0 end
      local records = {}
      for i = 1, 300 do records[i] = world:submit(prepared) end
      for _, record in ipairs(records) do
        world:wait(record)
        assert.is_nil(record.err, record.err and record.err.message)
      end
      for _, node in ipairs(world.nodes) do assert.equal(1, node.prepares) end
    end)

    it("have as many parameters as a request can carry, and no more", function()
      connected()
      local many = {}
      for i = 1, 65535 do many[i] = { "p", "int" } end
      world.shapes.most = { params = many }
      assert(world:prepare "most")
      many[65536] = { "p", "int" }
      world.shapes.more = { params = many }
      local prepared, err = world:prepare "more"
      assert.is_nil(prepared)
      assert.is_truthy(err.message:find "broke the protocol")
    end)

    it("are not prepared for ever", function()
      connected()
      local prepared = world:prepare(select)
      world.on_statement = function(node, link, request)
        if request.opcode ~= "EXECUTE" then return end
        node.known = {} -- a cache that is too small
        return rows.error(link, request, { code = C.MP_SE_UNPREPARED, message = "who?", id = request.id }) or true
      end
      local before = prepares()
      local record = world:execute(prepared, { values = { rows.int(1) } })
      assert.equal("UNPREPARED", record.err.code)
      assert.is_false(record.err.maybe_applied)
      assert.equal(2, prepares() - before)
    end)

    it("fail when the node knows them by another id, or complains about another one", function()
      connected()
      local prepared = world:prepare(select)
      for _, node in ipairs(world.nodes) do node.known = {} end
      world.shapes[select] = shape_of_select { id = "another" }
      local record = world:execute(prepared, { values = { rows.int(1) } })
      assert.equal("PROTOCOL_ERROR", record.err.code)
      assert.is_truthy(record.err.message:find "another id")
      assert.is_false(record.err.maybe_applied)
      world.shapes[select] = nil
      world.on_statement = function(_, link, request)
        if request.opcode ~= "EXECUTE" then return end
        world.on_statement = nil
        return rows.error(link, request, { code = C.MP_SE_UNPREPARED, message = "who?", id = "never sent" }) or true
      end
      record = world:execute(prepared, { values = { rows.int(1) } })
      assert.is_nil(record.err) -- a read: another host
      assert.equal(1, world:count "CONNECTION_LOST")
    end)

    it("move on when the host is lost while it prepares again, whatever the statement", function()
      connected()
      local prepared = world:prepare "UPDATE t SET c = c + 1 WHERE k = 0"
      for _, node in ipairs(world.nodes) do node.known = {} end
      local struck
      world.on_statement = function(node, link, request)
        if request.opcode ~= "PREPARE" or struck then return end
        struck = true
        world:kill(node)
        link:close(true)
        return true
      end
      local record = world:execute(prepared)
      assert.is_nil(record.err, record.err and record.err.message)
      assert.is_true(struck)
    end)

    it("close the connection whose answer to the second PREPARE cannot be read, and move on", function()
      connected()
      local prepared = world:prepare(select)
      for _, node in ipairs(world.nodes) do node.known = {} end
      local struck
      world.on_statement = function(_, link, request)
        if request.opcode ~= "PREPARE" or struck then return end
        struck = link
        link:send(function(buf)
          local begin = C.mp_envelope_begin(buf, link.version, true, 0, request.stream, C.MP_OP_RESULT)
          C.mp_buf_bytes(buf, "\0\0\0\4\0", 5) -- PREPARED, and half of an id's length
          C.mp_envelope_end(buf, begin)
        end)
        return true
      end
      local record = world:execute(prepared, { values = { rows.int(1) } })
      assert.is_nil(record.err, record.err and record.err.message)
      world:until_true(function() return struck.closed end)
    end)

    it("end at their deadline while they are prepared again", function()
      connected()
      local prepared = world:prepare "UPDATE t SET c = c + 1 WHERE k = 0"
      for _, node in ipairs(world.nodes) do node.known = {} end
      world.on_statement = function(_, _, request) return request.opcode == "PREPARE" end
      local record = world:execute(prepared, { timeout_ms = 300 })
      assert.equal("TIMEOUT", record.err.code)
      assert.is_false(record.err.maybe_applied)
      local dropped = world:submit(prepared)
      world:pass(50)
      world:cancel(dropped)
      local closed = world:submit(prepared)
      world:pass(50)
      world:close_session(10)
      assert.equal("CLOSED", closed.err.code)
    end)

    it("ask v5 not to repeat the metadata, and read rows by what they asked with", function()
      connected { nodes = { {} } }
      world.shapes[select] = shape_of_select { metadata_id = "old" }
      local prepared = world:prepare(select)
      -- Two in flight while the table changes: the answers come in the other order.
      local held = {}
      world.on_statement = function(_, link, request)
        if request.opcode ~= "EXECUTE" then return end
        held[#held + 1] = { link = link, request = request }
        return true
      end
      local first = world:submit(prepared, { values = { rows.int(1) } })
      local second = world:submit(prepared, { values = { rows.int(2) } })
      world:until_true(function() return #held == 2 end)
      assert.is_true(held[1].request.skip_metadata)
      assert.equal("old", held[1].request.metadata_id)
      rows.send(held[2].link, held[2].request, { { "a", "int" }, { "b", "text" } }, { { rows.int(7), "new" } },
        { new_metadata_id = "new" })
      world:wait(second)
      assert.same({ "a", "b" }, second.columns)
      rows.send(held[1].link, held[1].request, { { "v", "text" } }, { { "still old" } }, { skip_metadata = true })
      world:wait(first)
      assert.same({ "v" }, first.columns)
      assert.same({ { "still old" } }, first.rows)
      local third = world:submit(prepared, { values = { rows.int(3) } })
      world:until_true(function() return #held == 3 end)
      assert.equal("new", held[3].request.metadata_id)
      rows.send(held[3].link, held[3].request, { { "a", "int" }, { "b", "text" } }, { { rows.int(8), "x" } },
        { skip_metadata = true })
      world:wait(third)
      assert.same({ "a", "b" }, third.columns)
      assert.same({ { rows.int(8), "x" } }, third.rows)
    end)

    it("have the metadata repeated by v4, which cannot tell that it changed", function()
      connected { nodes = { { versions = { 3, 4 } } } }
      world.shapes[select] = shape_of_select()
      local prepared = world:prepare(select)
      local asked
      world.on_statement = function(_, _, request) asked = request.skip_metadata end
      assert.is_nil(world:execute(prepared, { values = { rows.int(1) } }).err)
      assert.is_false(asked)
    end)

    it("keep what v4 says about the columns for as long as it says the same", function()
      connected { nodes = { { versions = { 3, 4 } } } }
      world.shapes[select] = shape_of_select()
      local prepared = world:prepare(select)
      local columns, data
      world.on_statement = function(_, link, request)
        if request.opcode ~= "EXECUTE" then return end
        rows.send(link, request, columns, data)
        return true
      end
      local function answer_with(new_columns, new_data)
        columns, data = new_columns, new_data
        local record = world:execute(prepared, { values = { rows.int(1) } })
        assert.is_nil(record.err)
        assert.same(data, record.rows)
        return prepared.result
      end
      local known = prepared.result
      assert.is_true(answer_with({ { "v", "text" } }, { { "a" } }) == known)
      local other = answer_with({ { "a", "int" }, { "v", "text" } }, { { rows.int(7), "b" } })
      assert.is_true(other ~= known)
      assert.equal(2, other.column_count)
      assert.is_true(answer_with({ { "a", "int" }, { "v", "text" } }, { { rows.int(8), "c" } }) == other)
    end)

    it("learn no columns from v4 when they had none: what a condition answers differs each time", function()
      connected { nodes = { { versions = { 3, 4 } } } }
      world.shapes[select] = { params = { { "k", "int" } }, pk_indexes = { 0 }, result = {} }
      local prepared = world:prepare(select)
      local known = prepared.result
      world.on_statement = function(_, link, request)
        if request.opcode ~= "EXECUTE" then return end
        rows.send(link, request, { { "v", "text" } }, { { "a" } })
        return true
      end
      assert.same({ { "a" } }, world:execute(prepared, { values = { rows.int(1) } }).rows)
      assert.is_true(prepared.result == known)
    end)

    it("close a connection whose rows have another shape than was agreed", function()
      connected()
      world.shapes[select] = shape_of_select()
      local prepared = world:prepare(select)
      for _ = 1, 3 do world:execute(prepared, { values = { rows.int(1) } }) end
      local struck
      world.on_statement = function(_, link, request)
        if request.opcode ~= "EXECUTE" or struck then return end
        struck = true
        rows.send(link, request, { { "v", "text" }, { "w", "text" } }, { { "a", "b" } }, { skip_metadata = true })
        return true
      end
      local record = world:execute(prepared, { values = { rows.int(1) } })
      assert.is_nil(record.err)
      assert.equal(2, record.attempts)
      assert.equal(1, world:count "CONNECTION_LOST")
    end)
  end)

  it("are told apart by what repeating them does", function()
    connected()
    local cases = {
      { "SELECT v FROM t", {}, C.MP_REPLAY_READ, C.MP_REPLAY_READ, false },
      { "INSERT INTO t (k) VALUES (?)", { { "k", "int" } }, C.MP_REPLAY_UNSAFE, C.MP_REPLAY_IDEMPOTENT, false },
      { "INSERT INTO t (k) VALUES (?) IF NOT EXISTS", { { "k", "int" } }, C.MP_REPLAY_FRAGILE, C.MP_REPLAY_FRAGILE,
        true },
      { "UPDATE t SET c = c + ?", { { "c", "counter" } }, C.MP_REPLAY_FRAGILE, C.MP_REPLAY_FRAGILE, false },
      { "UPDATE t SET l = l + ?", { { "l", "list<int>" } }, C.MP_REPLAY_UNSAFE, C.MP_REPLAY_IDEMPOTENT, false },
      { "UPDATE t SET c = c + 1 WHERE k = ?", { { "k", "int" } }, C.MP_REPLAY_FRAGILE, C.MP_REPLAY_FRAGILE, false },
    }
    for _, case in ipairs(cases) do
      world.shapes[case[1]] = { params = case[2] }
      local prepared = world:prepare(case[1])
      assert.equal(tonumber(case[3]), prepared.replay_class[0], case[1])
      assert.equal(tonumber(case[4]), prepared.replay_class[1], case[1])
      assert.equal(case[5], prepared.is_lwt, case[1])
    end
  end)
end)
