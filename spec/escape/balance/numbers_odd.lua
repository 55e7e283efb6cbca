-- SPDX-License-Identifier: Apache-2.0
-- Calls every function of numbers with numbers that are none.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local odd = { 0 / 0, 1 / 0, -1 / 0, 2 ^ 53, -2 ^ 53, 1e308, -0.0, 2 ^ 31, -2 ^ 31, 2 ^ 63 }
      for _, a in ipairs(odd) do
        for _, b in ipairs(odd) do
          local _ = math.fmod(a, b), math.max(a, b), math.min(a, b), math.floor(a), math.ceil(a), math.exp(a)
          _ = bit.band(a, b), bit.lshift(a, b), bit.rshift(a, b), bit.bxor(a, b), bit.bnot(a), bit.tobit(a)
          _ = math.log(a), math.modf(a)
          _ = ("text"):sub(a, b), chance(a), a % b, a ^ b, math.sqrt(a)
        end
      end
    end
    plan:hosts(localDc, inTurn)
  end,
}
