-- SPDX-License-Identifier: Apache-2.0
-- How a connection ends, and that it ends well from wherever it is ended.
local C = require "spec.support.c"
local ffi = require "ffi"
local link_world = require "spec.support.link_world"
local clients = require "spec.support.client"

local function reason(name) return tonumber(C["MP_CLOSE_" .. name]) end

describe("a connection", function()
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

  it("has a name for each state and a sentence for each reason", function()
    assert.equal("opening", ffi.string(C.mp_conn_state_name(C.MP_CONN_OPENING)))
    assert.equal("draining", ffi.string(C.mp_conn_state_name(C.MP_CONN_DRAINING)))
    for value = 0, reason "LOCAL" do assert.is_true(#ffi.string(C.mp_close_reason_text(value)) > 4) end
  end)

  it("says what went wrong by its reason, to its owner and to whoever waits for an answer", function()
    local errors = { ASKED = "ECLOSED", IDLE = "ECLOSED", DRAINED = "ECLOSED", CONNECT = "ECONNECT",
      HANDSHAKE_TIMEOUT = "ETIMEOUT", TLS = "ECONNECT", VERSION = "EUNSUPPORTED", AUTH = "EAUTH", HANDSHAKE = "ESERVER",
      KEYSPACE = "ESERVER", IDENTITY = "ECLUSTER", PEER = "ELOST", LOST = "ELOST", HEARTBEAT = "ELOST",
      ORPHANS = "ELOST", PROTOCOL = "EPROTO", LOCAL = "ELOCAL" }
    local count = 0
    for name, err in pairs(errors) do
      local link, node = open()
      local call = assert(link:call "n")
      until_requests(node, 1)
      C.mp_conn_close(link.conn, reason(name), nil)
      world:until_true(function() return link.closed end)
      assert.equal(reason(name), link.closed.reason)
      assert.equal(C["MP_" .. err], link.closed.err, name)
      assert.equal(C["MP_" .. err], call.rc, name)
      assert.is_true(link.closed.was_ready)
      assert.equal(ffi.string(C.mp_close_reason_text(reason(name))), link.closed.message)
      world:close()
      count = count + 1
    end
    world = nil
    assert.equal(reason "LOCAL" + 1, count) -- all of them
  end)

  it("delivers the answers that came before a FIN, and then ends", function()
    for version = 4, 5 do
      for chunk = 0, 9, 3 do
        local link, node = open { settings = { version = version } }
        local calls = {}
        for i = 1, 10 do calls[i] = assert(link:call("n" .. i)) end
        until_requests(node, 10)
        C.mp_loop_sim_set_chunk(world.loop.handle, chunk)
        local bytes = ""
        for i = 1, 6 do bytes = bytes .. node:echo_bytes(node.requests[i]) end
        node:raw(node:framed(bytes))
        node:close()
        world:until_true(function() return link.closed end)
        for i = 1, 10 do
          assert.equal(i <= 6 and 0 or C.MP_ELOST, calls[i].rc)
          assert.equal(2, calls[i].sent)
          assert.is_true(calls[i].order == i - 1)
        end
        assert.equal(reason "PEER", link.closed.reason)
        world:close()
      end
    end
    world = nil
  end)

  it("shows no part of an answer that was cut off", function()
    for version = 4, 5 do
      local link, node = open { settings = { version = version } }
      local call = assert(link:call "n")
      until_requests(node, 1)
      local bytes = node:framed(node:echo_bytes(node.requests[1]))
      node:raw(bytes:sub(1, -2))
      node:close()
      world:until_true(function() return link.closed end)
      assert.equal(C.MP_ELOST, call.rc)
      assert.truthy(link.closed.message:find("in the middle of an answer", 1, true))
      world:close()
    end
    world = nil
  end)

  it("delivers what was read before a write failed", function()
    local link, node = open()
    local first = assert(link:call "first")
    until_requests(node, 1)
    node:echo(node.requests[1])
    node:close(true)
    -- The reset arrives; the answer before it has not been read yet when the next request is written.
    world.loop:turn(0)
    local second = link:call "second"
    world:until_true(function() return link.closed end)
    assert.equal(reason "LOST", link.closed.reason)
    assert.is_truthy(first.rc)
    if second then assert.equal(C.MP_ELOST, second.rc) end
  end)

  it("answers all that waits, later, each once, and then says so", function()
    local link = open()
    local calls = {}
    for i = 1, 8 do calls[i] = assert(link:call("n" .. i)) end
    link:close()
    for i = 1, 8 do assert.is_nil(calls[i].rc) end
    assert.equal(tonumber(C.MP_CONN_CLOSED), link:state())
    local _, rc = link:call "late"
    assert.equal(C.MP_ECLOSED, rc)
    link.on_closed = function()
      for i = 1, 8 do assert.equal(C.MP_ECLOSED, calls[i].rc) end
    end
    world:until_true(function() return link.closed end)
    for i = 1, 8 do assert.equal(0, calls[i].sent) end
  end)

  it("lets its owner abandon calls while it ends", function()
    local link = open()
    local calls = {}
    for i = 1, 10 do
      calls[i] = assert(link:call("n" .. i, function()
        for j = i + 1, 10, 2 do
          if not calls[j].rc and not calls[j].abandoned then clients.abandon(calls[j]) end
        end
      end))
    end
    link:close()
    clients.abandon(calls[1])
    world:until_true(function() return link.closed end)
    for i = 1, 10 do assert.is_truthy(calls[i].rc or calls[i].abandoned) end
    assert.is_true(calls[1].abandoned)
    assert.equal(C.MP_ECLOSED, calls[2].rc)
  end)

  describe("may be closed by its owner", function()
    it("when it becomes ready", function()
      world = link_world.open()
      local link = world.client:open(world.addr, { on_ready = function(link) link:close() end })
      world:until_true(function() return link.closed end)
      assert.is_true(link.closed.was_ready)
    end)

    it("when an answer comes, with more answers behind it", function()
      for version = 4, 5 do
        local link, node = open { settings = { version = version } }
        local calls = {}
        for i = 1, 10 do
          calls[i] = assert(link:call("n" .. i, function(call)
            if i == 3 and call.rc == 0 then link:close() end
          end))
        end
        until_requests(node, 10)
        local bytes = ""
        for i = 1, 10 do bytes = bytes .. node:echo_bytes(node.requests[i]) end
        node:raw(node:framed(bytes))
        world:until_true(function() return link.closed end)
        for i = 1, 10 do assert.equal(i <= 3 and 0 or C.MP_ECLOSED, calls[i].rc) end
        world:close()
      end
      world = nil
    end)

    it("when an event comes", function()
      local link, node = open { register = true, on_event = function(link) link:close() end }
      node:event()
      node:event()
      world:until_true(function() return link.closed end)
      assert.equal(1, link.events)
    end)

    it("when there is room again", function()
      local link, node = open { settings = { max_streams = 1 }, on_writable = function(link) link:close() end }
      assert(link:call "x")
      until_requests(node, 1)
      node:echo(node.requests[1])
      world:until_true(function() return link.closed end)
      assert.equal(1, link.writables)
    end)

    it("and is told of room only when there was none", function()
      local link, node = open { settings = { max_streams = 4 } }
      for round = 1, 20 do
        for _ = 1, 3 do assert(link:call "x") end
        until_requests(node, 3 * round)
        for i = 3 * round - 2, 3 * round do node:echo(node.requests[i]) end
        world:until_true(function() return link:in_flight() == 0 end)
      end
      world:pass(10)
      assert.equal(0, link.writables)
    end)

    it("while it tells of its end", function()
      local link, node = open()
      for i = 1, 3 do assert(link:call("n" .. i, function() link:close() end)) end
      link.on_closed = function() link:close() end
      until_requests(node, 3)
      node:close(true)
      world:until_true(function() return link.closed end)
      assert.equal(reason "LOST", link.closed.reason)
    end)
  end)

  it("takes new calls inside of an answer", function()
    local link, node = open()
    node.peer.on_request = function(at, request) at:echo(request) end
    local count = 0
    local function go_on(call)
      assert(call.rc == 0 and call.text == call.asked)
      count = count + 1
      if count < 200 then assert(link:call("n" .. count, go_on)) end
    end
    assert(link:call("n0", go_on))
    world:until_true(function() return count == 200 end)
  end)

  describe("that drains", function()
    it("takes no new calls, answers the old ones, and ends", function()
      local link, node = open()
      local calls = { assert(link:call "a"), assert(link:call "b") }
      until_requests(node, 2)
      link:drain(C.MP_CLOSE_IDLE)
      assert.equal(tonumber(C.MP_CONN_DRAINING), link:state())
      assert.equal(0, link:room())
      local _, rc = link:call "c"
      assert.equal(C.MP_ECLOSED, rc)
      node:echo(node.requests[2])
      world:pass(100)
      assert.is_nil(link.closed)
      node:echo(node.requests[1])
      world:until_true(function() return link.closed end)
      assert.equal(reason "IDLE", link.closed.reason)
      for _, call in ipairs(calls) do assert.equal(0, call.rc) end
    end)

    it("does not wait for orphans", function()
      local link, node = open()
      local kept, dropped = assert(link:call "a"), assert(link:call "b")
      until_requests(node, 2)
      clients.abandon(dropped)
      link:drain()
      node:echo(node.requests[1])
      world:until_true(function() return link.closed end)
      assert.equal(0, kept.rc)
      assert.equal(reason "DRAINED", link.closed.reason)
    end)

    it("ends at once when nothing waits, and later tells so", function()
      local link = open()
      link:drain()
      assert.is_nil(link.closed)
      world:until_true(function() return link.closed end)
    end)

    it("ends when its last call is abandoned", function()
      local link = open()
      local call = assert(link:call "a")
      link:drain()
      clients.abandon(call)
      world:until_true(function() return link.closed end)
    end)

    it("still ends by what ends a connection", function()
      local link, node = open()
      local call = assert(link:call "a")
      until_requests(node, 1)
      link:drain()
      node:close(true)
      world:until_true(function() return link.closed end)
      assert.equal(reason "LOST", link.closed.reason)
      assert.equal(C.MP_ELOST, call.rc)
    end)
  end)

  it("with too many orphans drains, and is not waited for by them", function()
    local link, node = open { settings = { max_orphans = 4 } }
    local kept = assert(link:call "kept")
    for i = 1, 5 do
      local call = assert(link:call("lost " .. i))
      world:pass(1)
      clients.abandon(call)
      assert.equal(i <= 4 and tonumber(C.MP_CONN_READY) or tonumber(C.MP_CONN_DRAINING), link:state())
    end
    until_requests(node, 6)
    node:echo(node.requests[1])
    world:until_true(function() return link.closed end)
    assert.equal(reason "ORPHANS", link.closed.reason)
    assert.equal(C.MP_ELOST, link.closed.err)
    assert.equal(0, kept.rc)
  end)

  it("says what it is and when it was used", function()
    local link, node = open()
    local text = ffi.new "char[64]"
    C.mp_addr_format(C.mp_conn_addr(link.conn), text)
    assert.equal("127.0.0.1:9042", ffi.string(text))
    assert.equal(1, tonumber(C.mp_conn_id(link.conn)))
    local other = world:ready()
    assert.equal(2, tonumber(C.mp_conn_id(other.conn)))
    assert.equal(0, tonumber(C.mp_conn_last_used_ms(link.conn)))
    world:pass(500)
    local call = assert(link:call "x")
    local now = world.loop:now_ms()
    assert.is_true(math.abs(tonumber(C.mp_conn_last_used_ms(link.conn)) - now) <= 1)
    assert.is_true(tonumber(C.mp_conn_created_ms(link.conn)) < now - 400)
    until_requests(node, 1)
    node:echo(node.requests[1])
    world:until_true(function() return call.rc end)
  end)

  it("logs that it opens and that it ends, each once, under its own name", function()
    world = link_world.open()
    local lines = {}
    local log = C.mp_loop_log(world.loop.handle)
    log.level = C.MP_LOG_DEBUG
    log.sink = world.loop:callback("void (*)(void *, enum mp_log_level, const char *)", function(_, level, line)
      lines[#lines + 1] = tonumber(level) .. " " .. ffi.string(line):gsub("after [%d.]+ ms", "after N ms")
    end)
    local link, node = world:ready()
    node:close(true)
    world:until_true(function() return link.closed end)
    log.level = C.MP_LOG_OFF
    assert.same({
      "3 127.0.0.1:9042#1: open after N ms, protocol v5",
      "1 127.0.0.1:9042#1: connection lost: the connection was lost (0 in flight)",
    }, lines)
  end)
end)
