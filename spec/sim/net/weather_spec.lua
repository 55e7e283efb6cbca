-- SPDX-License-Identifier: Apache-2.0
-- The weather of the simulated network: black holes, partitions, stalls, cuts, failures of this machine.
local ffi = require "ffi"
local C = require "spec.support.c"
local loops = require "spec.support.loops"

local node = loops.addr("10.0.0.1", 9042)
local node_host = loops.addr("10.0.0.1", 0)
local other = loops.addr("10.0.0.2", 9042)
local S = 1000000000ULL

local now, run_for = loops.now, loops.run_for
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

  describe("a black hole", function()
    it("swallows attempts, which succeed some time after it ends", function()
      local listener = assert(loop:listen(node))
      assert.equal(0, C.mp_loop_sim_blackhole(loop.handle, node_host, true))
      local client = assert(loop:connect(node))
      run_for(loop, 10ULL * S)
      assert.equal(0, client.connects)
      assert.equal(0, C.mp_loop_sim_blackhole(loop.handle, node_host, false))
      run_for(loop, 10ULL * S)
      assert.equal(0, client.connected)
      assert.equal(1, #listener.accepted)
      listener.close()
      close(client, listener.accepted[1])
    end)

    it("makes an attempt fail after two minutes", function()
      local listener = assert(loop:listen(node))
      C.mp_loop_sim_blackhole(loop.handle, node, true)
      local start = now(loop)
      local failed_at
      local client = assert(loop:connect(node, { connect = function() failed_at = now(loop) end }))
      loop:run()
      assert.equal(C.MP_ECONNECT, client.connected)
      assert.equal(127, tonumber((failed_at - start) / S))
      close(client)
      listener.close()
    end)

    it("holds data and ends back until it is over", function()
      local client, server = pair()
      C.mp_loop_sim_blackhole(loop.handle, node, true)
      client:send "question"
      server:send "answer"
      loop:until_true(function() return client.sent and server.sent end)
      server:close()
      run_for(loop, 600ULL * S)
      assert.equal(0, client.received + client.ends + server.received)
      C.mp_loop_sim_blackhole(loop.handle, node, false)
      run_for(loop, 2ULL * S)
      assert.equal("answer", client:text())
      assert.is_true(client.ended == C.MP_EEOF or client.ended == C.MP_ELOST)
      close(client)
    end)

    it("leaves other addresses alone", function()
      C.mp_loop_sim_blackhole(loop.handle, other, true)
      local client, server = pair()
      client:send "hello"
      loop:until_true(function() return server.received == 5 end)
      close(client, server)
    end)

    it("is noticed by a socket with a user timeout", function()
      local options = ffi.new "struct mp_sock_options"
      options.user_timeout_ms = 3000
      local client, server = pair({}, {}, options)
      run_for(loop, 10ULL * S)
      assert.equal(0, client.ends)
      C.mp_loop_sim_blackhole(loop.handle, node, true)
      client:send "anybody?"
      local start = now(loop)
      loop:until_true(function() return client.ended end, 10000)
      assert.equal(C.MP_ELOST, client.ended)
      assert.is_true(now(loop) - start >= 3ULL * S and now(loop) - start < 4ULL * S)
      assert.equal(C.MP_ELOST, client:write "x")
      -- The other end hears nothing: its own words are answered by a reset when the way is free.
      C.mp_loop_sim_blackhole(loop.handle, node, false)
      client:close()
      run_for(loop, 10ULL * S)
      assert.equal(0, server.received + server.ends)
      server:send "still there?"
      run_for(loop, 1ULL * S)
      assert.equal(C.MP_ELOST, server.ended)
      close(server)
    end)

    -- For how long the server's end has what the client's gave up on, in seconds.
    local function half_open(before, after)
      local options = ffi.new "struct mp_sock_options"
      options.user_timeout_ms = 3000
      local client, server = pair({}, {}, options)
      C.mp_loop_sim_blackhole(loop.handle, node, true)
      client:send "anybody?"
      if before then before(client, server) end
      loop:until_true(function() return client.ended end, 10000)
      local start = now(loop)
      client:close()
      C.mp_loop_sim_blackhole(loop.handle, node, false)
      if after then after(client, server) end
      loop:until_true(function() return server.ended end, 100000)
      assert.equal(C.MP_ELOST, server.ended)
      assert.equal(0, server.received)
      close(server)
      return tonumber(now(loop) - start) / 1e9
    end

    it("is noticed by a silent server of a socket that gave up, by keep-alive", function()
      local took = half_open()
      assert.is_true(took > 59 and took < 61, took)
      took = half_open(nil, function() -- also when faults come and go meanwhile
        for _ = 1, 5 do
          C.mp_loop_sim_blackhole(loop.handle, node, true)
          run_for(loop, 4ULL * S)
          C.mp_loop_sim_blackhole(loop.handle, node, false)
          run_for(loop, 4ULL * S)
        end
      end)
      assert.is_true(took > 59 and took < 61, took)
    end)

    it("leaves no keep-alive behind for a server that learns it otherwise", function()
      assert.is_true(half_open(nil, function(_, server) server:send "still there?" end) < 1)
      assert.is_true(half_open(nil, function() C.mp_loop_sim_cut(loop.handle, node) end) < 1)
    end)

    it("of a socket that is closed in time ends both by what was held back", function()
      local client, server = pair()
      C.mp_loop_sim_blackhole(loop.handle, node, true)
      client:close()
      run_for(loop, 90ULL * S)
      assert.equal(0, server.ends)
      C.mp_loop_sim_blackhole(loop.handle, node, false)
      run_for(loop, 1ULL * S)
      assert.equal(C.MP_EEOF, server.ended)
      close(server)
    end)
  end)

  it("a partition lets questions through and no answers", function()
    local client, server = pair({}, echo())
    C.mp_loop_sim_partition(loop.handle, node, true)
    client:send "question"
    run_for(loop, 30ULL * S)
    assert.equal("question", server:text())
    assert.equal(0, client.received)
    C.mp_loop_sim_partition(loop.handle, node, false)
    run_for(loop, 1ULL * S)
    assert.equal("question", client:text())
    close(client, server)
  end)

  it("a stalled address takes what fits and reads nothing", function()
    C.mp_loop_sim_set_buffer(loop.handle, 5000)
    local client, server = pair()
    C.mp_loop_sim_stall(loop.handle, node, true)
    client:send(numbered(20000))
    run_for(loop, 60ULL * S)
    assert.equal(0, server.received)
    assert.is_nil(client.sent)
    assert.equal(0, client.ends)
    C.mp_loop_sim_stall(loop.handle, node, false)
    run_for(loop, 1ULL * S)
    assert.equal(numbered(20000), server:text())
    close(client, server)
  end)

  it("a cut is a loss at both ends, and what came before is a beginning of what was sent", function()
    local lost_some, lost_none, torn = false, false, false
    for seed = 1, 60 do
      loop = open(seed)
      local client, server = pair()
      local text = numbered(5000)
      local took = client:write(text)
      assert.equal(1, tonumber(C.mp_loop_sim_cut(loop.handle, node)))
      assert.equal(0, tonumber(C.mp_loop_sim_cut(loop.handle, other)))
      run_for(loop, 1ULL * S)
      assert.equal(C.MP_ELOST, client.ended)
      assert.equal(C.MP_ELOST, server.ended)
      assert.equal(text:sub(1, server.received), server:text())
      if server.received < took then lost_some = true else lost_none = true end
      torn = torn or (server.received > 0 and server.received < took)
      close(client, server)
    end
    assert.is_true(lost_some and lost_none and torn)
  end)

  it("a local failure is told at once or later, and names this machine", function()
    local at_once, later = 0, 0
    C.mp_loop_sim_fail_local(loop.handle, node_host, true)
    local listener = assert(loop:listen(node))
    for _ = 1, 40 do
      local client, err = loop:connect(node)
      if client then
        loop:until_true(function() return client.connected end)
        assert.equal(C.MP_ELOCAL, client.connected)
        later = later + 1
        close(client)
      else
        assert.equal(C.MP_ELOCAL, err)
        at_once = at_once + 1
      end
    end
    assert.is_true(at_once > 5 and later > 5)
    C.mp_loop_sim_fail_local(loop.handle, node_host, false)
    local client = assert(loop:connect(node))
    loop:until_true(function() return client.connected and listener.accepted[1] end)
    assert.equal(0, client.connected)
    listener.close()
    close(client, listener.accepted[1])
  end)
end)
