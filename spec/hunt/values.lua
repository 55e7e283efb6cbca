-- SPDX-License-Identifier: Apache-2.0
-- Random Lua values for random CQL types. A value that fits its type is taken and read back as it was; any other is
-- refused with TYPE_MISMATCH, or it is read back as it was. Never is a part of it lost or changed in silence.
--   run(seed)      through moonpool.encode and moonpool.decode
--   stored(seed)   through tables of the simulated cluster; inside of a world, with a pool
local ffi = require "ffi"
local moonpool = require "moonpool"
local random = require "spec.hunt.random"

local values = {}

local int64 = ffi.typeof "int64_t"
local float = ffi.typeof "float[1]"

-- ---- scalars that fit -------------------------------------------------------------------------------------

local function whole(least, most)
  return function(r)
    return r.pick { least, most, 0, 1, least < 0 and -1 or 1,
      least + math.floor(r.below(2 ^ 31) / 2 ^ 31 * (most - least)) }
  end
end

local function wide(least, most)
  local number = whole(math.max(least, -2 ^ 53), math.min(most, 2 ^ 53))
  return function(r)
    local value = number(r)
    local how = r.below(4)
    if how == 0 then return int64(value) end
    if how == 1 then return ("%.0f"):format(value):gsub("^-0$", "0") .. "" end
    if how == 2 and most > 2 ^ 53 then
      return r.pick { 9223372036854775807LL, -9223372036854775807LL - 1, 9223372036854775807ULL, 9007199254740993LL,
        "9223372036854775807", "-9223372036854775808", "9007199254740993" }
    end
    return value
  end
end

local function digits(r, count)
  local list = {}
  for i = 1, count do list[i] = r.below(10) end
  return table.concat(list)
end

local function text(r, letters)
  local list = {}
  for i = 1, r.below(20) do list[i] = r.pick(letters) end
  return table.concat(list)
end

local ASCII = { "a", "Z", "0", " ", "'", "\0", "\127", "\n" }
local UTF8 = { "a", "\0", "\127", "ü", "€", "😀", "\194\128", "\239\191\191", "\244\143\191\191", "\237\159\191",
  "\224\160\128" }

local function hex(r, count)
  local list = {}
  for i = 1, count do list[i] = ("0123456789abcdefABCDEF"):sub(r.below(22) + 1):sub(1, 1) end
  return table.concat(list)
end

local function uuid(version)
  return function(r)
    return ("%s-%s-%s%s-%s-%s"):format(hex(r, 8), hex(r, 4), version or hex(r, 1), hex(r, 3), hex(r, 4), hex(r, 12))
  end
end

local ADDRESSES = { "0.0.0.0", "255.255.255.255", "10.0.0.1", "::", "::1", "2001:db8::1", "fe80::a:b:c:d",
  "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8" }
local DATES = { "1970-01-01", "2024-02-29", "-5877641-06-23", "5881580-07-11", "0000-01-01", "-0001-12-31",
  "9999-12-31" }

local function duration(r)
  local sign = r.pick { 1, -1 }
  local function part(most) return r.pick { nil, 0, sign, sign * most, sign * r.below(1000) } end
  return { months = part(2 ^ 31 - 1), days = part(2 ^ 31 - 1), nanoseconds = part(2 ^ 53) }
end

local fitting = {
  tinyint = whole(-128, 127), smallint = whole(-32768, 32767), int = whole(-2 ^ 31, 2 ^ 31 - 1),
  bigint = wide(-2 ^ 63, 2 ^ 63), timestamp = wide(-2 ^ 63, 2 ^ 63), time = wide(0, 86399999999999),
  double = function(r) return r.pick { 0, -0.0, 1.5, -1e300, 5e-324, math.huge, 0.1, r.below(1000) / 7 } end,
  float = function(r) return r.pick { 0, 1.5, -0.25, 3.4028234663852886e38, 1e-45, -math.huge, 0.1,
    r.below(1000) / 7 } end,
  boolean = function(r) return r.chance(2) end,
  text = function(r) return text(r, UTF8) end,
  ascii = function(r) return text(r, ASCII) end,
  blob = function(r) return text(r, { "\0", "\255", "a", "\128", "\192" }) end,
  uuid = uuid(), timeuuid = uuid "1",
  inet = function(r) return r.pick(ADDRESSES) end,
  date = function(r) return r.pick(DATES) end,
  duration = duration,
  varint = function(r)
    return r.pick { 0, 2 ^ 53, -5, 9007199254740993LL, "-" .. digits(r, 1 + r.below(60)), digits(r, 1 + r.below(300)) }
  end,
  decimal = function(r)
    return r.pick { 0, 0.1, -1e21, 1e-7, 9007199254740993LL, digits(r, 3) .. "." .. digits(r, r.below(40)),
      "-." .. digits(r, 5), digits(r, 4) .. "E" .. r.pick { "+", "-", "" } .. digits(r, 1 + r.below(5)), "1.50" }
  end,
}
local SCALARS = {}
for name in pairs(fitting) do SCALARS[#SCALARS + 1] = name end
table.sort(SCALARS)

-- ---- types ------------------------------------------------------------------------------------------------

local CLASSES = { tinyint = "ByteType", smallint = "ShortType", int = "Int32Type", bigint = "LongType",
  timestamp = "TimestampType", time = "TimeType", double = "DoubleType", float = "FloatType", boolean = "BooleanType",
  text = "UTF8Type", ascii = "AsciiType", blob = "BytesType", uuid = "UUIDType", timeuuid = "TimeUUIDType",
  inet = "InetAddressType", date = "SimpleDateType", duration = "DurationType", varint = "IntegerType",
  decimal = "DecimalType", list = "ListType", set = "SetType", map = "MapType", tuple = "TupleType", udt = "UserType",
  vector = "VectorType" }
local MARSHAL = "org.apache.cassandra.db.marshal."
local FIELDS = { "a", "b", "Street", "with blank", "ü", "c_1" }

local function hex_of(name) return (name:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

-- How a kind is written as CQL and as classes. A user's type without a cluster that has it is its class, in quotes.
local function write_type(kind)
  local inner, classes = {}, {}
  for i, child in ipairs(kind.children) do
    inner[i] = #child.children > 0 and child.name ~= "vector" and "frozen<" .. child.cql .. ">" or child.cql
    classes[i] = (kind.fields and hex_of(kind.fields[i]) .. ":" or "") .. child.class
  end
  if kind.fields then table.insert(classes, 1, "ks," .. hex_of(kind.cql or "kind")) end
  if kind.dimension then inner[2], classes[2] = kind.dimension, " " .. kind.dimension end
  kind.class = kind.class or MARSHAL .. CLASSES[kind.name] ..
    (#classes > 0 and "(" .. table.concat(classes, ",") .. ")" or "")
  kind.cql = kind.cql or (kind.fields and "'" .. kind.class .. "'") or
    kind.name .. (#inner > 0 and "<" .. table.concat(inner, ", ") .. ">" or "")
  return kind
end

local function count_of(r, name)
  if name == "map" then return 2 end
  return (name == "tuple" or name == "udt") and 1 + r.below(4) or 1
end

-- { name = "map", children = { ... }, cql = "map<int, frozen<list<text>>>", class = "...MapType(...)" }; a vector has a
-- `dimension`, a user's type `fields`. `types`: called with each user's type, gives the name it has in the cluster.
local function type_of(r, depth, is_key, types)
  if depth == 0 or r.below(3) == 0 then
    local name = r.pick(SCALARS)
    while is_key and name == "duration" do name = r.pick(SCALARS) end -- Cassandra has no keys of durations
    return write_type { name = name, children = {} }
  end
  local kind = { name = r.pick { "list", "set", "map", "tuple", "udt", "vector" }, children = {} }
  local name = kind.name
  for i = 1, count_of(r, name) do
    kind.children[i] = type_of(r, depth - 1, is_key or name == "set" or (name == "map" and i == 1), types)
  end
  if name == "vector" then kind.dimension = 1 + r.below(5) end
  if name == "udt" then
    kind.fields = {}
    for i = 1, #kind.children do kind.fields[i] = FIELDS[i] end
    kind.cql = types and types(kind)
  end
  return write_type(kind)
end
values.type_of = type_of

-- ---- sameness ---------------------------------------------------------------------------------------------

local same

local function same_int64(given, back)
  if type(given) == "number" then given = ("%.0f"):format(given) end
  if type(back) == "number" then back = ("%.0f"):format(back) end
  local function plain(value) return (tostring(value):gsub("U?LL$", ""):gsub("^(-?)0+(%d)", "%1%2"):gsub("^-0$",
    "0")) end
  return plain(given) == plain(back)
end

-- Digits without leading zeros, and the power of ten: 1.50 is 150 and -2, and is not 1.5.
local function number_parts(value)
  if type(value) == "number" then
    for precision = 15, 17 do
      local printed = ("%." .. precision .. "g"):format(value)
      if tonumber(printed) == value then value = printed break end
    end
  end
  local sign, before, behind, power = tostring(value):gsub("U?LL$", ""):match "^([+-]?)(%d*)%.?(%d*)[eE]?([+-]?%d*)$"
  if not sign then return nil end
  local all = (before .. behind):gsub("^0+", "")
  if all == "" then sign, all = "", "0" end
  return (sign == "-" and "-" or "") .. all .. "e" .. (tonumber(power) or 0) - #behind + 0
end

values.number_parts = number_parts

local function same_number(given, back)
  return number_parts(given) ~= nil and number_parts(given) == number_parts(back)
end

local function same_double(given, back)
  return type(given) == "number" and ((given ~= given and back ~= back) or (given == back and 1 / given == 1 / back))
end

local function same_float(given, back)
  if type(given) ~= "number" then return false end
  local narrow = tonumber(float(given)[0])
  if narrow ~= given and (narrow == 0 or math.abs(narrow) == math.huge) then return false end
  return same_double(narrow, back)
end

local function same_duration(given, back)
  local parts = { months = true, days = true, nanoseconds = true }
  for name in pairs(given) do if not parts[name] then return false end end
  for name in pairs(parts) do if not same_int64(given[name] or 0, back[name]) then return false end end
  return true
end

local function count(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end

-- Every entry of the one is an entry of the other. What is the key of no entry is the place of one in a list.
local function same_map(kind, given, back)
  if count(given) ~= count(back) then return false end
  for key, value in pairs(given) do
    local found = false
    for other, there in pairs(back) do
      found = found or (same(kind.children[1], key, other) and same(kind.children[2], value, there))
    end
    if not found then return false end
  end
  return true
end

local function same_list(kind, given, back)
  if count(given) ~= #back then return false end
  for i, value in ipairs(back) do if not same(kind.children[1], given[i], value) then return false end end
  return true
end

-- In any order, and one of equals.
local function same_set(kind, given, back)
  for i, value in ipairs(given) do
    local found = false
    for _, other in ipairs(back) do found = found or same(kind.children[1], value, other) end
    if not found then return false, i end
  end
  return count(given) == #given and #back <= #given
end

-- A null part is moonpool.null in a tuple, whatever was given.
local function same_tuple(kind, given, back)
  if #back ~= #kind.children then return false end
  for place in pairs(given) do
    if type(place) ~= "number" or place < 1 or place > #kind.children or place % 1 ~= 0 then return false end
  end
  for i, child in ipairs(kind.children) do
    local part, there = given[i], back[i]
    if part == nil then part = moonpool.null end
    if (part == moonpool.null or there == moonpool.null) and part ~= there then return false end
    if part ~= moonpool.null and not same(child, part, there) then return false end
  end
  return true
end

local function same_udt(kind, given, back)
  local left, there = count(given), count(back)
  for i, child in ipairs(kind.children) do
    local part = given[kind.fields[i]]
    if part ~= nil then left = left - 1 end
    if part == moonpool.null then part = nil end
    if part ~= nil then there = there - 1 end
    if not same(child, part, back[kind.fields[i]]) then return false end
  end
  return left == 0 and there == 0
end

local function same_vector(kind, given, back)
  return #back == kind.dimension and same_list(kind, given, back)
end

local function same_text(given, back) return type(given) == "string" and given == back end
local exact = { text = same_text, ascii = same_text, blob = same_text }

function same(kind, given, back)
  local name = kind.name
  if given == nil or back == nil then return given == back end
  if exact[name] then return exact[name](given, back) end
  if name == "boolean" then return given == back end
  if name == "double" then return same_double(given, back) end
  if name == "float" then return same_float(given, back) end
  if name == "decimal" then return same_number(given, back) end
  if name == "uuid" or name == "timeuuid" then return type(given) == "string" and given:lower() == back end
  if name == "date" then return type(given) == "string" and given:gsub("^(-?)0+(%d%d%d%d)", "%1%2") == back end
  if name == "inet" then -- the canonical form is C's matter: the address itself is compared
    return type(given) == "string" and not given:find "%z" and
      moonpool.encode("inet", given) == moonpool.encode("inet", back)
  end
  if name == "duration" then return type(given) == "table" and same_duration(given, back) end
  if #kind.children == 0 then return same_int64(given, back) end
  if type(given) ~= "table" then return false end
  return ({ list = same_list, set = same_set, map = same_map, tuple = same_tuple, udt = same_udt,
    vector = same_vector })[name](kind, given, back)
end
values.same = same

-- ---- values -----------------------------------------------------------------------------------------------

local function encode(kind, value) return moonpool.encode("'" .. kind.class .. "'", value) end

local good

local function good_parts(r, kind)
  local result = {}
  for i, child in ipairs(kind.children) do
    local part = r.pick { good(r, child), moonpool.null }
    if kind.name == "tuple" then result[i] = part
    elseif not r.chance(4) then result[kind.fields[i]] = part end
  end
  return result
end

-- Fits its type.
function good(r, kind)
  local make = fitting[kind.name]
  if make then return make(r) end
  if kind.name == "tuple" or kind.name == "udt" then return good_parts(r, kind) end
  local result = {}
  for i = 1, kind.dimension or 0 do result[i] = good(r, kind.children[1]) end
  if kind.dimension then return result end
  for _ = 1, r.below(5) do
    local key = good(r, kind.children[1])
    local twin = false -- two keys of Lua that are one key of the map
    for other in pairs(kind.name == "map" and result or {}) do
      twin = twin or encode(kind.children[1], key) == encode(kind.children[1], other)
    end
    if kind.name ~= "map" then result[#result + 1] = key
    elseif not twin then result[key] = good(r, kind.children[2]) end
  end
  return result
end
values.good = good

local looped = {}
looped[1] = looped
local STRANGE = { 0 / 0, math.huge, 2 ^ 53 + 2, 2 ^ 31, -2 ^ 31 - 1, 128, -129, 1.5, 86400000000000, -1, 1e-300, 1e300,
  "",
  "x", "1.2.3.4\0junk", "1.2.3.4 ", "::1%lo", "300.1.1.1", "127.1", "\255", "\192\128", "\237\160\128", "a\128",
  "2023-02-29", "1970-01-01\0", "9223372036854775808", "1e", "-", "0x10", " 1", "1\0", ("9"):rep(10000),
  "1E99999999999", "550e8400-e29b-41d4-a716-44665544000g", "550e8400-e29b-41d4-a716-446655440000", true, false,
  18446744073709551615ULL, 5LL, ffi.new "int32_t[1]", ffi.cast("int32_t", 5), moonpool.null, moonpool.unset, {}, { 1 },
  { 1, nil, 3 }, { [0] = 1 }, { [1.5] = 1 }, { x = 1 }, { months = 1, days = -1 }, { month = 1 }, { months = 2 ^ 31 },
  { months = 1.5 }, { ["months\0"] = 1 }, { 1, 2, x = 3 }, { [-1] = 1 }, { [2] = 1, [1] = 2 }, looped, print,
  setmetatable({}, { __index = { 1, 2 } }), { { 1 }, { 1 } }, { [{ 1 }] = 1, [{ 1 }] = 2 }, { [1] = "a", ["1"] = "b" } }

-- Something done to a value that fits, at some depth; or anything at all.
local function strange(r, kind)
  local child = kind.children[r.below(#kind.children) + 1]
  if not child or r.chance(4) then return r.pick(STRANGE) end
  local value = good(r, kind)
  local how = r.below(6)
  if how == 0 then value[#value + 2 + r.below(3)] = good(r, child)
  elseif how == 1 then value[r.pick { 0, -1, 1.5, "x", true }] = good(r, child)
  elseif how == 2 and #value > 1 then value[1 + r.below(#value - 1)] = nil
  elseif how == 3 then value[#value + 1] = strange(r, child)
  elseif how == 4 then
    local key = strange(r, kind.children[1]) or 1
    if key ~= key then error("LuaJIT may store it, or end the process, where it should raise", 0) end
    value[key] = good(r, child)
  else value[1] = r.pick(STRANGE) end
  return value
end

local function shown(value, depth)
  if type(value) ~= "table" then return type(value) == "string" and ("%q"):format(value):sub(1,
    80) or tostring(value) end
  if (depth or 0) > 4 then return "{...}" end
  local parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = "[" .. shown(k, 5) .. "] = " .. shown(v, (depth or 0) + 1) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function fail(what, kind, value, back)
  error(("%s: %s of %s, read back as %s"):format(what, shown(value), kind.cql, shown(back)), 0)
end

-- A value and whether it fits; a NaN is no key, so it stands among the strange ones.
function values.any(r, kind)
  if r.chance(2) then return good(r, kind), true end
  local ok, value = pcall(strange, r, kind) -- a NaN as a key raises
  if ok then return value, false end
  return r.pick(STRANGE), false
end

function values.run(seed)
  local r = random.new(seed)
  for _ = 1, 60 do
    local kind = type_of(r, r.below(4))
    local value, fits = values.any(r, kind)
    local bytes, err = moonpool.encode(kind.cql, value)
    if bytes == nil and err == nil then
      if value ~= nil and value ~= moonpool.null and value ~= moonpool.unset then fail("null", kind, value) end
    elseif bytes == nil then
      if fits then fail("refused (" .. err.message .. ")", kind, value) end
      if err.code ~= "TYPE_MISMATCH" then fail(err.code, kind, value) end
    else
      local back, why = moonpool.decode(kind.cql, bytes)
      if why then fail(tostring(why), kind, value) end
      if not same(kind, value, back) then fail("changed", kind, value, back) end
    end
  end
end

-- What a column shows: a collection or user's type that is not frozen and empty is none, and the elements of a set are
-- in order, once.
local function check_stored(kind, value, row)
  local is_null = value == moonpool.null or value == moonpool.unset or
    (#kind.children > 0 and kind.name ~= "tuple" and kind.name ~= "vector" and next(value) == nil)
  if kind.fields and not is_null then -- all of its fields may be null
    is_null = true
    for _, part in pairs(value) do is_null = is_null and part == moonpool.null end
  end
  if is_null then
    if row.v ~= nil then fail("not null", kind, value, row.v) end
  elseif not same(kind, value, row.v) then
    fail("changed by the way", kind, value, row.v)
  end
end

function values.stored(world, pool, seed)
  local r = random.new(seed)
  for column = 1, 6 do
    local made = 0
    local kind = type_of(r, r.below(4), false, function(udt)
      made = made + 1
      local name, fields = ("t_%d_%d_%d"):format(seed, column, made), {}
      for i, child in ipairs(udt.children) do
        fields[i] = ('"%s" '):format(udt.fields[i]:gsub("[^%w]", "_")) ..
          (#child.children > 0 and child.name ~= "vector" and "frozen<" .. child.cql .. ">" or child.cql)
        udt.fields[i] = udt.fields[i]:gsub("[^%w]", "_")
      end
      world:schema(("CREATE TYPE ks.%s (%s)"):format(name, table.concat(fields, ", ")))
      return name
    end)
    local t = ("values_%d_%d"):format(seed, column)
    world:schema(("CREATE TABLE ks.%s (k int PRIMARY KEY, v %s)"):format(t, kind.cql))
    local insert = assert(pool:prepare(("INSERT INTO %s (k, v) VALUES (?, ?)"):format(t)))
    for k = 1, 8 do
      local value, fits = values.any(r, kind)
      if value == nil then value = moonpool.null end
      local stored, err = pool:execute(insert, r.chance(2) and { k, value } or { k = k, v = value })
      local row = assert(pool:execute(("SELECT v FROM %s WHERE k = ?"):format(t), { k })):first()
      if stored then
        check_stored(kind, value, row)
      elseif fits or err.code ~= "TYPE_MISMATCH" or row then
        fail(err.code .. ", " .. err.message, kind, value, row and row.v)
      end
    end
  end
end

return values
