-- SPDX-License-Identifier: Apache-2.0
-- The lines of figures that bench/run gathers ("name=value name=value ..."), by what they are about: what table.lua
-- prints and plot.lua draws.
local lines = {}

lines.CLIENTS = { "raw", "c", "lua" }

local function parse(line)
  local fields = {}
  for key, value in line:gmatch "(%w[%w_]*)=(%S+)" do fields[key] = tonumber(value) or value end
  return fields
end

function lines.median(values)
  if #values == 0 then return nil end
  local sorted = { unpack(values) }
  table.sort(sorted)
  local middle = math.floor((#sorted + 1) / 2)
  return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

function lines.each(entries, field)
  local values = {}
  for _, entry in ipairs(entries or {}) do values[#values + 1] = entry[field] end
  return values
end

function lines.middle(entries, field) return lines.median(lines.each(entries, field)) end

-- Requests per second and processor time as parts of the raw client's in the same rounds.
function lines.shares(entries, raw)
  local rate, cpu = {}, {}
  for i, entry in ipairs(entries or {}) do
    if raw and raw[i] then
      rate[#rate + 1] = entry.req_s / raw[i].req_s
      cpu[#cpu + 1] = raw[i].cpu_us / entry.cpu_us
    end
  end
  return lines.median(rate), lines.median(cpu)
end

-- Lists in the order in which their things came first, each thing found by its name.
local function thing(list, name, make)
  local key = tostring(name)
  if not list[key] then
    list[key] = make()
    list[#list + 1] = list[key]
  end
  return list[key]
end

local function add(of, field, entry)
  of[field] = of[field] or {}
  table.insert(of[field], entry)
end

-- Sessions with few and with many hosts: a host is the difference.
local function add_memory(memory, entry)
  if entry.memory ~= "session" then
    memory[entry.memory] = entry
  elseif not memory.few then
    memory.few = entry
  else
    local few, hosts = memory.few, entry.nodes - memory.few.nodes
    memory.host = { bytes = (entry.bytes - few.bytes) / hosts, least = (entry.least - few.least) / hosts }
  end
end

-- loads: { outstanding, raw = entries, c = , lua = } by requests in flight; rows and nodes: the same by what they are
-- about, `luacount` being a page whose rows are only counted; connects: { nodes, session = , raw = }; decisions: {
-- hosts, entries } with counted[hosts]; tls: { client, outstanding, [0] = plain, [1] = TLS }; memory: { bytes, least }
-- by what holds it; latencies: { client, us, entries } of one request in flight; the others as they came.
function lines.read(path)
  local all = { loads = {}, rows = {}, nodes = {}, connects = {}, latencies = {}, memory = {}, decisions = {},
    counted = {}, lookups = {}, reloads = {}, swaps = {}, tls = {} }
  for line in io.lines(path) do
    local entry = parse(line)
    if entry.decision then
      add(thing(all.decisions, entry.hosts, function() return { hosts = entry.hosts } end), "entries", entry)
    elseif entry.counted then
      all.counted[entry.hosts] = entry
    elseif entry.lookup then
      table.insert(all.lookups, entry)
    elseif entry.connect then
      add(thing(all.connects, entry.nodes, function() return { nodes = entry.nodes } end), entry.connect, entry)
    elseif entry.reload then
      table.insert(all.reloads, entry)
    elseif entry.swapping then
      table.insert(all.swaps, entry)
    elseif entry.tls then
      local function make() return { client = entry.client, outstanding = entry.outstanding, [0] = {}, [1] = {} } end
      add(thing(all.tls, entry.client .. " " .. entry.outstanding, make), entry.tls, entry)
    elseif entry.latency then
      local function make() return { client = entry.client, us = entry.latency } end
      add(thing(all.latencies, entry.client .. " " .. entry.latency, make), "entries", entry)
    elseif entry.memory then
      add_memory(all.memory, entry)
    elseif entry.part == "rows" then
      local what = entry.rows:gsub("count$", "")
      local function make() return { what = what, outstanding = entry.outstanding } end
      add(thing(all.rows, what, make), entry.client .. (entry.rows:match "count$" or ""), entry)
    elseif entry.part == "nodes" then
      local function make() return { what = entry.nodes, outstanding = entry.outstanding } end
      add(thing(all.nodes, entry.nodes, make), entry.client, entry)
    elseif entry.client then
      add(thing(all.loads, entry.outstanding, function() return { outstanding = entry.outstanding } end), entry.client,
        entry)
    end
  end
  return all
end

-- The holders of memory that were measured, in this order.
function lines.memory(all)
  local names, i = { "host", "connection", "statement", "coroutine" }, 0
  return function()
    repeat i = i + 1 until not names[i] or all.memory[names[i]]
    return names[i], all.memory[names[i]]
  end
end

return lines
