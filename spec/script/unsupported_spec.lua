-- SPDX-License-Identifier: Apache-2.0
-- What cannot be done says what, and why, wherever the error comes from; and nothing has happened.
local moonpool = require "moonpool"
local it_in = require("spec.support.world").inside(it)

describe("UNSUPPORTED", function()
  local function refused(result, err, ...)
    assert.is_nil(result)
    assert.equal("UNSUPPORTED", err.code)
    for _, part in ipairs { ... } do assert.truthy(err.message:find(part, 1, true), err.message) end
    assert.is_true(#err.message > #"not supported" + 10, err.message)
    assert.is_false(err.maybeApplied)
  end

  for version = 3, 5 do
    it_in(("is unset on v3, and the column stays as it was: v%d"):format(version), function(world)
      world:schema "CREATE TABLE ks.t (k int PRIMARY KEY, v text)"
      local pool = world:pool { protocolVersion = version }
      assert(pool:execute("INSERT INTO t (k, v) VALUES (1, 'stored')"))
      local update = assert(pool:prepare "UPDATE t SET v = ? WHERE k = ?")
      local named = "UPDATE t SET v = :v WHERE k = 1"
      for _, ask in ipairs {
        function() return pool:execute(update, { moonpool.unset, 1 }) end,
        function() return pool:execute("UPDATE t SET v = ? WHERE k = ?", { moonpool.unset, 1 }) end,
        function() return pool:execute(named, { v = moonpool.unset }) end,
        function() return pool:execute("UPDATE t SET v = ? WHERE k = 1", { moonpool.unset }, { prepare = false }) end,
        function() return pool:execute(named, { v = moonpool.unset }, { prepare = false }) end,
        function() return pool:executeAsync(update, { moonpool.unset, 1 }):wait() end,
      } do
        local result, err = ask()
        if version == 3 then
          refused(result, err, "an unset value needs protocol v4, and this connection speaks v3")
        else
          assert(result, err)
        end
        assert.equal("stored", assert(pool:execute "SELECT v FROM t WHERE k = 1"):first().v)
      end
      assert(pool:execute(update, { moonpool.null, 1 }))
      assert.is_nil(assert(pool:execute "SELECT v FROM t WHERE k = 1"):first().v)
    end)

    it_in("is a keyspace of a request before v5: v" .. version, function(world)
      local pool = world:pool { protocolVersion = version }
      for _, ask in ipairs {
        function() return pool:execute("SELECT key FROM local", nil, { keyspace = "system" }) end,
        function() return pool:execute("SELECT key FROM local WHERE key = ?", { "local" }, { keyspace = "system" }) end,
        function()
          return pool:execute("SELECT key FROM local WHERE key = ?", { "local" },
            { keyspace = "system", prepare = false })
        end,
        function() return pool:prepare("SELECT key FROM local", { keyspace = "system" }) end,
      } do
        local result, err = ask()
        if version < 5 then
          refused(result, err, "a keyspace of the request's own needs protocol v5, and this connection speaks v"
            .. version, "in front of the table")
        else
          assert(result, err)
        end
      end
    end)
  end

  it_in("is USE", function(world)
    local pool = world:pool()
    local result, err = pool:execute "USE system"
    refused(result, err, "one connection of many", "keyspace")
    result, err = pool:prepare "USE system"
    refused(result, err, "one connection of many", "keyspace")
  end)

  it_in("is a version that no node speaks", function(world)
    world.cluster:rule { opcode = "OPTIONS",
      error = { code = "PROTOCOL_ERROR", message = "Invalid or unsupported protocol version (5)" } }
    local pool = world:newPool { protocolVersion = 5 }
    local connected, err = pool:connect()
    refused(connected, err, "protocol v5", "unsupported protocol version")
  end)
end)
