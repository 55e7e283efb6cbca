-- SPDX-License-Identifier: Apache-2.0
-- What moves is alive: an answer that comes slower than the heartbeat's timeout, and a question that waits behind what
-- is still being sent. The limit is one byte for each ms of the timeout; a drip stays below, and so do events.
local ffi = require "ffi"
local C = require "spec.support.c"
local link_world = require "spec.support.link_world"
local peers = require "spec.support.peer"

local TIMEOUT_MS, STEP_MS = 300, 10

describe("a connection on which something moves", function()
  local world

  local function open(version, options)
    local settings = { version = version, heartbeat_interval_ms = 1000, heartbeat_timeout_ms = TIMEOUT_MS }
    for key, value in pairs(options or {}) do settings[key] = value end
    world = link_world.open { settings = settings }
    return world:ready()
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  -- RESULT rows of one blob of so many bytes.
  local function large(link, request, size)
    link.owed[request.stream] = nil
    return link:framed(peers.bytes(function(buf)
      local metadata = C.mp_metadata_new(1)
      local type = ffi.new("struct mp_type[1]")
      type[0].id = C.MP_TYPE_BLOB
      for _, name in ipairs { "keyspace", "table", "name" } do metadata.columns[0][name] = peers.str "x" end
      metadata.columns[0].type = type
      local head = ffi.new "struct mp_rows_head"
      head.metadata = metadata
      local mark = C.mp_encode_rows_begin(buf, link.version, request.stream, head)
      local begin = C.mp_write_value_begin(buf)
      C.mp_buf_bytes(buf, ("x"):rep(size), size)
      C.mp_write_value_end(buf, begin)
      C.mp_encode_rows_end(buf, mark, 1)
      C.mp_metadata_unref(metadata)
    end))
  end

  -- Sends the bytes at so many a step, until all are sent or the connection ended. How many went.
  local function trickle(link, node, bytes, step, most)
    local at = 1
    while at <= #bytes and not link.closed and at <= (most or #bytes) do
      node:raw(bytes:sub(at, at + step - 1))
      at = at + step
      world:pass(STEP_MS)
    end
    return math.min(at - 1, #bytes)
  end

  local function heartbeat_ended(link)
    assert.equal(tonumber(C.MP_CLOSE_HEARTBEAT), link.closed.reason)
  end

  for version = 3, 5 do
    describe("on v" .. version, function()
      it("lives while an answer comes, and answers all that waited behind it", function()
        local link, node = open(version)
        local first, second = assert(link:call "large"), assert(link:call "small")
        world:until_true(function() return #node.requests == 2 end)
        local heartbeat
        node.peer.on.OPTIONS = function(_, request)
          heartbeat = request
          return true
        end
        -- 30 s at 1.5 bytes each ms, in segments of 128 KiB on v5
        local bytes = large(node, node.requests[1], 45000)
        local third
        local sent = trickle(link, node, bytes, 15, 20000)
        third = assert(link:call "later")
        sent = sent + trickle(link, node, bytes:sub(sent + 1), 15)
        assert.equal(#bytes, sent)
        assert.is_nil(link.closed)
        assert.equal(0, first.rc)
        node:echo(node.requests[2])
        node:supported(heartbeat, { "5/v5" })
        world:until_true(function() return second.rc end)
        node:echo(node.requests[3])
        world:until_true(function() return third.rc end)
        assert.equal("later", third.text)
        node.peer.on.OPTIONS = nil
        world:pass(5000)
        assert.is_nil(link.closed)
      end)

      it("ends when the answer comes more slowly than that", function()
        local link, node = open(version)
        local call = assert(link:call "large")
        world:until_true(function() return #node.requests == 1 end)
        node.peer.on.OPTIONS = function() return true end
        local before = world.loop:now_ms()
        trickle(link, node, large(node, node.requests[1], 45000), 8)
        assert.is_true(world.loop:now_ms() - before < 1500)
        heartbeat_ended(link)
        assert.equal(C.MP_ELOST, call.rc)
      end)

      it("ends when the answer stops in the middle", function()
        local link, node = open(version)
        assert(link:call "large")
        world:until_true(function() return #node.requests == 1 end)
        node.peer.on.OPTIONS = function() return true end
        trickle(link, node, large(node, node.requests[1], 45000), 30, 15000)
        assert.is_nil(link.closed)
        local before = world.loop:now_ms()
        world:until_true(function() return link.closed end)
        heartbeat_ended(link)
        assert.is_true(world.loop:now_ms() - before <= 2 * TIMEOUT_MS + STEP_MS)
      end)

      it("is not kept by an event, however long it is", function()
        local link, node = open(version, { max_body_bytes = 1048576 })
        node.peer.on.OPTIONS = function() return true end
        local event = string.char(0x80 + version, 0) .. "\255\255" .. "\12" .. "\0\4\0\0" .. ("e"):rep(262144)
        local payload = event:sub(1, 100000)
        local bytes = payload
        if version == 5 then
          bytes = peers.bytes(function(buf)
            local begin = C.mp_segment_begin(buf)
            C.mp_buf_bytes(buf, event, #event)
            C.mp_segment_end(buf, begin)
          end):sub(1, 100000)
        end
        trickle(link, node, bytes, 200)
        heartbeat_ended(link)
      end)

      it("is not kept by many events", function()
        local link, node = open(version)
        node.peer.on.OPTIONS = function() return true end
        for _ = 1, 3000 do
          if link.closed then break end
          node:event()
          world:pass(1)
        end
        heartbeat_ended(link)
      end)

      it("lives while a large request is on its way, and the question behind it", function()
        local link, node = open(version, { write_high_bytes = 16777216 })
        C.mp_loop_sim_set_buffer(world.loop.handle, 256)
        C.mp_loop_sim_set_chunk(world.loop.handle, 15)
        node.peer.sips = true
        local call = assert(link:call(("x"):rep(45000)))
        world:until_true(function()
          world:pass(STEP_MS)
          node:start()
          return link.closed or #node.requests == 1
        end, 60000)
        node.peer.sips = false
        node:start()
        assert.is_nil(link.closed)
        world:pass(100)
        assert.equal(1, node.heartbeats)
        node:echo(node.requests[1], "done")
        world:until_true(function() return call.rc end)
        assert.equal(0, call.rc)
        world:pass(3000)
        assert.is_nil(link.closed)
      end)

      it("ends when a large request gets there more slowly than that", function()
        local link, node = open(version, { write_high_bytes = 16777216 })
        C.mp_loop_sim_set_buffer(world.loop.handle, 256)
        C.mp_loop_sim_set_chunk(world.loop.handle, 8)
        node.peer.sips = true
        assert(link:call(("x"):rep(45000)))
        local before = world.loop:now_ms()
        world:until_true(function()
          world:pass(STEP_MS)
          node:start()
          return link.closed
        end, 60000)
        heartbeat_ended(link)
        assert.is_true(world.loop:now_ms() - before < 2500)
      end)

      it("ends when a large request is stuck", function()
        local link, node = open(version, { write_high_bytes = 16777216 })
        C.mp_loop_sim_set_buffer(world.loop.handle, 256)
        node:stop()
        assert(link:call(("x"):rep(45000)))
        world:until_true(function() return link.closed end)
        heartbeat_ended(link)
      end)
    end)
  end

  it("has a whole timeout for its answer once a slow question is there", function()
    local link, node = open(4, { write_high_bytes = 16777216 })
    C.mp_loop_sim_set_buffer(world.loop.handle, 256)
    C.mp_loop_sim_set_chunk(world.loop.handle, 30)
    node.peer.sips = true
    local heartbeat, came
    node.peer.on.OPTIONS = function(_, request)
      heartbeat, came = request, world.loop:now_ms()
      return true
    end
    assert(link:call(("x"):rep(45000)))
    world:until_true(function()
      world:pass(STEP_MS)
      node:start()
      return link.closed or came
    end, 60000)
    assert.is_nil(link.closed)
    node.peer.sips = false
    node:start()
    world:pass(TIMEOUT_MS * 0.45)
    assert.is_nil(link.closed)
    node:supported(heartbeat, { "4/v4" })
    node.peer.on.OPTIONS = nil
    world:pass(3000)
    assert.is_nil(link.closed)
  end)

  it("has no more time for its answer because an earlier question was slow", function()
    for size = 6000, 6450, 75 do -- it arrives at any time of the windows in which it is waited for
      local link, node = open(4, { write_high_bytes = 16777216 })
      C.mp_loop_sim_set_buffer(world.loop.handle, 256)
      C.mp_loop_sim_set_chunk(world.loop.handle, 30)
      node.peer.sips = true
      local came, answers = nil, true
      node.peer.on.OPTIONS = function()
        came = world.loop:now_ms()
        return not answers
      end
      local call = assert(link:call(("x"):rep(size)))
      world:until_true(function()
        world:pass(STEP_MS)
        node:start()
        return link.closed or came
      end, 60000)
      node.peer.sips = false
      node:start()
      world:until_true(function() return #node.requests == 1 end)
      node:echo(node.requests[1], "done")
      world:until_true(function() return call.rc end)
      came, answers = nil, false
      world:until_true(function() return came end)
      world:until_true(function() return link.closed end)
      heartbeat_ended(link)
      assert.is_true(world.loop:now_ms() - came <= TIMEOUT_MS + STEP_MS, world.loop:now_ms() - came)
      world:close()
    end
    world = nil
  end)

  it("ends in time where the question is at the node and nothing comes back", function()
    local link, node = open(4)
    for _ = 1, 200 do assert(link:call(("x"):rep(200))) end
    node.peer.on.OPTIONS = function() return true end
    world:until_true(function() return #node.requests == 200 end)
    local before = world.loop:now_ms()
    world:until_true(function() return link.closed end)
    heartbeat_ended(link)
    assert.is_true(world.loop:now_ms() - before <= 1000 + TIMEOUT_MS + STEP_MS)
  end)
end)
