-- SPDX-License-Identifier: Apache-2.0
-- Steering single hosts, as methods of a pool: what an operator does to a node, and what recovery is made of. A host is
-- named by its address. Each verb gives true, or nil and an error; those that wait say for how long.
local async = require "moonpool.async"
local core = require "moonpool.core_loader"
local given = require "moonpool.given"

local steer = {}

local LOOK = 5 -- milliseconds between two looks at what is waited for
local MOST_CONNECTIONS = 4096
local LONGEST_DELAY = 60000

-- Looks until there is a value or time is up: look() gives nil to wait on. nil: it is up.
local function wait_until(deadline, look)
  while true do
    local value, err = look()
    if value ~= nil or err ~= nil then return value, err end
    if core.now() >= deadline then return nil end
    core.sleep(LOOK)
  end
end
steer.wait_until = wait_until

-- pool:pause(host): no request goes there but those that name it; its connections stay.
function steer.pause(self, host, ...)
  if ... ~= nil then async.no_arguments("pause", ...) end
  return core.holdHost(self, host, "paused")
end

local RESUME = { weight = { "number", 0, 1 } }

-- pool:resume(host, { weight = 0.1 }): it is used again; with a weight it gets that share of its requests until it is
-- resumed without one.
function steer.resume(self, host, options)
  options = given.options("resume", options, RESUME)
  local ok, err = core.holdHost(self, host)
  if not ok then return nil, err end
  return core.shareHost(self, host, options.weight or 1)
end

local DRAIN = { timeout = { "integer", 0, given.DAY_MS } }

-- pool:drain(host, { timeout = 30000 }): no request goes there; those under way end, then its connections close. The
-- host stays so until it is resumed.
function steer.drain(self, host, options)
  options = given.options("drain", options, DRAIN)
  local ok, err = core.holdHost(self, host, "draining")
  if not ok then return nil, err end
  local left
  ok, err = wait_until(core.now() + (options.timeout or 30000), function()
    local state, why = core.hostState(self, host)
    if not state then return why.code == "NOT_FOUND" or nil, why.code ~= "NOT_FOUND" and why or nil end
    if state.held ~= "draining" then return nil, core.error("AGAIN", host .. " was resumed meanwhile") end
    left = state.left
    return state.left == 0 or nil
  end)
  if ok then return true end
  if err then return nil, err end
  return nil, core.error("TIMEOUT", ("%s: %d connections still carry requests: they close when those have ended")
    :format(host, left))
end

-- pool:kill(host): no request goes there, and its connections close now: requests on them are lost, or go elsewhere
-- when they may. The host stays so until it is resumed.
function steer.kill(self, host, ...)
  if ... ~= nil then async.no_arguments("kill", ...) end
  return core.severHost(self, host)
end

-- pool:reconnect(host): its connections are replaced, one leaving for each new one; a host that is down is tried now.
function steer.reconnect(self, host, ...)
  if ... ~= nil then async.no_arguments("reconnect", ...) end
  return core.renewHost(self, host)
end

local SIZES = { core = { "integer", 1, MOST_CONNECTIONS }, max = { "integer", 1, MOST_CONNECTIONS } }

-- pool:resize(host, { core = 4, max = 8 }): so many connections to it; without sizes: as the configuration says.
function steer.resize(self, host, sizes)
  local checked = given.options("resize", sizes, SIZES)
  if sizes == nil then return core.resizeHost(self, host, 0, 0) end
  local least, most = checked.core or checked.max, checked.max or checked.core
  if not least then error("resize: core or max expected", 2) end
  if checked.core == nil then least = 1 end
  if least > most then error(("resize: core is %d, which is more than max, %d"):format(least, most), 2) end
  return core.resizeHost(self, host, least, most)
end

steer.setWeight, steer.setTags = core.setHostWeight, core.setHostTags

-- ---- recovery ---------------------------------------------------------------------------------------------

local RECOVER = { maxAttempts = { "integer", 1, 1000 }, backoffDelay = { "integer", 0, given.DAY_MS } }

-- Whether the host has all the connections that it should have, or why that can never be.
local function is_whole(self, host)
  local state, err = core.hostState(self, host)
  if not state then return nil, err end
  if state.held == "draining" then
    return nil, core.error("INVALID_ARGUMENT", host .. " is drained on request: resume it first")
  end
  if state.wanted == 0 then
    return nil, core.error("INVALID_ARGUMENT", host .. " gets no connections: its datacentre is not in use")
  end
  return state.isUp and state.ready >= state.wanted, state
end

-- One attempt: true; or nil and why it failed; or false and why there is nothing to try.
local function attempt(self, host)
  local whole, before = is_whole(self, host)
  if whole == nil then return false, before end
  if whole then return true end
  local ok, err = core.knockHost(self, host)
  if not ok then return false, err end
  while true do
    core.sleep(LOOK)
    local now
    whole, now = is_whole(self, host)
    if whole == nil then return false, now end
    if whole then return true end
    if now.failed > before.failed then return nil, now.error end
  end
end

-- pool:recoverConnection(host, { maxAttempts = 5, backoffDelay = 1000 }): tries until the host has its connections; the
-- delay doubles from one attempt to the next. true, or nil and the error of the last attempt.
function steer.recoverConnection(self, host, options)
  options = given.options("recoverConnection", options, RECOVER)
  local delay = options.backoffDelay or 1000
  local most = options.maxAttempts or 5
  for number = 1, most do
    local ok, err = attempt(self, host)
    if ok then return true end
    if ok == false or number == most then return nil, err end
    -- The pool tries by itself, too.
    local found = wait_until(core.now() + math.min(delay, LONGEST_DELAY), function()
      return is_whole(self, host) or nil
    end)
    if found then return true end
    delay = delay * 2
  end
end

return steer
