-- SPDX-License-Identifier: Apache-2.0
-- Loops while it is loaded.
-- must: refused at load: out of fuel
while true do end
return retry {
  name = "Escape",
  decide = function(err, req)

    return err.attempt < 3 and nextHost or giveUp
  end,
}
