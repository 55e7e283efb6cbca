-- SPDX-License-Identifier: Apache-2.0
-- Names that lead nowhere, everywhere, late, or to an address of another kind (G16): contact points of scripted nodes.
local C = require "spec.support.c"
local ffi = require "ffi"
local session_world = require "spec.support.session_world"

describe("names:", function()
  local world

  after_each(function()
    if world then world:close() end
    world = nil
  end)

  local function open(contacts, config)
    config = config or {}
    config.connect_timeout_ms = config.connect_timeout_ms or 1000
    world = session_world.open { contacts = contacts, config = config }
  end

  -- `list`: how many addresses nobody listens on, and which nodes, in this order.
  local function name(host, list)
    local count = 0
    for _, entry in ipairs(list) do count = count + (type(entry) == "number" and entry or 1) end
    local addrs, at = ffi.new("struct mp_addr[?]", math.max(count, 1)), 0
    for _, entry in ipairs(list) do
      if type(entry) == "number" then
        for i = 1, entry do
          addrs[at] = C.mp_addr_v4(10, 9, math.floor(i / 250), i % 250, 9042)
          at = at + 1
        end
      else
        addrs[at] = entry.addr
        at = at + 1
      end
    end
    assert(C.mp_loop_sim_set_name(world.loop.handle, host, addrs, count) == 0)
  end

  it("G16 an unknown one, one without an address and one that is too long are told, each by its name", function()
    local long = ("x"):rep(60) .. "."
    long = long:rep(5) .. "example" -- 312 letters
    open { "nowhere.example", "empty.example", long }
    name("empty.example", {})
    local began, err = world.loop:now_ms(), world:connect()
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert.matches("nowhere.example", err.message)
    assert.matches("empty.example", err.message .. table.concat((function()
      local all = {}
      for i, attempt in ipairs(err.attempts) do all[i] = attempt.host .. attempt.message end
      return all
    end)()))
    assert.is_true(world.loop:now_ms() - began < 100)
    name("empty.example", { world.nodes[1] })
    assert.is_nil(world:connect()) -- the next time it is asked anew
  end)

  it("G16 one that is known beside others that are not is enough", function()
    open { "nowhere.example", "db.example", "empty.example" }
    name("db.example", { world.nodes[2] })
    name("empty.example", {})
    assert.is_nil(world:connect())
  end)

  it("G16 a thousand addresses are cut at 256, and the first that answers serves", function()
    open({ "many.example" }, { connect_timeout_ms = 500 })
    name("many.example", { 255, world.nodes[1], 744 })
    assert.is_nil(world:connect())
    world:close()
    open({ "many.example" }, { connect_timeout_ms = 500 })
    name("many.example", { 256, world.nodes[1], 743 }) -- beyond what is looked at
    local err = world:connect()
    assert.equal("NO_HOST_AVAILABLE", err.code)
    assert.is_true(err.total <= 256, err.total .. " were tried")
    assert.is_true(#err.attempts <= 32 and #err.message < 4096, #err.message)
  end)

  it("G16 an answer that takes 30 seconds costs the connect, not the loop", function()
    open({ "slow.example" }, { connect_timeout_ms = 2000 })
    name("slow.example", { world.nodes[1] })
    C.mp_loop_sim_set_resolve_delay(world.loop.handle, 30000 * 1000000ULL)
    local turned, began = 0, world.loop:now_ms()
    local connect = world:begin_connect()
    while not connect.done and world.loop:now_ms() - began < 60000 do
      world:pass(10)
      turned = turned + 1
    end
    assert.is_true(turned > 100)
    assert.is_true(connect.done)
    C.mp_loop_sim_set_resolve_delay(world.loop.handle, 1000000ULL)
    if connect.err then assert.is_nil(world:connect()) end
    world:until_true(function() return world:up_count() == 3 end, 10000)
  end)

  it("G16 addresses of both kinds are tried side by side", function()
    open { "both.example" }
    local addrs = ffi.new "struct mp_addr[3]"
    assert(C.mp_addr_parse_ip("2001:db8::1", 9042, addrs) == 0)
    assert(C.mp_addr_parse_ip("fe80::2", 9042, addrs + 1) == 0)
    addrs[2] = world.nodes[1].addr
    assert(C.mp_loop_sim_set_name(world.loop.handle, "both.example", addrs, 3) == 0)
    local began = world.loop:now_ms()
    assert.is_nil(world:connect())
    assert.is_true(world.loop:now_ms() - began < 1000)
  end)
end)
