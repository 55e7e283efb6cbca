-- SPDX-License-Identifier: Apache-2.0
-- Returns 1.5 for a verdict.
-- must: error: decide must return giveUp, sameHost or nextHost
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then return 1.5 end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
