-- SPDX-License-Identifier: Apache-2.0
-- Returns true for a verdict.
-- must: error: decide must return giveUp, sameHost or nextHost
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then return true end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
