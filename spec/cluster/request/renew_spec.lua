-- SPDX-License-Identifier: Apache-2.0
-- A table is dropped and made again with other types under statements that are prepared. Each value carries the name of
-- the type that it was encoded by, so a node sees at once what would be stored as something else.
local C = require "spec.support.c"
local ffi = require "ffi"
local peers = require "spec.support.peer"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local INSERT, SELECT = "INSERT INTO ks.t (k, v) VALUES (?, ?)", "SELECT v FROM ks.t WHERE k = ?"
local NAMES = {}
for _, name in ipairs { "INT", "BIGINT", "FLOAT", "DOUBLE", "BOOLEAN" } do
  NAMES[tonumber(C["MP_TYPE_" .. name])] = name:lower()
end
NAMES[tonumber(C.MP_TYPE_VARCHAR)] = "text"

describe("a statement whose table is made again", function()
  local world
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  -- What every node knows the table to be from now on; with `forget` the statements are gone, as they should be.
  local function table_of(kind, options)
    options = options or {}
    world.kind = kind
    local params = { { "k", "int" }, { "v", kind } }
    world.shapes[INSERT] = { params = params, pk_indexes = options.pk or { 0 }, metadata_id = "-" }
    world.shapes[SELECT] = { params = { { "k", "int" } }, pk_indexes = { 0 }, result = { { "v", kind } },
      metadata_id = "m " .. kind }
    for _, node in ipairs(world.nodes) do
      if options.forget ~= false then node.known = {} end
    end
  end

  local function open(version, options)
    options = options or {}
    world = session_world.connected { nodes = options.nodes or { {}, {} }, config = options.config
      or { protocol_version = version }, policies = options.policies }
    world.wrong, world.stored = {}, 0
    world.on_statement = function(node, link, request)
      if options.on_statement and options.on_statement(node, link, request) then return true end
      local cql = node.known[request.id]
      if request.opcode == "PREPARE" or not cql then return false end
      if cql == SELECT then
        local value = ("x"):rep(4)
        rows.send(link, request, { { "v", world.kind } }, { { value } },
          { skip_metadata = request.skip_metadata and request.metadata_id == "m " .. world.kind,
            new_metadata_id = request.skip_metadata and request.metadata_id ~= "m " .. world.kind
              and "m " .. world.kind or nil })
        return true
      end
      if cql ~= INSERT then return false end
      local kind = request.values:match "=(%w+)="
      if kind ~= world.kind then world.wrong[#world.wrong + 1] = kind else world.stored = world.stored + 1 end
      return false
    end
    table_of "int"
  end

  local function kind_of(statement) return NAMES[tonumber(statement.params.columns[1].type.id)] end

  -- Bound by what the statement says now.
  local function insert(statement, options)
    local all = { values = { "\0\0\0\1", "=" .. kind_of(statement) .. "=" } }
    for key, value in pairs(options or {}) do all[key] = value end
    return world:submit(statement, all)
  end

  local function done(record) return world:wait(record) end

  local function prepares()
    local count = 0
    for _, node in ipairs(world.nodes) do count = count + node.prepares end
    return count
  end

  local function changed(record, was, is)
    assert.equal("STATEMENT_CHANGED", record.err.code)
    assert.is_false(record.err.maybe_applied)
    assert.truthy(record.err.message:find(("v was %s and is %s"):format(was, is), 1, true), record.err.message)
  end

  for version = 3, 5 do
    describe("on v" .. version, function()
      it("fails once where a host forgot it, and has learned then", function()
        open(version)
        local statement = world:prepare(INSERT)
        assert.is_nil(done(insert(statement)).err)
        table_of "float"
        changed(done(insert(statement)), "int", "float")
        assert.equal("float", kind_of(statement))
        for _ = 1, 6 do assert.is_nil(done(insert(statement)).err) end -- the other host, too
        assert.same({}, world.wrong)
        assert.equal(7, world.stored)
        assert.equal(statement, world:prepare(INSERT)) -- by text it is the same
      end)

      it("goes on where it is the same", function()
        open(version)
        local statement = world:prepare(INSERT)
        table_of "int"
        for _ = 1, 4 do assert.is_nil(done(insert(statement)).err) end
        assert.equal(4, world.stored)
        assert.equal(0, statement.generation)
      end)

      it("learns where the partition key is now", function()
        open(version)
        local statement = world:prepare(INSERT)
        table_of("int", { pk = { 1, 0 } })
        assert.is_nil(done(insert(statement)).err)
        if version == 3 then return assert.equal(0, statement.params.pk_count) end
        assert.equal(2, statement.params.pk_count)
        assert.equal(1, statement.params.pk_indexes[0])
      end)

      it("decodes rows by what they were sent with", function()
        open(version)
        local statement = world:prepare(SELECT)
        local function select() return done(world:submit(statement, { values = { "\0\0\0\1" } })) end
        assert.is_nil(select().err)
        table_of("text", { forget = false }) -- the node knows the id, and says that the columns are others
        assert.is_nil(select().err)
        assert.equal(tonumber(C.MP_TYPE_VARCHAR), tonumber(statement.result.columns[0].type.id))
        table_of "double"
        assert.is_nil(select().err)
        assert.equal(tonumber(C.MP_TYPE_DOUBLE), tonumber(statement.result.columns[0].type.id))
      end)

      it("is prepared before it is used when an event says so, once", function()
        open(version)
        local statement = world:prepare(INSERT)
        for _ = 1, 4 do assert.is_nil(done(insert(statement)).err) end -- every host knows it
        table_of("bigint", { forget = false }) -- another client has prepared it already
        world:schema_event(world:control_node(), "DROPPED", "TABLE", "ks", "t")
        world:schema_event(world:control_node(), "CREATED", "TABLE", "ks", "t")
        world:pass(10)
        local before = prepares()
        changed(done(insert(statement)), "int", "bigint")
        assert.equal(before + 1, prepares())
        for _ = 1, 4 do assert.is_nil(done(insert(statement)).err) end
        assert.equal(before + 1, prepares())
        assert.same({}, world.wrong)
        world:pass(3000) -- every node must know by now
        for _ = 1, 4 do assert.is_nil(done(insert(statement)).err) end
        assert.equal(before + 2, prepares())
        world:pass(60000)
        for _ = 1, 4 do assert.is_nil(done(insert(statement)).err) end
        assert.equal(before + 2, prepares())
      end)

      it("is asked for again by text when an event says so", function()
        open(version)
        local statement = world:prepare(INSERT)
        assert.is_true(world:begin_prepare(INSERT).cached)
        table_of("float", { forget = false })
        world:schema_event(world:control_node(), "UPDATED", "TABLE", "ks", "t")
        world:pass(10)
        local record = world:begin_prepare(INSERT)
        assert.is_nil(record.cached)
        world:until_true(function() return record.done end)
        assert.equal(statement, record.prepared)
        assert.is_nil(done(insert(statement)).err)
        assert.same({}, world.wrong)
      end)

      it("is looked at when the server calls its values invalid, at most once a second", function()
        local invalid = false
        open(version, { on_statement = function(_, link, request)
          if request.opcode ~= "EXECUTE" or not invalid then return false end
          rows.error(link, request, { code = C.MP_SE_INVALID, message = "Expected 8 or 0 byte long (4)" })
          return true
        end })
        local statement = world:prepare(INSERT)
        world:pass(5000)
        table_of("bigint", { forget = false })
        invalid = true
        assert.equal("INVALID", done(insert(statement)).err.code)
        invalid = false
        world:pass(10)
        assert.equal("bigint", kind_of(statement))
        assert.is_nil(done(insert(statement)).err)
        -- a program that asks for what is invalid all day
        invalid = true
        local before = prepares()
        for _ = 1, 100 do
          assert.equal("INVALID", done(insert(statement)).err.code)
          world:pass(100)
        end
        assert.is_true(prepares() - before <= 11, prepares() - before)
      end)
    end)
  end

  for _, case in ipairs {
    { "its table", "TABLE", "ks", "t", true }, { "another table", "TABLE", "ks", "u", false },
    { "a table of that name elsewhere", "TABLE", "other", "t", false }, { "its keyspace", "KEYSPACE", "ks", "", true },
    { "another keyspace", "KEYSPACE", "other", "", false }, { "a type of its keyspace", "TYPE", "ks", "point", true },
  } do
    it(("is %sdoubted by a change of %s"):format(case[5] and "" or "not ", case[1]), function()
      open(5)
      local statement = world:prepare(INSERT)
      world:pass(5000)
      world:schema_event(world:control_node(), "UPDATED", case[2], case[3], case[4])
      world:pass(10)
      assert.equal(case[5], C.mp_prepared_is_doubted(statement))
    end)

    -- The node that prepared it may have been late.
    it(("that is prepared for the first time after a change of %s is %slooked at once more"):format(case[1],
      case[5] and "" or "not "), function()
      for change, again in pairs { UPDATED = case[5], DROPPED = case[5], CREATED = false } do
        open(5)
        world:pass(5000)
        world:schema_event(world:control_node(), change, case[2], case[3], case[4])
        world:pass(10)
        local statement = world:prepare(INSERT)
        assert.is_false(C.mp_prepared_is_doubted(statement))
        world:pass(1900)
        assert.is_false(C.mp_prepared_is_doubted(statement))
        world:pass(200)
        assert.equal(again, C.mp_prepared_is_doubted(statement))
        world:close()
        open(5)
        world:schema_event(world:control_node(), change, case[2], case[3], case[4])
        world:pass(3000)
        statement = world:prepare(INSERT) -- every node knows by then
        world:pass(3000)
        assert.is_false(C.mp_prepared_is_doubted(statement))
        world:close()
      end
      world = nil
    end)
  end

  it("is doubted after its own session changed the table", function()
    open(5)
    local statement = world:prepare(INSERT)
    world:pass(5000)
    world.on_statement = function(_, link, request)
      if request.cql ~= "ALTER TABLE" then return false end
      link:send(function(buf)
        C.mp_encode_result_schema(buf, link.version, request.stream, "UPDATED", "TABLE", peers.str "ks",
          peers.str "t")
      end)
      link.owed[request.stream] = nil
      return true
    end
    done(world:submit "ALTER TABLE")
    assert.is_true(C.mp_prepared_is_doubted(statement))
  end)

  it("is doubted when the control connection missed something, and only then", function()
    open(5, { nodes = { {}, {}, {} } })
    local statement = world:prepare(INSERT)
    for _, missed in ipairs { false, true } do
      world:pass(5000)
      local node, link = world:control_node()
      if missed then world.schema_version = ("w"):rep(16) end
      link:close(true)
      world:until_true(function() return world:control_node() ~= nil and world:control_node() ~= node end)
      world:pass(500)
      assert.equal(missed, C.mp_prepared_is_doubted(statement))
    end
    local fresh = world:prepare(SELECT)
    assert.is_false(C.mp_prepared_is_doubted(fresh))
    world:pass(2500)
    assert.is_true(C.mp_prepared_is_doubted(fresh))
  end)

  it("fails each request that was bound before, and no other, on every host", function()
    open(5, { nodes = { {}, {}, {} } })
    local statement = world:prepare(INSERT)
    for _ = 1, 6 do assert.is_nil(done(insert(statement)).err) end
    table_of "float"
    local records = {}
    for i = 1, 60 do records[i] = insert(statement) end
    local failed = 0
    for _, record in ipairs(records) do
      done(record)
      if record.err then
        failed = failed + 1
        changed(record, "int", "float")
      end
    end
    assert.equal(60, failed)
    for i = 1, 60 do records[i] = insert(statement) end
    for _, record in ipairs(records) do assert.is_nil(done(record).err) end
    assert.same({}, world.wrong)
  end)

  it("is not sent to the next host with what was bound before", function()
    local slow = true
    open(5, { nodes = { {}, {} }, on_statement = function(node, _, request)
      return request.opcode == "EXECUTE" and node == world.nodes[1] and slow -- silence
    end, config = { attempt_timeout_ms = 500, request_timeout_ms = 2000 } })
    local statement = world:prepare(INSERT)
    local first = insert(statement, { pinned_host = world:find "127.0.0.2".index })
    assert.is_nil(done(first).err)
    local late = insert(statement, { idempotent = true })
    world:pass(20)
    if late.done then
      late = insert(statement, { idempotent = true })
      world:pass(20)
    end
    assert.is_nil(late.done)
    -- it waits at the first host; meanwhile the table changes, and the second host is asked by somebody else
    table_of "float"
    changed(done(insert(statement, { pinned_host = world:find "127.0.0.2".index })), "int", "float")
    done(late)
    assert.equal("STATEMENT_CHANGED", late.err.code)
    assert.is_true(late.err.maybe_applied) -- the first attempt may have been
    slow = false
    assert.same({}, world.wrong)
  end)

  it("is an error where it was asked before the change and answered behind it", function()
    local held
    open(5, { nodes = { {}, {} }, on_statement = function(node, link, request)
      if request.opcode ~= "EXECUTE" or node ~= world.nodes[1] or held then return false end
      held = function() rows.void(link, request) end
      return true
    end })
    local statement = world:prepare(INSERT)
    local slow = insert(statement, { pinned_host = world:find "127.0.0.1".index })
    world:until_true(function() return held end)
    table_of "float"
    changed(done(insert(statement, { pinned_host = world:find "127.0.0.2".index })), "int", "float")
    held()
    done(slow)
    assert.equal("STATEMENT_CHANGED", slow.err.code)
    assert.is_true(slow.err.maybe_applied) -- into the one table or the other
  end)

  it("is not sent to a host that is just told it again", function()
    local held
    open(5, { nodes = { {} }, on_statement = function(node, link, request)
      if request.opcode ~= "PREPARE" or held == nil or held then return false end
      node.known["" .. #request.cql .. ":" .. request.cql] = request.cql -- from now on, it knows it
      held = function() rows.prepared(link, request, #request.cql .. ":" .. request.cql, world.shapes[request.cql]) end
      return true
    end, config = { local_limits = { core = 2, max = 2 } } })
    local statement = world:prepare(INSERT)
    table_of "float"
    held = false
    local first = insert(statement)
    world:until_true(function() return held end)
    local later = {}
    for i = 1, 10 do later[i] = insert(statement) end
    world:pass(50)
    held()
    changed(done(first), "int", "float")
    for _, record in ipairs(later) do changed(done(record), "int", "float") end
    assert.same({}, world.wrong)
    assert.equal(0, statement.preparing)
  end)

  it("that waits for room is judged when there is some", function()
    open(5, { nodes = { {} }, config = { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } } })
    local statement = world:prepare(INSERT)
    table_of "float"
    local records = {}
    for i = 1, 10 do records[i] = insert(statement) end
    for _, record in ipairs(records) do changed(done(record), "int", "float") end
    assert.is_nil(done(insert(statement)).err)
    assert.same({}, world.wrong)
  end)

  it("that is gone is an error that says so, and comes back with its table", function()
    local gone = false
    open(5, { on_statement = function(_, link, request)
      if request.opcode ~= "PREPARE" or not gone then return false end
      rows.error(link, request, { code = C.MP_SE_INVALID, message = "unconfigured table t" })
      return true
    end })
    local statement = world:prepare(INSERT)
    table_of "float"
    gone = true
    world:schema_event(world:control_node(), "DROPPED", "TABLE", "ks", "t")
    world:pass(10)
    for _ = 1, 3 do
      local record = done(insert(statement))
      assert.equal("INVALID", record.err.code)
      assert.truthy(record.err.message:find("unconfigured table", 1, true))
      assert.is_false(record.err.maybe_applied)
    end
    gone = false
    changed(done(insert(statement)), "int", "float")
    assert.is_nil(done(insert(statement)).err)
  end)

  it("ends in time when the host does not answer the PREPARE", function()
    local silent = false
    open(5, { on_statement = function(_, _, request) return silent and request.opcode == "PREPARE" end })
    local statement = world:prepare(INSERT)
    world:schema_event(world:control_node(), "UPDATED", "TABLE", "ks", "t")
    world:pass(10)
    silent = true
    local record = insert(statement)
    world:pass(100)
    local cancelled = insert(statement)
    world:pass(100)
    world:cancel(cancelled)
    done(record)
    assert.equal("TIMEOUT", record.err.code)
    assert.is_false(record.err.maybe_applied)
    assert.is_true(record.latency_ms < 2100, record.latency_ms)
  end)

  it("is never stored as something else when memory runs out", function()
    local met = {}
    for n = 1, 40 do
      open(3 + n % 3)
      local statement = world:prepare(INSERT)
      assert.is_nil(done(insert(statement)).err)
      table_of("float", { forget = n % 2 == 0 })
      if n % 2 == 1 then world:schema_event(world:control_node(), "UPDATED", "TABLE", "ks", "t") end
      world:pass(5)
      C.mp_mem_fail_at(n, false)
      local record = insert(statement)
      if record.rc == 0 then done(record) end
      C.mp_mem_fail_at(0, false)
      met[record.rc == 0 and record.err and record.err.code or record.rc] = true
      local tries = 0
      repeat
        tries = tries + 1
        record = done(insert(statement))
      until not record.err or tries == 4
      assert.is_nil(record.err)
      assert.same({}, world.wrong)
      world:close()
      world = nil
    end
    assert.is_true(met.STATEMENT_CHANGED)
  end)

  it("is never stored as something else, whatever happens when", function()
    local kinds = { "int", "float", "bigint", "double", "boolean", "text" }
    local rand = ffi.new "struct mp_rand"
    for seed = 1, 12 do
      C.mp_rand_seed(rand, seed)
      local function below(n) return tonumber(C.mp_rand_below(rand, n)) end
      open(3 + seed % 3, { nodes = { {}, {}, {} } })
      local statement = world:prepare(INSERT)
      local records, changes, good = {}, 0, 0
      for _ = 1, 300 do
        local what = below(12)
        if what == 0 then
          -- Nodes forget, or somebody else has told them again already and the event comes; then nothing may be on its
          -- way, because nobody can know.
          local forget = below(2) == 1
          if not forget then
            for _, record in ipairs(records) do done(record) end
          end
          table_of(kinds[1 + below(#kinds)], { forget = forget })
          changes = changes + 1
          if not forget or below(2) == 1 then
            world:schema_event(world:control_node(), "UPDATED", "TABLE", "ks", "t")
            if not forget then world:pass(2) end
          end
        elseif what == 1 then
          world:pass(below(3000))
        elseif what == 2 then
          world:begin_prepare(INSERT)
        elseif what == 3 then
          world.nodes[1 + below(3)].known = {}
        else
          records[#records + 1] = insert(statement, { idempotent = below(2) == 1 })
          if below(3) == 0 then world:pass(1) end
        end
      end
      for _, record in ipairs(records) do
        done(record)
        if record.err then
          assert.equal("STATEMENT_CHANGED", record.err.code, record.err.message)
          assert.is_false(record.err.maybe_applied)
        else
          good = good + 1
        end
      end
      assert.same({}, world.wrong)
      assert.is_true(changes > 5 and good > 60, changes .. " " .. good)
      done(insert(statement))
      assert.is_nil(done(insert(statement)).err)
      world:close()
      world = nil
    end
  end)
end)
