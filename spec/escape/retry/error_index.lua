-- SPDX-License-Identifier: Apache-2.0
-- Indexes the error as an array.
-- must: refused at load: an error has no field 'number'
return retry {
  name = "Escape",
  decide = function(err, req)
    local _ = err[1]
    return err.attempt < 3 and nextHost or giveUp
  end,
}
