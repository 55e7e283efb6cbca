-- SPDX-License-Identifier: Apache-2.0
-- What a pool writes to its log: what was asked for, once, in the form that was asked for, and nobody's data.
local cjson = require "cjson"
local moonpool = require "moonpool"
local unix = require "spec.support.unix"
local it = require("spec.support.world").inside(it)

local READ = "SELECT key FROM system.local"

-- The lines that the log gets while fn() runs.
local function said(fn)
  local lines = {}
  for line in unix.said_by(fn):gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

local function json(lines)
  local list = {}
  for i, line in ipairs(lines) do list[i] = cjson.decode(line) end
  return list
end

local function of_event(list, event)
  local found = {}
  for _, each in ipairs(list) do
    if each.event == event then found[#found + 1] = each end
  end
  return found
end

local function logging(fields)
  fields.level, fields.format = fields.level or "error", fields.format or "json"
  return { logging = fields }
end

describe("logging", function()
  it("tells each request once, with logRequests", function(world)
    world:schema "CREATE TABLE ks.items (id int PRIMARY KEY, v text)"
    local pool = world:pool(logging { logRequests = true })
    world:waitUp(pool)
    local lines = json(said(function()
      for i = 1, 20 do assert(pool:execute("INSERT INTO ks.items (id, v) VALUES (?, ?)", { i, "value " .. i })) end
      assert(pool:execute(READ))
      pool:execute "SELECT nothing FROM nowhere.atall"
    end))
    assert.equal(22, #lines)
    local requests, failed = of_event(lines, "request"), of_event(lines, "requestFailed")
    assert.equal(21, #requests)
    assert.equal("INSERT INTO ks.items (id, v) VALUES (?, ?)", requests[1].statement)
    assert.matches("^127", requests[1].host)
    assert.equal(1, requests[20].attempts)
    assert.is_true(requests[1].ms > 0)
    assert.equal("info", requests[1].level)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", requests[1].ts)
    assert.equal("INVALID", failed[1].code)
    assert.equal("no", failed[1].maybeApplied)
  end)

  it("tells failed and refused requests alone, with logErrors", { nodes = 1 }, function(world)
    local pool = world:pool(logging { logErrors = true })
    local lines = json(said(function()
      for _ = 1, 5 do assert(pool:execute(READ)) end
      pool:execute "SELECT nonsense FROM"
      world.cluster:rule { statement = "system.local", swallow = true }
      pool:execute(READ, nil, { timeout = 200 })
    end))
    local codes = {}
    for _, each in ipairs(of_event(lines, "requestFailed")) do codes[#codes + 1] = each.code end
    assert.same({ "SYNTAX_ERROR", "TIMEOUT" }, codes)
    assert.equal(2, #lines)
    world.cluster:clearRules()
    local small = world:pool { maxQueuedRequests = 0, pooling = { maxRequestsPerConnection = 1,
      maxConnectionsPerHost = { ["0"] = 1 } }, logging = { level = "error", format = "json", logErrors = true } }
    world.cluster:rule { statement = "system.local", swallow = true }
    lines = json(said(function()
      small:executeAsync(READ, nil, { timeout = 300 })
      small:execute(READ)
    end))
    assert.equal("POOL_BUSY", of_event(lines, "requestRefused")[1].code)
    moonpool.sleep(500)
  end)

  it("tells slow requests, with slowRequestMs, and a request in one line whatever it is", function(world)
    local pool = world:pool(logging { slowRequestMs = 100, logRequests = true })
    world:waitUp(pool)
    local slow = world.cluster:rule { statement = "system.local", delay = 150, times = 1 }
    local lines = json(said(function()
      for _ = 1, 3 do assert(pool:execute(READ)) end
    end))
    slow:remove()
    assert.equal(3, #lines)
    local found = of_event(lines, "slowRequest")
    assert.equal(1, #found)
    assert.is_true(found[1].ms >= 150)
    assert.equal("warn", found[1].level)
  end)

  it("tells each connection that comes and goes, with logConnections", function(world)
    local pool = world:newPool(logging { logConnections = true })
    local lines = json(said(function()
      assert(pool:connect())
      world:waitUp(pool)
      world.sim:cut(2)
      world:waitUp(pool)
      moonpool.sleep(1000)
      pool:close()
    end))
    local opened, closed = of_event(lines, "connectionOpened"), of_event(lines, "connectionClosed")
    assert.equal(#opened, #closed)
    assert.is_true(#opened >= 5) -- three, the control connection, and one again
    local ids = {}
    for _, each in ipairs(opened) do
      assert.is_nil(ids[each.connection])
      ids[each.connection] = true
      assert.is_true(each.ms > 0 and each.protocol >= 3)
    end
    for _, each in ipairs(closed) do
      assert.is_true(ids[each.connection])
      ids[each.connection] = nil
      assert.is_true(each.reason ~= "" and each.ageMs >= 0)
    end
    assert.is_nil(next(ids))
  end)

  it("is silent with the level off, whatever is asked for", function(world)
    local pool = world:pool(logging { level = "off", logRequests = true, logErrors = true, logConnections = true,
      slowRequestMs = 1 })
    assert.same({}, said(function()
      assert(pool:execute(READ))
      pool:execute "SELECT nonsense FROM"
      world.sim:cut(1)
      world:waitUp(pool)
    end))
  end)

  it("is text, logfmt or JSON, with a time or without", function(world)
    local function one(fields)
      local pool = world:pool(logging(fields))
      local lines = said(function() assert(pool:execute(READ)) end)
      pool:close()
      assert.equal(1, #lines)
      return lines[1]
    end
    local stamp = "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ"
    assert.matches("^moonpool info: request: %d+%.%d ms, 1 attempts, 127%S+: SELECT key FROM system%.local$",
      one { format = "text", logRequests = true })
    assert.matches("^moonpool info: " .. stamp .. " request: ",
      one { format = "text", logRequests = true, timestamps = true })
    assert.matches('^ts=' .. stamp .. ' level=info event=request statement="SELECT key FROM system.local" host=127',
      one { format = "logfmt", logRequests = true })
    assert.matches('^{"level":"info","event":"request"', one { logRequests = true, timestamps = false })
  end)

  it("is each pool's own", function(world)
    local loud, quiet = world:pool(logging { logRequests = true }), world:pool(logging {})
    local lines = said(function()
      for _ = 1, 3 do
        assert(loud:execute(READ))
        assert(quiet:execute(READ))
      end
    end)
    assert.equal(3, #lines)
  end)

  it("tells a fact once", function(world)
    local pool = world:pool(logging { level = "debug", logConnections = true, logErrors = true, timestamps = false })
    world:waitUp(pool)
    moonpool.sleep(100)
    local lines = said(function()
      world.cluster:kill(2)
      world:waitStatus(pool, 2, "down")
      moonpool.sleep(100)
    end)
    local seen, ends, down = {}, 0, 0
    for _, line in ipairs(lines) do
      assert.is_nil(seen[line], line)
      seen[line] = true
      local fact = cjson.decode(line)
      ends = ends + (fact.event == "connectionClosed" and 1 or 0)
      down = down + (fact.msg:find " is down" and 1 or 0)
    end
    assert.equal(1, down)
    assert.equal(pool:getStats().connectionsClosed, ends - (ends > pool:getStats().connectionsClosed and 1 or 0))
  end)

  -- The server's errors tell the statement's text, which has the password here; the log must not.
  it("never holds a value or a secret, at any level, in any form", function(world)
    world.oracles.tells_secrets = true
    world:schema "CREATE TABLE ks.secret (id text PRIMARY KEY, v text, n bigint)"
    for _, format in ipairs { "text", "logfmt", "json" } do
      local lines = said(function()
        local pool = world:pool { auth = { username = "ana", password = "CANARY", required = false },
          logging = { level = "debug", format = format, logRequests = true, logErrors = true, logConnections = true,
            slowRequestMs = 1 } }
        world:waitUp(pool)
        local function try(...) pool:execute(...) end
        try("INSERT INTO ks.secret (id, v, n) VALUES (?, ?, ?)", { "CANARY", "my CANARY", 4711004711 })
        try("INSERT INTO ks.secret (id, v, n) VALUES (:id, :v, :n)", { id = "CANARY", v = "CANARY", n = 4711004711 })
        try "INSERT INTO ks.secret (id, v, n) VALUES ('CANARY', 'it''s CANARY', 4711004711)"
        try("SELECT v FROM ks.secret WHERE id = ?", { "CANARY" }, { prepare = false })
        try "SELECT v FROM ks.secret WHERE id = 'CANARY' AND nonsense 'CANARY'"
        try "SELEC 'CANARY'"
        try "CREATE ROLE bob WITH PASSWORD = 'CANARY' AND LOGIN = true"
        try "ALTER USER bob WITH PASSWORD CANARY"
        pool:batch { { "INSERT INTO ks.secret (id, v) VALUES (?, ?)", { "CANARY", "CANARY" } },
          "INSERT INTO ks.secret (id, v) VALUES ('CANARY', 'CANARY')" }
        world.cluster:rule { statement = "ks.secret", times = 3,
          error = { code = "INVALID", message = "bad 'CANARY'" } }
        for _ = 1, 3 do try "SELECT v FROM ks.secret WHERE id = 'CANARY'" end
        world.cluster:rule { statement = "ks.secret", swallow = true, times = 2 }
        try("SELECT v FROM ks.secret WHERE id = 'CANARY'", nil, { timeout = 100 })
        world.sim:cut(1)
        moonpool.sleep(1000)
        pool:close()
      end)
      assert.is_true(#lines > 20)
      for _, line in ipairs(lines) do
        assert.is_nil(line:find "CANARY", line)
        assert.is_nil(line:find "4711004711", line)
      end
    end
  end)
end)
