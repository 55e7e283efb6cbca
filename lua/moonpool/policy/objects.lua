-- SPDX-License-Identifier: Apache-2.0
-- What every policy touches: `req`, hosts and their sets, as references to C structs at fixed addresses. A script gets
-- struct references with constant scalar fields only, never a pointer or an array, so there is nothing it can walk off.
-- Every method is one call of a C function that checks its arguments (policy/state.c). Nothing here allocates.
local ffi = require "ffi"

ffi.cdef [[
struct mp_script_req {
  const bool hasToken, isLwt, isRead, idempotent, isLocalConsistency;
  const uint16_t consistency, keyspaceId, attempt;
  const uint32_t tag;
  const double token;
};
struct mp_script_host {
  const uint32_t index, generation, inFlight, latencyUs;
  const double weight, upSinceMs, latencyAtMs;
  const uint32_t marks;
  const uint16_t dcId, rackId;
  const bool isUp, isLocal, isLocalRack, isNewlyUp, breakerHalfOpen, isShut;
};
]]

local objects = {}

local byte, concat, format, type = string.byte, table.concat, string.format, type
local LIST_MAX = 1000
local FIRST_LETTER = byte "A" -- what a number begins with comes before

-- `bridge.layout` is what the C compiler says; the declarations above must agree or nothing may start.
function objects.check_layout(layout)
  for name, fields in pairs(layout) do
    local ctype = ffi.typeof("struct mp_script_" .. name)
    assert(ffi.sizeof(ctype) == fields.sizeof, "the size of " .. name)
    for field, offset in pairs(fields) do
      if field ~= "sizeof" then assert(ffi.offsetof(ctype, field) == offset, name .. "." .. field) end
    end
  end
end

-- A value in a message: a table or an object is called by its kind, because its address is nobody's business.
function objects.show(value)
  local kind = type(value)
  if kind == "number" or kind == "string" or kind == "boolean" or kind == "nil" then return tostring(value) end
  return kind
end

local show = objects.show

-- A closure that shares its code with no other: of code that has several closures, LuaJIT compiles one machine code for
-- all, in which nothing that they close over is a constant.
function objects.fresh(code, ...) return assert(loadstring(code, "=moonpool"))(...) end

function objects.fields_error(what)
  return function(_, field)
    error(format("%s has no field '%s'", what, type(field) == "string" and field or type(field)), 2)
  end
end

function objects.read_only(what)
  return function() error(what .. " is read-only", 2) end
end
local fields_error, read_only = objects.fields_error, objects.read_only

-- The reference to the struct of that C name at `address`: something of its fields only, for reading. One for each
-- struct, whoever asks again.
local references = {}
function objects.reference(ctype, address, what)
  if not references[ctype] then
    ffi.metatype(ctype, { __index = fields_error(what), __newindex = read_only(what) })
    references[ctype] = ffi.cast(ctype .. " *", address)[0]
  end
  return references[ctype]
end

-- All words and objects of one policy state.
function objects.new(bridge)
  local context, codes = ffi.cast("void *", bridge.context), bridge.codes
  local NO_HOST, SCOPE, DC, ORDER, SET = codes.NO_HOST, codes.SCOPE, codes.DC, codes.ORDER, codes.SET
  local nth_host = ffi.cast("uint32_t (*)(void *, int, int)", bridge.nthHost)
  local nth_replica = ffi.cast("uint32_t (*)(void *, int, int)", bridge.nthReplica)
  local count_hosts = ffi.cast("int (*)(void *, int)", bridge.countHosts)
  local count_shut = ffi.cast("int (*)(void *, int)", bridge.countShut)
  local find_dc = ffi.cast("uint32_t (*)(void *, const char *)", bridge.dc)
  local name_dc = ffi.cast("int (*)(void *, const char *, size_t)", bridge.nameDc)
  local find_tag = ffi.cast("uint32_t (*)(void *, const char *, size_t)", bridge.tag)
  local find_keyspace = ffi.cast("uint32_t (*)(void *, const char *, size_t)", bridge.keyspace)
  local draw = ffi.cast("double (*)(void *)", bridge.random)
  local new_set_of = ffi.cast("int (*)(void *, const char *, size_t, int)", bridge.set)
  local in_set = ffi.cast("int (*)(void *, uint32_t, int)", bridge.inSet)
  local log_line = ffi.cast("int (*)(void *, const char *, size_t)", bridge.log)
  local more_fuel = ffi.cast("int (*)(void *)", bridge.fuel)
  local weigh = ffi.cast("int (*)(void *, double)", bridge.weigh)
  local slots -- of the hosts of the cluster that is asked about
  local hosts, dc_ids, tag_sets, list_sets

  local made = { words = {}, constants = {}, plan_methods = {} }
  local words = made.words

  made.req = objects.reference("struct mp_script_req", bridge.req, "a request")

  -- Before the files run, for the first time or again: what was learned of another run's cluster is forgotten.
  function made.begin(address)
    slots = ffi.cast("struct mp_script_host *", address)
    hosts, dc_ids, tag_sets, list_sets = {}, {}, {}, {}
  end

  local function stop(found)
    if found < 0 then error("not enough memory: the policy holds more than it may", 3) end
    error("out of fuel: a loop or a recursion takes too long", 3)
  end
  function made.more()
    local ticks = more_fuel(context)
    if ticks > 0 then return ticks end
    stop(ticks)
  end

  -- An operation on so many bytes pays for them when they make it take long.
  local heavy, text_max = bridge.textHeavy, bridge.textMax
  function made.pay(bytes)
    if bytes > heavy then
      local found = weigh(context, bytes)
      if found <= 0 then stop(found) end
    end
  end
  -- A text that may be a number, which takes long to be read as such.
  local number_heavy = bridge.numberHeavy
  function made.note(text)
    if #text > number_heavy and byte(text, 1) < FIRST_LETTER then
      local found = weigh(context, #text)
      if found <= 0 then stop(found) end
    end
    return text
  end
  -- A text that was put together, when it is not too long.
  function made.fit(text)
    if #text > heavy then
      if #text > text_max then error(format("not enough memory: a text of more than %d bytes", text_max), 2) end
      made.pay(#text)
    end
    return made.note(text)
  end

  -- A key under which something is stored. What LuaJIT has compiled may not notice that it is NaN.
  function made.key(key)
    if type(key) == "number" and key ~= key then error("table index is NaN", 2) end
    return key
  end

  -- Hosts. A reference is made at the first sight of a slot and kept: slots never move.
  local function host_at(slot)
    local host = hosts[slot]
    if not host then
      host = slots[slot]
      hosts[slot] = host
    end
    return host
  end

  local function dc_id(name)
    local id = dc_ids[name]
    if id then return id end
    if type(name) ~= "string" then error("a datacentre is named by a text", 3) end
    id = find_dc(context, name)
    if id ~= NO_HOST then dc_ids[name] = id end
    return id
  end

  -- Sets of hosts: a number for each tag and each list, made when it is first named.
  local function new_set(text, is_tag, what)
    local number = new_set_of(context, text, #text, is_tag)
    if number < 0 then error(what .. ": too many or too long, or empty", 3) end
    return SET + number
  end
  function words.tagged(name)
    local set = tag_sets[name]
    if set then return set end
    if type(name) ~= "string" then error("tagged: a tag is a text", 2) end
    set = new_set(name, 1, "tagged")
    tag_sets[name] = set
    return set
  end
  function words.listed(list)
    local set = list_sets[list]
    if set then return set end
    if type(list) ~= "table" then error("listed takes a table of addresses, host ids, datacentres or racks", 2) end
    local count = #list
    if count > LIST_MAX then error("listed: " .. count .. " items, and at most " .. LIST_MAX .. " are allowed", 2) end
    for i = 1, count do
      if type(list[i]) ~= "string" then error("listed: item " .. i .. " is no text", 2) end
    end
    set = new_set(count == 0 and "\n" or "\n" .. concat(list, "\n", 1, count) .. "\n", 0, "listed")
    list_sets[list] = set
    return set
  end
  local host_methods = {}
  function host_methods.hasTag(host, name) return in_set(context, host.index, words.tagged(name) - SET) == 1 end
  function host_methods.inDc(host, name) return host.dcId == dc_id(name) end
  local host_type = ffi.typeof "struct mp_script_host"
  local no_field = fields_error "a host"
  ffi.metatype(host_type, {
    __index = function(host, field) return host_methods[field] or no_field(host, field) end,
    __newindex = read_only "a host",
    __tostring = function(host) return "host " .. host.index end,
  })

  local function next_host(scope, position)
    local slot = nth_host(context, scope, position)
    if slot ~= NO_HOST then return position + 1, host_at(slot) end
  end
  local function next_replica(scope, position)
    local slot = nth_replica(context, scope, position)
    if slot ~= NO_HOST then return position + 1, host_at(slot) end
  end
  local function check_scope(name, scope)
    if type(scope) ~= "number" or not (scope >= SCOPE and scope < ORDER) then
      error(format("%s: the first argument must be a scope (%s), got %s", name, bridge.scopes, show(scope)), 3)
    end
  end

  -- for i, host in hosts(localDc) do ... end
  function words.hosts(scope)
    check_scope("hosts", scope)
    return next_host, scope, 0
  end
  function words.replicas(scope)
    check_scope("replicas", scope)
    return next_replica, scope, 0
  end
  function words.upCount(scope)
    check_scope("upCount", scope)
    return count_hosts(context, scope)
  end
  function words.shutCount(scope)
    check_scope("shutCount", scope)
    return count_shut(context, scope)
  end
  function words.dc(name)
    if type(name) ~= "string" then error("dc: a datacentre is named by a text", 2) end
    local number = name_dc(context, name, #name)
    if number < 0 then error("dc: too many or too long names", 2) end
    return DC + number
  end
  function words.log(text)
    text = type(text) == "string" and text or type(text)
    log_line(context, text, #text)
  end
  function words.random(low, high)
    if low == nil then return draw(context) end
    if type(low) ~= "number" or type(high) ~= "number" then error("random takes no numbers or two", 2) end
    return low + draw(context) * (high - low)
  end
  function words.chance(probability) return draw(context) < probability end

  -- Names of the session as numbers, asked once each. -1: not known (yet), equal to no request's.
  local function numbers(lookup)
    return setmetatable({}, {
      __index = function(known, name)
        if type(name) ~= "string" then return -1 end
        local id = lookup(context, name, #name)
        if id == 0 then return -1 end
        rawset(known, name, id)
        return id
      end,
      __newindex = function() error("names are read-only", 2) end,
      __metatable = "names",
    })
  end
  words.tags = numbers(find_tag)
  words.keyspaces = numbers(find_keyspace)
  return made
end

return objects
