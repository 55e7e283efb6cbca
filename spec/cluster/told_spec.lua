-- SPDX-License-Identifier: Apache-2.0
-- What a session tells its log of its life, line by line and nothing else: an operator reads there what happened.
-- Which of several nodes is reached first is chance, so the lines of one step stand in the order of the alphabet.
local ffi = require "ffi"
local C = require "spec.support.c"
local clear = require "table.clear"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

describe("the log of a session", function()
  local world, lines

  local function open(options, level)
    world = session_world.open(options)
    lines = world:hear(level or C.MP_LOG_INFO)
  end
  local function connected(options, level)
    open(options, level)
    assert.is_nil(world:connect())
    world:pass(2000)
    clear(lines)
  end
  -- Since the last time.
  local function told(expected)
    local heard = {}
    for i, line in ipairs(lines) do heard[i] = line end
    table.sort(heard)
    table.sort(expected)
    assert.same(expected, heard)
    clear(lines)
  end

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  it("has its beginning and its end", function()
    open()
    assert.is_nil(world:connect())
    world:pass(2000)
    assert.equal("I protocol version 5", lines[1])
    assert.equal("I connected: 3 hosts known, 3 up", lines[#lines])
    told {
      "I protocol version 5",
      "I 127.0.0.1:9042 (dc1, r1) is a node of the cluster",
      "I 127.0.0.2:9042 (dc1, r1) is a node of the cluster",
      "I 127.0.0.3:9042 (dc1, r1) is a node of the cluster",
      "I the control connection stands at 127.0.0.1:9042",
      "I 127.0.0.1:9042 is up", "I 127.0.0.2:9042 is up", "I 127.0.0.3:9042 is up",
      "I connected: 3 hosts known, 3 up",
    }
    world:close_session(100)
    told {
      "I 127.0.0.1:9042: closed by the pool: the session closes (0 in flight)",
      "I 127.0.0.1:9042 is removed", "I 127.0.0.2:9042 is removed", "I 127.0.0.3:9042 is removed",
      "I 127.0.0.1:9042: drained (0 in flight)", "I 127.0.0.2:9042: drained (0 in flight)",
      "I 127.0.0.3:9042: drained (0 in flight)",
    }
  end)

  it("has its states for who looks closely", function()
    open({ nodes = { {} } }, C.MP_LOG_DEBUG)
    assert.is_nil(world:connect())
    world:close_session(0)
    local states = {}
    for _, line in ipairs(lines) do states[#states + 1] = line:match "^D (%w+: %w+ %-> %w+)$" end
    assert.same({
      "session: new -> connecting", "control: off -> seeking", "control: seeking -> reading",
      "control: reading -> standing", "session: connecting -> open", "session: open -> closing",
      "control: standing -> off", "session: closing -> closed",
    }, states)
  end)

  it("says why there is no connection", function()
    open { nodes = { { dead = true }, {} }, contacts = { "127.0.0.1", "nowhere.example" } }
    world:connect()
    told { "W connect failed: no host could serve the request: 127.0.0.1:9042: the node refused the connection "
      .. "(2 attempts; before: nowhere.example: a host name could not be resolved)" }
    world:close()
    open { nodes = { { dc = "a" }, { dc = "b" } }, config = { local_dc = "zz" } }
    world:connect()
    assert.same("W connect failed: no host is in the local datacentre 'zz'; the cluster has: a, b", lines[6])
  end)

  it("follows a node that goes and comes, by whatever address", function()
    connected()
    local node = world.nodes[2]
    node.peer:close()
    node.ip = "127.0.0.12"
    world:listen(node)
    world:event(world.nodes[1], "STATUS_CHANGE", "UP", node)
    world:pass(5000)
    told {
      "W 127.0.0.2:9042: closed by the node: the node closed the connection (0 in flight)",
      "W 127.0.0.2:9042 is down: the node closed the connection",
      "I 127.0.0.2:9042 is reached at 127.0.0.12:9042", "I 127.0.0.12:9042 is up",
    }
    world.nodes[3].member = false
    world:event(world.nodes[1], "TOPOLOGY_CHANGE", "REMOVED_NODE", world.nodes[3])
    world:pass(5000)
    told { "I 127.0.0.3:9042 left the cluster", "I 127.0.0.3:9042 is removed",
      "I 127.0.0.3:9042: drained (0 in flight)" }
    world.nodes[3].member = true
    world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", world.nodes[3])
    world:pass(5000)
    told { "I 127.0.0.3:9042 (dc1, r1) is a node of the cluster", "I 127.0.0.3:9042 is up" }
    world:kill(node)
    world:pass(5000)
    told { "W 127.0.0.12:9042: connection lost: the connection was lost (0 in flight)",
      "W 127.0.0.12:9042 is down: the connection was lost" }
    world:start(node)
    world:pass(30000)
    told { "I 127.0.0.12:9042 is up" }
  end)

  it("follows the control connection, and who it asks without an answer to believe", function()
    connected()
    world:kill(world.nodes[1])
    world:pass(30000)
    told {
      "W 127.0.0.1:9042: connection lost: the connection was lost (0 in flight)",
      "W 127.0.0.1:9042: connection lost: the connection was lost (0 in flight)",
      "I the control connection to 127.0.0.1:9042 ended: the connection was lost",
      "W 127.0.0.1:9042 is down: the connection was lost",
      "I the control connection stands at 127.0.0.3:9042",
    }
    world.no_peers = true
    C.mp_topology_want(world.session.topology, true, false, 0)
    world:pass(10000)
    told { "W a node names no other: the known hosts stay", "W a node names no other: the known hosts stay",
      "I 127.0.0.1:9042 left the cluster", "I 127.0.0.1:9042 is removed" }
  end)

  it("says of rows and events what is wrong with them", function()
    connected { nodes = { {}, { says = { host_id = false } }, { tokens = { "x" } }, { tokens = false } } }
    world:pass(60000)
    clear(lines)
    C.mp_topology_want(world.session.topology, true, false, 0)
    world:pass(5000)
    told { "W a row of system.peers (127.0.0.2) has no host_id or no address and was skipped (1 more like it)" }
    local _, link = world:control_node()
    world:odd_events(link)
    world:pass(1000)
    told { "W an unreadable event was ignored", "W an unreadable event was ignored",
      "W an unreadable event was ignored" }
  end)

  it("says once how many nodes have no tokens, and again when that changes", function()
    connected { nodes = { {}, { tokens = { "x" } }, { tokens = false }, {} },
      config = { discovery_interval_ms = 5000 } }
    local said = "W %d nodes say no tokens, or some that are not understood: their replicas may not be known"
    world:pass(20000)
    told {}
    world.nodes[4].tokens = { "12345678901234567890123" }
    world:pass(10000)
    told { said:format(3) }
    for i = 2, 4 do world.nodes[i].tokens = { tostring(i) } end
    world:pass(20000)
    told {}
  end)

  it("gives the control connection up with the node's own words", function()
    connected { config = { discovery_interval_ms = 5000 } }
    world.nodes[1].peer.on.QUERY = function(link, request)
      if not request.cql:find "FROM system.local WHERE" then return false end
      link:error(request, C.MP_SE_OVERLOADED, "too much")
      return true
    end
    local other
    world:until_true(function()
      other = world:control_node()
      return other ~= nil and other ~= world.nodes[1]
    end, 60000)
    world:pass(1000)
    local why = "system.local could not be read: too much"
    assert.equal("W " .. why, lines[1])
    local ends = {}
    for _, line in ipairs(lines) do
      if line ~= "W " .. why then ends[#ends + 1] = line end
    end
    assert.same({
      "I 127.0.0.1:9042: closed by the pool: " .. why .. " (0 in flight)",
      "I the control connection to 127.0.0.1:9042 ended: " .. why,
      "I the control connection stands at " .. other.ip .. ":9042",
    }, ends)
  end)

  it("names what there are too many of, and what is taken for local", function()
    local nodes = {}
    for i = 1, 66 do nodes[i] = { dc = "dc" .. i } end
    open({ nodes = nodes }, C.MP_LOG_WARN)
    assert.is_nil(world:connect())
    told { "W 127.0.0.65:9042: too many datacentres: its own is not told apart from others",
      "W 127.0.0.66:9042: too many datacentres: its own is not told apart from others" }
    world:close()
    open({ nodes = { { dc = false }, { dc = false } }, config = { local_dc = "zz" } }, C.MP_LOG_WARN)
    assert.is_nil(world:connect())
    told { "W no host is in the local datacentre 'zz': those that do not say theirs count as local" }
  end)

  it("has the first of a row of failed health checks, and their end", function()
    connected { config = { health = { enabled = true, interval_ms = 2000, timeout_ms = 500,
      query = ffi.cast("const char *", "SELECT v FROM t") } } }
    local does
    world.on_statement = function(node, link, request) return node == world.nodes[2] and does(link, request) end
    for why, answer in pairs {
      OVERLOADED = function(link, request) link:error(request, C.MP_SE_OVERLOADED, "SELECT v FROM t: too much") end,
      ["no answer within 500 ms"] = function() end,
    } do
      does = function(link, request)
        answer(link, request)
        return true
      end
      world:pass(10000)
      told { "W 127.0.0.2:9042 fails its health check: " .. why }
      does = function(link, request)
        rows.send(link, request, { { "v", "text" } }, { { "fine" } })
        return true
      end
      world:pass(3000)
      assert.equal(1, #lines)
      local failures = tonumber(lines[1]:match "^I 127.0.0.2:9042 passes its health check again, after (%d+) failures$")
      assert.is_true(failures >= 4 and failures <= 6, lines[1])
      clear(lines)
    end
  end)

  it("has the states of a circuit breaker, and why", function()
    connected { config = { breaker = { enabled = true, threshold = 3, recovery_ms = 1000, trials = 2 } } }
    local bad = true
    world.on_statement = function(node, link, request)
      if not bad or node ~= world.nodes[2] then return false end
      link:error(request, C.MP_SE_OVERLOADED, "too much")
      return true
    end
    local pinned = { pinned_host = world:find("127.0.0.2").index }
    local function ask(times)
      for _ = 1, times do world:execute("SELECT v FROM t", pinned) end
    end
    local of = "127.0.0.2:9042: its circuit breaker is "
    ask(2)
    told {}
    ask(1)
    told { "W " .. of .. "open: 3 failures in a row, the last: it is overloaded" }
    ask(1)
    told { "I " .. of .. "halfOpen: there is no other host to ask",
      "W " .. of .. "open: it does not work yet: it is overloaded" }
    world:pass(1100)
    told { "I " .. of .. "halfOpen: its time is over" }
    bad = false
    ask(1)
    told {}
    ask(1)
    told { "I " .. of .. "closed: it works again" }
  end)
end)
