-- SPDX-License-Identifier: Apache-2.0
-- A pool on a simulated loop, with what it told written down in `world.told`.
local ffi = require "ffi"
local C = require "spec.support.c"
local link_world = require "spec.support.link_world"

local pool_world = {}

local World = {}
World.__index = World

pool_world.limits = {
  core = 2, max = 5, grow_at = 4, idle_timeout_ms = 10000, reconnect_base_ms = 100, reconnect_max_ms = 10000,
}

local function reason_of(close_end)
  return { reason = tonumber(close_end.reason), was_ready = close_end.was_ready, err = close_end.err }
end

local function id_of(pointer) return tonumber(ffi.cast("uintptr_t", ffi.cast("const void *", pointer))) end

local function make_events(world, loop)
  local events = loop:keep(ffi.new "struct mp_pool_events")
  local function tell(kind, extra)
    local entry = extra or {}
    entry.kind, entry.at = kind, loop:now_ms()
    world.told[#world.told + 1] = entry
    world.counts[kind] = (world.counts[kind] or 0) + 1
    local react = world.react[kind]
    if react then react(entry) end
  end
  events.on_up = loop:callback("void (*)(void *)", function() tell "up" end)
  events.on_down = loop:callback("void (*)(void *, const struct mp_conn_end *)", function(_, why)
    tell("down", reason_of(why))
  end)
  events.on_refused = loop:callback("void (*)(void *, const struct mp_conn_end *)", function(_, why)
    tell("refused", reason_of(why))
  end)
  events.on_added = loop:callback("void (*)(void *, struct mp_conn *)", function(_, conn)
    tell("added", { conn = id_of(conn) })
  end)
  events.on_removed = loop:callback("void (*)(void *, struct mp_conn *, const struct mp_conn_end *, bool)",
    function(_, conn, why, lost)
      local entry = reason_of(why)
      entry.conn, entry.lost = id_of(conn), lost
      tell("removed", entry)
    end)
  events.on_room = loop:callback("void (*)(void *)", function() tell "room" end)
  events.on_empty = loop:callback("void (*)(void *)", function() tell "empty" end)
  events.open_delay_ms = loop:callback("uint64_t (*)(void *)", function()
    world.asked[#world.asked + 1] = loop:now_ms()
    return world.may_open and not world.may_open() and 25 or 0
  end)
  return events
end

-- options: settings, peer, seed (link_world), limits, host_id, closed (do not open)
function pool_world.open(options)
  options = options or {}
  local world = setmetatable({ told = {}, counts = {}, asked = {}, react = {} }, World)
  world.base = link_world.open(options)
  for _, part in ipairs { "loop", "peer", "addr", "client" } do world[part] = world.base[part] end
  world.limits = world:make_limits(options.limits)
  world.pool = ffi.new "struct mp_pool"
  local host_id
  if options.host_id then
    host_id = ffi.new "struct mp_uuid"
    ffi.copy(host_id.bytes, options.host_id, 16)
  end
  world.events = make_events(world, world.loop)
  C.mp_pool_init(world.pool, world.loop.handle, world.client.settings, world.addr, host_id, world.limits, world.events,
    nil)
  if not options.closed then C.mp_pool_open(world.pool) end
  return world
end

function World.make_limits(_, overrides)
  local limits = ffi.new "struct mp_pool_limits"
  for key, value in pairs(pool_world.limits) do limits[key] = value end
  for key, value in pairs(overrides or {}) do limits[key] = value end
  return limits
end

function World:set_limits(overrides)
  C.mp_pool_set_limits(self.pool, self:make_limits(overrides))
end

function World:until_true(done, limit_ms) self.loop:until_true(done, limit_ms or 60000) end
function World:pass(ms) self.loop:pass(ms) end
function World:count(kind) return self.counts[kind] or 0 end
function World:take() return C.mp_pool_take(self.pool) end

function World:until_ready(count)
  self:until_true(function() return self.pool.ready_count == count end)
end

-- A query on the connection the pool gives. The call, or nil.
function World:call(text)
  local conn = self:take()
  if conn == nil then return nil end
  return self:call_on(conn, text)
end

function World:call_on(conn, text)
  local link = setmetatable({ client = self.client, conn = conn }, self.client.link_type)
  return link:call(text)
end

function World:forget() self.told, self.counts, self.asked = {}, {}, {} end

function World:close()
  if self.closed then return end
  self.closed = true
  local ok, trouble = pcall(function()
    if self.pool.closing and C.mp_pool_is_empty(self.pool) then return end
    C.mp_pool_close(self.pool, false)
    self:until_true(function() return C.mp_pool_is_empty(self.pool) end)
  end)
  if ok then C.mp_pool_deinit(self.pool) end
  self.base:close()
  if not ok then error(trouble, 0) end
end

return pool_world
