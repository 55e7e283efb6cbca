-- SPDX-License-Identifier: Apache-2.0
-- The long run of one generator, for scripts/hunt: moonpool-spec --run spec/hunt/hunt.lua NAME FIRST_SEED SECONDS FILE
-- Before each seed its number is written to FILE, so that a process that dies has said what it was at. Findings go to
-- standard output; the last line is "done: N seeds, N findings". A process that has become large ends with "large: ..."
-- instead: what the sanitizers keep of freed memory, and what is scattered in it, is nobody's, and grows.
io.stdout:setvbuf "line" -- who dies has said what he found
local name, first, seconds, path = ...
local generator = require("spec.hunt." .. name)
local seed, findings, till = tonumber(first), 0, os.time() + tonumber(seconds)
local LARGE_PAGES = 2 ^ 30 / 4096

local function is_large()
  local file = assert(io.open "/proc/self/statm")
  local _, resident = file:read("*n", "*n")
  file:close()
  return resident > LARGE_PAGES
end

local large
while os.time() < till and not large do
  local file = assert(io.open(path, "w"))
  file:write(seed, "\n")
  file:close()
  local ok, found = xpcall(generator.run, function(err)
    return type(err) == "table" and tostring(err.message or err) or debug.traceback(tostring(err))
  end, seed)
  if not ok or found then
    findings = findings + 1
    print(("FOUND %s, seed %d: %s"):format(name, seed, tostring(found)))
  end
  if seed % 16 == 0 then
    collectgarbage()
    large = is_large()
  end
  seed = seed + 1
end
print((large and "large" or "done") .. (": %d seeds, %d findings"):format(seed - tonumber(first), findings))
return findings == 0 and 0 or 1
