-- SPDX-License-Identifier: Apache-2.0
-- A pool of a world (world.lua) with a policy on trial, and a steady load for it in virtual time.
--
--   canary.around(function()
--     local trial = canary.new(world, { canary = { share = 0.05, lasting = "20s" } })
--     trial:change(text)          the file says something else
--     trial:load(1000)            so many requests; or until function() ... end
--   end)
local config_file = require "spec.support.config_file"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"

local canary = { around = config_file.around, policy = config_file.policy }

local SECTIONS = { balance = "loadBalancing", retry = "retry", speculate = "speculativeExecution",
  failover = "failover" }
local BUNDLE = 10 -- requests that are sent together
canary.KEYS = 400

local Trial = {}
Trial.__index = Trial

-- options: kind ("balance"), text (of the file), canary, config (other sections), keys, gap (ms between bundles)
function canary.new(world, options)
  local keys = options.keys or canary.KEYS
  local self = setmetatable({ world = world, kind = options.kind or "balance", gap = options.gap or 20, sent = 0,
    failed = 0, key = function(n) return n % keys end }, Trial)
  self.file = config_file.file "trial.lua"
  policies.write(self.file, options.text)
  local config = options.config or {}
  config[SECTIONS[self.kind]] = { policy = self.file, canary = options.canary }
  config.decisionLog = config.decisionLog or { sample = 0 }
  self.config = config
  self.pool = world:pool(config)
  world:waitUp(self.pool)
  world:schema "CREATE TABLE ks.t (id int PRIMARY KEY, v text)"
  self.told = world:listen(self.pool, "policyCanary", "policyReload", "policyError")
  self.statement = assert(self.pool:prepare("SELECT v FROM t WHERE id = ?", { isIdempotent = true }))
  -- Where rows are is known from the first use on. Tags are numbers, of which the contract check knows the first ones.
  for i = 1, 20 do assert(self.pool:execute(self.statement, { 1 }, { tag = "tag" .. i })) end
  moonpool.sleep(50)
  return self
end

function Trial:change(text)
  policies.write(self.file, text)
  self.world.sim:touch(self.file)
  moonpool.sleep(60)
end

function Trial:serves()
  local info = self.pool:policies()[self.kind]
  return info.name, info.generation
end

function Trial:state()
  local one = self.pool:canary(self.kind)
  return one and one.state
end

function Trial:met() return self.pool:getStats().canaryRequests end

-- So many requests, or as long as more() says; keys come by a fixed sequence, so that there are many of them.
function Trial:load(requests, more)
  local until_sent = self.sent + requests
  while self.sent < until_sent and (not more or more()) do
    local futures = {}
    for i = 1, BUNDLE do
      self.sent = self.sent + 1
      futures[i] = self.pool:executeAsync(self.statement, { self.key(self.sent * 7919) }, { tag = "late" })
    end
    for i = 1, BUNDLE do
      local result = futures[i]:wait()
      if not result then self.failed = self.failed + 1 end
    end
    moonpool.sleep(self.gap)
  end
end

-- Load until it is promoted or taken back, at most so many requests; its last event.
function Trial:settle(most)
  self:load(most or 20000, function()
    local state = self:state()
    return state == "running" or state == "waiting"
  end)
  moonpool.sleep(10)
  local told = self.told.policyCanary
  return told[#told] and told[#told][1]
end

return canary
