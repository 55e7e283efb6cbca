-- SPDX-License-Identifier: Apache-2.0
-- One simulated cluster and a pool of it for some minutes of virtual time, all by one seed: which features the
-- pool has, what it is asked, and what befalls it. Faults of all kinds come mixed (disturbances.lua), files change
-- under it, the machine sleeps. The oracles of worlds and of the workload judge; an error is a finding.
local blocks = require("spec.support.bytes").blocks
local certificates = require "spec.support.certificates"
local config_file = require "spec.support.config_file"
local disturbances = require "spec.support.faults.disturbances"
local policies = require "spec.support.policies"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local C = require "spec.support.c"
local moonpool = require "moonpool"

local simulation = {}

local WORKERS = 6
local BLOCKS_A_REQUEST = 40 -- nodes keep what is written; a pool keeps nothing of a request

local speculative = {
  { policy = "ConstantSpeculativeExecutionPolicy", delay = 20, maxSpeculativeExecutions = 2 },
  { policy = "PercentileSpeculativeExecutionPolicy", percentile = 60, maxSpeculativeExecutions = 2 },
}

local playbook = [[return playbook { name = "restHost", when = { event = "hostDown", lasting = "1s" },
  timeout = "5m", coolDown = "5s", atMost = { 100, per = "1h" },
  run = function(run)
    run:pause(run.host)
    run:waitUntil(function() return run:isConnected(run.host) end, "4m")
    run:resume(run.host, { weight = 0.2 })
    run:sleep "2s"
    run:resume(run.host)
  end }
]]

local plans = { "plan:hosts(localDc, inTurn)", "plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)",
  "plan:hosts(localDc, shuffled)", "for", "error 'not today'", "while true do end" } -- the last three are no good

-- ---- what the pool is -------------------------------------------------------------------------------------

local function chance(world, of) return world.random(of) == 0 end

-- Anew for each change of the file; what cannot change while a pool runs comes from `fixed`.
local function configuration(world, fixed)
  local random = world.random
  local extra = {
    contactPoints = { "127.0.0.1", "127.0.0.2", "127.0.0.3" }, protocolVersion = fixed.version, tls = fixed.tls,
    compression = fixed.compression, playbooks = fixed.playbooks,
    failover = { discoveryInterval = 5000 + random(10) * 1000 },
    speculativeExecution = fixed.speculative and speculative[random(#speculative) + 1] or nil,
    loadBalancing = { policy = config_file.file "balance.lua" },
    circuitBreaker = fixed.breaker and { enabled = true, failureThreshold = 3 + random(5), recoveryTimeout = 2000 }
      or nil,
    pooling = {
      heartBeatInterval = 5000, maxConnectionsPerHost = { ["0"] = 1 + random(3) },
      maxRequestsPerConnection = fixed.streams, enableBatching = fixed.batching, batchSize = 2 + random(20),
      connectionsPerSecond = chance(world, 2) and 20 or 0,
    },
  }
  if fixed.adaptive then
    extra.pooling.adaptivePooling = { enabled = true, minConnections = 1, maxConnections = 2 + random(4),
      evaluationInterval = 1000 }
  end
  return extra
end

-- What stays as it is for the whole life of a pool.
local function character(world, tls)
  local random = world.random
  local version = 3 + random(3)
  local packed = ({ "none", "lz4", "snappy" })[random(3) + 1]
  return {
    version = version, tls = tls, compression = version == 5 and packed == "snappy" and "lz4" or packed,
    speculative = chance(world, 2), breaker = chance(world, 3), batching = chance(world, 2),
    adaptive = chance(world, 3),
    streams = ({ 4, 64, 1024 })[random(3) + 1],
    playbooks = chance(world, 3) and { config_file.file "rest_host.lua", dryRun = false } or nil,
  }
end

-- ---- what befalls it --------------------------------------------------------------------------------------

-- Files change, whole or broken; clocks jump.
local function also(fixed)
  local function rewrite(world)
    config_file.write(world, configuration(world, fixed))
    if chance(world, 5) then policies.write(config_file.file "pool.lua", "return {") end
    world.sim:touch(config_file.file "pool.lua")
    return function() -- a good one stays behind
      config_file.write(world, configuration(world, fixed))
      world.sim:touch(config_file.file "pool.lua")
    end
  end
  local function decide(world, plan)
    policies.write(config_file.file "balance.lua", config_file.policy("Simulated", plan))
    world.sim:touch(config_file.file "balance.lua")
  end
  local function policy(world)
    decide(world, plans[world.random(#plans) + 1])
    return function() decide(world, plans[1]) end
  end
  local function sleep(world) world.sim:jump(100 + world.random(20000)) end
  local function clock(world) world.sim:setWall(1700000000000 + (world.random(20) - 10) * 3600000) end
  local function every_byte(world, node)
    world.cut_at = ((world.cut_at or 0) + 1) % 400
    world.cluster:rule { node = node, opcode = "EXECUTE", cut = world.cut_at, times = 1 + world.random(3) }
  end
  local list = {}
  for _, one in ipairs(disturbances.list) do list[#list + 1] = one end
  for _, one in ipairs { rewrite, policy, every_byte, every_byte, sleep, clock } do list[#list + 1] = one end
  return list
end

-- Bursts and pauses, so that an hour is not only idle and not only full.
local function ask(world, load, stop)
  for _ = 1, WORKERS do
    world:spawn(function()
      while not stop.now do
        for _ = 1, 1 + world.random(10) do load:one() end
        moonpool.sleep(world.random(10) == 0 and world.random(60000) or world.random(4000))
      end
      return true
    end)
  end
end

local function settle(world)
  for _, future in ipairs(world.futures) do
    local ok, err = future:wait()
    assert(ok, tostring(err))
  end
end

local function live(world, minutes, figures, tls)
  local fixed = character(world, tls)
  policies.write(config_file.file "balance.lua", config_file.policy("Simulated", plans[1]))
  policies.write(config_file.file "rest_host.lua", playbook)
  local pool = config_file.open(world, configuration(world, fixed))
  world.served[pool] = true
  local load = workload.new(world, pool)
  local before = blocks()
  local stop = {}
  ask(world, load, stop)
  world:spawn(disturbances.run, world, stop, 20000, 20000, also(fixed))
  moonpool.sleep(minutes * 60000)
  stop.now = true
  settle(world)
  world:calm()
  moonpool.sleep(30000) -- breakers close, playbooks end, hints are delivered
  world:healed(pool, 20000)
  load:check()
  local more = blocks() - before
  assert(more < 4000 + load.finished * BLOCKS_A_REQUEST, more .. " blocks for " .. load.finished .. " requests")
  figures.requests = figures.requests + load.finished
  for _, of in pairs(load.of) do
    for fate, count in pairs(of) do figures[fate] = (figures[fate] or 0) + count end
  end
  figures.seconds = figures.seconds + world.sim:now() / 1000
end

-- ---- runs -------------------------------------------------------------------------------------------------

-- What many runs share: a folder for files, certificates. `close` it.
function simulation.open()
  local self = { folder = policies.folder(), figures = { requests = 0, seconds = 0, worlds = 0 } }
  if C.mp_tls_is_built() then self.certificates = certificates.folder() end
  return self
end

function simulation.close(self)
  policies.remove(self.folder)
  if self.certificates then certificates.remove(self.certificates) end
end

-- Over TLS? Keys and signatures are OpenSSL's own chance, so of these two runs are alike, not the same.
function simulation.is_encrypted(self, seed) return self.certificates ~= nil and seed % 3 == 0 end

-- The world of one seed; the hash of all that happened there. Raises what the oracles found.
function simulation.run(self, seed, minutes)
  local function file(name) return self.certificates .. "/" .. name end
  local encrypted = simulation.is_encrypted(self, seed)
  local options = { seed = seed, nodes = 3 + seed % 3, upTime = 200 }
  if encrypted then options.tlsCert, options.tlsKey = file "good.pem", file "good.key" end
  local tls = encrypted and { ca = file "ca.pem", serverName = "node.test" } or nil
  config_file.folder = self.folder
  local hash = support.run(options, live, minutes, self.figures, tls)
  self.figures.worlds = self.figures.worlds + 1
  return hash
end

return simulation
