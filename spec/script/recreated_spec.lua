-- SPDX-License-Identifier: Apache-2.0
-- A table is dropped and made again with another type, under statements that are prepared: what is stored afterwards is
-- the value that was given, or one request fails and the next ones have learned.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

local kinds = { "tinyint", "int", "bigint", "float", "double", "decimal", "blob", "list<int>" }

-- Eight, as each of them has it.
local function eight(kind)
  if kind == "list<int>" then return { 8 } end
  if kind == "blob" or kind == "decimal" then return "8" end
  return 8
end

describe("a table made again", function()
  local function make(world, kind)
    world:schema("DROP TABLE IF EXISTS ks.t", "CREATE TABLE ks.t (id int PRIMARY KEY, v " .. kind .. ")")
  end

  local function stored(pool)
    local row = assert(pool:execute("SELECT v FROM ks.t WHERE id = 1", nil, { prepare = false })):first()
    return row and row.v
  end

  local text = "INSERT INTO ks.t (id, v) VALUES (?, ?)"

  -- Who notices: this pool by the nodes that forgot, or by the event because somebody else was there first.
  for version = 3, 5 do
    for _, other_first in ipairs { false, true } do
      it_in(("stores what was given, or says that it did not: v%d, %s"):format(version,
        other_first and "another client was there first" or "first"), function(world)
        local pool, other = world:pool { protocolVersion = version }, world:pool { protocolVersion = version }
        local refused, checked = 0, 0
        for _, before in ipairs(kinds) do
          make(world, before)
          local insert, select = assert(pool:prepare(text)), assert(pool:prepare "SELECT v FROM ks.t WHERE id = ?")
          assert(pool:execute(insert, { 1, eight(before) }))
          assert.same(eight(before), assert(pool:execute(select, { 1 })):first().v)
          for _, after in ipairs(kinds) do
            if after ~= before then
              make(world, after)
              if other_first then
                assert(other:execute(text, { 2, eight(after) }))
                moonpool.sleep(5)
              end
              for try = 1, 4 do
                local result, err = pool:execute(try % 2 == 1 and insert or text, { 1, eight(after) })
                if not result then
                  refused = refused + 1
                  assert(err.code == "STATEMENT_CHANGED" or err.code == "TYPE_MISMATCH", tostring(err))
                  assert.equal(1, try)
                  assert.is_false(err.maybeApplied)
                  moonpool.sleep(5) -- what does not fit the old type meets no node: the event has to come
                else
                  assert.same(eight(after), stored(pool), before .. " -> " .. after .. " try " .. try)
                end
              end
              assert.equal(after, insert.parameters[2].type)
              assert.same(eight(after), assert(pool:execute(select, { 1 })):first().v)
              checked = checked + 1
              make(world, before)
              moonpool.sleep(5)
              assert(pool:execute(insert, { 1, eight(before) }))
            end
          end
        end
        assert.equal(#kinds * (#kinds - 1), checked)
        if other_first then assert.equal(0, refused) end -- the event came, and the values are bound anew
      end)
    end
  end

  it_in("is noticed by what does not fit any more, without an event", function(world)
    world:schema "CREATE TABLE ks.t (id int PRIMARY KEY, v int)"
    local pool = world:pool()
    local insert = assert(pool:prepare(text))
    moonpool.sleep(5000)
    make(world, "text")
    local result, err = pool:execute(insert, { 1, "eight" })
    assert.is_nil(result)
    assert.equal("TYPE_MISMATCH", err.code)
    assert(pool:execute(insert, { 1, "eight" }))
    assert.equal("eight", stored(pool))
  end)

  it_in("by this very pool is known at once", function(world)
    world:schema "CREATE TABLE ks.t (id int PRIMARY KEY, v int)"
    local pool = world:pool()
    local insert = assert(pool:prepare(text))
    assert(pool:execute(insert, { 1, 7 }))
    for _, kind in ipairs { "float", "bigint", "double", "int" } do
      assert(pool:execute "DROP TABLE ks.t")
      assert(pool:execute("CREATE TABLE ks.t (id int PRIMARY KEY, v " .. kind .. ")"))
      for _, statement in ipairs { insert, text, insert, text } do
        assert(pool:execute(statement, { 1, 8 }))
        assert.equal(8, stored(pool))
      end
      assert(pool:executeAsync(insert, { 1, 9 }):wait())
      assert.equal(9, stored(pool))
    end
  end)

  it_in("has other columns for SELECT *", function(world)
    for version = 3, 5 do
      world:schema("DROP TABLE IF EXISTS ks.t", "CREATE TABLE ks.t (id int PRIMARY KEY, v int)")
      local pool = world:pool { protocolVersion = version }
      local select = assert(pool:prepare "SELECT * FROM ks.t WHERE id = ?")
      assert(pool:execute "INSERT INTO ks.t (id, v) VALUES (1, 7)")
      assert.same({ id = 1, v = 7 }, assert(pool:execute(select, { 1 })):first())
      world:schema "ALTER TABLE ks.t ADD a text"
      assert(pool:execute "INSERT INTO ks.t (id, a) VALUES (1, 'x')")
      for _ = 1, 4 do assert.same({ id = 1, v = 7, a = "x" }, assert(pool:execute(select, { 1 })):first()) end
      assert.equal(3, #select.columns)
      world:schema("DROP TABLE ks.t", "CREATE TABLE ks.t (id int PRIMARY KEY, w double)")
      assert(pool:execute "INSERT INTO ks.t (id, w) VALUES (1, 0.5)")
      for _ = 1, 4 do assert.same({ id = 1, w = 0.5 }, assert(pool:execute(select, { 1 })):first()) end
      pool:close()
    end
  end)

  it_in("has another partition key, and its rows are found where they are", function(world)
    world:schema "CREATE TABLE ks.t (id int, v int, PRIMARY KEY (id, v))"
    local pool = world:pool()
    local insert = assert(pool:prepare(text))
    assert(pool:execute(insert, { 1, 2 }))
    world:schema("DROP TABLE ks.t", "CREATE TABLE ks.t (id int, v int, PRIMARY KEY ((v, id)))")
    for i = 1, 20 do assert(pool:execute(insert, { i, 2 })) end
    assert.equal(20, #assert(pool:execute "SELECT * FROM ks.t").rows)
  end)

  it_in("under load stores nothing else", function(world)
    local pool = world:pool { protocolVersion = 5 }
    make(world, "int")
    local insert = assert(pool:prepare(text))
    local kind, stop, good, refused = "int", false, 0, 0
    local workers = {}
    for worker = 1, 8 do
      workers[worker] = world:spawn(function()
        local id = worker
        while not stop do
          id = id + 8
          local given, changes = kind, world.changes
          local result, err = pool:execute(id % 3 == 0 and text or insert, { id, 8 })
          if result then
            good = good + 1
          else
            refused = refused + 1
            assert(err.code == "STATEMENT_CHANGED" or err.code == "INVALID", tostring(err))
          end
          if result and given == kind and changes == world.changes then
            local all = { prepare = false, consistency = "ALL" }
            local row = pool:execute("SELECT v FROM ks.t WHERE id = " .. id, nil, all)
            row = row and row:first()
            if row and changes == world.changes then assert.equal(8, row.v) end
          end
        end
      end)
    end
    world.changes = 0
    for round = 1, 12 do
      moonpool.sleep(50)
      kind = ({ "float", "bigint", "int", "double" })[round % 4 + 1]
      world.changes = world.changes + 1
      make(world, kind)
      world.changes = world.changes + 1
    end
    moonpool.sleep(50)
    stop = true
    for _, worker in ipairs(workers) do assert(select(2, worker:wait()) == nil) end
    assert.is_true(good > 500 and refused < good, good .. " " .. refused)
  end)
end)
