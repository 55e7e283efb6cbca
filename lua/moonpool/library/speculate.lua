-- SPDX-License-Identifier: Apache-2.0
---@meta
-- What speculative execution policies have beside the words of policy.lua.

---@alias SpeculateChild fun(req: Request, sent: integer): number?

---@class SpeculatePolicy
---@field name string
---@field options? table<string, any>
---@field check? fun(options: table)
---@field after fun(req: Request, sent: integer, options: table, child?: SpeculateChild): number?
---@param policy SpeculatePolicy
---@return SpeculatePolicy
function speculate(policy) end

-- How long all but the slowest requests took lately, in ms; nothing while too few were measured.
---@param quantile number of the requests: 0.99
---@param samples? integer how many must have been measured, 100
---@return number? ms
function latency(quantile, samples) end
