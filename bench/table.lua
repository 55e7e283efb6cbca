-- SPDX-License-Identifier: Apache-2.0
-- Turns the lines that bench/run gathered into tables. A share compares a client with the raw client of the same round;
-- each figure is the median over the rounds.
--
--   luajit bench/table.lua FILE

local CLIENTS = { "raw", "c", "lua" }

local function parse(line)
  local fields = {}
  for key, value in line:gmatch "(%w[%w_]*)=(%S+)" do fields[key] = tonumber(value) or value end
  return fields
end

local function median(values)
  if #values == 0 then return nil end
  local sorted = { unpack(values) }
  table.sort(sorted)
  local middle = math.floor((#sorted + 1) / 2)
  return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

local function each(entries, field)
  local values = {}
  for _, entry in ipairs(entries) do values[#values + 1] = entry[field] end
  return values
end

local function sum(entries, field)
  local total
  for _, value in ipairs(each(entries, field)) do total = (total or 0) + value end
  return total
end

local function show(pattern, value)
  return value and pattern:format(value) or "-"
end

-- Pads the columns: the first one to the left, the others to the right.
local function print_table(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for at, row in ipairs(rows) do
    local cells, rule = {}, {}
    for i, cell in ipairs(row) do
      cells[i] = (i == 1 and "%-" or "%") .. widths[i] .. "s"
      cells[i] = cells[i]:format(cell)
      rule[i] = ("-"):rep(widths[i] - (i == 1 and 0 or 1)) .. (i == 1 and "" or ":")
    end
    print("| " .. table.concat(cells, " | ") .. " |")
    if at == 1 then print("| " .. table.concat(rule, " | ") .. " |") end
  end
end

-- by_outstanding[n][client] = its entries in the order of the rounds
local by_outstanding, order = {}, {}
local decisions, counted, lookups, reloads, swaps, connects, tls = {}, {}, {}, {}, {}, {}, {}
local file = arg[1] or error("usage: table.lua FILE", 0)
for line in io.lines(file) do
  local entry = parse(line)
  if entry.decision then
    local of = decisions[entry.hosts]
    if not of then
      of = {}
      decisions[entry.hosts], decisions[#decisions + 1] = of, entry.hosts
    end
    of[#of + 1] = entry
  elseif entry.counted then
    counted[entry.hosts] = entry
  elseif entry.lookup then
    lookups[#lookups + 1] = entry
  elseif entry.connect then
    local of = connects[#connects]
    if not of or of.nodes ~= entry.nodes then
      of = { nodes = entry.nodes, session = {}, raw = {} }
      connects[#connects + 1] = of
    end
    table.insert(of[entry.connect], entry)
  elseif entry.reload then
    reloads[#reloads + 1] = entry
  elseif entry.swapping then
    swaps[#swaps + 1] = entry
  elseif entry.tls then
    local of = tls[#tls]
    if not of or of.client ~= entry.client or of.outstanding ~= entry.outstanding then
      of = { client = entry.client, outstanding = entry.outstanding, [0] = {}, [1] = {} }
      tls[#tls + 1] = of
    end
    table.insert(of[entry.tls], entry)
  elseif entry.client then
    local of = by_outstanding[entry.outstanding]
    if not of then
      of = {}
      by_outstanding[entry.outstanding], order[#order + 1] = of, entry.outstanding
    end
    of[entry.client] = of[entry.client] or {}
    table.insert(of[entry.client], entry)
  end
end

local function shares(entries, raw)
  local rate, cpu = {}, {}
  for i, entry in ipairs(entries) do
    if raw[i] then
      rate[#rate + 1] = entry.req_s / raw[i].req_s
      cpu[#cpu + 1] = raw[i].cpu_us / entry.cpu_us
    end
  end
  return median(rate), median(cpu)
end

local function per_request(entries, field)
  local count = sum(entries, field)
  return count and ("%.4f"):format(count / sum(entries, "requests")) or "-"
end

local function client_row(name, outstanding, entries, raw)
  local rate, cpu = shares(entries, raw)
  return {
    name,
    tostring(outstanding),
    show("%.0f", median(each(entries, "req_s"))),
    show("%.3f", median(each(entries, "cpu_us"))),
    show("%.0f", median(each(entries, "p50_us"))),
    show("%.0f", median(each(entries, "p99_us"))),
    show("%.3f", rate),
    show("%.3f", cpu),
    show("%.0f", sum(entries, "allocations")),
    per_request(entries, "policy_calls"),
    show("%.0f", sum(entries, "policy_fallbacks")),
  }
end

if #order > 0 then
  local rows = { { "client", "outstanding", "req/s", "CPU us/req", "p50 us", "p99 us", "share req/s", "share CPU",
    "allocations", "Lua plans/req", "fallbacks" } }
  for _, outstanding in ipairs(order) do
    local of = by_outstanding[outstanding]
    for _, name in ipairs(CLIENTS) do
      if of[name] then rows[#rows + 1] = client_row(name, outstanding, of[name], of.raw or {}) end
    end
  end
  print ""
  print_table(rows)
end

-- A key of `decisions` that is a number of hosts may look like a place in its list; sizes begin at 12.
local function decision_rows()
  local rows = { { "hosts", "Lua ns", "C ns", "Lua / C", "worst / median", "bytes/call", "Lua instructions",
    "C instructions", "of which search" } }
  for i = 1, #decisions do
    local hosts = decisions[i]
    local of, count = decisions[hosts], counted[hosts]
    local ratios = {}
    for k, entry in ipairs(of) do ratios[k] = entry.lua_ns / entry.c_ns end
    local middle = median(ratios)
    rows[#rows + 1] = {
      tostring(hosts),
      show("%.1f", median(each(of, "lua_ns"))),
      show("%.1f", median(each(of, "c_ns"))),
      show("%.2f", middle),
      show("%.2f", math.max(unpack(ratios)) / middle),
      show("%.4g", median(each(of, "bytes"))),
      show("%.0f", count and count.lua - count.loop),
      show("%.0f", count and count.c - count.loop),
      show("%.0f", count and count.find - count.loop),
    }
  end
  return rows
end

if #decisions > 0 then
  print(("\na decision, in %d fresh processes\n"):format(#decisions[decisions[1]]))
  print_table(decision_rows())
end

if #lookups > 0 then
  local rows = { { "tokens", "ns to find the replicas" } }
  for _, entry in ipairs(lookups) do rows[#rows + 1] = { tostring(entry.tokens), show("%.1f", entry.ns) } end
  print ""
  print_table(rows)
end

if #reloads > 0 then
  local phases = { "files", "contract", "again", "warm_up", "swap" }
  local rows = { { "a reload, us", "median", "p99" } }
  for _, entry in ipairs(reloads) do
    rows[#rows + 1] = { "all", show("%.0f", entry.median_us), show("%.0f", entry.p99_us) }
    for _, phase in ipairs(phases) do
      rows[#rows + 1] = { "- " .. phase:gsub("_", " "), show("%.0f", entry[phase .. "_us"]), "" }
    end
    rows[#rows + 1] = { "a state, made ahead in another turn", show("%.0f", entry.spare_us), "" }
    rows[#rows + 1] = { "the old one freed, in another turn", show("%.0f", entry.free_us), "" }
  end
  print ""
  print_table(rows)
end

if #swaps > 0 then
  local rows = { { "outstanding", "swaps", "req/s", "p50 us", "p99 us", "p99.9 us", "max us", "allocations" } }
  for _, entry in ipairs(swaps) do
    rows[#rows + 1] = {
      tostring(entry.outstanding),
      tostring(entry.swaps),
      show("%.0f", entry.req_s),
      show("%.0f", entry.p50_us),
      show("%.0f", entry.p99_us),
      show("%.0f", entry.p999_us),
      show("%.0f", entry.max_us),
      tostring(entry.allocations),
    }
  end
  print ""
  print_table(rows)
end

if #connects > 0 then
  local rows = { { "nodes", "connected after ms", "CPU ms", "sockets alone, ms", "their CPU ms" } }
  for _, of in ipairs(connects) do
    local row = { tostring(of.nodes) }
    for _, what in ipairs { "session", "raw" } do
      row[#row + 1] = show("%.1f", median(each(of[what], "ms")))
      row[#row + 1] = show("%.2f", median(each(of[what], "cpu_ms")))
    end
    rows[#rows + 1] = row
  end
  print ""
  print_table(rows)
end

-- Plain and TLS took turns, so each pair saw the same machine.
if #tls > 0 then
  local rows = { { "client", "outstanding", "plain CPU us/req", "TLS CPU us/req", "TLS / plain", "worst pair",
    "TLS req/s" } }
  for _, of in ipairs(tls) do
    local ratios = {}
    for i, entry in ipairs(of[1]) do ratios[i] = of[0][i] and entry.cpu_us / of[0][i].cpu_us end
    rows[#rows + 1] = {
      of.client,
      tostring(of.outstanding),
      show("%.3f", median(each(of[0], "cpu_us"))),
      show("%.3f", median(each(of[1], "cpu_us"))),
      show("%.2f", median(ratios)),
      show("%.2f", math.max(unpack(ratios))),
      show("%.0f", median(each(of[1], "req_s"))),
    }
  end
  print ""
  print_table(rows)
end
