-- SPDX-License-Identifier: Apache-2.0
---@meta
-- Everything a policy may use, for the Lua language server: name this folder in `workspace.library`.

---@class Request
---@field hasToken boolean the routing key is known
---@field isLwt boolean
---@field isRead boolean
---@field idempotent boolean
---@field isLocalConsistency boolean LOCAL_ONE, LOCAL_QUORUM or LOCAL_SERIAL
---@field consistency integer compare with ONE, QUORUM, ...
---@field keyspaceId integer compare with keyspaces.name
---@field attempt integer 1 for the first
---@field tag integer compare with tags.name
---@field token number rounded: for information

---@class Failure
---@field code integer the server's error code, -1: no answer
---@field localError integer
---@field attempt integer counts from 1
---@field consistency integer
---@field required integer
---@field received integer
---@field writeType integer compare with WRITE_SIMPLE, ...
---@field dataPresent boolean
---@field idempotent boolean
---@field isRead boolean
---@field isLwt boolean

---@class Host
---@field index integer
---@field generation integer
---@field inFlight integer
---@field latencyUs integer mean latency, 0: not measured
---@field weight number 1 unless an application set it
---@field upSinceMs number
---@field latencyAtMs number when it was measured
---@field marks integer
---@field dcId integer
---@field rackId integer
---@field isUp boolean
---@field isLocal boolean
---@field isLocalRack boolean
---@field isNewlyUp boolean up for less than a minute
---@field breakerHalfOpen boolean a few requests see whether it works again
---@field isShut boolean connected, but its circuit breaker lets no request in: isUp is false
local Host = {}
---@param name string
---@return boolean
function Host:inDc(name) end
---@param name string
---@return boolean
function Host:hasTag(name) end

---@alias Scope integer
---@alias Order integer
---@alias HostSet integer

---@class Plan
local Plan = {}
---@param scope Scope
---@param order? Order shuffled without it
---@param limit? integer
function Plan:replicas(scope, order, limit) end
---@param scope Scope
---@param order? Order inTurn without it
---@param limit? integer
function Plan:hosts(scope, order, limit) end
---@param host Host
function Plan:host(host) end
---@param req Request
function Plan:child(req) end
---@param set HostSet
function Plan:only(set) end
---@param set HostSet
function Plan:avoid(set) end
---@param times number
---@param retryPeriod? number ms
---@param atLeast? number ms
function Plan:avoidSlow(times, retryPeriod, atLeast) end
function Plan:allowAll() end
function Plan:refuse() end

---@class BalancePolicy
---@field name string
---@field options? table<string, any>
---@field check? fun(options: table)
---@field plan fun(plan: Plan, req: Request, options: table)
---@param policy BalancePolicy
---@return BalancePolicy
function balance(policy) end

---@class RetryPolicy
---@field name string
---@field options? table<string, any>
---@field check? fun(options: table)
---@field decide fun(err: Failure, req: Failure, options: table, child?: function): integer, number?, integer?
---@param policy RetryPolicy
---@return RetryPolicy
function retry(policy) end

---@param scope Scope
---@return fun(scope: Scope, position: integer): integer?, Host?
---@return Scope
---@return integer
function hosts(scope) end
---@param scope Scope
---@return fun(scope: Scope, position: integer): integer?, Host?
---@return Scope
---@return integer
function replicas(scope) end
---@param scope Scope
---@return integer
function upCount(scope) end
---@param scope Scope
---@return integer connected hosts that are kept from by their circuit breakers
function shutCount(scope) end
---@param name string
---@return Scope
function dc(name) end
---@param name string
---@return HostSet
function tagged(name) end
---@param list string[] addresses, host ids, datacentres, racks
---@return HostSet
function listed(list) end
---@param low? number
---@param high? number
---@return number from low to high; without them 0 or more and less than 1
function random(low, high) end
---@param probability number
---@return boolean
function chance(probability) end
---@param text string
function log(text) end

---@type table<string, integer>
tags = {}
---@type table<string, integer>
keyspaces = {}

---@type Scope
localDc = 0
---@type Scope
sameRack = 0
---@type Scope
remoteDcs = 0
---@type Scope
allDcs = 0
---@type Scope
all = 0

---@type Order
inTurn = 0
---@type Order
shuffled = 0
---@type Order
primaryFirst = 0
---@type Order
leastLoaded = 0
---@type Order
fastest = 0
---@type Order
weighted = 0

---@type integer
giveUp = 0
---@type integer
sameHost = 0
---@type integer
nextHost = 0

ANY = 0
ONE = 0
TWO = 0
THREE = 0
QUORUM = 0
ALL = 0
LOCAL_QUORUM = 0
EACH_QUORUM = 0
SERIAL = 0
LOCAL_SERIAL = 0
LOCAL_ONE = 0
SERVER_ERROR = 0
PROTOCOL_ERROR = 0
BAD_CREDENTIALS = 0
UNAVAILABLE = 0
OVERLOADED = 0
IS_BOOTSTRAPPING = 0
TRUNCATE_ERROR = 0
WRITE_TIMEOUT = 0
READ_TIMEOUT = 0
READ_FAILURE = 0
FUNCTION_FAILURE = 0
WRITE_FAILURE = 0
CDC_WRITE_FAILURE = 0
CAS_WRITE_UNKNOWN = 0
SYNTAX_ERROR = 0
UNAUTHORIZED = 0
INVALID = 0
CONFIG_ERROR = 0
ALREADY_EXISTS = 0
UNPREPARED = 0
WRITE_SIMPLE = 0
WRITE_BATCH = 0
WRITE_UNLOGGED_BATCH = 0
WRITE_COUNTER = 0
WRITE_BATCH_LOG = 0
WRITE_CAS = 0
WRITE_VIEW = 0
WRITE_CDC = 0
