-- SPDX-License-Identifier: Apache-2.0
-- What only the simulated loop can show: virtual time, one seed, and the weather of its network.
local ffi = require "ffi"
local C = require "spec.support.c"
local loops = require "spec.support.loops"

local node = loops.addr("10.0.0.1", 9042)
local other = loops.addr("10.0.0.2", 9042)
local S = 1000000000ULL
local MS = 1000000ULL

local now, run_for, run_until = loops.now, loops.run_for, loops.run_until
local echo, numbered = loops.echo, loops.numbered

describe("the simulated loop", function()
  local loop
  local opened

  local function open(seed)
    local made = loops.sim(seed)
    opened[#opened + 1] = made
    return made
  end

  before_each(function()
    opened = {}
    loop = open(42)
  end)
  after_each(function()
    for _, each in ipairs(opened) do
      if each.handle then each:close() end
    end
  end)

  local function pair(on_client, on_server, options)
    local listener = assert(loop:listen(node, function() return on_server end))
    local client = assert(loop:connect(node, on_client, options))
    loop:until_true(function() return client.connected and listener.accepted[1] end)
    listener.close()
    return client, listener.accepted[1]
  end

  local function close(...)
    for _, sock in ipairs { ... } do
      if not sock.closed then sock:close() end
    end
  end

  describe("time", function()
    it("stands still in a turn and jumps to the next event", function()
      local fired_at
      local start = now(loop)
      loop:start(loop:timer(function() fired_at = now(loop) end), 3600 * 1000)
      loop:run()
      assert.is_true(fired_at == start + 3600ULL * S)
    end)

    it("runs to an exact time and no further", function()
      local fired = {}
      local start = now(loop)
      for _, ms in ipairs { 10, 20, 30 } do
        loop:start(loop:timer(function() fired[#fired + 1] = ms end), ms)
      end
      run_until(loop, start + 20ULL * MS)
      assert.same({ 10, 20 }, fired)
      assert.is_true(now(loop) == start + 20ULL * MS)
      run_for(loop, 5ULL * MS)
      assert.is_true(now(loop) == start + 25ULL * MS)
      run_for(loop, 5ULL * MS)
      assert.same({ 10, 20, 30 }, fired)
    end)

    it("ends a run when nothing can happen, though sockets are open", function()
      local listener = assert(loop:listen(node))
      loop:run()
      listener.close()
    end)

    it("may begin just before every overflow", function()
      for _, start in ipairs { 4294967296ULL * MS - 5ULL * S, 9223372036854775808ULL - 5ULL * S,
        9223372036854775808ULL } do
        local world = open(1)
        C.mp_loop_sim_set_now(world.handle, start)
        local fired = {}
        for i = 1, 10 do
          world:start(world:timer(function() fired[#fired + 1] = tonumber((now(world) - start) / S) end), i * 1000)
        end
        local listener = assert(world:listen(node, echo))
        local client = assert(world:connect(node, { connect = function(sock) sock:send "ping" end }))
        run_for(world, 20ULL * S)
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, fired)
        assert.equal("ping", client:text())
        listener.close()
        close(client, listener.accepted[1])
      end
    end)

    it("of the wall may go back while the loop's goes on", function()
      local wall = C.mp_loop_wall_us(loop.handle)
      run_for(loop, 2ULL * S)
      assert.is_true(C.mp_loop_wall_us(loop.handle) == wall + 2000000ULL)
      local before = now(loop)
      C.mp_loop_sim_set_wall(loop.handle, wall - 3600000000ULL)
      assert.is_true(C.mp_loop_wall_us(loop.handle) == wall - 3600000000ULL)
      run_for(loop, 1ULL * S)
      assert.is_true(C.mp_loop_wall_us(loop.handle) == wall - 3599000000ULL)
      assert.is_true(now(loop) == before + 1ULL * S)
    end)

    it("that jumps reads what came meanwhile before any timer fires", function()
      for seed = 1, 50 do
        loop = open(seed)
        local heard = {}
        local client, server = pair({ read = function(sock)
          if sock.received == 30000 then heard[#heard + 1] = "all read" end
        end })
        server:send(numbered(30000))
        loop:start(loop:timer(function() heard[#heard + 1] = "deadline" end), 2000)
        if server.sent then
          C.mp_loop_sim_jump(loop.handle, 60ULL * S)
          loop:until_true(function() return #heard == 2 end)
          assert.same({ "all read", "deadline" }, heard)
        end
        loop:run()
        close(client, server)
      end
    end)
  end)

  -- A busy little world; what happened, as its trace.
  local function story(seed)
    local world = open(seed)
    local trace = ffi.new "struct mp_buf"
    C.mp_buf_init(trace)
    C.mp_loop_sim_trace(world.handle, trace)
    local random = C.mp_loop_rand(world.handle)
    local listener = assert(world:listen(node, echo))
    local clients = {}
    for i = 1, 5 do
      local rounds = 0
      clients[i] = assert(world:connect(node, {
        connect = function(sock) sock:send(numbered(100 * i)) end,
        read = function(sock)
          rounds = rounds + 1
          if rounds < 20 then sock:send(numbered(1 + C.mp_rand_below(random, 2000))) end
        end,
      }))
    end
    run_for(world, 50ULL * MS)
    C.mp_loop_sim_cut(world.handle, node)
    world:run()
    listener.close()
    close(unpack(clients))
    close(unpack(listener.accepted))
    local text = ffi.string(trace.data, trace.len)
    C.mp_loop_sim_trace(world.handle, nil)
    C.mp_buf_deinit(trace)
    return text
  end

  describe("a seed", function()
    it("gives the same events, byte for byte", function()
      local first = story(7)
      assert.is_true(#first > 5000)
      for _ = 1, 3 do assert.is_true(story(7) == first) end
    end)

    it("other than that gives other events", function()
      local seen = {}
      for seed = 1, 20 do
        local text = story(seed)
        assert.is_nil(seen[text])
        seen[text] = true
      end
    end)

    it("of the network is not moved by what the program draws", function()
      local function arrival(draws)
        loop = open(9)
        for _ = 1, draws do C.mp_rand_u64(C.mp_loop_rand(loop.handle)) end
        local client, server = pair()
        local at = now(loop)
        close(client, server)
        return at
      end
      assert.is_true(arrival(0) == arrival(100))
    end)

    it("never changes what a stream says, whatever the pieces", function()
      local pieces = {}
      for seed = 1, 100 do
        loop = open(seed)
        local text = numbered(20000)
        local client, server = pair()
        client:send(text)
        loop:until_true(function() return server.received == #text end)
        assert.is_true(server:text() == text)
        pieces[server.reads] = true
        close(client, server)
      end
      local kinds = 0
      for _ in pairs(pieces) do kinds = kinds + 1 end
      assert.is_true(kinds > 3)
    end)
  end)

  describe("the network", function()
    it("takes its latency each way", function()
      assert.equal(0, C.mp_loop_sim_latency(loop.handle, nil, 10ULL * MS, 0))
      local connected_at, answered_at
      local start = now(loop)
      local listener = assert(loop:listen(node, echo))
      local client = assert(loop:connect(node, {
        connect = function(sock)
          connected_at = now(loop)
          sock:send "x"
        end,
        read = function() answered_at = now(loop) end,
      }))
      loop:until_true(function() return answered_at end)
      local connecting = tonumber(connected_at - start) / 1e6
      local answering = tonumber(answered_at - connected_at) / 1e6
      assert.is_true(connecting >= 20 and connecting < 21)
      assert.is_true(answering >= 20 and answering < 21)
      listener.close()
      close(client, listener.accepted[1])
    end)

    it("is slower where one address is slow, and keeps the order through jitter", function()
      assert.equal(0, C.mp_loop_sim_latency(loop.handle, node, 1ULL * MS, 100ULL * MS))
      assert.equal(0, C.mp_loop_sim_latency(loop.handle, other, 500ULL * MS, 0))
      local near_listener, far_listener = assert(loop:listen(node)), assert(loop:listen(other))
      local first
      local far = assert(loop:connect(other, { connect = function() first = first or "far" end }))
      local near = assert(loop:connect(node, { connect = function(sock)
        first = first or "near"
        for i = 1, 50 do
          if sock:write(string.format("%02d", i)) ~= 2 then break end
        end
      end }))
      loop:until_true(function() return far.connected end)
      run_for(loop, 1ULL * S)
      assert.equal("near", first)
      local server = near_listener.accepted[1]
      for i = 1, server.received / 2 do
        assert.equal(string.format("%02d", i), server:text():sub(2 * i - 1, 2 * i))
      end
      near_listener.close()
      far_listener.close()
      close(near, far, server, far_listener.accepted[1])
    end)

    it("has buffers of the size it is given", function()
      C.mp_loop_sim_set_buffer(loop.handle, 1000)
      local client, server = pair()
      server:stop()
      local taken = 0
      for _ = 1, 100 do
        taken = taken + client:write(("x"):rep(300))
        run_for(loop, 1ULL * MS)
      end
      assert.equal(1000, taken)
      server:start()
      run_for(loop, 10ULL * MS)
      assert.equal(1000, server.received)
      assert.is_true(client.writables > 0)
      close(client, server)
    end)

    it("gives one byte at a time when it is told to", function()
      C.mp_loop_sim_set_chunk(loop.handle, 1)
      local client, server = pair()
      client:send(numbered(2000))
      loop:until_true(function() return server.received == 2000 end)
      assert.equal(2000, server.reads)
      assert.equal(numbered(2000), server:text())
      close(client, server)
    end)
  end)

  it("a connection may be closed by either side at each of its callbacks", function()
    -- How many callbacks the whole story has, then the same story with a close at each of them.
    local function tell(world, close_at, victim)
      local calls = 0
      local client, server
      local function step(sock)
        assert(not sock.closed)
        calls = calls + 1
        if calls ~= close_at then return true end
        local target = victim == "client" and client or server
        if target and not target.closed then target:close(close_at % 2 == 0) end
        return not sock.closed
      end
      local listener
      listener = assert(world:listen(node, function(sock)
        server = sock
        if not step(sock) then return end
        return {
          read = function(self, text) if step(self) then self:send(text) end end,
          ["end"] = function(self) if step(self) then self:close() end end,
        }
      end))
      client = assert(world:connect(node, {
        connect = function(sock) if step(sock) then sock:send(numbered(3000)) end end,
        read = function(sock)
          if step(sock) and sock.received == 3000 then sock:shutdown() end
        end,
        ["end"] = function(sock) if step(sock) then sock:close() end end,
      }))
      run_for(world, 10ULL * S)
      listener.close()
      close(client)
      if server then close(server) end
      run_for(world, 1ULL * S)
      local census = world:census()
      assert.equal(0, census.sockets + census.listeners + census.timers + census.tasks)
      return calls
    end
    for seed = 1, 10 do
      local total = tell(open(seed), 0)
      assert.is_true(total > 4)
      for at = 1, total do
        for _, victim in ipairs { "client", "server" } do tell(open(seed), at, victim) end
      end
    end
  end)

  it("a census counts everything that is open", function()
    local out = ffi.new "struct mp_loop_census"
    local client, server = pair()
    local listener = assert(loop:listen(other))
    local watch = assert(loop:watch "x")
    local lookup = assert(loop:resolve("localhost", 1))
    loop:start(loop:timer(function() end), 1)
    loop:post(loop:task(function() end))
    C.mp_loop_sim_census(loop.handle, out)
    assert.same({ 2, 1, 1, 1, 1, 1 }, {
      tonumber(out.sockets), tonumber(out.listeners), tonumber(out.timers), tonumber(out.tasks),
      tonumber(out.resolves), tonumber(out.watches),
    })
    close(client, server)
    listener.close()
    watch.close()
    lookup.close()
    loop:run()
    C.mp_loop_sim_census(loop.handle, out)
    assert.equal(0, tonumber(out.sockets + out.listeners + out.timers + out.tasks + out.resolves + out.watches))
  end)

  it("survives any allocation that fails, and leaks nothing", function()
    for nth = 1, 60 do
      local world = open(nth)
      C.mp_mem_fail_at(nth, false)
      local listener = world:listen(node, echo)
      local client = world:connect(node, { connect = function(sock, rc)
        if rc == 0 then sock:send(numbered(500)) end
      end })
      local lookup = world:resolve("localhost", 1)
      local watch = world:watch "file"
      run_for(world, 5ULL * S)
      C.mp_mem_fail_at(0, false)
      if client then close(client) end
      if listener then
        listener.close()
        close(unpack(listener.accepted))
      end
      if lookup and lookup.calls == 0 then lookup.close() end
      if watch then watch.close() end
      world:close()
    end
  end)
end)
