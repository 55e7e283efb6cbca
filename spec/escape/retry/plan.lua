-- SPDX-License-Identifier: Apache-2.0
-- Plans.
-- must: refused at load: unknown name 'plan'
return retry {
  name = "Escape",
  decide = function(err, req)
    plan:hosts(localDc)
    return err.attempt < 3 and nextHost or giveUp
  end,
}
