-- SPDX-License-Identifier: Apache-2.0
-- Where this process listens for HTTP, and what it answers there. A place has one server, which pools share that name
-- the same one; it has services (`metrics`, `page`), each of which stays until the last pool that wanted it is closed,
-- and the server goes with the last service.
--
-- A service: { answer = function(self, path, host, password), stop = function(self) or nil }; `answer` gives what
-- moonpool.http says, or nothing when the path is not its own.
local listeners = {}

local places = {} -- by name: { server, services = { [kind] = { service, users = pools, weak } } }

function listeners.name(place)
  return place.path or require("moonpool.address").join(place.host, place.port)
end

local function answer(entry, ...)
  for _, each in pairs(entry.services) do
    local status, kind, body, is_stream = each.service:answer(...)
    if status then return status, kind, body, is_stream end
  end
end

local function open(place)
  local entry = { services = {} }
  local server, why = require("moonpool.http").listen(place, function(...) return answer(entry, ...) end)
  entry.server = server
  return server and entry, why
end

-- The pool's place answers from now on: the service and the server, or nil and why not. make(): a service, where there
-- is none of that kind yet.
function listeners.begin(pool, place, kind, make)
  local name = listeners.name(place)
  local entry = places[name]
  if not entry then
    local opened, why = open(place)
    if not opened then return nil, why end
    entry, places[name] = opened, opened
  end
  local of_kind = entry.services[kind]
  if not of_kind then
    of_kind = { service = make(), users = setmetatable({}, { __mode = "k" }) }
    entry.services[kind] = of_kind
  end
  of_kind.users[pool] = true
  return of_kind.service, entry.server
end

local function end_service(entry, kind)
  local service = entry.services[kind].service
  entry.services[kind] = nil
  if service.stop then service:stop() end
end

-- The pool is closed. What a request is just being answered by goes with the next one.
function listeners.leave(pool)
  for name, entry in pairs(places) do
    for kind, of_kind in pairs(entry.services) do
      of_kind.users[pool] = nil
      if next(of_kind.users) == nil then end_service(entry, kind) end
    end
    if next(entry.services) == nil and require("moonpool.http").close(entry.server) then places[name] = nil end
  end
end

return listeners
