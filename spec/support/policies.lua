-- SPDX-License-Identifier: Apache-2.0
-- Policies for specs: a whole mp_policies over made-up views, with its files in a folder of its own. No session
-- and no cluster: what is asked is what a policy says.
local ffi = require "ffi"
local C = require "spec.support.c"
local sim_world = require "spec.support.sim_world"
local topology = require "spec.support.topology"

local message_of = ffi.typeof "char[?]"

local policies = {}

local folders = 0

-- A fresh folder; its files are removed by `clean`.
function policies.folder()
  folders = folders + 1
  local path = os.tmpname()
  os.remove(path)
  path = path .. "-" .. folders
  assert(os.execute("mkdir -p '" .. path .. "'"))
  return path
end

function policies.remove(path) assert(os.execute("rm -rf '" .. path .. "'")) end

-- What stands in a file; "" when there is none.
function policies.read(path)
  local file = io.open(path)
  local text = file and file:read "*a" or ""
  if file then file:close() end
  return text
end

function policies.write(path, text)
  local file = assert(io.open(path .. ".new", "w"))
  file:write(text)
  file:close()
  assert(os.rename(path .. ".new", path))
end

local Policies = {}
Policies.__index = Policies

-- What is open, so that a failed spec leaves nothing behind: call policies.close_all in after_each.
local open = {}

function policies.close_all()
  while next(open) do next(open):close() end
end

-- A C function pointer on `fn`, freed with the policies. An error inside it is kept and raised by the next :turn().
local function callback(self, ctype, fn)
  local made = ffi.cast(sim_world.types[ctype], function(...)
    local ok, why = xpcall(fn, debug.traceback, ...)
    if not ok then self.failure = self.failure or why end
  end)
  self.callbacks[#self.callbacks + 1] = made
  return made
end

local function end_loop(self)
  C.mp_loop_turn(self.loop, 0)
  C.mp_loop_free(self.loop)
  for _, made in ipairs(self.callbacks) do made:free() end
end

-- options: policy, options, key, paths, retry, retryOptions (so also reconnect, speculate, failover), where,
-- memoryBytes, watch, seed, canary (share for a changed balance policy), sim (a simulated loop, whose time is passed by
-- p:pass)
function policies.try(options)
  options = options or {}
  local config = ffi.new "struct mp_policies_config"
  local kept = { options }
  config.home = MOONPOOL_ROOT
  config.where = options.where
  config.memory_bytes = options.memoryBytes or 0
  config.watch = options.watch or false
  config.choices[0].policy, config.choices[0].options = options.policy, options.options
  config.choices[0].key = options.key or "loadBalancing"
  config.choices[0].canary.share = options.canary or 0
  for kind, name in ipairs { "retry", "reconnect", "speculate", "failover" } do
    config.choices[kind].policy, config.choices[kind].options = options[name], options[name .. "Options"]
  end
  if options.paths then
    local list = ffi.new("const char *[?]", #options.paths)
    for i, path in ipairs(options.paths) do list[i - 1] = path end
    kept[#kept + 1] = list
    config.paths, config.path_count = list, #options.paths
  end
  local self = setmetatable({ callbacks = {}, kept = kept, events = {}, log = {} }, Policies)
  self.loop = options.sim and C.mp_loop_sim_new(options.seed or 1) or C.mp_loop_uv_new(nil, options.seed or 1)
  C.mp_loop_log(self.loop).sink = callback(self, "void (*)(void *, enum mp_log_level, const char *)",
    function(_, _, line)
      self.log[#self.log + 1] = ffi.string(line)
      if self.on_log then self.on_log() end
    end)
  local message = ffi.new "char[1024]"
  self.handle = C.mp_policies_new(self.loop, config, message, 1024, nil)
  if self.handle == nil then
    end_loop(self)
    return nil, ffi.string(message)
  end
  open[self] = true
  C.mp_policies_listen(self.handle, callback(self, "void (*)(void *, const struct mp_policy_event *)",
    function(_, event)
      self.events[#self.events + 1] = {
        kind = event.canary ~= nil and "canary" or event.kind == C.MP_POLICY_RELOADED and "reloaded" or "error",
        name = ffi.string(event.name),
        file = ffi.string(event.file), generation = event.generation, message = ffi.string(event.message),
      }
      if self.on_event then self.on_event(event) end
    end), nil)
  return self
end

function policies.new(options)
  local self, message = policies.try(options)
  if not self then error(message, 2) end
  return self
end

-- A policy from its text.
function policies.of(text, options)
  local folder = policies.folder()
  options = options or {}
  options.policy = folder .. "/policy.lua"
  policies.write(options.policy, text)
  local self, message = policies.try(options)
  if self then
    self.folder, self.file = folder, options.policy
    return self
  end
  policies.remove(folder)
  return nil, (message:gsub(folder:gsub("%p", "%%%0"), ""):gsub("^/", ""))
end

function Policies:close()
  if not open[self] then return end
  open[self] = nil
  if self.handle ~= nil then C.mp_policies_free(self.handle) end
  self.handle = nil
  end_loop(self)
  if self.folder then policies.remove(self.folder) end
  if self.failure then error(self.failure, 0) end
end

-- Turns of the loop until `done()`, at most two seconds; without `done` one turn.
function Policies:turn(done)
  for _ = 1, done and 200 or 1 do
    C.mp_loop_turn(self.loop, done and 10 or 0)
    if self.failure then error(self.failure, 0) end
    if done and done() then return true end
  end
  return not done
end

function Policies:pass(ms)
  C.mp_loop_sim_run_for(self.loop, ms * 1000000)
end

-- A code, and why it is not 0.
function Policies:bind(view, names)
  local why = message_of(300)
  return C.mp_policies_bind(self.handle, view, names, why, 300), ffi.string(why)
end

function Policies:info(kind)
  local info = ffi.new "struct mp_policy_info"
  if not C.mp_policies_info(self.handle, kind or C.MP_POLICY_BALANCE, info) then return nil end
  return info
end

-- req: fields of struct mp_request_view; chance, token and placement of the plan. Returns whether the script answered,
-- and the plan.
function Policies:plan(view, req, placement, chance)
  local request = ffi.new("struct mp_request_view", { attempt = 1, consistency = C.MP_CL_LOCAL_QUORUM,
    isLocalConsistency = true })
  for key, value in pairs(req or {}) do
    if key ~= "routingToken" then request[key] = value end
  end
  local plan = ffi.new "struct mp_plan"
  C.mp_plan_init(plan, view, placement, request.hasToken, (req or {}).routingToken or 0, chance or 1)
  local balance = C.mp_policies_get(self.handle).balance
  return balance.plan(balance.self, request, plan), plan
end

-- The slots a plan gives, in order; nil when the script did not answer.
function Policies:walk(view, req, placement, chance)
  local ok, plan = self:plan(view, req, placement, chance)
  return ok and topology.walk(plan) or nil
end

-- err: fields of struct mp_retry_view. The verdict's name and the delay.
function Policies:decide(err)
  local view = ffi.new("struct mp_retry_view", { attempt = 1, code = -1 })
  for key, value in pairs(err) do view[key] = value end
  local delay = ffi.new "uint32_t[1]"
  local retry = C.mp_policies_get(self.handle).retry
  local verdict = retry.decide(retry.self, view, delay)
  local names = { [C.MP_GIVE_UP] = "giveUp", [C.MP_SAME_HOST] = "sameHost", [C.MP_NEXT_HOST] = "nextHost" }
  return names[tonumber(verdict)], delay[0]
end

-- try: fields of struct mp_reconnect_view. Milliseconds; nil when the pool's own backoff has to do.
function Policies:delay(try)
  local view = ffi.new("struct mp_reconnect_view", { attempt = 1, isLocal = true })
  for key, value in pairs(try or {}) do view[key] = value end
  local delay = ffi.new "uint64_t[1]"
  local reconnect = C.mp_policies_get(self.handle).reconnect
  if reconnect.delay == nil or not reconnect.delay(reconnect.self, view, delay) then return nil end
  return tonumber(delay[0])
end

-- req: fields of struct mp_request_view. Milliseconds to the next copy when `sent` attempts were made; nil: none.
function Policies:after(sent, req)
  local view = ffi.new("struct mp_request_view", { attempt = 1, isRead = true, idempotent = true })
  for key, value in pairs(req or {}) do view[key] = value end
  local speculate = C.mp_policies_get(self.handle).speculate
  local ms = speculate.after ~= nil and speculate.after(speculate.self, view, sent) or 0xffffffff
  return ms ~= 0xffffffff and ms or nil -- MP_SPECULATE_NEVER
end

-- What the failover policy says about a struct mp_datacentres: the dcId and the reason; nil when it failed.
function Policies:serving(dcs)
  local wish = ffi.new("struct mp_serving_wish", { dc = dcs.serving })
  local failover = C.mp_policies_get(self.handle).serving
  if failover.decide == nil or not failover.decide(failover.self, dcs, wish) then return nil end
  return wish.dc, ffi.string(wish.why)
end

function Policies:reload()
  local message = ffi.new "char[1024]"
  local rc = C.mp_policies_reload(self.handle, message, 1024)
  return rc == 0, ffi.string(message)
end

return policies
