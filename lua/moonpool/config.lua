-- SPDX-License-Identifier: Apache-2.0
-- A configuration: the user's table, or a Lua file that returns one, becomes the flat table that C reads, or a message
-- that names each key that is wrong, what was given, what is allowed, and file:line.
local check = require "moonpool.config_check"
local chunk = require "moonpool.chunk"
local schema = require "moonpool.config_schema"

local config = {}

-- "FILE:LINE" of the caller at `level` (1: who calls this), for config.check; "" when it has no place.
function config.where(level)
  local info = debug.getinfo((level or 1) + 1, "Sl")
  if not info or info.currentline < 0 then return "" end
  return (info.source:match "^@(.*)" or info.short_src) .. ":" .. info.currentline
end

-- The text with comments blanked out, so that a key in a comment is not taken for the key.
local function without_comments(text)
  local function blank(comment) return (comment:gsub("[^\n]", " ")) end
  return (text:gsub("(%-%-%[(=*)%[.-%]%2%])", blank):gsub("%-%-[^\n]*", blank))
end

local function line_at(text, position)
  return select(2, text:sub(1, position - 1):gsub("\n", "")) + 1
end

-- Where the assignment to `key` stands in the text, from `from` on.
local function find_key(text, key, from)
  local plain = key:gsub("%p", "%%%0")
  local best
  for _, pattern in ipairs { "%f[%w_]" .. plain .. "%s*=[^=]", "%[%s*[\"']" .. plain .. "[\"']%s*%]%s*=[^=]" } do
    local at = text:find(pattern, from)
    if at and (not best or at < best) then best = at end
  end
  return best
end

-- A function from a key's path to "FILE:LINE": the line of the key, or of the nearest key around it, or the first.
local function places_in(text, name)
  text = without_comments(text)
  return function(path)
    local at = text:find "return%s*{" or 1
    for _, key in ipairs(path) do
      local found = find_key(text, key, at)
      if not found then break end
      at = found
    end
    return name .. ":" .. line_at(text, at)
  end
end

-- A Lua value of scalars and tables as text that gives it again.
local function literal(value)
  if type(value) == "string" then return (string.format("%q", value):gsub("\\\n", "\\n"):gsub("\r", "\\r")) end
  if type(value) == "number" then return string.format("%.17g", value) end
  if type(value) ~= "table" then return tostring(value) end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) == "number" end
    return a < b
  end)
  for i, key in ipairs(keys) do parts[i] = string.format("[%s]=%s", literal(key), literal(value[key])) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Built-in policies that leave the local datacentre only by the option usedHostsPerRemoteDc, or by their child.
local STAYS_LOCAL = {
  TokenAwarePolicy = true, DCAwareRoundRobinPolicy = true, LeastLoadedPolicy = true, LatencyAwarePolicy = true,
  WeightedPolicy = true, DenyListPolicy = true,
}

-- Remote hosts get connections when they are asked for: by a number of their own, by the policy's option, or by a
-- policy that may send anywhere.
local function wants_remote(flat)
  if flat.failover then return true end
  local core = flat.core and flat.core.remote
  if core then return core > 0 end
  local balance = flat.balance
  if not balance then return false end
  local used = balance.options.usedHostsPerRemoteDc
  if type(used) == "number" then return used > 0 end
  local child = balance.options.childPolicy
  return not STAYS_LOCAL[balance.policy] or child ~= nil and child ~= false and not STAYS_LOCAL[child]
end

-- A pair of core and max from what is given of it; nil where the core's own default stays.
local function sizes(flat, distance)
  local core, max = flat.core and flat.core[distance], flat.max and flat.max[distance]
  return core, max
end

local function finish(flat, where)
  local out = { checked = "moonpool.config", where = where, policyPath = flat.policyPath or {} }
  for key, value in pairs(flat) do
    if type(value) ~= "table" then out[key] = value end
  end
  out.contactPoints = flat.contactPoints
  out.regions = flat.regions
  out.localCore, out.localMax = sizes(flat, "local")
  out.remoteCore, out.remoteMax = sizes(flat, "remote")
  out.connectRemote = wants_remote(flat)
  for _, kind in ipairs { "balance", "retry", "reconnect", "speculate", "failover" } do
    local choice = flat[kind]
    if choice then
      out[kind .. "Policy"] = choice.policy
      if next(choice.options) then out[kind .. "Options"] = literal(choice.options) end
    end
  end
  return out
end

local function judge(given, place, where)
  local found = check(schema, given, place)
  if #found.problems > 0 then return nil, table.concat(found.problems, "\n") end
  if not found.flat.contactPoints then
    found.flat.contactPoints = { { host = "127.0.0.1" } }
    found:warn({ "contactPoints" }, "", "nothing is given; 127.0.0.1 is used")
  end
  local checked = finish(found.flat, where)
  checked.values, checked.place = found.values, place -- for reload.lua: what was given, and where
  return checked, found.warnings
end

-- From the text of a Lua chunk that returns a table; `name` is what messages call it.
function config.check_text(text, name)
  local loaded, why = chunk.compile(text, name)
  if not loaded then return nil, why end
  local ok, given = chunk.run(loaded, function(err) return tostring(err) end)
  if not ok then return nil, given end
  if type(given) ~= "table" then return nil, name .. ":1: the file must return a table, got a " .. type(given) end
  local place = places_in(text, name)
  local checked, warnings = judge(given, place, place { "loadBalancing" })
  if checked then checked.file = name end
  return checked, warnings
end

local function plain_read(path)
  local file, why = io.open(path, "r")
  if not file then return nil, why end
  local text, unreadable = file:read(1048577)
  file:close()
  if not text and not unreadable then text = "" end -- it is empty
  return text, path .. ": cannot be read"
end

-- `input`: a table, or the path of a Lua file that returns one. `where`: the "FILE:LINE" of a table, see config.where.
-- `read`: from a path to its text, or nil and a message. Returns the checked table and a list of warnings; or nil and a
-- message, a line for each problem.
function config.check(input, where, read)
  where = where or ""
  if type(input) == "string" then
    local text, why = (read or plain_read)(input)
    if not text then return nil, (where == "" and "" or where .. ": ") .. "configuration " .. why end
    if #text > 1048576 then return nil, input .. ":1: the file is too big for a configuration" end
    return config.check_text(text, input)
  end
  if type(input) ~= "table" then
    return nil, (where == "" and "" or where .. ": ") .. "the configuration must be a table or the path of a Lua file, "
      .. "got a " .. type(input)
  end
  return judge(input, function() return where end, where)
end

return config
