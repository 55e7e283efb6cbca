-- SPDX-License-Identifier: Apache-2.0
-- What pools have counted, as OpenMetrics text at an address (the key `metrics.listen`). A place has one server, which
-- tells of all pools of the process; pools that name the same place share it, and it goes with the last of them.
local core = require "moonpool.core_loader"

local exporter = {}

local servers = {} -- by place: { server, users = pools that named it, weak }

-- The text for these pools, which have numbers, and its type. pool.lua sets exporter.pools(): those that are open, and
-- exporter.number(pool).
function exporter.text(pools)
  local numbers = {}
  for i, pool in ipairs(pools) do numbers[i] = exporter.number(pool) end
  return core.openMetrics(pools, numbers)
end

local function answer(url)
  if url ~= "/metrics" then return end
  local text, kind = exporter.text(exporter.pools())
  return 200, kind, text
end

function exporter.name(place)
  return place.path or require("moonpool.address").join(place.host, place.port)
end

-- The pool's place answers from now on: true, or nil and why not.
function exporter.begin(pool, place)
  local name = exporter.name(place)
  local entry = servers[name]
  if not entry then
    local http = require "moonpool.http"
    local server, why = http.listen(place, answer)
    if not server then return nil, why end
    entry = { server = server, users = setmetatable({}, { __mode = "k" }) }
    servers[name] = entry
  end
  entry.users[pool] = true
  return true
end

-- The pool is closed.
function exporter.leave(pool)
  for name, entry in pairs(servers) do
    entry.users[pool] = nil
    if next(entry.users) == nil and require("moonpool.http").close(entry.server) then servers[name] = nil end
  end
end

return exporter
