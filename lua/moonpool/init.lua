-- SPDX-License-Identifier: Apache-2.0
-- What `require "moonpool"` gives: the C core with the parts that read better in Lua.
local core = require "moonpool.core_loader"
local async = require "moonpool.async"
local pool = require "moonpool.pool"
require "moonpool.modules"
require "moonpool.values"

local moonpool = {
  _VERSION = core.version,
  null = core.null,
  unset = core.unset,
  uuid = core.uuid,
  timeuuid = core.timeuuid,
  encode = core.encode,
  decode = core.decode,
  errors = core.errors,
  run = core.run,
  sleep = core.sleep,
  now = core.now,
  fd = core.fd,
  timeout = core.timeout,
  turn = core.turn,
  spawn = async.spawn,
  detach = async.detach,
  all = async.all,
}

-- Lets luv's event loop turn moonpool's: what moonpool.spawn starts goes on while uv.run() runs.
function moonpool.attach(uv)
  return require("moonpool.attach")(uv)
end

-- A pool of connections to one cluster. Both names are the same engine.
function moonpool.ConnectionPool(configuration)
  local self, err = pool.new(configuration, 2) -- no tail call: messages name the caller's line
  return self, err
end
moonpool.AdvancedConnectionPool = moonpool.ConnectionPool

return moonpool
