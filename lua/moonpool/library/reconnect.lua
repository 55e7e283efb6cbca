-- SPDX-License-Identifier: Apache-2.0
---@meta
-- What reconnect policies have beside the words of policy.lua.

---@class Try
---@field attempt integer failures in a row, 1: the first
---@field why integer compare with UNREACHABLE, ...
---@field isLocal boolean the host is of the local datacentre

---@class ReconnectPolicy
---@field name string
---@field options? table<string, any>
---@field check? fun(options: table)
---@field delay fun(try: Try, options: table, child?: fun(try: Try): number): number
---@param policy ReconnectPolicy
---@return ReconnectPolicy
function reconnect(policy) end

UNREACHABLE = 0
CONNECT_TIMEOUT = 0
AUTH_FAILED = 0
WRONG_NODE = 0
HANDSHAKE_REFUSED = 0
CONNECTION_LOST = 0
LOCAL_FAILURE = 0
