-- SPDX-License-Identifier: Apache-2.0
-- Answers that take long by their size: an attempt whose answer is arriving is not given up for another one, and
-- neither is a refresh of the topology. What drips, or stops in the middle, is.
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local STEP_MS = 10

describe("an answer that arrives slowly", function()
  local world, flows

  after_each(function()
    if world then world:close() end
    world, flows = nil, nil
  end)

  -- What `answer` sends, and all that follows it there, goes out at `step` bytes each 10 ms; no more than `most`.
  local function slowly(link, answer, step, most)
    local flow = { link = link, bytes = "", at = 1, step = step, most = most or math.huge }
    flow.raw = function(_, bytes) flow.bytes = flow.bytes .. bytes end
    link.raw = flow.raw
    answer()
    flows[#flows + 1] = flow
  end

  local function flow_on()
    for _, flow in ipairs(flows) do
      local last = math.min(flow.at + flow.step - 1, #flow.bytes, flow.most)
      flow.link.raw = nil
      if flow.at <= last and not flow.link.closed then flow.link:raw(flow.bytes:sub(flow.at, last)) end
      flow.at = math.max(flow.at, last + 1)
      if flow.at <= #flow.bytes then flow.link.raw = flow.raw end
    end
    world:pass(STEP_MS)
  end

  local function until_true(done, limit_ms)
    local give_up = world.loop:now_ms() + (limit_ms or 20000)
    while not done() do
      assert(world.loop:now_ms() < give_up, "it did not happen in time")
      flow_on()
    end
  end

  local function connected(version, config)
    flows = {}
    local options = { protocol_version = version, request_timeout_ms = 2000 }
    for key, value in pairs(config or {}) do options[key] = value end
    world = session_world.connected { nodes = { {}, {} }, config = options }
  end

  -- The first answer to a SELECT is this slow; the others are as always.
  local function slow_select(size, step, most)
    local first = true
    world.on_statement = function(_, link, request)
      if request.opcode ~= "QUERY" or not first then return false end
      first = false
      slowly(link, function() rows.send(link, request, { { "v", "blob" } }, { { ("x"):rep(size) } }) end, step, most)
      return true
    end
  end

  for version = 3, 5 do
    describe("on v" .. version, function()
      it("is waited for beyond the time of an attempt", function()
        connected(version)
        slow_select(27000, 150) -- 1.8 s
        local record = world:submit("SELECT v FROM t")
        until_true(function() return record.done end)
        assert.is_nil(record.err)
        assert.equal(27000, #record.rows[1][1])
        assert.equal(1, record.attempts)
      end)

      it("is not waited for beyond the request's deadline", function()
        connected(version)
        slow_select(60000, 150) -- 4 s
        local record = world:submit("SELECT v FROM t")
        until_true(function() return record.done end)
        assert.equal("TIMEOUT", record.err.code)
        assert.equal(1, record.attempts)
        assert.is_true(math.abs(record.latency_ms - 2000) < 20, record.latency_ms)
        -- and its connection goes on
        until_true(function() return flows[1].at > #flows[1].bytes end)
        assert.equal(0, world:count "CONNECTION_LOST")
      end)

      it("that only drips is asked for again", function()
        connected(version)
        slow_select(27000, 5)
        local record = world:submit("SELECT v FROM t")
        until_true(function() return record.done end)
        assert.is_nil(record.err)
        assert.equal(2, record.attempts)
        assert.is_true(math.abs(record.latency_ms - 1000) < 20, record.latency_ms)
      end)

      it("that stops in the middle is asked for again when the probe says so", function()
        connected(version, { request_timeout_ms = 6000, attempt_timeout_ms = 1000 })
        slow_select(60000, 150, 18000) -- stops after 1.2 s
        local record = world:submit("SELECT v FROM t")
        until_true(function() return record.done end)
        assert.is_nil(record.err)
        assert.equal(2, record.attempts)
        assert.is_true(record.latency_ms < 2600, record.latency_ms)
        assert.equal(1, world:count "CONNECTION_LOST")
      end)
    end)
  end

  describe("about the cluster", function()
    local function refresh_slowly(step)
      connected(4)
      world:pass(5000) -- what is read twice after connect
      local node = world:control_node()
      local before = world.refreshes
      local third = world:add_node { dead = true }
      world:listen(third)
      for i = 1, 200 do world.nodes[3].tokens[i] = tostring(1000 * i) end
      local asked = 0
      local serve = node.peer.on_request
      node.peer.on_request = function(link, request)
        if request.cql:find "peers" then
          asked = asked + 1
          slowly(link, function() serve(link, request) end, asked == 1 and step or 100000)
        else
          serve(link, request)
        end
      end
      world:event(node, "TOPOLOGY_CHANGE", "NEW_NODE", third)
      until_true(function() return world.refreshes > before and #flows > 0 end)
      return node, function() return asked end
    end

    it("is waited for beyond a question's deadline", function()
      local _, asked = refresh_slowly(15) -- connect_timeout is 1 s
      until_true(function() return world:find "127.0.0.3" ~= nil end)
      assert.equal(1, asked())
      assert.is_true(#flows[1].bytes > 1600, #flows[1].bytes)
    end)

    it("that drips is asked for elsewhere", function()
      local node = refresh_slowly(2)
      until_true(function() return world:find "127.0.0.3" ~= nil end)
      assert.are_not.equal(node, (world:control_node()))
    end)
  end)
end)
