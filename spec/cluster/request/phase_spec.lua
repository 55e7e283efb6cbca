-- SPDX-License-Identifier: Apache-2.0
-- The phases of a request: in each of them it may end in each way, once, and leaves nothing where it waited.
local C = require "spec.support.c"
local ffi = require "ffi"
local speculation = require "spec.support.speculation"
local rows = require "spec.support.rows"
local str = require("spec.support.peer").str

local DELAY_MS, TIMEOUT_MS = 300, 1000
local read = speculation.read[1]
local one_stream = { max_requests_per_connection = 1, local_limits = { core = 1, max = 1 } }

describe("a request", function()
  local world, slow_retry

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function open(count, delays, config)
    slow_retry = false
    world = speculation.open(count, delays or {}, function(_, delay_ms)
      if not slow_retry then return C.MP_GIVE_UP end
      delay_ms[0] = DELAY_MS
      return C.MP_NEXT_HOST
    end, config)
  end

  local function submit(what, timeout_ms)
    return world:submit(what or read, {
      timeout_ms = timeout_ms or TIMEOUT_MS,
      on_done = function(record) record.phase = tonumber(record.request.state.phase) end,
    })
  end

  local function held(how)
    world:until_true(function() return world.held["127.0.0.1"] end)
    if how then world.held["127.0.0.1"](how) end
  end

  function speculation.acts.schema(_, link, request)
    link.owed[request.stream] = nil
    link:send(function(buf)
      C.mp_encode_result_schema(buf, link.version, request.stream, "CREATED", "TABLE", str "ks", str "t")
    end)
  end

  -- Each brings a new request into its phase: the record, and others that must end in their own time.
  local phases = {
    WAITING = function()
      open(1, nil, one_stream)
      return submit(read, 3 * TIMEOUT_MS), submit() -- a connection with one id does not outlive an orphan
    end,
    SENT = function()
      open(2)
      return nil, submit()
    end,
    ["SENT, in two attempts"] = function()
      open(2, { 10 })
      local record = submit()
      world:until_true(function() return #world.arrived == 2 end)
      return nil, record
    end,
    PREPARING = function()
      open(1)
      local prepared = assert(world:prepare(speculation.write[1])) -- not idempotent: one attempt has all the time
      world.nodes[1].known = {}
      local serve = world.on_statement
      world.on_statement = function(_, link, request)
        if request.opcode == "PREPARE" then
          world.prepare_came = true
          return true
        end
        rows.error(link, request, { code = C.MP_SE_UNPREPARED, message = "who?", id = request.id })
        world.on_statement = function(...) return select(3, ...).opcode == "PREPARE" or serve(...) end
        return true
      end
      local record = submit(prepared)
      world:until_true(function() return record.request.state.phase == C.MP_REQUEST_PREPARING end)
      return nil, record
    end,
    DELAYED = function()
      open(2)
      slow_retry = true
      local record = submit()
      held "error"
      world:until_true(function() return record.request.state.phase == C.MP_REQUEST_DELAYED end)
      return nil, record
    end,
    AGREEING = function()
      open(2)
      local record = submit()
      held "schema"
      world:until_true(function() return record.request.state.phase == C.MP_REQUEST_AGREEING end)
      return nil, record
    end,
    ENDING = function()
      open(1)
      return nil, submit "USE ks"
    end,
  }

  local ends = {
    ["when it is cancelled"] = function(record)
      local phase = tonumber(record.request.state.phase)
      assert.equal(phase ~= tonumber(C.MP_REQUEST_ENDING), world:cancel(record))
      world:wait(record)
      assert.equal(phase ~= tonumber(C.MP_REQUEST_ENDING) and "CANCELLED" or "UNSUPPORTED", record.err.code)
      assert.is_false(record.err.maybe_applied) -- a SELECT, or not sent
    end,
    ["when the session closes"] = function() world:close_session(0) end,
    ["when the session drains"] = function() world:close_session(100) end,
    ["when its time is up"] = function(record) world:wait(record, TIMEOUT_MS + 5) end,
    ["when its hosts die"] = function(record)
      for _, node in ipairs(world.nodes) do world:kill(node) end
      world:wait(record, TIMEOUT_MS + 5)
    end,
  }

  local function nothing_is_left()
    local session = world.session
    for _, list in ipairs { "delayed", "ending", "agreeing" } do
      assert.equal(0, tonumber(session[list].count), list)
    end
    assert.equal(0, tonumber(session.room.waiting.count))
    assert.equal(0, session.live)
    assert.equal(0, speculation.in_flight(world))
    for _, set in ipairs { session.deadlines, session.speculating } do
      for i = 0, ffi.sizeof(set.classes) / ffi.sizeof(set.classes[0]) - 1 do
        assert.equal(0, tonumber(set.classes[i].entries.count))
      end
      assert.equal(0, tonumber(set.odd.entries.count))
    end
  end

  for phase, bring in pairs(phases) do
    for how, finish in pairs(ends) do
      it("that is " .. phase .. " ends " .. how, function()
        local other, record = bring()
        assert.equal(0, record.rc)
        assert.equal(tonumber(C["MP_REQUEST_" .. phase:match "^%u+"]), record.request.state.phase)
        finish(record)
        assert.equal(tonumber(C.MP_REQUEST_TAKEN), record.phase)
        if other and not other.done then
          if world.held["127.0.0.1"] then world.held["127.0.0.1"] "ok" end
          world:wait(other)
        end
        world:until_true(function() return world.open_requests == 0 end, TIMEOUT_MS + 5)
        nothing_is_left()
      end)
    end
  end

  it("changes the schema of a single host and waits for nobody's agreement", function()
    open(1)
    local record = submit()
    held "schema"
    world:until_true(function()
      assert.is_true(record.done or record.request.state.phase ~= C.MP_REQUEST_AGREEING)
      return record.done
    end)
    assert.is_nil(record.err)
    nothing_is_left()
  end)

  it("whose time is up says what it waited for", function()
    local told = {
      WAITING = "no connection had room within 1000 ms",
      PREPARING = "no host knew the statement within 1000 ms",
    }
    for phase, message in pairs(told) do
      local _, record = phases[phase]()
      world:wait(record)
      assert.same({ "TIMEOUT", message, false }, { record.err.code, record.err.message, record.err.maybe_applied })
      world:close()
    end
    world = nil
  end)
end)
