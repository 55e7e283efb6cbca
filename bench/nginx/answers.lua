-- SPDX-License-Identifier: Apache-2.0
-- What is measured in nginx: an answer with a row of Cassandra's, by moonpool and by a client of cosockets, and what
-- waiting costs without any of it.
local cosocket = require "cosocket"
local moonpool = require "resty.moonpool"
local semaphore = require "ngx.semaphore"

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

-- A semaphore of nginx's, its timer and the coroutine's going on, and nothing else: the last of a few wakes them all.
local TOGETHER, waiting, free = 16, {}, {}

function answers.wait(count, text)
  for _ = 1, count do
    local own = table.remove(free) or assert(semaphore.new())
    waiting[#waiting + 1] = own
    if #waiting == TOGETHER then
      for i = 1, TOGETHER do waiting[i]:post() end
      waiting = {}
    end
    own:wait(1)
    free[#free + 1] = own
  end
  ngx.print(text)
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
