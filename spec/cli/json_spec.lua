-- SPDX-License-Identifier: Apache-2.0
-- Lua values as JSON text, and back.
local json = dofile(MOONPOOL_ROOT .. "/lua/moonpool/cli/json.lua")

describe("JSON", function()
  it("comes back as it was", function()
    local value = { a = 1, b = "x\n\"\\\127", c = json.list { 1, 2, json.list {} }, d = { e = true, f = false },
      g = -1.5 }
    assert.same(value, json.decode(json.encode(value)))
    assert.equal("ä€", json.decode '"\\u00e4\\u20ac"')
    assert.same({ 1, "two" }, json.decode ' [ 1 , "two" ] ')
  end)

  it("refuses what is none", function()
    for _, text in ipairs { "", "{", "[1,", "[1 2]", '{"a" 1}', "{a:1}", "tru", "1 2", '"a', "[" } do
      local value, why = json.decode(text)
      assert.is_nil(value)
      assert.is_string(why)
    end
  end)
end)
