-- SPDX-License-Identifier: Apache-2.0
-- Names and watched files of the simulated world.
local ffi = require "ffi"
local bit = require "bit"
local C = require "spec.support.c"
local loops = require "spec.support.loops"

local S = 1000000000ULL
local MS = 1000000ULL

local run_for = function(loop, ns)
  C.mp_loop_sim_run_for(loop.handle, ns)
  loop:check()
end

describe("the simulated world's", function()
  local loop
  before_each(function() loop = loops.sim(42) end)
  after_each(function() loop:close() end)

  describe("names", function()
    it("are what they were last set to, IPv4 first, doubles dropped", function()
      local addrs = ffi.new("struct mp_addr[4]")
      addrs[0] = loops.addr("fd00::1", 1)
      addrs[1] = loops.addr("10.0.0.1", 2)
      addrs[2] = loops.addr("10.0.0.2", 3)
      addrs[3] = loops.addr("10.0.0.1", 4)
      assert.equal(0, C.mp_loop_sim_set_name(loop.handle, "db.example", addrs, 4))
      local lookup = assert(loop:resolve("DB.Example", 9042))
      loop:run()
      assert.same({ "10.0.0.1:9042", "10.0.0.2:9042", "[fd00::1]:9042" }, lookup.addrs)
      assert.equal(0, C.mp_loop_sim_set_name(loop.handle, "db.example", addrs + 2, 1))
      lookup = assert(loop:resolve("db.example", 9043))
      loop:run()
      assert.same({ "10.0.0.2:9043" }, lookup.addrs)
      assert.equal(0, C.mp_loop_sim_set_name(loop.handle, "db.example", nil, 0))
      lookup = assert(loop:resolve("db.example", 9043))
      loop:run()
      assert.equal(C.MP_ERESOLVE, lookup.rc)
    end)

    it("have no more than 256 addresses", function()
      local addrs = ffi.new("struct mp_addr[300]")
      for i = 0, 299 do addrs[i] = C.mp_addr_v4(10, 1, bit.rshift(i, 8), bit.band(i, 255), 0) end
      assert.equal(0, C.mp_loop_sim_set_name(loop.handle, "many", addrs, 300))
      local lookup = assert(loop:resolve("many", 9042))
      loop:run()
      assert.equal(256, #lookup.addrs)
    end)

    it("take the time they are given", function()
      C.mp_loop_sim_set_resolve_delay(loop.handle, 5ULL * S)
      local lookup = assert(loop:resolve("localhost", 9042))
      run_for(loop, 4ULL * S)
      assert.is_nil(lookup.rc)
      run_for(loop, 2ULL * S)
      assert.same({ "127.0.0.1:9042" }, lookup.addrs)
    end)
  end)

  it("a touched file is told once to each who watches it, 20 ms later", function()
    local first, second = assert(loop:watch "a.lua"), assert(loop:watch "a.lua")
    local third = assert(loop:watch "b.lua")
    C.mp_loop_sim_touch(loop.handle, "a.lua")
    C.mp_loop_sim_touch(loop.handle, "a.lua")
    run_for(loop, 19ULL * MS)
    assert.equal(0, first.changes)
    run_for(loop, 2ULL * MS)
    assert.same({ 1, 1, 0 }, { first.changes, second.changes, third.changes })
    C.mp_loop_sim_touch(loop.handle, "a.lua")
    first.close()
    run_for(loop, 1ULL * S)
    assert.same({ 1, 2, 0 }, { first.changes, second.changes, third.changes })
    second.close()
    third.close()
  end)
end)
