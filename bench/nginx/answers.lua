-- SPDX-License-Identifier: Apache-2.0
-- What is measured in nginx: an answer with a row of Cassandra's, by moonpool and by a client of cosockets.
local cosocket = require "cosocket"
local moonpool = require "resty.moonpool"

local CQL = "SELECT value FROM bench.kv WHERE key = ?"

local answers = {}
local pool, statement
local key = 0

function answers.moonpool(count)
  if not statement then
    pool = assert(moonpool.pool())
    statement = assert(pool:prepare(CQL))
  end
  local value
  for _ = 1, count do
    key = key + 1
    local result, err = pool:run(statement, key)
    if not result then
      ngx.log(ngx.ERR, tostring(err))
      return ngx.exit(503)
    end
    value = result:first().value
  end
  ngx.print(value)
end

function answers.cosocket(count)
  local value
  for _ = 1, count do
    key = key + 1
    local found, err = cosocket.execute(CQL, key)
    if not found then
      ngx.log(ngx.ERR, err)
      return ngx.exit(503)
    end
    value = found
  end
  ngx.print(value)
end

return answers
