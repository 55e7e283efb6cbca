-- SPDX-License-Identifier: Apache-2.0
-- For specs of TLS on one connection: certificates, contexts of both sides, and a world (spec/support/link_world.lua)
-- whose client and node have them.
local ffi = require "ffi"
local C = require "spec.support.c"
local certificates = require "spec.support.certificates"
local link_world = require "spec.support.link_world"

local Tls = {}
Tls.__index = Tls

local tls_world = {}

-- For one `describe`: begin() before its specs, close() behind each, finish() behind all.
function tls_world.new() return setmetatable({ contexts = {} }, Tls) end

function Tls:begin() self.folder = certificates.folder() end
function Tls:finish() certificates.remove(self.folder) end

function Tls:issue(name, names) certificates.issue(self.folder, name, names) end
function Tls:file(name) return name and self.folder .. "/" .. name end

-- The client's context; and, when the files are bad, nil, the message and the error.
function Tls:context(options)
  options = options or {}
  local o, why, err = ffi.new "struct mp_tls_options", ffi.new "char[300]", ffi.new "int[1]"
  local kept = {}
  for _, key in ipairs { "ca", "cert", "key", "crl" } do
    kept[key] = self:file(options[key])
    if kept[key] then o[key] = kept[key] end
  end
  o.pass_phrase, o.ciphers = options.pass_phrase, options.ciphers
  o.unverified, o.minor = options.unverified or false, options.minor or 0
  o.identity = C["MP_TLS_" .. (options.identity or "NAME")]
  local made = C.mp_tls_context_new(o, why, 300, err)
  if made == nil then return nil, ffi.string(why), err[0] end
  self.contexts[#self.contexts + 1] = made
  return made
end

function Tls:server(name, options)
  options = options or {}
  local why = ffi.new "char[300]"
  local made = C.mp_sim_tls_context_new(self:file(name .. ".pem"), self:file(name .. ".key"), self:file(options.ca),
    options.minor or 0, why, 300)
  assert(made ~= nil, ffi.string(why))
  return ffi.gc(made, C.mp_sim_tls_context_free)
end

-- options: server (a certificate's name), serve (its options), client (options of the context), tls (a context), name,
-- version, compression, settings, peer
function Tls:open(options)
  local settings = { version = options.version or 5,
    tls = options.tls or assert(self:context(options.client or { ca = "ca.pem" })), tls_name = options.name,
    compression = options.compression or 0 }
  for key, value in pairs(options.settings or {}) do settings[key] = value end
  local peer = { tls = options.plain ~= true and self:server(options.server or "good", options.serve) or nil,
    compression = { "lz4", "snappy" } }
  for key, value in pairs(options.peer or {}) do peer[key] = value end
  self.world = link_world.open { settings = settings, peer = peer, seed = options.seed }
  return self.world
end

function Tls:close_world()
  if self.world then self.world:close() end
  self.world = nil
end

-- A spec that makes thousands gives them back as it goes: each holds about a megabyte under the sanitizers.
function Tls:free_contexts()
  for _, made in ipairs(self.contexts) do C.mp_tls_context_unref(made) end
  self.contexts = {}
end

function Tls:close()
  C.mp_mem_fail_at(0, false)
  self:close_world()
  self:free_contexts()
  collectgarbage()
end

return tls_world
