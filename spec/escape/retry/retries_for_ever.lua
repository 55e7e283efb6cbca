-- SPDX-License-Identifier: Apache-2.0
-- Wants to go on for ever.
-- must: harmless
return retry {
  name = "Escape",
  decide = function() return sameHost, 0 end,
}
