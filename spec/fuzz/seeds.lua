-- SPDX-License-Identifier: Apache-2.0
-- usage: luajit spec/fuzz/seeds.lua DIRECTORY     (from the root of the tree)
-- Writes the seed corpus: DIRECTORY/<target>/<number>. The first bytes are the choices that each target takes. Inputs
-- in which something was found stay here for good.
local hex = require "spec.support.hex"

local seeds = {
  decoder = {
    "00 00 8400000102 00000000 8400000208 00000004 00000001",
    "01 00 0400000105 00000000 0400000207 0000000f 00000008 'SELECT 1' 0001 00",
    "20 20 8500000102 00000000 0500 0219 999a 'hello' 00000000",
    "06 00 12 8500000102 00000000 8500000102 00000000 09 8500000302 00000000",
    "06 00 86 850000010800 87 0000040000 0001 81 01",
    "0e 00 0d 850000010800000004 00000001",
    "32 41 8500000102 00000000",
    "00 00 'HTTP/1.1 400 Bad Request'",
    "00 00 8600000100 00000000",
  },
  response = {
    "00 00000001",
    "08 00000002 00000001 00000002 0002 'ks' 0001 't' 0002 'id' 0009 0004 'tags' 0020 000d 00000001 00000004 " ..
      "00000007 " ..
      "00000009 00000001 00000001 'x'",
    "08 00000002 00000006 00000001 00000003 010203 00000001 00000001 'a'",
    "10 00000002 00000009 00000001 0002 beef 0001 'k' 0001 't' 0001 'c' 000d 00000000",
    "00 00000002 00000000 00000001 0001 'k' 0001 't' 0001 'c' 0000 0029 " ..
      "'org.apache.cassandra.db.marshal.ShortType' 00000000",
    "08 00000002 00000001 00000001 0001 'k' 0001 't' 0009 '[applied]' 0004 00000001 00000001 01",
    "08 00000002 00000001 00000001 0001 'k' 0001 't' 0001 'u' 0030 0001 'k' 0001 'n' 0002 0001 'a' 0009 0001 " ..
      "'b' 0031 0002 " ..
      "000d 0021 000c 0022 0003 00000000",
    "08 00000003 0002 'ks'",
    "10 00000004 0002 abcd 0002 beef 00000001 00000002 00000002 0001 0000 0001 'k' 0001 't' 0001 'b' 000d " ..
      "0001 'a' 000c " ..
      "00000001 00000001 0001 'k' 0001 't' 0001 'v' 0022 0003",
    "08 00000005 0007 'CREATED' 0005 'TABLE' 0002 'ks' 0001 't'",
    "88 0e 00112233445566778899aabbccddeeff 0001 0001 'w' 0001 0001 'k' 00000001 ff 00000001",
    "09 00001000 0002 'no' 0006 00000002 00000001",
    "11 00001300 0001 'f' 0002 00000001 00000002 00000001 04 00000000 0000 00",
    "11 00001500 0001 'f' 0002 00000001 00000002 00000001 04 00000000 0000 0005 'BATCH'",
    "09 00001100 0001 't' 0001 00000000 00000001 0006 'SIMPLE'",
    "09 00002400 0001 'e' 0002 'ks' 0000",
    "09 00002500 0001 'p' 0004 deadbeef",
    "0a 000d 'STATUS_CHANGE' 0002 'UP' 04 7f000001 00002352",
    "0a 000f 'TOPOLOGY_CHANGE' 0008 'NEW_NODE' 10 00000000000000000000000000000001 00002352",
    "0a 000d 'SCHEMA_CHANGE' 0007 'UPDATED' 0004 'TYPE' 0002 'ks' 0001 'u'",
    "0b 0001 000b 'COMPRESSION' 0002 0003 'lz4' 0006 'snappy'",
    "0c 0003 'a.B'",
    "0d ffffffff",
  },
  request = {
    "00 00000001 'Q' 0006 7f 0002 0001 'a' 00000004 00000007 0001 'b' ffffffff 00001388 00000002 abcd 0009 " ..
      "0005d0f1e2c3b4a5",
    "10 00000001 'Q' 0006 000001ff 0001 0001 'a' fffffffe 00001388 00000002 abcd 0009 0005d0f1e2c3b4a5 0002 " ..
      "'ks' 00000001",
    "09 0004 deadbeef 0001 03 0001 00000004 0000002a",
    "11 0004 deadbeef 0002 cafe 0001 00000003 0001 00000004 0000002a",
    "12 00000008 'SELECT 1' 00000001 0002 'ks'",
    "0b 0001 000b 'CQL_VERSION' 0005 '3.0.0'",
    "0c 0002 000f 'TOPOLOGY_CHANGE' 000d 'STATUS_CHANGE'",
    "0d 00000008 00 'user' 00 'pw'",
    "06 01 0002 00 00000001 'Q' 0001 00000001 07 01 0002 beef 0001 ffffffff 0006 30 0009 0005d0f1e2c3b4a5",
    "16 02 0001 01 0002 beef 0000 0006 000000b0 0009 0005d0f1e2c3b4a5 0002 'ks'",
    "88 0001 0001 'k' 00000001 ff 00000001 'Q' 0001 00",
  },
  type_text = {
    "27 'TupleType()' 27", "'frozen<tuple<>>'",
    "'int'", "'map<text, frozen<list<int>>>'", "'tuple<int, uuid, set<blob>>'", "27 'a.b.C' 27",
    "'frozen<map<varchar,list<timeuuid>>>'", "'list<duration>'", "'list<date> '",
    "'vector<float, 3>'", "'vector<frozen<tuple<int,text>>,2>'", "27 'ListType(VectorType(Int32Type , 7))' 27",
    "27 'org.apache.cassandra.db.marshal.UserType(ks,61,62:FrozenType(SetType(UTF8Type)))' 27",
  },
  value = {
    "00", "0080", "ff7f", "008000000000000000", "ff54ab567314e0f52e", "'-12345678901234567890'", "00000002ff6a",
    "'-1.50'", "fffffffd0f", "'15E+3'", "'.5e-10'", "020406", "f0fffffffef0fffffffefffffffffffffffffe",
    "'000000000000000000001'",
  },
  compress = {
    "11 20 0000000a 'P' 'hello'", "40 ff 05 10 'hello'", "43 00 'moonpool moonpool moonpool moonpool'",
    "42 00 'moonpool moonpool moonpool moonpool'", "45 40 16 61 01 00 0f 50 6161616161", "f1 ff 0ee6b280 f0ffff",
    "f0 ff 80e59a77 f0ffff", "11 00 00000000", "05 10",
    "05 10 26 06 0000005d 0000000000", "15 ff 1f6101 00ffffffffff5061616161 61",
    "05 28 1f 61 0000 10 50 6263646566", "01 29 00000029 1f 61 0000 10 50 6263646566",
  },
  classify = {
    "'SELECT a FROM t WHERE k = ?'", "'UPDATE t SET n = n + 1 WHERE k = 1'", "'update t set l = ? + l where k = ?'",
    "'INSERT INTO t (k, v) VALUES (?, now()) IF NOT EXISTS'", "'BEGIN COUNTER BATCH UPDATE t SET n -= 1 APPLY BATCH'",
    "'/* SELECT */ ' 2d2d ' x' 0a 'DELETE m[' 27 'a' 27 27 '' 27 '] FROM t WHERE k IN (1, 2)'", "'USE ' 22 'Ks' 22",
    "'SELECT JSON * FROM t; SELECT 1'", "24 24 'SELECT' 24 24", "'INSERT INTO t JSON ' 27 '{' 27 ' USING TTL 5'",
    "27", "'/*'", "'select uuid(), 0xff, 1e-5 from t where token(k) > ?'", "ff 00 'SELECT' 80",
  },
  client = {
    "01 00 00 a0 00 a1 00 00", -- v4: OPTIONS, STARTUP, a request
    "02 00 00 a0 00 a0 a1 00 00", -- v5, in segments
    "8c 00 00 00 00 00 a0 00", -- with a keyspace, compression and events
    "11 00 41 02 00 06 0004 'a.B' 40 07 00 04 ffffffff", -- a login
    "01 00 00 a0 a0 a0 40 14 00 04 00000001 c0 c1 00 00", -- on another stream; abandoned
    "01 00 00 a0 70 84", "01 00 00 d8 00", "01 00 00 a0 e2 00", "01 ff ff", "01 00 00 ff ff ff",
    "01 78 'HTTP/1.1 4'", "00 00 00 a0 a0 40 05 00 0a 000d 'STATUS_C'", "02 00 00 a0 7a 00000000 00000000 00",
    "01 00 40 80 00 08 00000000 0002 'no'", "01 40 03 00 10 0001 000b 'COMPRESSION' 0001 0003 'lz4' 00 a0 00",
    "41 00 00 40 04 00 20 00000002 00000001 00000001 0002 'ks' 0001 't' 0001 'c' 000d 00000001 00000001 'x'",
  },
  configuration = {
    "00", "03 00 01 00 06 08 01 02 00 04 09 00 02 01 03 05 'hello'", "08 01 01 08 03 00 04 02 00 05 03 01 00 07",
    "05 00 00 07 02 00 04 00 05 02 01 08 04 01 02 03 04 05 06 07 08", "02 02 01 06 04 01 01 04 04 03 02 02 01 05",
    "07 05 01 03 00 01 02 02 01 01 03 00 01 04 04 01 05 05 01 06 06 01 07 07 01 'xyz'", "04 02 09 02 06 10 02 06 06",
    "72 fb 74 75 6c 6f 77 72 65 75 74 ff ff fa ff ff ff",
  },
  control = {
    "'{' 22 'verb' 22 ':' 22 'health' 22 '}'", "'{' 22 'verb' 22 ':' 22 'stats' 22 ',' 22 'pool' 22 ':1}'",
    "'{' 22 'verb' 22 ':' 22 'rollback' 22 ',' 22 'argument' 22 ':' 22 'balance' 22 '}'",
    "'{' 22 'verb' 22 ':' 22 'explain' 22 ',' 22 'argument' 22 ':' 22 '{}' 22 '}'",
    "'{' 22 'verb' 22 ':' 22 'events' 22 ',' 22 'argument' 22 ':' 22 '1' 22 '}'",
    "'{' 22 'verb' 22 ':' 22 'pause' 22 ',' 22 'argument' 22 ':' 22 '127.0.0.1' 22 '}'",
    "'[[[1e999,-0,null,true]]]'", "'{' 22 'verb' 22 ':' 22 5c 'ud800' 22 '}'", "ff fe 00", "'{' 22 'verb' 22 ':{'",
    "'{' 22 'verb' 22 ':' 22 'overview' 22 ',' 22 'argument' 22 ':' 22 '0' 22 '}'",
  },
  policy = {
    "00 01 00 01 02 03 08 00 00", "00 02 00 00 02 03 03 00 04 01 01 00 00 00", "01 00 02 00 10 01 00 05",
    "02 00 01 01 00 20", "03 01 00 00 02 01 03 08 01 00 09 01", "04 01 00 03 02 00 18 02 00 1b 02 03 'why'",
    "00 04 00 09 01 02 03 'dc1' 00 01 01 00 1b 00 08 01 03 02 00 0a 02 02 'a1' 00",
    "01 01 01 02 02 05 'hello' 03 00 10 01 04 04 00 11",
    "d1 d1 00 01 00 01 02 2c 65 01 01 01 65 01 03 ff 08 00 00 fb ff",
  },
  tls = {
    "00 ff", "01 ff", "02 ff 00 00 00 00", "03 00 01 05 ff", "04 10 00 00 01 40 80", "05 20 00 00 00 00 11 80 01",
    "01 ff 02 03", "00 ff 03 10 05 15 0301 0002 02 28", "01 40 00 00 03 00 04 17030300",
    "07 ff 00 00 00 00 00 00 21 10 40",
  },
}

local root = arg and arg[0] and arg[0]:find "seeds%.lua$" and arg[1]
if not root then return seeds end -- read by a spec
for target, list in pairs(seeds) do
  local folder = root .. "/" .. target
  assert(os.execute("mkdir -p '" .. folder .. "'") == 0)
  for i, seed in ipairs(list) do
    local file = assert(io.open(string.format("%s/%03d", folder, i), "wb"))
    file:write(hex.of(seed))
    file:close()
  end
end
