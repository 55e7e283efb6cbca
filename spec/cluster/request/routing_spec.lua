-- SPDX-License-Identifier: Apache-2.0
-- From the values of a prepared statement to the token that it is routed by.
local C = require "spec.support.c"
local ffi = require "ffi"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"

local select = "SELECT v FROM t WHERE k = ?"
local function shape_of_select(more)
  local shape = { params = { { "k", "int" } }, pk_indexes = { 0 }, result = { { "v", "text" } } }
  for key, value in pairs(more or {}) do shape[key] = value end
  return shape
end

describe("prepared statements and routing", function()
  local world
  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function connected(options)
    world = session_world.connected(options)
    return world
  end

  local function token_of(bytes) return C.mp_murmur3_token(bytes, #bytes) end

  local function routed(params, pk_indexes, values)
    world.shapes.SELECT = { params = params, pk_indexes = pk_indexes }
    local prepared = world:prepare "SELECT"
    local buf, scratch = ffi.new "struct mp_buf", ffi.new "struct mp_buf"
    C.mp_buf_init(buf)
    C.mp_buf_init(scratch)
    for _, value in ipairs(values) do
      if value then
        C.mp_buf_i32(buf, #value)
        C.mp_buf_bytes(buf, value, #value)
      else
        C.mp_write_null(buf)
      end
    end
    local token = ffi.new "int64_t[1]"
    local known = C.mp_routing_token(prepared, buf, #values, scratch, token)
    C.mp_buf_deinit(buf)
    C.mp_buf_deinit(scratch)
    return known and token[0] or nil
  end

  it("hash the partition key's values", function()
    connected()
    assert.is_true(token_of(rows.int(42)) == routed({ { "k", "int" } }, { 0 }, { rows.int(42) }))
  end)

  it("put the components of a composite key together, in the key's order", function()
    connected()
    local expected = "\0\3abc\0" .. "\0\4" .. rows.int(7) .. "\0"
    assert.is_true(token_of(expected) ==
      routed({ { "b", "int" }, { "x", "text" }, { "a", "text" } }, { 2, 0 }, { rows.int(7), "skipped", "abc" }))
  end)

  it("know nothing when a component is missing, null, too long or not bound", function()
    connected()
    assert.is_nil(routed({ { "k", "int" } }, { 0 }, {}))
    world:close()
    connected()
    assert.is_nil(routed({ { "k", "int" } }, { 0 }, { false }))
    world:close()
    connected()
    assert.is_nil(routed({ { "k", "int" } }, nil, { rows.int(1) }))
    world:close()
    connected()
    assert.is_nil(routed({ { "a", "text" }, { "b", "text" } }, { 0, 1 }, { ("x"):rep(70000), "y" }))
    world:close()
    connected()
    assert.is_nil(routed({ { "a", "text" }, { "b", "text" } }, { 1, 0 }, { "x", false }))
  end)

  it("take keys of 64 components, the first 64 values of a statement, and no more", function()
    local params, indexes, values, key = {}, {}, {}, {}
    for i = 1, 65 do
      local value = "v" .. i
      params[i], indexes[i], values[i] = { "c" .. i, "text" }, i - 1, value
      key[i] = "\0" .. string.char(#value) .. value .. "\0"
    end
    connected()
    assert.is_nil(routed(params, indexes, values))
    world:close()
    connected()
    assert.is_nil(routed(params, { 64 }, values))
    world:close()
    connected()
    indexes[65] = nil
    assert.is_true(token_of(table.concat(key, "", 1, 64)) == routed(params, indexes, values))
  end)

  it("lead requests to replicas", function()
    connected {
      nodes = {
        { tokens = { "-4000000000000000000" } }, { tokens = { "0" } }, { tokens = { "4000000000000000000" } },
      },
      keyspaces = { ks = { class = "SimpleStrategy", replication_factor = "1" } },
    }
    local bounds = { ffi.cast("int64_t", -4000000000000000000LL), 0LL, 4000000000000000000LL }
    world.shapes[select] = shape_of_select()
    local prepared = world:prepare(select)
    world:execute(prepared, { values = { rows.int(0) } })
    world:pass(20) -- the first use asks for the placement
    for i = 1, 60 do
      local token = token_of(rows.int(i))
      local owner = 1
      for n = 1, 3 do if token > bounds[n] then owner = n % 3 + 1 end end
      local record = world:execute(prepared, { values = { rows.int(i) } })
      assert.equal("127.0.0." .. owner .. ":9042", record.host)
    end
  end)

  it("tell policies what they may know", function()
    connected()
    world.shapes[select] = shape_of_select()
    local prepared = world:prepare(select)
    local seen
    local policies = ffi.new "struct mp_policy_calls"
    policies.balance.plan = world.loop:callback(
      "bool (*)(void *, const struct mp_request_view *, struct mp_plan *)", function(_, view, plan)
        seen = ffi.new("struct mp_request_view", view[0])
        C.mp_plan_hosts(plan, C.MP_SCOPE_ALL, C.MP_ORDER_IN_TURN, 0, 0)
        return true
      end)
    C.mp_session_set_policies(world.session, policies)
    world:execute(prepared, { values = { rows.int(42) }, consistency = C.MP_CL_LOCAL_QUORUM, tag = 7 })
    assert.is_true(seen.hasToken and seen.isRead and seen.idempotent and seen.isLocalConsistency)
    assert.equal(tonumber(token_of(rows.int(42))), seen.token)
    assert.equal(7, seen.tag)
    assert.equal(prepared.keyspace_id, seen.keyspaceId)
    world:execute("UPDATE t SET v = 1 IF v = 2", { consistency = C.MP_CL_QUORUM })
    assert.is_true(seen.isLwt and not seen.isRead and not seen.idempotent and not seen.isLocalConsistency)
    assert.is_false(seen.hasToken)
    world:execute("UPDATE t SET v = 1", { idempotent = true, consistency = C.MP_CL_QUORUM,
      serial_consistency = C.MP_CL_LOCAL_SERIAL })
    assert.is_true(seen.idempotent and not seen.isLwt and seen.isLocalConsistency)
  end)
end)
