-- SPDX-License-Identifier: Apache-2.0
-- Asks a child that it has not.
-- must: error: attempt to call
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then
      local child = nil
      return child(err, req)
    end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
