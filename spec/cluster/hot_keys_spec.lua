-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local ffi = require "ffi"
local random_of = require("spec.support.world").random

describe("the sample of keys", function()
  local function most(keys)
    local best, token = 0, nil
    for i = 0, 15 do
      if keys.keys[i].count > best then best, token = tonumber(keys.keys[i].count), tonumber(keys.keys[i].token) end
    end
    return token, best / tonumber(keys.looked_at)
  end

  local function fresh()
    local keys = ffi.new "struct mp_hot_keys"
    C.mp_hot_keys_init(keys)
    return keys
  end

  -- What MP_INLINE does: the function is not there for FFI.
  local function note(keys, token)
    if keys.wait == 0 then C.mp_hot_keys_look(keys, token) else keys.wait = keys.wait - 1 end
  end

  it("looks at about one request in 128", function()
    local keys = fresh()
    for i = 1, 128000 do note(keys, i) end
    local looked_at = tonumber(keys.looked_at)
    assert.is_true(looked_at > 900 and looked_at < 1100, looked_at)
  end)

  for _, share in ipairs { 0.2, 0.5, 0.9 } do
    it("finds a key with a share of " .. share, function()
      local keys, random = fresh(), random_of(3)
      for _ = 1, 50000 do note(keys, random(1000) < share * 1000 and 4242 or random(65536)) end
      local token, found = most(keys)
      assert.equal(4242, token)
      assert.is_true(found > share - 0.1 and found < share + 0.1, found)
    end)
  end

  it("calls no key hot when all are asked for alike", function()
    local keys, random = fresh(), random_of(5)
    for _ = 1, 50000 do note(keys, random(65536)) end
    local _, share = most(keys)
    assert.is_true(share < 0.02, share)
  end)

  it("follows when another key becomes hot", function()
    local keys, random = fresh(), random_of(7)
    for round = 1, 8 do
      for _ = 1, 10000 do note(keys, random(2) == 0 and (round <= 2 and 1 or 2) or random(65536)) end
      C.mp_hot_keys_age(keys)
    end
    assert.equal(2, (most(keys)))
  end)

  it("is not blind to a rhythm of requests", function()
    local keys = fresh()
    for i = 1, 64000 do note(keys, i % 128 == 0 and 77 or i) end
    local _, share = most(keys)
    assert.is_true(share < 0.1, share)
  end)
end)
