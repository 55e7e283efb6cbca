-- SPDX-License-Identifier: Apache-2.0
-- Waits instead of returning a time.
-- must: refused at load: unknown name 'coroutine'
return reconnect {
  name = "Escape",
  delay = function(try)
    coroutine.yield(1000)
    return 1000
  end,
}
