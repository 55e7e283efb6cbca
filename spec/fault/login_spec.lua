-- SPDX-License-Identifier: Apache-2.0
-- Who the pool is, where a program decides: names and passwords from a function or a file, exchanges in steps, and what
-- becomes of a connection whose steps are wrong.
local moonpool = require "moonpool"
local config_file = require "spec.support.config_file"
local policies = require "spec.support.policies"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local locked = { user = "ana", password = "secret" }
local function rounds(count) return { user = "ana", password = "secret", authRounds = count } end

local function xor(text, key)
  local bytes = {}
  for i = 1, #text do
    local at = (i - 1) % #key + 1
    bytes[i] = string.char(bit.bxor(text:byte(i), key:byte(at)))
  end
  return table.concat(bytes)
end

-- The steps that the simulated node's own authenticator wants.
local function steps(password)
  return {
    initialResponse = function() return "ana" end,
    evaluateChallenge = function(challenge, exchange)
      exchange.challenge = challenge
      return xor(challenge, password())
    end,
    onAuthenticationSuccess = function(token, exchange)
      return token == xor(exchange.challenge, password():reverse()), "it does not know the password"
    end,
  }
end
local function secret() return "secret" end

local function fails(world, auth, pattern)
  local pool = world:newPool { auth = auth }
  local ok, err = pool:connect()
  assert.is_nil(ok)
  assert.equal("AUTH_FAILED", err.code, tostring(err))
  assert.matches(pattern, tostring(err))
  assert.is_nil(tostring(err):find("secret", 1, true), tostring(err))
  pool:close()
end

-- All connections are cut, node by node, and come back, while requests run.
local function renewed(world, ...)
  for node = 1, 3 do
    world.sim:cut(node)
    moonpool.sleep(50)
    for _, pool in ipairs { ... } do world:waitStatus(pool, node, "up", 5000) end
  end
end

local function loops() while true do end end -- luacheck: ignore 542

describe("credentials", function()
  it("from a function are asked for by each connection, with the node that asks", locked, function(world)
    local asked = {}
    local pool = world:pool { auth = { credentials = function(node)
      asked[#asked + 1] = node
      return "ana", "secret"
    end } }
    world:waitUp(pool)
    assert(pool:execute "SELECT key FROM system.local")
    assert.equal(4, #asked)
    for _, node in ipairs(asked) do
      assert.matches("^127.0.0.%d:9042$", node.address)
      assert.equal("org.apache.cassandra.auth.PasswordAuthenticator", node.authenticator)
    end
  end)

  it("of a function that is wrong end that connection, and say why", locked, function(world)
    for _, case in ipairs {
      { function() return "ana", "guess" end, "incorrect" },
      { function() return nil, "the vault is sealed" end, "auth.credentials: the vault is sealed" },
      { function() return nil end, "it returned nothing and nothing" },
      { function() return "ana" end, "a string and nothing" },
      { function() return { "ana" }, 7 end, "a table and a number" },
      { function() return "a\0b", "c" end, "no NUL" },
      { function() error "no vault" end, "no vault" },
      { function() error {} end, "without a message" },
      { function() error(setmetatable({}, { __tostring = error })) end, "without a message" },
      { function() moonpool.sleep(1) end, "wait" },
      { function() coroutine.yield() end, "wait" },
      { loops, "did not come to its end" },
    } do
      fails(world, { credentials = case[1] }, case[2])
    end
  end)

  it("of a function may close the pool", locked, function(world)
    local pool
    pool = world:newPool { auth = { credentials = function()
      moonpool.spawn(function() pool:close() end)
      return "ana", "secret"
    end } }
    assert.is_nil((pool:connect()))
  end)

  it("from a file are read by each connection", locked, function(world)
    local folder = policies.folder()
    local path = folder .. "/login"
    finally(function() policies.remove(folder) end)
    for text, pattern in pairs { ["ana\nguess\n"] = "incorrect", [""] = "two lines", ["ana"] = "two lines",
      ["ana\nsecret\nmore\n"] = "two lines" } do
      policies.write(path, text)
      fails(world, { credentials = path }, pattern)
    end
    os.remove(path)
    fails(world, { credentials = path }, "login: ")
    for _, text in ipairs { "ana\nsecret\n", "ana\nsecret", "ana\r\nsecret\r\n" } do
      policies.write(path, text)
      world:pool { auth = { credentials = path } }
    end
  end)

  it("A2 that change under load cost no request: a function, a file, the configuration", locked, function(world)
    world:schema "CREATE TABLE IF NOT EXISTS ks.t (id int PRIMARY KEY, v text)"
    config_file.around(function()
      local path, password = config_file.file "login", "secret"
      local by_file = config_file.open(world, { auth = { username = "ana", password = password } })
      policies.write(path, "ana\n" .. password .. "\n")
      local pools = {
        world:pool { auth = { credentials = function() return "ana", password end } },
        world:pool { auth = { credentials = path } },
        by_file,
      }
      local finish = {}
      for i, pool in ipairs(pools) do
        world:waitUp(pool)
        local select = assert(pool:prepare "SELECT v FROM t WHERE id = ?")
        finish[i] = world:keepAsking(function(number)
          moonpool.sleep(20)
          return pool:execute(select, { number })
        end)
      end
      for round = 1, 4 do
        password = "secret " .. round
        world.cluster:setPassword(password)
        policies.write(path, "ana\n" .. password .. "\n")
        config_file.change(world, { auth = { username = "ana", password = password } })
        renewed(world, unpack(pools))
      end
      for _, ends in ipairs(finish) do assert.is_true(ends() > 300) end
    end)
  end)

  it("cannot come from two places, and are what they should be", function(world)
    for _, case in ipairs {
      { { username = "ana", password = "x", credentials = loops }, "auth.credentials: cannot stand beside auth.user" },
      { { credentials = loops, authenticator = steps(secret) }, "authenticator: cannot stand beside auth.credentials" },
      { { credentials = 7 }, "must be a function that returns a name and a password, or the path of a file" },
      { { authenticator = {} }, "must be a table of functions" },
      { { authenticator = { initialResponse = loops, evaluateChallenge = 5 } }, "must be a function" },
      { { authenticator = { initialResponse = loops, evaluate = loops } }, "no such key" },
      { { required = false }, "auth.username: must be given beside required" },
    } do
      local ok, err = pcall(world.newPool, world, { auth = case[1] })
      assert.is_false(ok)
      assert.matches(case[2], tostring(err))
    end
  end)
end)

describe("an exchange in steps", function()
  for _, version in ipairs { 3, 4, 5 } do
    it("logs in, in as many rounds as the node wants, v" .. version, rounds(5), function(world)
      local pool = world:pool { protocolVersion = version, auth = { authenticator = steps(secret) } }
      world:waitUp(pool)
      workload.new(world, pool):run(50, 4):none_failed():check()
    end)
  end

  it("knows the node, its class and the round", rounds(2), function(world)
    local seen, own, others = {}, steps(secret), 0
    local first, further, last = own.initialResponse, own.evaluateChallenge, own.onAuthenticationSuccess
    local function note(exchange)
      assert(exchange.authenticator == "moonpool.sim.RoundsAuthenticator")
      if exchange.address ~= "127.0.0.1:9042" then others = others + 1 end
      exchange.kept = (exchange.kept or 0) + 1
      seen[#seen + 1] = exchange.round .. "/" .. exchange.kept
    end
    own.initialResponse = function(exchange) note(exchange) return first(exchange) end
    own.evaluateChallenge = function(challenge, exchange) note(exchange) return further(challenge, exchange) end
    own.onAuthenticationSuccess = function(token, exchange) note(exchange) return last(token, exchange) end
    world.cluster:kill(2)
    world.cluster:kill(3)
    world:pool { auth = { authenticator = own } }
    assert.equal("1/1 2/2 3/3 3/4 1/1 2/2 3/3 3/4", table.concat(seen, " ")) -- two connections
    assert.equal(0, others)
  end)

  it("that is wrong ends that connection, and says why", rounds(2), function(world)
    local function with(name, fn)
      local own = steps(secret)
      own[name] = fn or nil
      return { authenticator = own }
    end
    for _, name in ipairs { "initialResponse", "evaluateChallenge", "onAuthenticationSuccess" } do
      local last = name == "onAuthenticationSuccess"
      fails(world, with(name, function() error "no hash" end), name .. ": .*no hash")
      fails(world, with(name, function() return nil, "not today" end), "not today")
      fails(world, with(name, function() return nil end), last and "did not return true" or "it returned nothing")
      fails(world, with(name, loops), "it did not com") -- to its end: the message has no room for more
      fails(world, with(name, function() moonpool.sleep(1) end), "this call") -- waits
      if not last then
        fails(world, with(name, function() return {} end), "it returned a table")
        fails(world, with(name, function() return ("x"):rep(65537) end), "over the limit of 65536")
        fails(world, with(name, function() return "guess" end), "incorrect")
      end
    end
    fails(world, with "evaluateChallenge", "there is no evaluateChallenge")
    fails(world, { authenticator = steps(function() return "guess" end) }, "incorrect")
    fails(world, with("evaluateChallenge", function(challenge) error(challenge) end), "%*%*%*")
    assert(world:pool { auth = with "onAuthenticationSuccess" }) -- nobody wants a proof
  end)

  it("A8 has an end, and so has each of a node's words", rounds(50), function(world)
    fails(world, { authenticator = steps(secret) }, "more than 8 rounds")
    world.cluster:rule { opcode = "AUTH_RESPONSE", raw = "\133\0\0\0\16" .. "\0\0\0\4" .. "\255\255\255\255" }
    local pool = world:newPool { auth = { authenticator = steps(secret) } }
    assert.is_nil((pool:connect()))
  end)

  it("does not trust a node that cannot prove who it is", rounds(1), function(world)
    local own = steps(secret)
    own.onAuthenticationSuccess = function(token, exchange)
      return token == xor(exchange.challenge, "another"), "it does not know the password"
    end
    fails(world, { authenticator = own }, "the node's proof is not taken: it does not know")
  end)

  it("goes on when the configuration changes under it", rounds(3), function(world)
    config_file.around(function()
      local path = config_file.file "pool.lua"
      local function write(password)
        policies.write(path, ([[
          local bytes = {}
          return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1", keyspace = "ks",
            logging = { level = "off" }, pooling = { reconnectBaseDelay = 100, reconnectMaxDelay = 1000,
              connectionsPerSecond = 0, connectionTimeout = 2000 },
            auth = { authenticator = {
              initialResponse = function() return "ana" end,
              evaluateChallenge = function(challenge)
                local password = %q
                for i = 1, 16 do
                  local at = (i - 1) %% #password + 1
                  bytes[i] = string.char(bit.bxor(challenge:byte(i), password:byte(at)))
                end
                return table.concat(bytes)
              end,
            } } }]]):format(password))
      end
      write "secret"
      local pool = moonpool.ConnectionPool(path)
      world.pools[#world.pools + 1] = pool
      local told = world:listen(pool, "configReload", "configError")
      assert(pool:connect())
      world:waitUp(pool)
      local load = workload.new(world, pool, { mix = { read = 60, write = 40, append = 0, count = 0, lock = 0 } })
      load:start(4, 10)
      for round = 1, 3 do
        world.cluster:setPassword("secret " .. round)
        write("secret " .. round)
        world.sim:touch(path)
        world:eventually("it is read", function() return #told.configReload == round end)
        assert.equal("auth.authenticator", told.configReload[round][1].changes[1].key)
        assert.equal("(changed)", told.configReload[round][1].changes[1].to)
        renewed(world, pool)
      end
      world.sim:touch(path) -- nothing has changed
      moonpool.sleep(200)
      assert.equal(3, #told.configReload)
      load:stop():none_failed():check()
    end)
  end)
end)
