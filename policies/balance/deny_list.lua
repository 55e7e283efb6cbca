-- SPDX-License-Identifier: Apache-2.0
-- Every node but those of a list, in the order of the child policy. An item is an address ("10.0.0.1",
-- "10.0.0.1:9042"), a host id, a datacentre ("dc1") or a rack ("dc1/rack1"). An empty list denies none.
return balance {
  name = "DenyListPolicy",
  options = {
    hosts = {},
    childPolicy = "TokenAwarePolicy",
  },
  plan = function(plan, req, options)
    if options.hosts[1] then plan:avoid(listed(options.hosts)) end
    plan:child(req)
  end,
}
