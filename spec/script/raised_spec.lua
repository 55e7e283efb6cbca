-- SPDX-License-Identifier: Apache-2.0
-- What C functions hold when Lua raises inside of them (raised.lua), in a process of its own: each call is followed by
-- collections, which take long in one that has run other specs.
local sh = require("spec.support.program").sh

describe("when Lua finds no memory inside of a C function", function()
  it("nothing is left of what that had from C", function()
    local command = ("'%s/moonpool-spec' '%s/spec/script/raised.lua'"):format(MOONPOOL_BUILD_DIR, MOONPOOL_ROOT)
    local said, status = sh(command)
    assert.equal(0, status, said)
    assert.matches("5 passed", said)
  end)
end)
