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
      "map<int,int,int>", "int>", "int int", "frozen", "frozen<>", "frozen<int", "tuple", "tuple<,>",
      "tuple<int", "'", "''",
      "'a", "list<int>>", "<int>", "list<,>", "nosuch", "custom", "udt", "list<int>,", "\0" } do
      assert.is_nil(parse(cql), cql)
    end
  end)
end)

describe("a type that is named by its class", function()
  local function class(text) return (text:gsub("%$", "org.apache.cassandra.db.marshal.")) end
  local function read_class(text) return (read("\0\0" .. string.char(math.floor(#text / 256), #text % 256) .. text)) end

  it("is the type that CQL calls by another name", function()
    for text, cql in pairs {
      ["$Int32Type"] = "int", ["$UTF8Type"] = "text", Int32Type = "int", ["$DateType"] = "timestamp",
      ["$ReversedType($TimeUUIDType)"] = "timeuuid", ["$ListType($Int32Type)"] = "list<int>",
      ["$FrozenType($SetType( $UTF8Type ))"] = "set<text>", ["$MapType($UUIDType,$FrozenType($ListType($BytesType)))"] =
        "map<uuid, frozen<list<blob>>>",
      ["$TupleType($Int32Type,$UTF8Type)"] = "tuple<int, text>", ["$TupleType()"] = "tuple<>",
      ["$VectorType($FloatType , 3)"] = "vector<float, 3>", ["$VectorType($VectorType($UTF8Type,2),7)"] =
        "vector<vector<text, 2>, 7>",
      ["$UserType(ks,61646472,7a6970:$Int32Type,6269674e616d65:$ListType($Int32Type))"] = "addr",
      ["$FrozenType($UserType(ks,4164,61:$Int32Type))"] = '"Ad"',
    } do
      assert.equal(cql, format(assert(read_class(class(text)), text)))
      assert.equal(cql, format(assert(parse("'" .. class(text) .. "'"))))
    end
    local udt = read_class(class "$UserType(ks,61646472,7a6970:$Int32Type,6269674e616d65:$ListType($Int32Type))")
    assert.equal("ks", bytes.text(udt.keyspace))
    assert.equal("bigName", bytes.text(udt.fields[1]))
    assert.equal("list<int>", format(udt.children[1]))
  end)

  it("stays what it is called when nobody knows it, or it is not so written", function()
    for _, text in ipairs { "a.b.Foo", "$EmptyType", "$CompositeType($UTF8Type,$Int32Type)", "$ListType", "$ListType(",
      "$ListType($Int32Type", "$ListType($Int32Type))", "$ListType($Int32Type,$Int32Type)", "$MapType($Int32Type)",
      "$VectorType($FloatType)", "$VectorType($FloatType, 0)", "$VectorType($FloatType, -1)",
      "$VectorType($FloatType, x)", "$VectorType($FloatType, 99999999999999999999)", "$VectorType(a.b.Foo, 3)",
      "$VectorType($VectorType($FloatType, 2000000000), 2)", "$UserType(ks)", "$UserType(ks,6)", "$UserType(ks,zz)",
      "$UserType(ks,61,62)", "$UserType(ks,61,62:)", "$UserType(ks,61,6:$Int32Type)", "", "(", ")", "$", "a(b", " " } do
      local type = assert(read_class(class(text)), text)
      assert.equal(C.MP_TYPE_CUSTOM, type.id, text)
      assert.equal(class(text), bytes.text(type.name))
    end
    assert.equal("list<'a.b.Foo(x=>y)'>", format(read_class(class "$ListType(a.b.Foo(x=>y))")))
    assert.equal("list<'$CompositeType(a(b),c)'>", (format(read_class(class "$ListType($CompositeType(a(b),c))")):gsub(
      "org.apache.cassandra.db.marshal.", "$")))
  end)

  it("is written as Cassandra does: what is composed says that it is frozen, once", function()
    local function written(cql)
      local buf = bytes.buf()
      C.mp_type_format_class(buf, parse(cql))
      return (bytes.content(buf):gsub("org.apache.cassandra.db.marshal.", "$"))
    end
    assert.equal("$Int32Type", written "int")
    assert.equal("$VectorType($FloatType , 3)", written "vector<float, 3>")
    assert.equal("$VectorType($FrozenType($ListType($ListType($Int32Type))) , 3)", written "vector<list<list<int>>, 3>")
    assert.equal("$VectorType($TupleType($Int32Type,$SetType($UTF8Type)) , 1)",
      written "vector<tuple<int, set<text>>, 1>")
    assert.equal("\0\0\0\89" .. class "$VectorType($FloatType , 3)", write(parse "vector<float, 3>", 5))
  end)

  it("is no deeper than 32 levels, and its text is walked once (P12)", function()
    local function nested(name, depth) return (name .. "("):rep(depth - 1) .. "Int32Type" .. (")"):rep(depth - 1) end
    assert.equal(C.MP_TYPE_LIST, read_class(nested("ListType", 32)).id)
    assert.equal(C.MP_TYPE_CUSTOM, read_class(nested("ListType", 33)).id)
    assert.equal(C.MP_TYPE_LIST, read_class(nested("FrozenType(ListType", 32):gsub("Int32Type", "Int32Type" ..
      (")"):rep(31)) .. "").id)
    assert.equal(C.MP_TYPE_INT, read_class(nested("FrozenType", 64)).id)
    assert.equal(C.MP_TYPE_CUSTOM, read_class(nested("FrozenType", 65)).id)
    for _, text in ipairs { ("ListType("):rep(7000), ("FrozenType("):rep(5900), ("TupleType(a,"):rep(5400),
      ("VectorType("):rep(5900), ("a("):rep(32000), ("UserType(k,61,61:"):rep(3800), ("("):rep(65000) } do
      assert.equal(C.MP_TYPE_CUSTOM, read_class(text).id)
    end
    local inside = bytes.of(("0020"):rep(31)) .. write(parse "list<'x'>", 5):sub(3)
    assert.equal(31, select(2, format((read(inside))):gsub("list", "")))
    local vector = write(parse "vector<list<int>, 2>", 5)
    assert.truthy(format((read(bytes.of(("0020"):rep(29)) .. vector))):find("vector<frozen<list<int>>, 2>", 1, true))
    assert.truthy(format((read(bytes.of(("0020"):rep(30)) .. vector))):find("'org.apache", 1, true))
  end)

  it("takes memory in proportion to its text", function()
    local function cost(count)
      local small, err = bytes.arena(), ffi.new "int[1]"
      local text = "TupleType(" .. ("Int32Type,"):rep(count - 1) .. "Int32Type)"
      local content = "\0\0" .. string.char(math.floor(#text / 256), #text % 256) .. text
      assert.equal(count, C.mp_type_read(C.mp_cursor_on(content, #content), small, err).child_count)
      return tonumber(small.total_bytes)
    end
    assert.is_true(cost(4000) <= 5 * cost(1000))
  end)

  it("tells a lack of memory from text that is none", function()
    local text = class "$MapType($UTF8Type,$VectorType($UserType(ks,61,62:$TupleType($Int32Type,a.Foo)),2))"
    local content = "\0\0" .. string.char(math.floor(#text / 256), #text % 256) .. text
    local failures = 0
    for nth = 1, 20 do
      local small, err = bytes.arena(), ffi.new "int[1]"
      C.mp_mem_fail_at(nth, true)
      local type = C.mp_type_read(C.mp_cursor_on(content, #content), small, err)
      C.mp_mem_fail_at(0, false)
      if type ~= nil then
        assert.equal(C.MP_TYPE_MAP, type.id)
        break
      end
      assert.equal(C.MP_ENOMEM, err[0])
      failures = failures + 1
    end
    assert.is_true(failures > 0)
  end)
end)

describe("a vector", function()
  it("is refused without elements of a known kind and their number", function()
    for _, cql in ipairs { "vector", "vector<", "vector<float", "vector<float>", "vector<float,>", "vector<float, 0>",
      "vector<float, -1>", "vector<float, x>", "vector<float, 3", "vector<float, 2147483648>",
      "vector<uuid, 2147483647>",
      "vector<'a.b.Foo', 2>", "vector<float, 3, 3>", "vector<, 3>" } do
      assert.is_nil(parse(cql), cql)
    end
    assert.equal(536870911, parse("vector<float, 536870911>").dimension)
    assert.is_false(C.mp_type_eq(parse "vector<float, 2>", parse "vector<float, 3>"))
  end)

  it("has elements of one width of the types that Cassandra lays down, and of no other", function()
    for cql, width in pairs { boolean = 1, int = 4, float = 4, bigint = 8, double = 8, timestamp = 8, uuid = 16,
      timeuuid = 16, tinyint = 0, smallint = 0, date = 0, time = 0, inet = 0, text = 0, ["list<int>"] = 0,
      ["vector<float, 3>"] = 12, ["vector<vector<int, 2>, 3>"] = 24, ["vector<text, 3>"] = 0, ["tuple<int>"] = 0 } do
      assert.equal(width, C.mp_type_width(parse(cql)), cql)
    end
  end)
end)

describe("the depth of a type", function()
  it("is at most 32", function()
    local function nested(depth) return ("list<"):rep(depth - 1) .. "int" .. (">"):rep(depth - 1) end
    assert.truthy(parse(nested(32)))
    assert.is_nil(parse(nested(33)))
    assert.is_nil(parse(nested(100000)))
    local function in_all(open, close, depth) return open:rep(depth - 1) .. "int" .. close:rep(depth - 1) end
    for _, pair in ipairs { { "list<", ">" }, { "set<", ">" }, { "tuple<", ">" }, { "map<int,", ">" },
      { "vector<", ",1>" }, { "frozen<list<", ">>" }, { "frozen<map<text,", ">>" }, { "frozen<tuple<int,", ">>" } } do
      assert.truthy(parse(in_all(pair[1], pair[2], 32)), pair[1])
      assert.is_nil(parse(in_all(pair[1], pair[2], 33)), pair[1])
      assert.is_nil(parse(in_all(pair[1], pair[2], 20000)), pair[1])
    end
    assert.truthy(parse("frozen<" .. in_all("frozen<list<", ">>", 32) .. ">"))
    assert.truthy(parse(in_all("frozen<", ">", 64)))
    assert.is_nil(parse(in_all("frozen<", ">", 65)))
    assert.is_nil(parse(("frozen<"):rep(100000)))
    assert.truthy(read(bytes.of(("0020"):rep(31) .. "0009")))
    assert.same({ nil, C.MP_EPROTO }, { read(bytes.of(("0020"):rep(32) .. "0009")) })
    assert.same({ nil, C.MP_EPROTO }, { read(("\0\32"):rep(100000)) })
    assert.same({ nil, C.MP_EPROTO }, { read(("\0\49\0\1"):rep(100000)) })
  end)
end)

describe("the number of a scalar that nobody knows", function()
  it("is a type all the same, so that its values are bytes and the others are read", function()
    for _, hex in ipairs { "000a", "0016", "001f" } do
      local type, rest = read(bytes.of(hex .. " 'rest'"))
      assert.equal("'0x" .. hex .. "'", format(type))
      assert.equal("rest", rest)
    end
    assert.equal("list<'0x0016'>", format((read(bytes.of "0020 0016"))))
  end)
end)

describe("bytes that are no type", function()
  it("are refused", function()
    for _, hex in ipairs { "", "00", "0023", "ffff", "ff00", "0020", "0021 0009", "0000", "0000 0005 'abc'",
      "0031", "0031 0002 0009", "0031 ffff 0009", "0030", "0030 0001 'k' 0001 'n' 0001 0001 'f'",
      "0030 0001 'k' 0001 'n' ffff 0001 'f' 0009" } do
      assert.same({ nil, C.MP_EPROTO }, { read(bytes.of(hex)) })
    end
  end)

  it("do no harm, whatever they are", function()
    local rand = bytes.rand(31)
    local ids = { "\0\0\0\23VectorType(Int32Type,2)", "\0\0\0\23ListType(UserType(k,61,",
      "\0\32", "\0\33", "\0\34", "\0\48", "\0\49", "\0\0", "\0\9", "\0\13", "\0\1" }
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

describe("the name of a user's type in a text", function()
  -- LuaJIT has no callbacks with structs by value: a string is two plain words. Parsed once.
  local callback_type = ffi.typeof "struct mp_type *(*)(void *, const char *, size_t, struct mp_arena *)"
  local plain_pointer = ffi.typeof "void *"

  -- The type that is found for the text when every name in it is that of an int, and the names.
  local function parse_with(cql, in_arena)
    local asked, err = {}, ffi.new "int[1]"
    local callback = ffi.cast(callback_type, function(_, data, len, of)
      asked[#asked + 1] = ffi.string(data, len)
      local content = "\0\9"
      return C.mp_type_read(C.mp_cursor_on(content, #content), of, err)
    end)
    local names = ffi.new "struct mp_type_names"
    names.find = ffi.cast(plain_pointer, callback)
    local type = C.mp_type_parse_with(bytes.str(cql), in_arena or arena, names)
    callback:free()
    return type ~= nil and format(type) or nil, asked
  end

  it("is a word in any case, or what stands in double quotes as it is", function()
    for cql, name in pairs { address = "address", ["AdDress_1"] = "address_1", ['"Ad dr"'] = "Ad dr",
      ['"a""b"'] = 'a"b', ['""""'] = '"', [' "x" '] = "x", ["[]"] = false } do
      local type, asked = parse_with(cql)
      assert.equal(name and "int" or nil, type)
      assert.same({ name or nil }, asked)
    end
    local type, asked = parse_with 'map<frozen<"K">, tuple<v, list<"a,b>">>>'
    assert.equal("map<int, frozen<tuple<int, frozen<list<int>>>>>", type)
    assert.same({ "K", "v", "a,b>" }, asked)
  end)

  it("may hold what divides the fields of a tuple", function()
    for fields, read_as in pairs { ['"a,b"'] = "int", ['"a>b", "<"'] = "int, int", ['"a""b", "c,"'] = "int, int",
      ["'v(a, b)', \"'\""] = "'v(a, b)', int", ["list<\"<,\">, 'a<'"] = "frozen<list<int>>, 'a<'", [""] = "",
      [" "] = "" } do
      assert.equal("tuple<" .. read_as .. ">", (parse_with("tuple<" .. fields .. ">")))
    end
  end)

  it("is none when its quotes do not end, and where nobody knows names", function()
    for _, cql in ipairs { '"', '"x', '"x""', 'list<"x>', "", '"x"y' } do assert.is_nil((parse_with(cql)), cql) end
    for _, cql in ipairs { "address", '"x"' } do assert.is_nil(parse(cql)) end
  end)

  it("needs memory, or the text is none", function()
    local small = bytes.arena()
    C.mp_mem_fail_at(1, true)
    local type, asked = parse_with(("n"):rep(60), small)
    C.mp_mem_fail_at(0, false)
    assert.is_nil(type)
    assert.same({}, asked)
  end)

  it("is written in double quotes where CQL would read it as another", function()
    local function shown(name)
      local content = bytes.of("0030 0002 'ks' " .. ("%04x"):format(#name)) .. name .. bytes.of "0001 0001 'f' 0009"
      return format(assert(read(content)))
    end
    for name, written in pairs { address = "address", a_1 = "a_1", A = '"A"', aB = '"aB"', ["a b"] = '"a b"',
      ["1a"] = '"1a"', ['a"b'] = '"a""b"', [""] = '""', ["{"] = '"{"', z = "z" } do
      assert.equal(written, shown(name))
    end
  end)
end)

describe("a user's type with two fields of one name", function()
  local function names(count, last)
    local list = {}
    for i = 1, count do list[i] = ("field%d"):format(i) end
    if last then list[count] = last end
    return list
  end

  it("is none on the wire, and bytes as a class", function()
    for _, count in ipairs { 2, 3, 32, 33, 500 } do
      for _, last in ipairs { false, "field1", "field" .. count - 1, "" } do
        local twice = last and last ~= ""
        local wire, class = {}, {}
        for i, name in ipairs(names(count, last)) do
          wire[i] = string.char(0, #name) .. name .. "\0\9"
          class[i] = "," .. bytes.hex(name):gsub("%s", "") .. ":Int32Type"
        end
        local head = bytes.of "0030 0002 'ks' 0001 'u'" .. string.char(math.floor(count / 256), count % 256)
        local type, err = read(head .. table.concat(wire))
        assert.equal(twice and C.MP_EPROTO or nil, err ~= "" and err or nil)
        assert.equal(not twice, type ~= nil)
        local text = "UserType(ks,75" .. table.concat(class) .. ")"
        type = assert(read("\0\0" .. string.char(math.floor(#text / 256), #text % 256) .. text))
        assert.equal(twice and C.MP_TYPE_CUSTOM or C.MP_TYPE_UDT, type.id)
      end
    end
  end)

  it("needs memory to be found where it has many", function()
    local content = bytes.of "0030 0002 'ks' 0001 'u' 0040"
    for i = 1, 64 do content = content .. string.char(0, 1, i) .. "\0\9" end
    local small, err, failures = bytes.arena(), ffi.new "int[1]", 0
    for nth = 1, 40 do
      C.mp_mem_fail_at(nth, false)
      local type = C.mp_type_read(C.mp_cursor_on(content, #content), small, err)
      C.mp_mem_fail_at(0, false)
      if type == nil then failures = failures + 1 end
      assert.is_true(type ~= nil or err[0] == C.MP_ENOMEM)
    end
    assert.is_true(failures >= 1)
  end)
end)

describe("the class of a type", function()
  local function class_of(type)
    local buf = bytes.buf()
    C.mp_type_format_class(buf, type)
    return bytes.content(buf)
  end

  it("is read as the same type", function()
    local list = { read(bytes.of "0030 0002 'ks' 0001 'u' 0002 0001 'a' 0020 0009 0001 'b' 0031 0002 000d 000c"),
      read(bytes.of "0030 0002 'ks' 0001 'u' 0000"), read(bytes.of "0031 0001 0003"), read(bytes.of "0031 0000"),
      parse "map<int, frozen<set<frozen<list<text>>>>>", parse "vector<frozen<map<int, tuple<text, blob>>>, 3>",
      parse "'a.b.C'", parse "vector<float, 1>", parse "list<'a.b.C'>" }
    for _, type in ipairs(list) do
      local name = class_of(type)
      local again = assert(read("\0\0" .. string.char(math.floor(#name / 256), #name % 256) .. name))
      assert.is_true(C.mp_type_eq(type, again), name)
    end
  end)
end)
