-- SPDX-License-Identifier: Apache-2.0
-- Never a second copy. To say so aloud; without any policy it is the same, and costs nothing.
return speculate {
  name = "NoSpeculativeExecutionPolicy",
  after = function() end,
}
