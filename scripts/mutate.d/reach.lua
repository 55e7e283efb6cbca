-- SPDX-License-Identifier: Apache-2.0
-- Which functions each spec file enters, and how long it takes: a mutant is shown to those that enter its function,
-- the likeliest for the least time first. Measured once; what was measured is kept in .cache/mutate/reach until the
-- spec file changes.
local tree = require "tree"
local reach = {}

local KEPT = ".cache/mutate/reach"

-- All spec files (of those that were asked for) but those that need a real Cassandra and those that judge the sources.
local function spec_files()
  return tree.lines("cd %s && find %s -name '*_spec.lua' -not -path 'spec/live/*' -not -path 'spec/scripts/*' " ..
    "-not -name house_spec.lua | sort | xargs cksum", tree.path, os.getenv "MP_MUTATE_SPECS" or "spec")
end

local function load_kept(file)
  local handle = io.open(file)
  if not handle then return nil end
  local kept = { entered = {} } -- functions, as "path:name", and the paths alone
  local cpu, wall, memory
  kept.sum, kept.outcome, cpu, wall, memory = handle:read "*l":match "^(%S+) (%S+) (%S+) (%S+) (%S+)"
  kept.cpu, kept.wall, kept.memory = tonumber(cpu), tonumber(wall), tonumber(memory)
  kept.price = kept.cpu + kept.wall * 0.2 + 0.1 -- waiting keeps no one else from working
  for name in handle:lines() do
    kept.entered[name] = true
    kept.entered[name:match "^[^:]*"] = true
  end
  handle:close()
  return kept
end

local function measure(spec, sum, file, functions)
  local noted = os.getenv "PWD" .. "/.cache/mutate/noted"
  tree.write(noted, string.rep("\0", #functions + 1))
  -- Some specs load the sanitizers into other programs, which then take more of the address space than there is.
  local outcome, cpu, wall, memory
  for _, most in ipairs { 8e9, 0, 0 } do
    memory = most
    outcome, cpu, wall = tree.run("quick", spec, "MP_REACHED=" .. noted,
      { cpu = 300, wall = 600, memory = most > 0 and most })
    if outcome == "passed" then break end
  end
  local names, bytes = {}, tree.read(noted)
  for i, name in ipairs(functions) do
    if bytes:byte(i + 1) == 1 then names[#names + 1] = name end
  end
  tree.write(file, string.format("%s %s %.2f %.2f %.0f\n%s\n", sum, outcome, cpu, wall, memory,
    table.concat(names, "\n")))
  if outcome ~= "passed" then print(string.format("%s %s without any mistake, and is left out", spec, outcome)) end
end

-- The list of what spec files enter: { spec, cpu, wall, price, memory, entered = { [function] = true } }; `functions`
-- is a list of the names by their numbers.
function reach.all(functions)
  os.execute("mkdir -p " .. KEPT)
  local list = {}
  for _, line in ipairs(spec_files()) do
    local sum, _, spec = line:match "^(%d+) (%d+) (.*)$"
    local file = KEPT .. "/" .. spec:gsub("/", "-")
    local kept = load_kept(file)
    if not kept or kept.sum ~= sum then
      measure(spec, sum, file, functions)
      kept = load_kept(file)
    end
    kept.spec, kept.shown, kept.noticed = spec, 0, 0
    if kept.outcome == "passed" then list[#list + 1] = kept end
  end
  return list
end

-- How near a spec stands to a C file: its own, one of its name on another floor (what Lua sees of it), its folder's,
-- its floor's.
local function nearness(spec, path)
  local folder, stem = path:match "^runtime/(.-)/?([^/]+)%.c$"
  if spec == "spec/" .. folder .. "/" .. stem .. "_spec.lua" then return 8 end
  if spec:match "([^/]+)_spec%.lua$" == stem then return 6 end
  if folder ~= "" and spec:find("spec/" .. folder .. "/", 1, true) == 1 then return 4 end
  return spec:match "^spec/([^/]+)/" == folder:match "^[^/]+" and 2 or 1
end

-- Those that may notice a mutant, in the order in which they are asked.
function reach.order(list, mutant)
  local asked, price = {}, {}
  for _, kept in ipairs(list) do
    if kept.entered[mutant.path .. (mutant.within and ":" .. mutant.within or "")] then
      local likelihood = (kept.noticed + 1) / (kept.shown + 2) * nearness(kept.spec, mutant.path)
      asked[#asked + 1], price[kept] = kept, kept.price / likelihood
    end
  end
  table.sort(asked, function(a, b)
    if price[a] ~= price[b] then return price[a] < price[b] end
    return a.spec < b.spec
  end)
  return asked
end

return reach
