-- SPDX-License-Identifier: Apache-2.0
-- What a request that failed for no answer of a node says, whole.
local C = require "spec.support.c"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

describe("a request that fails says", function()
  local world
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function open(options)
    world = session_world.connected(options)
    world:until_true(function() return world:up_count() == 3 end)
  end
  local function hold()
    world.on_statement = function(_, _, request) return request.opcode ~= "PREPARE" end
  end
  local function said(record)
    world:wait(record)
    return record.err.code .. ": " .. record.err.message
  end

  it("that the session was closed, wherever it waited", function()
    open { config = { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } } }
    hold()
    local records = {}
    for i = 1, 6 do records[i] = world:submit("SELECT v FROM t", { timeout_ms = 60000 }) end
    world:pass(10)
    world:close_session(0)
    local counts = {}
    for i = 1, 6 do
      local text = said(records[i]):gsub("127.0.0.%d:9042", "HOST")
      counts[text] = (counts[text] or 0) + 1
    end
    assert.same({ ["CLOSED: the session was closed"] = 3, ["CLOSED: HOST: closed"] = 3 }, counts)
  end)

  it("why a statement could not be prepared again", function()
    open()
    local prepared = world:prepare "SELECT v FROM t WHERE k = ?"
    for _, node in ipairs(world.nodes) do node.known = {} end
    world.on_statement = function(_, link, request)
      if request.opcode ~= "PREPARE" then return false end
      rows.error(link, request, { code = C.MP_SE_INVALID, message = "unconfigured table t " .. ("x"):rep(100) })
      return true
    end
    local text = said(world:submit(prepared, { values = { "k" } }))
    assert.equal("INVALID: HOST: INVALID: preparing again: unconfigured table t " .. ("x"):rep(69),
      (text:gsub("127.0.0.%d:9042", "HOST")))
  end)

  it("that it ran out of time, where it waited and for whom", function()
    open { config = { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } } }
    hold()
    local pinned = { pinned_host = world:find("127.0.0.1").index, timeout_ms = 500 }
    local sent, waits = world:submit("UPDATE t SET v = 1", pinned), world:submit("UPDATE t SET v = 2", pinned)
    assert.equal("TIMEOUT: 127.0.0.1:9042: no answer before the deadline: no answer within 500 ms", said(sent))
    assert.equal("TIMEOUT: no connection had room within 500 ms", said(waits))
    world:close()
    open { config = { attempt_timeout_ms = 200 } }
    hold()
    local text = said(world:submit("SELECT v FROM t", { timeout_ms = 500 })):gsub("127.0.0.%d:9042", "HOST")
    assert.equal("TIMEOUT: HOST: no answer before the deadline: no answer within 100 ms (3 attempts; before: "
      .. "HOST: no answer before the deadline, HOST: no answer before the deadline)", text)
  end)
end)
