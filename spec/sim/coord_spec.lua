-- SPDX-License-Identifier: Apache-2.0
-- What a coordinator answers when replicas are down, slow or back again.
local raw = require "spec.support.rawclient"

describe("a simulated coordinator", function()
  local world
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function make(options, replication)
    world = raw.world(options)
    world:schema("CREATE KEYSPACE ks WITH replication = " ..
      (replication or "{'class': 'SimpleStrategy', 'replication_factor': 3}"))
    world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
    world:schema "CREATE TABLE ks.n (k int PRIMARY KEY, c counter)"
    world:schema "CREATE TABLE ks.l (k int PRIMARY KEY, l list<int>)"
    return world:connect(1)
  end

  -- level -> how many of three replicas it needs
  local levels = { ONE = 1, TWO = 2, THREE = 3, QUORUM = 2, ALL = 3, LOCAL_QUORUM = 2, LOCAL_ONE = 1, EACH_QUORUM = 2 }

  for alive = 1, 3 do
    it("serves the levels that " .. alive .. " of 3 live replicas allow, and tells of the others", function()
      local conn = make()
      for node = 3, alive + 1, -1 do world:kill(node) end
      world:pass(3000)
      for level, needed in pairs(levels) do
        for _, cql in ipairs { "INSERT INTO ks.t (k, v) VALUES (1, 'x')", "SELECT * FROM ks.t WHERE k = 1",
          "SELECT * FROM ks.t", "UPDATE ks.n SET c = c + 1 WHERE k = 1" } do
          local answer = conn:query(cql, { consistency = level })
          if alive >= needed then
            assert.not_equal("error", answer.kind, level .. " " .. cql)
          else
            assert.same({ "UNAVAILABLE", level, needed, alive },
              { answer.name, answer.consistency, answer.required, answer.received }, cql)
          end
        end
      end
      assert.equal("void", conn:query("INSERT INTO ks.t (k, v) VALUES (9, 'x')", { consistency = "ANY" }).kind)
      assert.equal("INVALID", conn:query("SELECT * FROM ks.t", { consistency = "ANY" }).name)
      assert.equal("INVALID", conn:query("INSERT INTO ks.t (k) VALUES (1)", { consistency = "SERIAL" }).name)
      local cas = conn:query("INSERT INTO ks.t (k, v) VALUES (77, 'x') IF NOT EXISTS", { consistency = "ONE" })
      assert.equal(alive >= 2 and "rows" or "error", cas.kind)
    end)
  end

  it("counts the local datacentre for local levels and each one for EACH_QUORUM", function()
    local conn = make({ nodes = 6, dcs = 2 },
      "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3, 'datacenter2': 3}")
    world:kill(5)
    world:kill(6)
    world:pass(3000)
    local insert = "INSERT INTO ks.t (k, v) VALUES (1, 'x')"
    assert.equal("void", conn:query(insert, { consistency = "LOCAL_QUORUM" }).kind)
    assert.equal("void", conn:query(insert, { consistency = "QUORUM" }).kind)
    local answer = conn:query(insert, { consistency = "EACH_QUORUM" })
    assert.same({ "UNAVAILABLE", 2, 1 }, { answer.name, answer.required, answer.received })
    answer = world:connect(4):query(insert, { consistency = "LOCAL_QUORUM" })
    assert.same({ "UNAVAILABLE", "LOCAL_QUORUM", 2, 1 },
      { answer.name, answer.consistency, answer.required, answer.received })
  end)

  it("times out while a replica is paused but believed alive", function()
    local conn = make { detect_ms = 60000 }
    world:pause(2)
    local before = world.loop:now_ms()
    local answer = conn:query("INSERT INTO ks.t (k, v) VALUES (1, 'x')", { consistency = "ALL" })
    assert.same({ "WRITE_TIMEOUT", "ALL", 3, 2, "SIMPLE" },
      { answer.name, answer.consistency, answer.required, answer.received, answer.write_type })
    assert.is_true(world.loop:now_ms() - before >= 2000)
    answer = conn:query("UPDATE ks.n SET c = c + 1 WHERE k = 1", { consistency = "ALL" })
    assert.same({ "WRITE_TIMEOUT", "COUNTER" }, { answer.name, answer.write_type })
    world:pause(3)
    before = world.loop:now_ms()
    answer = conn:query("SELECT * FROM ks.t WHERE k = 1", { consistency = "QUORUM" })
    assert.same({ "READ_TIMEOUT", "QUORUM", 2, 1, true },
      { answer.name, answer.consistency, answer.required, answer.received, answer.data_present })
    assert.is_true(world.loop:now_ms() - before >= 5000)
    answer = conn:query("INSERT INTO ks.t (k, v) VALUES (5, 'x') IF NOT EXISTS")
    assert.same({ "WRITE_TIMEOUT", "CAS", "SERIAL" }, { answer.name, answer.write_type, answer.consistency })
    -- What timed out was applied all the same where it could be.
    assert.equal("x", conn:query("SELECT v FROM ks.t WHERE k = 1").rows[1].v)
  end)

  it("answers at once when the paused replica comes back in time", function()
    local conn = make { detect_ms = 60000 }
    world:pause(2)
    local write = conn:start_query("INSERT INTO ks.t (k, v) VALUES (1, 'x')", { consistency = "ALL" })
    local read = conn:start_query("SELECT * FROM ks.t WHERE k = 1", { consistency = "ALL" })
    assert.is_nil(conn:wait(write, 500))
    world:resume(2)
    assert.equal("void", conn:wait(write, 100).kind)
    assert.equal("x", conn:wait(read, 100).rows[1].v)
  end)

  it("gives a dead node its writes when it is back, each once", function()
    local conn = make()
    local ids = {}
    world:kill(3)
    world:pass(3000)
    for i = 1, 5 do
      assert.equal("void", conn:query("UPDATE ks.l SET l = l + [" .. i .. "] WHERE k = 1").kind)
      assert.equal("void", conn:query("UPDATE ks.n SET c = c + 2 WHERE k = 1").kind)
      ids[i] = i
    end
    assert.is_true(tonumber(world:info(3).hints) >= 10)
    world:start(3)
    world:pass(1000)
    assert.equal(0, tonumber(world:info(3).hints))
    world:kill(1)
    world:kill(2)
    world:pass(3000)
    local other = world:connect(3)
    assert.same(ids, other:query("SELECT l FROM ks.l WHERE k = 1").rows[1].l)
    assert.equal(10, other:query("SELECT c FROM ks.n WHERE k = 1").rows[1].c)
  end)

  it("reads the newest of what the replicas have", function()
    local conn = make()
    world:kill(3)
    world:pass(3000)
    conn:query("INSERT INTO ks.t (k, v) VALUES (1, 'new')", { consistency = "QUORUM" })
    world:start(3)
    -- The hints come with UP; before it the node knows nothing.
    local stale = world:connect(3)
    assert.equal(0, #stale:query("SELECT v FROM ks.t WHERE k = 1", { consistency = "ONE" }).rows)
    assert.equal("new", stale:query("SELECT v FROM ks.t WHERE k = 1", { consistency = "QUORUM" }).rows[1].v)
    world:pass(1000)
    assert.equal("new", stale:query("SELECT v FROM ks.t WHERE k = 1", { consistency = "ONE" }).rows[1].v)
  end)

  it("lets one of two conditional inserts win", function()
    local conn, other = make(), world:connect(2)
    local insert = "INSERT INTO ks.t (k, v) VALUES (1, ?) IF NOT EXISTS"
    local first = conn:start_query(insert, { values = { "a" } })
    local second = other:start_query(insert, { values = { "b" } })
    local a, b = conn:wait(first).rows[1], other:wait(second).rows[1]
    assert.not_equal(a["[applied]"], b["[applied]"])
    local loser = a["[applied]"] and b or a
    assert.equal(a["[applied]"] and "a" or "b", loser.v)
    local update = conn:query "UPDATE ks.t SET v = 'c' WHERE k = 1 IF v = 'nope'"
    assert.is_false(update.rows[1]["[applied]"])
    assert.equal(loser.v, update.rows[1].v)
    assert.is_true(conn:query("DELETE FROM ks.t WHERE k = 1 IF EXISTS").rows[1]["[applied]"])
    assert.same({ ["[applied]"] = false }, conn:query("UPDATE ks.t SET v = 'c' WHERE k = 1 IF EXISTS").rows[1])
  end)

  it("shows the row that was in the way in the order of SELECT *", function()
    local conn = make()
    world:schema "CREATE TABLE ks.w (k int PRIMARY KEY, z int, a int)"
    conn:query "INSERT INTO ks.w (k, z, a) VALUES (1, 2, 3)"
    assert.same({ "[applied]", "k", "a", "z" }, conn:query("INSERT INTO ks.w (k) VALUES (1) IF NOT EXISTS").columns)
  end)

  it("knows which operations reached which node", function()
    local conn = make()
    conn:query "INSERT INTO ks.t (k, v) VALUES (1, 'op-17')"
    world:connect(2):query("INSERT INTO ks.t (k, v) VALUES (1, ?)", { values = { "x op-17 y" } })
    conn:query "INSERT INTO ks.t (k, v) VALUES (1, 'op-171')"
    conn:query "INSERT INTO ks.nope (k, v) VALUES (1, 'op-17')"
    assert.same({ 3, 2 }, { world:received "op-17" })
    assert.same({ 1, 1 }, { world:received("op-17", 2) })
    assert.same({ 1, 1 }, { world:received "op-171" })
    assert.equal(0, (world:received "op-1"))
  end)

  it("moves the data when the ring changes", function()
    local conn = make({ vnodes = 8 }, "{'class': 'SimpleStrategy', 'replication_factor': 1}")
    for k = 1, 60 do conn:query("INSERT INTO ks.t (k, v) VALUES (" .. k .. ", 'x')") end
    local ffi, C = require "ffi", require "spec.support.c"
    local number = ffi.new "uint16_t[1]"
    assert(C.mp_sim_add_node(world.cluster, 1, 1, nil, number) == 0)
    local fourth = world:connect(number[0] + 1)
    assert.equal(60, fourth:query("SELECT count(*) FROM ks.t").rows[1].count)
    assert.equal(3, #fourth:query("SELECT * FROM system.peers_v2").rows)
    assert(C.mp_sim_remove_node(world.cluster, 0) == 0)
    assert.equal(60, fourth:query("SELECT count(*) FROM ks.t").rows[1].count)
    assert.equal(2, #fourth:query("SELECT * FROM system.peers").rows)
  end)
end)
