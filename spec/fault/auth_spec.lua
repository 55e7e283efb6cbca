-- SPDX-License-Identifier: Apache-2.0
-- Credentials that are wrong or not asked for.
local moonpool = require "moonpool"
local config_file = require "spec.support.config_file"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local locked = { user = "ana", password = "secret" }

describe("auth:", function()
  it("A1 bad credentials are an error of their own, and are not hammered", locked, function(world)
    local wrong = world:newPool { auth = { username = "ana", password = "guess" } }
    for _ = 1, 2 do
      local ok, err = wrong:connect()
      assert.is_nil(ok)
      assert.equal("AUTH_FAILED", err.code, tostring(err))
      assert.is_nil(tostring(err):find("guess", 1, true))
    end
    local none = world:newPool()
    local ok, err = none:connect()
    assert.is_nil(ok)
    assert.matches("authentica", tostring(err))
    local before = world.cluster:node(1).startups
    moonpool.sleep(60000)
    assert.equal(before, world.cluster:node(1).startups)
    assert(world:pool({ auth = { username = "ana", password = "secret" } }):execute "SELECT key FROM system.local")
  end)

  it("A1 a pool that is refused from now on asks each host seldom, for ever", locked, function(world)
    local pool = world:pool { auth = { username = "ana", password = "secret" }, pooling = { reconnectMaxDelay = 100 } }
    world.cluster:setPassword "another"
    world.sim:cut(2)
    world:waitStatus(pool, 2, "down", 5000)
    local before = world.cluster:node(2).startups
    moonpool.sleep(120000)
    local asked = world.cluster:node(2).startups - before
    assert.is_true(asked >= 5 and asked <= 14, asked .. " times in two minutes")
    world.cluster:setPassword "secret"
    world:waitUp(pool, 3, 20000)
  end)

  it("A2 credentials that change under load cost no request, and no host is given up for life", locked, function(world)
    config_file.around(function()
      local pool = config_file.open(world, { auth = { username = "ana", password = "secret" } })
      local load = workload.new(world, pool):start(6, 200)
      for round = 1, 3 do
        local before = config_file.ids(pool)
        world.cluster:setPassword("secret" .. round) -- the nodes first: what is opened now is refused
        world.sim:cut(2)
        world:waitStatus(pool, 2, "down", 5000)
        moonpool.sleep(10000) -- refused again and again
        config_file.change(world, { auth = { username = "ana", password = "secret" .. round } })
        world:eventually("all connections are new", function()
          local now, count = config_file.ids(pool)
          return count >= 3 and config_file.all_new(before, now)
        end)
        world:waitUp(pool, 3, 20000)
      end
      load:stop():check()
      assert.equal(0, load:failures "read" + load:failures "write")
    end)
  end)

  it("A7 pools share no connection, whatever differs between them", locked, function(world)
    local auth = { username = "ana", password = "secret" }
    world:schema "CREATE KEYSPACE other WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
    local function count() return world.cluster:node(2).connections end
    local pools = {}
    for i, extra in ipairs { { auth = auth }, { auth = auth }, { auth = auth, keyspace = "other" },
      { auth = auth, compression = "lz4" }, { auth = auth, protocolVersion = 4 } } do
      local before = count()
      pools[i] = world:pool(extra)
      world:waitUp(pools[i])
      assert.equal(before + 1, count())
    end
    local wrong = world:newPool { auth = { username = "ana", password = "guess" } }
    assert.is_nil((wrong:connect())) -- though others are in
    local before = count()
    pools[1]:close()
    moonpool.sleep(100)
    assert.equal(before - 1, count())
    for i = 2, #pools do assert(pools[i]:execute "SELECT key FROM system.local") end
  end)

  it("A3 a node that does not ask for credentials is not trusted with them", function(world)
    local pool = world:newPool { auth = { username = "ana", password = "secret" } }
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.equal("AUTH_FAILED", err.code, tostring(err))
    assert.equal(0, world.cluster:requests())
  end)

  it("A8 challenges without end are ended", { user = "ana", password = "secret", maxVersion = 4 }, function(world)
    local challenge = "\132\0\0\0\14\0\0\0\8\0\0\0\4more"
    world.cluster:rule { opcode = "AUTH_RESPONSE", raw = challenge }
    local pool = world:newPool { auth = { username = "ana", password = "secret" } }
    local began = moonpool.now()
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.is_true(moonpool.now() - began <= 2200)
    assert.is_true(#tostring(err) > 20)
  end)

  it("A8 rounds without end are ended at the eighth", { user = "ana", password = "secret", maxVersion = 4 },
    function(world)
    local asked = 0
    world.cluster:rule { opcode = "AUTH_RESPONSE", raw = "\132\0\0\0\14\0\0\0\8\0\0\0\4more" }
    local pool = world:newPool { contactPoints = { "127.0.0.1" }, auth = { authenticator = {
      initialResponse = function() return "first" end,
      evaluateChallenge = function()
        asked = asked + 1
        return "more"
      end,
    } } }
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.matches("more than 8 rounds", tostring(err))
    assert.equal(7, asked)
  end)
end)
