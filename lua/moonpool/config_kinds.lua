-- SPDX-License-Identifier: Apache-2.0
-- The kinds of values a configuration has: each judges one value, tells problems to the check and returns the value as
-- C takes it. Called as kinds.KIND(check, path, rule, value).
local format = string.format

local kinds = {}

-- "got -5 (number)"; tables and functions have no value to show, and neither has a secret.
function kinds.got(value, secret)
  local kind = type(value)
  if kind == "string" and not secret then
    local text = #value > 60 and value:sub(1, 57) .. "..." or value
    return format('got "%s" (string)', (text:gsub("[%c\"]", function(c) return format("\\%d", c:byte()) end)))
  elseif (kind == "number" or kind == "boolean") and not secret then
    local shown = kind == "number" and value == math.floor(value) and math.abs(value) < 1e15 and format("%d", value)
      or tostring(value)
    return format("got %s (%s)", shown, kind)
  end
  return "got a " .. kind
end

local got = kinds.got

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
    return check:problem(path, last, got(value) .. "; " .. integer_allowed(rule))
  end
  if value > rule.max then
    return check:problem(path, last, format("%s; must be an integer%s, at most %d", got(value),
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
    return check:problem(path, "", format("%s; must be a number, %s to %s", got(value), rule.min, rule.max))
  end
  return value
end

function kinds.boolean(check, path, _, value)
  if type(value) ~= "boolean" then return check:problem(path, "", got(value) .. "; must be true or false") end
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
  if not ok then return check:problem(path, last or "", got(value, rule.secret) .. "; " .. allowed) end
  return value
end

-- Is it a list, 1 .. n without holes and other keys?
local function is_list(value)
  if type(value) ~= "table" then return false end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return count == #value
end

function kinds.texts(check, path, rule, value)
  if type(value) == "string" then value = { value } end
  if not is_list(value) then return check:problem(path, "", got(value) .. "; must be a list of texts") end
  local list = {}
  for i, text in ipairs(value) do list[i] = kinds.text(check, path, rule, text, format("[%d]", i)) end
  return list
end

local function is_ipv4(text)
  local parts = { text:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  for _, part in ipairs(parts) do
    if #part > 3 or tonumber(part) > 255 then return false end
  end
  return #parts == 4
end

-- "host", "host:port", "[v6]", "[v6]:port", "v6". Returns host and port, or nil and what is wrong.
local function split_address(text)
  if text:find "://" then return nil, "must be a host name or an address, not a URL" end
  local host, port = text:match "^%[([%x:.%%]+)%]:?(.*)$"
  if not host and select(2, text:gsub(":", "")) > 1 and text:find "^[%x:.]+$" then host, port = text, "" end
  if not host then host, port = text:match "^([^:]+):(.*)$" end
  if host and port == "" and text:sub(-1) == ":" then return nil, "the port after : is missing" end
  if not host then host, port = text, "" end
  if host == "" then return nil, "the host is missing" end
  if host:find "^[%d.]+$" and not is_ipv4(host) then
    return nil, "must be four numbers from 0 to 255 with dots between them, or a host name"
  end
  if not host:find "^[%w._:%%-]+$" or #host > 253 then
    return nil, "must be a host name or an address, with :port if it is not the usual one"
  end
  if port == "" then return host, nil end
  local number = port:find "^%d+$" and tonumber(port)
  if not number or number < 1 or number > 65535 then return nil, "the port must be 1 to 65535" end
  return host, number
end

function kinds.addresses(check, path, _, value)
  if not is_list(value) or #value == 0 then
    return check:problem(path, "", format('%s; must be a list of addresses: { "127.0.0.1", "node2:9042" }',
      is_list(value) and "got an empty list" or got(value)))
  end
  local list, seen = {}, {}
  for i, text in ipairs(value) do
    local last = format("[%d]", i)
    if type(text) ~= "string" then
      check:problem(path, last, got(text) .. "; must be a text such as \"127.0.0.1\" or \"node2:9042\"")
    else
      local host, port = split_address(text)
      if not host then check:problem(path, last, got(text) .. "; " .. port) end
      if seen[text] then check:warn(path, last, format('"%s" is there twice', text)) end
      seen[text] = true
      list[i] = host and { host = host, port = port }
    end
  end
  return list
end

local DISTANCES = {
  ["0"] = "local", [0] = "local", ["local"] = "local",
  ["1"] = "remote", [1] = "remote", remote = "remote",
  ["2"] = "ignored", [2] = "ignored", ignored = "ignored",
}

local function key_name(key)
  return type(key) == "number" and format("[%s]", key) or format("['%s']", tostring(key))
end

-- A number for each distance: { ["0"] = 2, ["1"] = 1 }, also with numbers or names as keys.
function kinds.connections(check, path, rule, value)
  if type(value) ~= "table" then
    return check:problem(path, "", got(value) .. "; must be a table such as { ['0'] = 2, ['1'] = 1 }")
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

-- Settings for each datacentre.
function kinds.regions(check, path, _, value)
  if type(value) ~= "table" then
    return check:problem(path, "", got(value) .. "; must be a table with a datacentre for each key")
  end
  local names = {}
  for name in pairs(value) do names[#names + 1] = tostring(name) end
  table.sort(names)
  local list = {}
  for i, name in ipairs(names) do
    local given = type(value[name]) == "table" and value[name] or {}
    list[i] = { dc = name, maxConnections = given.maxConnections, priority = given.priority }
    check:section({ path[1], name }, { keys = {
      { "maxConnections", kind = "integer", min = 1, max = 4096 },
      { "priority", kind = "integer", min = 1, max = 1000 },
    } }, value[name])
  end
  if #list > 64 then return check:problem(path, "", "at most 64 datacentres") end
  return list
end

function kinds.section(check, path, rule, value)
  return check:section(path, rule, value)
end

-- Is it something that can be written down as text again: what a policy's options are made of?
local function is_literal(value, depth)
  local kind = type(value)
  if kind == "number" then return value == value and math.abs(value) ~= math.huge end
  if kind ~= "table" then return kind == "string" or kind == "boolean" end
  if depth > 8 then return false end
  for key, item in pairs(value) do
    local key_kind = type(key)
    if key_kind ~= "string" and key_kind ~= "number" or not is_literal(item, depth + 1) then return false end
  end
  return true
end

-- A policy and its options. Which options there are, the policy's file says; it is asked when the pool is made.
function kinds.options(check, path, rule, value)
  if type(value) ~= "table" then return check:problem(path, "", got(value) .. "; must be a table") end
  local options = {}
  local names = {}
  for key in pairs(value) do names[#names + 1] = tostring(key) end
  table.sort(names)
  for _, key in ipairs(names) do
    local option = value[key]
    local here = { path[1], key }
    if option == nil then
      check:problem(here, "", "the name of an option must be a text")
    elseif key == "policy" then
      kinds.text(check, here, { allowed = "must be the name of a policy or the path of its file" }, option)
    elseif not is_literal(option, 1) then
      check:problem(here, "", got(option) .. "; must be a number, a text, true, false or a table of those")
    else
      options[key] = option
    end
  end
  return { policy = value.policy or rule.policy, options = options }
end

return kinds
