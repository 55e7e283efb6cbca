-- SPDX-License-Identifier: Apache-2.0
-- Calls itself at its tail.
-- must: error: out of fuel
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then
      local function f(n) return f(n + 1) end
      f(1)
    end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
