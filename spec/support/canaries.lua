-- SPDX-License-Identifier: Apache-2.0
-- Wrong configurations that hold a secret, CANARY or the number 12345678, where people put it by mistake.
local canaries = {}

-- What stands between the braces of `return { ... }`.
local TABLES = [[
auth = "u:CANARY"
auth = { "u", "CANARY" }
auth = { CANARY = true }
auth = { username = "u", CANARY = "x" }
auth = { [12345678] = true }
auth = 12345678
auth = { { { "CANARY" } } }
auth = { username = "u", password = 12345678 }
auth = { username = "u", password = { "CANARY" } }
auth = { username = "u", password = { x = { CANARY = "CANARY" } } }
auth = { username = "u", password = "CANARY\0" }
auth = { username = "u", password = ("CANARY"):rep(20000) }
auth = { username = "u", password = function() return "CANARY" end }
auth = { username = { "CANARY" }, password = "x" }
auth = { username = "", password = "CANARY" }
auth = { username = "u:CANARY", required = "CANARY" }
auth = { password = "CANARY" }
auth = { user = "u", pass = "CANARY" }
auth = (function() local t = { CANARY = {} } t.CANARY.CANARY = t return t end)()
auth = setmetatable({}, { __index = function() return "CANARY" end })
auth = setmetatable({ password = 5 }, { __index = { CANARY = 1 } })
auth = { [{ "CANARY" }] = 1 }
tls = { key = "CANARY" }
tls = { CANARY = 1 }
tls = "CANARY"
contactPoints = { "cassandra://u:CANARY@127.0.0.1" }
contactPoints = "u:CANARY@127.0.0.1"
contactPoints = { "u:CANARY@127.0.0.1:9042" }
contactPoints = { "u:CANARY" }
contactPoints = "u:CANARY"
contactPoints = { "u:CAN ARY:CANARY@h" }
contactPoints = { "CANARY@h" }
contactPoints = { ("x"):rep(50) .. ":CANARY" .. ("y"):rep(50) .. "@h" }
contactPoints = { ["u:CANARY@h"] = 1 }
contactPoints = { "127.0.0.1", { password = "CANARY" } }
keyspace = "cassandra://u:CANARY@h/ks"
localRack = { "u:CANARY@h" }
localDataCenter = "u:CANARY@h\0"
port = "u:CANARY@h"
["u:CANARY@h"] = 1
["x y:CANARY@h"] = { 1 }
pooling = "u:CANARY@h"
pooling = { ["u:CANARY@h"] = 1 }
pooling = { coreConnectionsPerHost = { ["u:CANARY@h"] = 1 } }
regionSettings = { ["u:CANARY@h"] = 5 }
logging = { level = "u:CANARY@h" }
compression = "u:CANARY@h"
loadBalancing = { policy = "u:CANARY@h" }
loadBalancing = { policy = "/none/u:CANARY@h.lua" }
loadBalancing = { policy = "TokenAwarePolicy", childPolicy = "cassandra://u:CANARY@h" }
loadBalancing = { policy = "TokenAwarePolicy", shuffleReplicas = "u:CANARY@h" }
loadBalancing = { policy = "TokenAwarePolicy", password = "CANARY" }
loadBalancing = { policy = "TokenAwarePolicy", apiToken = { "CANARY" } }
retry = { password = function() return "CANARY" end }
retry = { maxRetries = "cassandra://u:CANARY@h" }
reconnection = { policy = "ExponentialReconnectionPolicy", ["u:CANARY@h"] = 1 }
handlers = "none/u:CANARY@h.lua"
policyPath = { "u:CANARY@h" }, loadBalancing = { policy = "NoSuchPolicy" }
policyPath = { 5, password = "CANARY" }
]]

-- Whole files.
local TEXTS = {
  'return { auth = { username = "u", password = "CANARY" "x" } }',
  'return { auth = { username = "u", password = "CANARY } }',
  'return { auth = { username = "u", password = [[CANARY } }',
  "return { auth = { username = 'u', password = 'CANARY } }",
  "return { auth = { username = 'u', password = CANARY.x } }",
  "return { auth = { username = 'u', password = CANARY() } }",
  "return { auth = { username = 'u', password = CANARY .. 'x' } }",
  "return { auth = { username = 'u', password = CANARY-x } }",
  "return { auth = { username = 'u', password = 12CANARY } }",
  "return { auth = { username = 'u', password = pass CANARY } }",
  "return { auth = { username = 'u', password = \\CANARY } }",
  "return { auth = { 'u', CANARY x } }",
  "return { auth = u:CANARY }",
  "return { auth = (u:CANARY()) }",
  "return { tls = { key = -----BEGIN CANARY----- } }",
  'local password = "CANARY" error("cannot use " .. password)',
  'local password = "CANARY" local t = {} t[password].x = 1 return t',
  'local auth = { password = "CANARY" } return { x = auth.CANARY.x }',
  'local secret = "CANARY" x = y z return secret',
  'error { message = "password = CANARY" }',
  'error { password = "CANARY" }',
  'error(setmetatable({}, { __tostring = function() return "CANARY" end }))',
  'error "cassandra://u:CANARY@h is down"',
  'assert(nil, "password=CANARY is wrong")',
  'return "CANARY"',
  'return 12345678',
  'auth = "u:CANARY"',
  'return { contactPoints = { "cassandra://u:CANARY@127.0.0.1" "x" } }',
  'return { contactPoints = { "cassandra://u:CANARY@127.0.0.1 } }',
}

-- All of them as texts of files.
function canaries.files()
  local list = {}
  for line in TABLES:gmatch "[^\n]+" do list[#list + 1] = "return { " .. line .. " }" end
  for _, text in ipairs(TEXTS) do list[#list + 1] = text end
  return list
end

-- What the key of that name is called in messages is no secret.
local function without_key(text)
  for _, section in ipairs { "loadbalancing", "retry", "reconnection", "speculativeexecution", "failover" } do
    text = text:gsub(section .. "%.canary%f[%W]", section)
  end
  return (text:gsub("a canary divides requests", ""))
end

-- Does a text show any part of a secret that is worth something?
function canaries.shows(text)
  text = without_key(text:lower())
  return text:find "canary" ~= nil or text:find "12345678" ~= nil
end

return canaries
