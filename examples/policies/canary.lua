-- SPDX-License-Identifier: Apache-2.0
-- Requests that are tagged "canary" try the nodes with the new version, which handlers tag "canary", too. Everybody
-- else stays away from those nodes while there are others.
return balance {
  name = "Canary",
  options = { childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req)
    if req.tag == tags.canary then
      plan:only(tagged "canary")
    else
      plan:avoid(tagged "canary")
    end
    plan:child(req)
    plan:allowAll()
    plan:hosts(localDc, inTurn)
  end,
}
