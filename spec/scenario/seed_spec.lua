-- SPDX-License-Identifier: Apache-2.0
-- Every example of the seed document, as a file of examples/seed: here on the simulated cluster in virtual time, on the
-- cluster that its first lines name; spec/live/seed_spec.lua runs those that need no faults on a real Cassandra.
local moonpool = require "moonpool"
local ports = require "spec.support.ports"
local sim_process = require "spec.support.sim_process"
local support = require "spec.support.world"

local FOLDER = MOONPOOL_ROOT .. "/examples/seed/"

local function examples()
  local names = {}
  local pipe = assert(io.popen("ls '" .. FOLDER .. "'"))
  for name in pipe:lines() do
    if name:find "^%d%d_.*%.lua$" then names[#names + 1] = name end
  end
  pipe:close()
  return names
end

local function text_of(name)
  local file = assert(io.open(FOLDER .. name))
  local text = file:read "*a"
  file:close()
  return text
end

-- What stands behind "moonpool run" in its first lines.
local function cluster_of(name)
  local command = assert(text_of(name):match "\n%-%-   moonpool run ([^\n]+)\n", name .. " does not say how it is run")
  assert(command:find("examples/seed/" .. name, 1, true), command)
  return { nodes = tonumber(command:match "%-%-embedded (%d+)"), dcs = tonumber(command:match "%-%-dcs (%d+)") }
end

local function play(name)
  local chunk = assert(loadfile(FOLDER .. name))
  setfenv(chunk, setmetatable({ print = function() end }, { __index = _G }))
  support.run(cluster_of(name), function(world)
    local cluster = world.cluster
    cluster.hosts, cluster.contactPoints, cluster.port = {}, {}, 9042
    for number, node in ipairs(cluster:nodes()) do
      cluster.hosts[number], cluster.contactPoints[number] = node.address, node.address
    end
    moonpool.embedded = cluster
    local ok, why = xpcall(chunk, debug.traceback)
    moonpool.embedded = nil
    if not ok then error(why, 0) end
  end)
end

-- Writes to the log at its level "debug": in a process of its own, for what it writes.
local LOGS = "19_connection_debugging.lua"

describe("the seed document's example", function()
  for _, name in ipairs(examples()) do
    if name ~= LOGS then it(name:gsub("%.lua$", ""):gsub("_", " "), function() play(name) end) end
  end

  it("19 connection debugging", function()
    local said, status = sim_process.output(("MOONPOOL_EMBEDDED_PORT=%d '%s/moonpool' run --embedded 1 '%s'"):format(
      ports.at(57), MOONPOOL_BUILD_DIR, FOLDER .. LOGS))
    assert.equal(0, status, said)
    assert.matches("moonpool debug: ", said)
    assert.matches("\nmoonpool info: 127%.0%.0%.1:%d+#%d+: open after ", said)
    assert.matches("\nmoonpool info: request: [^\n]*: SELECT release_version FROM system%.local\n", said)
    assert.matches("\nmoonpool warn: request failed: SYNTAX_ERROR [^\n]*: SELEC release_version FROM ", said)
  end)
end)
