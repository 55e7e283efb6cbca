-- SPDX-License-Identifier: Apache-2.0
---@meta
-- The module and its pools, for editors. docs/lua-api.md says more; steering of hosts and nodes stands in steer.lua. A
-- call that can fail gives nil and an error.

---@class Error
---@field code string "TIMEOUT", "NO_HOST_AVAILABLE", ..., or the server's: "UNAVAILABLE"
---@field serverCode? integer
---@field message string
---@field host? string of the last attempt
---@field attempts { host: string, error: string, code: string, ms: integer }[]
---@field maybeApplied boolean false: certainly not applied; true: nobody knows

---@class RequestOptions
---@field consistency? string
---@field serialConsistency? string
---@field timeout? integer milliseconds
---@field isIdempotent? boolean
---@field fetchSize? integer
---@field pageState? string
---@field keyspace? string
---@field routingKey? string
---@field timestamp? integer microseconds since 1970
---@field traceQuery? boolean
---@field payload? table<string, string> for what the node has in front of its statements
---@field host? string
---@field tag? string
---@field prepare? boolean
---@field profile? string of the configuration

---@class BatchOptions: RequestOptions
---@field type? "logged"|"unlogged"|"counter"

---@class Column
---@field name string
---@field type string

---@class ResultInfo
---@field host string
---@field attempts integer
---@field latencyMs number
---@field warnings string[]
---@field traceId? string
---@field schemaDisagrees? boolean true: after ten seconds not all hosts that are up knew the change
---@field payload? table<string, string> what the node has in front of its statements says

---@class Result
---@field rows table<string, any>[] made when they are asked for
---@field count integer how many they are; makes none
---@field columns Column[]
---@field pageState? string nil: that was the last page
---@field wasApplied boolean false when a conditional write was not
---@field info ResultInfo
local Result = {}
---@return table<string, any>? row the first one
function Result:first() end
---@param i integer
---@return table<string, any>? row that one; makes no other
function Result:row(i) end
---@return fun(result: Result, i: integer): integer?, table<string, any>? # for i, row in result:each() do ... end
---@return Result
---@return integer
function Result:each() end
---@return Trace?, Error? err of a request with traceQuery
function Result:trace() end

---@class Trace
---@field id string
---@field coordinator string
---@field client? string
---@field command string
---@field request string
---@field parameters table<string, string>
---@field startedAt number ms since 1970
---@field durationUs integer
---@field events { source: string, activity: string, elapsedUs: integer, thread: string }[]

---@class Statement
---@field cql string
---@field parameters Column[]
---@field columns Column[]

---@class Future
local Future = {}
---@return any ... its values, or nil and an error
function Future:wait() end
---@return boolean
function Future:done() end
---Of a request: it ends with CANCELLED; what was not sent is not sent, what was may be applied (err.maybeApplied).
---@return boolean cancelled false: it is over
function Future:cancel() end

---@class HostMetrics
---@field address string
---@field datacenter string
---@field status "new"|"up"|"down"
---@field connections integer
---@field requestsPerSecond number
---@field averageLatency number milliseconds, as all of these
---@field latencyP50 number
---@field latencyP95 number
---@field latencyP99 number
---@field latencyP999 number
---@field errorRate number 0 to 1

---@class Metrics
---@field hostsUp integer
---@field hostsDown integer
---@field totalConnections integer
---@field activeConnections integer
---@field idleConnections integer
---@field requestsPerSecond number
---@field averageLatency number milliseconds, as all of these
---@field latencyP50 number
---@field latencyP95 number
---@field latencyP99 number
---@field latencyP999 number
---@field latencyMax number
---@field errorRate number 0 to 1
---@field poolUtilization number 0 to 1
---@field connectionTurnover number in a minute
---@field servingDataCenter? string
---@field shadow? ShadowAgreement
---@field hosts HostMetrics[]

---@class Recommendation
---@field key string of the configuration
---@field host? string
---@field measurement string
---@field measured any
---@field threshold any
---@field message string

---@class Bottleneck: Recommendation
---@field kind string
---@field advice string

---@class Health
---@field overall "healthy"|"degraded"|"unhealthy"
---@field hosts { address: string, status: string, connections: integer, averageLatency: number, errorRate: number }[]
---@field recommendations Recommendation[]

---@class Analysis
---@field bottlenecks Bottleneck[]
---@field recommendations Recommendation[]
---@field avgConnectionTime number milliseconds
---@field avgRequestTime number milliseconds
---@field poolEfficiency number 0 to 1

---@class ConnectionDetails
---@field id integer
---@field host string
---@field state string
---@field inFlightRequests integer
---@field createdAt number milliseconds since 1970
---@field lastUsedAt? number nil: not yet

---@class Pool
local Pool = {}
---@return true?, Error? err
function Pool:connect() end
---@return true?, Error? err
function Pool:initialize() end
---@param statement string|Statement
---@param parameters? table positional { 1, "a" } or named { id = 1 }
---@param options? RequestOptions
---@return Result?, Error? err
function Pool:execute(statement, parameters, options) end
-- execute(statement, { a, b, ... }) without the table.
---@param statement string|Statement
---@param a? any
---@param b? any
---@param c? any
---@param d? any
---@param e? any
---@param f? any
---@param g? any
---@param h? any
---@return Result?, Error? err
function Pool:run(statement, a, b, c, d, e, f, g, h) end
---@param statement string|Statement
---@param parameters? table
---@param options? RequestOptions
---@return Future
function Pool:executeAsync(statement, parameters, options) end
---@param statements table[] each a text, or { statement, parameters }
---@param options? BatchOptions
---@return Result?, Error? err
function Pool:batch(statements, options) end
---@param statements table[]
---@param options? BatchOptions
---@return Future
function Pool:batchAsync(statements, options) end
---@param cql string
---@param options? RequestOptions the defaults of its requests
---@return Statement?, Error? err
function Pool:prepare(cql, options) end
---@param statement string|Statement
---@param parameters? table
---@param options? RequestOptions
---@return fun(): table<string, any>? rows page by page; raises on an error
function Pool:rows(statement, parameters, options) end
---@return true?, Error? err
function Pool:close() end
---@param event string
---@param handler fun(...)
---@return Pool
function Pool:on(event, handler) end
-- Of the pool that a handlers file is given, see "What a handlers file owns" in docs/lua-api.md.
---@type table?
Pool.memory = nil
---@param event string
---@param handler fun(...)
---@return Pool
function Pool:off(event, handler) end
---@return integer how many handlers have raised an error
function Pool:getHandlerErrors() end
---@return table<string, number>
function Pool:getStats() end
---@return Metrics of the last seconds
function Pool:getMetrics() end
---@return Health?, Error? err
function Pool:getHealthStatus() end
---@return Analysis?, Error? err
function Pool:analyzePerformance() end
---@return ConnectionDetails[]
function Pool:getConnectionDetails() end
---@return table[]
function Pool:getHosts() end
---@return table<string, Policy> by kind: balance, retry, reconnect, speculate, failover, shadow
function Pool:policies() end

---@class Policy what answers a question
---@field name string
---@field file string
---@field generation integer
---@field since number milliseconds since 1970
---@field ageMs number
---@field calls integer of this generation
---@field errors integer
---@field reloads integer
---@field refused integer
---@field lastError string "": none
---@field nsPerCall number
---@field fuelPerCall number
---@field bytesPerCall number
---@field costClass "fast"|"slow"
---@field agreement? ShadowAgreement of the shadow, while it is asked

---@class ShadowAgreement
---@field asked integer
---@field sameFirst number 0 to 1
---@field sameHosts number 0 to 1
---@field latencyMs? number
---@field latencyMsServing? number
---@field differences table<string, integer> by why
---@field examples? ShadowExample[]

---@class ShadowExample the last request of a difference
---@field difference string
---@field atMs number
---@field kind "read"|"write"|"batch"|"lwt"
---@field keyspace? string
---@field token? string
---@field consistency string
---@field serving? string
---@field servingStep? string
---@field shadow? string
---@field shadowStep? string

---@class Decision what docs/decision-log.md says
---@field number integer
---@field atMs integer milliseconds since 1970
---@field policy string
---@field generation integer
---@field request { kind: string, keyspace?: string, table?: string, token?: string, consistency: string, tag?: string }
---@field hosts table<string, any>[]
---@field steps string[]
---@field plan { host: string, step: integer }[]
---@field outcome? { host?: string, attempts: integer, latencyUs: integer, error?: string }

---The last requests that the decision log has noted, oldest first.
---@param count? integer 1000
---@return Decision[]?
---@return Error?
function Pool:decisions(count) end
---@param request? table keyspace, routingKey or token, consistency, tag, isRead, isLwt, idempotent
---@return table?, Error? err
function Pool:explain(request) end
---@param host string
---@param weight number
---@return true?, Error? err
function Pool:setHostWeight(host, weight) end
---@param host string
---@param tags string[]
---@return true?, Error? err
function Pool:setHostTags(host, tags) end
---@return true?, Error? err
function Pool:reload() end
---@param kind string "balance", "retry", ...
---@return true?, integer|Error generation
function Pool:rollback(kind) end

---@class CanaryFigure
---@field candidate number
---@field inForce number
---@field confidence number that the candidate is the worse one; 0: nothing says so
---@field limit? number nil: it takes nothing back

---@class Canary what the event policyCanary has
---@field policy string its kind
---@field state "running"|"waiting"|"promoted"|"takenBack"
---@field reason string
---@field name string
---@field file string
---@field generation integer on trial
---@field inForce integer the generation beside it
---@field seconds number since it began
---@field lasting number seconds
---@field share number of the requests, now
---@field wholeShare number in the end
---@field requests integer that it met, since its share is what it is
---@field requestsInForce integer
---@field requestsWanted integer
---@field figures table<string, CanaryFigure>

---@param kind? string nil: all of them by kind
---@return Canary|table<string, Canary>|nil
function Pool:canary(kind) end

---@param kind string
---@return true?, Error? err
function Pool:promoteCanary(kind) end

---@param kind string
---@return true?, Error? err
function Pool:abortCanary(kind) end
function Pool:warmup() end
---@param sizes table<string, integer> connections by host
function Pool:preallocateConnections(sizes) end
function Pool:schema(...) end

---@return table[] the playbooks, and what runs
function Pool:playbooks() end
---@param name string
---@param options? { host?: string, dry?: boolean, keep?: boolean } keep: beyond the handlers file that begins it
---@return integer|true?, Error? err
function Pool:runPlaybook(name, options) end
---@param name? string
---@param count? integer
---@return table[] what playbooks did, and why
function Pool:playbookHistory(name, count) end
---@param name string
---@param host? string
---@return integer?, Error? err
function Pool:acknowledgePlaybook(name, host) end
---@param on boolean
function Pool:switchPlaybooks(on) end

---@class moonpool
local moonpool = {}
---@param configuration? Config|string a table, or the path of a Lua file that returns one
---@return Pool?, Error? err
function moonpool.ConnectionPool(configuration) end
---@param configuration? Config|string
---@return Pool?, Error? err
function moonpool.AdvancedConnectionPool(configuration) end
---@param fn fun(...): ...
---@return any ...
function moonpool.run(fn, ...) end
---@param fn fun(...): ...
---@return Future
function moonpool.spawn(fn, ...) end
-- Goes on when the handlers file that begins it is replaced.
---@param fn fun(...): ...
---@return Future
function moonpool.detach(fn, ...) end
---@param futures Future[]
---@return any[]?, Error? err
function moonpool.all(futures) end
---@param ms number
function moonpool.sleep(ms) end
---@return number monotonic milliseconds
function moonpool.now() end
---@param text? string
---@return string?, Error? err
function moonpool.uuid(text) end
---@return string
function moonpool.timeuuid() end
---@param type string
---@param value any
---@return string? bytes, Error? err
function moonpool.encode(type, value) end
---@param type string
---@param bytes string
---@return any value, Error? err
function moonpool.decode(type, bytes) end
-- In another event loop, see docs/lua-api.md.
function moonpool.attach(uv) end
function moonpool.fd() end
function moonpool.timeout() end
function moonpool.turn() end
