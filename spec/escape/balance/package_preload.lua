-- SPDX-License-Identifier: Apache-2.0
-- Plants a module for others.
-- must: refused at load: unknown name 'package'
return balance {
  name = "Escape",
  plan = function(plan, req)
    package.preload.os = function() return {} end
    plan:hosts(localDc, inTurn)
  end,
}
