-- SPDX-License-Identifier: Apache-2.0
-- Thousands of calls while everything goes wrong, by one seed: each call is answered once or was abandoned; an answer
-- is the one to this request; no id is used twice at a time; a call that a node has received whole is never said to
-- have been sent in part; and at the end nothing is left.
local C = require "spec.support.c"
local link_world = require "spec.support.link_world"
local clients = require "spec.support.client"

local CALLS = 10000

local function soak(seed, version)
  local world = link_world.open { seed = seed, settings = {
    version = version, max_streams = 300, max_orphans = 40, heartbeat_interval_ms = 400, heartbeat_timeout_ms = 200,
    connect_timeout_ms = 300, write_high_bytes = 200000, keyspace = "ks", cluster_name = "test cluster",
  } }
  math.randomseed(seed)
  local random = math.random
  local peer, client, loop = world.peer, world.client, world.loop
  local received, links, waiting = {}, {}, {}
  local stats = { calls = 0, good = 0, failed = 0, abandoned = 0, opened = 0, part = 0 }

  function peer.on_request(node, request)
    local nonce = request.cql:match "^%d+"
    assert(not received[nonce], "a request came twice")
    received[nonce] = true
    node.requests[#node.requests + 1] = request
  end

  local function node_acts(node)
    local dice = random(1000)
    for _ = 1, random(0, 40) do
      local count = #node.requests
      if count == 0 then break end
      local at = random(count)
      local request = node.requests[at]
      node.requests[at] = node.requests[count]
      node.requests[count] = nil
      local kind = random(300)
      if kind == 1 then
        node:error(request, C.MP_SE_OVERLOADED, "busy")
      elseif kind ~= 2 then -- 2: never answered
        node:echo(request, request.cql:match "^%d+" .. (kind < 20 and ("r"):rep(random(20000)) or ""))
      end
    end
    if dice <= 3 then
      node:close(true)
    elseif dice <= 6 then
      node:close()
    elseif dice == 7 then
      node:raw(node:framed "\x85\0\x77\x77\8\0\0\0\4\0\0\0\1")
    elseif dice == 8 then
      node:raw "HTTP/1.1 500 no\r\n"
    elseif dice == 9 then
      node:event()
    end
  end

  local function answered(call)
    waiting[call] = nil
    if call.rc == 0 and call.opcode == C.MP_OP_RESULT then
      assert(call.text:match "^%d+" == call.nonce, "another request's answer")
      stats.good = stats.good + 1
    elseif call.rc ~= 0 then
      stats.failed = stats.failed + 1
      if call.sent ~= 2 then
        stats.part = stats.part + 1
        call.not_whole = true
      end
    end
    if random(400) == 1 then call.link:close() end
    if random(3000) == 1 then call.link:drain() end
  end

  local failed_early = {}
  local function submit(link)
    for _ = 1, random(0, 30) do
      local nonce = tostring(stats.calls)
      local call = link:call(nonce .. (random(50) == 1 and ("q"):rep(random(60000)) or ""), answered)
      if not call then return end
      call.nonce = nonce
      stats.calls = stats.calls + 1
      waiting[call] = true
      failed_early[#failed_early + 1] = call
      if random(5) == 1 then call.give_up_ms = loop:now_ms() + random(0, 100) end
    end
  end

  local function abandon_late()
    local now = loop:now_ms()
    for call in pairs(waiting) do
      if call.give_up_ms and call.give_up_ms < now then
        waiting[call] = nil
        clients.abandon(call)
        stats.abandoned = stats.abandoned + 1
        if not call.link.closed then call.link:probe() end
      end
    end
  end

  local function fault()
    local dice = random(400)
    if dice == 1 then C.mp_loop_sim_cut(loop.handle, world.addr) end
    if dice == 2 then C.mp_loop_sim_blackhole(loop.handle, world.addr, true) end
    if dice == 3 then C.mp_loop_sim_partition(loop.handle, world.addr, true) end
    if dice == 4 then C.mp_loop_sim_stall(loop.handle, world.addr, true) end
    if dice == 5 then C.mp_loop_sim_jump(loop.handle, 10000000000ULL) end
    if dice >= 6 and dice <= 12 then C.mp_loop_sim_set_buffer(loop.handle, random(100, 20000)) end
    if dice >= 300 then
      C.mp_loop_sim_blackhole(loop.handle, world.addr, false)
      C.mp_loop_sim_partition(loop.handle, world.addr, false)
      C.mp_loop_sim_stall(loop.handle, world.addr, false)
    end
  end

  while stats.calls < CALLS do
    for i = 1, 3 do
      if not links[i] or links[i].closed then
        links[i] = client:open(world.addr, { register = i == 1 })
        stats.opened = stats.opened + 1
      elseif links[i].ready then
        submit(links[i])
      end
    end
    for _, node in ipairs(peer:open_links()) do node_acts(node) end
    fault()
    abandon_late()
    world:pass(random(0, 5))
  end

  C.mp_loop_sim_blackhole(loop.handle, world.addr, false)
  C.mp_loop_sim_partition(loop.handle, world.addr, false)
  C.mp_loop_sim_stall(loop.handle, world.addr, false)
  world:pass(2000)
  client:close()
  world:pass(2000)
  assert.equal(0, client:waiting())
  assert.is_nil(next(waiting))
  for _, call in ipairs(failed_early) do
    assert(call.abandoned or call.rc, "a call without an end")
    assert(not (call.not_whole and received[call.nonce]), "received whole, said to be cut")
  end
  world:close()
  return stats
end

describe("a connection under everything at once", function()
  for version = 4, 5 do
    it("loses no call, on version " .. version, function()
      local stats = soak(1000 + version, version) -- one of them with sockets that write together
      assert.is_true(stats.good > CALLS / 4, stats.good)
      assert.is_true(stats.failed > 100 and stats.abandoned > 100 and stats.part > 0 and stats.opened > 20)
    end)
  end
end)
