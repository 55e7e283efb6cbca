-- SPDX-License-Identifier: Apache-2.0
-- The corpus of attempts under traffic: each file comes into force (or does not) in a real pool on the simulated
-- cluster, over a good policy of generation 1. Every request is answered, the good generation serves in the end, and
-- nothing is left of the attempt.
local corpus = require "spec.support.escapes"
local effort = require "spec.support.effort"
local memory = require "spec.support.memory"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local support = require "spec.support.world"

local GOOD = {
  balance = 'return balance { name = "Good", plan = function(plan) plan:hosts(localDc, inTurn) end }',
  retry = 'return retry { name = "Good", decide = function(err) return err.attempt < 3 and nextHost or giveUp end }',
  speculate = 'return speculate { name = "Good", after = function(_, sent) if sent == 1 then return 50 end end }',
}
local CONFIGURED = {
  balance = function(path) return { loadBalancing = { policy = path } } end,
  retry = function(path) return { retry = { policy = path } } end,
  speculate = function(path) return { speculativeExecution = { policy = path } } end,
}
local KEPT = 2500000 -- bytes: the simulated nodes remember each request; decide_spec.lua looks closer
local QUERY = "SELECT key FROM system.local"

-- One pool of one world for all files of a kind.
local function open(kind)
  local self = { kind = kind, folder = policies.folder() }
  self.path = self.folder .. "/policy.lua"
  policies.write(self.path, GOOD[kind])
  self.world = support.open { nodes = 3 }
  self.world.sim:run(function()
    local extra = CONFIGURED[kind](self.path)
    extra.policyPath = { self.folder, MOONPOOL_ROOT .. "/spec/escape/" .. kind }
    self.pool = self.world:pool(extra)
    self.told = self.world:listen(self.pool, "policyReload", "policyError")
    -- The contract check asks with small numbers of tags; "evil" shall be none of them.
    for i = 1, 5 do assert(self.pool:execute(QUERY, nil, { tag = "honest " .. i })) end
    self.world:waitUp(self.pool)
  end)
  return self
end

local function close(self)
  self.world.sim:run(function() self.world:finish() end)
  self.world.sim:close()
  policies.remove(self.folder)
end

-- A request that the attempt waits for, or another one. Whatever the policy does, it is answered.
local function ask(self, evil)
  local pool = self.pool
  if self.kind ~= "retry" then
    return assert(pool:execute(QUERY, nil, { tag = evil and "evil" or nil, isIdempotent = true }))
  end
  moonpool.sleep(110) -- the budget allows ten retries a second
  local rule = self.world.cluster:rule { opcode = "QUERY", statement = QUERY, times = 1,
    error = { code = "UNAVAILABLE", required = evil and 77 or 2, received = 1 } }
  local result = assert(pool:execute(QUERY))
  assert.equal(1, rule:hits())
  rule:remove()
  return result
end

local function info(self) return self.pool:policies()[self.kind] end

local function refused(self, file)
  local before = info(self)
  local ok, err = self.pool:reload()
  assert.is_nil(ok, "it was let in")
  assert.is_truthy(tostring(err):find(file.text, 1, true), "it says: " .. tostring(err))
  moonpool.sleep(1)
  assert.is_truthy(self.told.policyError[1][1].message:find(file.text, 1, true))
  local extra = self.world:configuration(CONFIGURED[self.kind](self.path))
  extra.policyPath = { self.folder, MOONPOOL_ROOT .. "/spec/escape/" .. self.kind }
  local made, why = pcall(moonpool.ConnectionPool, extra)
  assert.is_false(made, "it was let in as the first one")
  assert.is_truthy(tostring(why):find(file.text, 1, true), "it says: " .. tostring(why))
  for _ = 1, 5 do ask(self, true) end
  local after = info(self)
  assert.equal(before.generation, after.generation)
  assert.equal(before.refused + 1, after.refused)
  assert.equal(0, after.errors)
end

-- It serves until it has failed too often; then the good generation is back by itself.
local function fails(self, file, good)
  assert(self.pool:reload())
  assert.equal(good + 1, info(self).generation)
  ask(self, false)
  local asked = 0
  while info(self).generation == good + 1 and asked < 5000 do
    asked = asked + 1
    ask(self, true)
    if not file.slow then assert.is_true(info(self).errors == asked or info(self).generation == good) end
  end
  assert.equal(good, info(self).generation)
  assert.is_true(file.slow or asked == 100 or asked <= 4, asked .. " failures")
  moonpool.sleep(1)
  local last = self.told.policyError[#self.told.policyError][1].message
  assert.is_truthy(last:find(file.text, 1, true), "it says: " .. last)
  assert.matches("; generation " .. good .. " is back$", last)
  for _ = 1, 5 do ask(self, true) end
  assert.equal(0, info(self).errors)
end

local function harmless(self)
  assert(self.pool:reload())
  local before = self.pool:getStats().policyFallbacks
  for _ = 1, 20 do
    ask(self, true)
    ask(self, false)
  end
  assert.equal(0, info(self).errors)
  assert.equal("", info(self).lastError)
  assert.is_true(self.pool:getStats().policyFallbacks - before <= 20)
end

local ways = { ["refused at load"] = refused, error = fails, harmless = harmless }

for _, kind in ipairs { "balance", "retry", "speculate" } do
  describe("under traffic, a " .. kind .. " policy", function()
    local self
    setup(function()
      corpus.plant()
      self = open(kind)
    end)
    teardown(function() close(self) end)

    local function try(file)
      self.told.policyError, self.told.policyReload = {}, {}
      policies.write(self.path, corpus.read(file.path))
      local ok, why = pcall(ways[file.must], self, file, info(self).generation)
      policies.write(self.path, GOOD[kind])
      assert(self.pool:reload())
      assert(self.pool:reload()) -- now the generation before is a good one, too
      moonpool.sleep(1100) -- news of failures are told once a second
      corpus.check_canary()
      for _, told in ipairs(self.told.policyError) do corpus.check_secret(told[1].message) end
      if not ok then error(why, 0) end
    end

    for _, file in ipairs(corpus.files(kind)) do
      it(file.tries:gsub("%.$", "") .. " (" .. file.name .. ")", function()
        local before = memory.held()
        self.world.sim:run(effort.tries, try, file)
        local more = memory.held() - before
        assert.is_true(more < KEPT, more .. " bytes of memory are left")
      end)
    end
  end)
end
