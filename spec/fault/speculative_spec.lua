-- SPDX-License-Identifier: Apache-2.0
-- I4: several copies of a request in flight; whoever answers first, whoever fails, whoever never answers, it ends once.
local C = require "spec.support.c"
local speculation = require "spec.support.speculation"

local DELAY_MS = speculation.DELAY_MS
local read, write, ip = speculation.read, speculation.write, speculation.ip

describe("I4 a request with copies", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function act(i, how) world.held[ip(i)](how) end

  local function permutations(n)
    if n == 1 then return { { 1 } } end
    local all = {}
    for _, shorter in ipairs(permutations(n - 1)) do
      for at = 1, n do
        local one = { unpack(shorter) }
        table.insert(one, at, n)
        all[#all + 1] = one
      end
    end
    return all
  end

  local function choices(n, of)
    if n == 0 then return { {} } end
    local all = {}
    for _, shorter in ipairs(choices(n - 1, of)) do
      for _, how in ipairs(of) do
        local one = { unpack(shorter) }
        one[n] = how
        all[#all + 1] = one
      end
    end
    return all
  end

  -- What must come of it: the first that is "ok" wins; otherwise the one that failed last is the headline.
  local function expected(order, hows)
    local failed = {}
    for _, i in ipairs(order) do
      if hows[i] == "ok" then return { winner = i, failed = failed } end
      if hows[i] ~= "silent" then failed[#failed + 1] = i end
    end
    for i, how in ipairs(hows) do
      if how == "silent" then failed[#failed + 1] = i end -- their attempts time out in the order they began
    end
    return { failed = failed }
  end

  local names = { error = "SERVER_ERROR", die = "CONNECTION_LOST", silent = "TIMEOUT" }

  local function check_error(record, must, hows, is_write, label)
    assert.is_truthy(record.err, label)
    assert.equal(#hows, record.err.total, label)
    assert.equal(#hows, #record.err.attempts, label)
    for at, i in ipairs(must.failed) do assert.equal(ip(i) .. ":9042", record.err.attempts[at].host, label) end
    assert.equal(names[hows[must.failed[#hows]]], record.err.code, label)
    assert.equal(is_write, record.err.maybe_applied, label)
    assert.equal(1, world.verdicts, label) -- asked once, after the last one
  end

  local function one_case(order, hows, statement)
    local count = #hows
    world = speculation.open(count, { DELAY_MS, DELAY_MS })
    local label = table.concat(hows, " ") .. ", in the order " .. table.concat(order, " ")
    local record = speculation.submit(world, statement)
    world:until_true(function() return #world.arrived == count end)
    for _, i in ipairs(order) do
      act(i, hows[i])
      world:pass(3)
    end
    world:wait(record)
    local must = expected(order, hows)
    if must.winner then
      assert.is_nil(record.err, label)
      assert.equal(ip(must.winner) .. ":9042", record.host, label)
      assert.equal(count, record.attempts, label)
      assert.is_nil(world.verdicts, label)
    else
      check_error(record, must, hows, statement == write, label)
    end
    assert.equal(must.winner and must.winner > 1 and 1 or 0, world:stats().speculative_wins, label)
    assert.equal(count - 1, world:stats().speculative, label)
    assert.equal(count, world:statement_count(), label) -- each node was asked once
    assert.equal(0, speculation.in_flight(world), label)
    -- Those that were silent answer at last: nobody is waiting, and their ids come back.
    for i, how in ipairs(hows) do
      if how == "silent" then act(i, "ok") end
    end
    world:pass(50)
    C.mp_session_each_conn(world.session, world.loop:callback(
      "void (*)(void *, const struct mp_host *, const struct mp_conn *)", function(_, _, conn)
        assert.equal(0, C.mp_conn_in_flight(conn), label)
        assert.equal(0, C.mp_conn_orphans(conn), label)
      end), nil)
    world:close()
  end

  for count = 2, 3 do
    for _, name in ipairs { "read", "write" } do
      it("ends once, whatever comes of its " .. count .. " copies, a " .. name, function()
        for _, hows in ipairs(choices(count, { "ok", "error", "die", "silent" })) do
          for _, order in ipairs(permutations(count)) do one_case(order, hows, name == "read" and read or write) end
        end
        world = nil
      end)
    end
  end

  it("keeps the ids of those that lost until they answer", function()
    world = speculation.open(3, { DELAY_MS, DELAY_MS })
    local record = speculation.submit(world, read)
    world:until_true(function() return #world.arrived == 3 end)
    act(2, "ok")
    world:wait(record)
    local orphans = 0
    local count = world.loop:callback("void (*)(void *, const struct mp_host *, const struct mp_conn *)",
      function(_, _, conn) orphans = orphans + C.mp_conn_orphans(conn) end)
    C.mp_session_each_conn(world.session, count, nil)
    assert.equal(2, orphans)
    act(1, "error")
    act(3, "ok")
    world:pass(20)
    orphans = 0
    C.mp_session_each_conn(world.session, count, nil)
    assert.equal(0, orphans)
    assert.equal(2, world:stats().late_answers)
  end)
end)
