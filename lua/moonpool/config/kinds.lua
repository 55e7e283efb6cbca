-- SPDX-License-Identifier: Apache-2.0
-- The kinds of values a configuration has: each judges one value, tells problems to the check and returns the value as
-- C takes it. Called as kinds.KIND(check, path, rule, value).
local address = require "moonpool.address"
local paths = require "moonpool.paths"
local secrets = require "moonpool.secrets"
local authenticator = require "moonpool.config.authenticator"
local canary = require "moonpool.config.canary"
local translator = require "moonpool.translator"

local format = string.format

local MOST_PATHS, LONGEST_OPTIONS = 64, 65536

local kinds = {}

local function range(rule)
  local most = rule.max and rule.max < 2147483647 and rule.max
  if most and rule.unit then return format("%d or more (at most %d)", rule.min, most) end
  if most then return format("%s to %s", rule.min, most) end
  return format("%d or more", rule.min)
end

local function integer_allowed(rule)
  return format("must be an integer%s, %s", rule.unit and " of " .. rule.unit or "",
    rule.unit and format("%d or more", rule.min) or range(rule))
end

function kinds.integer(check, path, rule, value, last)
  last = last or ""
  if type(value) ~= "number" or value ~= value or value ~= math.floor(value) or value < rule.min then
    return check:wrong(path, last, value, integer_allowed(rule))
  end
  if value > rule.max then
    return check:wrong(path, last, value, format("must be an integer%s, at most %d",
      rule.unit and " of " .. rule.unit or "", rule.max))
  end
  if rule.clamp and value > rule.clamp[1] then
    check:warn(path, last, format("%d %s", value, rule.clamp[2]))
    return rule.clamp[1]
  end
  if rule.low and value > 0 and value < rule.low[1] then
    check:warn(path, last, format("%d ms %s", value, rule.low[2]))
  end
  return value
end

function kinds.number(check, path, rule, value)
  if type(value) ~= "number" or value ~= value or value < rule.min or value > rule.max then
    return check:wrong(path, "", value, format("must be a number, %s to %s", rule.min, rule.max))
  end
  return value
end

local MOST_KEYS = 64

-- Public keys, as `moonpool sign --new-key` prints them: "ed25519 HEX", and what somebody may have written behind it.
function kinds.keys(check, path, _, value)
  local allowed = 'must be a list of public keys: { "ed25519 " and 64 hexadecimal digits }'
  if type(value) == "string" then value = { value } end
  if type(value) ~= "table" or #value == 0 then return check:wrong(path, "", value, allowed) end
  if #value > MOST_KEYS then return check:problem(path, "", format("at most %d keys", MOST_KEYS)) end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  if count ~= #value then return check:wrong(path, "", value, allowed) end
  for i, text in ipairs(value) do
    local digits = type(text) == "string" and (text .. " "):match "^ed25519 (%x+)%s"
    if not digits or #digits ~= 64 then check:wrong(path, format("[%d]", i), text, allowed) end
  end
  return value
end

local BYTES = { B = 1, KB = 1e3, MB = 1e6, GB = 1e9, TB = 1e12, KIB = 1024, MIB = 1048576, GIB = 1073741824 }

-- Bytes: a number, or a text such as "100MB".
function kinds.size(check, path, rule, value)
  local bytes = value
  if type(value) == "string" and #value < 32 then -- the pattern has two repetitions
    local number, unit = value:match "^(%d+%.?%d*) ?(%a+)$"
    bytes = number and BYTES[unit:upper()] and math.floor(tonumber(number) * BYTES[unit:upper()])
  end
  if type(bytes) ~= "number" or not (bytes >= rule.min and bytes <= rule.max) or bytes ~= math.floor(bytes) then
    return check:wrong(path, "", value, format('must be a number of bytes, %d or more, or a text such as "100MB"',
      rule.min))
  end
  return bytes
end

function kinds.boolean(check, path, _, value)
  if type(value) ~= "boolean" then return check:wrong(path, "", value, "must be true or false") end
  return value
end

function kinds.text(check, path, rule, value, last)
  local allowed = rule.allowed or rule.empty and "must be a text" or "must be a text that is not empty"
  if rule.among then allowed = "must be one of " .. table.concat(rule.among, ", ") end
  local ok = type(value) == "string" and (value ~= "" or rule.empty) and not value:find("%z")
  if ok and rule.pattern then ok = value:find(rule.pattern) and #value <= rule.longest end
  if ok and rule.among then
    ok = false
    for _, word in ipairs(rule.among) do ok = ok or word == value end
  end
  if not ok then return check:wrong(path, last or "", value, allowed) end
  return value
end

-- Of a file or folder: absolute from here on.
function kinds.path(check, path, rule, value, last)
  local text = kinds.text(check, path, rule, value, last)
  return text and paths.from(check.folder, text)
end

-- Where something listens: { host, port } or { path }.
function kinds.listen(check, path, rule, value)
  local allowed = 'must be an IP address with a port, "127.0.0.1:9500", or the path of a socket, "/run/me/metrics"'
  local text = kinds.text(check, path, { allowed = allowed }, value)
  if not text then return end
  if text:find("/", 1, true) then return { path = kinds.path(check, path, rule, text) } end
  local host, port = address.split_literal(text)
  if not host or not port then return check:wrong(path, "", value, allowed) end
  return { host = host, port = port }
end

local function by_text(a, b) return tostring(a) < tostring(b) end

-- Is it a list, 1 .. n without holes and other keys?
local function is_list(value)
  if type(value) ~= "table" then return false end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return count == #value
end

function kinds.paths(check, path, rule, value)
  if type(value) == "string" then value = { value } end
  if not is_list(value) then return check:wrong(path, "", value, "must be a list of texts") end
  if #value > MOST_PATHS then return check:problem(path, "", format("at most %d paths", MOST_PATHS)) end
  local list = {}
  for i, text in ipairs(value) do list[i] = kinds.path(check, path, rule, text, format("[%d]", i)) end
  return list
end

local PLAYBOOK_KEYS = {
  dryRun = { kind = "boolean" }, commands = { kind = "paths" }, state = { kind = "path" },
}

-- { "a file", "a folder", dryRun = true, commands = { "/usr/bin/program" }, state = "a folder" }: { paths, dryRun,
-- commands, state }.
function kinds.playbooks(check, path, rule, value)
  if type(value) == "string" then value = { value } end
  if type(value) ~= "table" then return check:wrong(path, "", value, "must be a list of files and folders") end
  local list, checked, names = {}, {}, {}
  for key in pairs(value) do names[#names + 1] = key end
  table.sort(names, by_text)
  for _, key in ipairs(names) do
    local known = PLAYBOOK_KEYS[key]
    if type(key) == "number" then
      list[key] = value[key]
    elseif not known then
      check:unknown({ path[1], key }, PLAYBOOK_KEYS)
    else
      checked[key] = kinds[known.kind](check, { path[1], key }, known, value[key])
    end
  end
  checked.paths = kinds.paths(check, path, rule, list)
  return checked
end

-- What stands behind the colon may be a password when it is neither a number nor the name of a service.
local SERVICES = { http = true, https = true, cql = true, cassandra = true, native = true, port = true }
local function without_password(text)
  local host, port = text:match "^([^:/]*):([^:/]+)$"
  local may_be = host and not port:find "^%d+$" and not SERVICES[port] and not text:find("@", 1, true)
  return may_be and host .. ":***" or text
end

function kinds.addresses(check, path, _, value)
  local allowed = 'must be a list of addresses: { "127.0.0.1", "node2:9042" }'
  if not is_list(value) then
    return check:wrong(path, "", type(value) == "string" and without_password(value) or value, allowed)
  end
  if #value == 0 then return check:problem(path, "", "got an empty list; " .. allowed) end
  local list, seen = {}, {}
  for i, text in ipairs(value) do
    local last = format("[%d]", i)
    if type(text) ~= "string" then
      check:wrong(path, last, text, "must be a text such as \"127.0.0.1\" or \"node2:9042\"")
    elseif seen[text] then
      check:warn(path, last, function() return format('"%s" is there twice', secrets.text(text)) end)
    else
      seen[text] = true
      local host, port = address.split(text)
      if host and not port and text:find "^[^%[]*:[^%[]*:9042$" then
        check:warn(path, last, function()
          return format('"%s" is an IPv6 address without a port; with 9042 as its port it is [%s]:9042', text,
            text:sub(1, -6))
        end)
      end
      if host then
        list[#list + 1] = { host = host, port = port }
      else
        check:wrong(path, last, without_password(text), port)
      end
    end
  end
  return list
end

local MOST_TRANSLATED = 20000

-- Where addresses of the cluster are from here: a table of them, or a function.
function kinds.translator(check, path, _, value)
  if type(value) == "function" then return translator.of_function(value) end
  if type(value) ~= "table" then
    return check:wrong(path, "", value, 'must be a table such as { ["10.0.0.1"] = "127.0.0.1:19042" } or a '
      .. "function(address, host) that returns an address")
  end
  local map, names = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  if #names > MOST_TRANSLATED then
    return check:problem(path, "", format("at most %d addresses; a function may know more", MOST_TRANSLATED))
  end
  table.sort(names, by_text)
  for _, name in ipairs(names) do
    local last, to = format('["%s"]', secrets.text(tostring(name))), value[name]
    local from_host, from_port = address.split_literal(tostring(name))
    if not from_host then check:problem(path, last, "as an address of the cluster: " .. from_port) end
    local host, port = nil, "must be an address"
    if type(to) == "string" then host, port = address.split_literal(to) end
    if not host then
      check:wrong(path, last, to, port)
    elseif from_host then
      map[translator.key(from_host, from_port)] = { host = host, port = port }
    end
  end
  return translator.of_table(map, value)
end

-- Who the pool is, asked for each connection: a function, or a file.
function kinds.credentials(check, path, _, value)
  if type(value) == "function" then return authenticator.of_function(value) end
  local allowed = "must be a function that returns a name and a password, or the path of a file that has them"
  local file = kinds.path(check, path, { allowed = allowed }, value)
  return file and authenticator.of_file(file)
end

-- The steps of an exchange with the node.
function kinds.authenticator(check, path, _, value)
  local steps, known = authenticator.STEPS, {}
  if type(value) ~= "table" or type(value.initialResponse) ~= "function" then
    return check:wrong(path, "", value, "must be a table of functions, initialResponse and, where the node asks on, "
      .. "evaluateChallenge")
  end
  for _, name in ipairs(steps) do
    known[name] = true
    local kind = type(value[name])
    if kind ~= "function" and kind ~= "nil" then check:wrong({ path[1], path[2], name }, "", value[name],
      "must be a function") end
  end
  for name in pairs(value) do
    if not known[name] then check:unknown({ path[1], path[2], name }, known) end
  end
  return authenticator.of_steps(value)
end

local DISTANCES = {
  ["0"] = "local", [0] = "local", ["local"] = "local",
  ["1"] = "remote", [1] = "remote", remote = "remote",
  ["2"] = "ignored", [2] = "ignored", ignored = "ignored",
}

local function key_name(key)
  return type(key) == "number" and format("[%s]", key) or format("['%s']", secrets.text(key))
end

-- A number for each distance: { ["0"] = 2, ["1"] = 1 }, also with numbers or names as keys.
function kinds.connections(check, path, rule, value)
  if type(value) ~= "table" then
    return check:wrong(path, "", value, "must be a table such as { ['0'] = 2, ['1'] = 1 }")
  end
  local result, keys = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return key_name(a) < key_name(b) end)
  for _, key in ipairs(keys) do
    local distance, last = DISTANCES[key], key_name(key)
    if not distance then
      check:problem(path, last, "there is no such distance; '0' or local, '1' or remote, '2' or ignored")
    elseif result[distance] then
      check:problem(path, last, "this distance is given twice")
    else
      result[distance] = kinds.integer(check, path, rule, value[key], last) or 0
      if distance == "ignored" and result[distance] > 0 then
        check:warn(path, last, "has no effect: ignored hosts get no connections")
      elseif result[distance] > rule.many then
        check:warn(path, last, format("%d connections to each host are too many: one carries up to 32768 requests at "
          .. "a time; use 1 to 16", result[distance]))
      end
    end
  end
  return result
end

local REGION = { keys = {
  { "maxConnections", kind = "integer", min = 1, max = 4096 }, { "priority", kind = "integer", min = 1, max = 1000 },
} }


-- Settings for each datacentre.
function kinds.regions(check, path, _, value)
  if type(value) ~= "table" then
    return check:wrong(path, "", value, "must be a table with a datacentre for each key")
  end
  local names, list = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names, by_text)
  for i, name in ipairs(names) do
    local here, given = { path[1], name }, type(value[name]) == "table" and value[name] or {}
    list[i] = { dc = name, maxConnections = given.maxConnections, priority = given.priority }
    if type(name) ~= "string" then
      check:problem(here, "", "the name of a datacentre must be a text")
    else
      check:section(here, REGION, value[name])
    end
  end
  if #list > 64 then return check:problem(path, "", "at most 64 datacentres") end
  return list
end

-- ---- options of requests ----------------------------------------------------------------------------------

local LEVELS = { "ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "LOCAL_ONE" }
local SERIAL_LEVELS = { "SERIAL", "LOCAL_SERIAL" }

-- The name of a level, in any case: "LOCAL_QUORUM", "localQuorum".
function kinds.level(check, path, rule, value)
  local levels = rule.serial and SERIAL_LEVELS or LEVELS
  local plain = type(value) == "string" and value:gsub("_", ""):upper()
  for _, level in ipairs(levels) do
    if plain == level:gsub("_", "") then return level end
  end
  return check:wrong(path, "", value, "must be one of " .. table.concat(levels, ", "))
end

local REQUEST = { keys = {
  { "consistency", kind = "level" }, { "serialConsistency", kind = "level", serial = true },
  { "timeout", kind = "integer", unit = "milliseconds", min = 1, max = 2147483647 },
  { "isIdempotent", kind = "boolean" }, { "fetchSize", kind = "integer", min = 0, max = 2147483647 },
  { "traceQuery", kind = "boolean" }, { "tag", kind = "text" },
} }

local function request_options(check, path, name, value)
  check:section(path, REQUEST, value)
  if type(value) ~= "table" then return nil end
  local copy = { name = name }
  for _, key in ipairs(REQUEST.keys) do copy[key[1]] = value[key[1]] end
  return copy
end

-- What every request has.
function kinds.defaults(check, path, _, value) return request_options(check, path, "", value) end

-- The same by names.
function kinds.profiles(check, path, _, value)
  if type(value) ~= "table" then return check:wrong(path, "", value, "must be a table with a name for each key") end
  local names, list = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names, by_text)
  if #names > 64 then return check:problem(path, "", "at most 64 profiles") end
  for i, name in ipairs(names) do
    local here = { path[1], name }
    if type(name) ~= "string" or name == "" or name:find "%z" then
      check:problem(here, "", "the name of a profile must be a text that is not empty")
    else
      list[i] = request_options(check, here, name, value[name])
    end
  end
  return list
end

function kinds.section(check, path, rule, value)
  return check:section(path, rule, value)
end

-- A value as Lua text that gives it again, or nil when it is not made of numbers, texts, truths and tables of those.
local function literal(value, depth)
  local kind = type(value)
  if kind == "string" then return (format("%q", value):gsub("\\\n", "\\n"):gsub("\r", "\\r")) end
  if kind == "number" then return value - value == 0 and format("%.17g", value) or nil end
  if kind == "boolean" then return tostring(value) end
  if kind ~= "table" or depth > 8 then return nil end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) == "number" end
    return a < b
  end)
  for i, key in ipairs(keys) do
    local name, item = literal(key, depth), literal(value[key], depth + 1)
    if not name or not item then return nil end
    parts[i] = format("[%s]=%s", name, item)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function policy_name(check, here, name)
  local allowed = "must be the name of a policy or the path of its file"
  if type(name) == "string" and not paths.is_path(name) and name:find("@", 1, true) then
    return check:wrong(here, "", name, allowed)
  end
  name = kinds.text(check, here, { allowed = allowed }, name)
  return name and paths.is_path(name) and paths.from(check.folder, name) or name
end

local function below(path, name)
  local longer = { unpack(path) }
  longer[#longer + 1] = name
  return longer
end

-- A policy and its options: { policy, options, text, canary }, where the text gives the options again. Which options
-- there are, the policy's file says; it is asked when the pool is made.
function kinds.options(check, path, rule, value)
  if type(value) ~= "table" then return check:wrong(path, "", value, "must be a table") end
  local options, names, policy = {}, {}, rule.policy
  local by_parts
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names, by_text)
  for _, name in ipairs(names) do
    local option, here = value[name], below(path, name)
    if type(name) ~= "string" then
      check:problem(here, "", "the name of an option must be a text")
    elseif name == "policy" then
      policy = policy_name(check, here, option)
    elseif name == "canary" then
      by_parts = canary.judge(check, table.concat(path, "."), option)
    elseif not literal(option, 1) then
      check:wrong(here, "", option, "must be a number, a text, true, false or a table of those")
    elseif name == "childPolicy" and type(option) == "string" then
      options[name] = policy_name(check, here, option)
    else
      options[name] = option
    end
  end
  local text = literal(options, 0) or ""
  if #text > LONGEST_OPTIONS then
    check:problem(path, "", format("its options are %d bytes as text; at most %d", #text, LONGEST_OPTIONS))
  end
  return { policy = policy, options = options, text = text, canary = by_parts }
end

-- The same, or the policy's name alone.
function kinds.choice(check, path, _, value)
  if type(value) == "string" then
    local name = policy_name(check, path, value)
    return name and { policy = name, options = {}, text = "" }
  end
  local allowed = "must be the name of a policy, the path of its file, or a table such as { policy = \"mine.lua\" }"
  if type(value) ~= "table" then return check:wrong(path, "", value, allowed) end
  if value.policy == nil then return check:problem(below(path, "policy"), "", "must be given") end
  return kinds.options(check, path, {}, value)
end

return kinds
