-- SPDX-License-Identifier: Apache-2.0
-- Steering single hosts, as methods of a pool: what an operator does to a node, and what recovery is made of. A host is
-- named by its address. Each verb gives true, or nil and an error; those that wait say for how long.
local async = require "moonpool.async"
local core = require "moonpool.core_loader"
local given = require "moonpool.given"

local steer = {}

local MOST_CONNECTIONS = 4096

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
  return core.drainHost(self, host, options.timeout or 30000)
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

local RECOVER = { maxAttempts = { "integer", 1, 1000 }, backoffDelay = { "integer", 0, given.DAY_MS } }

-- pool:recoverConnection(host, { maxAttempts = 5, backoffDelay = 1000 }): tries until the host has its connections; the
-- delay doubles from one attempt to the next. true, or nil and the error of the last attempt.
function steer.recoverConnection(self, host, options)
  options = given.options("recoverConnection", options, RECOVER)
  return core.recoverHost(self, host, options.maxAttempts or 5, options.backoffDelay or 1000)
end

return steer
