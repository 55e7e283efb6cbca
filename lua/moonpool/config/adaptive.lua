-- SPDX-License-Identifier: Apache-2.0
-- The seven keys of pooling.adaptivePooling, judged against each other and against the fixed sizes that they replace.
-- What is not given of them is filled in, so that C reads a section that fits together.
local format = string.format

local PATH = { "pooling", "adaptivePooling" }

-- As C has them (runtime/script/config.c), where they are not given.
local defaults = { adaptiveMin = 1, adaptiveMax = 8, adaptiveTarget = 0.7, adaptiveUp = 0.8, adaptiveDown = 0.3 }

local function shown(value, given) return format("%s%s", value, given and "" or " by default") end

-- `check` has judged each key by itself; `given` is what stands under pooling.adaptivePooling, or nil.
return function(check, given)
  local flat = check.flat
  if type(given) ~= "table" then return end
  if given.enabled == nil then flat.adaptive = true end
  local value = {}
  for name, default in pairs(defaults) do value[name] = flat[name] or default end
  local function wrong(key, name, allowed)
    check:problem({ PATH[1], PATH[2], key }, "", format("got %s (number); must be %s",
      shown(value[name], flat[name]), allowed))
  end
  local function named(key, name) return format("%s, which is %s", key, shown(value[name], flat[name])) end
  if value.adaptiveMin > value.adaptiveMax then
    if flat.adaptiveMax then
      wrong("minConnections", "adaptiveMin", "at most " .. named("maxConnections", "adaptiveMax"))
    else
      value.adaptiveMax = value.adaptiveMin
    end
  end
  if value.adaptiveDown >= value.adaptiveUp then
    wrong("scaleDownThreshold", "adaptiveDown", "below " .. named("scaleUpThreshold", "adaptiveUp"))
  elseif value.adaptiveTarget >= value.adaptiveUp or value.adaptiveTarget <= value.adaptiveDown then
    wrong("targetUtilization", "adaptiveTarget", format("between %s, and %s",
      named("scaleDownThreshold", "adaptiveDown"), named("scaleUpThreshold", "adaptiveUp")))
  end
  for name in pairs(defaults) do flat[name] = value[name] end
  if flat.adaptive == false then return end
  for _, key in ipairs { "core", "max" } do
    if flat[key] and flat[key]["local"] then
      check:warn({ "pooling", key .. "ConnectionsPerHost" }, "['0']", format(
        "has no effect: pooling.adaptivePooling decides, between %d and %d", value.adaptiveMin, value.adaptiveMax))
    end
  end
end
