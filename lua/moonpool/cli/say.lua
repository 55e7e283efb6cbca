-- SPDX-License-Identifier: Apache-2.0
-- What the commands say, in whole lines, without what has the shape of a secret.
local core = require "moonpool.core_loader"

local say = {}

local function write(file, text)
  file:write(core.redact(tostring(text)), "\n")
  file:flush()
end

function say.line(text) write(io.stdout, text) end
function say.error(text) write(io.stderr, text) end

-- As a command that failed does: gives the exit status.
function say.failed(text)
  say.error("moonpool: " .. tostring(text))
  return 1
end

return say
