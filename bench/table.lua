-- SPDX-License-Identifier: Apache-2.0
-- Turns the lines that bench/run gathered into tables. A share compares a client with the raw client of the same round;
-- each figure is the median over the rounds.
--
--   luajit bench/table.lua FILE
package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path
local lines = require "lines"

local median, each, middle, shares = lines.median, lines.each, lines.middle, lines.shares
local all = lines.read(arg[1] or error("usage: table.lua FILE", 0))

local function sum(entries, field)
  local total
  for _, value in ipairs(each(entries, field)) do total = (total or 0) + value end
  return total
end

local function show(pattern, value)
  return value and pattern:format(value) or "-"
end

-- Pads the columns: the first one to the left, the others to the right. `rows`: at least one beyond their heading, or
-- nothing is printed.
local function print_table(rows, title)
  if #rows < 2 then return end
  print(title and "\n" .. title .. "\n" or "")
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

local function per_request(entries, field)
  local count = sum(entries, field)
  return count and ("%.4f"):format(count / sum(entries, "requests")) or "-"
end

local function client_row(name, outstanding, entries, raw)
  local rate, cpu = shares(entries, raw)
  return {
    name,
    tostring(outstanding),
    show("%.0f", middle(entries, "req_s")),
    show("%.3f", middle(entries, "cpu_us")),
    show("%.0f", middle(entries, "p50_us")),
    show("%.0f", middle(entries, "p99_us")),
    show("%.3f", rate),
    show("%.3f", cpu),
    show("%.0f", sum(entries, "allocations")),
    per_request(entries, "policy_calls"),
    show("%.0f", sum(entries, "policy_fallbacks")),
  }
end

local function load_rows()
  local rows = { { "client", "outstanding", "req/s", "CPU us/req", "p50 us", "p99 us", "share req/s", "share CPU",
    "allocations", "Lua plans/req", "fallbacks" } }
  for _, of in ipairs(all.loads) do
    for _, name in ipairs(lines.CLIENTS) do
      if of[name] then rows[#rows + 1] = client_row(name, of.outstanding, of[name], of.raw) end
    end
  end
  return rows
end

local function part_rows(part, title, counted)
  local clients = counted and { "raw", "c", "lua", "luacount" } or lines.CLIENTS
  local rows = { { title, "outstanding", "raw, CPU us", "C", "Lua" } }
  if counted then table.insert(rows[1], "Lua, counted") end
  for _, name in ipairs { "share C", "share Lua" } do table.insert(rows[1], name) end
  for _, of in ipairs(part) do
    local row = { tostring(of.what), tostring(of.outstanding) }
    for _, client in ipairs(clients) do row[#row + 1] = show("%.3f", middle(of[client], "cpu_us")) end
    for _, client in ipairs { "c", "lua" } do row[#row + 1] = show("%.3f", (select(2, shares(of[client], of.raw)))) end
    rows[#rows + 1] = row
  end
  return rows
end

local function decision_rows()
  local rows = { { "hosts", "Lua ns", "C ns", "Lua / C", "worst / median", "bytes/call", "Lua instructions",
    "C instructions", "of which search" } }
  for _, decision in ipairs(all.decisions) do
    local of, count = decision.entries, all.counted[decision.hosts]
    local ratios = {}
    for k, entry in ipairs(of) do ratios[k] = entry.lua_ns / entry.c_ns end
    local ratio = median(ratios)
    rows[#rows + 1] = {
      tostring(decision.hosts),
      show("%.1f", middle(of, "lua_ns")),
      show("%.1f", middle(of, "c_ns")),
      show("%.2f", ratio),
      show("%.2f", math.max(unpack(ratios)) / ratio),
      show("%.4g", middle(of, "bytes")),
      show("%.0f", count and count.lua - count.loop),
      show("%.0f", count and count.c - count.loop),
      show("%.0f", count and count.find - count.loop),
    }
  end
  return rows
end

local function lookup_rows()
  local rows = { { "tokens", "ns to find the replicas" } }
  for _, entry in ipairs(all.lookups) do rows[#rows + 1] = { tostring(entry.tokens), show("%.1f", entry.ns) } end
  return rows
end

local function reload_rows()
  local phases = { "files", "contract", "again", "warm_up", "swap" }
  local rows = { { "a reload, us", "median", "p99" } }
  for _, entry in ipairs(all.reloads) do
    rows[#rows + 1] = { "all", show("%.0f", entry.median_us), show("%.0f", entry.p99_us) }
    for _, phase in ipairs(phases) do
      rows[#rows + 1] = { "- " .. phase:gsub("_", " "), show("%.0f", entry[phase .. "_us"]), "" }
    end
    rows[#rows + 1] = { "a state, made ahead in another turn", show("%.0f", entry.spare_us), "" }
    rows[#rows + 1] = { "the old one freed, in another turn", show("%.0f", entry.free_us), "" }
  end
  return rows
end

local function swap_rows()
  local rows = { { "outstanding", "swaps", "req/s", "p50 us", "p99 us", "p99.9 us", "max us", "allocations" } }
  for _, entry in ipairs(all.swaps) do
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
  return rows
end

local function connect_rows()
  local rows = { { "nodes", "connected after ms", "CPU ms", "sockets alone, ms", "their CPU ms" } }
  for _, of in ipairs(all.connects) do
    local row = { tostring(of.nodes) }
    for _, what in ipairs { "session", "raw" } do
      row[#row + 1] = show("%.1f", middle(of[what], "ms"))
      row[#row + 1] = show("%.2f", middle(of[what], "cpu_ms"))
    end
    rows[#rows + 1] = row
  end
  return rows
end

-- Plain and TLS took turns, so each pair saw the same machine.
local function tls_rows()
  local rows = { { "client", "outstanding", "plain CPU us/req", "TLS CPU us/req", "TLS / plain", "worst pair",
    "TLS req/s" } }
  for _, of in ipairs(all.tls) do
    local ratios = {}
    for i, entry in ipairs(of[1]) do ratios[i] = of[0][i] and entry.cpu_us / of[0][i].cpu_us end
    rows[#rows + 1] = {
      of.client,
      tostring(of.outstanding),
      show("%.3f", middle(of[0], "cpu_us")),
      show("%.3f", middle(of[1], "cpu_us")),
      show("%.2f", median(ratios)),
      show("%.2f", math.max(unpack(ratios))),
      show("%.0f", middle(of[1], "req_s")),
    }
  end
  return rows
end

local function latency_rows()
  local rows = { { "client", "busyPollUs", "us/request", "p50 us", "p99 us", "CPU us/req", "looks/req" } }
  for _, of in ipairs(all.latencies) do
    local looks = middle(of.entries, "busy_polls") / middle(of.entries, "requests")
    rows[#rows + 1] = {
      of.client,
      tostring(of.us),
      show("%.1f", 1e6 / middle(of.entries, "req_s")),
      show("%.0f", middle(of.entries, "p50_us")),
      show("%.0f", middle(of.entries, "p99_us")),
      show("%.2f", middle(of.entries, "cpu_us")),
      show("%.1f", looks),
    }
  end
  return rows
end

local function memory_rows()
  local rows = { { "memory", "bytes", "the least", "times" } }
  for what, of in lines.memory(all) do
    rows[#rows + 1] = { what, show("%.0f", of.bytes), show("%.0f", of.least), show("%.1f", of.bytes / of.least) }
  end
  return rows
end

print_table(load_rows())
print_table(part_rows(all.rows, "rows", true))
print_table(part_rows(all.nodes, "nodes", false))
print_table(decision_rows(), #all.decisions > 0 and ("a decision, in %d fresh processes"):format(
  #all.decisions[1].entries))
print_table(lookup_rows())
print_table(reload_rows())
print_table(swap_rows())
print_table(connect_rows())
print_table(latency_rows())
print_table(memory_rows())
print_table(tls_rows())
