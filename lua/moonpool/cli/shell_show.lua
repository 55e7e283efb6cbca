-- SPDX-License-Identifier: Apache-2.0
-- Values as people read them at the prompt of `moonpool shell`: rows and lists as tables.
local columns = require "moonpool.cli.columns"

local show = {}

local WIDEST, MOST_ROWS, MOST_FIELDS = 48, 200, 100

local function cut(text)
  text = text:gsub("[%c]", function(c) return ("\\%d"):format(c:byte()) end)
  if columns.width_of(text) <= WIDEST then return text end
  return text:gsub("[\128-\255]", "?"):sub(1, WIDEST - 3) .. "..."
end

local function short(value)
  if value == nil then return "null" end
  if type(value) ~= "table" then return cut(tostring(value)) end
  local meta = getmetatable(value)
  if meta and meta.__tostring then return cut(tostring(value)) end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = short(item) end
  if #parts == 0 then
    for key, item in pairs(value) do parts[#parts + 1] = tostring(key) .. " = " .. short(item) end
    table.sort(parts)
  end
  return cut("{ " .. table.concat(parts, ", ") .. " }")
end

-- The fields of `rows` that `head` names, as a table.
local function grid(head, rows)
  local list = { head }
  for n, row in ipairs(rows) do
    if n > MOST_ROWS then break end
    local line = {}
    for i, name in ipairs(head) do line[i] = short(row[name]) end
    list[n + 1] = line
  end
  return columns.lines(list, true)
end

local function rows_of(result)
  local head, rows = {}, result.rows or {}
  for i, column in ipairs(result.columns or {}) do
    head[i] = type(column) == "table" and column.name or tostring(column)
  end
  local more = #rows > MOST_ROWS and (" (%d are shown)"):format(MOST_ROWS) or ""
  local info = result.info
  local tail = ("%d row%s%s, %s, %.1f ms"):format(#rows, #rows == 1 and "" or "s", more, info.host, info.latencyMs)
  if #head == 0 then return ("done, %s, %.1f ms"):format(info.host, info.latencyMs) end
  return grid(head, rows) .. "\n" .. tail
end

local function is_result(value)
  if type(value) ~= "table" or not getmetatable(value) then return false end
  local ok, info = pcall(function() return value.info end)
  return ok and type(info) == "table" and info.latencyMs ~= nil
end

local function fields(value)
  local list, names = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for i, name in ipairs(names) do
    if i > MOST_FIELDS then break end
    list[i] = { tostring(name), short(value[name]) }
  end
  return columns.lines(list)
end

-- A list of tables with the same fields, as a table.
local function items(list)
  local head = {}
  for name in pairs(list[1]) do head[#head + 1] = tostring(name) end
  table.sort(head)
  return grid(head, list)
end

function show.value(value)
  if is_result(value) then
    local ok, text = pcall(rows_of, value)
    if ok then return text end
  end
  if type(value) ~= "table" then return tostring(value) end
  local meta = getmetatable(value)
  if meta and meta.__tostring then return tostring(value) end
  if type(value[1]) == "table" then return items(value) end
  if next(value) == nil then return "{}" end
  return fields(value)
end

function show.plan(found)
  local list = { { "", "host", "datacenter", "rack", "step", "why" } }
  for i, host in ipairs(found.hosts) do
    list[i + 1] = { tostring(i), host.host .. (host.isReplica and " (replica)" or ""), host.datacenter, host.rack,
      tostring(host.step), host.why }
  end
  if found.refused then return "the policy refuses the request: no host is asked" end
  return columns.lines(list, true) .. (found.fallback and "\nthe policy did not answer: this is the default plan" or "")
end

function show.hosts(hosts)
  local list = { { "host", "status", "distance", "place", "connections", "in flight", "ms" } }
  for i, host in ipairs(hosts) do
    list[i + 1] = { host.address, host.status, host.distance, host.datacenter .. "/" .. host.rack,
      tostring(host.connections), tostring(host.inFlight), ("%.2f"):format(host.averageLatency) }
  end
  return columns.lines(list, true)
end

function show.policies(policies)
  local list, kinds = { { "kind", "name", "generation", "calls", "errors", "file" } }, {}
  for kind in pairs(policies) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  for i, kind in ipairs(kinds) do
    local of = policies[kind]
    list[i + 1] = { kind, of.name, tostring(of.generation), tostring(of.calls), tostring(of.errors), of.file }
  end
  return columns.lines(list, true)
end

function show.nodes(nodes)
  local list = { { "node", "address", "state", "place", "connections", "requests" } }
  for i, node in ipairs(nodes) do
    local state = not node.member and "removed" or node.paused and "paused" or node.serving and "up" or "dead"
    list[i + 1] = { tostring(i), node.address, state, node.dc .. "/" .. node.rack, tostring(node.connections),
      tostring(node.requests) }
  end
  return columns.lines(list, true)
end

return show
