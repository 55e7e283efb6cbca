-- SPDX-License-Identifier: Apache-2.0
-- Whether bytes are a value of a type has one answer: theirs who read the value. moonpool.decode() is them.
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local moonpool = require "moonpool"
local random = require "spec.hunt.random"
local C = require "spec.support.c"

ffi.cdef "bool mp_value_fits(const struct mp_type *type, struct mp_bytes value);"

local arena = bytes.arena()
local types = {}
local function type_of(cql)
  types[cql] = types[cql] or C.mp_type_parse(bytes.str(cql), arena)
  return types[cql]
end

local function fits(cql, content)
  local memory = bytes.exact(content)
  local value = ffi.new("struct mp_bytes", memory, #content)
  local said = C.mp_value_fits(type_of(cql), value)
  assert.truthy(memory)
  return said
end

-- What moonpool.decode() says of them: no bytes are null, of which it says nil alone.
local function is_read(cql, content)
  local _, err = moonpool.decode(cql, content)
  return err == nil
end

local SCALARS = { "ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "duration", "float",
  "inet", "int", "smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint" }

local function some_type(r, depth)
  local kind = depth > 0 and r.below(7) or 6
  local function inner() return some_type(r, depth - 1) end
  if kind == 0 then return "list<" .. inner() .. ">" end
  if kind == 1 then return "set<" .. inner() .. ">" end
  if kind == 2 then return "map<" .. r.pick(SCALARS) .. ", " .. inner() .. ">" end
  if kind == 3 then return "tuple<" .. inner() .. ", " .. inner() .. ">" end
  if kind == 4 then return "vector<" .. inner() .. ", " .. 1 + r.below(3) .. ">" end
  return r.pick(SCALARS)
end

local function be(value)
  return string.char(math.floor(value / 2 ^ 24) % 256, math.floor(value / 2 ^ 16) % 256, math.floor(value / 256) % 256,
    value % 256)
end

-- Bytes that might be of any type: lengths that are near those that the types have, and parts with lengths in front.
local function some_bytes(r, depth)
  local kind, out = r.below(depth > 0 and 6 or 3), {}
  if kind < 3 then
    for i = 1, r.pick { 0, 1, 2, 3, 4, 5, 8, 15, 16, 17, r.below(24) } do
      out[i] = string.char(r.pick { 0, 0, 1, 127, 128, 255, r.below(256) })
    end
    return table.concat(out)
  end
  local count = r.below(4)
  if kind > 3 then out[1] = be(r.chance(6) and r.below(5) or kind == 4 and count or math.floor(count / 2)) end
  for _ = 1, count do
    local part = some_bytes(r, depth - 1)
    out[#out + 1] = r.chance(10) and be(2 ^ 32 - 1) or be(r.chance(20) and #part + 1 or #part) .. part
  end
  return table.concat(out)
end

describe("bytes are a value of a type", function()
  it("when they can be read as one, and only then", function()
    local sound, seen = 0, 0
    for seed = 1, 40 do
      local r = random.new(seed)
      for _ = 1, 100 do
        local cql = some_type(r, 3)
        local content = some_bytes(r, 3)
        local said = fits(cql, content)
        assert.equal(is_read(cql, content), said, ("%s, %q, seed %d"):format(cql, content, seed))
        sound, seen = sound + (said and 1 or 0), seen + 1
      end
    end
    assert.is_true(sound > seen / 10 and sound < seen * 9 / 10, sound .. " of " .. seen)
  end)

  it("also when they are what was written, and no more when one is missing", function()
    for _, case in ipairs {
      { "list<int>", { 1, 2, 3 } }, { "map<text, uuid>", { a = moonpool.uuid() } }, { "tuple<int, text>", { 1, "x" } },
      { "vector<float, 3>", { 1, 2, 3 } }, { "set<frozen<list<bigint>>>", { { 1 }, { 2, 3 } } },
      { "duration", { months = 1, days = 2, nanoseconds = 3 } }, { "inet", "10.0.0.1" },
      { "varint", "-12345678901234567890" }, { "decimal", "1.5" },
    } do
      local content = assert(moonpool.encode(case[1], case[2]))
      assert.is_true(fits(case[1], content), case[1])
      for len = 1, #content - 1 do
        local cut = content:sub(1, len)
        assert.equal(is_read(case[1], cut), fits(case[1], cut), case[1] .. " cut to " .. len)
      end
      assert.is_true(fits(case[1], ""), case[1])
    end
  end)

  it("unless their number is longer than what is converted", function()
    for _, case in ipairs { { "varint", 4096 }, { "decimal", 4100 } } do
      local longest = ("\1"):rep(case[2])
      assert.is_true(fits(case[1], longest))
      assert.is_true(is_read(case[1], longest))
      assert.is_false(fits(case[1], longest .. "\1"))
      assert.is_false(is_read(case[1], longest .. "\1"))
    end
  end)
end)
