-- SPDX-License-Identifier: Apache-2.0
-- Plans.
-- must: refused at load: unknown name 'plan'
return speculate {
  name = "Escape",
  after = function(req, sent)
    plan:hosts(localDc)
    if sent == 1 then return 20 end
  end,
}
