-- SPDX-License-Identifier: Apache-2.0
-- Asks for datacentres that do not exist, in all ways.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      plan:hosts(dc "nowhere", inTurn)
      plan:replicas(dc "nowhere", shuffled)
      plan:hosts(dc "", weighted)
      if upCount(dc "nowhere") ~= 0 then error "somebody is there" end
    end
    plan:hosts(localDc, inTurn)
  end,
}
