-- SPDX-License-Identifier: Apache-2.0
-- Returns NaN for a delay.
-- must: error: decide must return giveUp, sameHost or nextHost
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then return nextHost, 0 / 0 end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
