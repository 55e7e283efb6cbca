-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"

local function str(text) return ffi.new("struct mp_str", text, #text) end

describe("names", function()
  local names

  local function new(limit)
    names = ffi.new "struct mp_names"
    C.mp_names_init(names, limit)
  end

  after_each(function() C.mp_names_deinit(names) end)

  it("get numbers in the order of their first sight, and keep them", function()
    new(1000)
    for i = 1, 500 do assert.equal(i, C.mp_names_id(names, str("name" .. i))) end
    for i = 500, 1, -1 do
      assert.equal(i, C.mp_names_id(names, str("name" .. i)))
      assert.equal(i, C.mp_names_find(names, str("name" .. i)))
      assert.equal("name" .. i, ffi.string(C.mp_names_text(names, i)))
    end
    assert.equal(0, C.mp_names_find(names, str "name501"))
    assert.equal(500, names.count)
  end)

  it("are refused when the table is full, and when they are none", function()
    new(2)
    assert.equal(0, C.mp_names_id(names, str ""))
    assert.equal(0, C.mp_names_id(names, str "a\0b"))
    assert.equal(1, C.mp_names_id(names, str "a"))
    assert.equal(2, C.mp_names_id(names, str "b"))
    assert.equal(0, C.mp_names_id(names, str "c"))
    assert.equal(1, C.mp_names_id(names, str "a"))
    assert.is_true(C.mp_names_text(names, 0) == nil and C.mp_names_text(names, 3) == nil)
  end)
end)
