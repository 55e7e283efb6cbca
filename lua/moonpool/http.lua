-- SPDX-License-Identifier: Apache-2.0
-- HTTP servers of this process, by libmicrohttpd (runtime/http): http.listen(place, handler), http.close(server). A
-- place is { host, port } or { path }, as the configuration gives it; handler(path, host, password) returns status,
-- type and body, and true for a stream. http.publish(server, text) goes on with all streams; http.streams(server): how
-- many there are.
local core = require "moonpool.core_loader"

local symbol = "luaopen_moonpool_httpcore"
local open = package.preload["moonpool.httpcore"] or package.loadlib("", symbol)
  or assert(package.loadlib(core.library, symbol))
local httpcore = open()

local http = { isThere = httpcore.isThere, close = httpcore.close, port = httpcore.port, publish = httpcore.publish,
  streams = httpcore.streams }

function http.listen(place, handler)
  if place.path then return httpcore.listen(place.path, nil, handler) end
  return httpcore.listen(place.host, place.port, handler)
end

return http
