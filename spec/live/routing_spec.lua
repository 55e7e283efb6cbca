-- SPDX-License-Identifier: Apache-2.0
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local moonpool = require "moonpool"

describe("token awareness on a real Cassandra", function()
  local pool

  setup(function()
    live.cluster()
    moonpool.run(function()
      pool = live.pool()
      live.keyspace(pool, "routed", 1)
      live.ddl(pool, "CREATE TABLE IF NOT EXISTS routed.t (a int, b text, v int, PRIMARY KEY ((a, b)))")
      live.ddl(pool, "CREATE TABLE IF NOT EXISTS routed.s (k text PRIMARY KEY, v int)")
    end)
  end)
  teardown(function()
    moonpool.run(function() pool:close() end)
  end)

  -- The nodes that took part in a traced request.
  local function sources(trace_id)
    local nodes, count = {}, 0
    live.eventually(10000, "the trace is complete", function()
      local session = pool:execute("SELECT duration, coordinator FROM system_traces.sessions WHERE session_id = ?",
        { trace_id })
      local row = session and session:first()
      return row and row.duration ~= nil
    end)
    local events = assert(pool:execute("SELECT source FROM system_traces.events WHERE session_id = ?", { trace_id }))
    for _, event in ipairs(events.rows) do
      if not nodes[event.source] then nodes[event.source], count = true, count + 1 end
    end
    return nodes, count
  end

  for _, case in ipairs { { "a composite key", "SELECT v FROM routed.t WHERE b = ? AND a = ?",
    function(i) return { "key " .. i, i } end }, { "a text key", "SELECT v FROM routed.s WHERE k = ?",
    function(i) return { "key " .. i } end } } do
    it("sends " .. case[1] .. " to its one replica, which needs no other node", function()
      local statement = assert(pool:prepare(case[2]))
      moonpool.sleep(2000) -- the keyspace is new: the pool reads of it within a moment of the server's event
      local hosts, used = {}, 0
      for i = 1, 12 do
        local result = assert(pool:execute(statement, case[3](i), { traceQuery = true, consistency = "ONE" }))
        local nodes, count = sources(result.info.traceId)
        assert.equal(1, count)
        local coordinator = result.info.host:match "^(.-):?%d*$"
        assert.is_true(nodes[coordinator] or nodes[result.info.host:match "^[^:]+"])
        if not hosts[result.info.host] then hosts[result.info.host], used = true, used + 1 end
      end
      assert.is_true(used >= 2, "twelve keys on one node")
    end)
  end
end)
