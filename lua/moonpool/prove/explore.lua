-- SPDX-License-Identifier: Apache-2.0
-- Random clusters, views and requests for a balance policy, and what it promises about every plan. A counterexample is
-- made as small as it still is one, and told as a spec that shows it again.
--
--   explore { policy = "RackFirst", promises = { "staysLocal", function(case) ... end }, cases = 10000 }
--   holds { policy = "RackFirst", promise = "staysLocal", case = { ... } }
--
-- A case is a record of the decision log (docs/decision-log.md) with the plan that the policy makes of it: `request`,
-- `hosts`, and `plan`, a list of those hosts.
local core = require "moonpool.core_loader"
local nearest = require "moonpool.nearest"
local random_of = require "moonpool.prove.random"

local explore = { cases = 1000 }

local MOST_SEEN = 32 -- hosts that a plan can give

-- ---- promises ---------------------------------------------------------------------------------------------

local function is_up(host) return host.state == nil or host.state == "halfOpen" end

local function in_plan(case)
  local set = {}
  for _, host in ipairs(case.plan) do set[host.host] = true end
  return set
end

local function reaches(case, wanted, what)
  local set = in_plan(case)
  if #case.plan >= MOST_SEEN then return true end
  for _, host in ipairs(case.hosts) do
    if is_up(host) and wanted(host) and not set[host.host] then
      return false, ("%s is up and %snot in the plan"):format(host.host, what)
    end
  end
  return true
end

local promises = {}

function promises.staysLocal(case)
  for _, host in ipairs(case.plan) do
    if not host.isLocal then return false, host.host .. " is of another datacentre" end
  end
  return true
end

function promises.staysLocalWhenAsked(case)
  return not case.request.isLocal or promises.staysLocal(case)
end

function promises.reachesEveryUpHost(case) return reaches(case, function() return true end, "") end

function promises.reachesEveryLocalHost(case)
  return reaches(case, function(host) return host.isLocal end, "local, and ")
end

-- While a local replica is left, nobody else comes.
function promises.replicasFirst(case)
  local left = 0
  for _, host in ipairs(case.hosts) do
    if host.isLocal and host.replica and is_up(host) then left = left + 1 end
  end
  if not case.request.token then return true end
  for _, host in ipairs(case.plan) do
    if left == 0 then return true end
    if not (host.isLocal and host.replica) then return false, host.host .. " comes before a local replica" end
    left = left - 1
  end
  return left == 0, "a local replica is not in the plan"
end

function promises.rackFirst(case)
  local left = false
  for _, host in ipairs(case.plan) do
    if host.isLocal and not host.isLocalRack then left = true
    elseif host.isLocalRack and left then return false, host.host .. " is of the rack, and comes later" end
  end
  return true
end

function promises.neverRefuses(case) return not case.refused, "it refuses the request" end

function promises.neverEmpty(case)
  if #case.plan > 0 or case.refused then return true end
  for _, host in ipairs(case.hosts) do
    if is_up(host) and (host.isLocal or not case.request.isLocal) then
      return false, "the plan is empty while " .. host.host .. " is up"
    end
  end
  return true
end

explore.promises = promises

-- What every policy must, whatever it promises.
local function must(case)
  if case.error then return false, "it fails: " .. case.error end
  local seen = {}
  for _, host in ipairs(case.plan) do
    if seen[host.host] then return false, host.host .. " is in the plan twice" end
    seen[host.host] = true
  end
  return true
end

-- { name, check(case) -> true | false, why } for each promise that was given.
local function promises_of(given)
  local list, names = { { "always", must } }, {}
  for name in pairs(promises) do names[name] = true end
  for key, value in pairs(given or {}) do
    local name = type(key) == "string" and key or type(value) == "string" and value or nil
    local check = type(value) == "function" and value or promises[name]
    if not check then
      error(("explore: there is no promise '%s'%s"):format(tostring(name), nearest.hint(tostring(name), names)), 3)
    end
    if value then list[#list + 1] = { name or "a promise of its own", check } end
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

-- ---- cases ------------------------------------------------------------------------------------------------

local LEVELS = { "ONE", "TWO", "QUORUM", "ALL", "LOCAL_ONE", "LOCAL_QUORUM", "EACH_QUORUM" }
local KINDS = { "read", "read", "read", "write", "lwt", "batch" }

local function random_host(random, i, place, given)
  local host = { host = ("10.%d.%d.%d:9042"):format(place.dc, place.rack, i), slot = i - 1,
    datacenter = "dc" .. place.dc, rack = "rack" .. place.rack, isLocal = place.dc == 1 or nil,
    isLocalRack = place.dc == 1 and place.rack == 1 or nil }
  local chance = random(10)
  if chance == 0 then host.state = "down" elseif chance == 1 then host.state = "shut"
  elseif chance == 2 then host.state = "halfOpen" end
  if random(4) == 0 then host.isNewlyUp = true end
  if random(2) == 0 then host.inFlight = random(random(2) == 0 and 4 or 2000) end
  if random(3) > 0 then
    host.latencyUs, host.latencyAgeMs = 1 + random(random(2) == 0 and 2000 or 60000), random(60000)
  end
  if random(3) == 0 then host.weight = random(30) / 10 end
  if random(3) == 0 then host.tags = { given.tags[1 + random(#given.tags)] } end
  return host
end

local function random_request(random, given)
  local kind, level = KINDS[1 + random(#KINDS)], LEVELS[1 + random(#LEVELS)]
  return {
    kind = kind, consistency = level, isLocal = level:find("^LOCAL") and true or nil,
    idempotent = kind == "read" or random(2) == 0 or nil, keyspace = given.keyspaces[1 + random(#given.keyspaces)],
    token = random(4) > 0 and ("%d"):format(random(65536) * 4294967296 - random(65536) * 65537) or nil,
    tag = random(3) == 0 and given.tags[1 + random(#given.tags)] or nil,
  }
end

local function random_case(random, given)
  local dcs, racks, hosts = 1 + random(3), 1 + random(3), {}
  local all_up = random(3) == 0
  for i = 1, random(random(4) == 0 and 40 or 9) do
    hosts[i] = random_host(random, i, { dc = 1 + random(dcs), rack = 1 + random(racks) }, given)
    if all_up then hosts[i].state = nil end
  end
  local request = random_request(random, given)
  if request.token and random(5) > 0 then
    local replica = 0
    for _ = 1, math.min(#hosts, random(6)) do
      local host = hosts[1 + random(#hosts)]
      if not host.replica then
        replica = replica + 1
        host.replica = replica
      end
    end
  end
  return { version = 1, localDatacenter = "dc1", turn = random(1000), request = request, hosts = hosts,
    chance = ("%d%05d%05d"):format(1 + random(9), random(65536), random(65536)) }
end

-- ---- asking -----------------------------------------------------------------------------------------------

-- The case with what the policy plans.
local function planned(asked, case)
  local found, err = core.askRehearsal(asked, case)
  if not found then error("explore: a case that cannot be asked about: " .. tostring(err), 0) end
  local by_slot, plan = {}, {}
  for _, host in ipairs(case.hosts) do by_slot[host.slot] = host end
  for i, each in ipairs(found.plan) do plan[i] = by_slot[each.slot] end
  return { request = case.request, hosts = case.hosts, plan = plan, refused = found.refused, error = found.error,
    fallback = found.fallback, steps = found.steps }
end

local function check(asked, promise, case)
  local ok, why = promise[2](planned(asked, case))
  return ok and true or false, why
end

-- ---- shrinking --------------------------------------------------------------------------------------------

local function copy_of(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, item in pairs(value) do copy[key] = copy_of(item) end
  return copy
end

local HOST_FIELDS = { "state", "isNewlyUp", "inFlight", "latencyUs", "latencyAgeMs", "weight", "tags", "replica" }
local REQUEST_FIELDS = { "tag", "token", "keyspace", "idempotent", "isLocal" }

-- Smaller cases, the boldest first.
local function smaller(case)
  local list = {}
  local function add(change)
    local copy = copy_of(case)
    change(copy)
    list[#list + 1] = copy
  end
  for i = #case.hosts, 1, -1 do add(function(copy) table.remove(copy.hosts, i) end) end
  for i in ipairs(case.hosts) do
    for _, field in ipairs(HOST_FIELDS) do
      if case.hosts[i][field] ~= nil then add(function(copy) copy.hosts[i][field] = nil end) end
    end
  end
  for _, field in ipairs(REQUEST_FIELDS) do
    if case.request[field] ~= nil then add(function(copy) copy.request[field] = nil end) end
  end
  if case.request.kind ~= "read" then add(function(copy) copy.request.kind = "read" end) end
  if case.request.consistency ~= "ONE" and not case.request.isLocal then
    add(function(copy) copy.request.consistency = "ONE" end)
  end
  if case.turn ~= 0 then add(function(copy) copy.turn = 0 end) end
  if case.chance ~= "1" then add(function(copy) copy.chance = "1" end) end
  return list
end

local MOST_STEPS = 2000

local function shrink(asked, promise, case)
  local steps, found = 0, true
  while found and steps < MOST_STEPS do
    found = false
    for _, candidate in ipairs(smaller(case)) do
      steps = steps + 1
      if not check(asked, promise, candidate) then
        case, found = candidate, true
        break
      end
    end
  end
  return case
end

-- ---- telling ----------------------------------------------------------------------------------------------

local ORDER = {
  "kind", "consistency", "isLocal", "idempotent", "keyspace", "token", "tag", "host", "slot", "datacenter", "rack",
  "state", "isLocalRack", "isNewlyUp", "replica", "inFlight", "latencyUs", "latencyAgeMs", "weight", "tags",
}

local function text_of(value)
  if type(value) ~= "table" then return type(value) == "string" and ("%q"):format(value) or tostring(value) end
  local parts, told = {}, {}
  for _, item in ipairs(value) do parts[#parts + 1] = text_of(item) end
  for _, key in ipairs(ORDER) do
    if value[key] ~= nil and not told[key] then
      parts[#parts + 1], told[key] = key .. " = " .. text_of(value[key]), true
    end
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function spec_of(given, promise, case)
  local lines = { ('it("keeps its word: %s", function()'):format(promise[1]), ("  holds { policy = %q, promise = %q,")
    :format(given.policy, promise[1]) }
  if given.options then lines[#lines] = lines[#lines] .. (" options = %q,"):format(given.options) end
  lines[#lines + 1] = ("    case = { localDatacenter = %q, turn = %d, chance = %q,"):format(case.localDatacenter,
    case.turn, case.chance)
  lines[#lines + 1] = "      request = " .. text_of(case.request) .. ","
  lines[#lines + 1] = "      hosts = {"
  for _, host in ipairs(case.hosts) do lines[#lines + 1] = "        " .. text_of(host) .. "," end
  lines[#lines + 1] = "      } } }"
  lines[#lines + 1] = "end)"
  return table.concat(lines, "\n")
end

local function broken(asked, given, promise, case, number)
  local small = shrink(asked, promise, case)
  local _, why = check(asked, promise, small)
  local plan = {}
  for i, host in ipairs(planned(asked, small).plan) do plan[i] = host.host end
  return ("%s breaks the promise %s: %s\nthe plan: %s\nfound in case %d of seed %d, and made as small as this:\n\n%s\n")
    :format(given.policy, promise[1], tostring(why or "it does not hold"), #plan > 0 and table.concat(plan, ", ")
      or "no host", number, given.seed, spec_of(given, promise, small))
end

-- ---- for specs --------------------------------------------------------------------------------------------

local KEYS = {
  policy = true, options = true, promises = true, cases = true, seed = true, tags = true, keyspaces = true,
}

local function options_text(options)
  if type(options) ~= "table" then return options end
  local parts = {}
  for name, value in pairs(options) do
    parts[#parts + 1] = ("%s = %s"):format(name, type(value) == "string" and ("%q"):format(value) or tostring(value))
  end
  table.sort(parts)
  return table.concat(parts, ", ")
end

local function rehearsal(what, given, paths)
  if type(given) ~= "table" or type(given.policy) ~= "string" then error(what .. ": policy = a name or a path", 3) end
  given.options = options_text(given.options)
  local asked, why = core.rehearse(given.policy, given.options and "{" .. given.options .. "}" or nil, paths)
  if not asked then error(why, 0) end
  return asked
end

-- explore { policy, options, promises, cases, seed, tags, keyspaces }: how many cases were tried; raises what breaks.
function explore.run(given, paths, seed)
  for key in pairs(given) do
    if not KEYS[key] then
      error(("explore: there is no '%s'%s"):format(tostring(key), nearest.hint(tostring(key), KEYS)), 3)
    end
  end
  local asked = rehearsal("explore", given, paths)
  local list = promises_of(given.promises)
  given.tags, given.keyspaces, given.seed = given.tags or { "a", "b" }, given.keyspaces or { "ks" }, given.seed or seed
  local random, cases = random_of(given.seed), math.max(given.cases or 0, explore.cases)
  for number = 1, cases do
    local case = random_case(random, given)
    local seen = planned(asked, case)
    for _, promise in ipairs(list) do
      if not promise[2](seen) then error(broken(asked, given, promise, case, number), 0) end
    end
  end
  return cases
end

-- holds { policy, options, promise = a name or a function, case }: true; raises what breaks.
function explore.holds(given, paths)
  local asked = rehearsal("holds", given, paths)
  local wanted = given.promise
  local promise = wanted == "always" and { "always", must } or promises_of { wanted }[1]
  if promise[1] == "always" and wanted ~= "always" then promise = promises_of { wanted }[2] end
  local case = copy_of(given.case)
  for i, host in ipairs(case.hosts) do host.slot = host.slot or i - 1 end
  case.turn, case.chance = case.turn or 0, case.chance or "1"
  local ok, why = check(asked, promise, case)
  if not ok then error(("%s breaks the promise %s: %s"):format(given.policy, promise[1], tostring(why)), 0) end
  return true
end

return explore
