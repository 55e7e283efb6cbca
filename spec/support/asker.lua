-- SPDX-License-Identifier: Apache-2.0
-- Asks policies of any kind, an honest question or the one that attempts to break out wait for (spec/escape): the tag
-- "evil", an error with 77 required answers, a 77th attempt, a datacentre of priority 77.
local ffi = require "ffi"
local C = require "spec.support.c"
local datacentres = require "spec.support.datacentres"
local effort = require "spec.support.effort"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

pcall(ffi.cdef, "uint64_t mp_vm_cpu_ns(void);")

local EVIL = 77

local asker = {}

asker.kinds = { balance = C.MP_POLICY_BALANCE, retry = C.MP_POLICY_RETRY, reconnect = C.MP_POLICY_RECONNECT,
  speculate = C.MP_POLICY_SPECULATE, failover = C.MP_POLICY_FAILOVER }

-- Milliseconds of the processor that `fn` took, and its first results. On a machine that is slower or busier than the
-- one that the bounds were set on they are shorter ones.
function asker.ms_of(fn, ...)
  local from = C.mp_vm_cpu_ns()
  local result, more = fn(...)
  return tonumber(C.mp_vm_cpu_ns() - from) / 1e6 / effort.scale(), result, more
end

local Asker = {}
Asker.__index = Asker

function asker.new()
  local self = setmetatable({
    view = topology.view({ { dc = "datacenter1" }, { dc = "datacenter1" }, { dc = "b" } }, "datacenter1"),
    dcs = datacentres.new { { "datacenter1", 2 }, { "b", 1 } },
    names = ffi.new "struct mp_policy_names",
  }, Asker)
  self.callback = ffi.cast("uint32_t (*)(void *, const char *, size_t)",
    function(_, text, len) return ffi.string(text, len) == "evil" and EVIL or 1000 end)
  self.names.tag_id, self.names.keyspace_id = self.callback, self.callback
  return self
end

function Asker:close()
  topology.free(self.view)
  self.dcs:free()
  self.callback:free()
end

-- A policy of that kind from its file; nil and a message. It serves.
function Asker:open(kind, path, folder)
  local options = { paths = { folder } }
  options[kind == "balance" and "policy" or kind] = path
  local p, why = policies.try(options)
  if not p then return nil, why end
  if p:bind(self.view, self.names) ~= 0 then -- its files run once more, for hosts of a session
    return nil, path .. ": it took its time to load, and more of it the second time"
  end
  return p
end

local calls = {
  balance = function(self, p, evil) p:plan(self.view, { tag = evil and EVIL or 0 }) end,
  retry = function(_, p, evil) p:decide { code = C.MP_SE_UNAVAILABLE, required = evil and 77 or 2 } end,
  reconnect = function(_, p, evil) p:delay { attempt = evil and 77 or 1 } end,
  speculate = function(_, p, evil) p:after(1, { tag = evil and EVIL or 0 }) end,
  failover = function(self, p, evil)
    C.mp_view_set_priority(self.dcs.view, 0, evil and 77 or 0)
    self.dcs:look()
    local serves = p:serving(self.dcs.handle)
    assert(serves == nil or serves == 0 or serves == 1)
  end,
}

-- Whether the policy answered.
function Asker:ask(kind, p, evil)
  local before = p:info(asker.kinds[kind])
  calls[kind](self, p, evil)
  local after = p:info(asker.kinds[kind])
  return after.errors == before.errors and after.calls == before.calls + 1
end

return asker
