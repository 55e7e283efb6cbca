-- SPDX-License-Identifier: Apache-2.0
-- Nothing that is secret comes to nginx's error log: passwords, pass phrases, what stands in files of keys, tokens of
-- an exchange, and values of requests, in what moonpool logs, in errors that a location logs or raises, and in what
-- nginx itself says of a start that failed. The log is nginx's at its most talkative.
local certificates = require "spec.support.certificates"
local nginx = require "spec.nginx.support.nginx"
local nginx_world = require "spec.nginx.support.world"
local policies = require "spec.support.policies"
local C = require "spec.support.c"

local planted

local function canary(name)
  local word = ("CANARY%02dofThe%s"):format(#planted + 1, name:gsub("%A", ""))
  planted[#planted + 1] = word
  return word
end

local function search(what, text)
  for _, word in ipairs(planted) do
    local at = text:find(word, 1, true)
    if at then error(("%s shows %q: %s"):format(what, word, text:sub(math.max(1, at - 200), at + 100)), 0) end
  end
end

-- The body of a request: what becomes of its error ("log", "raise"), a statement, and the text that it binds.
local ASK = [[
  ngx.req.read_body()
  local how, cql, value = ngx.req.get_body_data():match "^(.-)\n(.-)\n(.*)$"
  local parameters = { "k", value }
  if how == "no table" then parameters, how = value, "raise" end
  local result, err = pool:execute(cql, parameters, { timeout = 1000, tag = "some" })
  if how == "raise" then assert(result, err) end
  if not result then ngx.log(ngx.ERR, tostring(err)) error(err) end
  ngx.print "done"]]
local RELOAD = "local ok, err = pool:reload() if not ok then ngx.log(ngx.ERR, tostring(err)) end ngx.print 'done'"
local HEAD = "local moonpool = require 'resty.moonpool' local pool = assert(moonpool.pool()) "
local LOCATIONS = { ["/ask"] = HEAD .. ASK, ["/reload"] = HEAD .. RELOAD }

local CONFIG = [[return { contactPoints = { "127.0.0.1" }, port = %d, localDataCenter = "datacenter1",
  logging = { level = "debug", logConnections = true, logRequests = true, logErrors = true, slowRequestMs = 1 },
  pooling = { reconnectBaseDelay = 1, reconnectMaxDelay = 20 }, %s }]]

local function ask(server, how, cql, value)
  local status = server:get("/ask", { method = "POST", body = how .. "\n" .. cql .. "\n" .. value })
  assert.is_true(status == 200 or status == 500, status)
end

local INSERT = "INSERT INTO ks.people (id, v) VALUES (?, ?)"

-- Values of requests that succeed, that cannot be bound, that the nodes refuse, and that are lost.
local function requests(server, cluster)
  ask(server, "", INSERT, canary "value")
  for _, how in ipairs { "log", "raise", "no table" } do
    ask(server, how, "INSERT INTO ks.people (id, n) VALUES (?, ?)", canary "value of a wrong type")
    ask(server, how, "INSERT INTO ks.people (id) VALUES (?)", canary "value too many")
    ask(server, how, "INSERT INTO ks.nothing (id, v) VALUES (?, ?)", canary "value for no table")
    local rule = cluster:rule { statement = "people", error = "WRITE_TIMEOUT" }
    ask(server, how, INSERT, canary "value that timed out")
    rule:remove()
    rule = cluster:rule { statement = "people", reset = true }
    ask(server, how, INSERT, canary "value that is lost")
    rule:remove()
  end
end

describe("in nginx's log", function()
  local folder, keys
  setup(function() keys = C.mp_tls_is_built() and certificates.folder() end)
  teardown(function() if keys then certificates.remove(keys) end end)
  before_each(function() folder, planted = policies.folder(), {} end)
  after_each(function() policies.remove(folder) end)

  local function secured(phrase)
    if not keys then return "", {} end
    assert(os.execute(("openssl ec -in '%s/client.key' -aes128 -passout 'pass:%s' -out '%s/locked.key' 2>/dev/null")
      :format(keys, phrase, folder)) == 0)
    local tls = "tls = { ca = '%s/ca.pem', cert = '%s/client.pem', key = '%s/locked.key', passphrase = '%%s' },"
    return tls:format(keys, keys, folder),
      { tlsCert = keys .. "/good.pem", tlsKey = keys .. "/good.key", tlsCa = keys .. "/ca.pem" }
  end

  it("is no password, no pass phrase, nothing of a file of keys, and no value", function()
    nginx_world.run(function()
      local password, phrase = canary "password", canary "pass phrase"
      local tls, simulated = secured(phrase)
      simulated.user, simulated.password = "ana", password
      local cluster = nginx_world.cluster { simulated = simulated }
      cluster:schema "CREATE TABLE ks.people (id text PRIMARY KEY, v text, n int)"
      local path = folder .. "/pool.lua"
      local function write(rest) policies.write(path, CONFIG:format(cluster.port, rest)) end
      local function auth(word) return ("auth = { username = 'ana', password = '%s' }"):format(word) end
      local function whole(word, opening) return tls:format(opening or phrase) .. auth(word) end
      write(whole(password))
      local server = nginx.start { level = "debug", locations = LOCATIONS,
        worker = ("require('resty.moonpool').init_worker('%s')"):format(path) }
      requests(server, cluster)
      for _, rest in ipairs {
        whole(canary "next password"), whole(password, canary "wrong pass phrase"),
        "auth = '" .. canary "auth that is no table" .. "'",
        "auth = { username = 'ana', pasword = '" .. canary "password of a wrong key" .. "' }",
        auth(canary "password of a broken file") .. " } }",
        "['no\\n'] = 1, " .. auth(canary "password beside a wrong key"),
        "credentials = error('cannot read'), " .. auth(canary "password of a file that raises"),
      } do
        write(rest)
        server:body "/reload"
      end
      -- A file of keys that is broken: what stands in it is not told.
      if keys then
        policies.write(folder .. "/locked.key", "-----BEGIN PRIVATE KEY-----\n" .. canary "key" .. "\n")
        write(whole(password))
        server:body "/reload"
      end
      cluster:setPassword "another"
      for node = 1, 2 do
        cluster:kill(node)
        cluster:start(node)
      end
      nginx.eventually("the password is refused", function() return server:log():find("AUTH_FAILED", 1, true)
        or server:log():find("not accept", 1, true) or server:log():find("incorrect", 1, true) end)
      local log = server:log()
      assert.matches("moonpool: ", log, 1, true)
      assert.matches("WRITE_TIMEOUT", log, 1, true)
      assert.matches("lua entry thread aborted", log, 1, true)
      search("the log", log)
      assert.is_true(#planted >= 20, #planted)
      server:stop()
      nginx_world.close(cluster)
    end)
  end)

  it("is nothing of a configuration that init_worker refuses", function()
    nginx_world.run(function()
      for _, rest in ipairs { "auth = { username = 'ana', password = { '" .. canary "password in a table" .. "' } }",
        "auth = { username = 'ana', password = 'x', token = '" .. canary "token" .. "' }",
        "contactPoints = { 'ana:" .. canary "password in an address" .. "@127.0.0.1' }" } do
        local server = nginx.start { level = "debug", locations = LOCATIONS, worker =
          ("require('resty.moonpool').init_worker { localDataCenter = 'datacenter1', %s }"):format(rest) }
        nginx.eventually("it is refused", function() return server:log():find "init_worker_by_lua error" end)
        search("the log", server:log())
        server:stop()
      end
    end)
  end)

  it("is no token of an exchange", function()
    nginx_world.run(function()
      local cluster = nginx_world.cluster { simulated = { user = "ana", password = canary "shared secret",
        authRounds = 2 } }
      local worker = ([[
        local secret, count = %q, 0
        local function told(token) ngx.shared.notes:rpush("tokens", token) return token end
        require("resty.moonpool").init_worker { contactPoints = { "127.0.0.1" }, port = %d,
          localDataCenter = "datacenter1", logging = { level = "debug" },
          pooling = { reconnectBaseDelay = 1, reconnectMaxDelay = 20 }, auth = { authenticator = {
          initialResponse = function() return "ana" end,
          evaluateChallenge = function(challenge)
            count = count + 1
            if count %% 3 == 1 then error("cannot answer " .. told(challenge)) end
            local bytes = {}
            for i = 1, #challenge do
              bytes[i] = string.char(bit.bxor(challenge:byte(i), secret:byte((i - 1) %% #secret + 1)))
            end
            return told((count %% 3 == 2 and "guess" or "") .. table.concat(bytes))
          end,
          onAuthenticationSuccess = function(token) return true, told(token) end,
        } } }]]):format(planted[1], cluster.port)
      local server = nginx.start { level = "debug", worker = worker, locations = {
        ["/token"] = "ngx.print(ngx.shared.notes:lpop 'tokens' or '')",
      } }
      nginx.eventually("some tokens have been sent", function()
        local token = server:body "/token"
        if token ~= "" then planted[#planted + 1] = token end
        return #planted > 6
      end)
      search("the log", server:log())
      server:stop()
      nginx_world.close(cluster)
    end)
  end)
end)
