-- SPDX-License-Identifier: Apache-2.0
-- mp_session_apply below everything that Lua adds: whole or not at all, also without memory.
local C = require "spec.support.c"
local ffi = require "ffi"
local session_world = require "spec.support.session_world"

describe("a session that is given another configuration", function()
  local world
  after_each(function()
    C.mp_mem_fail_at(0, false)
    if world then world:close() end
    world = nil
  end)

  -- The configuration in force, and `changes` of it.
  local function changed(changes)
    local config = ffi.new "struct mp_session_config"
    ffi.copy(config, world.session.config, ffi.sizeof(config))
    for key, value in pairs(changes) do
      if type(value) == "table" then
        for name, limit in pairs(value) do config[key][name] = limit end
      elseif type(value) == "string" then
        world.kept[#world.kept + 1] = value
        config[key] = ffi.cast("const char *", value)
      else
        config[key] = value
      end
    end
    return config
  end

  local function apply(changes)
    local fixed = ffi.new "const char *[1]"
    local rc = C.mp_session_apply(world.session, changed(changes), fixed)
    return rc, fixed[0] ~= nil and ffi.string(fixed[0]) or nil
  end

  it("takes its log level and deadlines", function()
    world = session_world.connected {}
    assert.equal(0, (apply { log_level = C.MP_LOG_ERROR, request_timeout_ms = 123, attempt_timeout_ms = 45 }))
    assert.equal(C.MP_LOG_ERROR, world.session.log.level)
    assert.equal(123, C.mp_session_timeout_ms(world.session))
    assert.equal(45, world.session.attempt_timeout_ms)
    assert.equal(0, (apply { log_level = C.MP_LOG_OFF }))
  end)

  for _, changes in ipairs { { username = "ana" }, { password = "secret" }, { auth_optional = false },
    { compression = C.MP_COMPRESSION_LZ4 }, { tls_name = "db.example" }, { max_requests_per_connection = 7 },
    { tcp = { no_delay = false } }, { tcp = { keep_alive = false } }, { tcp = { user_timeout_ms = 4321 } } } do
    local what = next(changes)
    if what == "tcp" then what = next(changes.tcp) end
    it("replaces every connection of its hosts once for another " .. what, function()
      world = session_world.connected { config = { auth_optional = true } }
      world:until_true(function() return world:up_count() == 3 end)
      assert.equal(0, (apply(changes)))
      world:pass(5000)
      local by_host = {}
      for _, event in ipairs(world.events) do
        if event.kind == "CONNECTION_REMOVED" then by_host[event.host] = event.reason end
      end
      assert.equal(3, world:count "CONNECTION_REMOVED")
      for i = 1, 3 do assert.equal("drained", by_host["127.0.0." .. i .. ":9042"]) end
      assert.equal(0, world:count "CONNECTION_LOST")
      assert.equal(3, world:up_count())
    end)
  end

  it("replaces no connection for what each request, or none, is about", function()
    world = session_world.connected {}
    world:until_true(function() return world:up_count() == 3 end)
    for _, changes in ipairs { { request_timeout_ms = 4000 }, { heartbeat_interval_ms = 7000 }, { max_queued = 5 },
      { discovery_interval_ms = 9000 }, { connects_per_second = 7 }, { prepared_max = 5 }, { log_slow_ms = 9 },
      { client_timestamps = false }, { connect_timeout_ms = 900 }, { failover = { delay_ms = 5 } },
      { breaker = { enabled = true, threshold = 3, recovery_ms = 1000, trials = 1 } }, { busy_poll_us = 1 } } do
      assert.equal(0, (apply(changes)), (next(changes)))
      world:pass(3000)
    end
    assert.equal(0, world:count "CONNECTION_REMOVED")
  end)

  it("looks before it sleeps for as long as it is told, or not at all", function()
    world = session_world.connected { config = { busy_poll_us = 70 } }
    local loop = world.session.loop
    assert.equal(70, C.mp_loop_busy_poll_us(loop))
    assert.equal(0, (apply { busy_poll_us = 200 }))
    assert.equal(200, C.mp_loop_busy_poll_us(loop))
    assert.equal(0, (apply { busy_poll_us = 0 }))
    assert.equal(0, C.mp_loop_busy_poll_us(loop))
  end)

  it("refuses what a connected session cannot change, by name", function()
    world = session_world.connected {}
    for key, changes in pairs {
      keyspace = { keyspace = "other" }, localDataCenter = { local_dc = "elsewhere" }, port = { port = 9999 },
      protocolVersion = { protocol_version = 4 },
    } do
      changes["local"] = { core = 4, max = 4 }
      local rc, name = apply(changes)
      assert.equal(C.MP_ECONFIG, rc)
      assert.equal(key, name)
    end
    world:pass(2000)
    assert.equal(3, world:stats().connections_total)
    assert.equal(0, (apply { local_dc = "dc1", protocol_version = 5 })) -- as it was found
  end)

  it("takes everything before it was connected", function()
    world = session_world.open { config = { local_dc = "nowhere" } }
    assert.equal(0, (apply { local_dc = "dc1", protocol_version = 4 }))
    assert.is_nil(world:connect())
    assert.equal(4, C.mp_session_version(world.session))
    assert.equal("dc1", ffi.string(C.mp_session_local_dc(world.session)))
  end)

  it("changes nothing when any allocation fails", function()
    world = session_world.connected {}
    local failed = 0
    for nth = 1, 50 do
      local config = changed { ["local"] = { core = 3, max = 3 }, request_timeout_ms = 77, username = "u",
        password = "p" }
      local fixed = ffi.new "const char *[1]"
      C.mp_mem_fail_at(nth, false)
      local rc = C.mp_session_apply(world.session, config, fixed)
      C.mp_mem_fail_at(0, false)
      if rc == 0 then break end
      failed = failed + 1
      assert.equal(C.MP_ENOMEM, rc)
      assert.equal(2000, C.mp_session_timeout_ms(world.session))
      assert.is_true(world.session.config.username == nil)
      assert.equal(3, world:stats().connections_total)
    end
    assert.is_true(failed >= 4)
    assert.equal(77, C.mp_session_timeout_ms(world.session))
  end)

  it("asks new contact points while it seeks in vain", function()
    world = session_world.open { contacts = { "127.0.0.77" }, config = { connect_timeout_ms = 5000 } }
    C.mp_loop_sim_blackhole(world.loop.handle, require("spec.support.sim_world").addr("127.0.0.77", 9042), true)
    local attempt = world:begin_connect()
    world:pass(100)
    local config = changed {}
    local points = ffi.new("struct mp_contact_point[1]", { { host = "127.0.0.1", port = 9042 } })
    config.contact_points, config.contact_point_count = points, 1
    local fixed = ffi.new "const char *[1]"
    assert.equal(0, C.mp_session_apply(world.session, config, fixed))
    world:until_true(function() return attempt.done end)
    assert.is_nil(attempt.err)
    assert.equal(3, world:up_count())
  end)

  it("may change credentials while everything is still opening", function()
    world = session_world.open { config = { username = "ana", password = "x" } }
    world:begin_connect()
    assert.equal(0, (apply { username = ffi.NULL, password = ffi.NULL }))
    world:pass(3000)
  end)
end)
