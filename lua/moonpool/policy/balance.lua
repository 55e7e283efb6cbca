-- SPDX-License-Identifier: Apache-2.0
-- Balance policies: which hosts, in which order. `plan(plan, req, options)` writes steps into a plan: one call of a C
-- function each (policy/kind_balance.c), which allocates nothing.
local ffi = require "ffi"
local objects = require "moonpool.policy.objects"

local balance = { entry = "plan" }

local format, type, show = string.format, type, objects.show

local CHILD = "local plan, object, options = ... return function(_, req) plan(object, req, options) end"

-- The function that makes plans.
local function planner(made, bridge)
  local context, codes, constants = ffi.cast("void *", bridge.context), bridge.codes, bridge.constants
  local SET, ONLY, AVOID = codes.SET, codes.ONLY, codes.AVOID
  local BAD_SET, TOO_MANY_SETS = codes.BAD_SET, codes.TOO_MANY_SETS
  local IN_TURN, SHUFFLED = constants.inTurn, constants.shuffled
  local add_replicas = ffi.cast("int (*)(void *, int, int, int)", bridge.replicas)
  local add_hosts = ffi.cast("int (*)(void *, int, int, int)", bridge.hosts)
  local add_host = ffi.cast("int (*)(void *, uint32_t)", bridge.host)
  local add_filter = ffi.cast("int (*)(void *, int, int)", bridge.filter)
  local add_avoid_slow = ffi.cast("int (*)(void *, double, double, double)", bridge.avoidSlow)
  local no_filter = ffi.cast("int (*)(void *)", bridge.noFilter)
  local refuse_all = ffi.cast("int (*)(void *)", bridge.refuse)
  local host_type = ffi.typeof "struct mp_script_host"

  local function filter(set, how, method)
    local code = BAD_SET
    if type(set) == "number" then code = add_filter(context, set - SET, how) end
    if code == BAD_SET then error(method .. ": takes tagged \"name\" or listed { ... }", 3) end
    if code == TOO_MANY_SETS then error(method .. ": there are too many different tags and lists", 3) end
  end
  local function only(_, set) filter(set, ONLY, "plan:only") end
  local function avoid(_, set) filter(set, AVOID, "plan:avoid") end
  local function avoid_slow(_, times, retry_ms, least_ms)
    local ok = type(times) == "number" and type(retry_ms or 0) == "number" and type(least_ms or 0) == "number"
    if not ok or add_avoid_slow(context, times, retry_ms or 10000, least_ms or 0) ~= 0 then
      error("plan:avoidSlow: takes how many times the best latency (1 or more), and may take after how many ms a host "
        .. "has another chance and from how many ms on it is slow at all", 2)
    end
  end
  local function allow_all() no_filter(context) end
  local function refuse_request() refuse_all(context) end

  local function refuse(code, method, scope, order, limit)
    if code == codes.BAD_SCOPE then
      error(format("%s: the first argument must be a scope (%s), got %s", method, bridge.scopes, show(scope)), 3)
    elseif code == codes.BAD_ORDER then
      error(format("%s: the second argument must be an order (%s), got %s", method, bridge.orders, show(order)), 3)
    elseif code == codes.BAD_LIMIT then
      error(format("%s: the limit must be a number of hosts, 1 or more, got %s", method, show(limit)), 3)
    end
    error(format("%s: that is not a host", method), 3)
  end

  -- A call in these functions would be hot before the policy is, and compiled by itself.
  local function replicas(_, scope, order, limit)
    local where, how, most = scope, order, limit
    if type(where) ~= "number" then where = -1 end
    if how == nil then how = SHUFFLED elseif type(how) ~= "number" then how = -1 end
    if most == nil then most = 0 elseif type(most) ~= "number" then most = -1 end
    local code = add_replicas(context, where, how, most)
    if code ~= 0 then refuse(code, "plan:replicas", scope, order, limit) end
  end
  local function all_hosts(_, scope, order, limit)
    local where, how, most = scope, order, limit
    if type(where) ~= "number" then where = -1 end
    if how == nil then how = IN_TURN elseif type(how) ~= "number" then how = -1 end
    if most == nil then most = 0 elseif type(most) ~= "number" then most = -1 end
    local code = add_hosts(context, where, how, most)
    if code ~= 0 then refuse(code, "plan:hosts", scope, order, limit) end
  end
  local function one_host(_, host)
    if not ffi.istype(host_type, host) then refuse(nil, "plan:host") end
    add_host(context, host.index)
  end

  -- A plan for each policy of the chain: the same C plan, another child. `child` is { plan =, object =, options = }; it
  -- may be left out on purpose (childPolicy = false).
  local function plan_of(child, may_miss)
    local methods = {
      replicas = replicas, hosts = all_hosts, host = one_host, only = only, avoid = avoid, avoidSlow = avoid_slow,
      allowAll = allow_all, refuse = refuse_request,
    }
    if child then
      methods.child = objects.fresh(CHILD, child.plan, child.object, child.options)
    elseif may_miss then
      function methods.child() end
    else
      function methods.child() error("plan:child: there is no child policy (option childPolicy)", 2) end
    end
    for name in pairs(methods) do made.plan_methods[name] = true end
    local ctype = ffi.typeof "struct { const uint8_t policy; }"
    local function name() return "plan" end
    ffi.metatype(ctype, { __index = methods, __newindex = objects.read_only "plan", __tostring = name })
    return ffi.new(ctype)
  end
  return plan_of
end

local DRIVE = [[
local plan, object, req, options = ...
local function drive()
  plan(object, req, options)
  return drive
end
return drive]]

-- Once in a state, so that its functions share their code with no others (objects.fresh).
function balance.words(made, bridge) made.plan = planner(made, bridge) end

function balance.driver(chain, made)
  local below
  for i = #chain, 1, -1 do
    local options = chain[i].options
    below = { plan = chain[i].policy.plan, object = made.plan(below, options.childPolicy == false), options = options }
  end
  return objects.fresh(DRIVE, below.plan, below.object, made.req, below.options)
end

return balance
