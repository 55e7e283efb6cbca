-- SPDX-License-Identifier: Apache-2.0
-- Another policy for a pool that runs, by its application, and how that lives together with a configuration file.
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local SELECT = "SELECT key FROM system.local"

local folder
local function file(name) return folder .. "/" .. name end

local function name_of(pool, kind) return pool:policies()[kind or "balance"].name end

describe("pool:usePolicy", function()
  before_each(function() folder = policies.folder() end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  it_in("puts another policy into force between two requests, and the configured one back", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local futures = {}
    for i = 1, 100 do
      futures[i] = pool:executeAsync(SELECT)
      if i == 50 then assert.is_true(pool:usePolicy("balance", "RoundRobinPolicy")) end
    end
    for i = 1, 100 do assert(futures[i]:wait()) end
    assert.equal("RoundRobinPolicy", name_of(pool))
    assert.is_true(pool:usePolicy("balance", "TokenAwarePolicy", { shuffleReplicas = false }))
    assert.equal("TokenAwarePolicy", name_of(pool))
    assert.is_true(pool:usePolicy("retry", "FallthroughRetryPolicy"))
    assert.equal("FallthroughRetryPolicy", name_of(pool, "retry"))
    assert.is_true(pool:usePolicy("balance"))
    assert.is_true(pool:usePolicy("retry"))
    assert.equal("TokenAwarePolicy", name_of(pool))
    assert.is_nil(pool:policies().retry, "the one of C serves")
    assert(pool:execute(SELECT))
  end)

  it_in("takes a file, and leaves everything as it was when that is broken", function(world)
    policies.write(file "mine.lua", 'return balance { name = "Mine", plan = function(plan) plan:hosts(allDcs) end }')
    policies.write(file "bad.lua", 'return balance { name = "Bad", plan = function(plan) plan:nonsense() end }')
    local pool = world:pool()
    world:waitUp(pool)
    assert.is_true(pool:usePolicy("balance", file "mine.lua"))
    for _, bad in ipairs { file "bad.lua", file "none.lua", "NoSuchPolicy" } do
      local ok, err = pool:usePolicy("balance", bad)
      assert.is_nil(ok)
      assert.equal("POLICY_ERROR", err.code)
      assert.equal("Mine", name_of(pool))
    end
    local ok, err = pool:usePolicy("balance", "RoundRobinPolicy", { noSuchOption = 1 })
    assert.is_nil(ok)
    assert.matches("noSuchOption", err.message, 1, true)
    assert.equal("Mine", name_of(pool))
    assert(pool:execute(SELECT))
  end)

  it_in("stays when the configuration file changes, but for the file's own word about it", function()
    local function write(balance, timeout)
      local text = [[return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
        logging = { level = "off" }, requestTimeout = %d, loadBalancing = { policy = "%s" } }]]
      policies.write(file "pool.lua", text:format(timeout, balance))
    end
    write("TokenAwarePolicy", 2000)
    local pool = moonpool.ConnectionPool(file "pool.lua")
    assert(pool:connect())
    assert.is_true(pool:usePolicy("balance", "RoundRobinPolicy"))
    assert.is_true(pool:usePolicy("retry", "FallthroughRetryPolicy"))
    write("TokenAwarePolicy", 3000)
    assert(pool:reload())
    assert.equal("RoundRobinPolicy", name_of(pool))
    write("LeastLoadedPolicy", 3000)
    assert(pool:reload())
    assert.equal("LeastLoadedPolicy", name_of(pool))
    assert.equal("FallthroughRetryPolicy", name_of(pool, "retry"))
    pool:close()
    assert.is_nil((pool:usePolicy("balance", "RoundRobinPolicy")))
  end)

  it_in("refuses what is no kind or no name", function(world)
    local pool = world:newPool()
    for _, case in ipairs {
      { function() pool:usePolicy("balence", "X") end, "unknown kind of policy 'balence', did you mean balance?" },
      { function() pool:usePolicy("balance", 5) end, "bad argument #2 to 'usePolicy'" },
    } do
      local ok, message = pcall(case[1])
      assert.is_false(ok)
      assert(message:find(case[2], 1, true) and message:find("use_policy_spec.lua:", 1, true), message)
    end
  end)
end)
