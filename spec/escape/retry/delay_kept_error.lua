-- SPDX-License-Identifier: Apache-2.0
-- Keeps the error and reads it in a later call, then fails.
-- must: error: kept
local kept
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then
      kept = kept or err
      if kept.attempt > 0 then error 'kept' end
    end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
