-- SPDX-License-Identifier: Apache-2.0
-- Credentials that are wrong or not asked for.
local moonpool = require "moonpool"
local support = require "spec.support.world"
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
end)
