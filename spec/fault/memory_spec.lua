-- SPDX-License-Identifier: Apache-2.0
-- A run of a session in which the n-th allocation fails: it survives, tells everything once, works again as soon as
-- there is memory, and loses none of it.
local C = require "spec.support.c"
local ffi = require "ffi"
local session_world = require "spec.support.session_world"

describe("a session that runs out of memory", function()
  after_each(function() C.mp_mem_fail_at(0, false) end)

  it("while it is made, is not made", function()
    local loop = require("spec.support.sim_world").loop(1)
    local config = ffi.new "struct mp_session_config"
    C.mp_session_config_defaults(config)
    local points = ffi.new "struct mp_contact_point[2]"
    local host, name = "127.0.0.1", "name"
    points[0].host, points[1].host = ffi.cast("const char *", host), ffi.cast("const char *", host)
    config.contact_points, config.contact_point_count = points, 2
    config.local_dc, config.local_rack, config.keyspace = name, name, name
    config.username, config.password = name, name
    local failed = 0
    for nth = 1, 100 do
      C.mp_mem_fail_at(nth, false)
      local session = C.mp_session_new(loop.handle, config, nil)
      C.mp_mem_fail_at(0, false)
      if session ~= nil then
        C.mp_session_free(session)
        break
      end
      failed = failed + 1
    end
    assert.is_true(failed > 10 and failed < 100, failed)
    loop:close()
  end)

  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function run(nth)
    world = session_world.open {
      nodes = { {}, { versions = { 3, 4 } }, {} }, contacts = { "127.0.0.1", "127.0.0.2" },
      config = { request_timeout_ms = 300, connect_timeout_ms = 300, discovery_interval_ms = 200, keyspace = "ks" },
    }
    local added = world:add_node { member = false }
    local policies = ffi.new "struct mp_policy_calls"
    policies.speculate.after = world.loop:callback(
      "uint32_t (*)(void *, const struct mp_request_view *, uint32_t)", function(_, _, sent) return sent * 20 - 20 end)
    C.mp_session_set_policies(world.session, policies)
    world.shapes["UPDATE t SET v = 1"] = { params = { { "k", "int" } }, pk_indexes = { 0 } }
    local before = C.mp_mem_stats().allocs
    C.mp_mem_fail_at(nth, false)
    local connect = world:begin_connect()
    world:until_true(function() return connect.done end, 5000)
    if connect.err then
      C.mp_mem_fail_at(0, false)
      local err = world:connect()
      assert(err == nil, err and err.message)
    end
    local function try(what, options)
      local request = C.mp_request_take(world.session)
      if request == nil then return end
      C.mp_request_give(request)
      local record = world:submit(what, options)
      assert(record.rc == 0 or record.rc == C.MP_ENOMEM, record.rc)
    end
    for _ = 1, 4 do try "SELECT v FROM t" end
    try "USE ks"
    local prepare = world:begin_prepare "UPDATE t SET v = 1"
    assert(prepare.rc == 0 or prepare.rc == C.MP_ENOMEM)
    world:until_true(function() return prepare.done or prepare.rc ~= 0 end, 5000)
    for _, node in ipairs(world.nodes) do node.known = {} end
    if prepare.prepared then
      for _ = 1, 4 do try(prepare.prepared, { values = { "abcd" }, idempotent = true }) end
    end
    added.member = true
    world:event(world.nodes[1], "TOPOLOGY_CHANGE", "NEW_NODE", added)
    world:kill(world.nodes[2])
    world:until_true(function() return world.open_requests == 0 end, 5000)
    world:pass(1500)
    local allocs = tonumber(C.mp_mem_stats().allocs - before)
    C.mp_mem_fail_at(0, false)
    if nth == 0 then assert(world:stats().speculative > 4) end
    -- There is memory again.
    world:start(world.nodes[2])
    world:until_true(function() return world:up_count() == 4 end, 30000)
    for _ = 1, 6 do
      local record = world:execute("SELECT v FROM t")
      assert(record.err == nil, record.err and record.err.message)
    end
    world:close()
    world = nil
    return allocs
  end

  it("at any single allocation of a run, survives", function()
    local total = run(0)
    assert.is_true(total > 200, total)
    for nth = 1, total + 20, 3 do
      local ok, trouble = xpcall(run, function(err)
        return type(err) == "table" and tostring(err.message) or debug.traceback(err)
      end, nth)
      assert(ok, "the allocation number " .. nth .. ": " .. tostring(trouble))
    end
  end)

  -- Three connections to each host, ahead of the load; told once.
  local function warm_up()
    local record, count = {}, tonumber(C.mp_session_host_count(world.session))
    local warmup = C.mp_warmup_new(world.session, count)
    if warmup == nil then return record end
    for i = 0, count - 1 do C.mp_warmup_add(warmup, C.mp_session_host_at(world.session, i), 3) end
    record.begun = true
    C.mp_warmup_start(warmup, world.loop:callback("void (*)(void *, const struct mp_warmup_end *)", function(_, over)
      assert(not record.done, "it was told twice")
      record.done, record.reached = true, 0
      for i = 0, count - 1 do record.reached = record.reached + tonumber(over.hosts[i].reached) end
    end), nil)
    return record
  end

  it("while it opens connections ahead of the load, opens what it can and tells it once", function()
    local short = 0
    for nth = 1, 150, 2 do
      world = session_world.connected { config = { local_limits = { max = 4, grow_at = 4294967295,
        adaptive = { enabled = true, target = 0.7, up = 0.8, down = 0.3, interval_ms = 100 } } } }
      C.mp_mem_fail_at(nth, false)
      local first = warm_up()
      world:until_true(function() return first.done or not first.begun end, 5000)
      C.mp_mem_fail_at(0, false)
      short = short + (first.done and first.reached == 9 and 0 or 1)
      world:pass(3000) -- and the sizes follow the load, which is none
      local second = warm_up()
      world:until_true(function() return second.done end, 5000)
      assert.equal(9, second.reached)
      world:close()
      world = nil
    end
    assert.is_true(short > 5, short .. " fell short")
  end)
end)
