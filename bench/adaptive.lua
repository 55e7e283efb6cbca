-- SPDX-License-Identifier: Apache-2.0
-- Adaptive sizing under four loads, in virtual time on a simulated node: a staircase, a spike, a load that oscillates
-- fast and one that does so slowly. Prints what the size of the pool did, and draws it.
--
--   moonpool run bench/adaptive.lua [--seed N] [--svg docs/adaptive-pooling.svg]
--
-- spec/scenario/adaptive_spec.lua judges the same figures, by loadfile.
local moonpool = require "moonpool"
local sim = require "moonpool.sim"

local ROOM = 10       -- requests that a connection may carry
local SERVICE_MS = 400 -- the node's time for each of them
local STEP_MS = 20    -- how often the load is adjusted
local LOOK_MS = 100   -- how often the pool is looked at

local adaptive = {}

adaptive.rules = {
  enabled = true, minConnections = 2, maxConnections = 20, targetUtilization = 0.7, scaleUpThreshold = 0.8,
  scaleDownThreshold = 0.3, evaluationInterval = 1000,
}

local STAIRS = { 10, 30, 60, 120, 60, 20, 5, 5 }

-- Requests in flight that are wanted at a time in seconds.
adaptive.loads = {
  { name = "staircase", seconds = 80, at = function(t) return STAIRS[math.min(math.floor(t / 10) + 1, #STAIRS)] end },
  { name = "spike", seconds = 40, at = function(t) return t >= 10 and t < 11.5 and 150 or 10 end },
  { name = "oscillation of 2 s", seconds = 60, at = function(t) return t % 2 < 1 and 100 or 20 end },
  { name = "oscillation of 40 s", seconds = 80,
    at = function(t) return math.floor(65 - 55 * math.cos(t / 40 * 2 * math.pi)) end },
}

-- ---- one load ---------------------------------------------------------------------------------------------

local function worker(state)
  while state.running <= state.wanted do
    local result, err = state.pool:execute(state.read, { 1 })
    state.requests = state.requests + 1
    if not result then
      state.failed = state.failed + 1
      state.failure = state.failure or tostring(err)
    end
  end
  state.running = state.running - 1
end

local function host_of(pool) return pool:getHosts()[1] end

local function play(state, load)
  local pool = moonpool.AdvancedConnectionPool {
    contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1", requestTimeout = 5000,
    logging = { level = "off" },
    pooling = { maxRequestsPerConnection = ROOM, connectionsPerSecond = 0, adaptivePooling = adaptive.rules },
  }
  state.pool = pool
  assert(pool:initialize())
  pool:on("poolResize", function(event)
    event.at = moonpool.now() - state.began
    state.resizes[#state.resizes + 1] = event
  end)
  state.read = assert(pool:prepare "SELECT v FROM ks.kv WHERE k = ?")
  state.began = moonpool.now()
  local looked = -LOOK_MS
  while moonpool.now() - state.began < load.seconds * 1000 do
    local at = moonpool.now() - state.began
    state.wanted = load.at(at / 1000)
    while state.running < state.wanted do
      state.running = state.running + 1
      moonpool.spawn(worker, state)
    end
    if at - looked >= LOOK_MS then
      looked = at
      local host = host_of(pool)
      state.seen[#state.seen + 1] = { at = at, load = state.wanted, size = host.wantedConnections,
        connections = host.connections, inFlight = host.inFlight }
    end
    moonpool.sleep(STEP_MS)
  end
  state.wanted = -1
  while state.running > 0 do moonpool.sleep(STEP_MS) end
  state.stats, state.metrics = pool:getStats(), pool:getMetrics()
  pool:close()
end

-- How often the size turned from growing to shrinking or back.
local function turns_of(resizes)
  local turns, before = 0, nil
  for _, event in ipairs(resizes) do
    local now = event.to > event.from
    if before ~= nil and now ~= before then turns = turns + 1 end
    before = now
  end
  return turns
end

-- Figures of one load: { name, seen = { { at, load, size, ... } }, resizes, turns, requests, failed, least, most }.
function adaptive.run(load, seed)
  local world = sim.world { seed = seed or 1, nodes = 1, rf = 1 }
  world.cluster:schema "CREATE TABLE ks.kv (k int PRIMARY KEY, v text)"
  world.cluster:rule { opcode = "EXECUTE", delay = SERVICE_MS }
  local state = { name = load.name, seconds = load.seconds, running = 0, wanted = 0, requests = 0, failed = 0,
    seen = {}, resizes = {} }
  world:run(play, state, load)
  world:close()
  state.turns, state.least, state.most = turns_of(state.resizes), math.huge, 0
  for _, look in ipairs(state.seen) do
    state.least, state.most = math.min(state.least, look.size), math.max(state.most, look.size)
  end
  return state
end

-- ---- drawing ----------------------------------------------------------------------------------------------

local WIDTH, HEIGHT, LEFT, TOP, GAP, HIGHEST = 720, 130, 50, 40, 46, 200

local function path_of(state, field, scale, top, is_stepped)
  local points, before = {}, nil
  for _, look in ipairs(state.seen) do
    local x = LEFT + look.at / 1000 / state.seconds * WIDTH
    local y = top + HEIGHT - look[field] * scale / HIGHEST * HEIGHT
    if is_stepped and before and before ~= y then points[#points + 1] = ("%.1f,%.1f"):format(x, before) end
    points[#points + 1] = ("%.1f,%.1f"):format(x, y)
    before = y
  end
  return table.concat(points, " ")
end

local function panel(state, top)
  local parts = {}
  local function add(text, ...) parts[#parts + 1] = text:format(...) end
  add('<text x="%d" y="%d" font-weight="bold">%s</text>', LEFT, top - 8, state.name)
  local summary = ("%d resizes, %d turns, %d to %d connections, %d of %d requests failed"):format(#state.resizes,
    state.turns, state.least, state.most, state.failed, state.requests)
  add('<text x="%d" y="%d" text-anchor="end">%s</text>', LEFT + WIDTH, top - 8, summary)
  add('<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#999"/>', LEFT, top, WIDTH, HEIGHT)
  for _, value in ipairs { 0, 100, 200 } do
    local y = top + HEIGHT - value / HIGHEST * HEIGHT
    add('<text x="%d" y="%.1f" text-anchor="end">%d</text>', LEFT - 6, y + 4, value)
  end
  for i = 0, 4 do
    local x = LEFT + i / 4 * WIDTH
    add('<text x="%.1f" y="%d" text-anchor="middle">%d s</text>', x, top + HEIGHT + 15, state.seconds * i / 4)
  end
  add('<polyline fill="none" stroke="#bbb" stroke-width="1.2" points="%s"/>', path_of(state, "load", 1, top, true))
  add('<polyline fill="none" stroke="#c33" stroke-width="2" points="%s"/>', path_of(state, "size", ROOM, top, true))
  return table.concat(parts, "\n")
end

function adaptive.svg(states)
  local height = TOP + #states * (HEIGHT + GAP)
  local parts = {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">')
      :format(LEFT + WIDTH + 20, height),
    '<rect width="100%" height="100%" fill="white"/>',
    ('<text x="%d" y="14">grey: requests in flight; red: room for them, %d for each connection</text>')
      :format(LEFT, ROOM),
  }
  for i, state in ipairs(states) do parts[#parts + 1] = panel(state, TOP + (i - 1) * (HEIGHT + GAP)) end
  parts[#parts + 1] = "</svg>\n"
  return table.concat(parts, "\n")
end

-- ---- as a program -----------------------------------------------------------------------------------------

local function main(arguments)
  local options = { seed = "1" }
  for i = 1, #arguments, 2 do
    local name = arguments[i]:match "^%-%-(%w+)$"
    if name ~= "seed" and name ~= "svg" or not arguments[i + 1] then
      error("usage: adaptive.lua [--seed N] [--svg FILE]", 0)
    end
    options[name] = arguments[i + 1]
  end
  local states, failed = {}, 0
  print("load                  connections  resizes  turns  requests  failed")
  for i, load in ipairs(adaptive.loads) do
    local state = adaptive.run(load, tonumber(options.seed))
    states[i], failed = state, failed + state.failed
    print(("%-20s %5d to %2d %8d %6d %9d %7d"):format(state.name, state.least, state.most, #state.resizes, state.turns,
      state.requests, state.failed))
  end
  if options.svg then
    local file = assert(io.open(options.svg, "w"))
    file:write(adaptive.svg(states))
    file:close()
  end
  if failed > 0 then error(failed .. " requests failed", 0) end
end

local arguments = { ... }
if arguments[1] ~= "as a module" then main(arguments) end
return adaptive
