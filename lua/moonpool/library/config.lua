-- SPDX-License-Identifier: Apache-2.0
---@meta
-- The keys of a configuration, for editors: `---@type Config` in front of the table. What each of them means stands in
-- docs/configuration.md. Times are milliseconds.

---@class Config
---@field contactPoints? string[] "10.0.0.1", "db1:9142", "[::1]:9042"
---@field port? integer of contact points that name none
---@field addressTranslator? table<string, string>|fun(address: string, host: TranslatedHost): string?
---@field localDataCenter? string
---@field localRack? string
---@field keyspace? string
---@field auth? ConfigAuth
---@field tls? ConfigTls
---@field compression? "none"|"lz4"|"snappy" of long requests and answers, where the node offers it
---@field protocolVersion? 3|4|5 this one only
---@field requestTimeout? integer
---@field attemptTimeout? integer
---@field maxQueuedRequests? integer
---@field clientTimestamps? boolean
---@field maxPreparedStatements? integer
---@field busyPollUs? integer microseconds for which the loop looks before it sleeps, at the price of a core
---@field pooling? ConfigPooling
---@field loadBalancing? ConfigLoadBalancing
---@field retry? ConfigPolicy
---@field reconnection? ConfigPolicy
---@field speculativeExecution? ConfigPolicy
---@field policyPath? string[] folders that are searched before the built-in policies
---@field policyKeys? string|string[] public keys, "ed25519 HEX": only policies signed by one of them come into force
---@field healthCheck? ConfigHealthCheck hosts are asked by a query whether they are well
---@field circuitBreaker? ConfigCircuitBreaker
---@field failover? ConfigFailover
---@field defaults? ConfigRequest options that every request has
---@field profiles? table<string, ConfigRequest> others by a name: { profile = name }
---@field regionSettings? table<string, ConfigRegion> by datacentre
---@field logging? ConfigLogging
---@field decisionLog? ConfigDecisionLog
---@field metrics? ConfigMetrics
---@field http? ConfigHttp
---@field handlers? string a file of event handlers
---@field control? string the path of the control socket
---@field controlEval? boolean whether `moonpool ctl eval` may run Lua in the process
---@field playbooks? string|table files and folders, with dryRun, commands and state beside them

---@class ConfigLoadBalancing
---@field policy? string a name or the path of a file; what stands beside it are its options
---@field shadow? string|ConfigPolicy a policy that is asked beside it and not obeyed
---@field shadowShare? number for this part of the requests, 0 to 1
---@field [string] any

---@class TranslatedHost
---@field id string
---@field datacenter string
---@field rack string

---@class ConfigMetrics
---@field listen? string an IP address with a port, or the path of a socket

---@class ConfigHttp
---@field listen? string where the status page is: an IP address with a port, or the path of a socket
---@field token? string the password that it asks for; must be there when other machines reach it

---@class ConfigAuth
---@field username? string
---@field password? string
---@field credentials? string|fun(node: AuthNode): string?, string? a file, or a function: name and password
---@field authenticator? ConfigAuthenticator
---@field required? boolean false: a node that asks for no password is used all the same, with a warning

---@class AuthNode
---@field address string
---@field authenticator string the class that the node names

---@class AuthExchange: AuthNode
---@field round integer 1: the first token
---@field [string] any what the steps keep here

---@class ConfigAuthenticator
---@field initialResponse fun(exchange: AuthExchange): string?, string? a token; or nil and why not
---@field evaluateChallenge? fun(challenge: string, exchange: AuthExchange): string?, string?
---@field onAuthenticationSuccess? fun(token: string, exchange: AuthExchange): boolean?, string? false: no proof

---@class ConfigTls
---@field ca? string PEM file of the authorities; those of the system
---@field cert? string PEM file of the own certificate
---@field key? string PEM file of its key; the same file
---@field passphrase? string of the key
---@field crl? string PEM file of what is revoked
---@field verify? boolean false: whoever answers is believed, with a warning for each connection
---@field serverName? string that certificates must be for; the contact point's name, or the address
---@field identity? "name"|"address"|"hostId" for what of a node its certificate must be; "name"
---@field minVersion? "1.2"|"1.3"
---@field ciphers? string names of cipher suites as OpenSSL has them, with ":" between them

---@alias ConfigSizes integer|table<"0"|"1"|0|1|"local"|"remote", integer> for each distance

---@class ConfigPooling
---@field coreConnectionsPerHost? ConfigSizes
---@field maxConnectionsPerHost? ConfigSizes
---@field maxRequestsPerConnection? integer
---@field heartBeatInterval? integer
---@field heartBeatTimeout? integer
---@field warmup? boolean connect() waits for the core connections of every host; true
---@field warmupTimeout? integer for so long; connectionTimeout
---@field idleTimeout? integer
---@field connectionTimeout? integer
---@field enableTcpNoDelay? boolean
---@field enableTcpKeepAlive? boolean
---@field tcpUserTimeout? integer
---@field reconnectBaseDelay? integer
---@field reconnectMaxDelay? integer
---@field connectionsPerSecond? integer but the first ones to a host
---@field enableMetrics? boolean false: getMetrics() has only what stands now
---@field metricsInterval? integer the window of getMetrics(), and how often the event is told
---@field adaptivePooling? ConfigAdaptivePooling the size follows the measured load
---@field enableBatching? boolean false; idempotent writes of one replica set leave together as UNLOGGED batches
---@field batchSize? integer 100; statements of one such batch
---@field batchTimeout? integer 0; how long a write waits for others, in milliseconds; 0: for this turn of the loop

---@class ConfigAdaptivePooling
---@field enabled? boolean true where the section stands
---@field minConnections? integer to each local host; 1
---@field maxConnections? integer 8
---@field targetUtilization? number of the room, after each resize; 0.7
---@field scaleUpThreshold? number above it a pool grows; 0.8
---@field scaleDownThreshold? number below it a pool shrinks; 0.3
---@field evaluationInterval? integer 30000

---@class ConfigCanary
---@field share? number of the requests, above 0 and at most 0.5
---@field lasting? string|number "2m", or milliseconds
---@field requests? integer that are enough
---@field abortIf? table<string, number|false> by errorRate, p99, attempts, busiestHost, leftDatacenter, ...

---@class ConfigPolicy
---@field policy? string a name or a path
---@field canary? ConfigCanary a changed file of it comes into force by parts
---@field [string] any its options

---@class ConfigHealthCheck
---@field enabled? boolean
---@field interval? integer
---@field timeout? integer
---@field query? string

---@class ConfigCircuitBreaker
---@field enabled? boolean
---@field failureThreshold? integer failures of a host in a row that open its breaker; 5
---@field recoveryTimeout? integer how long it is open; 30000
---@field halfOpenMaxCalls? integer requests that must go well before it closes; 3

---@class ConfigFailover
---@field enabled? boolean
---@field maxRetries? integer
---@field retryDelay? integer
---@field backoffMultiplier? number
---@field autoDiscovery? boolean
---@field discoveryInterval? integer
---@field allowLocalConsistency? boolean
---@field policy? string which datacentre serves; its options stand beside it
---@field [string] any

---@class ConfigRegion
---@field priority? integer
---@field maxConnections? integer

---@class ConfigDecisionLog
---@field sample? number the part of the requests that are noted, 0 to 1; 0.01
---@field file? string where the records go; without it, in memory only
---@field keep? integer|string the room that its files may take together; "100MB"

---@class ConfigLogging
---@field level? "error"|"warn"|"info"|"debug"|"off"
---@field logConnections? boolean a line for each connection that opens and ends
---@field logRequests? boolean a line for each request
---@field logErrors? boolean a line for each request that failed
---@field slowRequestMs? integer a line for each request that took so long; 0: none
---@field format? "text"|"logfmt"|"json"
---@field to? "stderr"|"syslog"|"journal"
---@field timestamps? boolean lines have their time

---@class ConfigRequest
---@field consistency? string
---@field serialConsistency? "SERIAL"|"LOCAL_SERIAL"
---@field timeout? integer
---@field isIdempotent? boolean
---@field fetchSize? integer
---@field traceQuery? boolean
---@field tag? string
