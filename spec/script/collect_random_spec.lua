-- SPDX-License-Identifier: Apache-2.0
-- X1 by chance: random programs over one world, under the sanitizers and, in the hard build, with the collector forced.
local moonpool = require "moonpool"
local support = require "spec.support.world"

local CREATE = "CREATE TABLE ks.users (id int PRIMARY KEY, name text, age int)"

local function when_collected(fn)
  getmetatable(newproxy(true)).__gc = fn
end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Random programs over one world: pools come and go, requests of every kind, handlers, finalizers that submit,
-- coroutines that are taken by hand. Whatever was answered is right, and nothing is left behind.
describe("a random program", function()
  local function play(seed)
    local random = support.random(seed)
    local world = support.open { seed = seed, nodes = 2, rf = 2 }
    world:schema(CREATE)
    world.sim:run(function()
      local pools, handled, futures, victims, wrong = {}, {}, {}, {}, 0
      local function any() return pools[random(#pools) + 1] end
      local function check(i, result)
        if result and result:first().id ~= i then wrong = wrong + 1 end
      end
      local steps = {
        function() if #pools < 4 then pools[#pools + 1] = moonpool.ConnectionPool(world:configuration()) end end,
        function() local pool = any() if pool then pool:connect() end end,
        function() local pool = any() if pool then moonpool.spawn(pool.connect, pool) end end,
        function()
          local pool = any()
          if not pool then return end
          local i = random(5) + 1
          pool:execute("INSERT INTO users (id, name) VALUES (?, ?)", { i, "user " .. i })
          check(i, pool:execute("SELECT id FROM users WHERE id = ?", { i }))
        end,
        function()
          local pool = any()
          if not pool then return end
          for i = 1, random(8) + 1 do
            pool:execute("INSERT INTO users (id, name) VALUES (?, ?)", { i, "user " .. i })
            futures[#futures + 1] = { i, pool:executeAsync("SELECT id FROM users WHERE id = ?", { i }) }
          end
        end,
        function() table.remove(futures, random(#futures + 1)) end,
        function()
          local entry = table.remove(futures, random(#futures + 1))
          if entry then check(entry[1], (entry[2]:wait())) end
        end,
        function()
          local pool = any()
          if not pool then return end
          pool:on("connectionLost", function() pool:getStats() collectgarbage() end)
          handled[#handled + 1] = pool -- its handlers keep it until it is closed
        end,
        function()
          local pool = any()
          if pool then when_collected(function() pool:executeAsync "SELECT key FROM system.local" end) end
        end,
        function()
          moonpool.spawn(function()
            victims[#victims + 1] = coroutine.running()
            moonpool.sleep(random(20))
          end)
        end,
        function()
          local victim = table.remove(victims)
          if victim and coroutine.status(victim) == "suspended" then coroutine.resume(victim) end
        end,
        function() local pool = table.remove(pools, random(#pools + 1)) if pool then pool:close() end end,
        function()
          local pool = table.remove(pools, random(#pools + 1))
          if pool then for _ = 1, 2 do moonpool.spawn(pool.close, pool) end end
        end,
        function() table.remove(pools, random(#pools + 1)) end,
        function() collectgarbage() end,
        function() moonpool.sleep(random(50)) end,
      }
      for _ = 1, 120 do steps[random(#steps) + 1]() end
      for _, pool in ipairs(pools) do pool:close() end
      for _, pool in ipairs(handled) do pool:close() end
      pools, handled, futures = {}, {}, {}
      collect()
      moonpool.sleep(20000)
      collect()
      moonpool.sleep(1000)
      assert.equal(0, wrong)
    end)
    collect()
    world.sim:close()
  end

  for seed = 1, 15 do
    it("of seed " .. seed .. " ends with nothing left", function() play(seed) end)
  end
end)
