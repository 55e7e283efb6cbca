-- SPDX-License-Identifier: Apache-2.0
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

local arena = bytes.arena()

local function parse(cql)
  local type = C.mp_type_parse(bytes.str(cql), arena)
  return type ~= nil and type or nil
end

local function format(type)
  local buf = bytes.buf()
  C.mp_type_format(buf, type)
  return bytes.content(buf)
end

local function write(type, version)
  local buf = bytes.buf()
  C.mp_type_write(buf, type, version)
  return bytes.content(buf)
end

-- The type and what is left of the bytes, or nil and the error.
local function read(content)
  local memory = bytes.exact(content)
  local cursor, err = C.mp_cursor_on(memory, #content), ffi.new "int[1]"
  local type = C.mp_type_read(cursor, arena, err)
  if type == nil then
    assert.is_true(cursor.failed or err[0] == C.MP_ENOMEM)
    return nil, err[0]
  end
  assert.equal(0, err[0])
  return type, bytes.rest(cursor), memory
end

local scalars = {
  ascii = "0001", bigint = "0002", blob = "0003", boolean = "0004", counter = "0005", decimal = "0006", double = "0007",
  float = "0008", int = "0009", timestamp = "000b", uuid = "000c", text = "000d", varint = "000e", timeuuid = "000f",
  inet = "0010", date = "0011", time = "0012", smallint = "0013", tinyint = "0014", duration = "0015",
}

describe("a scalar type", function()
  it("has an id and a name", function()
    for name, hex in pairs(scalars) do
      local type = assert(read(bytes.of(hex)))
      assert.equal(name, format(type))
      assert.equal(name, ffi.string(C.mp_type_id_name(type.id)))
      assert.is_true(C.mp_type_eq(type, parse(name)))
      assert.is_true(C.mp_type_eq(type, parse(name:upper())))
      assert.equal(bytes.of(hex), write(type, 5))
    end
    assert.is_true(C.mp_type_eq(parse "varchar", parse "text"))
    assert.equal("?", ffi.string(C.mp_type_id_name(0x7777)))
  end)

  it("takes no memory", function()
    local small = bytes.arena()
    local err = ffi.new "int[1]"
    for _, hex in pairs(scalars) do
      local content = bytes.of(hex)
      assert.is_true(C.mp_type_read(C.mp_cursor_on(content, 2), small, err) ~= nil)
    end
    assert.equal(0, tonumber(small.total_bytes))
  end)

  it("that is younger than the protocol version is a Java class there", function()
    local since = { date = 4, time = 4, smallint = 4, tinyint = 4, duration = 5 }
    local class = { date = "SimpleDateType", time = "TimeType", smallint = "ShortType", tinyint = "ByteType",
      duration = "DurationType" }
    for name in pairs(scalars) do
      for version = 3, 5 do
        local content = write(parse(name), version)
        if version < (since[name] or 0) then
          local full = "org.apache.cassandra.db.marshal." .. class[name]
          assert.equal("\0\0\0" .. string.char(#full) .. full, content)
        else
          assert.equal(2, #content)
        end
        assert.is_true(C.mp_type_eq(parse(name), (read(content))))
      end
    end
  end)
end)

describe("a composed type", function()
  local wire = {
    ["list<int>"] = "0020 0009",
    ["set<text>"] = "0022 000d",
    ["map<text, int>"] = "0021 000d 0009",
    ["map<text, frozen<list<int>>>"] = "0021 000d 0020 0009",
    ["tuple<int, text, blob>"] = "0031 0003 0009 000d 0003",
    ["list<frozen<tuple<int, frozen<set<uuid>>>>>"] = "0020 0031 0002 0009 0022 000c",
  }

  it("is the same tree from bytes and from text", function()
    for cql, hex in pairs(wire) do
      local type, rest = read(bytes.of(hex .. " 'rest'"))
      assert.truthy(type)
      assert.equal("rest", rest)
      assert.equal(cql, format(type))
      assert.is_true(C.mp_type_eq(type, parse(cql)))
      assert.equal(bytes.hex(bytes.of(hex)), bytes.hex(write(parse(cql), 5)))
    end
  end)

  it("is compared by its parts", function()
    local all = {}
    for cql in pairs(wire) do all[#all + 1] = cql end
    for i, a in ipairs(all) do
      for j, b in ipairs(all) do assert.equal(i == j, C.mp_type_eq(parse(a), parse(b))) end
    end
    assert.is_false(C.mp_type_eq(parse "map<int, text>", parse "map<text, int>"))
  end)

  it("may be a user's type", function()
    local hex = "0030 0002 'ks' 0004 'addr' 0002 0006 'street' 000d 0003 'zip' 0020 0009"
    local type = assert(read(bytes.of(hex)))
    assert.equal("addr", format(type))
    assert.equal("ks", bytes.text(type.keyspace))
    assert.equal("street", bytes.text(type.fields[0]))
    assert.equal("list<int>", format(type.children[1]))
    assert.equal(bytes.hex(bytes.of(hex)), bytes.hex(write(type, 4)))
    local other = assert(read(bytes.of((hex:gsub("street", "strees")))))
    assert.is_false(C.mp_type_eq(type, other))
    assert.is_true(C.mp_type_eq(type, (read(bytes.of(hex)))))
    assert.equal("list<frozen<addr>>", format((read(bytes.of("0020" .. hex)))))
    assert.equal('"Addr"', format((read(bytes.of((hex:gsub("addr", "Addr")))))))
  end)

  it("may be a Java class", function()
    local type = assert(read(bytes.of "0000 0007 'a.b.Foo'"))
    assert.equal("'a.b.Foo'", format(type))
    assert.is_true(C.mp_type_eq(type, parse "'a.b.Foo'"))
    assert.is_false(C.mp_type_eq(type, parse "'a.b.Fop'"))
    assert.equal("tuple<'v(a, b)', int>", format(parse "tuple<'v(a, b)',int>"))
  end)

  it("is read with blanks anywhere and any case, with or without frozen", function()
    local type = parse "map<text, frozen<list<int>>>"
    for _, cql in ipairs { "map<text,list<int>>", " MAP < TEXT , Frozen < List<INT> > > ",
      "frozen<map<text,\n\tlist<int>>>" } do
      assert.is_true(C.mp_type_eq(type, parse(cql)))
    end
  end)

  it("is refused when it is not one", function()
    for _, cql in ipairs { "", " ", "int2", "list", "list<", "list<>", "list<int", "list<int,int>", "map<int>",
      "map<int,int,int>", "int>", "int int", "frozen", "frozen<>", "frozen<int", "tuple<>", "tuple<int", "'", "''",
      "'a", "list<int>>", "<int>", "list<,>", "nosuch", "custom", "udt", "list<int>,", "\0" } do
      assert.is_nil(parse(cql), cql)
    end
  end)
end)

describe("the depth of a type", function()
  it("is at most 32", function()
    local function nested(depth) return ("list<"):rep(depth - 1) .. "int" .. (">"):rep(depth - 1) end
    assert.truthy(parse(nested(32)))
    assert.is_nil(parse(nested(33)))
    assert.is_nil(parse(nested(100000)))
    assert.is_nil(parse(("frozen<"):rep(100000)))
    assert.truthy(read(bytes.of(("0020"):rep(31) .. "0009")))
    assert.same({ nil, C.MP_EPROTO }, { read(bytes.of(("0020"):rep(32) .. "0009")) })
    assert.same({ nil, C.MP_EPROTO }, { read(("\0\32"):rep(100000)) })
    assert.same({ nil, C.MP_EPROTO }, { read(("\0\49\0\1"):rep(100000)) })
  end)
end)

describe("bytes that are no type", function()
  it("are refused", function()
    for _, hex in ipairs { "", "00", "000a", "0016", "0023", "ffff", "0020", "0021 0009", "0000", "0000 0005 'abc'",
      "0031", "0031 0002 0009", "0031 ffff 0009", "0030", "0030 0001 'k' 0001 'n' 0001 0001 'f'",
      "0030 0001 'k' 0001 'n' ffff 0001 'f' 0009" } do
      assert.same({ nil, C.MP_EPROTO }, { read(bytes.of(hex)) })
    end
  end)

  it("do no harm, whatever they are", function()
    local rand = bytes.rand(31)
    local ids = { "\0\32", "\0\33", "\0\34", "\0\48", "\0\49", "\0\0", "\0\9", "\0\13", "\0\1" }
    for _ = 1, 5000 do
      local parts = {}
      for i = 1, rand(1, 12) do
        parts[i] = rand(0, 3) > 0 and ids[rand(1, #ids)] or bytes.random_bytes(rand, rand(1, 4))
      end
      local small = bytes.arena()
      local content = table.concat(parts)
      local memory, err = bytes.exact(content), ffi.new "int[1]"
      local type = C.mp_type_read(C.mp_cursor_on(memory, #content), small, err)
      if type ~= nil then assert.is_true(#format(type) > 0) else assert.equal(C.MP_EPROTO, err[0]) end
    end
  end)

  it("are told from a lack of memory", function()
    local content = bytes.of "0021 000d 0030 0002 'ks' 0001 'u' 0001 0001 'f' 0000 0007 'a.b.Foo'"
    local failures = 0
    for nth = 1, 20 do
      local small, err = bytes.arena(), ffi.new "int[1]"
      C.mp_mem_fail_at(nth, true)
      local type = C.mp_type_read(C.mp_cursor_on(content, #content), small, err)
      C.mp_mem_fail_at(0, false)
      if type ~= nil then break end
      assert.equal(C.MP_ENOMEM, err[0])
      failures = failures + 1
    end
    assert.is_true(failures > 0)
  end)
end)
