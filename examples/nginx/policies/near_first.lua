-- SPDX-License-Identifier: Apache-2.0
return balance {
  name = "NearFirst",
  plan = function(plan)
    plan:replicas(localDc, shuffled)
    plan:hosts(localDc, inTurn)
  end,
}
