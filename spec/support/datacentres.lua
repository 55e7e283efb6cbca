-- SPDX-License-Identifier: Apache-2.0
-- Datacentres for specs of failover policies: made-up counts of hosts, and a clock that the spec moves.
local ffi = require "ffi"
local C = require "spec.support.c"

local datacentres = {}

local Dcs = {}
Dcs.__index = Dcs

-- list: { { "east", hosts, priority }, ... }; the first is home and serves. All hosts are up since `now`.
function datacentres.new(list)
  local self = setmetatable({ now = 1000, up = {}, total = {}, ids = {}, names = {} }, Dcs)
  self.view = ffi.new "struct mp_view"
  assert(C.mp_view_init(self.view) == 0)
  self.handle = ffi.new "struct mp_datacentres"
  for i, dc in ipairs(list) do
    local id = C.mp_view_dc_id(self.view, dc[1])
    C.mp_view_set_priority(self.view, id, dc[3] or 0)
    self.ids[dc[1]], self.names[id] = id, dc[1]
    self.up[i], self.total[i] = dc[2], dc[2]
  end
  self:look()
  return self
end

function Dcs:look()
  local count = #self.up
  local up, total = ffi.new("uint32_t[?]", count, self.up), ffi.new("uint32_t[?]", count, self.total)
  assert(C.mp_datacentres_look(self.handle, self.view, up, total, self.now))
end

-- Hosts of that datacentre that are up from now on.
function Dcs:set(name, up)
  self.up[self.ids[name] + 1] = up
  self:look()
end

function Dcs:pass(ms)
  self.now = self.now + ms
  self:look()
end

function Dcs:serve(name)
  self.handle.serving = self.ids[name]
  self:look()
end

function Dcs:up_ms(name, hosts) return tonumber(C.mp_datacentres_up_ms(self.handle, self.ids[name], hosts)) end
function Dcs:down_ms(name, hosts) return tonumber(C.mp_datacentres_down_ms(self.handle, self.ids[name], hosts)) end

function Dcs:order()
  local list = {}
  for i = 0, self.handle.order_count - 1 do list[i + 1] = self.names[self.handle.order[i]] end
  return table.concat(list, " ")
end

function Dcs:free()
  C.mp_datacentres_deinit(self.handle)
  C.mp_view_deinit(self.view)
end

return datacentres
