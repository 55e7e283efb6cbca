-- SPDX-License-Identifier: Apache-2.0
-- One virtual world for a spec of link/ or pool/: a loop, scripted nodes, a client; and at the end nothing may be left.
local sim_world = require "spec.support.sim_world"
local peers = require "spec.support.peer"
local clients = require "spec.support.client"

local link_world = {}

local World = {}
World.__index = World

-- options.settings: of the client; options.peer: of the first node; options.seed
function link_world.open(options)
  options = options or {}
  local world = setmetatable({ loop = sim_world.loop(options.seed or 1), peers = {} }, World)
  world.addr = sim_world.addr("127.0.0.1", 9042)
  if options.peer ~= false then world.peer = world:listen(world.addr, options.peer) end
  world.client = clients.new(world.loop, options.settings)
  return world
end

function World:listen(addr, options)
  local peer = peers.listen(self.loop, addr, options)
  self.peers[#self.peers + 1] = peer
  return peer
end

function World:until_true(done, limit_ms) self.loop:until_true(done, limit_ms or 20000) end
function World:pass(ms) self.loop:pass(ms) end

-- A ready connection and the node's end of it.
function World:ready(options)
  local link = self.client:open_ready(self.addr, options)
  assert(link.ready, link.closed and link.closed.message)
  return link, self.peer:last()
end

-- A connection that must fail: how it ended.
function World:refused(options)
  local link = self.client:open_ready(self.addr, options)
  self:until_true(function() return link.closed end)
  return link.closed
end

function World:close()
  if self.closed then return end
  self.closed = true
  local ok, trouble = pcall(function()
    self.client:close()
    self:pass(5) -- what travels arrives
    assert(self.client:waiting() == 0, "calls were never answered")
  end)
  for _, peer in ipairs(self.peers) do peer:close() end
  self:pass(5)
  self.loop:close()
  if not ok then error(trouble, 0) end
end

return link_world
