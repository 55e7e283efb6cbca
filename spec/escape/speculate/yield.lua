-- SPDX-License-Identifier: Apache-2.0
-- Waits instead of returning a time.
-- must: refused at load: unknown name 'coroutine'
return speculate {
  name = "Escape",
  after = function(req, sent)
    coroutine.yield(1000)
    if sent == 1 then return 20 end
  end,
}
