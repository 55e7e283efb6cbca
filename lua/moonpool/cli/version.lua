-- SPDX-License-Identifier: Apache-2.0
local core = require "moonpool.core_loader"

local http = require "moonpool.http"

local version = {}

function version.define(parser)
  parser:command("version", "Print the versions of moonpool, LuaJIT and the protocol.")
end

function version.run()
  local methods = #core.compressions > 0 and table.concat(core.compressions, ", ") or "none"
  local refusal = core.ioUring()
  print(string.format(
    "moonpool %s (%s, CQL native protocol v5, v4 and v3; compression: %s; TLS: %s; HTTP: %s; io_uring: %s)",
    core.version, jit.version, methods, core.tls and "yes" or "no", http.isThere and "yes" or "no",
    refusal and "no, " .. refusal or "yes"))
end

return version
