-- SPDX-License-Identifier: Apache-2.0
-- Failover policies: which datacentre serves now. `decide(home, serving, options, child)` returns a datacentre or its
-- name, or nothing to stay; and may add a sentence that says why.
local ffi = require "ffi"
local objects = require "moonpool.policy.objects"

ffi.cdef [[
struct mp_script_dc {
  const uint32_t index, up, total, priority;
  const bool isHome, isServing;
};
]]

local failover = { entry = "decide" }

-- dc:upFor(hosts), dc:downFor(hosts), dc.name
local function give_methods(context, bridge, dc_type)
  local up_for = ffi.cast("double (*)(void *, uint32_t, double)", bridge.upFor)
  local down_for = ffi.cast("double (*)(void *, uint32_t, double)", bridge.downFor)
  local name_of = ffi.cast("const char *(*)(void *, uint32_t)", bridge.dcName)
  local no_field = objects.fields_error "a datacentre"
  local too_many = "%s: takes a number of hosts, 0 to " .. bridge.codes.HOSTS_MAX .. "; got %s"
  local function timed(name, call)
    return function(dc, hosts)
      if not ffi.istype(dc_type, dc) then error(name .. ": write dc:" .. name .. "(hosts)", 2) end
      local ms = -1
      if hosts == nil or type(hosts) == "number" then ms = call(context, dc.index, hosts or 1) end
      if ms < 0 then error(string.format(too_many, name, objects.show(hosts)), 2) end
      return ms
    end
  end
  local methods = { upFor = timed("upFor", up_for), downFor = timed("downFor", down_for) }
  ffi.metatype(dc_type, {
    __index = function(dc, field)
      if field == "name" then return ffi.string(name_of(context, dc.index)) end
      return methods[field] or no_field(dc, field)
    end,
    __newindex = objects.read_only "a datacentre",
    __tostring = function(dc) return "datacentre " .. ffi.string(name_of(context, dc.index)) end,
  })
end

-- for _, dc in dcs() do ... end: those with hosts, home first, then the most wanted.
function failover.words(made, bridge)
  local NO_DC = bridge.codes.NO_DC
  local context = ffi.cast("void *", bridge.context)
  local nth = ffi.cast("uint32_t (*)(void *, int)", bridge.nthDc)
  local all = ffi.cast("struct mp_script_dc *", bridge.dcs)
  give_methods(context, bridge, ffi.typeof "struct mp_script_dc")
  local known = {}
  function made.dc_at(index)
    local dc = known[index]
    if not dc then
      dc = all[index]
      known[index] = dc
    end
    return dc
  end
  local function next_dc(_, position)
    local index = nth(context, position)
    if index ~= NO_DC then return position + 1, made.dc_at(index) end
  end
  function made.words.dcs() return next_dc, nil, 0 end
end

-- What it said; a datacentre says its name.
local function shown(value) return type(value) == "cdata" and tostring(value) or objects.show(value) end

local function giver(bridge)
  local context = ffi.cast("void *", bridge.context)
  local choose = ffi.cast("int (*)(void *, uint32_t)", bridge.choose)
  local choose_named = ffi.cast("int (*)(void *, const char *, size_t)", bridge.chooseNamed)
  local because = ffi.cast("int (*)(void *, const char *, size_t)", bridge.because)
  local dc_type = ffi.typeof "struct mp_script_dc"
  return function(choice, why)
    local ok = choice == nil
    if type(choice) == "string" then
      ok = choose_named(context, choice, #choice) == 0
      if not ok then error("decide: there is no datacentre '" .. choice .. "'", 0) end
    elseif ffi.istype(dc_type, choice) then
      ok = choose(context, choice.index) == 0
    end
    if not ok or why ~= nil and type(why) ~= "string" then
      error("decide must return a datacentre or its name, or nothing to stay, and may add a reason; got "
        .. shown(choice) .. ", " .. objects.show(why), 0)
    end
    if why then because(context, why, #why) end
  end
end

function failover.driver(chain, made, bridge)
  local context = ffi.cast("void *", bridge.context)
  local home_of = ffi.cast("uint32_t (*)(void *)", bridge.home)
  local serving_of = ffi.cast("uint32_t (*)(void *)", bridge.serving)
  local below
  for i = #chain, 2, -1 do
    local decide, options, child = chain[i].policy.decide, chain[i].options, below
    below = function(home, serving) return decide(home, serving, options, child) end
  end
  local give, dc_at = giver(bridge), made.dc_at
  local decide, options, child = chain[1].policy.decide, chain[1].options, below
  local function drive()
    give(decide(dc_at(home_of(context)), dc_at(serving_of(context)), options, child))
    return drive
  end
  return drive
end

return failover
