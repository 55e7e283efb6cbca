-- SPDX-License-Identifier: Apache-2.0
-- What pools did over the last minutes, for a page that is opened later: a sample of the figures every two seconds, 150
-- of them, five minutes, for each pool.
local json = require "moonpool.cli.json"

local EVERY_MS, MOST = 2000, 150

local history = { everyMs = EVERY_MS }

local kept = setmetatable({}, { __mode = "k" }) -- by pool: { samples, next = when the next one is due }

local function digits(value, factor) return math.floor((value or 0) * factor + 0.5) / factor end

-- Notes what an overview says, when it is time. A sample: { at, requests a second, p50, p99 in ms, errors in %, in
-- flight }.
function history.note(pool, now)
  local of_pool = kept[pool]
  if not of_pool then
    of_pool = { samples = json.list {}, due = 0 }
    kept[pool] = of_pool
  end
  if now.at < of_pool.due then return end
  of_pool.due = now.at + EVERY_MS - EVERY_MS / 8
  local figures, samples = now.figures, of_pool.samples
  samples[#samples + 1] = json.list { now.at, digits(figures.requestsPerSecond, 10), digits(figures.latencyP50, 1000),
    digits(figures.latencyP99, 1000), digits((figures.errorRate or 0) * 100, 100), figures.requestsInFlight }
  if #samples > MOST then table.remove(samples, 1) end
end

function history.of(pool) return kept[pool] and kept[pool].samples or json.list {} end

return history
