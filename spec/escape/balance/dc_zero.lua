-- SPDX-License-Identifier: Apache-2.0
-- Names a datacentre by a text with a zero in it.
-- must: error: dc: too many or too long
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then plan:hosts(dc "datacenter1\0x") end
    plan:hosts(localDc, inTurn)
  end,
}
