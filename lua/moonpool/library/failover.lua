-- SPDX-License-Identifier: Apache-2.0
---@meta
-- What failover policies have beside the words of policy.lua.

---@class Datacentre
---@field index integer
---@field up integer hosts with a connection
---@field total integer hosts that the cluster names
---@field priority integer of regionSettings, 0: none
---@field isHome boolean the configuration calls it local
---@field isServing boolean it is local now
---@field name string
local Datacentre = {}
---@param hosts? number 1 without it
---@return number ms for which at least so many hosts have been up, 0: they are not
function Datacentre:upFor(hosts) end
---@param hosts? number 1 without it
---@return number ms for which fewer hosts than that have been up, 0: they are
function Datacentre:downFor(hosts) end

---@alias Choice Datacentre|string|nil the datacentre that should serve, nil: the one that does

---@class FailoverPolicy
---@field name string
---@field options? table<string, any>
---@field check? fun(options: table)
---@field decide fun(home: Datacentre, serving: Datacentre, options: table, child?: function): Choice, string?
---@param policy FailoverPolicy
---@return FailoverPolicy
function failover(policy) end

---@return fun(state: nil, position: integer): integer?, Datacentre? those with hosts: home first, then the most wanted
---@return nil
---@return integer
function dcs() end
