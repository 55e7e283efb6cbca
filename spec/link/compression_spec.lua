-- SPDX-License-Identifier: Apache-2.0
-- Compression on one connection: what is asked for and from which step on it is used, and that every answer and every
-- count of bytes is what it is without.
local ffi = require "ffi"
local C = require "spec.support.c"
local link_world = require "spec.support.link_world"
local clients = require "spec.support.client"
local peers = require "spec.support.peer"

local kinds = { none = C.MP_COMPRESSION_NONE, lz4 = C.MP_COMPRESSION_LZ4, snappy = C.MP_COMPRESSION_SNAPPY }
local both = { "snappy", "lz4" }
local NOTHING, PART, WHOLE = 0, 1, 2

local function reason(name) return tonumber(C["MP_CLOSE_" .. name]) end

describe("compression", function()
  local world

  local function open(version, wanted, peer, more)
    peer = peer or {}
    peer.compression = peer.compression or both
    local settings = { version = version, compression = kinds[wanted] }
    for key, value in pairs(more or {}) do settings[key] = value end
    world = link_world.open { settings = settings, peer = peer }
    return world:ready()
  end

  after_each(function()
    C.mp_mem_fail_at(0, false)
    if world then world:close() end
    world = nil
  end)

  local function warnings_of(version, wanted, offered)
    local lines = {}
    world = link_world.open { settings = { version = version, compression = kinds[wanted] },
      peer = { compression = offered } }
    local log = C.mp_loop_log(world.loop.handle)
    log.level = C.MP_LOG_WARN
    log.sink = world.loop:callback("void (*)(void *, enum mp_log_level, const char *)", function(_, _, line)
      lines[#lines + 1] = ffi.string(line)
    end)
    local link, node = world:ready()
    local call = assert(link:call(("q"):rep(3000)))
    world:until_true(function() return #node.requests == 1 end)
    node:echo(node.requests[1])
    world:until_true(function() return call.rc end)
    assert.equal(("q"):rep(3000), call.text)
    log.level, log.sink = C.MP_LOG_OFF, nil
    local asked = node.startup:match "COMPRESSION%z.(%w+)"
    world:close()
    world = nil
    return asked, table.concat(lines, "\n")
  end

  it("is asked for where it is wanted, offered, and known to the version; otherwise a warning says why not", function()
    for version = 3, 5 do
      for _, wanted in ipairs { "none", "lz4", "snappy" } do
        for _, offered in ipairs { {}, { "lz4" }, { "snappy" }, both, { "zstd", "LZ4" } } do
          local list = table.concat(offered, ","):lower()
          local given = wanted ~= "none" and list:find(wanted, 1, true) and not (wanted == "snappy" and version == 5)
          local asked, told = warnings_of(version, wanted, offered)
          local what = string.format("%s of %s on v%d", wanted, list, version)
          assert.equal(given and wanted or nil, asked, what)
          if given or wanted == "none" then
            assert.equal("", told, what)
          elseif wanted == "snappy" and version == 5 then
            assert.matches('protocol v5 has no snappy; compression = "lz4" or protocolVersion = 4 has', told, 1, true)
          else
            assert.matches("not compressed: the node does not offer " .. wanted, told, 1, true)
          end
        end
      end
    end
  end)

  for _, mode in ipairs { { 3, "lz4" }, { 3, "snappy" }, { 4, "lz4" }, { 4, "snappy" }, { 5, "lz4" } } do
    local version, kind = mode[1], mode[2]
    local name = kind .. " on v" .. version

    it("makes fewer bytes of the same requests: " .. name, function()
      local sizes = { 10, 131071 - 40, 5, 200000, 131071, 7, 300000, 119000, 30000, 600, 1 }
      local seen = {}
      for _, wanted in ipairs { "none", kind } do
        local link, node = open(version, wanted)
        local calls, before = {}, node.received
        for i, size in ipairs(sizes) do calls[i] = assert(link:call(("x"):rep(size) .. i)) end
        world:until_true(function() return #node.requests == #sizes end)
        seen[wanted] = node.received - before
        for i, size in ipairs(sizes) do
          assert.is_true(node.requests[i].cql == ("x"):rep(size) .. i)
          node:echo(node.requests[i], ("y"):rep(i * 3000) .. i)
        end
        world:until_true(function() return world.client:waiting() == 0 end)
        for i in ipairs(sizes) do assert.equal(("y"):rep(i * 3000) .. i, calls[i].text) end
        world:close()
      end
      world = nil
      assert.is_true(seen[kind] < seen.none / 15, seen[kind] .. " of " .. seen.none)
    end)

    it("works however the bytes are cut, with a password: " .. name, function()
      local auth = { username = "ana", password = ("p"):rep(900) }
      for chunk = 1, 12 do
        world = link_world.open {
          settings = { version = version, compression = kinds[kind], keyspace = "ks", cluster_name = "test cluster",
            auth = auth },
          peer = { auth = auth, compression = both } }
        C.mp_loop_sim_set_chunk(world.loop.handle, chunk)
        local link, node = world:ready { register = true, host_id = ("h"):rep(16) }
        local call = assert(link:call(("z"):rep(2000)))
        world:until_true(function() return #node.requests == 1 end)
        node:echo(node.requests[1])
        world:until_true(function() return call.rc end)
        assert.equal(("z"):rep(2000), call.text)
        world:close()
      end
      world = nil
    end)

    -- T10: two turns of two requests; on v5 each turn is one segment.
    it("knows how much of a request the kernel took, cut at every byte: " .. name, function()
      local texts = { "first", ("s"):rep(900), ("t"):rep(1500) .. "hird", "fourth" }
      local function burst(link)
        local calls = {}
        for i, text in ipairs(texts) do
          calls[i] = assert(link:call(text))
          -- What a heartbeat does: the open segment ends here.
          if i == 2 then calls.middle = tonumber(C.mp_output_end(link.conn.out)) end
        end
        return calls
      end
      local link, node = open(version, kind)
      local from = tonumber(C.mp_output_end(link.conn.out))
      local calls, start, stop = burst(link), {}, {}
      for i, call in ipairs(calls) do
        start[i], stop[i] = tonumber(call.handle.start_pos), tonumber(call.handle.end_pos)
      end
      local to = tonumber(C.mp_output_end(link.conn.out))
      if version == 5 then
        start = { from, from, calls.middle, calls.middle }
        stop = { calls.middle, calls.middle, to, to }
      end
      assert.equal(stop[4], to)
      world:until_true(function() return #node.requests == 4 end)
      world:close()
      for cut = from + 1, to do
        link, node = open(version, kind)
        calls = burst(link)
        C.mp_loop_sim_set_buffer(world.loop.handle, cut - from)
        node:stop()
        world.loop:turn(0)
        world:pass(30)
        local function expected(i) return cut >= stop[i] and WHOLE or cut > start[i] and PART or NOTHING end
        for i = 1, 4 do assert.equal(expected(i), clients.sent(calls[i]), i .. " at " .. cut) end
        node:close(true)
        world:until_true(function() return link.closed end)
        for i = 1, 4 do
          assert.equal(C.MP_ELOST, calls[i].rc)
          assert.equal(expected(i), calls[i].sent)
        end
        world:close()
      end
      world = nil
    end)

    it("that was cut off was never whole for the node when it is said to be in part or not sent: " .. name, function()
      for seed = 1, 60 do
        world = link_world.open { settings = { version = version, compression = kinds[kind] },
          peer = { compression = both }, seed = seed }
        local link, node = world:ready()
        local sent = {}
        for i = 1, 6 do sent[i] = assert(link:call(("y"):rep(seed % 7 * 300) .. i)) end
        world.loop:turn(0)
        C.mp_loop_sim_cut(world.loop.handle, world.addr)
        world:until_true(function() return link.closed end)
        world:pass(50)
        local got = {}
        for _, request in ipairs(node.requests) do got[request.cql] = true end
        for _, call in ipairs(sent) do
          if got[call.asked] then assert.equal(WHOLE, call.sent) end
        end
        world:close()
      end
      world = nil
    end)

    it("sees an answer that is arriving: " .. name, function()
      local link, node = open(version, kind)
      local call, other = assert(link:call "big"), assert(link:call "small")
      world:until_true(function() return #node.requests == 2 end)
      local began = C.mp_loop_now_ns(world.loop.handle)
      local noise = {}
      math.randomseed(7)
      for i = 1, 60000 do noise[i] = string.char(math.random(0, 255)) end
      local text = ("head"):rep(300) .. table.concat(noise):sub(1, 60000)
      local bytes = node:framed(node:echo_bytes(node.requests[1], text))
      node:raw(bytes:sub(1, 30000))
      world:pass(50)
      assert.is_true(C.mp_call_is_arriving(call.handle, began))
      assert.is_false(C.mp_call_is_arriving(other.handle, began))
      node:raw(bytes:sub(30001))
      node:echo(node.requests[2])
      world:until_true(function() return call.rc and other.rc end)
    end)

    it("is no way for a node to take memory: " .. name, function()
      local zeros = ("\0"):rep(20000000)
      local bomb = peers.bytes(function(buf) assert(C.mp_compress_body(kinds[kind], zeros, #zeros, buf) == 0) end)
      local link, node = open(version, kind, nil, { max_body_bytes = 10000000 })
      local call = assert(link:call "x")
      world:until_true(function() return #node.requests == 1 end)
      local head = string.char(0x80 + version, version < 5 and 1 or 0, 0, node.requests[1].stream, 8)
      if version < 5 then
        node:raw(head .. peers.bytes(function(buf) C.mp_buf_u32(buf, #bomb) end) .. bomb)
      else
        node:raw(node:framed(head .. peers.bytes(function(buf) C.mp_buf_u32(buf, #zeros) end) .. zeros))
      end
      world:until_true(function() return link.closed end)
      assert.equal(reason "PROTOCOL", link.closed.reason)
      assert.matches("limit", link.closed.message)
      assert.equal(C.MP_EPROTO, call.rc)
    end)

    it("survives each allocation that fails: " .. name, function()
      local done
      for nth = 1, 400 do
        world = link_world.open { settings = { version = version, compression = kinds[kind] },
          peer = { compression = both } }
        C.mp_mem_fail_at(nth, false)
        local link = world.client:open(world.addr)
        local calls, asked = {}, 0
        if link then
          world:until_true(function() return link.ready or link.closed end)
          if link.ready then
            for i = 1, 3 do
              calls[i] = link:call(("m"):rep(i * 90000))
              asked = asked + (calls[i] and 1 or 0)
            end
            local node = world.peer:last()
            world:until_true(function() return link.closed or #node.requests == asked end)
            for _, request in ipairs(node.requests) do node:echo(request, "done") end
            world:until_true(function() return world.client:waiting() == 0 end)
          end
        end
        done = asked == 3 and not link.closed
        C.mp_mem_fail_at(0, false)
        world:close()
        world = nil
        if done and nth > 60 then break end
      end
      assert.is_true(done)
    end)
  end

  it("ends a connection whose node answers STARTUP before it was sent", function()
    for _, wanted in ipairs { "none", "lz4" } do
      local peer = { compression = both, on = {} }
      peer.on.OPTIONS = function(link, request)
        C.mp_loop_sim_set_buffer(world.loop.handle, 1)
        link:supported(request, { "5/v5" })
        link:stop()
        link:raw(peers.bytes(function(buf) C.mp_encode_ready(buf, 5, 0) end))
        return true
      end
      world = link_world.open { settings = { version = 5, compression = kinds[wanted] }, peer = peer }
      assert.equal(reason "PROTOCOL", world:refused().reason)
      world:close()
    end
    world = nil
  end)
end)
