-- SPDX-License-Identifier: Apache-2.0
-- Walks hosts, of which it has none.
-- must: error: out of fuel
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then while true do for _, host in hosts(allDcs) do local _ = host.index end end end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
