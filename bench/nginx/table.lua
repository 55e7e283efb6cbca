-- SPDX-License-Identifier: Apache-2.0
-- The lines of bench/nginx/run as a table: medians, and ratios of the same round, so that a slow moment of the machine
-- counts for both.
local PER_REQUEST = { wait10 = 10, moonpool10 = 10, cosocket10 = 10 }
local WAYS = { "empty", "say", "wait", "wait10", "moonpool", "moonpool10", "cosocket", "cosocket10" }

local measured, widths, rounds = {}, {}, 0 -- [width][way][round] = { rate, cpu_us }
for line in io.lines(arg[1]) do
  local round, way, width, requests, rate, ns = line:match "^(%d+) (%w+) (%d+) (%d+) ([%d.]+) (%d+)"
  if round then
    round, width = tonumber(round), tonumber(width)
    if not measured[width] then
      measured[width] = {}
      widths[#widths + 1] = width
    end
    measured[width][way] = measured[width][way] or {}
    measured[width][way][round] = { rate = tonumber(rate), cpu = tonumber(ns) / 1000 / tonumber(requests) }
    rounds = math.max(rounds, round)
  end
end

local function median(list)
  table.sort(list)
  if #list == 0 then return 0 / 0 end
  return (list[math.floor((#list + 1) / 2)] + list[math.ceil((#list + 1) / 2)]) / 2
end

local function over_rounds(fn)
  local list = {}
  for round = 1, rounds do list[#list + 1] = fn(round) end
  return median(list)
end

print(("%-12s %6s %10s %14s %14s %16s"):format("answer", "conns", "req/s", "worker us/req", "beyond empty",
  "req/s / cosocket"))
for _, width in ipairs(widths) do
  local of = measured[width]
  for _, way in ipairs(WAYS) do
    local rate = over_rounds(function(round) return of[way][round].rate end)
    local cpu = over_rounds(function(round) return of[way][round].cpu end)
    local beyond = over_rounds(function(round) return of[way][round].cpu - of.empty[round].cpu end)
    local other = PER_REQUEST[way] and "cosocket10" or "cosocket"
    local ratio = over_rounds(function(round) return of[way][round].rate / of[other][round].rate end)
    local queries = PER_REQUEST[way]
    local each = queries and ("%.2f (%.2f each)"):format(beyond, beyond / queries) or ("%.2f"):format(beyond)
    print(("%-12s %6d %10.0f %14.2f %14s %16.2f"):format(way, width, rate, cpu, each, ratio))
  end
end
