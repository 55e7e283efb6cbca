-- SPDX-License-Identifier: Apache-2.0
-- The topology by an application's word, as methods of a pool: nodes that it adds and removes, the datacentre that
-- serves. Each gives true, or nil and an error.
local address = require "moonpool.address"
local core = require "moonpool.core_loader"
local given = require "moonpool.given"
local overlay = require "moonpool.overlay"
local steer = require "moonpool.steer"

local nodes = {}

local ASK_EVERY = 1000 -- milliseconds between two readings of the system tables

local function split(method, host)
  if type(host) ~= "string" then
    error(("bad argument #1 to '%s' (an address or a name expected, got %s)"):format(method, type(host)), 3)
  end
  local name, port = address.split(host)
  if not name then error(("%s: %s"):format(method, port), 3) end
  return name, port
end

-- The addresses of a name, or nil and an error that names it.
local function look_up(self, name, port)
  local addresses, err = core.lookUp(self, name, port or 0)
  if addresses or err.code ~= "RESOLVE_FAILED" then return addresses, err end
  return nil, core.error("RESOLVE_FAILED", name .. ": " .. err.message)
end

local function admit(self, addresses)
  for _, each in ipairs(addresses) do
    local ok, err = core.admitNode(self, each)
    if not ok then return nil, err end
  end
  return true
end

-- The state of the host at one of these addresses, or nil and an error.
local function find(self, addresses)
  local state, err
  for _, each in ipairs(addresses) do
    state, err = core.hostState(self, each)
    if state or err.code ~= "NOT_FOUND" then break end
  end
  return state, err
end

local ADD = { timeout = { "integer", 0, given.DAY_MS } }

-- pool:addNode(host, { timeout = 10000 }): a contact point from now on, and used as soon as the cluster names it, also
-- when it was removed before or nodes are not discovered. Waits until it is connected.
function nodes.addNode(self, host, options)
  local name, port = split("addNode", host)
  options = given.options("addNode", options, ADD)
  local addresses, err = look_up(self, name, port)
  if not addresses then return nil, err end
  local ok
  ok, err = overlay.add_contact(self, debug.getfenv(self), name, port)
  if not ok then return nil, err end
  local last, ask_at = nil, 0
  ok, err = steer.wait_until(core.now() + (options.timeout or 10000), function()
    if core.now() >= ask_at then
      local admitted, why = admit(self, addresses)
      if not admitted then return nil, why end
      ask_at = core.now() + ASK_EVERY
    end
    local why
    last, why = find(self, addresses)
    if not last and why.code ~= "NOT_FOUND" then return nil, why end
    return last and (last.isUp or last.wanted == 0) or nil
  end)
  if ok then return true end
  if err then return nil, err end
  if last and last.error then return nil, last.error end
  if last then return nil, core.error("TIMEOUT", host .. " is a node of the cluster and is not connected yet") end
  return nil, core.error("NOT_FOUND", ("no node of the cluster is at %s (%s): it is used as soon as the cluster names "
    .. "it"):format(host, table.concat(addresses, ", ")))
end

local REMOVE = { drainConnections = { "boolean" }, drainTimeout = { "integer", 0, given.DAY_MS } }

-- pool:removeNode(host, { drainConnections = true, drainTimeout = 30000 }): it is not used any more, whatever the
-- cluster says, until it is added again. Waits until its requests have ended and its connections are closed.
function nodes.removeNode(self, host, options)
  local name, port = split("removeNode", host)
  options = given.options("removeNode", options, REMOVE)
  local err
  local known = core.findHost(self, host)
  if not known then
    local addresses
    addresses, err = look_up(self, name, port)
    if not addresses then return nil, err end
    local state
    state, err = find(self, addresses)
    if not state then return nil, err end
    known = state.address
  end
  local slot, generation = core.expelNode(self, known, options.drainConnections ~= false)
  if not slot then return nil, generation end
  local ok
  ok, err = overlay.drop_contact(self, debug.getfenv(self), name, port)
  if not ok then return nil, err end
  local left
  ok = steer.wait_until(core.now() + (options.drainTimeout or 30000), function()
    left = core.leftOf(self, slot, generation)
    return left == 0 or nil
  end)
  if ok then return true end
  core.cutNode(self, slot, generation)
  return nil, core.error("TIMEOUT", ("%s is removed; %d connections still carried requests and were closed")
    :format(known, left))
end

local SWITCH = { timeout = { "integer", 0, given.DAY_MS } }

-- Without a failover policy home serves again when nobody is named.
local function home_of(self)
  local checked = debug.getfenv(self).checked
  local identity = core.identity(self)
  return not checked.failoverPolicy and identity and identity.localDataCenter or nil
end

-- pool:switchDatacenter(name, { timeout = 30000 }): that datacentre serves, whatever the failover policy says, until
-- another one is named; without a name the policy decides again, or home serves. Waits until it does.
function nodes.switchDatacenter(self, name, options)
  if name ~= nil and type(name) ~= "string" then
    error(("bad argument #1 to 'switchDatacenter' (a name expected, got %s)"):format(type(name)), 2)
  end
  options = given.options("switchDatacenter", options, SWITCH)
  local ok, err = core.serveFrom(self, name)
  if not ok then return nil, err end
  local target = name or home_of(self)
  if not target then return true end
  ok, err = steer.wait_until(core.now() + (options.timeout or 30000), function()
    local serving = core.servingDatacenter(self)
    if not serving then return nil, core.error("CLOSED", "the pool is closed") end
    return serving == target or nil
  end)
  if ok then return true end
  if err then return nil, err end
  return nil, core.error("TIMEOUT", ("datacentre %s does not serve yet: it will when a host of it is connected")
    :format(target))
end

return nodes
