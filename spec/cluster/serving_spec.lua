-- SPDX-License-Identifier: Apache-2.0
-- Which datacentre serves, with a policy that says what the spec wants: what C makes of it, and what it keeps.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local READ = "SELECT v FROM t"
local world, wish, asked, asked_early

local function id(name)
  local view = C.mp_session_view(world.session)
  for i = 0, view.dc_count - 1 do
    if ffi.string(view.dc_names[i]) == name then return i end
  end
end

-- Two nodes in east (home), two in west. `wish`: the datacentre that the policy wants, a dcId, or false: it fails.
local function open(config, nodes, retry)
  nodes = nodes or { { dc = "east" }, { dc = "east" }, { dc = "west" }, { dc = "west" } }
  config = config or {}
  config.local_dc = config.local_dc or "east"
  config.local_limits = config.local_limits or { core = 2, max = 2 }
  config.remote_limits = config.remote_limits or { core = 1, max = 1 }
  wish, asked, asked_early = nil, 0, 0
  world = session_world.open { nodes = nodes, config = config }
  local policies = ffi.new "struct mp_policy_calls"
  policies.serving.decide = world.loop:callback(
    "bool (*)(void *, const struct mp_datacentres *, struct mp_serving_wish *)", function(_, _, answer)
      asked = asked + 1
      if world.session.state ~= C.MP_SESSION_OPEN then asked_early = asked_early + 1 end
      if wish == false then return false end
      local value = type(wish) == "function" and wish() or wish
      if type(value) == "string" then value = id(value) end
      if value then answer.dc = value end
      return true
    end)
  if retry then
    policies.retry.decide = world.loop:callback(
      "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)", function() return retry end)
  end
  C.mp_session_set_policies(world.session, policies)
  world:connect()
  world:pass(1500)
end

local function serving() return ffi.string(C.mp_session_serving_dc(world.session)) end

local function dc_of(record)
  for _, node in ipairs(world.nodes) do
    if record.host == node.ip .. ":9042" then return node.dc end
  end
end

local function connections(dc)
  local counts = {}
  for _, node in ipairs(world.nodes) do
    if node.dc == dc then counts[#counts + 1] = #node.peer:open_links() end
  end
  table.sort(counts)
  return table.concat(counts, " ")
end

local function local_one() return { consistency = C.MP_CL_LOCAL_ONE } end
local function one() return { consistency = C.MP_CL_ONE } end

describe("the datacentre that serves", function()
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("is nobody's question before the session is open: hosts that are not reached yet are no outage", function()
    open()
    assert.is_true(asked > 0)
    assert.equal(0, asked_early)
  end)

  it("is home, and the policy is asked once a second and when hosts come and go", function()
    open()
    assert.equal("east", serving())
    local before = asked
    world:pass(10000)
    assert.is_true(asked - before >= 9 and asked - before <= 12, asked - before)
    before = asked
    for _ = 1, 100 do world:execute(READ, one()) end
    assert.is_true(asked - before <= 1, "never for a request")
    before = asked
    world:kill(world.nodes[3])
    world:pass(20)
    assert.is_true(asked > before)
  end)

  it("is the one that the policy wants, with the connections of a local one", function()
    open()
    assert.equal("1 1", connections "west")
    local east = connections "east"
    wish = "west"
    world:pass(2000)
    assert.equal("west", serving())
    assert.equal("east", ffi.string(C.mp_session_local_dc(world.session)))
    assert.equal("2 2", connections "west")
    assert.not_equal(east, connections "east")
    assert.equal(1, world:count "DC_FAILOVER")
    local event = world.events[#world.events]
    for _, entry in ipairs(world.events) do if entry.kind == "DC_FAILOVER" then event = entry end end
    assert.same({ "east", "west", "east: 2 of 2 hosts are up" }, { event.from_dc, event.to_dc, event.reason })
    for _ = 1, 20 do assert.equal("west", dc_of(world:execute(READ, one()))) end
    assert.equal(1, tonumber(world:stats().dc_changes))
  end)

  it("is prepared first: it serves when its connections are open, or after a while", function()
    open()
    -- Nobody is let in any more where it should go.
    for i = 3, 4 do world.nodes[i].peer:unlisten() end
    wish = "west"
    world:pass(3500)
    assert.equal("east", serving())
    wish = nil
    world:pass(3000)
    wish = "west"
    world:pass(4500) -- patience begins anew
    assert.equal("east", serving())
    world:pass(2500)
    assert.equal("west", serving())
    for i = 1, 2 do world.nodes[i].peer:unlisten() end
    wish = "east" -- a return has more patience
    world:pass(30000)
    assert.equal("west", serving())
    for i = 1, 2 do world:listen(world.nodes[i]) end
    world:pass(25000)
    assert.equal("east", serving())
    for i = 3, 4 do world:listen(world.nodes[i]) end
  end)

  it("keeps its small pools when it is not to serve after all", function()
    open()
    world.nodes[3].peer:unlisten()
    wish = "west"
    world:pass(1500)
    assert.equal("1 2", connections "west")
    wish = "east"
    world:pass(3000)
    assert.equal("1 1", connections "west")
    assert.equal("east", serving())
    world:listen(world.nodes[3])
  end)

  it("never moves to where nobody is up", function()
    open()
    for i = 3, 4 do world:kill(world.nodes[i]) end
    wish = "west"
    world:pass(60000)
    assert.equal("east", serving())
    for i = 3, 4 do world:start(world.nodes[i]) end
    world:pass(30000)
    assert.equal("west", serving())
  end)

  it("stays when the policy fails or names what is not there", function()
    open()
    for _, value in ipairs { 63, 64, 1000, 65535, 2, false } do
      wish = value
      world:pass(3000)
      assert.equal("east", serving())
    end
    assert.is_true(tonumber(world.session.serving.refused) >= 12)
    assert.equal(0, world:count "DC_FAILOVER")
  end)

  it("does not change more often than every five seconds, whatever the policy says", function()
    open()
    wish = function() return asked % 2 == 0 and "west" or "east" end
    world:pass(100000)
    wish = function() return serving() == "west" and "east" or "west" end
    world:pass(100000)
    local last
    for _, event in ipairs(world.events) do
      if event.kind == "DC_FAILOVER" then
        assert.is_true(last == nil or event.at - last >= 5000)
        last = event.at
      end
    end
    assert.is_true(world:count "DC_FAILOVER" >= 10 and world:count "DC_FAILOVER" <= 40)
  end)

  it("may be one although home has no host at all", function()
    open({ local_dc = "nowhere" })
    assert.equal("nowhere", serving())
    wish = "west"
    world:pass(2000)
    assert.equal("west", serving())
    assert.equal("west", dc_of(world:execute(READ, one())))
    assert.equal("NO_HOST_AVAILABLE", world:execute(READ, local_one()).err.code)
  end)

  it("moves although any one allocation fails meanwhile", function()
    for nth = 1, 40 do
      open()
      wish = "west"
      C.mp_mem_fail_at(nth, false)
      world:pass(2500)
      C.mp_mem_fail_at(0, false)
      world:pass(15000)
      assert.equal("west", serving())
      assert.equal("2 2", connections "west")
      assert.equal("west", dc_of(world:execute(READ, one())))
      assert.equal("east", dc_of(world:execute(READ, local_one())))
      world:close()
    end
    world = nil
  end)

  it("leaves the order of the others as it was when home serves again", function()
    open({}, { { dc = "east" }, { dc = "west" }, { dc = "south" }, { dc = "north" } })
    local function order()
      local view, list = C.mp_session_view(world.session), {}
      for i = 0, view.remote_count - 1 do list[i + 1] = ffi.string(view.dc_names[view.remote_order[i]]) end
      return table.concat(list, " ")
    end
    local before = order()
    wish = "west"
    world:pass(2000)
    assert.is_nil(order():find "west")
    assert.is_truthy(order():find "east")
    wish = "east"
    world:pass(10000)
    assert.equal("east", serving())
    assert.equal(before, order())
  end)

  it("is nobody's question any more while the session closes", function()
    open()
    local before = asked
    world.on_statement = function() return true end -- an answer that does not come: the session drains
    world:submit(READ, { timeout_ms = 4000 })
    world:pass(10)
    wish = "west"
    C.mp_session_close(world.session, 5000, world.on_closed, nil)
    world:pass(1100)
    world:kill(world.nodes[3])
    world:pass(500)
    assert.equal(0, world.closed_count)
    assert.equal(before, asked)
    assert.equal("east", serving())
    world:until_true(function() return world.closed_count == 1 end)
  end)

  it("is home again when there is no policy any more", function()
    open()
    wish = "west"
    world:pass(2000)
    assert.equal("west", serving())
    C.mp_session_set_policies(world.session, nil)
    world:pass(10000)
    assert.equal("east", serving())
    assert.equal("east", dc_of(world:execute(READ, one())))
  end)

  it("counts a node that comes meanwhile to it", function()
    open()
    wish = "west"
    world:pass(2000)
    local node = world:add_node { dc = "west" }
    world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", node)
    world:event(world.nodes[3], "TOPOLOGY_CHANGE", "NEW_NODE", node)
    world:pass(5000)
    local seen = {}
    for _ = 1, 30 do seen[world:execute(READ, one()).host] = true end
    assert.is_true(seen[node.ip .. ":9042"])
  end)

  describe("and requests that belong to home", function()
    -- A request that waits for the answer of one node of home; then west serves; then the node says no.
    local function overtaken(options)
      local held
      world.on_statement = function(node, link, request)
        if held then return end
        held = { node = node, link = link, stream = request.stream }
        return true
      end
      local record = world:submit(READ, options)
      world:pass(10)
      assert.equal("east", held.node.dc)
      wish = "west"
      world:pass(1900)
      assert.equal("west", serving())
      rows.error(held.link, { stream = held.stream }, { code = C.MP_SE_IS_BOOTSTRAPPING, message = "later" })
      world:wait(record)
      return record, held.node.ip .. ":9042"
    end

    it("goes on at home when another one serves meanwhile", function()
      open({ request_timeout_ms = 8000 }, nil, C.MP_NEXT_HOST)
      local options = local_one()
      options.timeout_ms = 8000
      local record, first = overtaken(options)
      assert.is_nil(record.err)
      assert.equal("east", dc_of(record))
      assert.not_equal(first, record.host)
      assert.equal(2, record.attempts)
    end)

    it("goes on with the others when it does not belong there", function()
      open({ request_timeout_ms = 8000 }, nil, C.MP_NEXT_HOST)
      local record = overtaken { consistency = C.MP_CL_ONE, timeout_ms = 8000 }
      assert.is_nil(record.err)
      assert.equal("west", dc_of(record))
    end)

    it("follows where it may", function()
      open({ request_timeout_ms = 8000, local_may_follow = true }, nil, C.MP_NEXT_HOST)
      local options = local_one()
      options.timeout_ms = 8000
      assert.equal("west", dc_of(overtaken(options)))
    end)

    it("keeps local ones there, and lets the others go", function()
      open()
      wish = "west"
      world:pass(2000)
      for _ = 1, 20 do
        assert.equal("east", dc_of(world:execute(READ, local_one())))
        assert.equal("west", dc_of(world:execute(READ, one())))
      end
      -- A host that the caller names is the caller's business.
      local slot = world:find(world.nodes[4].ip).index
      local record = world:execute(READ, { consistency = C.MP_CL_LOCAL_ONE, pinned_host = slot })
      assert.equal("west", dc_of(record))
    end)

    it("does not let a retry policy lower a level to a local one elsewhere", function()
      open()
      local policies = ffi.new("struct mp_policy_calls", world.session.policies)
      local lower = ffi.new("uint16_t[1]", C.MP_CL_LOCAL_ONE)
      policies.retry.lower_to = lower
      policies.retry.decide = world.loop:callback(
        "enum mp_retry_verdict (*)(void *, const struct mp_retry_view *, uint32_t *)",
        function() return C.MP_NEXT_HOST end)
      C.mp_session_set_policies(world.session, policies)
      local levels = {}
      world.on_statement = function(_, link, request)
        levels[#levels + 1] = request.consistency
        if #levels % 2 == 0 then return end
        rows.error(link, request, { code = C.MP_SE_UNAVAILABLE, message = "no", consistency = 4, required = 2,
          received = 1 })
        return true
      end
      assert.is_nil(world:execute(READ, { consistency = C.MP_CL_QUORUM }).err)
      assert.same({ tonumber(C.MP_CL_QUORUM), tonumber(C.MP_CL_LOCAL_ONE) }, levels)
      wish = "west"
      world:pass(2000)
      levels = {}
      assert.is_nil(world:execute(READ, { consistency = C.MP_CL_QUORUM }).err)
      assert.same({ tonumber(C.MP_CL_QUORUM), tonumber(C.MP_CL_QUORUM) }, levels)
    end)
  end)
end)
