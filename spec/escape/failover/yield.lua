-- SPDX-License-Identifier: Apache-2.0
-- Waits instead of deciding.
-- must: refused at load: unknown name 'coroutine'
return failover {
  name = "Escape",
  decide = function(home, serving)
    coroutine.yield(1000)
    if home.up > 0 then return home end
    return serving
  end,
}
