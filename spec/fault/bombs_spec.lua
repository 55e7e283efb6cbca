-- SPDX-License-Identifier: Apache-2.0
-- Answers that are small and would become large, and counts that nothing stands behind: what an answer takes is bounded
-- by its bytes, and one that lies costs its connection, which says why. Cases are bodies of v4; compressed ones stand
-- in spec/wire/compress_spec.lua.
local support = require "spec.support.world"
local it = support.inside(it)

local function u16(n) return string.char(math.floor(n / 256), n % 256) end
local function u32(n)
  n = n % 2 ^ 32
  return u16(math.floor(n / 65536)) .. u16(n % 65536)
end
local function text(t) return u16(#t) .. t end
local function value(t) return u32(#t) .. t end
local NULL, MOST = u32(-1), u32(2 ^ 31 - 1)

local INT = u16(9)
local function list(of) return u16(0x20) .. of end
local function tuple(count, of) return u16(0x31) .. u16(count) .. of:rep(count) end
local function udt(count, of, name)
  local parts = { u16(0x30), text "ks", text "u", u16(count) }
  for i = 1, count do parts[i + 4] = text(name or "f" .. i) .. of end
  return table.concat(parts)
end
local function class(name) return u16(0) .. text(name) end
local VECTOR = "org.apache.cassandra.db.marshal.VectorType(%s, %d)"
local TUPLE = "org.apache.cassandra.db.marshal.TupleType(%sInt32Type)"

-- RESULT, ROWS, of columns c1, c2, ... of these types.
local ROWS, GLOBAL, MORE = u32(2), u32(1), u32(3)
local function rows(types, data, count, name)
  local parts = { ROWS, GLOBAL, u32(#types), text "ks", text "t" }
  for i, of in ipairs(types) do parts[#parts + 1] = text(name or "c" .. i) .. of end
  return table.concat(parts) .. u32(count or 1) .. data
end
local function times(count, of)
  local list_of = {}
  for i = 1, count do list_of[i] = of end
  return list_of
end

local HUGE = tuple(65535, INT)
local VALUES_OF_4_BYTES = u32(2000) .. value(NULL):rep(2000)

-- name, body, what the message says (none: it is rows), flags, opcode
local cases = {
  { "types in types", rows({ tuple(1, ""):rep(100000) .. INT }, NULL), "types in types, more than 32 deep" },
  { "lists in tuples in users' types", rows({ udt(1, tuple(1, list ""):rep(40)) }, NULL), "more than 32 deep" },
  { "2^31 columns", ROWS .. GLOBAL .. MOST .. text "ks" .. text "t", "columns that is negative or over 65535" },
  { "minus one columns", ROWS .. GLOBAL .. NULL .. text "ks" .. text "t", "columns that is negative or over 65535" },
  { "65535 columns in a few bytes", ROWS .. GLOBAL .. u32(65535) .. text "ks", "more columns than its bytes" },
  { "2^31 rows", ROWS .. GLOBAL .. u32(1) .. text "ks" .. text "t" .. text "c" .. INT .. MOST .. NULL,
    "more rows than its bytes could hold" },
  { "2^31 rows without columns", ROWS .. u32(0) .. u32(0) .. MOST, "more rows than its bytes could hold" },
  { "a paging state of 2^31", ROWS .. MORE .. u32(1) .. MOST .. text "ks", "less than it says" },
  { "a tuple of 65535 parts in a few bytes", rows({ u16(0x31) .. u16(65535) .. INT }, ""),
    "more parts than its bytes could hold" },
  { "a user's type of 65535 fields in a few bytes", rows({ u16(0x30) .. text "ks" .. text "u" .. u16(65535) }, ""),
    "more fields than its bytes could hold" },
  { "fields of one name", rows({ udt(2, INT, "f") }, NULL), "two fields of one name" },
  { "65535 fields of one name", rows({ udt(65535, INT, "f") }, NULL), "two fields of one name" },
  { "types of 100 bytes for each of the wire's", rows(times(12, tuple(65535, list(INT))), NULL:rep(12)),
    "more than 16 MiB" },
  { "the same by classes", rows(times(60, class(TUPLE:format(("a,"):rep(32000)))), NULL:rep(60)), "more than 16 MiB" },
  { "names of 64 kB", rows(times(300, INT), NULL:rep(300), 1, ("n"):rep(65535)), "more than 16 MiB" },
  { "a kind of result that there is not", u32(99), "a kind that nobody knows" },
  { "65535 warnings that are not there", u16(65535), "less of a trace id, of warnings or of a payload", 8 },
  { "a payload that is not there", u16(65535), "less of a trace id, of warnings or of a payload", 4 },
  { "an error that ends in its counts", u32(0x1300) .. text "m" .. u16(1) .. u32(1), "a malformed ERROR", 0, 0 },
  { "an empty answer", "", "less than it says" },
  { "a list of 2^31", rows({ list(INT) }, value(MOST)), "column c1: 4 bytes are no list" },
  { "a map of minus one", rows({ u16(0x21) .. INT .. INT }, value(NULL)), "column c1: 4 bytes are no map" },
  { "a vector of 2^31 texts", rows({ class(VECTOR:format("UTF8Type", 2 ^ 31 - 1)) }, value "four"),
    "column c1: 4 bytes are no vector" },
  -- What is rows all the same, and takes no more than some times its bytes.
  { "a list of tuples whose parts are missing", rows({ list(HUGE) }, value(VALUES_OF_4_BYTES)) },
  { "rows of tuples whose parts are missing", rows({ HUGE }, value "":rep(2000), 2000) },
  { "rows of users' types whose fields are missing", rows({ udt(65535, INT) }, value "":rep(2000), 2000) },
  { "a vector of tuples of no bytes",
    rows({ class(VECTOR:format(TUPLE:format(("Int32Type,"):rep(1000)), 10000)) }, value(("\0"):rep(10000))) },
  { "65535 warnings", u16(65535) .. text "w":rep(65535) .. u32(1), nil, 8 },
  { "a payload of 65535 parts", u16(65535) .. (text "p" .. value "x"):rep(65535) .. u32(1), nil, 4 },
  { "65535 columns, more than a stack has", rows(times(65535, INT), NULL:rep(10 * 65535), 10) },
  { "65536 rows without columns", ROWS .. u32(0) .. u32(0) .. u32(65536) },
  { "a class of a type that no value can have", rows({ class(VECTOR:format("FloatType", 2 ^ 31 - 1)) }, value "four") },
}

local function envelope(body, flags, opcode)
  return string.char(0x84, flags or 0, 0, 0, opcode or 8) .. u32(#body) .. body
end

-- What Lua's tables and texts grew by in fn(), nothing of it collected.
local function grown(fn)
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  local ok, why = pcall(fn)
  local after = collectgarbage "count"
  collectgarbage "restart"
  assert(ok, why)
  return (after - before) * 1024
end

describe("an answer with", function()
  for _, case in ipairs(cases) do
    local name, body, says = case[1], case[2], case[3]
    it(name .. (says and " is refused" or " takes its size"), { nodes = 1, rf = 1 }, function(world)
      local pool = world:pool { protocolVersion = 4, requestTimeout = 60000, attemptTimeout = 60000 }
      world.cluster:rule { opcode = "QUERY", statement = "SELECT bomb", raw = envelope(body, case[4], case[5]),
        times = 1 }
      local result, err
      local most = grown(function()
        result, err = pool:execute("SELECT bomb", nil, { prepare = false })
        if result then assert(#result.rows >= 0) end
      end)
      if says then
        assert.is_nil(result)
        assert.matches(says, tostring(err), 1, true)
      else
        assert.is_nil(err)
      end
      assert.is_true(most <= 40 * #body + 8e6, ("%d bytes made %d"):format(#body, most))
      world:eventually("the pool serves on", function() return (pool:execute "SELECT key FROM system.local") end)
    end)
  end
end)
