-- SPDX-License-Identifier: Apache-2.0
-- Asks for ffi.
-- must: refused at load: unknown name 'require'
return balance {
  name = "Escape",
  plan = function(plan, req)
    require("ffi").cdef "int system(const char *)"
    plan:hosts(localDc, inTurn)
  end,
}
