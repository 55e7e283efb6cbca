-- SPDX-License-Identifier: Apache-2.0
-- The write buffer against a model: whatever is written in whatever pieces, the peer reads the envelopes in order, and
-- an envelope counts as taken exactly when the bytes that the kernel took are enough to read it.
local ffi = require "ffi"
local C = require "spec.support.c"
local breaks = require "spec.support.faults.breaks"
local sim_world = require "spec.support.sim_world"

-- How envelopes leave: as they are, in segments, or compressed.
local function use(out, mode)
  if mode == "segments" then C.mp_output_use_segments(out) end
  if mode == "LZ4 segments" then C.mp_output_use_lz4_segments(out) end
  if mode == "LZ4 bodies" then C.mp_output_compress_bodies(out, C.MP_COMPRESSION_LZ4) end
  if mode == "Snappy bodies" then C.mp_output_compress_bodies(out, C.MP_COMPRESSION_SNAPPY) end
end
local modes = { "nothing", "segments", "LZ4 segments", "LZ4 bodies", "Snappy bodies" }

local function random_world(seed, mode)
  math.randomseed(seed)
  local loop = sim_world.loop(seed)
  local addr = sim_world.addr("127.0.0.1", 9042)
  local taken = {}
  local sock_events = loop:keep(ffi.new "struct mp_sock_events")
  sock_events.on_connect = loop:callback("void (*)(void *, int)", function(_, rc) assert(rc == 0) end)
  sock_events.on_read = loop:callback("void (*)(void *, const uint8_t *, size_t)", function(_, bytes, len)
    taken[#taken + 1] = ffi.string(bytes, len)
  end)
  sock_events.on_end = loop:callback("void (*)(void *, int)", function() end)
  local out = ffi.new "struct mp_output"
  sock_events.on_writable = loop:callback("void (*)(void *)", function() out.blocked = false end)
  local server
  local err = ffi.new "int[1]"
  local listener = C.mp_loop_listen(loop.handle, addr,
    loop:callback("void (*)(void *, struct mp_sock *)", function(_, sock)
      server = sock
      C.mp_sock_adopt(sock, sock_events, nil)
    end), nil, err)
  local client = C.mp_loop_connect(loop.handle, addr, nil, sock_events, nil, err)
  loop:until_true(function() return server end)
  C.mp_output_init(out)
  use(out, mode)
  return {
    mode = mode, loop = loop, out = out, client = client,
    read = function() return table.concat(taken) end,
    close = function()
      C.mp_output_deinit(out)
      C.mp_sock_close(client, false)
      C.mp_sock_close(server, false)
      C.mp_listener_close(listener)
      loop:pass(10)
      loop:close()
    end,
  }
end

-- The bodies of the envelopes that can be read from the bytes.
local function decode(bytes, mode)
  local bodies = {}
  local dec = ffi.new "struct mp_decoder"
  C.mp_decoder_init(dec, false, 2 ^ 30)
  if mode:find "LZ4" then C.mp_decoder_use_compression(dec, C.MP_COMPRESSION_LZ4) end
  if mode:find "Snappy" then C.mp_decoder_use_compression(dec, C.MP_COMPRESSION_SNAPPY) end
  if mode:find "segments" then C.mp_decoder_use_segments(dec) end
  local on_envelope = ffi.cast(sim_world.types["int (*)(void *, const struct mp_envelope *)"], function(_, envelope)
    bodies[#bodies + 1] = ffi.string(envelope.body, envelope.body_len)
    return 0
  end)
  assert.equal(0, C.mp_decoder_feed(dec, ffi.cast("const uint8_t *", bytes), #bytes, on_envelope, nil))
  on_envelope:free()
  C.mp_decoder_deinit(dec)
  return bodies
end

-- Bytes that no method makes smaller.
local function noise(size)
  local bytes = {}
  for i = 1, math.min(size, 3000) do bytes[i] = string.char(math.random(0, 255)) end
  return table.concat(bytes):rep(math.ceil(size / 3000)):sub(1, size)
end

local function put(world, body, fail, may_lack, stream)
  local out = world.out
  local start = C.mp_output_begin(out)
  local version = world.mode:find "bodies" and 4 or 5
  local begin = C.mp_envelope_begin(out.buf, version, false, 0, stream or 1, C.MP_OP_QUERY)
  C.mp_buf_bytes(out.buf, body, #body)
  C.mp_envelope_end(out.buf, begin)
  if fail then
    C.mp_output_cancel(out, start)
    return
  end
  local from, to = ffi.new "uint64_t[1]", ffi.new "uint64_t[1]"
  local rc = C.mp_output_commit(out, start, from, to)
  if may_lack and rc == C.MP_ENOMEM then return nil end
  assert(rc == 0)
  return { body = body, from = from[0], to = to[0] }
end

describe("the write buffer", function()
  for _, mode in ipairs(modes) do
    local name = "with " .. mode

    it("gives the peer every envelope in order, " .. name, function()
      for seed = 1, 12 do
        local world = random_world(seed, mode)
        C.mp_loop_sim_set_buffer(world.loop.handle, math.random(50, 200000))
        local bodies = {}
        for i = 1, 60 do
          local size = math.random(10) == 1 and math.random(400000) or math.random(0, 300)
          local body = i .. ":" .. (math.random(3) == 1 and noise(size) or ("e"):rep(size))
          if math.random(8) == 1 then
            put(world, body, true)
          else
            put(world, body)
            bodies[#bodies + 1] = body
          end
          if math.random(4) == 1 then
            if not world.out.blocked then assert(C.mp_output_flush(world.out, world.client) == 0) end
            world.loop:pass(math.random(0, 2))
          end
        end
        world.loop:until_true(function()
          if not world.out.blocked then assert(C.mp_output_flush(world.out, world.client) == 0) end
          return tonumber(C.mp_output_waiting(world.out)) == 0
        end, 1e6)
        world.loop:pass(1000)
        local got = decode(world.read(), mode)
        assert.equal(#bodies, #got)
        for i, body in ipairs(bodies) do assert(got[i] == body) end
        assert.equal(0, tonumber(world.out.buf.len))
        assert.equal(0, tonumber(world.out.pack.wire.len))
        world.close()
      end
    end)

    it("knows at every byte which envelopes the peer can read, " .. name, function()
      local world = random_world(7, mode)
      -- Of LZ4 segments there are three: any byte of one is a part of all that stands in it.
      local function burst()
        local puts = { put(world, "a"), put(world, "bb"), put(world, ("c"):rep(50)), put(world, ("d"):rep(2000)) }
        local unit = 0
        for i, one in ipairs(puts) do
          one.unit = mode == "LZ4 segments" and unit or tonumber(one.from)
          if i == 4 then
            unit = tonumber(C.mp_output_end(world.out))
            puts[5], puts[6] = put(world, ("e"):rep(3000)), put(world, "f")
            for j = 5, 6 do puts[j].unit = mode == "LZ4 segments" and unit or tonumber(puts[j].from) end
            break
          end
        end
        return puts
      end
      burst()
      assert(C.mp_output_flush(world.out, world.client) == 0)
      local at = tonumber(C.mp_output_end(world.out))
      world.close()
      for cut = 1, at do
        world = random_world(7, mode)
        local puts = burst()
        C.mp_loop_sim_set_buffer(world.loop.handle, cut)
        assert(C.mp_output_flush(world.out, world.client) == 0)
        world.out.blocked = false
        local count = tonumber(C.mp_output_taken_end(world.out))
        assert.equal(cut, count)
        world.loop:pass(10)
        local readable = #decode(world.read():sub(1, count), mode)
        for i, one in ipairs(puts) do
          assert(C.mp_output_took_all(world.out, one.to) == (i <= readable), "envelope " .. i .. " at " .. count)
          assert(C.mp_output_took_any(world.out, one.from) == (count > one.unit))
        end
        world.close()
      end
    end)

    it("knows the same of envelopes of many segments, " .. name, function()
      for seed = 1, 8 do
        local world = random_world(seed, mode)
        local puts = {}
        for i = 1, 6 do
          puts[i] = put(world, ("m"):rep(math.random(3) == 1 and math.random(300000) or 100), false, false, i)
        end
        C.mp_loop_sim_set_buffer(world.loop.handle, math.random(500, 100000))
        for _ = 1, 25 do
          if not world.out.blocked then assert(C.mp_output_flush(world.out, world.client) == 0) end
          local count = tonumber(C.mp_output_taken_end(world.out))
          world.loop:pass(0.3)
          local got = world.read()
          if #got >= count then
            local readable = #decode(got:sub(1, count), mode)
            for i, one in ipairs(puts) do
              assert(C.mp_output_took_all(world.out, one.to) == (i <= readable))
              if mode ~= "LZ4 segments" then
                local from = tonumber(one.from)
                assert(C.mp_output_took_any(world.out, one.from) == (count > from))
                if #got > from + 9 then assert.equal(i, got:byte(from + 4)) end -- its stream id
              end
            end
          end
        end
        world.close()
      end
    end)
  end

  for _, mode in ipairs(modes) do
    it("wipes what was secret, with " .. mode, function()
      local world = random_world(3, mode)
      C.mp_output_set_secret(world.out, true)
      put(world, ("password"):rep(200))
      local runs = {}
      for i, buf in ipairs { world.out.buf, world.out.pack.wire } do runs[i] = { buf.data, tonumber(buf.cap) } end
      C.mp_loop_sim_set_buffer(world.loop.handle, 30)
      world.loop:until_true(function()
        if not world.out.blocked then assert(C.mp_output_flush(world.out, world.client) == 0) end
        return tonumber(C.mp_output_waiting(world.out)) == 0
      end)
      for _, run in ipairs(runs) do
        if run[2] > 0 then assert.is_nil(ffi.string(run[1], run[2]):find("password", 1, true)) end
      end
      C.mp_output_set_secret(world.out, false)
      world.loop:pass(100)
      assert.equal(("password"):rep(200), decode(world.read(), mode)[1])
      world.close()
    end)
  end

  it("makes bodies smaller, or leaves them", function()
    for _, mode in ipairs { "LZ4 bodies", "Snappy bodies" } do
      local world = random_world(3, mode)
      local long, short, hard = put(world, ("x"):rep(5000)), put(world, ("x"):rep(400)), put(world, noise(2000))
      assert.is_true(long.to - long.from < 400)
      assert.equal(409, tonumber(short.to - short.from))
      local least, less = put(world, ("x"):rep(512)), put(world, ("x"):rep(511))
      assert.is_true(least.to - least.from < 100)
      assert.equal(520, tonumber(less.to - less.from))
      assert.equal(2009, tonumber(hard.to - hard.from))
      world.close()
    end
  end)

  it("keeps the order of what stands before an envelope for which there is no memory", function()
    for _, mode in ipairs(modes) do
      for nth = 1, 6 do
        local world = random_world(5, mode)
        local bodies = {}
        for i = 1, 12 do
          local body = i .. noise(({ 10, 3000, 70000, 200000 })[i % 4 + 1])
          C.mp_mem_fail_at(i == 7 and nth or 0, false)
          local taken = put(world, body, false, true)
          C.mp_mem_fail_at(0, false)
          if taken then bodies[#bodies + 1] = body end
        end
        world.loop:until_true(function()
          if not world.out.blocked then assert(C.mp_output_flush(world.out, world.client) == 0) end
          return tonumber(C.mp_output_waiting(world.out)) == 0
        end, 1e6)
        world.loop:pass(1000)
        local got = decode(world.read(), mode)
        assert.equal(#bodies, #got)
        for i, body in ipairs(bodies) do assert(got[i] == body) end
        world.close()
      end
    end
  end)

  local function flush(world)
    world.loop:until_true(function()
      if not world.out.blocked then assert(C.mp_output_flush(world.out, world.client) == 0) end
      return tonumber(C.mp_output_waiting(world.out)) == 0
    end, 1e6)
  end

  it("gives a large buffer back when it has been calm for a while", function()
    local rough = {}
    for i = 1, 60000 do rough[i] = string.char(math.random(0, 255)) end
    rough = table.concat(rough)
    for _, mode in ipairs { "nothing", "segments", "LZ4 segments" } do
      local world = random_world(3, mode)
      C.mp_loop_sim_set_buffer(world.loop.handle, 1e8) -- each flush takes all
      local buf = mode == "LZ4 segments" and world.out.pack.wire or world.out.buf
      local function burst(size)
        for _ = 1, size / 60000 do put(world, rough) end
        flush(world)
      end
      local function is_large() return buf.cap > 524288 end
      for _ = 1, 40 do burst(60000) end
      assert.is_false(is_large())
      burst(1200000)
      assert.is_true(is_large(), mode)
      for _ = 1, 31 do burst(60000) end
      -- More than half of what is kept, once it is compressed: it is not calm.
      burst(mode == "LZ4 segments" and 720000 or 360000)
      for _ = 1, 31 do burst(60000) end
      assert.is_true(is_large(), mode)
      burst(60000)
      assert.is_false(is_large(), mode)
      world.close()
    end
  end)

  it("moves what waits to the front once that is the smaller part", function()
    local function after(taken, all)
      local world = random_world(3, "nothing")
      put(world, ("x"):rep(all - 9))
      C.mp_loop_sim_set_buffer(world.loop.handle, taken)
      assert.equal(0, C.mp_output_flush(world.out, world.client))
      assert.equal(taken, tonumber(world.out.taken))
      C.mp_output_begin(world.out)
      local left, base = tonumber(world.out.taken), tonumber(world.out.base)
      assert.equal(all - taken, tonumber(C.mp_output_waiting(world.out)))
      assert.equal(taken, left + base)
      world.close()
      return left == 0
    end
    assert.is_true(after(65536, 131072))
    assert.is_true(after(100000, 110000))
    assert.is_false(after(65536, 131073))
    assert.is_false(after(65535, 70000))
    assert.is_false(after(100, 150))
  end)

  it("has room for the ends of segments before it takes an envelope", function()
    local world = random_world(3, "segments")
    local out, from, to = world.out, ffi.new "uint64_t[1]", ffi.new "uint64_t[1]"
    -- One of so many bytes, with so much room behind it and no memory for more.
    local function commit(size, room)
      local start = C.mp_output_begin(out)
      local begin = C.mp_envelope_begin(out.buf, 5, false, 0, 1, C.MP_OP_QUERY)
      C.mp_buf_bytes(out.buf, ("x"):rep(size), size)
      C.mp_envelope_end(out.buf, begin)
      local cap = out.buf.cap
      out.buf.cap = out.buf.len + room
      C.mp_mem_fail_at(1, true)
      local rc = C.mp_output_commit(out, start, from, to)
      C.mp_mem_fail_at(0, false)
      out.buf.cap = cap
      return rc
    end
    assert.equal(C.MP_ENOMEM, commit(100, 19))
    assert.equal(0, commit(101, 20))
    assert.equal(0, commit(122880, 20)) -- and is sealed
    assert.equal(C.MP_ENOMEM, commit(400000, 20)) -- alone, for four segments
    assert.equal(0, commit(102, 20))
    flush(world)
    world.loop:pass(100)
    local got = decode(world.read(), "segments")
    assert.equal(3, #got)
    for i, size in ipairs { 101, 122880, 102 } do assert.equal(size, #got[i]) end
    world.close()
  end)

  it("is due at 128 KiB, unless the kernel takes no more", function()
    local world = random_world(3, "nothing")
    put(world, ("x"):rep(131071 - 9))
    assert.is_false(C.mp_output_is_due(world.out))
    world.out.buf.len = world.out.buf.len + 1
    assert.is_true(C.mp_output_is_due(world.out))
    world.out.blocked = true
    assert.is_false(C.mp_output_is_due(world.out))
    world.out.blocked, world.out.failed = false, true
    assert.is_false(C.mp_output_is_due(world.out))
    world.out.failed = false
    world.close()
  end)

  it("seals a segment that is nearly full, so that no small envelope is moved", function()
    for _, more in ipairs { -1, 0, 1 } do
      local world = random_world(3, "segments")
      put(world, ("w"):rep(122880 - 9)) -- one that is sealed already stands in front
      put(world, ("x"):rep(122880 + more - 9))
      assert.equal(more >= 0, world.out.segment == 0xffffffffffffffffULL)
      put(world, "y")
      flush(world)
      world.loop:pass(100)
      local size = more >= 0 and 2 * 10 or 10
      assert.equal(122880 + 10 + 122880 + more + 10 + size, #world.read())
      world.close()
    end
  end)

  it("goes on with compressed segments where other bytes have left", function()
    local world = random_world(3, "nothing")
    local first = put(world, "before")
    world.out.taken, world.out.whole_pos = world.out.buf.len, first.to -- as while a record of TLS's own is to leave
    C.mp_output_use_lz4_segments(world.out)
    local function first_left()
      return C.mp_output_took_all(world.out, first.to) and C.mp_output_took_any(world.out, first.from)
    end
    assert.is_true(first_left())
    assert.equal(0, tonumber(C.mp_output_waiting(world.out)))
    local second = put(world, ("after"):rep(300))
    assert.equal(first.to, second.from)
    C.mp_loop_sim_set_buffer(world.loop.handle, 1)
    assert.equal(0, C.mp_output_flush(world.out, world.client))
    assert.is_true(first_left())
    assert.is_false(C.mp_output_took_all(world.out, second.to))
    assert.equal(first.to + 1, C.mp_output_taken_end(world.out))
    flush(world)
    assert.is_true(C.mp_output_took_all(world.out, second.to))
    world.loop:pass(10)
    assert.same({ ("after"):rep(300) }, decode(world.read(), "LZ4 segments"))
    world.close()
  end)

  it("takes what has begun to leave in a record for what may be there", function()
    local world = random_world(3, "nothing")
    local one, two = put(world, "one"), put(world, "two")
    local function any(envelope) return C.mp_output_took_any(world.out, envelope.from) end
    local function took() return any(one), any(two) end
    assert.same({ false, false }, { took() })
    world.out.begun = 1
    assert.same({ true, false }, { took() })
    world.out.begun = one.to
    assert.same({ true, false }, { took() })
    world.out.begun = one.to + 1
    assert.same({ true, true }, { took() })
    world.close()
  end)

  it("changes how envelopes leave once, and before there are any", function()
    for _, mode in ipairs { "segments", "LZ4 segments", "LZ4 bodies" } do
      local world = random_world(3, mode)
      assert.is_true(breaks(C.mp_output_compress_bodies, world.out, C.MP_COMPRESSION_LZ4))
      assert.is_true(breaks(C.mp_output_use_lz4_segments, world.out))
      if mode == "segments" then assert.is_true(breaks(C.mp_output_use_segments, world.out)) end
      world.close()
    end
    local world = random_world(3, "nothing")
    assert.is_false(breaks(C.mp_output_use_tls, world.out, nil))
    put(world, "x")
    assert.is_true(breaks(C.mp_output_use_lz4_segments, world.out))
    assert.is_true(breaks(C.mp_output_use_tls, world.out, nil))
    assert.is_false(breaks(C.mp_output_use_segments, world.out))
    local from, to = ffi.new "uint64_t[1]", ffi.new "uint64_t[1]"
    assert.is_true(breaks(C.mp_output_commit, world.out, C.mp_output_begin(world.out), from, to)) -- nothing is there
    world.close()
  end)

  it("says that the kernel refused records of TLS", function()
    if not C.mp_tls_is_built() then return end
    for _, offer in ipairs { C.mp_output_flush, C.mp_output_end_tls } do
      local world = random_world(3, "nothing")
      local options, why, err = ffi.new "struct mp_tls_options", ffi.new "char[300]", ffi.new "int[1]"
      options.unverified = true
      local context = C.mp_tls_context_new(options, why, 300, err)
      local tls = C.mp_tls_new(context, nil, sim_world.addr("127.0.0.1", 9042), ffi.new "struct mp_uuid")
      C.mp_output_use_tls(world.out, tls)
      assert.equal(0, C.mp_tls_feed(tls, nil, 0, nil, nil)) -- its first words
      C.mp_loop_sim_cut(world.loop.handle, sim_world.addr("127.0.0.1", 9042))
      world.loop:pass(50)
      local rc = offer(world.out, world.client)
      if offer == C.mp_output_flush then assert.equal(C.MP_ELOST, rc) end
      assert.is_true(world.out.failed)
      C.mp_tls_free(tls)
      C.mp_tls_context_unref(context)
      world.close()
    end
  end)

  it("offers nothing where there is nothing", function()
    for _, mode in ipairs(modes) do
      local world = random_world(3, mode)
      C.mp_loop_sim_cut(world.loop.handle, sim_world.addr("127.0.0.1", 9042))
      world.loop:pass(50)
      assert.equal(0, C.mp_output_flush(world.out, world.client))
      world.close()
    end
  end)

  it("offers nothing more once the kernel has refused", function()
    local world = random_world(3, "nothing")
    C.mp_loop_sim_cut(world.loop.handle, sim_world.addr("127.0.0.1", 9042))
    world.loop:pass(50)
    put(world, "x")
    assert.equal(C.MP_ELOST, C.mp_output_flush(world.out, world.client))
    assert.equal(C.MP_ELOST, C.mp_output_flush(world.out, world.client))
    world.close()
  end)
end)
