-- SPDX-License-Identifier: Apache-2.0
-- Returns a table for a delay.
-- must: error: decide must return giveUp, sameHost or nextHost
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then return nextHost, {} end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
