-- SPDX-License-Identifier: Apache-2.0
-- Raises a table.
-- must: error: error with a table value
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then error({}) end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
