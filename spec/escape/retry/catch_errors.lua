-- SPDX-License-Identifier: Apache-2.0
-- Swallows errors.
-- must: refused at load: unknown name 'pcall'
return retry {
  name = "Escape",
  decide = function(err, req)
    pcall(error)
    return err.attempt < 3 and nextHost or giveUp
  end,
}
