-- SPDX-License-Identifier: Apache-2.0
-- Drives the C decoder: bytes cut in some way in, a list of envelopes out.
local assert = require "luassert"
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

local M = {}

-- Parsed once: LuaJIT keeps each parsed function type for ever, and has room for 65,536.
local callback_type = ffi.typeof "int (*)(void *, const struct mp_envelope *)"

local function copy(env)
  return {
    version = env.version, response = env.response, flags = env.flags, stream = env.stream, opcode = env.opcode,
    body = ffi.string(env.body, env.body_len),
  }
end

local function feed(dec, memory, len, callback)
  return C.mp_decoder_feed(dec, memory, len, callback, nil)
end

local Decoder = {}
Decoder.__index = Decoder

-- options: server, segmented, compression, version, max_body, on_envelope(self, envelope) -> rc
function M.new(options)
  options = options or {}
  local self = setmetatable({ envelopes = {}, dec = ffi.new "struct mp_decoder" }, Decoder)
  C.mp_decoder_init(self.dec, not options.server, options.max_body or 16777216)
  self.dec.version = options.version or 0
  if options.segmented then C.mp_decoder_use_segments(self.dec) end
  if options.compression then C.mp_decoder_use_compression(self.dec, options.compression) end
  self.callback = ffi.cast(callback_type, function(_, env)
    self.envelopes[#self.envelopes + 1] = copy(env)
    self.last_body = ffi.cast("uintptr_t", env.body)
    return options.on_envelope and options.on_envelope(self, env) or 0
  end)
  return self
end

-- Feed one chunk, in memory of exactly its size; 0 or an error.
function Decoder:feed(chunk)
  local memory = bytes.exact(chunk)
  self.fed = ffi.cast("uintptr_t", memory)
  return feed(self.dec, memory, #chunk, self.callback)
end

-- Feed in chunks whose lengths `cut` gives; ends at the first error.
function Decoder:feed_cut(all, cut)
  local at = 1
  while at <= #all do
    local len = math.max(1, math.min(cut(), #all - at + 1))
    local rc = self:feed(all:sub(at, at + len - 1))
    if rc ~= 0 then return rc end
    at = at + len
  end
  return 0
end

function Decoder:why() return ffi.string(self.dec.why) end

function Decoder:close()
  C.mp_decoder_deinit(self.dec)
  self.callback:free()
end

-- Decode `all` cut by `cut`: { envelopes, rc, why, seen, stream }.
function M.run(all, options, cut)
  local self = M.new(options)
  local rc = self:feed_cut(all, cut or function() return #all end)
  local result = { envelopes = self.envelopes, rc = rc, why = self:why(), seen = self.dec.seen_version,
    stream = self.dec.seen_stream }
  self:close()
  return result
end

-- Decode whole, byte by byte and in `rounds` random cuts; all must agree. The result of the whole.
function M.every_way(all, options, rounds, seed)
  local whole = M.run(all, options)
  assert.same(whole, M.run(all, options, function() return 1 end))
  local rand = bytes.rand(seed or 1)
  for _ = 1, rounds or 8 do
    local longest = rand(1, math.max(2, #all))
    assert.same(whole, M.run(all, options, function() return rand(1, longest) end))
  end
  return whole
end

return M
