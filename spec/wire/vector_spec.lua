-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

local arena = bytes.arena()
local function parse(cql) return C.mp_type_parse(bytes.str(cql), arena) end

-- A vector's bytes out of its elements' bytes, which go in as [value]s.
local function written(cql, ...)
  local type, buf = parse(cql), bytes.buf()
  for _, element in ipairs { ... } do
    local begin = buf.len
    C.mp_buf_i32(buf, #element)
    C.mp_buf_bytes(buf, element, #element)
    local rc = C.mp_vector_close(buf, begin, type)
    if rc ~= 0 then return rc end
  end
  return bytes.content(buf)
end

-- The elements, or an error.
local function read(cql, content)
  local type, memory = parse(cql), bytes.exact(content)
  local value, cursor = ffi.new("struct mp_bytes", memory, #content), ffi.new "struct mp_cursor"
  local rc = C.mp_vector_elements(type, value, cursor)
  if rc ~= 0 then return rc end
  local list = {}
  for i = 1, type.dimension do
    list[i] = bytes.text(C.mp_vector_next(cursor, type))
    if cursor.failed then return "failed" end
  end
  assert.truthy(memory)
  return list, #bytes.rest(cursor)
end

describe("a vector's elements", function()
  it("of one width stand end to end", function()
    assert.equal("\0\0\0\1\0\0\0\2", written("vector<int, 2>", "\0\0\0\1", "\0\0\0\2"))
    assert.same({ { "\0\0\0\1", "\0\0\0\2" }, 0 }, { read("vector<int, 2>", "\0\0\0\1\0\0\0\2") })
    assert.same({ { "abcdefgh", "ijklmnop" }, 0 }, { read("vector<vector<int, 2>, 2>", "abcdefghijklmnop") })
  end)

  it("of others stand behind their length, at every number of its bytes", function()
    for len, head in pairs { [0] = "00", [1] = "01", [127] = "7f", [128] = "8080", [16383] = "bfff", [16384] = "c04000",
      [2097151] = "dfffff", [2097152] = "e0200000" } do
      local element = ("x"):rep(len)
      local content = written("vector<text, 2>", element, "y")
      assert.equal(bytes.of(head) .. element .. "\1y", content)
      assert.same({ { element, "y" }, 0 }, { read("vector<text, 2>", content) })
    end
  end)

  it("are never null and never of another width", function()
    local type = parse "vector<int, 1>"
    for _, hex in ipairs { "ffffffff", "fffffffe", "00000003 000000", "00000005 0000000000", "00000000" } do
      local buf = bytes.buf()
      C.mp_buf_bytes(buf, bytes.of(hex), #bytes.of(hex))
      assert.equal(C.MP_ETYPE, C.mp_vector_close(buf, 0, type))
    end
    local buf = bytes.buf()
    C.mp_buf_i32(buf, -1)
    assert.equal(C.MP_ETYPE, C.mp_vector_close(buf, 0, parse "vector<text, 1>"))
  end)

  it("are as many as the type says, or none is read", function()
    for _, case in ipairs { { "vector<int, 2>", "00000001" }, { "vector<int, 2>", "00000001 00000002 00" },
      { "vector<text, 3>", "0000" }, { "vector<uuid, 100000000>", "00" } } do
      assert.equal(C.MP_ETYPE, read(case[1], bytes.of(case[2])))
    end
    for _, hex in ipairs { "03 61 00 00", "ff ffffffffffffffff 00", "ff 0000000080000000 00", "f0 80000000 00 00",
      "ff 00" } do
      assert.equal("failed", (read("vector<text, 2>", bytes.of(hex))))
    end
    assert.same({ { "a", "" }, 1 }, { read("vector<text, 2>", bytes.of "01 61 00 00") })
  end)

  it("that find no memory leave the buffer failed", function()
    local type, buf = parse "vector<text, 1>", bytes.buf()
    buf.failed = true
    assert.equal(0, C.mp_vector_close(buf, 0, type))
  end)
end)
