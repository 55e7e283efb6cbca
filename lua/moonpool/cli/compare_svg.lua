-- SPDX-License-Identifier: Apache-2.0
-- Pictures of a comparison: for each scenario p99 over time of all policies, and for each policy the load of its hosts.
local compare = require "moonpool.prove.compare"

local svg = {}

local WIDTH, HEIGHT, GAP, LEFT, TOP = 360, 120, 46, 54, 40
local COLORS = { "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999" }

local function escaped(text)
  return (tostring(text):gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

local function text(x, y, size, what, more)
  return ('<text x="%g" y="%g" font-size="%d" %s>%s</text>'):format(x, y, size, more or "", escaped(what))
end

local function line(points, color)
  local list = {}
  for i, point in ipairs(points) do list[i] = ("%.1f,%.1f"):format(point[1], point[2]) end
  return ('<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>'):format(color, table.concat(list, " "))
end

local function p99(slot)
  table.sort(slot.latencies)
  return compare.quantile(slot.latencies, 0.99)
end

local function seconds_of(result)
  local most = 1
  for _, policy in ipairs(result.policies) do
    for second in pairs(policy.timeline) do most = math.max(most, second) end
  end
  return most
end

-- Several lines, { color, values by second }, in a frame with its own scale.
local function chart(x, y, title, unit, lines, seconds)
  local parts, top = {}, 0
  for _, each in ipairs(lines) do
    for _, value in pairs(each.values) do top = math.max(top, value) end
  end
  top = top > 0 and top or 1
  parts[#parts + 1] = ('<rect x="%g" y="%g" width="%d" height="%d" fill="none" stroke="#ccc"/>'):format(x, y, WIDTH,
    HEIGHT)
  parts[#parts + 1] = text(x, y - 6, 11, title)
  parts[#parts + 1] = text(x - 4, y + 10, 9, ("%.3g %s"):format(top, unit), 'text-anchor="end"')
  parts[#parts + 1] = text(x - 4, y + HEIGHT, 9, "0", 'text-anchor="end"')
  parts[#parts + 1] = text(x + WIDTH, y + HEIGHT + 11, 9, seconds .. " s", 'text-anchor="end"')
  for _, each in ipairs(lines) do
    local points = {}
    for second = 1, seconds do
      points[#points + 1] = { x + (second - 0.5) * WIDTH / seconds,
        y + HEIGHT - (each.values[second] or 0) / top * HEIGHT }
    end
    parts[#parts + 1] = line(points, each.color)
  end
  return table.concat(parts, "\n")
end

local function color(i) return COLORS[(i - 1) % #COLORS + 1] end

local function hosts_of(timeline)
  local set, names = {}, {}
  for _, slot in pairs(timeline) do
    for name in pairs(slot.hosts) do set[name] = true end
  end
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function row(result, y)
  local parts, seconds, latencies = {}, seconds_of(result), {}
  for i, policy in ipairs(result.policies) do
    local values = {}
    for second, slot in pairs(policy.timeline) do values[second] = p99(slot) end
    latencies[i] = { color = color(i), values = values }
  end
  parts[#parts + 1] = chart(LEFT, y, result.scenario.name .. ": p99", "ms", latencies, seconds)
  for i, policy in ipairs(result.policies) do
    local lines = {}
    for n, name in ipairs(hosts_of(policy.timeline)) do
      local values = {}
      for second, slot in pairs(policy.timeline) do values[second] = slot.hosts[name] or 0 end
      lines[n] = { color = color(n), values = values }
    end
    parts[#parts + 1] = chart(LEFT + i * (WIDTH + GAP + 10), y, policy.label .. ": answers by host", "/s", lines,
      seconds)
  end
  return table.concat(parts, "\n")
end

-- The picture of what compare.all() gave: of the first seed.
function svg.draw(results)
  local policies = results[1].policies
  local width = LEFT + (1 + #policies) * (WIDTH + GAP + 10)
  local height = TOP + #results * (HEIGHT + GAP) + 10
  local parts = {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif">'):format(width, height),
    '<rect width="100%" height="100%" fill="white"/>',
  }
  for i, policy in ipairs(policies) do
    parts[#parts + 1] = text(LEFT + (i - 1) * 220, 16, 12, policy.label, ('fill="%s"'):format(color(i)))
  end
  for i, result in ipairs(results) do parts[#parts + 1] = row(result, TOP + (i - 1) * (HEIGHT + GAP) + 10) end
  parts[#parts + 1] = "</svg>\n"
  return table.concat(parts, "\n")
end

return svg
