-- SPDX-License-Identifier: Apache-2.0
-- Random programs with the C API under the sanitizers (spec/api/random_calls.c says what must hold), each on a
-- simulated cluster of its own.
local sim_process = require "spec.support.sim_process"

local api_calls = { suite = 8 }

function api_calls.run(seed)
  local cluster = sim_process.start(1)
  local ok, why = pcall(cluster.fill, cluster)
  local said, status
  if ok then said, status = cluster:run("random_calls", seed) end
  cluster:stop()
  if not ok then error(why, 0) end
  if status ~= 0 then return "api_random_calls PORT " .. seed .. " ended with " .. tostring(status) .. "\n" .. said end
end

return api_calls
