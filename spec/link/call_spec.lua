-- SPDX-License-Identifier: Apache-2.0
-- Requests and answers on one connection: which answer belongs to which request, and what a request is told when no
-- answer comes.
local C = require "spec.support.c"
local ffi = require "ffi"
local link_world = require "spec.support.link_world"
local clients = require "spec.support.client"

local function reason(name) return tonumber(C["MP_CLOSE_" .. name]) end
local NOTHING, PART, WHOLE = 0, 1, 2

describe("a call", function()
  local world

  local function open(options)
    world = link_world.open(options)
    return world:ready(options)
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function until_requests(node, count)
    world:until_true(function() return #node.requests >= count end)
  end

  for version = 4, 5 do
    describe("on version " .. version, function()
      local settings = { version = version }

      it("gets its own answer, in whatever order answers come", function()
        local link, node = open { settings = settings }
        local calls = {}
        for i = 1, 100 do calls[i] = assert(link:call("nonce " .. i)) end
        until_requests(node, 100)
        for i = 100, 1, -1 do node:echo(node.requests[(i * 37) % 100 + 1]) end
        world:until_true(function() return calls[1].rc and world.client:waiting() == 0 end)
        for i = 1, 100 do assert.equal("nonce " .. i, calls[i].text) end
        assert.equal(0, link:in_flight())
      end)

      it("is sent with all others of its turn in one write", function()
        local link, node = open { settings = settings }
        local before = node.received
        local trace = ffi.new "struct mp_buf"
        C.mp_buf_init(trace)
        C.mp_loop_sim_trace(world.loop.handle, trace)
        for i = 1, 8 do assert(link:call("q" .. i)) end
        world.loop:turn(0)
        C.mp_loop_sim_trace(world.loop.handle, nil)
        local writes = select(2, ffi.string(trace.data, trace.len):gsub(" write ", " write "))
        C.mp_buf_deinit(trace)
        assert.equal(1, writes)
        until_requests(node, 8)
        assert.is_true(node.received > before)
      end)

      it("may be as large as several segments, between small ones", function()
        local link, node = open { settings = settings }
        local sizes = { 10, 131071 - 40, 5, 200000, 131071, 7, 300000, 119000, 30000, 1 }
        local calls = {}
        for i, size in ipairs(sizes) do calls[i] = assert(link:call(("x"):rep(size) .. i)) end
        until_requests(node, #sizes)
        for i, size in ipairs(sizes) do
          assert.is_true(node.requests[i].cql == ("x"):rep(size) .. i)
          node:echo(node.requests[i], "answer " .. i)
        end
        world:until_true(function() return world.client:waiting() == 0 end)
        for i in ipairs(sizes) do assert.equal("answer " .. i, calls[i].text) end
      end)

      -- T10: cut at byte N for all N of a burst of two envelopes.
      it("knows how much of it the kernel took, cut at every byte of a burst of two", function()
        local link, node = open { settings = settings }
        local first, second = assert(link:call "first"), assert(link:call "second")
        local start = { tonumber(first.handle.start_pos), tonumber(second.handle.start_pos) }
        local stop = { tonumber(first.handle.end_pos), tonumber(second.handle.end_pos) }
        assert.is_true(stop[1] <= start[2])
        local from = tonumber(link.conn.out.base)
        until_requests(node, 2)
        local to = tonumber(link.conn.out.base)
        -- v5: both stand in one segment, and neither can be used without its end.
        local usable = version == 4 and stop or { to, to }
        assert.equal(usable[2], to)
        world:close()
        for cut = from + 1, to do
          link, node = open { settings = settings }
          assert.equal(from, tonumber(link.conn.out.base))
          first, second = assert(link:call "first"), assert(link:call "second")
          C.mp_loop_sim_set_buffer(world.loop.handle, cut - from)
          node:stop()
          world.loop:turn(0)
          world:pass(30)
          local function expected(i)
            return cut >= usable[i] and WHOLE or cut > start[i] and PART or NOTHING
          end
          assert.equal(expected(1), clients.sent(first), "first at " .. cut)
          assert.equal(expected(2), clients.sent(second), "second at " .. cut)
          node:close(true)
          world:until_true(function() return link.closed end)
          assert.equal(reason "LOST", link.closed.reason)
          assert.equal(C.MP_ELOST, first.rc)
          assert.equal(C.MP_ELOST, second.rc)
          assert.equal(expected(1), first.sent)
          assert.equal(expected(2), second.sent)
          world:close()
        end
        world = nil
      end)

      it("that was cut off was never whole for the node when it is said to be in part or not sent", function()
        for seed = 1, 150 do
          local link, node = open { settings = settings, seed = seed }
          local calls = {}
          for i = 1, 6 do calls[i] = assert(link:call(("y"):rep(seed % 7 * 30) .. i)) end
          world.loop:turn(0)
          C.mp_loop_sim_cut(world.loop.handle, world.addr)
          world:until_true(function() return link.closed end)
          world:pass(50)
          local got = {}
          for _, request in ipairs(node.requests) do got[request.cql] = true end
          for _, call in ipairs(calls) do
            if got[call.asked] then assert.equal(WHOLE, call.sent) end
          end
          world:close()
        end
        world = nil
      end)
    end)
  end

  it("that was abandoned keeps its id until its answer comes", function()
    local link, node = open { settings = { max_streams = 2 } }
    local first = assert(link:call "first")
    assert(link:call "second")
    until_requests(node, 2)
    clients.abandon(first)
    assert.equal(1, link:orphans())
    assert.equal(2, link:in_flight())
    local _, rc = link:call "third"
    assert.equal(C.MP_EBUSY, rc)
    node:echo(node.requests[1])
    world:until_true(function() return link:orphans() == 0 end)
    local third = assert(link:call "third")
    until_requests(node, 3)
    assert.equal(node.requests[1].stream, node.requests[3].stream)
    node:echo(node.requests[3])
    world:until_true(function() return third.rc end)
    assert.equal("third", third.text)
    node:echo(node.requests[2])
  end)

  it("may be abandoned twice, and after its answer", function()
    local link, node = open()
    local call = assert(link:call "x")
    until_requests(node, 1)
    node:echo(node.requests[1])
    world:until_true(function() return call.rc end)
    C.mp_call_abandon(call.handle)
    assert.equal(0, link:orphans())
    call = assert(link:call "y")
    clients.abandon(call)
    C.mp_call_abandon(call.handle)
    assert.equal(1, link:orphans())
  end)

  it("is refused without a trace when its encoder fails", function()
    local link, node = open()
    local _, rc = link:call(tonumber(C.MP_ETYPE))
    assert.equal(C.MP_ETYPE, rc)
    assert.equal(0, link:in_flight())
    local call = assert(link:call "good")
    until_requests(node, 1)
    assert.equal("good", node.requests[1].cql)
    assert.equal(0, node.requests[1].stream)
    node:echo(node.requests[1])
    world:until_true(function() return call.rc end)
  end)

  it("is refused without a trace when there is no memory", function()
    for version = 4, 5 do
      for _, size in ipairs { 10, 3000, 200000 } do
        local link, node = open { settings = { version = version } }
        local before = assert(link:call "before")
        local refused = 0
        for nth = 1, 4 do
          C.mp_mem_fail_at(nth, false)
          local call, rc = link:call(("z"):rep(size))
          C.mp_mem_fail_at(0, false)
          if call then break end
          refused = refused + 1
          assert.equal(C.MP_ENOMEM, rc)
          assert.equal(1, link:in_flight())
        end
        assert.is_true(refused > 0 or size == 10)
        local after = assert(link:call "after")
        world:until_true(function()
          for _, request in ipairs(node.requests) do
            if not request.done then node:echo(request, request.cql:sub(1, 10)) end
            request.done = true
          end
          return before.rc and after.rc
        end)
        assert.equal("before", before.text)
        assert.equal("after", after.text)
        world:close()
      end
    end
    world = nil
  end)

  it("allocates nothing in steady state", function()
    for version = 4, 5 do
      local link, node = open { settings = { version = version } }
      node.peer.on_request = function(at, request) at:echo(request) end
      local function round()
        for i = 1, 100 do assert(link:call("steady " .. i)) end
        world:until_true(function() return world.client:waiting() == 0 end)
      end
      round()
      round()
      local handle, client = ffi.new "struct mp_call", world.client
      handle.on_answer = client.on_answer
      client.texts[1] = "counted"
      local before = C.mp_mem_stats().allocs
      local rc = C.mp_conn_call(link.conn, handle, client.encode, ffi.cast("void *", 1))
      assert.equal(0, rc)
      assert.equal(before, C.mp_mem_stats().allocs)
      C.mp_call_abandon(handle)
      world:close()
    end
    world = nil
  end)

  describe("of many", function()
    it("uses every id up to 32768, and no more", function()
      local link, node = open { settings = { max_streams = 32768, write_high_bytes = 64 * 1024 * 1024 } }
      for i = 1, 32768 do
        if not link:call("n") then error("refused at " .. i) end
      end
      local _, rc = link:call "one too many"
      assert.equal(C.MP_EBUSY, rc)
      assert.equal(0, link:room())
      until_requests(node, 32768)
      local seen = {}
      for _, request in ipairs(node.requests) do
        assert(not seen[request.stream])
        seen[request.stream] = true
        node.pending = (node.pending or 0) + 1
      end
      for _, request in ipairs(node.requests) do node:echo(request) end
      world:until_true(function() return world.client:waiting() == 0 end, 60000)
      assert.equal(1, link.writables)
      assert.equal(32768, link:room())
    end)

    it("is told of room after there was none", function()
      local link, node = open { settings = { max_streams = 3 } }
      for i = 1, 3 do assert(link:call("n" .. i)) end
      assert.equal(0, link:room())
      until_requests(node, 3)
      assert.equal(0, link.writables)
      node:echo(node.requests[2])
      world:until_true(function() return link.writables == 1 end)
      assert.equal(1, link:room())
      node:echo(node.requests[1])
      node:echo(node.requests[3])
      world:until_true(function() return world.client:waiting() == 0 end)
      assert.equal(1, link.writables)
    end)
  end)

  describe("to a node that does not read", function()
    it("is refused above the watermark, and the memory stays bounded", function()
      local link, node = open { settings = { write_high_bytes = 100000, max_streams = 32768, version = 4 } }
      C.mp_loop_sim_set_buffer(world.loop.handle, 65536)
      node:stop()
      local text, count = ("b"):rep(1000), 0
      local call, rc = link:call(text)
      while call do
        count = count + 1
        if count % 20 == 0 then world:pass(1) end
        call, rc = link:call(text)
      end
      assert.equal(C.MP_EBUSY, rc)
      assert.equal(0, link:room())
      assert.is_true(count > 100 and count < 200, count)
      assert.is_true(link.conn.out.buf.cap <= 300000)
      assert.equal(0, link.writables)
      -- T9: stalled is not dead. It reads again, and everything is answered.
      node.peer.on_request = function(at, request) at:echo(request, "ok") end
      node:start()
      world:until_true(function() return world.client:waiting() == 0 end)
      assert.equal(1, link.writables)
      assert.equal(count, world.client.answered)
    end)

    it("leaves the turn early when much waits, so that a turn's memory is bounded too", function()
      local link, node = open { settings = { max_streams = 32768, write_high_bytes = 64 * 1024 * 1024 } }
      C.mp_loop_sim_set_buffer(world.loop.handle, 64 * 1024 * 1024)
      for _ = 1, 2000 do assert(link:call(("c"):rep(1000))) end
      local waiting = tonumber(C.mp_output_waiting(link.conn.out))
      assert.is_true(waiting < 400000 or link.conn.out.blocked, waiting)
      node.peer.on_request = function(at, request) at:echo(request, "ok") end
      world:until_true(function() return world.client:waiting() == 0 end)
    end)

    it("gives the memory of a burst back", function()
      local link, node = open { settings = { max_streams = 32768, write_high_bytes = 64 * 1024 * 1024 } }
      node.peer.on_request = function(at, request) at:echo(request, "ok") end
      node:stop()
      C.mp_loop_sim_set_buffer(world.loop.handle, 10000)
      for _ = 1, 1000 do assert(link:call(("d"):rep(5000))) end
      assert.is_true(link.conn.out.buf.cap > 4 * 1024 * 1024)
      C.mp_loop_sim_set_buffer(world.loop.handle, 1024 * 1024)
      node:start()
      world:until_true(function() return world.client:waiting() == 0 end)
      for _ = 1, 40 do
        local call = assert(link:call "small")
        world:until_true(function() return call.rc end)
      end
      assert.is_true(link.conn.out.buf.cap < 1024 * 1024, link.conn.out.buf.cap)
    end)
  end)

  describe("whose node breaks the protocol", function()
    local function broken(act)
      local link, node = open()
      local calls = { assert(link:call "one"), assert(link:call "two") }
      until_requests(node, 2)
      act(node, link, calls)
      world:until_true(function() return link.closed end)
      for _, call in ipairs(calls) do
        assert.is_truthy(call.rc or call.abandoned)
        if call.rc and call.rc ~= 0 then
          assert.equal(C.MP_EPROTO, call.rc)
          assert.equal(WHOLE, call.sent)
        end
      end
      assert.equal(reason "PROTOCOL", link.closed.reason)
      assert.is_true(link.closed.was_ready)
      return link.closed.message
    end

    it("by an answer on an unknown stream ends with the connection", function()
      local message = broken(function(node)
        node:echo({ stream = 77 }, "who?")
      end)
      assert.truthy(message:find("stream 77", 1, true), message)
    end)

    it("by an answer on a stream that can not be ends with the connection", function()
      for stream, what in pairs { [32767] = "for stream 32767, which waits for nothing", [-1] = "on stream -1",
        [-2] = "on stream -2", [-32768] = "on stream -32768" } do
        local message = broken(function(node) node:echo({ stream = stream }, "who?") end)
        assert.equal("RESULT " .. what, message)
        world:close()
      end
      world = nil
    end)

    it("by answering twice ends with the connection", function()
      broken(function(node)
        node:echo(node.requests[1])
        node:echo(node.requests[1])
      end)
    end)

    it("by answering twice in one segment ends with the connection, and the first answer counts", function()
      broken(function(node, _, calls)
        local bytes = node:echo_bytes(node.requests[1])
        node:raw(node:framed(bytes .. bytes))
        world:until_true(function() return calls[1].rc end)
        assert.equal(0, calls[1].rc)
        assert.equal("one", calls[1].text)
      end)
    end)

    it("by answering an abandoned call twice ends with the connection", function()
      broken(function(node, _, calls)
        clients.abandon(calls[1])
        node:echo(node.requests[1])
        node:echo(node.requests[1])
      end)
    end)

    it("by the wrong kind of answer ends with the connection", function()
      local message = broken(function(node) node:ready(node.requests[1]) end)
      assert.equal("READY as the answer to QUERY", message)
    end)

    it("by a request ends with the connection", function()
      assert.equal("unexpected opcode 0x07 (QUERY)",
        broken(function(node) node:raw(node:framed "\x85\0\0\1\7\0\0\0\0") end))
      world:close()
      assert.equal("a request came where a response belongs (first byte 0x05)",
        broken(function(node) node:raw(node:framed "\5\0\0\1\8\0\0\0\0") end))
    end)

    it("by another version ends with the connection", function()
      assert.equal("protocol version 4 instead of 5 (first byte 0x84)",
        broken(function(node) node:raw(node:framed "\x84\0\0\1\8\0\0\0\4\0\0\0\1") end))
    end)

    it("by a wrong checksum ends with the connection", function()
      local message = broken(function(node)
        local bytes = node:framed(node:echo_bytes(node.requests[1]))
        node:raw(bytes:sub(1, 20) .. string.char((bytes:byte(21) + 1) % 256) .. bytes:sub(22))
      end)
      assert.truthy(message:find("CRC", 1, true), message)
    end)

    it("by envelopes without segments on version 5 ends with the connection", function()
      broken(function(node) node:raw(node:echo_bytes(node.requests[1])) end)
    end)

    it("by a body over the limit ends with the connection before memory is taken", function()
      broken(function(node) node:raw(node:framed "\x85\0\0\1\8\127\255\255\255") end)
    end)

    it("by an error that belongs to no request ends with the node's words", function()
      local message = broken(function(node)
        node:error({ stream = -1 }, C.MP_SE_PROTOCOL_ERROR, "frame of 300 MB")
      end)
      assert.equal("PROTOCOL_ERROR: frame of 300 MB", message)
    end)

    it("by an error that belongs to no request shows 120 bytes of it", function()
      local message = broken(function(node)
        node:error({ stream = -1 }, C.MP_SE_OVERLOADED, ("x"):rep(119) .. "yz")
      end)
      assert.equal("OVERLOADED: " .. ("x"):rep(119) .. "y", message)
    end)

    it("by an error that belongs to no request and cannot be read says that", function()
      for _, bytes in ipairs { "\x85\0\xff\xff\0\0\0\0\2ab", "\x85\2\xff\xff\0\0\0\0\2ab" } do
        local message = broken(function(node) node:raw(node:framed(bytes)) end)
        assert.equal("an unreadable ERROR on stream -1", message)
        world:close()
      end
      world = nil
    end)

    it("by an error that belongs to no request tells its owner which one", function()
      for _, code in ipairs { C.MP_SE_PROTOCOL_ERROR, C.MP_SE_OVERLOADED, C.MP_SE_SERVER_ERROR } do
        local link, node = open()
        node:error({ stream = -1 }, code, "words")
        world:until_true(function() return link.closed end)
        assert.equal(tonumber(code), link.closed.server_code)
        world:close()
      end
      local link, node = open()
      node:close()
      world:until_true(function() return link.closed end)
      assert.equal(-1, link.closed.server_code)
    end)

    it("by an answer to OPTIONS that is none ends with the connection", function()
      local link = open { settings = { heartbeat_interval_ms = 100 } }
      world.peer.on.OPTIONS = function(at, request)
        at:echo(request, "pong")
        return true
      end
      world:until_true(function() return link.closed end)
      assert.equal(reason "PROTOCOL", link.closed.reason)
      assert.equal("RESULT as the answer to OPTIONS", link.closed.message)
    end)
  end)

  it("may get an error for an answer", function()
    local link, node = open()
    local call = assert(link:call "x")
    until_requests(node, 1)
    node:error(node.requests[1], C.MP_SE_OVERLOADED, "busy")
    world:until_true(function() return call.rc end)
    assert.equal(0, call.rc)
    assert.equal(tonumber(C.MP_OP_ERROR), call.opcode)
  end)
end)
