-- SPDX-License-Identifier: Apache-2.0
-- What the commands say, in whole lines, without what has the shape of a secret, and without what tells a terminal to
-- do something: names of datacentres and texts of errors come from servers.
local core = require "moonpool.core_loader"

local say = {}

-- Control characters are question marks, but for line breaks and tabs; those that UTF-8 has beyond ASCII, too.
function say.plain(text)
  return (text:gsub("[%z\1-\8\11-\31\127]", "?"):gsub("\194[\128-\159]", "?"))
end

-- What was printed before comes before it, also where both go into one file.
local function write(file, text)
  if file ~= io.stdout then io.stdout:flush() end
  file:write(say.plain(core.redact(tostring(text))), "\n")
  file:flush()
end

-- As print, of one text, for tables that people read.
function say.print(text) print(say.plain(tostring(text))) end

function say.line(text) write(io.stdout, text) end
function say.error(text) write(io.stderr, text) end

-- As a command that failed does: gives the exit status.
function say.failed(text)
  say.error("moonpool: " .. tostring(text))
  return 1
end

return say
