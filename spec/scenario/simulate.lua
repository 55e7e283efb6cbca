-- SPDX-License-Identifier: Apache-2.0
-- One job of scripts/simulate: moonpool-spec --run spec/scenario/simulate.lua FIRST_SEED STEP SECONDS_OF_VIRTUAL_TIME
-- MINUTES_A_WORLD FILE. Before each world its seed is written to FILE, so that a process that dies has said what it was
-- at. A finding is a line "FOUND seed N: ..."; the last line is "done: ..." with the figures.
io.stdout:setvbuf "line"
local simulation = require "spec.support.faults.simulation"

local first, step, seconds, minutes, path = ...
local AGAIN = 16 -- of so many worlds one is run a second time: it must be the same

local seed, findings, again, began = tonumber(first), 0, 0, os.time()
local here = simulation.open()

local function found(text)
  findings = findings + 1
  print(("FOUND seed %d: %s"):format(seed, tostring(text)))
end

while here.figures.seconds < tonumber(seconds) do
  local file = assert(io.open(path, "w"))
  file:write(seed, "\n")
  file:close()
  local before = here.figures.seconds
  local ok, hash = pcall(simulation.run, here, seed, tonumber(minutes))
  if not ok then
    found(hash)
    here.figures.seconds = before + tonumber(minutes) * 60
  elseif here.figures.worlds % AGAIN == 1 and not simulation.is_encrypted(here, seed) then
    again = again + 1
    local same, other = pcall(simulation.run, here, seed, tonumber(minutes))
    if not same or other ~= hash then found("the second run is another one: " .. tostring(other)) end
  end
  seed = seed + tonumber(step)
end
local figures, cpu, wall = here.figures, os.clock(), os.time() - began
simulation.close(here)
print(("done: %d worlds, %.2f cluster-hours, %d requests (%d answered, %d unknown, %d never sent), %d run twice, "
  .. "%d findings; %.0f s of processor, %d s in all, %.0f simulated seconds for each of the processor's"):format(
  figures.worlds, figures.seconds / 3600, figures.requests, figures.ok or 0, figures.unknown or 0, figures.never or 0,
  again, findings, cpu, wall, figures.seconds / math.max(cpu, 0.001)))
return findings == 0 and 0 or 1
