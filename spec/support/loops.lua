-- SPDX-License-Identifier: Apache-2.0
-- Loops for specs: one handle on each body of loop.h, with Lua functions as callbacks. A loop that is closed here must
-- have nothing open, so every spec that uses it looks for leaks.
local ffi = require "ffi"
local C = require "spec.support.c"

local loops = {}

local Loop = {}
Loop.__index = Loop

function loops.uv(seed, uv_loop)
  local handle = C.mp_loop_uv_new(uv_loop, seed or 1)
  assert(handle ~= nil)
  return setmetatable({ name = "libuv", handle = handle, targets = {}, kept = {}, open = {}, is_uv = true }, Loop)
end

function loops.sim(seed)
  local handle = C.mp_loop_sim_new(seed or 1)
  assert(handle ~= nil)
  return setmetatable({ name = "simulated", handle = handle, targets = {}, kept = {}, open = {}, is_sim = true }, Loop)
end

-- The bodies that are built into this spec host, as { name = , open = }.
loops.bodies = { { name = "libuv", open = loops.uv, is_uv = true } }
if pcall(function() return C.mp_loop_sim_new end) then
  loops.bodies[2] = { name = "simulated", open = loops.sim, is_sim = true }
end

function loops.addr(text, port)
  local addr = ffi.new "struct mp_addr"
  assert(C.mp_addr_parse_ip(text, port, addr) == 0)
  return addr
end

-- LuaJIT has few callbacks, so there is one for each C type; the `data` of a thing says which Lua function is meant.
-- An error inside it fails the spec after the turn.
local targets, next_id, trampolines = {}, 0, {}

local function trampoline(ctype)
  if not trampolines[ctype] then
    trampolines[ctype] = ffi.cast(ctype, function(data, ...)
      local target = targets[tonumber(ffi.cast("uintptr_t", data))]
      local ok, err = xpcall(target.fn, debug.traceback, ...)
      if not ok then target.loop.failure = target.loop.failure or err end
    end)
  end
  return trampolines[ctype]
end

-- The `data` that leads a C callback to `fn`.
function Loop:target(fn)
  next_id = next_id + 1
  targets[next_id] = { loop = self, fn = fn }
  self.targets[#self.targets + 1] = next_id
  return ffi.cast("void *", next_id)
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

function Loop:turn(wait_ms)
  local ran = C.mp_loop_turn(self.handle, wait_ms or 0)
  self:check()
  return ran
end

function Loop:run()
  C.mp_loop_run(self.handle)
  self:check()
end

function Loop:flush()
  C.mp_loop_flush(self.handle)
  self:check()
end

-- Turns until `done()`, or fails after `limit_ms` of the loop's own time.
function Loop:until_true(done, limit_ms)
  local deadline = self:now_ms() + (limit_ms or 5000)
  while not done() do
    if self:now_ms() > deadline then error("it did not happen in time", 2) end
    self:turn(50)
  end
end

-- Lets the loop go on for some of its own time.
function Loop:pass(ms)
  local passed = false
  local timer = self:timer(function() passed = true end)
  self:start(timer, ms)
  self:until_true(function() return passed end, ms + 5000)
end

function Loop:now_ms()
  return tonumber(C.mp_loop_clock_ns(self.handle) / 1000000ULL)
end

function Loop:census()
  local out = ffi.new "struct mp_loop_census"
  C.mp_loop_census(self.handle, out)
  return {
    sockets = tonumber(out.sockets), listeners = tonumber(out.listeners), timers = tonumber(out.timers),
    tasks = tonumber(out.tasks), resolves = tonumber(out.resolves), watches = tonumber(out.watches),
  }
end

function Loop:timer(fn)
  local timer = self:keep(ffi.new "struct mp_timer")
  C.mp_timer_init(timer, self.handle, trampoline "void (*)(void *)", self:target(fn))
  return timer
end

function Loop.start(_, timer, delay_ms)
  assert(C.mp_timer_start_ms(timer, delay_ms) == 0)
end

function Loop:task(fn)
  local task = self:keep(ffi.new "struct mp_task")
  C.mp_task_init(task, trampoline "void (*)(void *)", self:target(fn))
  return task
end

function Loop:post(task, phase)
  C.mp_task_post(self.handle, task, phase == "flush" and C.MP_PHASE_FLUSH or C.MP_PHASE_RUN)
end

-- An open connection at `at`: client, server. `on_client`, `on_server` are their functions.
function Loop:pair(at, on_client, on_server)
  local listener = assert(self:listen(at, function() return on_server end))
  local client = assert(self:connect(at, on_client))
  self:until_true(function() return client.connected and listener.accepted[1] end)
  listener.close()
  return client, listener.accepted[1]
end

-- A socket for specs: collects what comes, and calls the functions of `on` when there are any.
local Sock = {}
Sock.__index = Sock

local heard = {}

function heard.connect(sock, rc)
  sock.connects = sock.connects + 1
  sock.connected = rc
  if sock.on.connect then sock.on.connect(sock, rc) end
end

function heard.read(sock, bytes, len)
  assert(len > 0)
  local text = ffi.string(bytes, len)
  sock.reads = sock.reads + 1
  sock.received = sock.received + #text
  if sock.collect then sock.parts[#sock.parts + 1] = text end
  if sock.on.read then sock.on.read(sock, text) end
end

heard["end"] = function(sock, rc)
  sock.ends = sock.ends + 1
  sock.ended = rc
  if sock.on["end"] then sock.on["end"](sock, rc) end
end

function heard.writable(sock)
  sock.writables = sock.writables + 1
  if sock.on.writable then sock.on.writable(sock) end
end

-- What it offers with others at the end of a turn is `sock.offer`.
function heard.gather(sock, span)
  sock.gathers = sock.gathers + 1
  if not sock.offer then return end
  span.data, span.len = ffi.cast("const void *", sock.offer), #sock.offer
end

function heard.gathered(sock, took)
  sock.took = tonumber(took)
  if sock.on.gathered then sock.on.gathered(sock, sock.took) end
end

-- A socket's events all lead to one Lua function, so each kind says its name first.
local shared_events

local function named(name, ctype)
  return ffi.cast(ctype, function(data, ...)
    local target = targets[tonumber(ffi.cast("uintptr_t", data))]
    local ok, err = xpcall(target.fn, debug.traceback, name, ...)
    if not ok then target.loop.failure = target.loop.failure or err end
  end)
end

local function sock_events()
  if not shared_events then
    shared_events = ffi.new "struct mp_sock_events"
    shared_events.on_connect = named("connect", "void (*)(void *, int)")
    shared_events.on_read = named("read", "void (*)(void *, const uint8_t *, size_t)")
    shared_events.on_end = named("end", "void (*)(void *, int)")
    shared_events.on_writable = named("writable", "void (*)(void *)")
    shared_events.on_gather = named("gather", "void (*)(void *, struct mp_span *)")
    shared_events.on_gathered = named("gathered", "void (*)(void *, ptrdiff_t)")
  end
  return shared_events
end

local function new_sock(self, on)
  local sock = setmetatable({
    loop = self, on = on or {}, connects = 0, reads = 0, received = 0, ends = 0, writables = 0, gathers = 0, parts = {},
    collect = true,
  }, Sock)
  sock.target = self:target(function(name, ...) heard[name](sock, ...) end)
  return sock
end

function Loop:connect(addr, on, options)
  local sock = new_sock(self, on)
  local err = ffi.new "int[1]"
  sock.handle = C.mp_loop_connect(self.handle, addr, options, sock_events(), sock.target, err)
  if sock.handle == nil then return nil, err[0] end
  self.open[sock] = "socket"
  return sock
end

-- `on_accept(sock)` may return the table of functions of the accepted socket, or close it.
function Loop:listen(addr, on_accept)
  local listener = { accepted = {} }
  local err = ffi.new "int[1]"
  listener.handle = C.mp_loop_listen(self.handle, addr,
    trampoline "void (*)(void *, struct mp_sock *)", self:target(function(handle)
      local sock = new_sock(self)
      sock.handle = handle
      self.open[sock] = "accepted socket"
      listener.accepted[#listener.accepted + 1] = sock
      local on = on_accept and on_accept(sock)
      if sock.closed then return end
      sock.on = on or {}
      C.mp_sock_adopt(handle, sock_events(), sock.target)
    end), err)
  if listener.handle == nil then return nil, err[0] end
  self.open[listener] = "listener"
  function listener.close()
    self.open[listener] = nil
    C.mp_listener_close(listener.handle)
  end
  return listener
end

function Sock:text()
  return table.concat(self.parts)
end

-- Offers the strings as one write; what was taken, or a negative error.
function Sock:write(...)
  local count = select("#", ...)
  local spans = ffi.new("struct mp_span[?]", count)
  for i = 1, count do
    local text = select(i, ...)
    spans[i - 1].data = ffi.cast("const void *", text)
    spans[i - 1].len = #text
  end
  return tonumber(C.mp_sock_writev(self.handle, spans, count))
end

-- Writes all of `text`, going on when the socket takes more. Uses on.writable.
function Sock:send(text)
  local at = 1
  local function go_on()
    while at <= #text do
      local took = self:write(text:sub(at, at + 65535))
      if took < 0 then return end
      local offered = math.min(65536, #text - at + 1)
      at = at + took
      if took < offered then return end
    end
    self.sent = #text
  end
  self.on.writable = go_on
  go_on()
end

function Sock:close(reset)
  assert(not self.closed)
  self.closed = true
  self.loop.open[self] = nil
  C.mp_sock_close(self.handle, reset or false)
end

function Sock:shutdown() C.mp_sock_shutdown(self.handle) end
function Sock:stop() C.mp_sock_read_stop(self.handle) end
function Sock:start() C.mp_sock_read_start(self.handle) end

-- A name's addresses arrive as text; `lookup.rc` is nil until then.
function Loop:resolve(host, port)
  local lookup = { addrs = {}, calls = 0 }
  local err = ffi.new "int[1]"
  lookup.handle = C.mp_loop_resolve(self.handle, host, port,
    trampoline "void (*)(void *, int, const struct mp_addr *, size_t)", self:target(function(rc, addrs, count)
      lookup.rc, lookup.calls = rc, lookup.calls + 1
      self.open[lookup] = nil
      local text = ffi.new "char[64]"
      for i = 0, tonumber(count) - 1 do
        C.mp_addr_format(addrs + i, text)
        lookup.addrs[i + 1] = ffi.string(text)
      end
    end), err)
  if lookup.handle == nil then return nil, err[0] end
  self.open[lookup] = "lookup"
  function lookup.close()
    self.open[lookup] = nil
    C.mp_resolve_cancel(lookup.handle)
  end
  return lookup
end

function Loop:watch(path, on_change)
  local watch = { changes = 0 }
  local err = ffi.new "int[1]"
  watch.handle = C.mp_loop_watch(self.handle, path, trampoline "void (*)(void *)", self:target(function()
    watch.changes = watch.changes + 1
    if on_change then on_change(watch) end
  end), err)
  if watch.handle == nil then return nil, err[0] end
  self.open[watch] = "watch"
  function watch.close()
    self.open[watch] = nil
    C.mp_watch_close(watch.handle)
  end
  return watch
end

-- Closes what is left and frees the loop; then it is an error that something was left.
function Loop:close()
  local leaks = {}
  for thing, kind in pairs(self.open) do leaks[thing] = kind end
  local names = {}
  for thing, kind in pairs(leaks) do
    names[#names + 1] = kind
    thing:close()
  end
  local open = self:census()
  C.mp_loop_free(self.handle)
  self.handle = nil
  if self.after_free then self.after_free() end
  for _, id in ipairs(self.targets) do targets[id] = nil end
  self.targets, self.kept = {}, {}
  if #names > 0 then error("left open: " .. table.concat(names, ", "), 2) end
  for _, kind in ipairs { "sockets", "listeners", "resolves", "watches" } do
    if open[kind] ~= 0 then error(open[kind] .. " " .. kind .. " left open", 2) end
  end
end

-- Text in which every place looks different.
function loops.pattern(bytes)
  local parts, len, i = {}, 0, 0
  while len < bytes do
    i = i + 1
    parts[i] = i .. ","
    len = len + #parts[i]
  end
  return table.concat(parts):sub(1, bytes)
end

function loops.close_all(...)
  for _, sock in ipairs { ... } do sock:close() end
end

-- ---- of the simulated loop --------------------------------------------------------------------------------

function loops.now(loop) return C.mp_loop_now_ns(loop.handle) end

function loops.run_for(loop, ns)
  C.mp_loop_sim_run_for(loop.handle, ns)
  loop:check()
end

function loops.run_until(loop, ns)
  C.mp_loop_sim_run_until(loop.handle, ns)
  loop:check()
end

function loops.echo() return { read = function(sock, text) sock:send(text) end } end

-- Text of a length that its position tells.
function loops.numbered(bytes)
  local parts = {}
  for i = 1, math.ceil(bytes / 8) do parts[i] = string.format("%07d ", i) end
  return table.concat(parts):sub(1, bytes)
end

return loops
