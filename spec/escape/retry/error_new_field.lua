-- SPDX-License-Identifier: Apache-2.0
-- Adds a field to the error.
-- must: refused at load: an error is read-only
return retry {
  name = "Escape",
  decide = function(err, req)
    err.message = 'x'
    return err.attempt < 3 and nextHost or giveUp
  end,
}
