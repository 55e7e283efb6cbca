-- SPDX-License-Identifier: Apache-2.0
-- The C API: a session follows the files that it was made of, takes a change whole or not at all, and says which.
local api = require "spec.support.capi"
local policies = require "spec.support.policies"
local C, ffi = api.C, api.ffi

local EVENT = "void (*)(void *, const struct moonpool_event *)"

local function on_files(name, body)
  it(name, function()
    local folder = policies.folder()
    finally(function() policies.remove(folder) end)
    api.on_cluster(function(env)
      local world = { events = {} }
      local message = ffi.new "char[512]"
      function world.write(keys)
        policies.write(folder .. "/pool.lua", ("return { contactPoints = { '127.0.0.1' }, port = %d, " ..
          "localDataCenter = 'datacenter1', logging = { level = 'off' }, %s }"):format(env.port, keys))
      end
      function world.policy(named)
        policies.write(folder .. "/mine.lua",
          ("return balance { name = %q, plan = function(plan) plan:hosts(localDc) end }"):format(named))
      end
      function world.open(keys)
        world.write(keys)
        local session = C.moonpool_session_from_file(env.loop, folder .. "/pool.lua", message, 512)
        assert(session ~= nil, ffi.string(message))
        C.moonpool_session_on_event(session, env:callback(EVENT, function(_, event)
          local text = ffi.string(event.name)
          for _, field in ipairs { "policy", "from", "reason" } do text = text .. " " .. ffi.string(event[field]) end
          if text:find "^config" or text:find "^policy" then
            world.events[#world.events + 1] = text
            assert.is_true(#ffi.string(event.file) > 0)
          end
        end), nil)
        assert.is_nil(env:connect(session))
        return session
      end
      function world.told(pattern)
        for _, event in ipairs(world.events) do
          if event:find(pattern) then return event end
        end
      end
      function world.serving(session)
        return ffi.string(C.moonpool_session_policy(session, C.MOONPOOL_POLICY_BALANCE).name)
      end
      function world.refusal(code, call, ...)
        local arguments, count = { ... }, select("#", ...)
        arguments[count + 1], arguments[count + 2] = message, 512
        assert.equal(code, call(unpack(arguments, 1, count + 2)))
        assert.matches(ffi.string(message):sub(1, 100), ffi.string(C.moonpool_last_message()), 1, true)
        return ffi.string(message)
      end
      body(env, world, folder)
    end)
  end)
end

describe("a session of the C API", function()
  on_files("takes over what changes in its file, and tells it", function(env, world)
    local session = world.open "requestTimeout = 1000"
    world.write "requestTimeout = 2500, auth = { username = 'u', password = 'first' }"
    env:wait("configReload", function() return world.told "^configReload" end)
    assert.matches("auth.username: .*; requestTimeout: 1000 %-> 2500", world.told "^configReload")
    world.events = {}
    world.write "requestTimeout = 2500, auth = { username = 'u', password = 'second' }"
    env:wait("configReload", function() return world.told "^configReload" end)
    assert.not_matches("second", world.told "^configReload")
    assert.equal(0, C.moonpool_session_reload(session, nil, 0))
    env:close(session)
  end)

  on_files("has a changed policy on trial, shows how it stands, and ends it", function(env, world)
    world.policy "First"
    local session = world.open("loadBalancing = { policy = './mine.lua', "
      .. "canary = { share = 0.25, abortIf = { p99 = false } } }")
    assert(C.moonpool_session_canary(session, C.MOONPOOL_POLICY_BALANCE) == nil)
    world.policy "Second"
    env:wait("policyCanary", function() return world.told "^policyCanary balance Second" end)
    assert.equal("First", world.serving(session))
    local now = C.moonpool_session_canary(session, C.MOONPOOL_POLICY_BALANCE)
    assert.same({ "balance", "running", "Second", 2, 1, 0, 1000 }, { ffi.string(now.kind), ffi.string(now.state),
      ffi.string(now.name), now.generation, now.in_force, now.share, tonumber(now.requests_wanted) })
    local limits = {}
    for i = 0, tonumber(now.figure_count) - 1 do limits[ffi.string(now.figures[i].name)] = now.figures[i].limit end
    assert.same({ 1.2, -1, nil }, { limits.errorRate, limits.p99, limits.disagreement })
    assert.equal(0, C.moonpool_session_end_canary(session, C.MOONPOOL_POLICY_BALANCE, false))
    assert.equal(C.MOONPOOL_NOT_FOUND, C.moonpool_session_end_canary(session, C.MOONPOOL_POLICY_BALANCE, false))
    assert.equal("takenBack",
      ffi.string(C.moonpool_session_canary(session, C.MOONPOOL_POLICY_BALANCE).state))
    world.policy "Third"
    env:wait("policyCanary", function() return world.told "^policyCanary balance Third" end)
    assert.equal(0, C.moonpool_session_end_canary(session, C.MOONPOOL_POLICY_BALANCE, true))
    assert.equal("Third", world.serving(session))
    env:close(session)
  end)

  on_files("refuses what it cannot take, whole, and goes on", function(env, world, folder)
    local session = world.open "requestTimeout = 1000"
    local mistakes = { ["requestTimeout = -1"] = "pool.lua:1: .*requestTimeout", ["nonsense = 1"] = "nonsense",
      ["requestTimeout = 2000, keyspace = 'other'"] = "keyspace: .* cannot be applied while the pool runs",
      ["loadBalancing = { policy = 'NoSuchPolicy' }"] = "NoSuchPolicy" }
    for keys, why in pairs(mistakes) do
      world.events = {}
      world.write(keys)
      env:wait("configError " .. keys, function() return world.told("^configError.*" .. why) end)
      assert.matches(why, world.refusal(C.MOONPOOL_CONFIG_ERROR, C.moonpool_session_reload, session))
    end
    os.remove(folder .. "/pool.lua")
    assert.matches("pool.lua", world.refusal(C.MOONPOOL_CONFIG_ERROR, C.moonpool_session_reload, session))
    world.write "requestTimeout = 1000"
    assert.equal(0, C.moonpool_session_reload(session, nil, 0))
    assert(env:query(session, "SELECT key FROM system.local"))
    env:close(session)
  end)

  on_files("reloads policies, returns to the one before, and takes others by hand", function(env, world, folder)
    world.policy "First"
    local session = world.open "loadBalancing = { policy = './mine.lua' }"
    assert.equal("First", world.serving(session))
    assert.equal(C.MOONPOOL_NOT_FOUND, C.moonpool_session_rollback(session, C.MOONPOOL_POLICY_BALANCE))
    world.policy "Second"
    env:wait("policyReload", function() return world.told "^policyReload balance Second" end)
    assert.equal(2, C.moonpool_session_policy(session, C.MOONPOOL_POLICY_BALANCE).generation)
    policies.write(folder .. "/mine.lua", "return balance {")
    env:wait("policyError", function() return world.told "^policyError" end)
    assert.matches("mine.lua", world.refusal(C.MOONPOOL_POLICY_ERROR, C.moonpool_session_reload, session))
    assert.equal("Second", world.serving(session))
    assert.equal(0, C.moonpool_session_rollback(session, C.MOONPOOL_POLICY_BALANCE))
    assert.equal("First", world.serving(session))

    local function use(policy, options)
      return C.moonpool_session_use_policy(session, C.MOONPOOL_POLICY_BALANCE, policy, options, nil, 0)
    end
    assert.equal(0, use("TokenAwarePolicy", "{ childPolicy = 'RoundRobinPolicy' }"))
    local policy = C.moonpool_session_policy(session, C.MOONPOOL_POLICY_BALANCE)
    assert.same({ "TokenAwarePolicy", "RoundRobinPolicy", "balance" },
      { ffi.string(policy.name), ffi.string(policy.child), ffi.string(policy.kind) })
    for options, why in pairs { ["{"] = "options", ["5"] = "a table expected", ["{ nonsense = 1 }"] = "nonsense",
      ["(function() while true do end end)()"] = "options" } do
      assert.matches(why, world.refusal(C.MOONPOOL_POLICY_ERROR, C.moonpool_session_use_policy, session,
        C.MOONPOOL_POLICY_BALANCE, "TokenAwarePolicy", options))
    end
    assert.matches("NoSuchPolicy", world.refusal(C.MOONPOOL_POLICY_ERROR, C.moonpool_session_use_policy, session,
      C.MOONPOOL_POLICY_BALANCE, "NoSuchPolicy", nil))
    assert.equal("TokenAwarePolicy", world.serving(session))
    -- It stays when the file changes, but for a change of this very policy.
    world.policy "First"
    world.write "loadBalancing = { policy = './mine.lua' }, requestTimeout = 777"
    assert.equal(0, C.moonpool_session_reload(session, nil, 0))
    assert.equal("TokenAwarePolicy", world.serving(session))
    assert.equal(0, use(nil, nil))
    assert.equal("First", world.serving(session))
    assert.equal(0, use("RoundRobinPolicy", nil))
    world.write "loadBalancing = { policy = 'DCAwareRoundRobinPolicy' }"
    assert.equal(0, C.moonpool_session_reload(session, nil, 0))
    assert.equal("DCAwareRoundRobinPolicy", world.serving(session))
    assert.is_true(C.moonpool_session_policy(session, C.MOONPOOL_POLICY_SPECULATE) == nil)
    env:close(session)
  end)

  on_files("asks a shadow, tells what it says, and reloads it", function(env, world, folder)
    world.policy "First"
    local function beside(named)
      policies.write(folder .. "/shadow.lua",
        ("return balance { name = %q, plan = function(plan) plan:refuse() end }"):format(named))
    end
    beside "Beside"
    local session = world.open "loadBalancing = { policy = './mine.lua', shadow = 'shadow.lua', shadowShare = 1 }"
    for _ = 1, 5 do assert(env:query(session, "SELECT key FROM system.local")) end
    env:wait("it is asked", function() return C.moonpool_session_shadow(session).asked == 5 end)
    local shadow = C.moonpool_session_shadow(session)
    assert.same({ 5, 0, 0 }, { tonumber(shadow.refused), tonumber(shadow.same_first), tonumber(shadow.error) })
    local example = C.moonpool_session_shadow_example(session, 0)
    assert.same({ "refused", "read", "LOCAL_ONE", "", "", "" }, { ffi.string(example.difference),
      ffi.string(example.kind), ffi.string(example.consistency), ffi.string(example.keyspace),
      ffi.string(example.shadow), ffi.string(example.shadow_step) })
    assert.matches("^127%.0%.0%.%d:%d+$", ffi.string(example.serving))
    assert.is_true(#ffi.string(example.serving_step) > 0 and example.at_ms / 1000 > os.time() - 600)
    assert.is_true(C.moonpool_session_shadow_example(session, 1) == nil)
    local policy = C.moonpool_session_policy(session, C.MOONPOOL_POLICY_SHADOW)
    assert.same({ "shadow", "Beside", 5 }, { ffi.string(policy.kind), ffi.string(policy.name), tonumber(policy.calls) })
    beside "Other"
    env:wait("policyReload", function() return world.told "^policyReload shadow Other" end)
    assert.equal(0, tonumber(C.moonpool_session_shadow(session).asked))
    assert.equal(0, C.moonpool_session_use_policy(session, C.MOONPOOL_POLICY_SHADOW, "RoundRobinPolicy", nil, nil, 0))
    assert.equal("RoundRobinPolicy",
      ffi.string(C.moonpool_session_policy(session, C.MOONPOOL_POLICY_SHADOW).name))
    world.write "loadBalancing = { policy = './mine.lua' }"
    env:wait("configReload", function() return world.told "^configReload" end)
    assert.equal(0, C.moonpool_session_use_policy(session, C.MOONPOOL_POLICY_SHADOW, nil, nil, nil, 0))
    assert.is_true(C.moonpool_session_shadow(session) == nil)
    assert.equal(C.MOONPOOL_NOT_FOUND, C.moonpool_last_code())
    env:close(session)
  end)

  on_files("may be closed by the news of its file", function(env, world)
    local session = world.open "requestTimeout = 1000"
    local closed = false
    local done = env:callback("void (*)(void *)", function() closed = true end)
    C.moonpool_session_on_event(session, env:callback(EVENT, function(_, event)
      if event.kind == C.MOONPOOL_EVENT_CONFIG_RELOADED then C.moonpool_session_close(session, done, nil) end
    end), nil)
    world.write "requestTimeout = 1001"
    env:wait("closed", function() return closed end)
  end)
end)
