-- SPDX-License-Identifier: Apache-2.0
---@meta
-- Steering a pool that runs, for editors. Each verb gives true, or nil and an error. docs/lua-api.md says more.

---@class Pool
local Pool = {}
---@param host string its address
---@return true?, table? err
function Pool:pause(host) end
---@param host string
---@param options? { weight?: number } the share of its requests, 0 to 1, until it is resumed without
---@return true?, table? err
function Pool:resume(host, options) end
---@param host string
---@param options? { timeout?: integer } milliseconds
---@return true?, table? err
function Pool:drain(host, options) end
---@param host string
---@return true?, table? err
function Pool:kill(host) end
---@param host string
---@return true?, table? err
function Pool:reconnect(host) end
---@param host string
---@param sizes? { core?: integer, max?: integer } nil: as the configuration says
---@return true?, table? err
function Pool:resize(host, sizes) end
---@param host string
---@param weight number
---@return true?, table? err
function Pool:setWeight(host, weight) end
---@param host string
---@param tags string[]
---@return true?, table? err
function Pool:setTags(host, tags) end
---@param host string
---@param options? { maxAttempts?: integer, backoffDelay?: integer }
---@return true?, table? err of the last attempt
function Pool:recoverConnection(host, options) end
---@param host string an address or a name
---@param options? { timeout?: integer }
---@return true?, table? err
function Pool:addNode(host, options) end
---@param host string
---@param options? { drainConnections?: boolean, drainTimeout?: integer }
---@return true?, table? err
function Pool:removeNode(host, options) end
---@param kind "balance"|"retry"|"reconnect"|"speculate"|"failover"|"shadow"
---@param policy? string a name or a path; nil: that of the configuration
---@param options? table
---@return true?, table? err
function Pool:usePolicy(kind, policy, options) end
---@param name? string nil: the failover policy decides again, or home serves
---@param options? { timeout?: integer }
---@return true?, table? err
function Pool:switchDatacenter(name, options) end

return Pool
