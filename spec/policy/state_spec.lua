-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local REPLICATION = { class = "NetworkTopologyStrategy", east = "2", west = "1" }

-- Six nodes, four in the local datacentre.
local function make_world()
  local hosts = {
    { dc = "east", rack = "r1", tokens = { 0 } }, { dc = "east", rack = "r2", tokens = { 100 } },
    { dc = "east", rack = "r1", tokens = { 200 } }, { dc = "east", rack = "r2", tokens = { 300 } },
    { dc = "west", rack = "r1", tokens = { 50 } }, { dc = "west", rack = "r2", tokens = { 150 } },
  }
  local view = topology.view(hosts, "east", "r2")
  local ring = topology.ring(hosts)
  local placement = topology.placement(ring, view, REPLICATION)
  C.mp_ring_unref(ring)
  return { view = view, placement = placement, free = function()
    C.mp_placement_unref(placement)
    topology.free(view)
  end }
end

local function sorted(list)
  table.sort(list)
  return list
end

describe("what a policy says", function()
  local world
  before_each(function() world = make_world() end)
  after_each(function()
    policies.close_all()
    world.free()
  end)

  -- A policy whose plan function has this body, bound to the world.
  local function saying(body, options, before)
    local p = assert(policies.of((before or "") .. "\nreturn balance { name = 'Mine', plan = function(plan, req)\n"
      .. body .. "\nend }", options))
    assert.equal(0, p:bind(world.view))
    return p
  end
  local function walk(p, req)
    return p:walk(world.view, req or {}, world.placement)
  end

  it("names each scope", function()
    assert.same({ 0, 1, 2, 3 }, sorted(walk(saying "plan:hosts(localDc, inTurn)")))
    assert.same({ 1, 3 }, sorted(walk(saying "plan:hosts(sameRack, inTurn)")))
    assert.same({ 4, 5 }, sorted(walk(saying "plan:hosts(remoteDcs, inTurn)")))
    assert.same({ 0, 1, 2, 3, 4, 5 }, sorted(walk(saying "plan:hosts(allDcs, inTurn)")))
    assert.same({ 0, 1, 2, 3, 4, 5 }, sorted(walk(saying "plan:hosts(all, inTurn)")))
    assert.same({ 4, 5 }, sorted(walk(saying "plan:hosts(dc('west'), inTurn)")))
    assert.same({ 0, 1, 2, 3 }, sorted(walk(saying("plan:hosts(home, inTurn)", nil, "local home = dc 'east'"))))
  end)

  it("leaves out a datacentre that nobody has seen", function()
    local p = saying "plan:hosts(dc('south'), inTurn) plan:hosts(dc('west'), inTurn)"
    assert.same({ 4, 5 }, sorted(walk(p)))
  end)

  it("asks for replicas of the row", function()
    local p = saying "plan:replicas(localDc, primaryFirst)"
    assert.same({ 1, 2 }, walk(p, { hasToken = true, routingToken = 100 }))
    p = saying "plan:replicas(allDcs, primaryFirst)"
    assert.same({ 1, 2, 5 }, sorted(walk(p, { hasToken = true, routingToken = 100 })))
    p = saying "plan:replicas(dc 'west', primaryFirst) plan:hosts(localDc, inTurn, 1)"
    assert.equal(5, walk(p, { hasToken = true, routingToken = 100 })[1])
  end)

  it("limits how many", function()
    assert.equal(2, #walk(saying "plan:hosts(localDc, inTurn, 2)"))
    assert.equal(1, #walk(saying "plan:hosts(remoteDcs, inTurn, 1)"))
  end)

  it("has an order without saying so", function()
    assert.equal(4, #walk(saying "plan:hosts(localDc)"))
    assert.equal(2, #walk(saying "plan:replicas(localDc)", { hasToken = true, routingToken = 100 }))
  end)

  it("takes every order", function()
    for _, order in ipairs { "inTurn", "shuffled", "primaryFirst", "leastLoaded", "fastest", "weighted" } do
      assert.same({ 0, 1, 2, 3 }, sorted(walk(saying("plan:hosts(localDc, " .. order .. ")"))))
    end
  end)

  it("reads the request", function()
    local p = saying [[
      if req.isLwt and req.isRead and req.idempotent and req.hasToken and req.isLocalConsistency
        and req.consistency == EACH_QUORUM and req.keyspaceId == 7 and req.attempt == 3 and req.tag == 9
        and req.token == 1.5 then plan:hosts(dc 'west', primaryFirst, 1) else plan:hosts(localDc, primaryFirst, 1) end]]
    local req = { isLwt = true, isRead = true, idempotent = true, hasToken = true, isLocalConsistency = true,
      consistency = C.MP_CL_EACH_QUORUM, keyspaceId = 7, attempt = 3, tag = 9, token = 1.5 }
    assert.same({ 4 }, walk(p, req))
    req.isLwt = false
    assert.same({ 0 }, walk(p, req))
  end)

  it("looks at hosts in place", function()
    local p = saying [[
      for i, host in hosts(allDcs) do
        if host.inFlight == 3 and host.weight == 2 and host.latencyUs == 44 and host.isUp and not host.isLocal
          and host:inDc "west" and not host:inDc "east" and not host:inDc "south" and host.index == 5 then
          plan:host(host)
        end
      end]]
    assert.is_nil(walk(p))
    local host = world.view.hosts[5]
    host.inFlight, host.weight, host.latencyUs = 3, 2, 44
    assert.same({ 5 }, walk(p))
  end)

  it("goes through hosts and replicas of a scope, and counts them", function()
    local function each(expression)
      return walk(saying("for _, host in " .. expression .. " do plan:host(host) end"),
        { hasToken = true, routingToken = 100 })
    end
    assert.same({ 0, 1, 2, 3 }, each "hosts(localDc)")
    assert.same({ 1, 3 }, each "hosts(sameRack)")
    assert.same({ 4, 5 }, each "hosts(remoteDcs)")
    assert.same({ 4, 5 }, each "hosts(dc 'west')")
    assert.same({ 1, 2 }, each "replicas(localDc)")
    assert.same({ 5 }, each "replicas(remoteDcs)")
    assert.same({ 1 }, each "replicas(sameRack)")
    assert.is_nil(each "hosts(dc 'south')")
    world.view.hosts[1].isUp = false
    assert.equal(0, C.mp_view_rebuild(world.view))
    assert.same({ 0, 2, 3 }, each "hosts(localDc)")
    assert.same({ 2 }, each "replicas(localDc)")
    local p = saying [[if upCount(localDc) == 3 and upCount(allDcs) == 5 and upCount(remoteDcs) == 2
      and upCount(sameRack) == 1 and upCount(dc "west") == 2 and upCount(dc "south") == 0 then
      plan:hosts(remoteDcs, primaryFirst, 1) end]]
    assert.same({ 4 }, walk(p))
  end)

  it("sees no hosts of a view it is not bound to", function()
    local p = saying "for _, host in hosts(allDcs) do plan:host(host) end plan:hosts(localDc, inTurn, 1)"
    local other = topology.view({ { dc = "x" } }, "x")
    finally(function() topology.free(other) end)
    assert.same({ 0 }, p:walk(other, {}))
  end)

  it("gives each tag and keyspace a number once", function()
    local asked = {}
    local names = ffi.new "struct mp_policy_names"
    local tag = ffi.cast("uint32_t (*)(void *, const char *, size_t)", function(_, text, len)
      asked[#asked + 1] = ffi.string(text, len)
      return #asked + 40
    end)
    names.tag_id, names.keyspace_id = tag, tag
    local p = assert(policies.of [[return balance { name = "Tagged", plan = function(plan, req)
      if req.tag == tags.scan then plan:hosts(remoteDcs, primaryFirst, 1)
      elseif req.keyspaceId == keyspaces.logs then plan:hosts(remoteDcs, primaryFirst, 2)
      else plan:hosts(localDc, primaryFirst, 1) end end }]])
    assert.equal(0, p:bind(world.view, names))
    assert.same({ 4 }, p:walk(world.view, { tag = 41 }))
    assert.same({ 4, 5 }, p:walk(world.view, { keyspaceId = 42 }))
    assert.same({ 0 }, p:walk(world.view, { tag = 5, keyspaceId = 5 }))
    assert.same({ "scan", "logs" }, asked)
    p:close()
    tag:free()
  end)

  it("does not take an unknown tag for no tag", function()
    local p = saying "if req.tag == tags.scan then plan:hosts(remoteDcs) else plan:hosts(localDc, primaryFirst, 1) end"
    assert.same({ 0 }, walk(p, { tag = 0 }))
  end)

  it("draws lots from the plan's own chance", function()
    local p = saying "plan:hosts(chance(0.25) and remoteDcs or localDc, primaryFirst, 1)"
    local remote = 0
    for i = 1, 4000 do
      local walked = p:walk(world.view, {}, nil, i * 2654435761)
      if walked[1] == 4 then remote = remote + 1 end
      assert.same(walked, p:walk(world.view, {}, nil, i * 2654435761))
    end
    assert.is_true(remote > 850 and remote < 1150, remote)
  end)

  it("keeps what is local to its file from one request to the next", function()
    local p = saying("n = n + 1 plan:hosts(n % 2 == 0 and localDc or remoteDcs, primaryFirst, 1)", nil, "local n = 0")
    local first = walk(p)[1]
    assert.equal(4 - first, walk(p)[1])
    assert.equal(first, walk(p)[1])
  end)

  it("leaves a request it says nothing about to the default, without an error", function()
    local p = saying "if req.isRead then plan:hosts(remoteDcs, inTurn) end"
    assert.is_false((p:plan(world.view, { isRead = false })))
    assert.is_true((p:plan(world.view, { isRead = true })))
    assert.equal(0, tonumber(p:info().errors))
  end)

  it("gets file:line for what it says wrongly", function()
    local wrong = {
      ["plan:hosts(inTurn, localDc)"] = "plan:hosts: the first argument must be a scope %(localDc, .-%), got 512",
      ["plan:hosts(nil)"] = "the first argument must be a scope %(.-%), got nil",
      ["plan:hosts('localDc')"] = "the first argument must be a scope %(.-%), got localDc",
      ["plan:hosts(0 / 0)"] = "the first argument must be a scope",
      ["plan:hosts(2 ^ 60)"] = "the first argument must be a scope",
      ["plan:hosts(0x1bf)"] = "the first argument must be a scope",
      ["plan:hosts(localDc, localDc)"] = "plan:hosts: the second argument must be an order %(inTurn, .-%), got 256",
      ["plan:replicas(localDc, 'x')"] = "plan:replicas: the second argument must be an order %(.-%), got x",
      ["plan:hosts(localDc, inTurn, -1)"] = "the limit must be a number of hosts, 1 or more, got %-1",
      ["plan:hosts(localDc, inTurn, {})"] = "the limit must be a number of hosts, 1 or more, got table",
      ["plan:host(nil)"] = "plan:host: that is not a host",
      ["plan:child(req)"] = "plan:child: there is no child policy %(option childPolicy%)",
      ["plan:first(localDc)"] = "first",
      ["hosts(5)"] = "hosts: the first argument must be a scope",
      ["upCount()"] = "upCount: the first argument must be a scope",
      ["dc(5)"] = "dc: a datacentre is named by a text",
      ["for _, h in hosts(allDcs) do h:inDc(5) end plan:hosts()"] = "",
      ["error 'mine'"] = "mine",
      ["local x = nil + 1"] = "attempt to perform arithmetic on a nil value",
    }
    for body, expected in pairs(wrong) do
      local p = saying("if req.tag == 77 then\n" .. body .. " end plan:hosts(localDc)")
      assert.is_nil(walk(p, { tag = 77 }), body)
      p:turn()
      assert.matches("/policy.lua:4: .*" .. expected, p.events[1].message)
    end
  end)
end)

describe("a decision", function()
  local world
  before_each(function() world = make_world() end)
  after_each(function()
    policies.close_all()
    world.free()
  end)

  for _, name in ipairs { "RoundRobinPolicy", "DCAwareRoundRobinPolicy", "TokenAwarePolicy" } do
    it("of " .. name .. " is machine code and allocates nothing", function()
      local p = policies.new { policy = name }
      assert.equal(0, p:bind(world.view))
      assert.is_true(p:info().is_compiled)
      local requests = { {}, { hasToken = true, routingToken = 100 }, { isLwt = true, hasToken = true },
        { isLocalConsistency = false } }
      local function ask(count)
        for i = 1, count do p:plan(world.view, requests[i % 4 + 1], world.placement, i) end
      end
      -- The compiler may find another branch of it worth a trace a little later, by chance; then it is at rest.
      local rounds, before, bytes, mem = 0
      repeat
        rounds = rounds + 1
        ask(2000)
        before, bytes, mem = p:info().allocations, p:info().memory_bytes, C.mp_mem_stats().allocs
        ask(20000)
      until p:info().allocations == before or rounds == 3
      assert.equal(before, p:info().allocations)
      assert.equal(bytes, p:info().memory_bytes)
      assert.equal(mem, C.mp_mem_stats().allocs)
      assert.equal(22000 * rounds, tonumber(p:info().calls))
      assert.equal(0, tonumber(p:info().errors))
      assert.is_false(p:info().has_loop)
    end)
  end

  local function cost_of(body, head)
    local p = assert(policies.of((head or "") .. " return balance { name = 'X', plan = function(plan, req) "
      .. body .. " end }"))
    assert.equal(0, p:bind(world.view))
    return p:info(), table.concat(p.log, "\n")
  end

  it("is told as slow when it is, with the reason", function()
    local info, log = cost_of("plan:replicas(localDc) plan:hosts(localDc)")
    assert.same({ false, 0, "" }, { info.is_slow, info.bytes_per_call, log })
    info, log = cost_of("for _, host in hosts(localDc) do if host.inFlight < 5 then plan:host(host) end end")
    assert.is_true(info.is_slow and info.has_loop)
    assert.matches("policy.lua:1: this policy loops: allowed, but slow", log, 1, true)
    info, log = cost_of("kept[1] = { req.attempt } plan:hosts(localDc)", "local kept = {}")
    assert.is_true(info.is_slow and info.is_compiled and info.bytes_per_call >= 32)
    assert.matches("policy.lua: this policy takes %d+ bytes of memory for each request: allowed, but slow", log)
    info, log = cost_of("local order = unpack(orders) plan:hosts(localDc, order)", "local orders = { shuffled }")
    assert.same({ true, false, false }, { info.is_slow, info.is_compiled, info.has_loop })
    assert.matches("policy.lua: this policy does not become machine code: allowed, but slow", log, 1, true)
  end)

  it("is not refused because a thousand nodes are too many for it", function()
    local info, log = cost_of("for _ in hosts(allDcs) do for _ in hosts(allDcs) do end end plan:hosts(localDc)")
    assert.is_true(info.is_slow)
    assert.matches("policy.lua: this policy takes too long on a cluster of a thousand nodes: allowed, but slow", log, 1,
      true)
  end)

  it("remembers nothing of the clusters it was tried with", function()
    local p = assert(policies.of [[
      local most, asked = 0, 0
      return balance { name = "Memory", plan = function(plan, req)
        asked = asked + 1
        most = math.max(most, upCount(allDcs))
        if req.tag == 5 and (most > 6 or asked > 1000) then error("most " .. most .. ", asked " .. asked) end
        plan:hosts(dc "east")
      end }]])
    assert.equal(0, p:bind(world.view))
    assert.is_true((p:plan(world.view, { tag = 5 })), ffi.string(p:info().last_error))
  end)

  it("is as good after any number of errors of any kind", function()
    local p = assert(policies.of([[local kept = {}
      return balance { name = "Shaky", plan = function(plan, req)
        local tag = req.tag
        if tag == 11 then error "plain" end
        if tag == 12 then assert(false, "asserted") end
        if tag == 13 then local a = kept.x.y end
        if tag == 14 then select(0) end
        if tag == 15 then unpack({}, 1, 1e6) end
        if tag == 16 then string.sub() end
        if tag == 17 then plan:hosts(5) end
        if tag == 18 then local a = kept < 1 end
        kept[tag % 4] = (kept[tag % 4] or 0) + select("#", unpack({ 1, 2, 3 }, 1, tag % 4))
        plan:hosts(localDc, primaryFirst, 1 + tonumber(tostring(tag % 3)))
      end }]], { sim = true }))
    assert.equal(0, p:bind(world.view))
    local random, errors = 7, 0
    for i = 1, 20000 do
      random = (random * 1103515245 + 12345) % 2147483648
      local tag = 11 + math.floor(random / 65536) % 30
      local ok, plan = p:plan(world.view, { tag = tag }, nil, i)
      assert.equal(tag > 18, ok)
      if ok then assert.equal(1 + tag % 3, #topology.walk(plan)) else errors = errors + 1 end
    end
    assert.equal(errors, tonumber(p:info().errors))
    assert.is_true(errors > 4000)
  end)

  it("is timed now and then", function()
    local p = policies.new { policy = "RoundRobinPolicy" }
    assert.equal(0, tonumber(p:info().ns_per_call))
    for i = 1, 5000 do p:plan(world.view, {}, nil, i) end
    assert.is_true(p:info().ns_per_call > 0)
  end)

  it("of a retry policy gives a verdict and a delay", function()
    local folder = policies.folder()
    policies.write(folder .. "/patient.lua", [[return retry { name = "Patient", options = { delay = 5 },
      decide = function(err, req, options)
        if err.code == UNAVAILABLE then return nextHost, options.delay end
        if err.code == READ_TIMEOUT and req.idempotent then return sameHost end
        if err.localError == CONNECTION_LOST then return nextHost, 1.9 end
        if err.code == WRITE_TIMEOUT and err.writeType == WRITE_COUNTER then return nextHost, 7 end
        if err.attempt == 42 then return 1 end
        if err.attempt == 43 then return nextHost, -1 end
        return giveUp
      end }]])
    finally(function()
      policies.close_all()
      policies.remove(folder)
    end)
    local p = policies.new { retry = "Patient", paths = { folder }, retryOptions = "{ delay = 9 }" }
    assert.same({ "nextHost", 9 }, { p:decide { code = C.MP_SE_UNAVAILABLE } })
    assert.same({ "sameHost", 0 }, { p:decide { code = C.MP_SE_READ_TIMEOUT, idempotent = true } })
    assert.same({ "nextHost", 1 }, { p:decide { err = C.MP_ELOST } })
    assert.same({ "nextHost", 7 }, { p:decide { code = C.MP_SE_WRITE_TIMEOUT, writeType = C.MP_WRITE_COUNTER } })
    assert.same({ "giveUp", 0 }, { p:decide { code = C.MP_SE_SYNTAX_ERROR } })
    assert.equal("Patient", ffi.string(p:info(C.MP_POLICY_RETRY).name))
    -- A wrong verdict is answered for by the default.
    assert.same({ "giveUp", 0 }, { p:decide { code = -1, attempt = 42 } })
    assert.same({ "giveUp", 0 }, { p:decide { code = -1, attempt = 43 } })
    assert.equal(2, tonumber(p:info(C.MP_POLICY_RETRY).errors))
    p:turn()
    assert.matches("patient.lua:%d: decide must return giveUp, sameHost or nextHost", p.events[1].message)
  end)
end)
