-- SPDX-License-Identifier: Apache-2.0
-- What pools have counted, as OpenMetrics text at an address (the key `metrics.listen`): of all pools of the process.
local core = require "moonpool.core_loader"
local listeners = require "moonpool.listeners"

local exporter = {}

-- The text for these pools, which have numbers, and its type; or nil and an error. pool.lua sets exporter.pools():
-- those that are open, and exporter.number(pool).
function exporter.text(pools)
  local numbers = {}
  for i, pool in ipairs(pools) do numbers[i] = exporter.number(pool) end
  return core.openMetrics(pools, numbers)
end

local service = {}

function service.answer(_, path)
  if path ~= "/metrics" then return end
  local text, kind = exporter.text(exporter.pools())
  if not text then return 503, "text/plain; charset=utf-8", tostring(kind) .. "\n" end
  return 200, kind, text
end

-- The pool's place answers from now on: true, or nil and why not.
function exporter.begin(pool, place)
  local began, why = listeners.begin(pool, place, "metrics", function() return service end)
  return began and true, why
end

return exporter
