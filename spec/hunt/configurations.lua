-- SPDX-License-Identifier: Apache-2.0
-- Random configurations, as tables and as files: keys that are known, nearly known and unknown, values that are right,
-- odd, wrong, huge, endless; files with bytes turned round. Each is taken or refused with a message, in a bounded time;
-- nothing raises but ConnectionPool with that message, and no secret is ever shown.
local canaries = require "spec.support.canaries"
local config = require "moonpool.config"
local effort = require "spec.support.effort"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local random = require "spec.hunt.random"
local schema = require "moonpool.config.schema"
local unix = require "spec.support.unix"

local configurations = { suite = 150 }

local MOST = 2 -- units (spec/support/effort), under the sanitizers

-- ---- values -----------------------------------------------------------------------------------------------

local SECRET = "u:CANARY@10.0.0.1"

local function endless()
  local own = {}
  own.own = { own }
  return own
end

local odd = {
  function() return 0 / 0 end, function() return 1 / 0 end, function() return -1 end, function() return 0.5 end,
  function() return 2 ^ 53 end, function() return "" end, function() return "\0" end, function() return true end,
  function() return {} end, function() return { {} } end, function() return print end, function() return 5LL end,
  function() return newproxy() end, endless, function() return ("x"):rep(70000) end,
  function() return ("1"):rep(70000) .. "!" end, function() return "1." .. ("0"):rep(40) .. "MB" end,
  function() return SECRET end, function() return "cassandra://" .. SECRET .. "/ks" end,
  function() return { SECRET } end,
  function() return setmetatable({}, { __index = function() error "called" end }) end,
  function() return setmetatable({}, { __tostring = function() error "called" end, __len = error }) end,
  function() return setmetatable({ 1 }, { __index = { "a", "b" } }) end, function() return "127.0.0.1" end,
  function() return { "127.0.0.1", "10.0.0.1:9042" } end, function() return { ["0"] = 1, [1] = 2 } end,
  function(r)
    local list = {}
    for i = 1, r.below(3000) do list[i] = i end
    return list
  end,
  function(r)
    local map = {}
    for i = 1, r.below(300) do map["k" .. r.below(1000)] = i end
    return map
  end,
}

-- Of requests: good ones and others.
local function request_options(r)
  local given = {}
  for _ = 1, r.below(4) do
    local key = r.pick { "consistency", "serialConsistency", "timeout", "fetchSize", "isIdempotent", "tag", SECRET }
    given[key] = r.pick { "LOCAL_ONE", "local_serial", "QUORUM", 500, 0, -1, true, false, "x", SECRET, {} }
  end
  return given
end

-- How a changed policy comes: good ones and others.
local function by_parts(r)
  local number = { 0.05, 0.5, 1, 1.2, 2, 200, 1000, 0, -1, 0 / 0, 1 / 0, false, "x", SECRET }
  return {
    share = r.pick(number), lasting = r.pick { "2m", "1.5h", "2", "", 500, 1e300, -1, true, SECRET, {} },
    requests = r.pick(number),
    abortIf = r.pick { {}, "x", { errorRate = r.pick(number), p99 = r.pick(number) },
      { leftDatacenter = r.pick(number), nonsense = 1 }, { [SECRET] = 1 }, { 1 } },
    [r.pick { "shares", 1, SECRET, "abortif" }] = r.pick { 1, SECRET, {} },
  }
end

local good = {
  integer = function(r, rule) return rule.min + r.below(math.min(rule.max - rule.min, 30000) + 1) end,
  number = function(r, rule) return rule.min + r.below(2) * math.min(1, rule.max - rule.min) end,
  boolean = function(r) return r.chance(2) end,
  text = function(r, rule) return rule.among and r.pick(rule.among) or "name" .. r.below(9) end,
  path = function(r) return r.pick { "a/b.lua", "./x", "/tmp/none" } end,
  paths = function(r) return r.pick { "a", { "a", "/b" } } end,
  size = function(r, rule) return r.pick { rule.min, rule.max, "100MB", "1.5 GiB", "64 kib" } end,
  listen = function(r) return r.pick { "127.0.0.1:9500", "[::1]:9500", "/tmp/none.sock" } end,
  keys = function(r) return r.pick { {}, { "ed25519 " .. ("A"):rep(43) .. "=" }, { "ed25519" }, { SECRET } } end,
  credentials = function(r) return r.pick { "a/b.lua", function() return { username = "u", password = "p" } end } end,
  authenticator = function() return { initialResponse = function() return "" end } end,
  playbooks = function(r) return r.pick { { "a.lua" }, { "a", "/b", dryRun = false, commands = { "/bin/true" } } } end,
  addresses = function(r) return r.pick { { "127.0.0.1" }, { "a", "b:9042", "[::1]:9042" } } end,
  connections = function(r) return { ["0"] = 1 + r.below(4), ["1"] = r.below(3) } end,
  options = function(r, rule)
    return { policy = r.chance(2) and rule.policy or r.pick { "NoSuch", "x/y.lua", SECRET },
      [r.pick { "delay", "hosts", "childPolicy", "maxRetries" }] = r.pick { 5, "x", { "x" }, false, SECRET },
      [r.pick { "password", "apiToken" }] = r.pick { "CANARY", { "CANARY" }, 12345678 },
      canary = r.chance(2) and by_parts(r) or nil }
  end,
  choice = function(r)
    return r.pick { "TokenAwarePolicy", "NoSuch", "x/y.lua", SECRET, { policy = "RoundRobinPolicy" },
      { policy = SECRET, [r.pick { "password", "delay" }] = r.pick { "CANARY", 5, { "CANARY" } } } }
  end,
  translator = function(r)
    return r.pick { { ["10.0.0.1"] = "127.0.0.1:9042" }, { [SECRET] = SECRET }, function(address) return address end }
  end,
  defaults = function(r) return request_options(r) end,
  profiles = function(r)
    local given = {}
    for i = 1, r.below(4) do given[r.pick { "scan", "web", "", SECRET, "p" .. i }] = request_options(r) end
    return given
  end,
  regions = function(r) return { ["dc" .. r.below(3)] = { priority = 1 + r.below(3) } } end,
}

local function odd_value(r) return r.pick(odd)(r) end

local section_of

-- Below auth and tls everything is a secret, and so is a password wherever it stands.
local function value_of(r, rule, key, is_secret)
  if is_secret then
    return r.pick { "CANARY", { "CANARY" }, { CANARY = "CANARY" }, 12345678, "x", true, function() return "CANARY" end }
  end
  if r.chance(4) then return odd_value(r) end
  if rule.kind == "section" then return section_of(r, rule, key == "auth" or key == "tls") end
  return good[rule.kind](r, rule)
end

local function key_of(r, name)
  if r.chance(30) then return name:lower() end
  if r.chance(30) then return name .. "s" end
  return name
end

function section_of(r, rule, is_secret)
  local given = {}
  for _, line in ipairs(rule.keys) do
    local own = type(line[2]) == "table" and line[2] or line
    if r.chance(rule == schema and 5 or 3) then
      given[key_of(r, line[1])] = value_of(r, own, line[1], is_secret)
    end
  end
  if is_secret and r.chance(3) then given[r.pick { "CANARY", 12345678, "u:CANARY@h" }] = "CANARY" end
  if r.chance(20) then given[r.pick { 1, 1.5, true, SECRET, "", ("k"):rep(70000), {} }] = odd_value(r) end
  return given
end

-- ---- as a file --------------------------------------------------------------------------------------------

local function text_of(value, depth)
  local kind = type(value)
  if kind == "string" then return ("%q"):format(value):gsub("%z", "\\0") end
  if kind == "number" then return value ~= value and "0/0" or value == 1 / 0 and "1/0" or ("%.17g"):format(value) end
  if kind == "boolean" then return tostring(value) end
  if kind ~= "table" or depth > 6 then return "print" end
  local parts = {}
  for key, item in next, value do
    if type(key) == "string" or type(key) == "number" then
      parts[#parts + 1] = ("[%s] = %s"):format(text_of(key, depth), text_of(item, depth + 1))
    end
  end
  return "{ " .. table.concat(parts, ",\n") .. " }"
end

local WORDS = { "return", "end", "{", "}", "(", ")", "'", '"', "]]", "[[", "--", ",", "=", "local", "\\", "\0" }

local function secrets_in(text) return select(2, text:gsub("u:CANARY@10%.0%.0%.1", "")) end

-- A byte dropped, a word put in, or the end cut off. What makes a secret known as one stays whole.
local function spoiled(r, text)
  local at = r.below(#text) + 1
  local way = r.below(3)
  if way == 2 then return text:sub(1, at) end
  local made = way == 0 and text:sub(1, at - 1) .. text:sub(at + 1)
    or text:sub(1, at) .. " " .. r.pick(WORDS) .. " " .. text:sub(at + 1)
  return secrets_in(made) == secrets_in(text) and made or text
end

-- ---- the hunt ---------------------------------------------------------------------------------------------

-- nil, or what is wrong with what became of it.
local function look(given)
  local took, ok, checked, told = effort.of(pcall, config.check, given, "app.lua:3")
  if not ok then return "check raised " .. tostring(checked) end
  if took > MOST then return ("check took %.1f units"):format(took) end
  if checked == nil and (type(told) ~= "string" or told == "") then return "refused without a message" end
  if checked ~= nil and (type(checked) ~= "table" or type(told) ~= "table") then return "taken, but as what?" end
  local lines = type(told) == "table" and told or { told }
  local text = table.concat(lines, "\n")
  if select(2, text:gsub("\n", "")) > 42 or #text > 30000 then return "too much is told: " .. text:sub(1, 500) end
  return nil, checked ~= nil
end

-- The same as an application meets it: what it is told holds no secret.
local function open(given)
  local raised
  local logged = unix.said_by(function()
    local ok, pool = pcall(moonpool.ConnectionPool, given)
    if ok then
      moonpool.run(function() pool:close() end)
    else
      raised = tostring(pool)
    end
  end)
  local text = (raised or "") .. "\n" .. logged
  if canaries.shows(text) then return "a secret is shown: " .. text:sub(1, 2000) end
  if raised and raised:find "stack traceback" then return "an error of our own: " .. raised end
end

local function hunt(r, path)
  local given = section_of(r, schema, false)
  local found, taken = look(given)
  found = found or open(given)
  if found then return found end
  local text = "return " .. text_of(given, 1)
  policies.write(path, text)
  local from_file
  found, from_file = look(path)
  if not found and taken and not from_file then found = "taken as a table, refused as a file" end
  if found then return found end
  for _ = 1, 3 do
    policies.write(path, spoiled(r, text))
    found = look(path) or open(path)
    if found then return found .. "\n" .. text:sub(1, 2000) end
  end
end

-- nil, or what was found.
function configurations.run(seed)
  local folder = policies.folder()
  local found = hunt(random.new(seed), folder .. "/pool.lua")
  policies.remove(folder)
  return found and ("configurations, seed %d: %s"):format(seed, found)
end

return configurations
