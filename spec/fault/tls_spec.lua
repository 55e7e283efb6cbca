-- SPDX-License-Identifier: Apache-2.0
-- Pools over TLS: a cluster that serves it, and whom a pool believes while files change under it.
local moonpool = require "moonpool"
local change_of = require "moonpool.config.change"
local certificates = require "spec.support.certificates"
local config_file = require "spec.support.config_file"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local C = require "spec.support.c"

if not C.mp_tls_is_built() then return end

local folder = certificates.folder()
local function file(name) return folder .. "/" .. name end
local serves = { tlsCert = file "good.pem", tlsKey = file "good.key" }
local asks = { tlsCert = file "good.pem", tlsKey = file "good.key", tlsCa = file "ca.pem" }
local trusts = { ca = file "ca.pem" }

local in_world = support.inside(it)

local function copy(from, to) assert(os.execute(("cp '%s' '%s'"):format(file(from), file(to))) == 0) end

-- A connection to `node` is cut; whether another one comes.
local function comes_back(world, pool, node)
  world.sim:cut(node)
  moonpool.sleep(50)
  local ok = pcall(world.waitStatus, world, pool, node, "up", 3000)
  return ok
end

describe("TLS:", function()
  teardown(function() certificates.remove(folder) end)

  for _, mode in ipairs { { 3, "none" }, { 4, "none" }, { 5, "none" }, { 4, "snappy" }, { 5, "lz4" } } do
    local name = mode[2] .. " on v" .. mode[1]

    in_world("T8 bytes in pieces of any size are the same requests, " .. name, serves, function(world)
      local pool = world:pool { protocolVersion = mode[1], compression = mode[2], tls = trusts }
      workload.new(world, pool):run(200, 32):none_failed():check()
    end)

    in_world("T1 connections that are cut end each request once, by the gate, " .. name, serves, function(world)
      local pool = world:pool { protocolVersion = mode[1], compression = mode[2], tls = trusts }
      local load = workload.under_cuts(world, pool, 8)
      assert.equal(0, load:failures "read" + load:failures "write")
    end)
  end

  in_world("T10 what the node cannot have received whole is sent again", serves, function(world)
    local pool = world:pool { tls = trusts, loadBalancing = { policy = "RoundRobinPolicy" } }
    local load = workload.new(world, pool)
    local append = assert(pool:prepare "UPDATE ks.lists SET l = l + ? WHERE k = ?")
    local pad, futures, ok = ("."):rep(400000), {}, 0
    world:stall(2)
    for i = 1, 12 do
      futures[i] = world:spawn(function()
        local result = pool:execute(append, { { "op-big" .. i .. " " .. pad }, 100 + i },
          { consistency = "QUORUM", timeout = 4000 })
        ok = ok + (result and 1 or 0)
        local _, executed = world.cluster:received("op-big" .. i)
        assert(executed <= 1)
        return true
      end)
    end
    moonpool.sleep(300)
    world.sim:cut(2)
    world:stall(2, false)
    assert(moonpool.all(futures))
    assert.equal(12, ok)
    load:check()
  end)

  in_world("T3 a node that falls silent is noticed", serves, function(world)
    local pool = world:pool { tls = trusts, pooling = { tcpUserTimeout = 0 } }
    world:blackhole(2)
    world:waitStatus(pool, 2, "down", 7000)
    world:healed(pool, 5000)
  end)

  local function fails(world, options, pattern)
    local pool = world:newPool(options)
    local ok, err = pool:connect()
    assert.is_nil(ok)
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert.matches(pattern, tostring(err))
  end

  in_world("A4 whom nobody vouches for is not spoken to", serves, function(world)
    fails(world, { tls = { ca = file "stranger.pem" } }, "unable to get local issuer certificate")
    fails(world, { tls = {} }, "unable to get local issuer certificate")
    fails(world, { tls = { ca = file "ca.pem", serverName = "other.test" } }, "certificate is not for other.test")
    fails(world, {}, "while waiting for the answer to OPTIONS")
    assert(world:pool { tls = { ca = file "stranger.pem", verify = false } })
    assert(world:pool { tls = { ca = file "ca.pem", serverName = "node.test", minVersion = "1.3" } })
    assert(world:pool { tls = { ca = file "ca.pem", crl = file "crl.pem" } })
  end)

  in_world("connections that come back go on with their sessions", serves, function(world)
    for _, minor in ipairs { "1.2", "1.3" } do
      local ciphers = minor == "1.2" and "ECDHE-ECDSA-AES256-GCM-SHA384" or nil
      local pool = world:pool { tls = { ca = file "ca.pem", minVersion = minor, ciphers = ciphers } }
      world:waitUp(pool)
      for _ = 1, 3 do
        for node = 1, 3 do assert.is_true(comes_back(world, pool, node)) end
      end
      local stats = pool:getStats()
      assert.is_true(stats.tlsHandshakes >= 13, stats.tlsHandshakes) -- four for the start, nine for the reconnects
      assert.equal(3, stats.tlsHandshakes - stats.tlsResumed) -- one for each node: none could go before it
      pool:close()
    end
  end)

  in_world("the key's pass phrase and the cipher suites are the configuration's", asks, function(world)
    local tls = { ca = file "ca.pem", cert = file "good.pem", key = file "locked.key", passphrase = "secret",
      ciphers = "TLS_CHACHA20_POLY1305_SHA256" }
    assert(world:pool { tls = tls }:execute "SELECT key FROM system.local")
    for key, case in pairs { passphrase = { "guess", "locked.key: " }, ciphers = { "NOTHING", 'has no "NOTHING"' } } do
      local before = tls[key]
      tls[key] = case[1]
      local ok, err = pcall(world.newPool, world, { tls = tls })
      assert.is_false(ok)
      assert.matches("tls: .*" .. case[2], tostring(err))
      tls[key] = before
    end
  end)

  in_world("A4 a node without TLS gets nothing", function(world)
    fails(world, { tls = trusts }, "does not speak TLS")
    fails(world, { tls = { verify = false } }, "does not speak TLS")
  end)

  in_world("A4 a node's certificate is for the name of the contact point",
    { tlsCert = file "named.pem", tlsKey = file "named.key", heals = false }, function(world)
    world.sim:setName("node.test", "127.0.0.1")
    world.sim:setName("alias.test", "127.0.0.1")
    fails(world, { tls = trusts }, "certificate is not for 127.0.0.1")
    fails(world, { tls = trusts, contactPoints = { "alias.test" } }, "certificate is not for alias.test")
    local pool = world:pool { tls = trusts, contactPoints = { "node.test" } }
    assert.is_true(world:upCount(pool) >= 1)
    world:waitStatus(pool, 1, "up", 1000)
  end)

  -- The host ids of a seed's nodes, in certificates: all of them, and without the third.
  local function by_host(seed)
    local ids = {}
    support.run({ seed = seed }, function(world)
      for node = 1, 3 do ids[node] = "DNS:" .. world.cluster:node(node).hostId end
    end)
    certificates.issue(folder, "hosts", table.concat(ids, ", "))
    certificates.issue(folder, "two", ids[1] .. ", " .. ids[2])
  end

  local seed = support.given_seed or 77
  local hosts = { tlsCert = file "hosts.pem", tlsKey = file "hosts.key", seed = seed }
  local two = { tlsCert = file "two.pem", tlsKey = file "two.key", seed = seed, heals = false }

  describe("identity", function()
    setup(function() by_host(seed) end)

    in_world("A4 is the host id where the configuration says so, wherever the node is", hosts, function(world)
      fails(world, { tls = trusts }, "certificate is not for 127.0.0.1")
      local pool = world:pool { tls = { ca = file "ca.pem", identity = "hostId" } }
      workload.new(world, pool):run(100, 8):none_failed():check()
      world:waitUp(pool)
      for node = 1, 3 do assert.is_true(comes_back(world, pool, node)) end
    end)

    in_world("A4 of a node that cannot prove its host id is not used", two, function(world)
      fails(world, { tls = { ca = file "ca.pem", identity = "hostId" }, contactPoints = { "127.0.0.3" } },
        "the node says that it is host .*, and its certificate is not for that")
      local pool = world:pool { tls = { ca = file "ca.pem", identity = "hostId" }, pooling = { warmupTimeout = 500 } }
      moonpool.sleep(3000)
      assert.equal(2, world:upCount(pool))
      local host = world.cluster:node(3).hostId
      local ok, err = pool:execute("SELECT key FROM system.local", nil, { host = "127.0.0.3" })
      assert.is_nil(ok)
      assert.matches("the node's certificate is not for host " .. host:sub(1, 8), tostring(err), 1, true)
    end)
  end)

  in_world("A5 a node may ask for the client's certificate", asks, function(world)
    fails(world, { tls = trusts }, "alert")
    fails(world, { tls = { ca = file "ca.pem", cert = file "alone.pem", key = file "alone.key" } }, "alert")
    local pool = world:pool { tls = { ca = file "ca.pem", cert = file "client.pem", key = file "client.key" } }
    workload.new(world, pool):run(100, 8):none_failed():check()
  end)

  in_world("a file that cannot be used is named before anything is opened", serves, function(world)
    for _, case in ipairs { { { ca = file "none.pem" }, "tls: .*none.pem: No such file or directory" },
      { { ca = file "log" }, "tls: .*log: " },
      { { cert = file "client.pem", key = file "good.key" }, "tls: .*good.key: key values mismatch" } } do
      local ok, err = pcall(world.newPool, world, { tls = case[1] })
      assert.is_false(ok)
      assert.matches(case[2], tostring(err))
    end
  end)

  in_world("certificates reload: new connections have them, and a bad file changes nothing", asks, function(world)
    copy("ca.pem", "live-ca.pem")
    copy("client.pem", "live.pem")
    copy("client.key", "live.key")
    local pool = world:pool { tls = { ca = file "live-ca.pem", cert = file "live.pem", key = file "live.key" } }
    world:waitUp(pool)
    local load = workload.new(world, pool):start(8, 10)
    local function changed(from, to)
      copy(from, to)
      world.sim:touch(file(to))
      moonpool.sleep(100)
    end
    changed("log", "live-ca.pem") -- no certificate
    assert.is_true(comes_back(world, pool, 2))
    changed("log", "live.key")
    assert.is_true(comes_back(world, pool, 2))
    changed("stranger.pem", "live-ca.pem")
    assert.is_true(comes_back(world, pool, 2)) -- the key is still bad: nothing of it counts
    changed("client.key", "live.key")
    assert.is_false(comes_back(world, pool, 2)) -- now the stranger is the one who is believed
    assert.equal(2, world:upCount(pool)) -- those that stand stay
    changed("ca.pem", "live-ca.pem")
    world:waitUp(pool, 3, 5000)
    load:stop()
    load:none_failed():check()
  end)

  in_world("A5 certificates that change every second, good ones and bad ones, cost no request", asks, function(world)
    copy("client.pem", "turn.pem")
    copy("client.key", "turn.key")
    local pool = world:pool { tls = { ca = file "ca.pem", cert = file "turn.pem", key = file "turn.key" } }
    world:waitUp(pool)
    local load = workload.new(world, pool, { mix = { read = 60, write = 40 } }):start(4, 60)
    local turns = { "client", "good", "alone", "log", "other" } -- of "log" there is no key, and nobody believes "alone"
    for second = 1, 60 do
      local name = turns[second % #turns + 1]
      copy(name == "log" and "log" or name .. ".pem", "turn.pem")
      copy(name == "log" and "client.key" or name .. ".key", "turn.key")
      world.sim:touch(file "turn.pem")
      world.sim:touch(file "turn.key")
      moonpool.sleep(1000)
      if second % 7 == 0 then world.sim:cut(second / 7 % 3 + 1) end
    end
    copy("client.pem", "turn.pem")
    copy("client.key", "turn.key")
    world.sim:touch(file "turn.key")
    world:waitUp(pool, 3, 10000)
    load:stop()
    assert.equal(0, load:failures "read" + load:failures "write")
    load:check()
  end)

  in_world("each file is watched, whichever others there are", asks, function(world)
    copy("client.pem", "own.pem")
    copy("client.key", "own.key")
    local pool = world:pool { tls = { verify = false, cert = file "own.pem", key = file "own.key" } }
    world:waitUp(pool)
    local function changed(from, to)
      copy(from, to)
      world.sim:touch(file(to))
      moonpool.sleep(100)
    end
    changed("alone.pem", "own.pem")
    changed("alone.key", "own.key")
    assert.is_false(comes_back(world, pool, 2)) -- the node does not believe who shows that
    changed("client.pem", "own.pem")
    changed("client.key", "own.key")
    world:waitUp(pool, 3, 5000)
  end)

  in_world("each key may change while requests run, and none is lost", asks, function(world)
    for _, name in ipairs { "ca.pem", "client.pem", "client.key" } do copy(name, "second-" .. name) end
    config_file.around(function()
      local tls = { ca = file "ca.pem", cert = file "client.pem", key = file "client.key" }
      local pool, told = config_file.open(world, { tls = tls })
      local load = workload.new(world, pool):start(8, 10)
      local changes = { ca = file "second-ca.pem", cert = file "second-client.pem", key = file "second-client.key",
        passphrase = "of no use yet", crl = file "crl.pem", verify = false, serverName = "node.test",
        identity = "address", minVersion = "1.3", ciphers = "TLS_AES_256_GCM_SHA384" }
      for key in pairs(change_of.live.tls) do
        local before = config_file.ids(pool)
        tls[key] = assert(changes[key] ~= nil and { changes[key] }, key)[1]
        config_file.change(world, { tls = tls })
        assert.equal("tls." .. key, told.configReload[#told.configReload][1].changes[1].key)
        world:eventually("all are new: " .. key, function()
          local now, count = config_file.ids(pool)
          return count >= 3 and config_file.all_new(before, now)
        end)
      end
      assert.equal(10, #told.configReload)
      load:stop()
      load:none_failed():check()
    end)
  end)

  in_world("a changed configuration replaces connections one by one, or nothing", serves, function(world)
    config_file.around(function()
      local pool, told = config_file.open(world, { tls = { ca = file "ca.pem" } })
      local before = config_file.ids(pool)
      config_file.change(world, { tls = { ca = file "ca.pem" }, requestTimeout = 1500 })
      assert.equal(1, #told.configReload)
      moonpool.sleep(3000)
      assert.is_false(config_file.all_new(before, (config_file.ids(pool)))) -- nothing of TLS has changed
      config_file.change(world, { tls = { ca = file "none.pem" } })
      assert.equal(1, #told.configError)
      assert.matches("none.pem: No such file", told.configError[1][1].message)
      config_file.change(world, { tls = { ca = file "ca.pem", minVersion = "1.3" } })
      assert.equal(2, #told.configReload)
      world:eventually("all are new", function()
        local now, count = config_file.ids(pool)
        return count >= 3 and config_file.all_new(before, now)
      end)
      config_file.change(world, { tls = support.none })
      moonpool.sleep(2000)
      assert(pool:execute "SELECT key FROM system.local") -- no plain connection can be opened: the old ones stay
    end)
  end)
end)
