-- SPDX-License-Identifier: Apache-2.0
-- `canary` in the section of a policy: how a changed file of it comes into force by parts (runtime/policy/canary).
--
--   canary = { share = 0.05, lasting = "2m", requests = 1000, abortIf = { errorRate = 1.2, p99 = 1.3 } }
local duration = require "moonpool.duration"

local format = string.format

local canary = {}

local ALL = { errorRate = "ratio", p99 = "ratio", attempts = "ratio", policyErrors = "share" }
local PLANS = { busiestHost = "ratio", leftDatacenter = "share" }
local BESIDE = { disagreement = "share", policyErrors = "share" }

local function both(a, b)
  local all = {}
  for _, list in ipairs { a, b } do
    for name, about in pairs(list) do all[name] = about end
  end
  return all
end

-- What abortIf may name, by the section it stands in; a section that is not here has no canaries.
canary.conditions = {
  loadBalancing = both(ALL, PLANS), retry = ALL, speculativeExecution = ALL, failover = BESIDE,
}

local KNOWN = { share = true, lasting = true, requests = true, abortIf = true }
local SHARE, MOST_SHARE = 0.05, 0.5
local LEAST_MS, MOST_MS = 200, 7 * 86400000
local LEAST_REQUESTS, MOST_REQUESTS = 10, 1e9
local MOST_RATIO = 1000

local function sorted(given)
  local names = {}
  for name in pairs(given) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

-- path: { section, "canary", ... }
local function limits(check, path, given)
  local known, list = canary.conditions[path[1]], {}
  if type(given) ~= "table" then return check:wrong(path, "", given, "must be a table of conditions") end
  for _, name in ipairs(sorted(given)) do
    local here, value, about = { path[1], "canary", "abortIf", name }, given[name], known[name]
    if not about then
      check:unknown(here, known)
    elseif value == false then
      list[name] = -1 -- it takes nothing back
    elseif about == "ratio" and (type(value) ~= "number" or not (value >= 1 and value <= MOST_RATIO)) then
      check:wrong(here, "", value, format("must be a ratio to the generation in force, 1 to %d, or false", MOST_RATIO))
    elseif about == "share" and (type(value) ~= "number" or not (value > 0 and value < 1)) then
      check:wrong(here, "", value,
        "must be a share more than the generation in force has, above 0 and below 1, or false")
    else
      list[name] = value
    end
  end
  return list
end

--- { share, lasting (ms), requests, limits = { [condition] = limit, -1: none } }; nil, and problems are told.
function canary.judge(check, section, given)
  local path = { section, "canary" }
  if not canary.conditions[section] then
    return check:problem(path, "", "a canary divides requests between two generations, and this policy is not asked "
      .. "about requests; take it out")
  end
  if type(given) ~= "table" then
    return check:wrong(path, "", given, 'must be a table: { share = 0.05, lasting = "2m" }')
  end
  for _, name in ipairs(sorted(given)) do
    if not KNOWN[name] then check:unknown({ section, "canary", name }, KNOWN) end
  end
  local function at(name) return { section, "canary", name } end
  local lasting, why
  if given.lasting ~= nil then
    lasting, why = duration.ms(given.lasting)
    if why then
      check:wrong(at "lasting", "", given.lasting, "must be " .. (why:gsub(" expected", "")))
    elseif lasting < LEAST_MS or lasting > MOST_MS then
      check:wrong(at "lasting", "", given.lasting, format("must be a time of %d ms to 7 days", LEAST_MS))
    end
  end
  local requests = given.requests
  local is_whole = type(requests) == "number" and requests == math.floor(requests)
  if requests ~= nil and not (is_whole and requests >= LEAST_REQUESTS and requests <= MOST_REQUESTS) then
    check:wrong(at "requests", "", requests, format("must be an integer, %d to %d", LEAST_REQUESTS, MOST_REQUESTS))
  end
  local share = given.share == nil and SHARE or given.share
  if type(share) ~= "number" or not (share > 0 and share <= MOST_SHARE) then
    check:wrong(at "share", "", share, format("must be a share of the requests, above 0 and at most %s", MOST_SHARE))
  end
  return {
    share = share,
    lasting = lasting,
    requests = requests,
    limits = given.abortIf ~= nil and limits(check, { section, "canary", "abortIf" }, given.abortIf) or {},
  }
end

return canary
