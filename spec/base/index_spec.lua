-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

describe("an index", function()
  local index

  local function new(limit)
    index = ffi.new "struct mp_index"
    assert.equal(0, C.mp_index_init(index, limit))
  end

  local function hash(text) return C.mp_index_hash(index.seed, text, #text) end

  local function found(text)
    local list, number = {}, C.mp_index_first(index, hash(text))
    while number ~= 4294967295 do
      list[#list + 1] = number
      number = C.mp_index_next(index, number)
    end
    return list
  end

  local function has(text, number)
    for _, other in ipairs(found(text)) do
      if other == number then return true end
    end
    return false
  end

  after_each(function() C.mp_index_deinit(index) end)

  it("finds what was added and no more, for random things that come and go", function()
    new(300)
    math.randomseed(5)
    local known, count = {}, 0
    for _ = 1, 5000 do
      local number = math.random(0, 299)
      if known[number] then
        C.mp_index_remove(index, hash(known[number]), number)
        assert.is_false(has(known[number], number))
        known[number], count = nil, count - 1
      else
        known[number], count = "thing " .. math.random(1, 200), count + 1
        C.mp_index_add(index, hash(known[number]), number)
      end
    end
    local seen = 0
    for number, text in pairs(known) do
      assert.is_true(has(text, number))
      seen = seen + 1
    end
    assert.equal(count, seen)
  end)

  it("finds all numbers of equal things, the latest first", function()
    new(8)
    for _, number in ipairs { 3, 0, 7 } do C.mp_index_add(index, hash "twin", number) end
    assert.same({ 7, 0, 3 }, found "twin")
    C.mp_index_remove(index, hash "twin", 0)
    assert.same({ 7, 3 }, found "twin")
    C.mp_index_remove(index, hash "twin", 7)
    C.mp_index_remove(index, hash "twin", 3)
    assert.same({}, found "twin")
  end)

  it("costs about one step for each thing, of whatever length, and with keys that differ in one bit only", function()
    new(8192)
    for i = 0, 8191 do
      local key = ("x"):rep(i % 40) .. string.char(i % 256, math.floor(i / 256))
      C.mp_index_add(index, hash(key), i)
    end
    local before = tonumber(index.steps)
    for i = 0, 8191 do
      local key = ("x"):rep(i % 40) .. string.char(i % 256, math.floor(i / 256))
      assert.is_true(has(key, i))
    end
    assert.is_true(tonumber(index.steps) - before < 3 * 8192, tonumber(index.steps) - before)
  end)
end)
