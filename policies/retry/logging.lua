-- SPDX-License-Identifier: Apache-2.0
-- Decides what its child decides, and says so in the log, at most once a second.
local NAMES = {
  [-1] = "no answer", [UNAVAILABLE] = "UNAVAILABLE", [READ_TIMEOUT] = "READ_TIMEOUT", [WRITE_TIMEOUT] = "WRITE_TIMEOUT",
  [OVERLOADED] = "OVERLOADED", [IS_BOOTSTRAPPING] = "IS_BOOTSTRAPPING", [SERVER_ERROR] = "SERVER_ERROR",
  [TRUNCATE_ERROR] = "TRUNCATE_ERROR", [READ_FAILURE] = "READ_FAILURE", [WRITE_FAILURE] = "WRITE_FAILURE",
}
local VERDICTS = { [giveUp] = "giving up", [sameHost] = "again on the same host", [nextHost] = "on to the next host" }

return retry {
  name = "LoggingRetryPolicy",
  options = {
    childPolicy = "DefaultRetryPolicy",
  },
  decide = function(err, req, _, child)
    local verdict, delay, consistency = child(err, req)
    log("attempt " .. err.attempt .. " failed (" .. (NAMES[err.code] or "error " .. err.code) .. ", "
      .. err.received .. " of " .. err.required .. " replicas): " .. (VERDICTS[verdict] or "?"))
    return verdict, delay, consistency
  end,
}
