-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local header = assert(io.open(MOONPOOL_ROOT .. "/runtime/script/vm.h")):read "*a"

-- The header includes Lua's own, so it is not among those that every spec sees.
ffi.cdef("typedef struct lua_State lua_State;" .. header:gsub("\nstatic inline.-\n}", "")
  :gsub("MP_MUST_CHECK", ""):gsub("#define[^\n]*\\\n[^\n]*", ""):gsub("\n%s*#[^\n]*", "\n"))

describe("a decision state without memory", function()
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
