-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

describe("an error", function()
  it("has a name and a sentence, each of its own", function()
    local names, texts = {}, {}
    for code = -24, -1 do
      local name, text = ffi.string(C.mp_err_name(code)), ffi.string(C.mp_err_text(code))
      assert.matches("^[A-Z_]+$", name)
      assert.matches("^[a-z].*[^.]$", text)
      assert.is_nil(names[name] or texts[text])
      names[name], texts[text] = true, true
    end
    assert.equal("OK", ffi.string(C.mp_err_name(0)))
    assert.equal("UNKNOWN", ffi.string(C.mp_err_name(-1000)))
    assert.equal("TIMEOUT", ffi.string(C.mp_err_name(C.MP_ETIMEOUT)))
  end)
end)
