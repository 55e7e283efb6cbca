-- SPDX-License-Identifier: Apache-2.0
-- The seeds of all fuzz targets (spec/fuzz/seeds.lua), and each of them changed in a few ways that are always the same.
-- The targets are in the spec host as functions; scripts/fuzz runs them for longer, guided by coverage.
local C = require "spec.support.c"
local ffi = require "ffi"
local hex = require "spec.support.hex"
local random_of = require("spec.support.world").random
local seeds = dofile(MOONPOOL_ROOT .. "/spec/fuzz/seeds.lua")

local CHANGED = 12 -- inputs of each seed, beside itself
local SLOW = { tls = 3, policy = 2, configuration = 4, control = 6 }

for target in pairs(seeds) do ffi.cdef("int fuzz_" .. target .. "(const uint8_t *, size_t);") end

-- In memory of exactly its size, so that the sanitizer sees every read too far.
local function try(target, input)
  local bytes = C.mp_alloc(#input)
  ffi.copy(bytes, input, #input)
  local rc = C["fuzz_" .. target](bytes, #input)
  C.mp_free(bytes)
  assert.equal(0, rc)
end

local function changed(input, random)
  local at, way = random(#input + 1), random(4)
  if way == 0 then return input:sub(1, at) end
  if way == 1 then return input:sub(1, at) .. string.char(random(256)) .. input:sub(at + 1) end
  if way == 2 then return input:sub(1, at) .. input:sub(at + 1 + random(4)) end
  return input:sub(1, at) .. string.char(({ 0, 255, 127, 128, random(256) })[random(5) + 1]) .. input:sub(at + 2)
end

describe("the fuzz target", function()
  for target, list in pairs(seeds) do
    it(target .. " stands its seeds, and others that are like them", function()
      local random = random_of(#target)
      for _, seed in ipairs(list) do
        local input = hex.of(seed)
        try(target, input)
        for _ = 1, SLOW[target] or CHANGED do
          try(target, changed(input, random))
          if random(3) == 0 then input = changed(input, random) end
        end
      end
    end)
  end

  it("has seeds, whichever it is", function()
    local files = io.popen("ls '" .. MOONPOOL_ROOT .. "'/spec/fuzz/fuzz_*.c")
    for name in files:lines() do
      local target = name:match "fuzz_([%w_]+)%.c$"
      assert.is_true(seeds[target] ~= nil and #seeds[target] > 5, target)
    end
    files:close()
  end)
end)
