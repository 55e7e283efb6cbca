-- SPDX-License-Identifier: Apache-2.0
-- Writes into the error.
-- must: refused at load: constant location
return retry {
  name = "Escape",
  decide = function(err, req)
    err.attempt = 0
    return err.attempt < 3 and nextHost or giveUp
  end,
}
