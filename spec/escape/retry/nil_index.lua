-- SPDX-License-Identifier: Apache-2.0
-- Reads a field of nothing.
-- must: error: attempt to index
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then
      local nothing
      local _ = nothing.x
    end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
