-- SPDX-License-Identifier: Apache-2.0
-- Moves along the error.
-- must: refused at load: attempt to perform arithmetic
return retry {
  name = "Escape",
  decide = function(err, req)
    local _ = err + 1
    return err.attempt < 3 and nextHost or giveUp
  end,
}
