-- SPDX-License-Identifier: Apache-2.0
-- The C API: what takes a while with hosts, and tells its end. Its misuse stands in misuse_session.c.
local api = require "spec.support.capi"
local C, ffi = api.C, api.ffi

local TOLD = "void (*)(void *, const struct moonpool_error *)"

local function on_cluster(name, body, dcs)
  it(name, function()
    api.on_cluster(function(env)
      local session = assert(env:open((env.config:gsub("keyspace",
        "loadBalancing = { policy = 'RoundRobinPolicy' }, keyspace", 1))))
      assert.is_nil(env:connect(session))
      body(env, session)
      env:close(session)
    end, dcs)
  end)
end

-- Begins one: a table that gets `done`, and `err` when it failed.
local function begin(env, call, ...)
  local told, arguments, count = {}, { ... }, select("#", ...)
  arguments[count + 1] = env:callback(TOLD, function(_, err)
    assert.is_nil(told.done)
    told.done, told.err = true, env:error(err)
    told.attempts, told.names = {}, {}
    for i = 0, tonumber(C.moonpool_error_attempts(err)) - 1 do
      local host, message = ffi.new "const char *[1]", ffi.new "const char *[1]"
      assert.equal(0, C.moonpool_error_attempt(err, i, host, message, nil))
      told.names[i + 1] = ffi.string(C.moonpool_error_attempt_name(err, i))
      told.attempts[i + 1] = ffi.string(host[0]) .. ": " .. ffi.string(message[0])
    end
  end)
  assert.equal(0, call(unpack(arguments, 1, count + 2)), ffi.string(C.moonpool_last_message()))
  return told
end

-- The error of one, or nil, when it is told.
local function await(env, call, ...)
  local told = begin(env, call, ...)
  assert.is_nil(told.done)
  env:wait("told", function() return told.done end)
  return told.err, told
end

local function shown(env, session, node)
  for i = 0, C.moonpool_session_hosts(session) - 1 do
    local host = C.moonpool_session_host(session, i)
    if ffi.string(host.address) == ("127.0.0.%d:%d"):format(node, env.port) then return host end
  end
end

local function addresses(session)
  local list = {}
  for i = 0, C.moonpool_session_hosts(session) - 1 do
    list[#list + 1] = ffi.string(C.moonpool_session_host(session, i).address):match "^[^:]+"
  end
  table.sort(list)
  return table.concat(list, " ")
end

-- A request that its node does not answer before `ms` are over.
local function slow(env, session, node, ms)
  env.cluster:rule { statement = "system.local", delay = ms, node = node }
  local request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
  assert.equal(0, C.moonpool_request_set_host(request, "127.0.0." .. node))
  local answer = {}
  assert.equal(0, C.moonpool_execute(request, env:callback(
    "void (*)(void *, const struct moonpool_result *, const struct moonpool_error *)", function(_, _, err)
      answer.done, answer.err = true, env:error(err)
    end), nil))
  env:wait("sent", function() return shown(env, session, node).in_flight > 0 end)
  return answer
end

local ALL = "127.0.0.1 127.0.0.2 127.0.0.3"

describe("draining a host of the C API", function()
  on_cluster("is told when its connections are closed, after the request that was under way", function(env, session)
    env:wait("up", function() return shown(env, session, 2).connections > 0 end)
    local answer = slow(env, session, 2, 200)
    assert.is_nil((await(env, C.moonpool_host_drain_within, session, "127.0.0.2", 20000)))
    assert.is_true(answer.done)
    assert.is_nil(answer.err)
    assert.equal(0, shown(env, session, 2).connections)
    -- Again: there is nothing to wait for.
    assert.is_nil((await(env, C.moonpool_host_drain_within, session, "127.0.0.2", 0)))
    assert.equal("draining", ffi.string(shown(env, session, 2).status))
  end)

  on_cluster("tells that it takes longer, was taken back, or that the session is closed", function(env, session)
    env:wait("up", function() return shown(env, session, 2).connections > 0 end)
    local answer = slow(env, session, 2, 400)
    local err = await(env, C.moonpool_host_drain_within, session, "127.0.0.2", 20)
    assert.same({ C.MOONPOOL_TIMEOUT, false }, { err.code, answer.done or false })
    assert.matches("127.0.0.2:%d+: 1 connections still carry requests", err.message)
    local told = begin(env, C.moonpool_host_drain_within, session, "127.0.0.2", 20000)
    assert.equal(0, C.moonpool_host_resume(session, "127.0.0.2", 1))
    env:wait("told", function() return told.done end)
    assert.same({ C.MOONPOOL_CANCELLED, "CANCELLED" }, { told.err.code, told.err.name })
    env:wait("answered", function() return answer.done end)
    assert.is_nil(answer.err)
    slow(env, session, 2, 400)
    local other = assert(env:open())
    assert.is_nil(env:connect(other))
    told = begin(env, C.moonpool_host_drain_within, session, "127.0.0.2", 20000)
    local warm = begin(env, C.moonpool_session_warmup, other)
    local added = begin(env, C.moonpool_session_add_node, other, "127.0.0.77", 20000)
    env:close(other)
    assert.equal(C.MOONPOOL_CLOSED, added.err.code)
    assert.is_true(warm.done)
    assert.equal(0, C.moonpool_host_resume(session, "127.0.0.2", 1))
    env:wait("told", function() return told.done end)
  end)
end)

describe("recovering a host of the C API", function()
  on_cluster("is told when it has its connections, or why the last attempt failed", function(env, session)
    env:wait("up", function() return shown(env, session, 2).connections > 0 end)
    assert.is_nil((await(env, C.moonpool_host_recover, session, "127.0.0.2", 1, 0)))
    env.cluster:kill(2)
    env:wait("down", function() return ffi.string(shown(env, session, 2).status) == "down" end)
    local before = shown(env, session, 2).connects_failed
    local err = await(env, C.moonpool_host_recover, session, "127.0.0.2", 3, 1)
    assert.same({ C.MOONPOOL_CONNECTION_REFUSED, ("127.0.0.2:%d"):format(env.port) }, { err.code, err.host })
    assert.equal(1, err.message:find(err.host .. ": ", 1, true))
    assert.is_true(shown(env, session, 2).connects_failed - before >= 3)
    local told = begin(env, C.moonpool_host_recover, session, "127.0.0.2", 1000, 1)
    env.cluster:start(2)
    env:wait("told", function() return told.done end)
    assert.is_nil(told.err)
    assert.equal("up", ffi.string(shown(env, session, 2).status))
    assert.equal(0, C.moonpool_host_drain(session, "127.0.0.2"))
    err = await(env, C.moonpool_host_recover, session, "127.0.0.2", 1, 0)
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, err.code)
    assert.matches("is drained on request: resume it first", err.message)
    assert.equal(0, C.moonpool_host_resume(session, "127.0.0.2", 1))
  end)
end)

describe("switching the datacentre of the C API", function()
  local function serving(session) return ffi.string(C.moonpool_session_metrics(session).serving_datacenter) end

  on_cluster("is told when it serves, and what it waits for", function(env, session)
    assert.equal("datacenter1", serving(session))
    assert.is_nil((await(env, C.moonpool_session_switch_datacenter, session, "datacenter2", 20000)))
    assert.equal("datacenter2", serving(session))
    assert.is_nil((await(env, C.moonpool_session_switch_datacenter, session, "datacenter2", 0)))
    local err = await(env, C.moonpool_session_switch_datacenter, session, nil, 0) -- a datacentre stays five seconds
    assert.equal(C.MOONPOOL_TIMEOUT, err.code)
    assert.matches("datacentre datacenter1 does not serve yet", err.message)
    assert.equal("datacenter2", serving(session))
  end, 2)

  on_cluster("ends with the session", function(env, session)
    local other = assert(env:open())
    assert.is_nil(env:connect(other))
    for i = 0, C.moonpool_session_hosts(session) - 1 do
      local host = C.moonpool_session_host(session, i)
      if ffi.string(host.datacenter) == "datacenter2" then
        env.cluster:kill(tonumber(ffi.string(host.address):match "^127.0.0.(%d+)"))
      end
    end
    local told = begin(env, C.moonpool_session_switch_datacenter, other, "datacenter2", 60000)
    local failed = begin(env, C.moonpool_host_recover, other, "127.0.0.1", 1, 0)
    env:close(other)
    assert.is_true(failed.done)
    assert.equal(C.MOONPOOL_CLOSED, told.err.code)
    assert(env:query(session, "SELECT key FROM system.local"))
  end, 2)
end)

describe("connections ahead of the load, of the C API", function()
  on_cluster("are opened to all hosts, and what falls short is named", function(env, session)
    assert.is_nil((await(env, C.moonpool_session_warmup, session)))
    for node = 1, 3 do assert.is_true(shown(env, session, node).connections > 0) end
    assert.is_nil((await(env, C.moonpool_host_preallocate, session, "127.0.0.2", 2)))
    assert.equal(2, shown(env, session, 2).connections)
    local err, told = await(env, C.moonpool_host_preallocate, session, "127.0.0.2", 4096)
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, err.code)
    assert.matches("of 4096 connections: at most %d+ are allowed", err.message)
    assert.same({ 1, err.attempts, "INVALID_ARGUMENT" }, { #told.attempts, 1, told.names[1] })
    env.cluster:kill(3)
    env:wait("down", function() return ffi.string(shown(env, session, 3).status) == "down" end)
    err, told = await(env, C.moonpool_session_warmup, session)
    assert.matches("^127.0.0.3:%d+ has 0 of %d+ connections", err.message)
    assert.matches("^127.0.0.3:%d+: 0 of", told.attempts[1])
  end)

  it("are not before the session is connected", function()
    api.on_cluster(function(env)
      local session = assert(env:open())
      local never = env:callback(TOLD, function() error "called" end)
      for _, rc in ipairs { C.moonpool_session_warmup(session, never, nil),
        C.moonpool_session_add_node(session, "127.0.0.1", 1, never, nil),
        C.moonpool_host_recover(session, "127.0.0.1", 1, 1, never, nil),
        C.moonpool_session_switch_datacenter(session, "datacenter1", 1, never, nil),
        C.moonpool_session_remove_node(session, "127.0.0.1", 1, never, nil),
        C.moonpool_host_preallocate(session, "127.0.0.1", 1, never, nil) } do
        assert.equal(C.MOONPOOL_CLOSED, rc)
        assert.matches("not connected", ffi.string(C.moonpool_last_message()))
      end
      env:close(session)
    end)
  end)
end)

describe("nodes of the C API", function()
  on_cluster("go and come by the program's word", function(env, session)
    assert.equal(ALL, addresses(session))
    env:wait("up", function() return shown(env, session, 2).connections > 0 end)
    local answer = slow(env, session, 2, 200)
    assert.is_nil((await(env, C.moonpool_session_remove_node, session, "127.0.0.2", 20000)))
    assert.is_true(answer.done)
    assert.is_nil(answer.err)
    assert.equal("127.0.0.1 127.0.0.3", addresses(session))
    local err = await(env, C.moonpool_session_remove_node, session, "127.0.0.2", 0)
    assert.equal(C.MOONPOOL_NOT_FOUND, err.code)
    assert.is_nil((await(env, C.moonpool_session_add_node, session, "127.0.0.2", 20000)))
    assert.equal(ALL, addresses(session))
    assert.equal("up", ffi.string(shown(env, session, 2).status))
    assert.is_nil((await(env, C.moonpool_session_remove_node, session, "127.0.0.2:" .. env.port, 0)))
    assert.is_nil((await(env, C.moonpool_session_remove_node, session, "127.0.0.3", 0)))
    err = await(env, C.moonpool_session_remove_node, session, "127.0.0.1", 0)
    assert.equal(C.MOONPOOL_INVALID_ARGUMENT, err.code)
    assert.matches("the last host in use", err.message)
    assert.equal("127.0.0.1", addresses(session))
    assert(env:query(session, "SELECT key FROM system.local"))
  end)

  on_cluster("are cut when their requests take longer", function(env, session)
    env:wait("up", function() return shown(env, session, 2).connections > 0 end)
    local answer = slow(env, session, 2, 60000)
    local err = await(env, C.moonpool_session_remove_node, session, "127.0.0.2", 20)
    assert.equal(C.MOONPOOL_TIMEOUT, err.code)
    assert.matches("is removed; 1 connections still carried requests and were closed", err.message)
    env:wait("answered", function() return answer.done end)
    assert.equal("127.0.0.1 127.0.0.3", addresses(session))
  end)

  on_cluster("that the cluster does not name, and names that are none, are told", function(env, session)
    local err = await(env, C.moonpool_session_add_node, session, "127.0.0.77", 30)
    assert.equal(C.MOONPOOL_NOT_FOUND, err.code)
    assert.matches("no node of the cluster is at 127.0.0.77: it is used as soon", err.message, 1, true)
    err = await(env, C.moonpool_session_add_node, session, "nowhere.invalid", 30)
    assert.same({ C.MOONPOOL_RESOLVE_FAILED, true }, { err.code, err.message:find("nowhere.invalid: ", 1, true) == 1 })
    err = await(env, C.moonpool_session_remove_node, session, "nowhere.invalid:9", 30)
    assert.equal(C.MOONPOOL_RESOLVE_FAILED, err.code)
    -- What a program has said stays when the configuration is read again.
    assert.equal(0, C.moonpool_session_reload(session, nil, 0))
    assert.equal(ALL, addresses(session))
  end)
end)
