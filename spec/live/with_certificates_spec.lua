-- SPDX-License-Identifier: Apache-2.0
-- A real Cassandra that speaks TLS and asks for a password: one node, first with plain connections beside TLS, then
-- with TLS alone and clients that have to show a certificate. (Its name puts it behind those that want three nodes.)
local certificates = require "spec.support.certificates"
local live = require "spec.support.live"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
local sim = require "moonpool.sim"
local it = live.inCoroutine(it)

local folder
local function file(name) return folder .. "/" .. name end

-- What the node shows from now on, or from its start.
local function present(name, running)
  assert(os.execute(("cd '%s' && openssl pkcs8 -topk8 -nocrypt -in %s.key > node.new && cat %s.pem >> node.new && " ..
    "mv node.new node.pem"):format(folder, name, name)) == 0)
  if running then live.cassandraWhileRunning "nodetool 1 reloadssl" end
end

local function options(tls, extra)
  local all = { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1", tls = tls,
    auth = { username = "cassandra", password = "cassandra" }, logging = { level = "off" } }
  for key, value in pairs(extra or {}) do all[key] = value end
  return all
end

local function refused(tls, pattern)
  local pool = moonpool.ConnectionPool(options(tls))
  local ok, err = pool:connect()
  assert.is_nil(ok)
  assert.equal("NO_HOST_AVAILABLE", err.code)
  assert.matches(pattern, tostring(err))
  pool:close()
end

-- How the node sees the pool's connections: { ssl_protocol, ssl_cipher_suite, protocol_version, ssl_enabled }
local function seen(pool)
  local list = {}
  for _, client in ipairs(assert(pool:execute "SELECT * FROM system_views.clients").rows) do
    if client.driver_name == "moonpool" then list[#list + 1] = client end
  end
  return list
end

-- Rows of 1 to 400,000 bytes go there and come back.
local function works(pool)
  live.ddl(pool, "CREATE KEYSPACE IF NOT EXISTS tls WITH replication = {'class': 'SimpleStrategy', " ..
    "'replication_factor': 1}")
  live.ddl(pool, "CREATE TABLE IF NOT EXISTS tls.texts (id int PRIMARY KEY, v text)")
  local insert = assert(pool:prepare "INSERT INTO tls.texts (id, v) VALUES (?, ?)")
  local select = assert(pool:prepare "SELECT v FROM tls.texts WHERE id = ?")
  for id, size in ipairs { 1, 500, 16384, 131071, 400000 } do
    local text = ("moonpool "):rep(math.ceil(size / 9)):sub(1, size)
    assert(pool:execute(insert, { id, text }))
    assert.is_true(assert(pool:execute(select, { id })):first().v == text)
  end
end

describe("on a real Cassandra", function()
  setup(function()
    folder = certificates.folder()
    present "good"
  end)
  teardown(function()
    live.cassandra "down"
    certificates.remove(folder)
  end)

  describe("with TLS beside plain connections", function()
    setup(function() live.cluster { nodes = 1, tls = folder, auth = true } end)

    for _, mode in ipairs { { 5, "lz4" }, { 4, "snappy" }, { 3, "none" } } do
      it(("a pool works over TLS and protocol v%d, compression %s"):format(mode[1], mode[2]), function()
        local pool = live.pool(options({ ca = file "ca.pem" }, { protocolVersion = mode[1], compression = mode[2] }))
        works(pool)
        local clients = seen(pool)
        assert.is_true(#clients >= 2)
        for _, client in ipairs(clients) do
          assert.is_true(client.ssl_enabled)
          assert.equal("TLSv1.3", client.ssl_protocol)
          assert.equal(mode[1], client.protocol_version)
        end
        pool:close()
      end)
    end

    it("the same port serves a pool without it", function()
      local pool = live.pool(options(nil))
      assert.is_false(seen(pool)[1].ssl_enabled)
      pool:close()
    end)

    for script, about in pairs { roles = "to statements about roles", permissions = "who may do what" } do
      it("the simulated cluster answers " .. about .. " as it does, line by line", function()
        local function said(port)
          return (live.run(("'%s' '%s/spec/live/support/%s.py' %d 127.0.0.1 cassandra cassandra"):format(live.python(),
            MOONPOOL_ROOT, script, port)))
        end
        local cluster = sim.cluster { nodes = 1, port = ports.at(20), user = "cassandra", password = "cassandra" }
        local simulated = said(ports.at(20))
        cluster:close()
        local real = said(9042)
        assert.is_true(#real >= 70)
        for i = 1, math.max(#real, #simulated) do assert.equal(real[i], simulated[i]) end
      end)
    end

    it("the suite, the version and the name are the configuration's", function()
      for _, case in ipairs {
        { "TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256" },
        { "ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
      } do
        local pool = live.pool(options { ca = file "ca.pem", ciphers = case[1], serverName = "node.test" })
        for _, client in ipairs(seen(pool)) do
          assert.equal(case[2], client.ssl_protocol)
          assert.equal(case[3], client.ssl_cipher_suite)
        end
        pool:close()
      end
    end)

    it("a pool's connections go on with the session of its first one", function()
      local pool = live.pool(options({ ca = file "ca.pem" }, { pooling = { coreConnectionsPerHost = { ['0'] = 4 },
        maxConnectionsPerHost = { ['0'] = 4 } } }))
      local stats = pool:getStats()
      assert.is_true(stats.tlsHandshakes >= 5, stats.tlsHandshakes)
      assert.is_true(stats.tlsResumed > 0, stats.tlsResumed)
      pool:close()
    end)

    it("a node proves by its certificate which host it is, where that is wanted", function()
      local pool = live.pool(options { ca = file "ca.pem" })
      local id = assert(pool:execute "SELECT host_id FROM system.local"):first().host_id
      pool:close()
      certificates.issue(folder, "host", "DNS:" .. id .. ".nodes.test")
      certificates.issue(folder, "another", "URI:urn:uuid:" .. moonpool.uuid())
      local tls = { ca = file "ca.pem", identity = "hostId" }
      refused(tls, "certificate is not for any host: it has no host id")
      present("another", true)
      refused(tls, "it is host " .. id:sub(1, 8):gsub("%-", "%%-") .. ".*, and its certificate is not for that")
      present("host", true)
      pool = live.pool(options(tls))
      works(pool)
      assert.is_true(seen(pool)[1].ssl_enabled)
      refused({ ca = file "ca.pem" }, "certificate is not for 127.0.0.1")
      pool:close()
      present("good", true)
    end)

    it("whom nobody vouches for is refused, and a pool that stands goes on", function()
      local pool = live.pool(options { ca = file "ca.pem" })
      local load = live.load(2, function()
        moonpool.sleep(10)
        return pool:execute("SELECT key FROM system.local", nil, { isIdempotent = true, timeout = 12000 })
      end)
      refused({ ca = file "stranger.pem" }, "unable to get local issuer certificate")
      refused({}, "unable to get local issuer certificate")
      refused({ ca = file "ca.pem", serverName = "other.test" }, "certificate is not for other.test")
      for name, pattern in pairs { expired = "certificate has expired", name = "certificate is not for 127.0.0.1",
        revoked = "certificate revoked" } do
        present(name, true)
        refused({ ca = file "ca.pem", crl = file "crl.pem" }, pattern)
      end
      present("good", true)
      local late = live.pool(options { ca = file "ca.pem", crl = file "crl.pem" })
      late:close()
      load:stop()
      assert.equal(0, #load.failed, tostring(load.failed[1]))
      pool:close()
    end)
  end)

  describe("with TLS alone", function()
    setup(function() live.cluster { nodes = 1, tlsOnly = folder, auth = true } end)

    it("a pool has to show a certificate that the node's authority vouches for", function()
      local pool = live.pool(options { ca = file "ca.pem", cert = file "client.pem", key = file "client.key" })
      works(pool)
      assert.is_true(seen(pool)[1].ssl_enabled)
      refused({ ca = file "ca.pem" }, "alert")
      refused({ ca = file "ca.pem", cert = file "alone.pem", key = file "alone.key" }, "alert")
      pool:close()
    end)

    it("passwords change under load, and no request fails: a function, a file, the configuration", function()
      local tls = { ca = file "ca.pem", cert = file "client.pem", key = file "client.key" }
      local admin = live.pool(options(tls))
      live.rows(admin, "rotation", 1)
      assert(admin:execute "CREATE ROLE ana WITH PASSWORD = 'first' AND LOGIN = true AND SUPERUSER = true")
      local password, path, config = "first", file "login", file "pool.lua"
      local function write()
        policies.write(path, "ana\n" .. password .. "\n")
        policies.write(config, ([[return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
          logging = { level = "off" }, auth = { username = "ana", password = %q },
          tls = { ca = %q, cert = %q, key = %q } }]]):format(password, tls.ca, tls.cert, tls.key))
      end
      write()
      local pools = {
        live.pool(options(tls, { auth = { credentials = function() return "ana", password end } })),
        live.pool(options(tls, { auth = { credentials = path } })),
        moonpool.ConnectionPool(config),
      }
      assert(pools[3]:connect())
      local told, loads = live.listen(pools[3], "configReload", "configError"), {}
      for i, pool in ipairs(pools) do
        loads[i] = live.load(4, function(_, n)
          moonpool.sleep(5)
          return pool:execute("SELECT v FROM rotation.kv WHERE k = ?", { n % 100 },
            { isIdempotent = true, timeout = 12000 })
        end)
      end
      for round = 1, 2 do
        password = "password " .. round
        live.eventually(30000, "the node lets it be changed, which it does once in five seconds", function()
          return (admin:execute(("ALTER ROLE ana WITH PASSWORD = '%s'"):format(password), nil, { timeout = 10000 }))
        end)
        write()
        live.eventually(20000, "the configuration is read", function() return #told.configReload == round end)
        for _, pool in ipairs(pools) do
          local before = pool:getStats().connectionsOpened
          local host = pool:getHosts()[1].address
          assert(pool:reconnect(host))
          live.eventually(20000, "it has connections by the new password", function()
            return pool:getStats().connectionsOpened > before and pool:getHosts()[1].status == "up"
          end)
        end
      end
      assert.equal(0, #told.configError)
      for i, pool in ipairs(pools) do
        loads[i]:stop()
        assert.equal(0, #loads[i].failed, tostring(loads[i].failed[1]))
        assert.is_true(loads[i].requests > 20)
        pool:close()
      end
      local late = moonpool.ConnectionPool(options(tls, { auth = { username = "ana", password = "first" } }))
      assert.equal("AUTH_FAILED", select(2, late:connect()).code)
      late:close()
      admin:close()
    end)
  end)
end)
