-- SPDX-License-Identifier: Apache-2.0
-- For scripts/differential: moonpool-spec --run spec/live/support/differential_run.lua PYTHON COUNT SEED
local differential = require "spec.live.support.differential"
local python, count, seed = ...
local left, compared, skipped = tonumber(count), 0, 0
seed = tonumber(seed)
while left > 0 do
  local ok, some, without = pcall(differential.codec, python, seed, math.min(left, 10000))
  if not ok then
    print("FOUND: " .. tostring(some))
    return 1
  end
  compared, skipped, left, seed = compared + some, skipped + #without, left - some - #without, seed + 1
  print(("%d values compared, both ways; %d that the driver has none for"):format(compared, skipped))
  collectgarbage()
end
return 0
