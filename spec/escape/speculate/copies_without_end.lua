-- SPDX-License-Identifier: Apache-2.0
-- Wants copies without end.
-- must: harmless
return speculate {
  name = "Escape",
  after = function() return 0 end,
}
