-- SPDX-License-Identifier: Apache-2.0
-- Requests that are tagged "scan" read whole tables: the datacentre of the analysts answers them, and nobody else, so
-- that the one that serves users keeps its caches.
return balance {
  name = "Scans",
  options = { childPolicy = "TokenAwarePolicy" },
  plan = function(plan, req)
    if req.tag == tags.scan then
      plan:hosts(dc "analytics", leastLoaded)
    else
      plan:child(req)
    end
  end,
}
