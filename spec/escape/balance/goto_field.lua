-- SPDX-License-Identifier: Apache-2.0
-- Hides a goto behind a dot, where no goto can be.
-- must: refused at load: near 'x'
return balance { name = "Escape", plan = function(plan, req)
  plan:hosts(localDc)
  local t = {}
  ::x:: t.goto x
end }
