-- SPDX-License-Identifier: Apache-2.0
-- Makes 64-bit and complex numbers and divides by zero.
-- must: harmless
local kept = {}
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local zero, most, least = 0LL, 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1LL
      local _ = most / zero, most % zero, least / -1LL, least % -1LL, 0ULL / 0ULL, 2LL ^ 1000LL, -least
      _ = bit.lshift(most, 1000), bit.band(most, least), tonumber(most), tostring(most), most == least, 1i == 2i
      kept[most] = most
    end
    plan:hosts(localDc, inTurn)
  end,
}
