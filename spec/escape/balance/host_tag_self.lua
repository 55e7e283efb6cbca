-- SPDX-License-Identifier: Apache-2.0
-- Asks a made-up host for its tags, far outside.
-- must: error: 
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      for _, host in hosts(allDcs) do
        host.hasTag({ index = 2 ^ 40 }, "x")
        error("asked")
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
