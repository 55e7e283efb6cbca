-- SPDX-License-Identifier: Apache-2.0
-- The topology by an application's word, as methods of a pool: nodes that it adds and removes, the datacentre that
-- serves. Each gives true, or nil and an error.
local address = require "moonpool.address"
local core = require "moonpool.core_loader"
local given = require "moonpool.given"
local overlay = require "moonpool.overlay"

local nodes = {}

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
  return core.joinNode(self, host, addresses, options.timeout or 10000)
end

local REMOVE = { drainConnections = { "boolean" }, drainTimeout = { "integer", 0, given.DAY_MS } }

-- pool:removeNode(host, { drainConnections = true, drainTimeout = 30000 }): it is not used any more, whatever the
-- cluster says, until it is added again. Waits until its requests have ended and its connections are closed.
function nodes.removeNode(self, host, options)
  local name, port = split("removeNode", host)
  options = given.options("removeNode", options, REMOVE)
  local addresses, err
  if not core.findHost(self, host) then
    addresses, err = look_up(self, name, port)
    if not addresses then return nil, err end
  end
  local leaving
  leaving, err = core.expelNode(self, host, addresses, options.drainConnections ~= false)
  if not leaving then return nil, err end
  local ok
  ok, err = overlay.drop_contact(self, debug.getfenv(self), name, port)
  if not ok then return nil, err end
  return core.leaveNode(self, leaving, options.drainTimeout or 30000)
end

local SWITCH = { timeout = { "integer", 0, given.DAY_MS } }

-- pool:switchDatacenter(name, { timeout = 30000 }): that datacentre serves, whatever the failover policy says, until
-- another one is named; without a name the policy decides again, or home serves. Waits until it does.
function nodes.switchDatacenter(self, name, options)
  if name ~= nil and type(name) ~= "string" then
    error(("bad argument #1 to 'switchDatacenter' (a name expected, got %s)"):format(type(name)), 2)
  end
  options = given.options("switchDatacenter", options, SWITCH)
  return core.serveFrom(self, name, options.timeout or 30000)
end

return nodes
