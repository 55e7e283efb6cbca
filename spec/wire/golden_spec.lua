-- SPDX-License-Identifier: Apache-2.0
-- Every message in every version: bytes written by hand are what encoders give, and what decoders read, however the
-- bytes are cut and however they are damaged.
local bytes = require "spec.support.bytes"
local decoding = require "spec.support.decoding"
local golden = require "spec.wire.golden"
local messages = require "spec.support.messages"
local C = require "spec.support.c"

local function is_request(frame) return frame.bytes:byte(1) < 0x80 end

local function options(frame) return { server = is_request(frame) } end

local function segment(payload)
  local buf = bytes.buf()
  local begin = C.mp_segment_begin(buf)
  C.mp_buf_bytes(buf, payload, #payload)
  C.mp_segment_end(buf, begin)
  return bytes.content(buf)
end

describe("a golden frame", function()
  for _, frame in ipairs(golden) do
    if frame.encode then
      it("is what the encoder writes: " .. frame.name, function()
        local buf = bytes.buf()
        frame.encode(buf, frame.version)
        assert.equal(bytes.hex(frame.bytes), bytes.hex(bytes.content(buf)))
      end)
    end

    it("is decoded alike in all cuts: " .. frame.name, function()
      local result = decoding.every_way(frame.bytes, options(frame), 6)
      assert.equal(0, result.rc)
      assert.equal(1, #result.envelopes)
      local env = result.envelopes[1]
      assert.equal(frame.version, env.version)
      assert.equal(frame.version, result.seen)
      assert.equal(frame.bytes:sub(10), env.body)
      local rc, body, _, memory = messages.decode(env, true)
      assert.equal(0, rc)
      if frame.check then frame.check(body, frame.version) end
      assert.truthy(memory)
    end)

    if frame.version == 5 then
      it("is the same inside of segments: " .. frame.name, function()
        local plain = decoding.run(frame.bytes, options(frame))
        local opts = options(frame)
        opts.segmented = true
        assert.same(plain, decoding.every_way(segment(frame.bytes), opts, 4))
      end)
    end

    it("is refused when its end is missing: " .. frame.name, function()
      local env = decoding.run(frame.bytes, options(frame)).envelopes[1]
      local body = env.body
      for len = 0, #body - 1 - frame.spare do
        env.body = body:sub(1, len)
        assert.equal(C.MP_EPROTO, (messages.decode(env)), "with " .. len .. " bytes")
      end
      env.body = body .. "\0\1\2\3" -- what an extension of the protocol may add
      assert.equal(0, (messages.decode(env)))
    end)
  end

  it("follows others in one stream, in all cuts", function()
    for _, server in ipairs { true, false } do
      local all, count = {}, 0
      for _, frame in ipairs(golden) do
        if is_request(frame) == server and frame.version == 4 then
          all[#all + 1], count = frame.bytes, count + 1
        end
      end
      local result = decoding.every_way(table.concat(all), { server = server, version = 4 }, 40)
      assert.equal(0, result.rc)
      assert.equal(count, #result.envelopes)
    end
  end)
end)

-- Deterministic damage: bytes flipped, removed and added, counts blown up.
local function damage(rand, body)
  local out = body
  for _ = 1, rand(1, 4) do
    local at = rand(1, math.max(1, #out))
    local kind = rand(1, 5)
    if kind == 1 then
      out = out:sub(1, at - 1) .. string.char(rand(0, 255)) .. out:sub(at + 1)
    elseif kind == 2 then
      out = out:sub(1, at - 1) .. out:sub(at + rand(1, 4))
    elseif kind == 3 then
      out = out:sub(1, at - 1) .. bytes.random_bytes(rand, rand(1, 6)) .. out:sub(at)
    elseif kind == 4 then
      out = out:sub(1, at - 1) .. ("\255"):rep(rand(1, 4)) .. out:sub(at + 4)
    else
      out = out:sub(1, at - 1) .. "\127\255\255\255" .. out:sub(at + 4)
    end
  end
  return out
end

describe("hostile bytes", function()
  it("in place of a golden body end in a value or a protocol error, nothing else", function()
    local rand = bytes.rand(42)
    local seen = { [0] = 0, [C.MP_EPROTO] = 0 }
    for _, frame in ipairs(golden) do
      local env = decoding.run(frame.bytes, options(frame)).envelopes[1]
      local body = env.body
      for _ = 1, 500 do
        env.body = damage(rand, body)
        env.flags = rand(0, 9) == 0 and rand(0, 31) or 0
        local rc = messages.decode(env)
        assert.truthy(seen[rc], "an unexpected result: " .. tostring(rc))
        seen[rc] = seen[rc] + 1
      end
    end
    assert.is_true(seen[0] > 1000 and seen[C.MP_EPROTO] > 1000)
  end)

  it("without any sense are only ever refused or ignored, as bodies", function()
    local rand = bytes.rand(7)
    local opcodes = { 0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10 }
    for _ = 1, 50000 do
      local opcode = opcodes[rand(1, #opcodes)]
      local body = bytes.random_bytes(rand, rand(0, 40))
      if opcode == 0x08 and rand(0, 1) == 1 then body = "\0\0\0" .. string.char(rand(1, 5)) .. body end
      local rc = messages.decode {
        version = rand(3, 5), response = C.mp_opcode_is_response(opcode), flags = rand(0, 3) == 0 and rand(0, 255) or 0,
        opcode = opcode, body = body,
      }
      assert.is_true(rc == 0 or rc == C.MP_EPROTO)
    end
  end)

  it("as a stream never crash the decoder, and give the same in all cuts", function()
    local rand = bytes.rand(11)
    for round = 1, 1500 do
      local frame = golden[rand(1, #golden)]
      local all = frame.bytes .. bytes.random_bytes(rand, rand(0, 30)) .. frame.bytes
      if rand(0, 1) == 1 then all = damage(rand, all) end
      local opts = options(frame)
      opts.segmented = rand(0, 3) == 0
      if opts.segmented then all = segment(frame.bytes) .. damage(rand, segment(frame.bytes)) end
      opts.max_body = 1000
      decoding.every_way(all, opts, 1, round)
    end
  end)
end)
