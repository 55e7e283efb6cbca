-- SPDX-License-Identifier: Apache-2.0
-- A simple pool: connect, write, read, close.
--
--   moonpool run --embedded 3 examples/simple_pool.lua      (or on a cluster of yours on 127.0.0.1)
local moonpool = require "moonpool"
local ConnectionPool = moonpool.ConnectionPool

-- The keyspace has to be there before a pool can use it.
local setup = ConnectionPool { contactPoints = { '127.0.0.1', '127.0.0.2' }, localDataCenter = 'datacenter1' }
assert(setup:connect())
assert(setup:execute [[CREATE KEYSPACE IF NOT EXISTS myapp
  WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}]])
setup:close()

local pool = ConnectionPool {
  contactPoints = { '127.0.0.1', '127.0.0.2' },
  localDataCenter = 'datacenter1',
  keyspace = 'myapp',

  -- Basic pool settings
  pooling = {
    coreConnectionsPerHost = { ['0'] = 2, ['1'] = 1 },
    maxConnectionsPerHost = { ['0'] = 8, ['1'] = 2 },
    maxRequestsPerConnection = 32768,
    heartBeatInterval = 30000,
  },
}

assert(pool:connect())

assert(pool:execute "CREATE TABLE IF NOT EXISTS users (id uuid PRIMARY KEY, name text, visits int)")
local insert = assert(pool:prepare "INSERT INTO users (id, name, visits) VALUES (?, ?, ?)")
local id = moonpool.uuid()
assert(pool:execute(insert, { id, "ana", 3 }, { consistency = "LOCAL_QUORUM" }))
local result = assert(pool:execute("SELECT name, visits FROM users WHERE id = ?", { id }))
for _, row in ipairs(result.rows) do print(row.name, row.visits) end
print("answered by " .. result.info.host)

pool:close()
