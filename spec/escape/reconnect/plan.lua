-- SPDX-License-Identifier: Apache-2.0
-- Plans.
-- must: refused at load: unknown name 'plan'
return reconnect {
  name = "Escape",
  delay = function(try)
    plan:hosts(localDc)
    return 1000
  end,
}
