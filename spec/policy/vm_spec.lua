-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local header = assert(io.open(MOONPOOL_ROOT .. "/runtime/policy/vm.h")):read "*a"

-- The header includes Lua's own, so it is not among those that every spec sees.
ffi.cdef("typedef struct lua_State lua_State;" .. header:gsub("\nstatic inline.-\n}", "")
  :gsub("MP_MUST_CHECK", ""):gsub("#define[^\n]*\\\n[^\n]*", ""):gsub("\n%s*#[^\n]*", "\n"))

describe("a policy state without memory", function()
  after_each(function() C.mp_mem_fail_at(0, false) end)

  for _, forever in ipairs { false, true } do
    it(forever and "does not begin" or "does not begin, whichever allocation fails", function()
      local failed = 0
      for nth = 1, 1000 do
        local vm = ffi.new "struct mp_vm"
        C.mp_mem_fail_at(nth, forever)
        local rc = C.mp_vm_init(vm, 1048576)
        C.mp_mem_fail_at(0, false)
        local used = tonumber(vm.used_bytes)
        C.mp_vm_deinit(vm)
        if rc == 0 then
          assert.is_true(used > 0)
          break
        end
        failed = failed + 1
        assert.equal(C.MP_ENOMEM, rc)
        assert.equal(0, used)
      end
      assert.is_true(failed > 3 and failed < 1000)
    end)
  end
end)

ffi.cdef [[
int luaL_loadstring(lua_State *, const char *);
int lua_pcall(lua_State *, int, int, int);
void lua_settop(lua_State *, int);
const char *lua_tolstring(lua_State *, int, size_t *);
int lua_gc(lua_State *, int, int);
]]

describe("the stack of a policy state", function()
  local COLLECT = 2
  local vm

  before_each(function()
    vm = ffi.new "struct mp_vm"
    assert.equal(0, C.mp_vm_init(vm, 1048576))
  end)
  after_each(function()
    C.mp_mem_fail_at(0, false)
    C.mp_vm_deinit(vm)
  end)

  local function run(text)
    C.lua_settop(vm.L, 0)
    assert.equal(0, C.luaL_loadstring(vm.L, text))
    local rc = C.lua_pcall(vm.L, 0, 1, 0)
    local result = C.lua_tolstring(vm.L, -1, nil)
    return rc, result ~= nil and ffi.string(result) or nil
  end

  local function recursion(locals, arguments)
    local names = {}
    for i = 1, locals do names[i] = "l" .. i end
    return ("local function f(...) local %s return 1 + f(%s) end return f()"):format(table.concat(names, ","),
      arguments)
  end

  it("has its room from the beginning", function()
    assert.is_true(vm.home ~= nil and vm.stack == vm.home)
  end)

  it("ends at LuaJIT's own limit, whatever the frames are, and is usable afterwards", function()
    for locals = 1, 199, 11 do
      for _, arguments in ipairs { "", "1", "..., 1, 2, 3", "1, ...", "1, 2, 3, 4, 5, 6, 7, 8, 9, ..." } do
        local rc, message = run(recursion(locals, arguments))
        assert.is_true(rc ~= 0)
        assert.matches("stack overflow", message)
        assert.is_true(vm.stack == vm.home)
        assert.equal(0, (run "return 'well'"))
        if locals % 2 == 0 then C.lua_gc(vm.L, COLLECT, 0) end
      end
    end
    assert.equal(0, vm.big_blocks)
  end)

  it("grows when the machine has no memory left", function()
    assert.equal(0, C.luaL_loadstring(vm.L, recursion(150, "")))
    C.mp_mem_fail_at(1, true)
    assert.is_true(C.lua_pcall(vm.L, 0, 1, 0) ~= 0)
    C.mp_mem_fail_at(0, false)
    assert.equal(0, (run "return 'well'"))
  end)

  it("is not what makes a state full: a large table is, while it is held", function()
    assert.equal(0, (run "t = {} for i = 1, 10000 do t[i] = i end"))
    assert.equal(0, vm.big_blocks)
    assert.equal(0, (run "for i = 10001, 40000 do t[i] = i end"))
    assert.equal(1, vm.big_blocks)
    assert.equal(0, (run "t = nil"))
    C.lua_gc(vm.L, COLLECT, 0)
    assert.equal(0, vm.big_blocks)
  end)
end)
