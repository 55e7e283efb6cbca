-- SPDX-License-Identifier: Apache-2.0
-- Pools whose connections are compressed: a cluster that answers as Cassandra does, and one that lies.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local modes = { { 3, "lz4" }, { 3, "snappy" }, { 4, "lz4" }, { 4, "snappy" }, { 5, "lz4" } }

local function bytes(world)
  local sum = 0
  for node = 1, world.nodes do sum = sum + world.cluster:node(node).bytesIn + world.cluster:node(node).bytesOut end
  return sum
end

-- Writes and reads a long text; the bytes on the wire.
local function traffic(world, pool)
  local before, text = bytes(world), ("moonpool "):rep(3000)
  local insert = assert(pool:prepare "INSERT INTO ks.rows (k, v) VALUES (?, ?)")
  local select = assert(pool:prepare "SELECT v FROM ks.rows WHERE k = ?")
  for i = 1, 20 do
    assert(pool:execute(insert, { "long " .. i, text }, { consistency = "QUORUM" }))
    assert(assert(pool:execute(select, { "long " .. i }, { consistency = "QUORUM" })):first().v == text)
  end
  return bytes(world) - before
end

describe("compression:", function()
  for _, mode in ipairs(modes) do
    local version, kind = mode[1], mode[2]
    local name = kind .. " on v" .. version

    it("fewer bytes for the same rows, " .. name, function(world)
      local plain = world:pool { protocolVersion = version }
      workload.new(world, plain) -- its tables
      local whole = traffic(world, plain)
      plain:close()
      local pool = world:pool { protocolVersion = version, compression = kind }
      assert.is_true(traffic(world, pool) < whole / 10)
    end)

    it("T1 T10 connections that are cut end each request once, by the gate, " .. name, function(world)
      local pool = world:pool { protocolVersion = version, compression = kind }
      local load = workload.under_cuts(world, pool, 10)
      assert.equal(0, load:failures "read" + load:failures "write")
    end)

    for _, rule in ipairs { { cut = 11 }, { corrupt = 6 }, { corrupt = 14 }, { duplicate = true } } do
      local what = next(rule)
      it("P1 P13 P14 an answer that is spoiled costs its connection, nothing else: "
        .. what .. " " .. tostring(rule[what]) .. ", " .. name, function(world)
        local pool = world:pool { protocolVersion = version, compression = kind,
          pooling = { coreConnectionsPerHost = { ["0"] = 2 } } }
        local load = workload.new(world, pool)
        for node = 1, 3 do
          world.cluster:rule { node = node, opcode = "EXECUTE", times = 1, skip = node * 40, [what] = rule[what] }
        end
        load:run(500, 12, function() moonpool.sleep(world.random(12)) end)
        world:healed(pool)
        load:check()
        assert.equal(0, load:failures "read" + load:failures "write")
      end)
    end
  end

  for _, kind in ipairs { "lz4", "snappy" } do
    -- 250 MB announced in a few bytes; and less than was announced.
    local size = kind == "lz4" and "\14\230\178\128" or "\128\229\154\119"
    for _, body in ipairs { size .. "\240\255\255", size, "", "\255\255\255\255", "\0\0\0\9\16a" } do
      it("P13 a bomb is refused, and costs its connection: " .. kind .. " " .. #body, function(world)
        local pool = world:pool { protocolVersion = 4, compression = kind,
          pooling = { coreConnectionsPerHost = { ["0"] = 2 } } }
        local told = world:listen(pool, "connectionLost")
        local load = workload.new(world, pool)
        local raw = "\132\1\0\0\8\0\0\0" .. string.char(#body) .. body
        for node = 1, 3 do
          world.cluster:rule { node = node, opcode = "EXECUTE", times = 1, skip = node * 20, raw = raw }
        end
        load:run(300, 12, function() moonpool.sleep(world.random(12)) end)
        world:healed(pool)
        load:check()
        assert.is_true(#told.connectionLost > 0)
        assert.equal(0, load:failures "read" + load:failures "write")
      end)
    end
  end

  it("P13 a compressed body that nobody agreed on closes that connection", function(world)
    local pool = world:pool { protocolVersion = 4, pooling = { coreConnectionsPerHost = { ["0"] = 2 } } }
    local told = world:listen(pool, "connectionLost")
    local load = workload.new(world, pool)
    world.cluster:rule { node = 1, opcode = "EXECUTE", times = 1, skip = 10, raw = "\132\1\0\0\8\0\0\0\5\0\0\0\0\0" }
    load:run(200, 12, function() moonpool.sleep(world.random(12)) end)
    world:healed(pool)
    load:check()
    assert.is_true(#told.connectionLost > 0)
  end)

  it("a mixed cluster: nodes that lack it are used without", { nodes = 3 }, function(world)
    world.cluster:setMaxVersion(2, 4)
    local pool = world:pool { compression = "snappy" }
    workload.new(world, pool):run(200, 8):none_failed():check()
  end)
end)
