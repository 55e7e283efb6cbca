-- SPDX-License-Identifier: Apache-2.0
-- Another try only where it can help, and once where it can hardly help twice. What may be repeated at all is decided
-- before and after this by the replay-safety gate, which no policy can widen.
return retry {
  name = "DefaultRetryPolicy",
  options = {
    maxRetries = 3,
    retryDelay = 0, -- ms before the next attempt
  },
  check = function(options)
    if options.maxRetries < 0 then error("maxRetries: got " .. options.maxRetries .. "; must be 0 or more") end
    if options.retryDelay < 0 then error("retryDelay: got " .. options.retryDelay .. "; must be 0 ms or more") end
  end,
  decide = function(err, req, options)
    if err.attempt > options.maxRetries then return giveUp end
    local first, delay = err.attempt == 1, options.retryDelay

    -- No answer at all: the connection was lost, the attempt timed out, or the node could not be asked.
    if err.code == -1 then return nextHost, delay end
    if err.code == IS_BOOTSTRAPPING then return nextHost end

    -- A coordinator that is cut off from its replicas; another one may see them.
    if err.code == UNAVAILABLE then return first and nextHost or giveUp, delay end

    -- Enough replicas answered, but not the one that was asked for the data: the next time it is another one. With too
    -- few, another coordinator may reach others; one that just lost a replica keeps waiting for it for a while.
    if err.code == READ_TIMEOUT then
      local enough = err.received >= err.required
      if not first or enough and err.dataPresent then return giveUp end
      return enough and sameHost or nextHost, delay
    end
    -- The batch log was not written in time, so the batch did not begin. Any other write may have taken effect: only
    -- one that does no harm twice is worth another coordinator.
    if err.code == WRITE_TIMEOUT then
      if not first then return giveUp end
      if err.writeType == WRITE_BATCH_LOG then return sameHost, delay end
      return err.idempotent and nextHost or giveUp, delay
    end

    if err.code == OVERLOADED or err.code == SERVER_ERROR or err.code == TRUNCATE_ERROR then
      return nextHost, delay > 0 and delay or 20 * err.attempt
    end
    return giveUp
  end,
}
