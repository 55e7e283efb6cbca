-- SPDX-License-Identifier: Apache-2.0
-- What a piece of work costs, told apart from how fast or busy the machine is: its processor time beside that of a
-- fixed piece of work, done in the same moment. One unit is what took one second on a quiet machine of 2024. A
-- neighbour may still steal from one try, so a bound is broken only by work that breaks it each time.
local effort = {}

local REFERENCE_S = 0.0145 -- of processor time: what `reference` takes where a unit is a second
local TRIES = 5

-- Texts, tables and calls, as most of what is measured; interpreted, for a trace might be found or not.
local function reference()
  local kept = {}
  for i = 1, 20000 do kept[i % 512] = tostring(i) .. "x" end
  return #kept
end
jit.off(reference, true)

local function seconds(fn, ...)
  local from = os.clock()
  local a, b, c = fn(...)
  return os.clock() - from, a, b, c
end

local scale, scaled_at

--- How many times longer than on that quiet machine things take here and now, at least 1.
function effort.scale()
  if not scaled_at or os.clock() - scaled_at > 0.5 then
    scale = math.max(1, (seconds(reference)) / REFERENCE_S)
    scaled_at = os.clock()
  end
  return scale
end

--- The units that `fn(...)` took, and its first three results.
function effort.of(fn, ...)
  local before = seconds(reference)
  local took, a, b, c = seconds(fn, ...)
  return took * REFERENCE_S / math.max(before, (seconds(reference))), a, b, c
end

local function at_most(most, measure, fn, ...)
  local least = math.huge
  for _ = 1, TRIES do
    local took, a, b, c = measure(fn, ...)
    if took <= most then return a, b, c end
    least = math.min(least, took)
  end
  error(("it took %.3f units at least, allowed are %g"):format(least, most), 2)
end

--- Raises when `fn(...)` takes more than `units` each time. Returns what `fn` did.
function effort.at_most(units, fn, ...)
  return at_most(units, effort.of, fn, ...)
end

local function scaled_seconds(fn, ...)
  local by = effort.scale()
  local took, a, b, c = seconds(fn, ...)
  return took / by, a, b, c
end

--- The same for what a clock of the processor ends (the loading of a policy): however fast the machine is, that takes
--- its time, so a unit is a second here, or what takes one on a quiet machine if this one is slower.
function effort.at_most_seconds(units, fn, ...)
  return at_most(units, scaled_seconds, fn, ...)
end

--- What `fn(...)` returns, which gets three tries before its error counts: for what has a clock of the processor
--- itself (the fuel of a policy), so that a busy neighbour may spoil one.
function effort.tries(fn, ...)
  local ok, result
  for _ = 1, 3 do
    ok, result = pcall(fn, ...)
    if ok then return result end
  end
  error(result, 0)
end

return effort
