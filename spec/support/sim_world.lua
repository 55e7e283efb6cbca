-- SPDX-License-Identifier: Apache-2.0
-- A simulated loop for specs whose C objects live on it: virtual time by hand, and C callbacks that are kept until the
-- loop is freed. An error inside a callback fails the spec after the turn.
local ffi = require "ffi"
local C = require "spec.support.c"

local sim_world = {}

local Loop = {}
Loop.__index = Loop

function sim_world.loop(seed)
  local handle = C.mp_loop_sim_new(seed)
  assert(handle ~= nil)
  return setmetatable({ handle = handle, callbacks = {}, kept = {} }, Loop)
end

-- The same on real sockets and in real time.
function sim_world.real(seed)
  local handle = C.mp_loop_uv_new(nil, seed)
  assert(handle ~= nil)
  return setmetatable({ handle = handle, callbacks = {}, kept = {}, is_real = true }, Loop)
end

function sim_world.addr(text, port)
  local addr = ffi.new "struct mp_addr"
  assert(C.mp_addr_parse_ip(text, port, addr) == 0)
  return addr
end

-- Each parse of a function type makes a new one, and there is room for so many only (spec/support/report.lua).
sim_world.types = setmetatable({}, { __index = function(types, text)
  types[text] = ffi.typeof(text)
  return types[text]
end })

function Loop:callback(ctype, fn)
  local made = ffi.cast(sim_world.types[ctype], function(...)
    local ok, result = xpcall(fn, debug.traceback, ...)
    if ok then return result end
    self.failure = self.failure or result
  end)
  self.callbacks[#self.callbacks + 1] = made
  return made
end

function Loop:keep(object)
  self.kept[#self.kept + 1] = object
  return object
end

function Loop:check()
  local failure = self.failure
  self.failure = nil
  if failure then error(failure, 0) end
end

-- One step of what happens next, at most `wait_ms` of virtual time from now.
function Loop:turn(wait_ms)
  local ran = C.mp_loop_turn(self.handle, wait_ms or 0)
  self:check()
  return ran
end

function Loop:now_ms()
  return tonumber(C.mp_loop_clock_ns(self.handle)) / 1e6
end

-- Turns until `done()`, or fails after `limit_ms` of virtual time.
function Loop:until_true(done, limit_ms)
  local deadline = self:now_ms() + (limit_ms or 20000)
  while not done() do
    if self:now_ms() > deadline then error("it did not happen in time", 2) end
    self:turn(50)
  end
end

function Loop:pass(ms)
  if self.is_real then
    local ends = self:now_ms() + ms
    while self:now_ms() < ends do self:turn(math.max(0, math.ceil(ends - self:now_ms()))) end
    return
  end
  C.mp_loop_sim_run_for(self.handle, ffi.cast("uint64_t", math.floor(ms * 1e6)))
  self:check()
end

function Loop:census()
  local out = ffi.new "struct mp_loop_census"
  C.mp_loop_census(self.handle, out)
  return out
end

-- Nothing may be open; timers and tasks neither.
function Loop:close()
  local census = self:census()
  C.mp_loop_free(self.handle)
  self.handle = nil
  for _, callback in ipairs(self.callbacks) do callback:free() end
  self.callbacks, self.kept = {}, {}
  for _, kind in ipairs { "sockets", "listeners", "resolves", "watches", "timers", "tasks" } do
    if census[kind] ~= 0 then error(tonumber(census[kind]) .. " " .. kind .. " left", 2) end
  end
end

return sim_world
