-- SPDX-License-Identifier: Apache-2.0
-- What differs between two checked configurations, key by key, as somebody may read it: without secrets; and what of it
-- cannot change while a session is connected.
local change_of = require "moonpool.config.change"
local secrets = require "moonpool.secrets"

local format = string.format

local difference = {}

local function shown(entry)
  if entry == nil then return "(not set)" end
  local value = entry.value
  if entry.rule.kind == "translator" then return value.shown end
  if entry.rule.kind ~= "options" and entry.rule.kind ~= "choice" then return secrets.value(value) end
  local flat = { policy = value.policy }
  for name, option in pairs(value.options) do flat[name] = option end
  flat.canary = value.canary
  return secrets.value(flat)
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  -- Made of functions: translator.lua, authenticator.lua.
  if type(a.translate or a.ask) == "function" then return a.shown == b.shown end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function parts_of(key)
  local parts = {}
  for part in key:gmatch "[^.]+" do parts[#parts + 1] = part end
  return parts
end

local function by_key(values)
  local map = {}
  for _, entry in ipairs(values) do map[entry.key] = entry end
  return map
end

-- Every key whose value is another one now: { key, from, to, rule }, in the order of the schema.
function difference.between(old, new)
  local before, after = by_key(old.values), by_key(new.values)
  local list = {}
  local function compare(key, rule)
    local old_value, value = before[key] and before[key].value, after[key] and after[key].value
    if same(old_value, value) then return end
    local from, to = shown(before[key]), shown(after[key])
    if secrets.hides(parts_of(key)) and type(value) ~= "boolean" then from, to = "(secret)", "(changed)" end
    list[#list + 1] = { key = key, from = from, to = to, rule = rule, value = value }
  end
  for _, entry in ipairs(new.values) do compare(entry.key, entry.rule) end
  for _, entry in ipairs(old.values) do
    if not after[entry.key] then compare(entry.key, entry.rule) end
  end
  return list
end

-- A key that was left open and is now said to be what was found anyway is no change for the session.
local function is_as_found(change, identity)
  local found = identity[change.key] or change_of.default[change.key]
  return found ~= nil and change.from == "(not set)" and change.value == found
end

-- A line for each key that a session which was connected cannot change, or nil. `identity`: what it found out by itself
-- ({ localDataCenter, protocolVersion }), or nothing.
function difference.refusals(identity, checked, changes)
  if not identity then return nil end
  local lines = {}
  for _, change in ipairs(changes) do
    local refusal = change_of.refusal(change.key)
    if refusal and not is_as_found(change, identity) then
      lines[#lines + 1] = format("%s: %s: %s -> %s cannot be applied while the pool runs: %s",
        checked.place(parts_of(change.key)), change.key, change.from, change.to, refusal)
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

-- One sentence of all.
function difference.text(changes)
  local list = {}
  for i, change in ipairs(changes) do list[i] = format("%s: %s -> %s", change.key, change.from, change.to) end
  return table.concat(list, "; ")
end

return difference
