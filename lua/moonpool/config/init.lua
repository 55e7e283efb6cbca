-- SPDX-License-Identifier: Apache-2.0
-- A configuration: the user's table, or a Lua file that returns one, becomes the flat table that C reads, or a message
-- that names each key that is wrong, what was given, what is allowed, and file:line.
--
-- It takes a bounded time, whatever is given: a file runs for half a second at most and has a megabyte at most; what it
-- returns is copied as plain data first (plain.lua), and what is wrong is told up to twenty times (config/check.lua).
local check = require "moonpool.config.check"
local chunk = require "moonpool.chunk"
local policy_kinds = require("moonpool.core_loader").policyKinds -- the shadow, too
local paths = require "moonpool.paths"
local places = require "moonpool.config.places"
local plain = require "moonpool.plain"
local schema = require "moonpool.config.schema"
local secrets = require "moonpool.secrets"

local MOST_BYTES = 1048576

local config = {}

-- "FILE:LINE" of the caller at `level` (1: who calls this), for config.check; "" when it has no place.
function config.where(level)
  local info = debug.getinfo((level or 1) + 1, "Sl")
  if not info or info.currentline < 0 then return "" end
  return (info.source:match "^@(.*)" or info.short_src) .. ":" .. info.currentline
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

local HOSTS_PER_REGION = 3 -- RegionPriorityPolicy's own default

-- To how many hosts of each remote datacentre; nil: to all that wants_remote() is about. What a policy asks is what it
-- says of it; only then are others for nothing.
local function remote_hosts(flat)
  if not flat.balance then return nil end
  local options = flat.balance.options
  local used = options.usedHostsPerRemoteDc
  if flat.balance.policy == "RegionPriorityPolicy" then used = options.hostsPerRegion or HOSTS_PER_REGION end
  return type(used) == "number" and used > 0 and used or nil
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
  out.addressTranslator = flat.addressTranslator and flat.addressTranslator.translate
  out.addressTranslatorShown = flat.addressTranslator and flat.addressTranslator.shown
  local who = flat.authenticator or flat.credentials
  out.authenticator, out.authenticatorShown = who and who.ask, who and who.shown
  out.regions = flat.regions
  out.profiles = flat.profiles or {}
  if flat.defaults then table.insert(out.profiles, flat.defaults) end
  out.metricsListen, out.httpListen = flat.metricsListen, flat.httpListen
  out.playbooks = flat.playbooks
  if flat.policyKeys then
    out.policyKeys = {}
    for i, text in ipairs(flat.policyKeys) do
      out.policyKeys[i] = text:match("^ed25519 (%x+)"):gsub("%x%x", function(digits)
        return string.char(tonumber(digits, 16))
      end)
    end
  end
  out.localCore, out.localMax = sizes(flat, "local")
  out.remoteCore, out.remoteMax = sizes(flat, "remote")
  out.connectRemote = wants_remote(flat)
  out.remoteHostsPerDc = remote_hosts(flat)
  for _, kind in ipairs(policy_kinds) do
    local choice = flat[kind]
    if choice then
      out[kind .. "Policy"] = choice.policy
      if next(choice.options) then out[kind .. "Options"] = choice.text end
      out[kind .. "Canary"] = choice.canary
    end
  end
  return out
end

-- ---- reading ----------------------------------------------------------------------------------------------

local function led(where, message) return (where == "" and "" or where .. ": ") .. message end

-- A source of a configuration: { given = plain data, place = a function from a key's path to "FILE:LINE", where =
-- its place as a whole, folder = where relative paths begin, file = its absolute path or nil }.
local function new_source(given, source)
  local copy, path, why = plain(given)
  if copy then
    source.given = copy
    return source
  end
  local judged = check({ keys = {} }, {}, source.place)
  judged:problem(path, "", why)
  return nil, judged:told(judged.problems)[1]
end

-- Of the text of a Lua chunk that returns a table; `name` is what messages call it, `file` the absolute path.
local function read_text(text, name, file)
  local loaded, why = chunk.compile(text, name)
  if not loaded then return nil, secrets.about(text, why) end
  local ok, given = chunk.run(loaded, chunk.text_of)
  if not ok then
    if given:sub(1, #name + 1) ~= name .. ":" then given = name .. ": " .. given end
    return nil, secrets.about(text, given)
  end
  if type(given) ~= "table" then return nil, name .. ":1: the file must return a table, got a " .. type(given) end
  local place = places(text, name)
  return new_source(given, {
    place = place, where = place { "loadBalancing" }, file = file,
    folder = file and paths.folder_of(file) or paths.working_folder(),
  })
end

local function plain_read(path)
  local file, why = io.open(path, "r")
  if not file then return nil, why end
  local text, unreadable = file:read(MOST_BYTES + 1)
  file:close()
  if not text and not unreadable then text = "" end -- it is empty
  return text, path .. ": cannot be read"
end

-- `input`: a table, or the path of a Lua file that returns one. `where`: the "FILE:LINE" of a table, see config.where.
-- `read`: from a path to its text, or nil and a message. A source, or nil and a message.
function config.read(input, where, read)
  where = where or ""
  if type(input) == "table" then
    return new_source(input, {
      place = function() return where end, where = where, folder = paths.working_folder(),
    })
  end
  if type(input) ~= "string" then
    return nil, led(where, "the configuration must be a table or the path of a Lua file, got a " .. type(input))
  end
  local text, why = (read or plain_read)(input)
  if not text then return nil, led(where, "configuration " .. why) end
  if #text > MOST_BYTES then return nil, input .. ":1: the file is too big for a configuration" end
  return read_text(text, input, paths.absolute(input))
end

-- Is there a file that can be read, and is it Lua? true, or nil and a message.
function config.look(path, read)
  local text, why = (read or plain_read)(path)
  if not text then return nil, why end
  local loaded
  loaded, why = chunk.compile(text, path)
  if loaded then return true end
  return nil, secrets.about(text, why)
end

-- ---- judging ----------------------------------------------------------------------------------------------

-- The checked table and a list of warnings; or nil and a message, a line for each problem.
function config.judge(source)
  local found = check(schema, source.given, source.place, source.folder)
  if found.problems.count > 0 then return nil, table.concat(found:told(found.problems), "\n") end
  if not found.flat.contactPoints then
    found.flat.contactPoints = { { host = "127.0.0.1" } }
    found:warn({ "contactPoints" }, "", "nothing is given; 127.0.0.1 is used")
  end
  local checked = finish(found.flat, source.where)
  checked.tls = source.given.tls ~= nil -- also when nothing stands in it
  checked.decisions = source.given.decisionLog ~= nil
  checked.values, checked.place = found.values, source.place -- for reload.lua: what was given, and where
  checked.file = source.file
  return checked, found:told(found.warnings)
end

local function judged(source, why)
  if not source then return nil, why end
  return config.judge(source)
end

-- Both in one, of what config.read takes.
function config.check(input, where, read) return judged(config.read(input, where, read)) end

-- The same for the text of a file, which stands at the absolute path `file` if it stands anywhere.
function config.check_text(text, name, file) return judged(read_text(text, name, file)) end

return config
