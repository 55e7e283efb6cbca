-- SPDX-License-Identifier: Apache-2.0
-- Waits instead of returning a delay.
-- must: refused at load: unknown name 'coroutine'
return retry {
  name = "Escape",
  decide = function(err, req)
    coroutine.yield(1000)
    return err.attempt < 3 and nextHost or giveUp
  end,
}
