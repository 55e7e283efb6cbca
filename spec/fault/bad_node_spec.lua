-- SPDX-License-Identifier: Apache-2.0
-- A node that sends garbage, a web page, a frame that is cut or too large, an answer nobody asked for, or nothing at
-- all: that connection closes with a reason, its requests end by the gate, and the process goes on. In virtual time and
-- on real sockets, while shaking hands and in the middle of traffic.
local moonpool = require "moonpool"
local sim = require "moonpool.sim"
local loops = require "spec.support.loops"
local ports = require "spec.support.ports"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local inside = support.inside(it)

local PORT = ports.at(60)

local function random_bytes(count)
  local random, bytes = support.random(7), {}
  for i = 1, count do bytes[i] = string.char(random(256)) end
  return table.concat(bytes)
end

-- What is sent, and what the reason has to say: to a handshake, and in the middle of traffic (v4).
local bad = {
  { name = "garbage", bytes = random_bytes(600), says = "" },
  { name = "zeros", bytes = ("\0"):rep(64), says = "" },
  { name = "a web page", bytes = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", says = "HTTP" },
  { name = "a mail server's words", bytes = "220 mail.example.com ESMTP\r\n", says = "" },
  { name = "a TLS alert", bytes = "\21\3\1\0\2\2\10", says = "" },
  { name = "a truncated frame", bytes = "\132\0\0\0\8\0\0\1\0only this", ends = true, says = "" },
  { name = "half of a header", bytes = "\132\0\0", ends = true, says = "" },
  { name = "an oversized frame", bytes = "\132\0\0\0\8\127\255\255\255", says = "" },
  { name = "a negative length", bytes = "\132\0\0\0\8\255\255\255\255", says = "" },
  { name = "an unknown stream id", bytes = "\132\0\7\208\8\0\0\0\4\0\0\0\1", says = "" },
  { name = "an unknown opcode", bytes = "\132\0\0\0\119\0\0\0\0", says = "" },
  { name = "the end of the connection", bytes = "", ends = true, says = "connection" },
}
local silence = { name = "nothing at all", bytes = "", says = "" }

local function reason_of(event)
  return type(event[2]) == "table" and event[2].reason or event[2]
end

-- ---- in virtual time --------------------------------------------------------------------------------------

local function spoil(case, rule)
  if case.bytes ~= "" then rule.raw = case.bytes
  elseif case.ends then rule.close = true
  else rule.swallow = true end
  return rule
end

describe("in virtual time", function()
  for _, case in ipairs(bad) do
    inside(case.name .. " in the middle of traffic closes that connection with a reason", function(world)
      local pool = world:pool { protocolVersion = 4, pooling = { coreConnectionsPerHost = { ["0"] = 2 } } }
      local told = world:listen(pool, "connectionLost")
      local load = workload.new(world, pool, { mix = { read = 40, write = 30, append = 30 } })
      local rule = world.cluster:rule(spoil(case, { node = 2, opcode = "EXECUTE", times = 1, skip = 10 }))
      local finish = case.ends and case.bytes ~= "" and world:spawn(function()
        world:eventually("the rule has acted", function() return rule:hits() > 0 end)
        world.cluster:drain(2)
        moonpool.sleep(100)
        world.cluster:start(2)
        return true
      end)
      load:run(400, 12, function() moonpool.sleep(3) end)
      if finish then finish:wait() end
      assert.is_true(#told.connectionLost >= 1, "the connection was kept")
      for _, event in ipairs(told.connectionLost) do
        assert.equal(world:host(2), event[1])
        assert.is_true(#reason_of(event) > 5 and reason_of(event):find(case.says, 1, true) ~= nil, reason_of(event))
      end
      world:healed(pool)
      load:check()
      assert.equal(0, load:failures "read" + load:failures "write")
    end)
  end

  for _, case in ipairs { silence, unpack(bad) } do
    for _, opcode in ipairs { "OPTIONS", "STARTUP" } do
      inside(case.name .. " instead of an answer to " .. opcode .. " is an error that says so", function(world)
        world.cluster:rule(spoil(case, { node = 1, opcode = opcode }))
        local began = moonpool.now()
        local lone = world:newPool { protocolVersion = 4, contactPoints = { "127.0.0.1" } }
        local ok, err = lone:connect()
        assert.is_nil(ok)
        assert.is_true(moonpool.now() - began <= 2200)
        assert.equal(1, #err.attempts)
        assert.is_true(#err.attempts[1].error > 5 and tostring(err):find(case.says, 1, true) ~= nil, tostring(err))
        local pool = world:pool { contactPoints = { "127.0.0.1", "127.0.0.2" } }
        for _ = 1, 10 do assert(pool:execute "SELECT key FROM system.local") end
        assert.equal("down", (world:status(pool, 1)))
        world:healed(pool, 20000)
      end)
    end
  end
end)

-- ---- on real sockets --------------------------------------------------------------------------------------

-- Serves the bad node's bytes on a loop of its own, which a coroutine turns, while `body` runs.
local function with_bad_node(case, address, body)
  local loop = loops.uv(1)
  local turning, accepted = true, 0
  local listener = assert(loop:listen(loops.addr(address, PORT), function(sock)
    accepted = accepted + 1
    local said
    return {
      read = function()
        if said then return end
        said = true
        if case.bytes ~= "" then sock:send(case.bytes) end
        if case.ends then sock:close() end
      end,
      ["end"] = function() if not sock.closed then sock:close() end end,
    }
  end))
  local pump = moonpool.spawn(function()
    while turning do
      loop:turn(0)
      moonpool.sleep(1)
    end
    return true
  end)
  local ok, err = pcall(body, function() return accepted end)
  turning = false
  pump:wait()
  for _, sock in ipairs(listener.accepted) do if not sock.closed then sock:close() end end
  listener.close()
  loop:close()
  if not ok then error(err, 0) end
end

-- `ms` for a handshake and an attempt: short for one that fails, long for one that must not on a busy machine.
local function real_pool(points, ms)
  return moonpool.ConnectionPool {
    contactPoints = points, port = PORT, localDataCenter = "datacenter1", keyspace = "ks", logging = { level = "off" },
    requestTimeout = 30000, attemptTimeout = ms,
    pooling = { connectionTimeout = ms, reconnectBaseDelay = 20, reconnectMaxDelay = 100 },
  }
end

describe("on real sockets", function()
  for _, case in ipairs { silence, unpack(bad) } do
    it(case.name .. " from one node hurts nobody", function()
      moonpool.run(function()
        local cluster = sim.cluster { nodes = 3, rf = 3, firstAddress = "127.0.0.21", port = PORT }
        cluster:schema "CREATE TABLE ks.rows (k int PRIMARY KEY, v text)"
        cluster:kill(3)
        with_bad_node(case, "127.0.0.23", function(accepted)
          local lone = real_pool({ "127.0.0.23" }, 400)
          local ok, err = lone:connect()
          assert.is_nil(ok)
          assert.is_true(#err.attempts[1].error > 5 and tostring(err):find(case.says, 1, true) ~= nil, tostring(err))
          lone:close()

          local pool = real_pool({ "127.0.0.21", "127.0.0.23" }, 10000)
          assert(pool:connect())
          for i = 1, 100 do
            assert(pool:execute("INSERT INTO rows (k, v) VALUES (?, ?)", { i, "v" .. i }, { isIdempotent = true }))
            assert.equal("v" .. i, assert(pool:execute("SELECT v FROM rows WHERE k = ?", { i })):first().v)
          end
          assert.is_true(accepted() >= 2)
          assert.equal(0, pool:getStats().requestsInFlight)
          pool:close()
        end)
        cluster:close()
      end)
    end)
  end
end)
