-- SPDX-License-Identifier: Apache-2.0
-- When not enough replicas are there for the consistency that was asked for, once more with one that those who are
-- there can give. Only for those who would rather have an older answer than none: after it, a read at QUORUM may not
-- see a write at QUORUM. It works for reads and idempotent writes; for others, and for lightweight transactions,
-- nothing is lowered.
local function reachable(replicas, consistency)
  if consistency == LOCAL_QUORUM then return replicas >= 1 and LOCAL_ONE or nil end
  if replicas >= 3 then return THREE end
  if replicas == 2 then return TWO end
  if replicas == 1 then return ONE end
end

return retry {
  name = "DowngradingConsistencyRetryPolicy",
  decide = function(err)
    if err.attempt > 1 then return giveUp end
    if err.code == -1 or err.code == IS_BOOTSTRAPPING then return nextHost end

    if err.code == UNAVAILABLE or err.code == READ_TIMEOUT and err.received < err.required then
      local lower = reachable(err.received, err.consistency)
      if lower then return sameHost, 0, lower end
      return err.code == UNAVAILABLE and nextHost or giveUp
    end
    if err.code == READ_TIMEOUT then return not err.dataPresent and sameHost or giveUp end

    if err.code == WRITE_TIMEOUT then
      if err.writeType == WRITE_BATCH_LOG then return sameHost end
      local lower = err.writeType == WRITE_UNLOGGED_BATCH and reachable(err.received, err.consistency)
      if lower then return sameHost, 0, lower end
    end
    return giveUp
  end,
}
