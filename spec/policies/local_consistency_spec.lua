-- SPDX-License-Identifier: Apache-2.0
-- The promise of a LOCAL_ consistency, over many random clusters: an answer of the local datacentre, or none.
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local TOPOLOGIES, HOSTS = 100000, 24

describe("a request with a LOCAL_ consistency", function()
  after_each(policies.close_all)

  -- Plans for random clusters: up to 24 hosts in up to 5 datacentres, any of them down, any of them local. Calls
  -- check(view, walk, count) for each; `walk` holds the slots.
  local function try_all(p, req, count, check)
    local hosts = {}
    for i = 1, HOSTS do hosts[i] = { dc = "dc" .. i % 5 } end
    local view = topology.view(hosts, "dc0")
    assert(p:bind(view) == 0)
    local balance = C.mp_policies_get(p.handle).balance
    local plan, walk = ffi.new "struct mp_plan", ffi.new("uint16_t[?]", C.MP_PLAN_SEEN)
    local state = 12345
    local function draw(n)
      state = (state * 1103515245 + 12345) % 2147483648
      return math.floor(state / 65536) % n
    end
    for round = 1, count do
      local local_dc, dcs, up = draw(6), 1 + draw(5), draw(4)
      view.host_count = draw(HOSTS + 1)
      view.local_dc = local_dc < dcs and local_dc or C.MP_NO_HOST
      for slot = 0, view.host_count - 1 do
        local host = view.hosts[slot]
        host.dcId = draw(dcs)
        host.isUp = draw(4) <= up
        host.isLocal = host.dcId == local_dc
      end
      assert(C.mp_view_rebuild(view) == 0)
      C.mp_plan_init(plan, view, nil, false, 0, round)
      assert(balance.plan(balance.self, req, plan) or plan.step_count == 0)
      local given = 0
      while true do
        local slot = C.mp_plan_next(plan, nil)
        if slot == C.MP_NO_HOST then break end
        walk[given], given = slot, given + 1
      end
      check(view, walk, given)
    end
    p:close()
    topology.free(view)
  end

  local function request(is_local)
    return ffi.new("struct mp_request_view", { attempt = 1, isLocalConsistency = is_local,
      consistency = is_local and C.MP_CL_LOCAL_QUORUM or C.MP_CL_QUORUM })
  end

  it("is never sent to a remote host by DCAwareRoundRobinPolicy, in 100,000 random clusters", function()
    local p = policies.new { policy = "DCAwareRoundRobinPolicy", options = "{ usedHostsPerRemoteDc = 3 }" }
    local given_total = 0
    try_all(p, request(true), TOPOLOGIES, function(view, walk, given)
      for i = 0, given - 1 do
        if not view.hosts[walk[i]].isLocal then error("slot " .. walk[i] .. " is remote") end
      end
      if given ~= view["local"].count then error(given .. " of " .. view["local"].count .. " local hosts") end
      given_total = given_total + given
    end)
    assert.is_true(given_total > TOPOLOGIES)
  end)

  for _, name in ipairs { "TokenAwarePolicy", "LeastLoadedPolicy", "LatencyAwarePolicy", "WeightedPolicy",
    "RegionPriorityPolicy", "AllowListPolicy", "DenyListPolicy" } do
    it("is never sent to a remote host by " .. name, function()
      local option = name == "RegionPriorityPolicy" and "hostsPerRegion" or "usedHostsPerRemoteDc"
      local p = policies.new { policy = name, options = "{ " .. option .. " = 3 }" }
      try_all(p, request(true), 3000, function(view, walk, given)
        for i = 0, given - 1 do assert(view.hosts[walk[i]].isLocal) end
      end)
    end)
  end

  it("goes to remote hosts when that is allowed, and other consistencies go there in any case", function()
    for _, case in ipairs { { "{ usedHostsPerRemoteDc = 3, allowRemoteDCsForLocalConsistencyLevel = true }", true },
      { "{ usedHostsPerRemoteDc = 3 }", false } } do
      local remote = 0
      try_all(policies.new { policy = "DCAwareRoundRobinPolicy", options = case[1] }, request(case[2]), 3000,
        function(view, walk, given)
          local of_dc = {}
          for i = 0, given - 1 do
            local host = view.hosts[walk[i]]
            if not host.isLocal then
              remote = remote + 1
              of_dc[host.dcId] = (of_dc[host.dcId] or 0) + 1
              assert(of_dc[host.dcId] <= 3)
            end
          end
        end)
      assert.is_true(remote > 3000)
    end
  end)
end)
