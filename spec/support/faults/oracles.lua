-- SPDX-License-Identifier: Apache-2.0
-- What must hold in every world (spec/support/world.lua), whatever is done to it. While a world runs its oracles listen
-- to each request of every pool and ask the nodes afterwards; a breach fails the spec, with the world's seed.
--
--   INV1   each request is answered, once                      begins, ends
--   INV2   an answer is of a node of this cluster, and its row carries the key that was asked for
--   INV3   what is not idempotent is executed once at most     the nodes' own log, by the ids ("op-...") in it
--   INV5   no stream id is used while its answer is owed       the nodes' own count
--   INV6   nothing of C is left: blocks of memory              (connections, timers, futures: the world's own end)
--   INV7   a deadline is kept                                  LATE_MS
--   INV8   once nothing disturbs, every pool's hosts serve     world:healed(); off where a spec says heals = false
--   INV10  no error shows a password                           of the world and of its pools
--   INV11  further attempts stay within the budget             a tenth of the requests, ten a second, a thousand
--
-- INV4 (what was acknowledged is there) is asked by the load itself (spec/support/workload.lua), INV9 cannot be asked
-- where time stands still (spec/cli/watchdog_spec.lua), INV12 are the assertions and the sanitizers of the build.
local moonpool = require "moonpool"
local spared = require "spec.support.faults.spared"
local blocks = require("spec.support.bytes").blocks
local Pool = require("moonpool.core_loader").poolMethods

local LATE_MS, HEALED_MS = 60, 15000
local BLOCKS = 16 -- that may be left: what is made once, at its first use,
local OF_EACH = 2 -- and what an operation keeps for the next one, of as many as were under way at a time

local oracles = {}
local Oracles = {}
Oracles.__index = Oracles

function Oracles:breach(...)
  self.count = self.count + 1
  if #self.breaches < 10 then self.breaches[#self.breaches + 1] = string.format(...) end
end

-- ---- requests ---------------------------------------------------------------------------------------------

local function text_of(statement)
  if type(statement) == "string" then return statement end
  if type(statement) == "table" then return tostring(statement[1] or statement.query or "") end
  local ok, cql = pcall(function() return statement.cql end)
  return ok and type(cql) == "string" and cql or ""
end

local function collect_ops(value, into, depth)
  if type(value) == "string" then
    for op in value:gmatch "op%-[%w%-_:%.]+" do into[#into + 1] = op end
  elseif type(value) == "table" and depth < 4 then
    for _, item in pairs(value) do collect_ops(item, into, depth + 1) end
  end
end

-- Is it one that must not be executed twice?
local function is_unsafe(text, options)
  if type(options) == "table" and options.isIdempotent then return false end
  return text:find "=%s*[%w_]+%s*[+-]" ~= nil or text:find " IF " ~= nil
end

-- `ticket`, an empty table, is the caller's when the beginning itself may be interrupted.
function Oracles:begins(pool, statement, parameters, options, ticket)
  local text = text_of(statement)
  local timeout = self.timeouts[pool]
  if type(options) == "table" then
    timeout = tonumber(options.timeout) or not options.profile and timeout or nil
  end
  ticket = ticket or {}
  ticket.text, ticket.parameters, ticket.timeout = text, parameters, timeout
  ticket.began, ticket.slept = moonpool.now(), self.slept
  if is_unsafe(text, options) then
    ticket.ops = {}
    collect_ops(text, ticket.ops, 0)
    collect_ops(parameters, ticket.ops, 0)
    for _, op in ipairs(ticket.ops) do self.ops[op] = text end
  end
  self.open[ticket] = true
  self.asked, self.waiting = self.asked + 1, self.waiting + 1
  self.most = math.max(self.most, self.waiting)
  return ticket
end

local function shows(secrets, err)
  local text = tostring(err)
  for _, secret in ipairs(secrets) do
    if text:find(secret, 1, true) then return true end
  end
end

function Oracles:judge(ticket, result, err)
  if result == nil then
    if not self.tells_secrets and shows(self.secrets, err) then
      self:breach("INV10 an error shows a password: %s", ticket.text)
    end
    return
  end
  local info = type(result) == "table" and result.info
  local host = info and info.host or "" -- of one that has gone since there is nothing
  if host ~= "" and not self.hosts[host] then self:note_hosts() end
  if host ~= "" and not self.hosts[host] then
    self:breach("INV2 %s is no node of this cluster: %s", host, ticket.text)
  end
  local asked = ticket.parameters
  if type(asked) == "table" and #asked == 1 and ticket.text:find "SELECT [%w_, ]-k[%w_, ]- FROM .-WHERE k = %?$" then
    for _, row in ipairs(result.rows or {}) do
      if row.k ~= nil and row.k ~= asked[1] then
        self:breach("INV2 asked for %s, got the row of %s: %s", tostring(asked[1]), tostring(row.k), ticket.text)
      end
    end
  end
end

-- False: it is not under way.
function Oracles:closes(ticket)
  local is_open = self.open[ticket] ~= nil
  if is_open then self.open[ticket], self.waiting = nil, self.waiting - 1 end
  return is_open
end

-- Nobody waits for it: whoever asked was stopped meanwhile.
function Oracles:drops(ticket)
  ticket.dropped = true
  self:closes(ticket)
end

function Oracles:ends(ticket, result, err)
  if ticket.dropped then return result, err end
  if not self:closes(ticket) then self:breach("INV1 answered twice: %s", ticket.text) end
  local took, slept = moonpool.now() - ticket.began, self.slept - ticket.slept
  if ticket.timeout and took > ticket.timeout + slept + LATE_MS then
    self:breach("INV7 %s took %d ms, its deadline is %d: %s", result and "an answer" or "an error", took,
      ticket.timeout, ticket.text)
  end
  self:judge(ticket, result, err)
  return result, err
end

-- An oracle that found no memory for its own coroutine would tell of a request whose end it did not hear.
Oracles.begins, Oracles.ends = spared(Oracles.begins), spared(Oracles.ends)
local detach = spared(moonpool.detach)

local current -- the oracles of the world that runs
local execute, execute_async = Pool.execute, Pool.executeAsync

-- A mistake of the caller's: with the place of the caller of what was wrapped, whose frame has gone by a tail call.
local function refuse(message)
  if type(message) ~= "string" then error(message, 0) end
  message = message:gsub("^[^\n]-oracles%.lua:%d+: ", "")
  if message:find "^[^\n]-:%d+: " then error(message, 0) end
  local level = 3
  while (debug.getinfo(level, "S") or {}).what == "C" do level = level + 1 end
  error(message, level)
end

local function over(ticket, ok, ...)
  if ok then return current:ends(ticket, ...) end
  current:drops(ticket)
  refuse((...))
end

-- A coroutine that computes for too long (spawnLimited) may get its error in an oracle as well as in its own code.
local function ask(ticket, self, statement, parameters, options)
  current:begins(self, statement, parameters, options, ticket)
  return execute(self, statement, parameters, options)
end

local function listening(self, statement, parameters, options)
  if not current then return execute(self, statement, parameters, options) end
  local ticket = {}
  return over(ticket, pcall(ask, ticket, self, statement, parameters, options))
end

local function hear(ticket, future, self, statement, parameters, options)
  current:begins(self, statement, parameters, options, ticket)
  detach(function() current:ends(ticket, future:wait()) end) -- also when who asked is ended
end

local function under_way(ok, future, ...)
  if not ok then refuse(future) end
  if current then
    local ticket = {}
    local heard, why = pcall(hear, ticket, future, ...)
    if not heard then
      current:drops(ticket)
      refuse(why)
    end
  end
  return future
end

local function listening_async(self, statement, parameters, options)
  local ok, future = pcall(execute_async, self, statement, parameters, options)
  return under_way(ok, future, self, statement, parameters, options)
end

-- ---- the world --------------------------------------------------------------------------------------------

-- Those of a world that is being made.
function oracles.of(world)
  return setmetatable({ world = world, breaches = {}, count = 0, asked = 0, waiting = 0, most = 0,
    open = {}, ops = {}, hosts = {},
    timeouts = {}, slept = 0, secrets = {}, blocks = blocks() }, Oracles)
end

-- They listen from now on; whose turn it was before is heard again behind detach().
function Oracles:attach()
  self.before, current = current, self
  Pool.execute, Pool.executeAsync = listening, listening_async
end

-- The simulated world is there now.
function Oracles:watch(simulated)
  local jump, move = simulated.jump, simulated.cluster.setAddress
  simulated.jump = function(world, ms)
    self.slept = self.slept + ms
    return jump(world, ms)
  end
  simulated.cluster.setAddress = function(cluster, ...)
    self:note_hosts()
    move(cluster, ...)
    self:note_hosts()
  end
  if self.world.options.password then self.secrets[#self.secrets + 1] = self.world.options.password end
end

-- Addresses that nodes have or had.
function Oracles:note_hosts()
  for _, node in ipairs(self.world.cluster:nodes()) do
    self.hosts[node.address .. ":" .. node.port] = true
  end
end

function Oracles:pool(pool, configuration)
  self.timeouts[pool] = configuration.requestTimeout
  if configuration.auth and configuration.auth.password then
    self.secrets[#self.secrets + 1] = configuration.auth.password
  end
end

function Oracles:budget(pool)
  local stats = pool:getStats()
  local seconds = (moonpool.now() - self.world.began) / 1000
  local further = stats.retries + stats.speculative
  if further > 1000 + stats.requests / 10 + 10 * seconds + 1 then
    self:breach("INV11 %d further attempts for %d requests in %d s", further, stats.requests, seconds)
  end
end

-- Every host that the pool uses serves again, soon.
function Oracles:heals(pool)
  local serving, deadline = {}, moonpool.now() + HEALED_MS
  for _, node in ipairs(self.world.cluster:nodes()) do
    serving[node.address .. ":" .. node.port] = node.member and node.serving
  end
  for _, host in ipairs(pool:getHosts()) do
    local result, err = not serving[host.address] or host.distance == "ignored" or host.paused
    while not result do
      result, err = pool:execute("SELECT key FROM system.local", nil, { host = host.address })
      if not result and (moonpool.now() > deadline or err.code == "NOT_FOUND") then break end
      if not result then moonpool.sleep(50) end
    end
    if not result and err.code ~= "NOT_FOUND" then
      self:breach("INV8 %s does not serve again: %s", host.address, tostring(err))
    end
  end
end

-- Before the pools close: everything that disturbs has ended.
function Oracles:calm()
  self.world:calm()
  for _, pool in ipairs(self.world.pools) do
    if not tostring(pool):find "%(clos" then
      self:budget(pool)
      if self.world.options.heals ~= false and self.world.served[pool] then
        self:heals(pool)
      end
    end
  end
end

-- At the end of the world's coroutine.
function Oracles:check()
  for ticket in pairs(self.open) do self:breach("INV1 never answered: %s", ticket.text) end
  local cluster = self.world.cluster
  for op, text in pairs(self.ops) do
    local _, executed = cluster:received(op)
    if executed > 1 then self:breach("INV3 %s was executed %d times: %s", op, executed, text) end
  end
  for number, node in ipairs(cluster:nodes()) do
    if node.streamsReused > 0 then
      self:breach("INV5 node %d was asked %d times on a stream whose answer it owed", number, node.streamsReused)
    end
  end
end

-- They follow no request from here on, for a spec that measures what a request holds; none is under way. What is asked
-- of the world as a whole they still ask.
function Oracles:look_away()
  if current ~= self then return end
  current, self.before = self.before, nil
  if not current then Pool.execute, Pool.executeAsync = execute, execute_async end
end

-- The world is gone. Raises with what was breached.
function Oracles:detach(failed)
  self:look_away()
  if failed then return end
  local world = self.world
  world.pools, world.served, world.futures, world.sim, world.cluster = {}, {}, {}, nil, nil
  self.timeouts, self.open = {}, {}
  local left = blocks() - self.blocks
  if left > BLOCKS + OF_EACH * self.most then
    self:breach("INV6 %d blocks of memory are left", left)
  end
  if self.count > 0 then
    error(self.count .. " breaches:\n" .. table.concat(self.breaches, "\n"), 0)
  end
end

return oracles
