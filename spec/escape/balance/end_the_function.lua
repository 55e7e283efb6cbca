-- SPDX-License-Identifier: Apache-2.0
-- Ends the function that the loader wraps around the file.
-- must: refused at load: expected
end)() os.exit(3); (function()
return balance {
  name = "Escape",
  plan = function(plan, req)

    plan:hosts(localDc, inTurn)
  end,
}
