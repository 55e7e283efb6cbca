-- SPDX-License-Identifier: Apache-2.0
-- Chance for generators, the same on every machine: new(seed) gives below(n) (0 to n-1), pick(list), chance(n) (one in
-- n).
local bit = require "bit"

local random = {}

function random.new(seed)
  local state = bit.bxor(seed, 0x9e3779b9)
  if state == 0 then state = 1 end
  local r = {}
  -- xorshift32 (Marsaglia 2003)
  function r.bits()
    state = bit.bxor(state, bit.lshift(state, 13))
    state = bit.bxor(state, bit.rshift(state, 17))
    state = bit.bxor(state, bit.lshift(state, 5))
    return state % 2 ^ 32
  end
  function r.below(n) return math.floor(r.bits() / 2 ^ 32 * n) end
  function r.pick(list) return list[r.below(#list) + 1] end
  function r.chance(n) return r.below(n) == 0 end
  for _ = 1, 8 do r.bits() end
  return r
end

return random
