-- SPDX-License-Identifier: Apache-2.0
-- Connections ahead of the load, as methods of a pool: pool:warmup() and pool:preallocateConnections{ host = n }. Both
-- give what each host reached, and an error beside it when that is less than was wanted: one dead host is no reason to
-- fail.
local async = require "moonpool.async"
local core = require "moonpool.core_loader"
local nearest = require "moonpool.nearest"

local format = string.format

local MOST = 4096 -- connections to one host

local warmup = {}

-- pool:warmup(): the core connections of every host in use. { [address] = connections } and perhaps an error; nil, err.
function warmup.warmup(self, ...)
  if ... ~= nil then async.no_arguments("warmup", ...) end
  local list, err = core.warmUp(self)
  if not list then return nil, err end
  local reached = {}
  for i = 1, #list, 2 do reached[list[i]] = list[i + 1] end
  return reached, err
end

local EXPECTED = "a table such as { ['10.0.0.1'] = 8 } expected"

local function check(wanted)
  if type(wanted) ~= "table" then error(format("preallocateConnections: %s, got %s", EXPECTED, type(wanted)), 3) end
  local names = {}
  for name, count in pairs(wanted) do
    if type(name) ~= "string" then
      error(format("preallocateConnections: %s, got a key that is a %s", EXPECTED, type(name)), 3)
    end
    if type(count) ~= "number" or count ~= math.floor(count) or count < 1 or count > MOST then
      error(format("preallocateConnections: %s: got %s; must be a whole number, 1 to %d", name, tostring(count),
        MOST), 3)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function unknown_host(pool, name)
  local known = {}
  for _, host in ipairs(core.getHosts(pool)) do known[host.address] = true end
  return format("there is no host %s%s", name, nearest.hint(name, known))
end

-- pool:preallocateConnections{ host = n }: up to n connections to each of these. { [host] = connections } by the names
-- that were given, and perhaps an error; nil, err.
function warmup.preallocateConnections(self, wanted)
  local names = check(wanted)
  local reached, known, addresses, counts, missing = {}, {}, {}, {}, nil
  for _, name in ipairs(names) do
    local address = core.findHost(self, name)
    reached[name] = 0
    if address then
      addresses[#addresses + 1], counts[#counts + 1], known[#known + 1] = address, wanted[name], name
    else
      missing = missing or unknown_host(self, name)
    end
  end
  local list, err = core.warmUp(self, addresses, counts)
  if not list then return nil, err end
  local by_address = {}
  for i = 1, #list, 2 do by_address[list[i]] = list[i + 1] end
  for i, name in ipairs(known) do reached[name] = by_address[addresses[i]] or 0 end
  if missing then
    err = core.error("NOT_FOUND", err and missing .. "; " .. err.message or missing)
  end
  return reached, err
end

return warmup
