-- SPDX-License-Identifier: Apache-2.0
-- A sequence of numbers of its own, the same again from the same seed, whatever else draws: random(n) is 0 to n - 1.
return function(seed)
  local state = (seed * 2654435761 + 12345) % 4294967296
  return function(bound)
    state = (state * 1664525 + 1013904223) % 4294967296
    return math.floor(state / 65536) % bound
  end
end
