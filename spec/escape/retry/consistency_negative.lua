-- SPDX-License-Identifier: Apache-2.0
-- Returns -1 for a consistency.
-- must: error: the third result is the consistency
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then return nextHost, 0, -1 end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
