-- SPDX-License-Identifier: Apache-2.0
-- A REST service: users in a table. Each function is a location of nginx.conf; it waits for Cassandra as if it were a
-- file, and nginx serves others meanwhile.
--
--   GET /users/ID    PUT /users/ID {"name": ...}    GET /users?size=N&page=...    GET /health    GET /metrics
local cjson = require "cjson.safe"
local moonpool = require "resty.moonpool"

local service = {}

local SIZE, LARGEST = 20, 500

local BOTH = { consistency = "LOCAL_QUORUM", isIdempotent = true } -- a write is there for the next read
local INVALID_PAGE = { PROTOCOL_ERROR = true, SERVER_ERROR = true } -- what nodes say of one that they have not made

local TABLES = {
  [[CREATE KEYSPACE IF NOT EXISTS app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}]],
  "CREATE TABLE IF NOT EXISTS app.users (id int PRIMARY KEY, name text)",
}

local function say(status, json)
  ngx.status = status
  ngx.say(json)
  return ngx.exit(status)
end

local function answer(status, value) return say(status, cjson.encode(value)) end

-- What the client may know of an error; the log has the rest.
local function fail(err)
  ngx.log(ngx.ERR, tostring(err))
  return answer(503, { error = err.code, maybeApplied = err.maybeApplied or nil })
end

local function use_pool()
  local pool, err = moonpool.pool()
  if not pool then return fail(err) end
  return pool
end

-- The tables are made by whoever asks first.
local function ask(pool, cql, parameters, options)
  local result, err = pool:execute(cql, parameters, options)
  if result or err.code ~= "INVALID" then return result, err end
  for _, statement in ipairs(TABLES) do
    local made, why = pool:execute(statement, nil, { timeout = 60000 })
    if not made then return nil, why end
  end
  return pool:execute(cql, parameters, options)
end

local function get(pool, id)
  local result, err = ask(pool, "SELECT id, name FROM app.users WHERE id = ?", { id }, BOTH)
  if not result then return fail(err) end
  local row = result:first()
  if not row then return answer(404, { error = "no such user" }) end
  return answer(200, row)
end

local function put(pool, id)
  ngx.req.read_body() -- nginx.conf keeps it in memory
  local user = cjson.decode(ngx.req.get_body_data() or "")
  if type(user) ~= "table" or type(user.name) ~= "string" then return answer(400, { error = "a name is missing" }) end
  local result, err = ask(pool, "INSERT INTO app.users (id, name) VALUES (?, ?)", { id, user.name }, BOTH)
  if not result then return fail(err) end
  return answer(200, { id = id, name = user.name })
end

function service.user()
  local id = tonumber(ngx.var.uri:match "^/users/(%d+)$")
  if not id or id > 2147483647 then return answer(404, { error = "no such user" }) end
  local method = ngx.req.get_method()
  if method == "GET" then return get(use_pool(), id) end
  if method == "PUT" then return put(use_pool(), id) end
  return answer(405, { error = "GET or PUT" })
end

-- A page of them; `next` is the `page` of the one behind it. It is opaque to the client.
function service.list()
  local arguments = ngx.req.get_uri_args()
  local size = arguments.size == nil and SIZE or tonumber(arguments.size)
  if not size or size % 1 ~= 0 or size < 1 or size > LARGEST then
    return answer(400, { error = "size: a whole number from 1 to " .. LARGEST })
  end
  local page = arguments.page and ngx.decode_base64(tostring(arguments.page))
  if arguments.page and not page then return answer(400, { error = "page: the `next` of the page before" }) end
  local result, err = ask(use_pool(), "SELECT id, name FROM app.users", nil, { fetchSize = size, pageState = page })
  if not result and page and INVALID_PAGE[err.code] then
    return answer(400, { error = "page: the `next` of the page before" })
  end
  if not result then return fail(err) end
  local rows = {}
  for i, row in ipairs(result.rows) do rows[i] = cjson.encode(row) end
  local next = result.pageState and cjson.encode(ngx.escape_uri(ngx.encode_base64(result.pageState)))
  -- Not every cjson knows an empty list from an empty object.
  return say(200, ('{"users":[%s]%s}'):format(table.concat(rows, ","), next and ',"next":' .. next or ""))
end

function service.health()
  local pool = use_pool()
  local hosts, up = pool:getHosts(), 0
  for _, host in ipairs(hosts) do up = up + (host.status == "up" and 1 or 0) end
  local balance = pool:policies().balance
  return answer(up > 0 and 200 or 503, {
    up = up, hosts = #hosts, policy = balance.name, generation = balance.generation, worker = ngx.worker.id(),
  })
end

function service.metrics()
  local text, kind = moonpool.metrics()
  if not text then return fail(kind) end
  ngx.header.content_type = kind
  ngx.print(text)
end

-- Of the worker that answers; the others see the changed files themselves.
function service.reload()
  if ngx.req.get_method() ~= "POST" then return answer(405, { error = "POST" }) end
  local ok, err = use_pool():reload()
  if not ok then return answer(409, { error = err.message }) end
  return answer(200, { policy = use_pool():policies().balance.generation })
end

return service
