-- SPDX-License-Identifier: Apache-2.0
-- Loops with while.
-- must: error: out of fuel
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then while true do end end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
