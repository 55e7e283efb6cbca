-- SPDX-License-Identifier: Apache-2.0
-- Asks for the address of everything.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      log(tostring(req) .. tostring(plan) .. tostring(plan.hosts) .. tostring({}) .. tostring(tags))
      local text = tostring(req) .. tostring(plan) .. tostring(plan.hosts) .. tostring({}) .. tostring(tags)
      for i = 1, #text - 1 do
        if text:sub(i, i + 1) == "0x" then error("an address: " .. text) end
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
