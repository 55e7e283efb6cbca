-- SPDX-License-Identifier: Apache-2.0
-- A statement that changes the schema ends when all hosts that are up have the new one, or when it has waited enough.
local C = require "spec.support.c"
local clear = require "table.clear"
local session_world = require "spec.support.session_world"
local str = require("spec.support.peer").str

local CREATE = "CREATE TABLE ks.t (k int PRIMARY KEY)"

describe("the agreement on a schema", function()
  local world, lines

  before_each(function()
    world = session_world.connected { config = { request_timeout_ms = 60000, attempt_timeout_ms = 60000 } }
    world:until_true(function() return world:up_count() == 3 end)
    lines = world:hear(C.MP_LOG_WARN)
    world.on_statement = function(_, link, request)
      link.owed[request.stream] = nil
      link:send(function(buf)
        C.mp_encode_result_schema(buf, link.version, request.stream, "CREATED", "TABLE", str "ks", str "t")
      end)
      return true
    end
  end)
  after_each(function() world:close() end)

  local function change()
    local began = world.loop:now_ms()
    local record = world:submit(CREATE, { pinned_host = world:find("127.0.0.1").index })
    world:until_true(function() return record.done end)
    assert.is_nil(record.err)
    return tonumber(world.loop:now_ms() - began)
  end

  it("is there at once when all have one", function()
    assert.is_true(change() < 100)
    assert.same({}, lines)
  end)

  it("is waited for, whoever is behind", function()
    for behind = 1, 3 do
      local node = world.nodes[behind]
      node.schema_version = ("o"):rep(16)
      local done
      local record = world:submit(CREATE, { pinned_host = world:find("127.0.0.1").index,
        on_done = function() done = true end })
      world:pass(3000)
      assert.is_nil(done)
      node.schema_version = nil
      world:pass(600)
      assert.is_true(done)
      assert.is_nil(record.err)
      assert.same({}, lines)
    end
  end)

  it("is waited for ten seconds, and then missed", function()
    world.nodes[3].schema_version = ("o"):rep(16)
    local took = change()
    assert.is_true(took >= 10000 and took < 10100, took)
    assert.equal(1, #lines)
    assert.matches("the hosts do not agree on the schema yet", lines[1], 1, true)
  end)

  it("is not waited for longer than the request may take", function()
    world.nodes[2].schema_version = ("o"):rep(16)
    local began = world.loop:now_ms()
    world:execute(CREATE, { timeout_ms = 2000 })
    local took = tonumber(world.loop:now_ms() - began)
    assert.is_true(took >= 1900 and took <= 2010, took)
  end)

  it("is that of the hosts that are up", function()
    world.nodes[3].schema_version = ("o"):rep(16)
    world:kill(world.nodes[3])
    world:until_true(function() return world:up_count() == 2 end)
    clear(lines)
    assert.is_true(change() < 100)
    assert.same({}, lines)
  end)

  local function submit()
    return world:submit(CREATE, { pinned_host = world:find("127.0.0.1").index })
  end

  it("comes with the answer, as the node gave it", function()
    world.nodes[3].schema_version = ("o"):rep(16)
    local record = submit()
    world:pass(1000)
    assert.is_nil(record.done)
    world.nodes[3].schema_version = nil
    world:wait(record)
    assert.same({ "CREATED", "TABLE", "ks", "t" }, record.change)
    assert.equal("127.0.0.1:9042", record.host)
    assert.is_false(record.schema_disagrees)
  end)

  it("is asked for with pauses that double from 20 ms to 500 ms", function()
    world.nodes[3].schema_version = ("o"):rep(16)
    local asked = {}
    world.on_schema_question = function(_, _, of_peers)
      asked[#asked + 1] = { of_peers, tonumber(world.loop:now_ms()) }
    end
    assert.is_true(change() >= 10000)
    local way = asked[2][2] - asked[1][2] -- there and back
    local pause = 20
    for i = 1, #asked do
      assert.equal(i % 2 == 0, asked[i][1]) -- the coordinator's own version, then those of its peers
      if i % 2 == 1 and i > 1 and i < #asked then
        assert.equal(pause, math.floor(asked[i][2] - asked[i - 1][2] - way + 0.5), i)
        pause = math.min(pause * 2, 500)
      end
    end
    assert.equal(500, pause)
    assert.is_true(asked[#asked][2] - asked[1][2] > 9400)
  end)

  -- Its tables may not be for us; it may also be trouble that passes.
  it("is given up after five refusals in a row, and not before", function()
    for _, refused in ipairs { "own", "peers", "both" } do
      local count, left = 0, math.huge
      world.on_schema_question = function(link, request, of_peers)
        if left == 0 or refused == "own" and of_peers or refused == "peers" and not of_peers then return end
        count, left = count + 1, left - 1
        link:error(request, C.MP_SE_UNAUTHORIZED, "not for you")
        return true
      end
      clear(lines)
      local record = world:wait(submit())
      assert.is_nil(record.err)
      assert.is_true(record.schema_disagrees, refused .. count)
      assert.equal(5, count)
      assert.equal(1, #lines)
      assert.matches("is not known: the node refuses to tell", lines[1], 1, true)
      left = 4
      clear(lines)
      record = world:wait(submit())
      assert.is_false(record.schema_disagrees)
      assert.same({}, lines)
    end
  end)

  it("is not learnt from answers of another shape", function()
    local rows = require "spec.support.rows"
    for _, answer in ipairs {
      function(link, request) rows.void(link, request) end,
      function(link, request) rows.send(link, request, { { "schema_version", "uuid" } }, {}) end,
      function(link, request) rows.send(link, request, { { "schema_version", "text" } }, { { "short" } }) end,
      function(link, request)
        local versions = { ("v"):rep(16), ("v"):rep(16), ("v"):rep(16) }
        rows.send(link, request, { { "a", "uuid" }, { "b", "uuid" }, { "c", "uuid" } }, { versions })
      end,
      function(link, request)
        rows.send(link, request, { { "schema_version", "uuid" } }, { { ("v"):rep(16) }, { ("v"):rep(16) } })
      end,
    } do
      local bad = 3
      world.on_schema_question = function(link, request, of_peers)
        if of_peers or bad == 0 then return end
        bad = bad - 1
        answer(link, request)
        return true
      end
      local record = world:wait(submit())
      assert.is_false(record.schema_disagrees)
      assert.equal(0, bad)
    end
  end)

  it("takes no notice of hosts that nobody knows, or that have no id", function()
    world.on_schema_question = function()
      return { { ("?"):rep(16), ("o"):rep(16) }, { false, ("o"):rep(16) }, { ("?"):rep(16), false } }
    end
    assert.is_true(change() < 100)
    assert.same({}, lines)
    world.nodes[3].schema_version = ("o"):rep(16) -- behind them
    assert.is_true(change() >= 10000)
  end)

  it("is missed when the node that was asked is gone, or the session closes", function()
    world.nodes[3].schema_version = ("o"):rep(16)
    local record = submit()
    world:pass(300)
    world:kill(world.nodes[1])
    local began = world.loop:now_ms()
    world:wait(record)
    assert.is_true(tonumber(world.loop:now_ms() - began) <= 1000)
    assert.is_nil(record.err)
    assert.is_true(record.schema_disagrees)
    world:start(world.nodes[1])
    world:until_true(function() return world:up_count() == 3 end)
    record = submit()
    world:pass(300)
    assert.is_nil(record.done)
    began = world.loop:now_ms()
    world:close_session(5000)
    assert.is_true(record.done)
    assert.is_true(tonumber(world.loop:now_ms() - began) < 100)
    assert.is_nil(record.err)
    assert.is_true(record.schema_disagrees)
  end)

  it("is missed by one host that has no version of its own", function()
    world.nodes[2].schema_version = false
    assert.is_true(change() >= 10000)
    assert.equal(1, #lines)
  end)
end)
