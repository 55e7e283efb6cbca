-- SPDX-License-Identifier: Apache-2.0
-- T10 over TLS: however a connection is cut, it knows which envelopes the node cannot have whole.
local C = require "spec.support.c"
local clients = require "spec.support.client"
local tls_world = require "spec.link.tls_world"

if not C.mp_tls_is_built() then return end

local NOTHING, PART, WHOLE = 0, 1, 2

describe("TLS that is cut", function()
  local tls = tls_world.new()
  setup(function() tls:begin() end)
  teardown(function() tls:finish() end)
  after_each(function() tls:close() end)

  -- T10: of records of 16 KiB, each with 22 bytes around it in 1.3.
  for _, mode in ipairs { { 4, 0 }, { 5, 0 }, { 4, C.MP_COMPRESSION_LZ4 }, { 5, C.MP_COMPRESSION_LZ4 } } do
    it(("knows how much left, cut at any byte: v%d, %s"):format(mode[1], mode[2] == 0 and "plain" or "LZ4"), function()
      math.randomseed(3)
      local noise = {}
      for i = 1, 36000 do noise[i] = string.char(math.random(0, 255)) end
      local texts = { "first", ("s"):rep(900), table.concat(noise), "fourth" }
      local context, world = assert(tls:context { ca = "ca.pem", minor = 3 }), nil
      local function begin()
        world = tls:open { version = mode[1], compression = mode[2], tls = context }
        local link, node = world:ready()
        node:stop()
        return link, node
      end
      local function burst(link)
        local calls = {}
        for i, text in ipairs(texts) do calls[i] = assert(link:call(text)) end
        return calls
      end
      local function inner_end(link) return tonumber(C.mp_output_end(link.conn.out)) end

      -- Where each begins and ends for the peer, counted from the first byte of the burst, before TLS.
      local link = begin()
      local from, start, stop = inner_end(link), {}, {}
      local calls = burst(link)
      for i, call in ipairs(calls) do
        start[i], stop[i] = tonumber(call.handle.start_pos) - from, tonumber(call.handle.end_pos) - from
      end
      local to = inner_end(link)
      if mode[1] == 5 then
        if mode[2] == 0 then to = to + 4 end -- the segment is not sealed yet
        for i = 1, 4 do stop[i] = to - from end
        if mode[2] ~= 0 then for i = 1, 4 do start[i] = 0 end end
      end
      local length = to - from
      tls:close_world()

      local function wire(inner) return inner + 22 * math.ceil(inner / 16384) end -- behind whole records up to there
      local function record_end(at) return wire(math.min(length, (math.floor((at - 1) / 16384) + 1) * 16384)) end
      local function record_begin(at) return wire(math.floor(at / 16384) * 16384) end
      local total, cuts = wire(length), {}
      for i = 1, 4 do
        for _, at in ipairs { record_begin(start[i]), record_end(stop[i]) } do
          for near = -1, 1 do cuts[#cuts + 1] = at + near end
        end
      end
      for at = 1, total, 1511 do cuts[#cuts + 1] = at end
      for _, cut in ipairs(cuts) do
        if cut >= 1 and cut <= total then
          local node
          link, node = begin()
          C.mp_loop_sim_set_buffer(world.loop.handle, cut)
          calls = burst(link)
          world.loop:turn(0)
          world:pass(30)
          for i = 1, 4 do
            local expected = cut >= record_end(stop[i]) and WHOLE or cut > record_begin(start[i]) and PART or NOTHING
            assert.equal(expected, clients.sent(calls[i]), i .. " at " .. cut .. " of " .. total)
          end
          node:close(true)
          world:until_true(function() return link.closed end)
          tls:close_world()
        end
      end
    end)
  end

  -- The same for small records, one for each envelope, at every byte of them.
  for version = 4, 5 do
    it("knows how much of each record left, at every cut: v" .. version, function()
      local context, world = assert(tls:context { ca = "ca.pem", minor = 3 }), nil
      local function burst(limit)
        world = tls:open { version = version, tls = context }
        local link, node = world:ready()
        node:stop()
        if limit then C.mp_loop_sim_set_buffer(world.loop.handle, limit) end
        local records, calls, ends = C.mp_tls_records(link.conn.tls), {}, {}
        local from = tonumber(records.base + records.wire.len)
        for i, text in ipairs { "one", ("2"):rep(40), "three" } do
          calls[i] = assert(link:call(text))
          world.loop:turn(0)
          world.loop:turn(0)
          ends[i] = tonumber(records.base + records.wire.len) - from
        end
        return calls, ends, node, link
      end
      local _, ends = burst()
      assert.is_true(ends[3] > 150)
      tls:close_world()
      for cut = 1, ends[3] do
        local calls, _, node, link = burst(cut)
        world:pass(30)
        for i = 1, 3 do
          local expected = cut >= ends[i] and WHOLE or cut > (ends[i - 1] or 0) and PART or NOTHING
          assert.equal(expected, clients.sent(calls[i]), i .. " at " .. cut .. " of " .. ends[3])
        end
        node:close(true)
        world:until_true(function() return link.closed end)
        tls:close_world()
      end
    end)
  end
end)
