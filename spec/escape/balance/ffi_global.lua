-- SPDX-License-Identifier: Apache-2.0
-- Asks for ffi as a global.
-- must: refused at load: unknown name 'ffi'
return balance {
  name = "Escape",
  plan = function(plan, req)
    ffi.C.abort()
    plan:hosts(localDc, inTurn)
  end,
}
