-- SPDX-License-Identifier: Apache-2.0
-- A configuration is taken, or refused with a message that is not too long; and what is taken makes a pool, or is
-- refused by it with a message. Nothing else is raised, whatever stands where.
local bytes = require "spec.fuzz.bytes"
local config = require "moonpool.config"
local moonpool = require "moonpool"
local schema = require "moonpool.config.schema"

local WORDS = { "100MB", "1.5 GiB", "LOCAL_QUORUM", "ONE", "127.0.0.1", "[::1]:9042", "a:1", "TokenAwarePolicy",
  "RoundRobinPolicy", "DefaultRetryPolicy", "lz4", "off", "datacenter1", "cassandra://u:p@h/ks", "", "\0", "tlsv1.3" }
local DEEPEST = 8

-- What a process would do besides making a pool.
local ELSEWHERE = { "metrics", "http", "control", "logging", "playbooks", "decisionLog", "handlers" }

local section, value

local function list_of(from, depth)
  local list = {}
  for i = 1, from:below(5) do list[i] = value(from, depth + 1) end
  return list
end

local function map_of(from, depth)
  local map = {}
  for _ = 1, from:below(5) do
    local key = from:below(4) == 0 and from:number() or from:below(2) == 0 and from:pick(WORDS) or from:text()
    if key == key then map[key] = value(from, depth + 1) end
  end
  return map
end

function value(from, depth)
  local way = from:below(depth < DEEPEST and 10 or 7)
  if way == 0 then return from:pick(WORDS) end
  if way <= 2 then return from:number() end
  if way == 3 then return from:text() end
  if way == 4 then return from:below(2) == 0 end
  if way == 5 then return print end
  if way == 6 then return ("x"):rep(2 ^ from:below(17)) end
  if way == 7 then return list_of(from, depth) end
  if way == 8 then return map_of(from, depth) end
  local own = {}
  own.own = own
  return own
end

function section(from, rule, depth)
  local given = {}
  for _ = 1, 1 + from:below(8) do
    if from:ended() then break end
    local line = from:pick(rule.keys)
    local own = type(line[2]) == "table" and line[2] or line
    local way = from:below(8)
    local key = way == 7 and line[1] .. from:text(4) or line[1]
    if own.kind == "section" and way > 0 then given[key] = section(from, own, depth + 1)
    else given[key] = value(from, depth) end
  end
  return given
end

local function message_of(told)
  assert(type(told) == "string" and told ~= "", "refused without a message")
  assert(#told < 100000 and select(2, told:gsub("\n", "")) < 42, "too much is told")
end

local function open(given)
  for _, key in ipairs(ELSEWHERE) do given[key] = nil end
  given.logging, given.contactPoints = { level = "off" }, given.contactPoints or { "127.0.0.1" }
  local ok, made = pcall(moonpool.ConnectionPool, given)
  if ok then return moonpool.run(function() made:close() end) end
  message_of(tostring(made))
  assert(not tostring(made):find "stack traceback", made)
end

return function(input)
  local from = bytes(input)
  local given = section(from, schema, 0)
  local checked, told = config.check(given, "app.lua:3")
  if checked == nil then return message_of(told) end
  assert(type(checked) == "table" and type(told) == "table", "taken, but as what?")
  message_of(table.concat(told, "\n") .. ".")
  open(given)
end
