-- SPDX-License-Identifier: Apache-2.0
-- What pool:policies().shadow says, for readers: how often the shadow agrees, what it would cost, and, of each way in
-- which it differs, how often and the last request for which it did.
local format = string.format

local shadow_lines = {}

local function percent(share) return format("%.1f %%", share * 100) end

local function choice(host, step) return host and format("%s (%s)", host, step) or "no host" end

-- 12:00:01.250 read ks -7531 LOCAL_ONE: 10.0.0.1:9042 (replicas ..., shuffled), the shadow 10.0.0.9:9042 (hosts ...)
local function example_line(example)
  return format("%s.%03d %s%s%s %s: %s, the shadow %s", os.date("!%H:%M:%S", math.floor(example.atMs / 1000)),
    example.atMs % 1000, example.kind, example.keyspace and " " .. example.keyspace or "",
    example.token and " " .. example.token or "", example.consistency, choice(example.serving, example.servingStep),
    choice(example.shadow, example.shadowStep))
end

-- A list of lines; nil when no shadow is asked.
function shadow_lines.of(policy)
  local agreement = policy and policy.agreement
  if not agreement then return nil end
  local lines = { format("the shadow %s was asked about %d requests: %s the same first host, %s the same first three",
    policy.name, agreement.asked, percent(agreement.sameFirst), percent(agreement.sameHosts)) }
  if agreement.latencyMs then
    lines[2] = format("  its first hosts had shown %.2f ms, those in force %.2f ms", agreement.latencyMs,
      agreement.latencyMsServing)
  end
  lines[#lines + 1] = format("  a call takes %.2f us and %.1f ticks of fuel", policy.nsPerCall / 1000,
    policy.fuelPerCall)
  for _, example in ipairs(agreement.examples) do
    local count = agreement.differences[example.difference]
    lines[#lines + 1] = format("  %-15s %6d (%s), the last: %s", example.difference, count,
      percent(count / agreement.asked), example_line(example))
  end
  return lines
end

return shadow_lines
