-- SPDX-License-Identifier: Apache-2.0
-- Passwords are switched on node by node: some nodes ask for them, others do not yet, and clients have them already.
local C = require "spec.support.c"
local ffi = require "ffi"
local session_world = require "spec.support.session_world"

local ANA = { username = "ana", password = "secret" }

describe("a cluster of which some nodes ask for passwords", function()
  local world
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function open(asking, config)
    local nodes = {}
    for i = 1, 3 do nodes[i] = { auth = i <= asking and ANA or nil } end
    local all = { username = "ana", password = "secret" }
    for key, value in pairs(config) do all[key] = value end
    world = session_world.open { nodes = nodes, config = all, contacts = { "127.0.0.1", "127.0.0.3" } }
    return world:connect()
  end

  local function tokens(node)
    local count = 0
    for _, link in ipairs(node.peer.links) do count = count + #link.tokens end
    return count
  end

  for version = 3, 5 do
    for asking = 0, 3 do
      it(("is used as a whole if they may be left out: %d of 3 ask, v%d"):format(asking, version), function()
        assert.is_nil(open(asking, { auth_optional = true, protocol_version = version }))
        world:until_true(function() return world:up_count() == 3 end)
        for _ = 1, 30 do assert.is_nil(world:execute("UPDATE t SET v = 1").err) end
        for i, node in ipairs(world.nodes) do
          assert.equal(10, #node.statements)
          assert.equal(i <= asking, tokens(node) > 0)
        end
      end)

      it(("is used as far as it asks if not: %d of 3 ask, v%d"):format(asking, version), function()
        local err = open(asking, { protocol_version = version })
        if asking == 0 then
          assert.equal("AUTH_FAILED", err.code)
          assert.truthy(err.message:find("auth.required", 1, true), err.message)
          return
        end
        assert.is_nil(err)
        world:pass(5000)
        assert.equal(asking, world:up_count())
        for i, node in ipairs(world.nodes) do assert.equal(i <= asking and tokens(node) > 0, tokens(node) > 0) end
      end)
    end
  end

  it("goes over to it while requests run", function()
    assert.is_nil(open(0, { auth_optional = true }))
    for _, node in ipairs(world.nodes) do
      world:until_true(function() return world:up_count() == 3 end)
      world:kill(node)
      world:until_true(function() return world:up_count() == 2 end)
      node.auth = ANA
      world:start(node)
      for _ = 1, 10 do assert.is_nil(world:execute("SELECT v FROM t").err) end
    end
    world:until_true(function() return world:up_count() == 3 end)
    for _, node in ipairs(world.nodes) do assert.is_true(tokens(node) > 0) end
  end)

  it("does not take a wrong password for none", function()
    assert.is_nil(open(2, { auth_optional = true, password = "guess" }))
    world:pass(5000)
    assert.equal(1, world:up_count())
  end)

  local function apply(optional)
    local config, fixed = ffi.new "struct mp_session_config", ffi.new "const char *[1]"
    ffi.copy(config, world.session.config, ffi.sizeof(config))
    config.auth_optional = optional
    return C.mp_session_apply(world.session, config, fixed)
  end

  it("is allowed, and forbidden again, while the session runs", function()
    assert.is_nil(open(1, {}))
    world:pass(3000)
    assert.equal(1, world:up_count())
    assert.equal(0, apply(true))
    world:until_true(function() return world:up_count() == 3 end)
    local asking = world.nodes[1]
    local before = tokens(asking)
    assert.equal(0, apply(false))
    world:until_true(function() return tokens(asking) > before end) -- connections are replaced, where they can be
    world:pass(5000)
    assert.equal(3, world:up_count())
    world:kill(world.nodes[2])
    world:start(world.nodes[2])
    world:pass(5000)
    assert.equal(2, world:up_count())
  end)
end)
