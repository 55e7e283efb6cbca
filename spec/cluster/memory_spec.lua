-- SPDX-License-Identifier: Apache-2.0
-- What a host, a connection and a statement hold of the runtime's memory, by its own counter: the difference between
-- few and many of them, so that what a session takes once does not count.
local C = require "spec.support.c"
local loops = require "spec.support.loops"
local session_world = require "spec.support.session_world"

local function held()
  collectgarbage()
  collectgarbage()
  return tonumber(C.mp_mem_stats().bytes)
end

-- Both ends of a connection of the simulated network that has carried something, which are there whatever stands on
-- them.
local function ends_of_a_connection()
  local loop = loops.sim()
  local addr = loops.addr("127.0.0.1", 9042)
  local listener, clients, before = assert(loop:listen(addr)), {}, nil
  for i = 1, 20 do
    if i == 5 then before = held() end
    clients[i] = assert(loop:connect(addr))
    loop:until_true(function() return clients[i].connected and listener.accepted[i] end)
    local server = listener.accepted[i]
    clients[i]:send(("?"):rep(100))
    server:send(("!"):rep(100))
    loop:until_true(function() return clients[i].received == 100 and server.received == 100 end)
  end
  local bytes = (held() - before) / 16
  for i = 1, 20 do
    clients[i]:close()
    listener.accepted[i]:close()
  end
  listener.close()
  loop:close()
  return bytes
end

describe("the memory of", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function session_of(nodes, connections, version)
    local list = {}
    for i = 1, nodes do list[i] = {} end
    local before = held()
    world = session_world.connected { nodes = list, config = { keyspace = "ks", protocol_version = version,
      local_limits = { core = connections, max = connections } } }
    world:pass(1500)
    assert.equal(nodes * connections, world:stats().connections_total)
    local bytes = held() - before
    world:close()
    world = nil
    return bytes
  end

  for _, version in ipairs { 4, 5 } do
    it("an idle connection on v" .. version, function()
      local bytes = (session_of(2, 9, version) - session_of(2, 1, version)) / 16 - ends_of_a_connection()
      assert.is_true(bytes > 1000 and bytes <= 3000, bytes .. " bytes")
    end)

    it("a host with one connection on v" .. version, function()
      local bytes = (session_of(10, 1, version) - session_of(2, 1, version)) / 8 - ends_of_a_connection()
      assert.is_true(bytes > 3000 and bytes <= 10000, bytes .. " bytes")
    end)
  end

  -- One with so many columns in its result.
  local function statement_of(columns, version)
    world = session_world.connected { nodes = { {} }, config = { keyspace = "ks", protocol_version = version,
      prepared_max = 2000 } }
    local shape = { params = { { "key", "bigint" } }, pk_indexes = { 0 }, result = {}, id = ("i"):rep(16),
      metadata_id = ("m"):rep(16) }
    for i = 1, columns do shape.result[i] = { ("value%03d"):format(i), "text" } end
    setmetatable(world.shapes, { __index = function() return shape end })
    local before
    for i = 1, 120 do
      if i == 21 then before = held() end
      assert(world:prepare(("SELECT value FROM bench.kv WHERE key = ? /* %03d */"):format(i)))
    end
    local bytes = (held() - before) / 100
    world:close()
    world = nil
    return bytes
  end

  for _, version in ipairs { 4, 5 } do
    it("a prepared statement on v" .. version, function()
      local bytes = statement_of(1, version)
      assert.is_true(bytes > 300 and bytes <= 1000, bytes .. " bytes")
    end)
  end

  it("a prepared statement, in proportion to its columns", function()
    local few, many = statement_of(10), statement_of(100)
    assert.is_true((many - few) / 90 <= 90, ("%g and %g bytes"):format(few, many))
  end)
end)
