-- SPDX-License-Identifier: Apache-2.0
-- Only the nodes of a list, in the order of the child policy. An item is an address ("10.0.0.1",
-- "10.0.0.1:9042"), a host id, a datacentre ("dc1") or a rack ("dc1/rack1"). An empty list allows every node.
return balance {
  name = "AllowListPolicy",
  options = {
    hosts = {},
    childPolicy = "TokenAwarePolicy",
  },
  plan = function(plan, req, options)
    if options.hosts[1] then plan:only(listed(options.hosts)) end
    plan:child(req)
  end,
}
