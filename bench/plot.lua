-- SPDX-License-Identifier: Apache-2.0
-- The lines that bench/run gathered as programs for gnuplot, which draws FOLDER/bench-requests.svg, -rows, -nodes,
-- -connect and -memory, of what was measured.
--
--   luajit bench/plot.lua LINES FOLDER | gnuplot
package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path
local lines = require "lines"

local path, folder = arg[1], arg[2]
if not folder then error("usage: plot.lua LINES FOLDER", 0) end
local all = lines.read(path)
local middle = lines.middle

local SERIES = {
  raw = { "raw client", "#999999" }, c = { "C", "#3366cc" }, lua = { "Lua", "#cc3333" },
  sockets = { "sockets alone", "#999999" }, session = { "a session", "#3366cc" },
  least = { "the least", "#999999" }, bytes = { "moonpool", "#3366cc" },
}

-- rows: { x, { [series] = value } }, in logarithms but for bars of bytes. A series without any value is not drawn.
local function is_drawn(rows, series)
  for _, row in ipairs(rows) do
    if row[2][series] then return true end
  end
  return false
end

local HEAD = [[
reset
set terminal svg size 720,380 font 'sans-serif,12' background rgb 'white'
set output '%s'
set title '%s'
set ylabel '%s'
set grid ytics lc rgb '#dddddd'
set key outside right top
]]

local function least_of(rows)
  local least
  for _, row in ipairs(rows) do
    for _, value in pairs(row[2]) do least = math.min(least or value, value) end
  end
  return least
end

local function program(name, title, ylabel, series, rows, options)
  local out = { HEAD:format(folder .. "/bench-" .. name .. ".svg", title, ylabel) }
  out[2] = options.linear and "set yrange [0:*]\n" or ("set logscale y\nset yrange [%.6g:*]\n"):format(
    least_of(rows) / 2)
  local drawn = {}
  for _, of in ipairs(series) do
    if is_drawn(rows, of) then drawn[#drawn + 1] = of end
  end
  out[#out + 1] = "$figures << END\n"
  for _, row in ipairs(rows) do
    local cells = { options.xlabel and tostring(row[1]) or ('"%s"'):format(row[1]) }
    for _, of in ipairs(drawn) do cells[#cells + 1] = row[2][of] and ("%.6g"):format(row[2][of]) or "?" end
    out[#out + 1] = table.concat(cells, " ") .. "\n"
  end
  out[#out + 1] = "END\nset datafile missing '?'\n"
  local plots = {}
  if options.xlabel then
    out[#out + 1] = ("set xlabel '%s'\nset logscale x\n"):format(options.xlabel)
    for i, of in ipairs(drawn) do
      plots[i] = ("$figures using 1:%d:xtic(1) with linespoints pt 7 ps 0.6 lw 2 lc rgb '%s' title '%s'"):format(i + 1,
        SERIES[of][2], SERIES[of][1])
    end
  else
    out[#out + 1] = "set style data histogram\nset style fill solid noborder\nset boxwidth 0.9\n"
    for i, of in ipairs(drawn) do
      plots[i] = ("$figures using %d:xtic(1) lc rgb '%s' title '%s'"):format(i + 1, SERIES[of][2], SERIES[of][1])
    end
  end
  out[#out + 1] = "plot " .. table.concat(plots, ", \\\n  ") .. "\n"
  return table.concat(out)
end

local function cpu_of(list, key)
  local rows = {}
  for _, of in ipairs(list) do
    local values = {}
    for _, client in ipairs(lines.CLIENTS) do values[client] = middle(of[client], "cpu_us") end
    rows[#rows + 1] = { of[key], values }
  end
  return rows
end

local function programs()
  local CPU, out = "CPU us per request", {}
  local function add(...)
    local rows = select(5, ...)
    if #rows > 0 then out[#out + 1] = program(...) end
  end
  add("requests", "A request, by how many are in flight", CPU, lines.CLIENTS, cpu_of(all.loads, "outstanding"),
    { xlabel = "requests in flight" })
  add("rows", "An answer of which every value is read", CPU, lines.CLIENTS, cpu_of(all.rows, "what"), {})
  add("nodes", "A request, by how many nodes there are", CPU, lines.CLIENTS, cpu_of(all.nodes, "what"),
    { xlabel = "nodes" })
  local connects, memory = {}, {}
  for _, of in ipairs(all.connects) do
    connects[#connects + 1] = { of.nodes, { session = middle(of.session, "ms"), sockets = middle(of.raw, "ms") } }
  end
  add("connect", "A first connect", "ms", { "sockets", "session" }, connects, { xlabel = "nodes" })
  for what, of in lines.memory(all) do memory[#memory + 1] = { what, { bytes = of.bytes, least = of.least } } end
  add("memory", "Memory", "bytes", { "least", "bytes" }, memory, { linear = true })
  return out
end

io.write(table.concat(programs()))
