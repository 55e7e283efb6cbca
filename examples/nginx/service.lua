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

local TABLES = {
  [[CREATE KEYSPACE IF NOT EXISTS app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}]],
  "CREATE TABLE IF NOT EXISTS app.users (id int PRIMARY KEY, name text)",
}

local function answer(status, value)
  ngx.status = status
  ngx.say(cjson.encode(value))
  return ngx.exit(status)
end

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

-- The tables are made by whoever writes first.
local function write(pool, cql, parameters)
  local result, err = pool:execute(cql, parameters, BOTH)
  if result or err.code ~= "INVALID" then return result, err end
  for _, statement in ipairs(TABLES) do
    local made, why = pool:execute(statement, nil, { timeout = 60000 })
    if not made then return nil, why end
  end
  return pool:execute(cql, parameters, BOTH)
end

local function get(pool, id)
  local result, err = pool:execute("SELECT id, name FROM app.users WHERE id = ?", { id }, BOTH)
  if not result then return fail(err) end
  local row = result:first()
  if not row then return answer(404, { error = "no such user" }) end
  return answer(200, row)
end

local function put(pool, id)
  ngx.req.read_body()
  local user = cjson.decode(ngx.req.get_body_data() or "")
  if type(user) ~= "table" or type(user.name) ~= "string" then return answer(400, { error = "a name is missing" }) end
  local result, err = write(pool, "INSERT INTO app.users (id, name) VALUES (?, ?)", { id, user.name })
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
  local size = math.min(tonumber(arguments.size) or SIZE, LARGEST)
  local page = type(arguments.page) == "string" and ngx.decode_base64(arguments.page) or nil
  local result, err = use_pool():execute("SELECT id, name FROM app.users", nil, { fetchSize = size, pageState = page })
  if not result then return fail(err) end
  local rows = setmetatable({}, cjson.array_mt)
  for i, row in ipairs(result.rows) do rows[i] = row end
  local next = result.pageState and ngx.encode_base64(result.pageState)
  return answer(200, { users = rows, next = next and ngx.escape_uri(next) })
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
