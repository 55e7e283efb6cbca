-- SPDX-License-Identifier: Apache-2.0
-- What moonpool top shows: from a model to lines of spans { text, style } that fit into so many rows and columns, in
-- printable ASCII, whatever others wrote. A model is { place, pool, pools, lost, sort, reversed, chosen, question,
-- message, help, events }: `pool` is an answer to the verb `overview`, `chosen` the address of a host.
local screen = {}

local format = string.format

local function number(value, digits)
  if not value then return "" end
  if value >= 1e6 then return format("%.1fM", value / 1e6) end
  if value >= 1e4 then return format("%.1fk", value / 1e3) end
  return format("%." .. (value >= 100 and 0 or digits) .. "f", value)
end

local function whole(value) return value and format("%d", value) or "" end

-- Of what is wrong first, when states are sorted.
local RANK = { down = 1, paused = 2, draining = 3, new = 4, up = 5 }
local STYLES = { up = "good", down = "bad", paused = "warn", draining = "warn", new = "dim" }

local function state_of(host) return host.share and "probation" or host.held or host.status end

local function state_style(host)
  if host.status == "down" then return "bad" end
  return STYLES[state_of(host)] or "warn"
end

-- title, width (from the left when negative), what it shows, by what it sorts, how dear it is: the dearest go first
-- when there is no room, and those of 0 stay.
local COLUMNS = {
  { "HOST", -21, function(host) return host.address end, function(host) return host.address end, 0 },
  { "DC/RACK", -18, function(host) return host.datacenter .. "/" .. host.rack end,
    function(host) return host.datacenter .. "/" .. host.rack end, 5 },
  { "STATE", -9, state_of, function(host) return RANK[host.status] or 9 end, 0, style = state_style },
  { "CONN", 5, function(host) return whole(host.connections) end, function(host) return -host.connections end, 3 },
  { "FLIGHT", 6, function(host) return whole(host.inFlight) end, function(host) return -host.inFlight end, 3 },
  { "REQ/S", 7, function(host) return number(host.requestsPerSecond, 1) end,
    function(host) return -(host.requestsPerSecond or 0) end, 1 },
  { "P50 MS", 7, function(host) return number(host.latencyP50, 2) end,
    function(host) return -(host.latencyP50 or 0) end, 2 },
  { "P99 MS", 7, function(host) return number(host.latencyP99, 2) end,
    function(host) return -(host.latencyP99 or 0) end, 2 },
  { "ERR %", 6, function(host) return number((host.errorRate or 0) * 100, 1) end,
    function(host) return -(host.errorRate or 0) end, 2,
    style = function(host) return (host.errorRate or 0) >= 0.05 and "bad" or "normal" end },
  { "BREAKER", -8, function(host) return host.breaker or "-" end, function(host) return host.breaker or "~" end, 4,
    style = function(host) return (host.breaker or "closed") ~= "closed" and "bad" or "normal" end },
  { "WEIGHT", 6, function(host) return number(host.weight, 2) end, function(host) return -host.weight end, 6 },
}

-- The titles by which hosts can be sorted, in order.
screen.sorts = {}
for i, column in ipairs(COLUMNS) do screen.sorts[i] = column[1] end

local function column_of(title)
  for _, column in ipairs(COLUMNS) do
    if column[1] == title then return column end
  end
end

-- The hosts of a pool as they are shown; equal ones by their addresses.
function screen.sorted(hosts, title, reversed)
  local list, key = {}, column_of(title)[4]
  for i, host in ipairs(hosts) do list[i] = host end
  table.sort(list, function(a, b)
    local x, y = key(a), key(b)
    if x == y then return a.address < b.address end
    if reversed then return y < x end
    return x < y
  end)
  return list
end

-- The columns that there is room for; that by which they are sorted is as cheap as those that stay.
local function fitting(columns, sort)
  local chosen, used = {}, 0
  for dear = 0, 6 do
    for i, column in ipairs(COLUMNS) do
      local width = math.abs(column[2]) + 1
      local is_next = dear == (column[1] == sort and 0 or column[5])
      if is_next and (used + width <= columns or dear == 0) then
        chosen[i], used = true, used + width
      end
    end
  end
  local list = {}
  for i, column in ipairs(COLUMNS) do
    if chosen[i] then list[#list + 1] = column end
  end
  return list
end

local function cell(column, text)
  local width = math.abs(column[2])
  return format("%" .. column[2] .. "s", #text > width and text:sub(1, width - 1) .. "+" or text) .. " "
end

local function head(model, columns)
  local spans = {}
  for _, column in ipairs(columns) do
    local title = column[1]
    if title == model.sort then title = (model.reversed and "^" or "v") .. title end
    spans[#spans + 1] = { cell(column, title), "head" }
  end
  return spans
end

local function host_line(host, columns, is_chosen)
  local spans = {}
  for _, column in ipairs(columns) do
    local style = column.style and column.style(host) or "normal"
    spans[#spans + 1] = { cell(column, column[3](host)), is_chosen and "chosen" or style }
  end
  return spans
end

local OVERALL = { healthy = "good", degraded = "warn", unhealthy = "bad", closed = "bad" }

local function summary(model)
  local pool = model.pool
  local title = { { "moonpool top ", "title" }, { model.place } }
  if model.pools > 1 then title[3] = { format("  pool %d of %d (Tab: next)", model.at, model.pools), "note" } end
  if not pool then return { title, { { "waiting for an answer", "warn" } }, {} } end
  local f = pool.figures
  return { title, {
    { pool.overall, OVERALL[pool.overall] },
    { format(": %d of %d hosts up, %d connections, %d in flight", f.hostsUp, #pool.hosts, f.totalConnections,
      f.requestsInFlight) },
    { f.servingDataCenter and ", " .. f.servingDataCenter .. " serves" or "" },
  }, {
    { format("%s req/s, p50 %s ms, p99 %s ms, errors %s %%, %d waiting", number(f.requestsPerSecond or 0, 1),
      number(f.latencyP50 or 0, 2), number(f.latencyP99 or 0, 2), number((f.errorRate or 0) * 100, 1),
      f.requestsQueued) },
  } }
end

local BAD = { hostDown = "bad", connectionLost = "warn", breakerOpen = "bad", policyError = "bad", configError = "bad",
  handlersError = "bad", playbookError = "bad", hostUp = "good", breakerClose = "good", failover = "warn",
  eventsDropped = "warn" }

local function what_of(event)
  if event.host then return event.host .. (event.reason and ": " .. event.reason or "") end
  local parts = {}
  for name, value in pairs(event.what or {}) do -- of a canary's figures its reason tells the one that counts
    if type(value) ~= "table" then parts[#parts + 1] = name .. "=" .. tostring(value) end
  end
  table.sort(parts)
  return table.concat(parts, " ")
end

local function event_line(event)
  return { { os.date("%H:%M:%S ", math.floor(event.at / 1000)), "dim" },
    { format("%-18s ", event.event), BAD[event.event] or "note" }, { what_of(event) } }
end

local HELP = {
  "Up, Down, PgUp, PgDn  choose a host",
  "s, S                  sort by the next column, by the one before",
  "o                     the other way round",
  "p                     pause the host: no request goes to it, its connections stay",
  "r                     resume it",
  "d                     drain it: no request goes to it, its connections close",
  "Tab                   the next pool of the process",
  "Ctrl-L                draw the screen anew",
  "q                     quit",
  "?                     this, and back",
}

local function help_lines()
  local lines = { { { "moonpool top: keys", "title" } }, {} }
  for _, text in ipairs(HELP) do lines[#lines + 1] = { { text } } end
  return lines
end

local function status(model)
  if model.lost then return { { model.lost, "bad" } } end
  if model.question then return { { model.question, "warn" } } end
  if model.message then return { { model.message, model.failed and "bad" or "note" } } end
  return { { "q quit  s sort  o order  p pause  r resume  d drain  ? help", "dim" } }
end

-- Which of the hosts are shown: so many, the chosen one among them.
local function first_shown(model, hosts, room)
  local at = 1
  for i, host in ipairs(hosts) do
    if host.address == model.chosen then at = i end
  end
  local first = math.min(model.first or 1, math.max(1, #hosts - room + 1))
  if at < first then first = at elseif at >= first + room then first = at - room + 1 end
  model.first = first
  return first
end

local function add_hosts(lines, model, columns, room)
  local hosts = screen.sorted(model.pool.hosts, model.sort, model.reversed)
  local first = first_shown(model, hosts, room)
  for i = first, math.min(#hosts, first + room - 1) do
    lines[#lines + 1] = host_line(hosts[i], columns, hosts[i].address == model.chosen)
  end
end

local function add_events(lines, model, rows)
  local room = rows - #lines - 2
  if room < 1 then return end
  lines[#lines + 1] = { { "EVENTS", "head" } }
  for i = math.max(1, #model.events - room + 1), #model.events do
    lines[#lines + 1] = event_line(model.events[i])
  end
end

-- What moves no cursor.
local function printable(lines)
  for _, spans in ipairs(lines) do
    for _, span in ipairs(spans) do span[1] = span[1]:gsub("[^\32-\126]", "?") end
  end
  return lines
end

-- The whole screen. Events get a third of it; a small one shows hosts alone.
function screen.lines(model, rows, columns)
  local lines = model.help and help_lines() or summary(model)
  if not model.help and model.pool then
    local shown = fitting(columns, model.sort)
    lines[#lines + 1] = head(model, shown)
    local left = rows - #lines - 1
    add_hosts(lines, model, shown, math.max(1, left >= 6 and math.ceil(left * 2 / 3) - 1 or left))
    add_events(lines, model, rows)
  end
  while #lines >= rows do lines[#lines] = nil end
  while #lines < rows - 1 do lines[#lines + 1] = {} end
  lines[#lines + 1] = status(model)
  return printable(lines)
end

return screen
