-- SPDX-License-Identifier: Apache-2.0
-- Secrets and values of requests, each a canary with a name, are planted in a run that does everything that may go
-- wrong; none of them is in a line of the log (also of the journal, with its fields), an error, an event, a figure, a
-- metric, an answer to `moonpool ctl`, the drawing of `moonpool top`, the status page, the decision log, or what
-- `moonpool replay` says of it. In nginx: spec/nginx/canaries_spec.lua.
local moonpool = require "moonpool"
local certificates = require "spec.support.certificates"
local config_file = require "spec.support.config_file"
local datagrams = require "spec.script.datagrams"
local exporter = require "moonpool.exporter"
local json = require "moonpool.cli.json"
local page = require "moonpool.page"
local policies = require "spec.support.policies"
local replay = require "moonpool.prove.replay"
local screen = require "moonpool.cli.top_screen"
local verbs = require("moonpool.cli.pool_verbs").verbs
local support = require "spec.support.world"
local unix = require "spec.support.unix"
local C = require "spec.support.c"
local it = support.inside(it)

-- Twenty and more words that stand nowhere else, and what was planted at run time: tokens, challenges.
local planted, texts
local journal, journalled -- what stands in for the journal's socket, and how many bytes came there

local function canary(name)
  local word = ("CANARY%02dofThe%s"):format(#planted + 1, name:gsub("%A", ""))
  planted[#planted + 1] = word
  return word
end

local function note(what, text)
  for i = 1, #planted do
    if text:find(planted[i], 1, true) then
      error(("%s shows %q: %s"):format(what, planted[i], text:sub(1, 300)), 0)
    end
  end
  texts = texts + 1
end

-- Anything as text, tables with all that they hold.
local function look(what, value, seen)
  seen = seen or {}
  if type(value) == "table" then
    if seen[value] then return end
    seen[value] = true
    note(what, tostring(value))
    for key, item in pairs(value) do
      look(what, key, seen)
      look(what, item, seen)
    end
  elseif value ~= nil then
    note(what, tostring(value))
  end
end

local EVENTS = { "connectionAdded", "connectionRemoved", "connectionLost", "hostUp", "hostDown", "hostAdded",
  "hostRemoved", "failover", "breakerOpen", "breakerHalfOpen", "breakerClose", "poolResize", "policyReload",
  "policyError", "configReload", "configError", "schemaChange", "metrics", "handlersReload", "handlersError",
  "playbookRun", "playbookReload", "playbookError", "eventsDropped" }

-- What came to the journal since it was looked at; what finds no place there goes to the standard error.
local function drain()
  for line in function() return journal and journal:take() end do
    journalled = journalled + #line
    note("the journal", line)
  end
end

-- A decision log, and what another policy would have done with it.
local function look_at_decisions(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  assert.is_true(#text > 5000, #text)
  note("the decision log", text)
  local again = assert(replay.new "RoundRobinPolicy")
  assert(again:file(path))
  for _, name in ipairs { "figures", "load", "reasons", "telling" } do look("replay", again[name](again)) end
end

-- What moonpool top draws of an answer to its question, on a screen with room for all of it.
local function look_at_top(overview)
  local model = { place = "a.sock", pool = overview, pools = 1, at = 1, sort = "HOST", events = overview.events }
  local drawn = {}
  for _, spans in ipairs(screen.lines(model, 4 * #overview.events + 100, 4000)) do
    for _, span in ipairs(spans) do drawn[#drawn + 1] = span[1] end
    drawn[#drawn + 1] = "\n"
  end
  note("moonpool top", table.concat(drawn))
end

-- All that the pool says of itself.
local function look_at(pool)
  drain()
  for _, name in ipairs { "getStats", "getMetrics", "getHealthStatus", "getConnectionDetails", "analyzePerformance",
    "getHosts", "policies" } do look(name, pool[name](pool)) end
  look("metrics", exporter.text { pool })
  for _, verb in ipairs { "connections", "config", "version", "explain", "decisions", "events", "overview" } do
    local answer = verbs[verb][2](pool, verb == "explain" and '{"keyspace":"ks"}' or nil)
    look("ctl " .. verb, answer)
    note("ctl " .. verb, json.encode(answer))
    if verb == "overview" then look_at_top(answer) end
  end
  note("the status page", page.look(true))
  note("the status page", page.look(false))
end

-- Runs body(tell), where tell(pool) listens to the pool's events, and looks at everything that it wrote to the log.
local function watched(body)
  planted, texts, journalled = {}, 0, 0
  local logged = unix.said_by(function()
    local pools = {}
    body(function(pool)
      pools[#pools + 1] = pool
      for _, name in ipairs(EVENTS) do
        pool:on(name, function(...) look("event " .. name, { ... }) end)
      end
    end)
    for _, pool in ipairs(pools) do verbs.log[2](pool, "off") end -- they are closed later
  end)
  drain()
  assert.is_true(#logged + journalled > 5000, #logged)
  assert.equal(journal ~= nil, journalled > 5000)
  note("the log", logged)
  assert.is_true(texts > 500, texts)
end

local LOGGING = { level = "debug", logConnections = true, logRequests = true, logErrors = true, slowRequestMs = 1 }

-- Requests of every kind with values that nobody shall see, good ones and bad ones.
local function requests(world, pool)
  world:schema("CREATE TYPE IF NOT EXISTS ks.person (name text, nick text)",
    "CREATE TABLE IF NOT EXISTS ks.people (id text PRIMARY KEY, v text, l list<text>, m map<text, text>, "
    .. "p frozen<person>, b blob, n int)")
  local id, columns = canary "partition key", { "v", "l", "m", "p", "b" }
  local values = { v = canary "text", l = { canary "element", "x" }, m = { [canary "map key"] = canary "map value" },
    p = { name = canary "field", nick = "n" }, b = moonpool.blob and moonpool.blob(canary "blob") or canary "blob" }
  local function ask(...)
    local result, err = pool:execute(...)
    drain()
    if err then look("an error", err) end
    return result, err
  end
  for _, name in ipairs(columns) do
    assert(ask(("INSERT INTO ks.people (id, %s) VALUES (?, ?)"):format(name), { id, values[name] },
      { isIdempotent = true, routingKey = canary "routing key", tag = "some" }))
  end
  assert(ask("INSERT INTO ks.people (id, v) VALUES (:id, :v)", { id = id, v = canary "named value" }))
  assert(pool:batch({ { "INSERT INTO ks.people (id, v) VALUES (?, ?)", { id, canary "value of a batch" } } }))
  assert(ask("SELECT * FROM ks.people WHERE id = ?", { id }, { traceQuery = true, fetchSize = 1 }))
  -- What cannot be bound, what the node refuses, and what fails on its way.
  ask("INSERT INTO ks.people (id, n) VALUES (?, ?)", { id, canary "value of a wrong type" })
  ask("INSERT INTO ks.people (id, l) VALUES (?, ?)", { id, { canary "element beside a hole", nil, "x" } })
  ask("INSERT INTO ks.people (id, v) VALUES (?, ?)", { id, canary "value too many", "x" })
  ask("INSERT INTO ks.nothing (id) VALUES (?)", { canary "value for no table" })
  local rules = {}
  for _, code in ipairs { "OVERLOADED", "WRITE_TIMEOUT", "SERVER_ERROR", "UNAVAILABLE" } do
    rules[#rules + 1] = world.cluster:rule { statement = "people", error = code, times = 4 }
    for _ = 1, 3 do
      ask("UPDATE ks.people SET v = ? WHERE id = ?", { canary("value of " .. code), id }, { isIdempotent = true })
    end
  end
  rules[#rules + 1] = world.cluster:rule { statement = "people", delay = 900, times = 6 }
  for _ = 1, 3 do
    ask("UPDATE ks.people SET v = ? WHERE id = ?", { canary "late value", id }, { timeout = 300 })
  end
  for node = 1, 3 do world.sim:cut(node) end
  ask("UPDATE ks.people SET v = ? WHERE id = ?", { canary "value of a lost one", id })
  for _, rule in ipairs(rules) do rule:remove() end
  world:waitUp(pool, 3, 10000)
end

describe("nothing that is secret is shown:", function()
  local folder
  before_each(function() folder = policies.folder() end)
  after_each(function()
    if journal then journal:close() end
    journal = nil
    policies.remove(folder)
  end)

  for _, form in ipairs { "text", "logfmt", "json", "journal" } do
    it("passwords, pass phrases and values of requests, in a log of " .. form, { user = "ana", password = "first" },
      function(world)
      watched(function(tell)
        config_file.around(function()
          local logging = {}
          for key, value in pairs(LOGGING) do logging[key] = value end
          if form == "journal" then
            journal, logging.to = datagrams.open "MOONPOOL_JOURNAL", form
          else
            logging.format = form
          end
          local decisions = folder .. "/decisions.jsonl"
          local function set(password, extra)
            world.cluster:setPassword(password)
            local all = { logging = logging, auth = { username = "ana", password = password },
              decisionLog = { sample = 1, file = decisions } }
            for key, value in pairs(extra or {}) do all[key] = value end
            return all
          end
          local pool = config_file.open(world, set(canary "password"))
          tell(pool)
          requests(world, pool)
          look_at(pool)
          config_file.change(world, set(canary "next password"))
          config_file.change(world, set(canary "password after it", { requestTimeout = 0 }))
          config_file.change(world, set(canary "password of a wrong file", { auth = canary "auth that is no table" }))
          config_file.change(world, set(canary "last password", { requestTimeout = 1500,
            contactPoints = { "ana:" .. canary "password in front of an address" .. "@127.0.0.1" } }))
          config_file.change(world, set(canary "very last password", { requestTimeout = 1700 }))
          world.cluster:setPassword "another" -- so that the pool's own is wrong
          for node = 1, 3 do world.sim:cut(node) end
          moonpool.sleep(3000)
          look("an error", { pool:execute "SELECT key FROM system.local" })
          look_at(pool)
          look_at_decisions(decisions)
        end)
      end)
      assert.is_true(#planted >= 20, #planted)
    end)
  end

  it("names, passwords and tokens of functions, files and exchanges", { user = "ana", password = "first",
    authRounds = 2 }, function(world)
    watched(function(tell)
      local password, sent = canary "password of the exchange", nil
      world.cluster:setPassword(password)
      local function answer(challenge)
        local bytes = {}
        for i = 1, #challenge do
          bytes[i] = string.char(bit.bxor(challenge:byte(i), password:byte((i - 1) % #password + 1)))
        end
        sent = table.concat(bytes)
        planted[#planted + 1], planted[#planted + 2] = challenge, sent
        return sent
      end
      local mood = "well"
      local pool = world:pool { logging = LOGGING, auth = { authenticator = {
        initialResponse = function() return "ana" end,
        evaluateChallenge = function(challenge)
          local token = answer(challenge)
          if mood == "raises" then error("cannot answer " .. challenge) end
          return mood == "guesses" and canary "guess" or token
        end,
        onAuthenticationSuccess = function(token)
          planted[#planted + 1] = token
          return mood ~= "doubts", "a bad proof: " .. token
        end,
      } } }
      tell(pool)
      for _, other in ipairs { "raises", "guesses", "doubts", "well" } do
        mood = other
        for node = 1, 3 do world.sim:cut(node) end
        moonpool.sleep(3000)
        look("an error", { pool:execute "SELECT key FROM system.local" })
        look_at(pool)
      end
      policies.write(folder .. "/login", "ana\n" .. canary "password of a file" .. "\nand more")
      for _, credentials in ipairs { folder .. "/login", function() return "ana", canary "password of a function" end,
        function() return { canary "in a table" } end, function() return "a\0" .. canary "name with a NUL", "x" end } do
        local other = world:newPool { logging = LOGGING, auth = { credentials = credentials } }
        tell(other)
        look("an error", { other:connect() })
        look_at(other)
      end
    end)
  end)

  if C.mp_tls_is_built() then
    local keys = certificates.folder()
    teardown(function() certificates.remove(keys) end)
    local function file(name) return keys .. "/" .. name end

    it("the pass phrase of a key", { tlsCert = file "good.pem", tlsKey = file "good.key", tlsCa = file "ca.pem" },
      function(world)
      watched(function(tell)
        local phrase, wrong = canary "pass phrase", canary "wrong pass phrase"
        assert(os.execute(("openssl ec -in '%s' -aes128 -passout 'pass:%s' -out '%s' 2>/dev/null")
          :format(file "good.key", phrase, file "locked.key")) == 0)
        config_file.around(function()
          local function tls(passphrase, ciphers)
            return { logging = LOGGING, tls = { ca = file "ca.pem", cert = file "good.pem", key = file "locked.key",
              passphrase = passphrase, ciphers = ciphers } }
          end
          local pool = config_file.open(world, tls(phrase))
          tell(pool)
          requests(world, pool)
          config_file.change(world, tls(wrong))
          config_file.change(world, tls(phrase, "NOTHING"))
          config_file.change(world, tls(7))
          config_file.change(world, tls(phrase, "TLS_AES_256_GCM_SHA384"))
          look_at(pool)
        end)
      end)
    end)
  end
end)
