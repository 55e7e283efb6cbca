-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local breaks = require "spec.support.faults.breaks"

local READ, IDEMPOTENT, UNSAFE, FRAGILE = 0, 1, 2, 3

-- The whole gate, cell by cell: retries allowed for a read, an idempotent write, an unsafe write, and a counter update
-- or lightweight transaction. "+" behind a number: may have been applied. "!": only on another host.
local M = 16
local gate = {
  NOT_SENT                = { { M }, { M }, { M }, { M } },
  PART_SENT               = { { M }, { M }, { M }, { M } },
  LOST                    = { { M }, { M, "+" }, { 0, "+" }, { 0, "+" } },
  TIMEOUT                 = { { M }, { M, "+" }, { 0, "+" }, { 0, "+" } },
  UNPREPARED              = { { 2 }, { 2 }, { 2 }, { 2 } },
  IS_BOOTSTRAPPING        = { { M, "!" }, { M, "!" }, { M, "!" }, { M, "!" } },
  UNAVAILABLE             = { { 1, "!" }, { 1, "!" }, { 1, "!" }, { 0, "+" } },
  OVERLOADED              = { { 3 }, { 3, "+" }, { 0, "+" }, { 0, "+" } },
  SERVER_ERROR            = { { 3 }, { 3, "+" }, { 0, "+" }, { 0, "+" } },
  TRUNCATE_ERROR          = { { 3 }, { 3, "+" }, { 0, "+" }, { 0, "+" } },
  FUNCTION_FAILURE        = { { 3 }, { 3, "+" }, { 0, "+" }, { 0, "+" } },
  READ_TIMEOUT            = { { 1 }, { 1, "+" }, { 0, "+" }, { 0, "+" } },
  READ_FAILURE            = { { 1 }, { 1, "+" }, { 0, "+" }, { 0, "+" } },
  WRITE_TIMEOUT           = { { 0 }, { 3, "+" }, { 0, "+" }, { 0, "+" } },
  WRITE_TIMEOUT_BATCH_LOG = { { 0 }, { 1, "+" }, { 0, "+" }, { 0, "+" } },
  WRITE_FAILURE           = { { 0 }, { 3, "+" }, { 0, "+" }, { 0, "+" } },
  CDC_WRITE_FAILURE       = { { 0 }, { 3, "+" }, { 0, "+" }, { 0, "+" } },
  CAS_WRITE_UNKNOWN       = { { 0 }, { 3, "+" }, { 0, "+" }, { 0, "+" } },
  SYNTAX_ERROR            = { { 0 }, { 0 }, { 0 }, { 0 } },
  UNAUTHORIZED            = { { 0 }, { 0 }, { 0 }, { 0 } },
  INVALID                 = { { 0 }, { 0 }, { 0 }, { 0 } },
  CONFIG_ERROR            = { { 0 }, { 0 }, { 0 }, { 0 } },
  ALREADY_EXISTS          = { { 0 }, { 0 }, { 0 }, { 0 } },
  BAD_CREDENTIALS         = { { 0 }, { 0 }, { 0 }, { 0 } },
  PROTOCOL_ERROR          = { { 0 }, { 0, "+" }, { 0, "+" }, { 0, "+" } },
  UNKNOWN_CODE            = { { 0 }, { 0, "+" }, { 0, "+" }, { 0, "+" } },
}
local columns = { [0] = "a read", "an idempotent write", "an unsafe write", "a counter update or LWT" }

describe("the replay gate", function()
  local ffi = require "ffi"

  for outcome = 0, tonumber(C.MP_OUTCOME_COUNT) - 1 do
    local name = ffi.string(C.mp_replay_outcome_name(outcome))
    it("has a row for " .. name, function()
      assert.is_table(gate[name])
    end)
    for class = READ, FRAGILE do
      it("after " .. name .. " of " .. columns[class], function()
        local want, rule = gate[name][class + 1], C.mp_replay_rule(outcome, class)
        assert.equal(want[1], rule.most)
        assert.equal(want[2] == "+", rule.maybe_applied)
        assert.equal(want[2] == "!", rule.next_host_only)
      end)
    end
  end

  it("has a name for each row, and none beyond them", function()
    assert.equal("?", ffi.string(C.mp_replay_outcome_name(C.MP_OUTCOME_COUNT)))
    assert.is_true(breaks(C.mp_replay_rule, C.MP_OUTCOME_COUNT, READ))
    assert.is_true(breaks(C.mp_replay_rule, C.MP_OUTCOME_LOST, FRAGILE + 1))
    assert.is_false(breaks(C.mp_replay_rule, C.MP_OUTCOME_COUNT - 1, FRAGILE))
  end)

  it("never lets an unsafe write go again once a node may have it", function()
    for outcome = 0, tonumber(C.MP_OUTCOME_COUNT) - 1 do
      for class = UNSAFE, FRAGILE do
        local rule = C.mp_replay_rule(outcome, class)
        assert.is_false(rule.maybe_applied and rule.most > 0)
      end
    end
  end)

  it("knows every server error, and takes unknown codes for the worst", function()
    local codes = {
      [0x0000] = "SERVER_ERROR", [0x000a] = "PROTOCOL_ERROR", [0x0100] = "BAD_CREDENTIALS", [0x1000] = "UNAVAILABLE",
      [0x1001] = "OVERLOADED", [0x1002] = "IS_BOOTSTRAPPING", [0x1003] = "TRUNCATE_ERROR", [0x1100] = "WRITE_TIMEOUT",
      [0x1200] = "READ_TIMEOUT", [0x1300] = "READ_FAILURE", [0x1400] = "FUNCTION_FAILURE", [0x1500] = "WRITE_FAILURE",
      [0x1600] = "CDC_WRITE_FAILURE", [0x1700] = "CAS_WRITE_UNKNOWN", [0x2000] = "SYNTAX_ERROR",
      [0x2100] = "UNAUTHORIZED", [0x2200] = "INVALID", [0x2300] = "CONFIG_ERROR", [0x2400] = "ALREADY_EXISTS",
      [0x2500] = "UNPREPARED", [0x7777] = "UNKNOWN_CODE", [-1] = "UNKNOWN_CODE",
    }
    for code, name in pairs(codes) do
      local outcome = C.mp_replay_outcome_of_error(code, C.MP_WRITE_SIMPLE)
      assert.equal(name, ffi.string(C.mp_replay_outcome_name(outcome)))
    end
    local outcome = C.mp_replay_outcome_of_error(0x1100, C.MP_WRITE_BATCH_LOG)
    assert.equal("WRITE_TIMEOUT_BATCH_LOG", ffi.string(C.mp_replay_outcome_name(outcome)))
  end)

  it("reads a lost connection by what the kernel took", function()
    assert.equal(C.MP_OUTCOME_NOT_SENT, C.mp_replay_outcome_of_loss(C.MP_SENT_NOTHING))
    assert.equal(C.MP_OUTCOME_PART_SENT, C.mp_replay_outcome_of_loss(C.MP_SENT_PART))
    assert.equal(C.MP_OUTCOME_LOST, C.mp_replay_outcome_of_loss(C.MP_SENT_WHOLE))
  end)
end)

describe("the reader of statements", function()
  local function read(cql, markers) return C.mp_statement_read(cql, #cql, markers or C.MP_MARKERS_UNKNOWN) end
  local function class(cql, idempotent, markers)
    return tonumber(C.mp_statement_class(read(cql, markers), idempotent or false))
  end
  local function plain(cql) return read(cql).is_plain end

  it("finds reads behind comments and white space", function()
    for _, cql in ipairs { "SELECT * FROM t", "  select a from t", "-- SELECT\nSELECT 1", "/* x */ SELECT a FROM t",
      "// note\n\tSelect a FROM t" } do
      assert.equal(READ, class(cql), cql)
    end
  end)

  it("takes a write for unsafe unless its caller says otherwise", function()
    for _, cql in ipairs { "INSERT INTO t (a) VALUES (?)", "DELETE FROM t WHERE a = 1",
      "UPDATE t SET a = 1 WHERE k = 2",
      "UPDATE t SET l = l + [1] WHERE k = 2", "UPDATE t SET s = s + {1} WHERE k = 2", "TRUNCATE t",
      "UPDATE t SET l = [1] + l WHERE k = 2", "UPDATE t SET a = 'x + y' WHERE k = 1" } do
      assert.equal(UNSAFE, class(cql), cql)
      assert.equal(IDEMPOTENT, class(cql, true), cql)
    end
  end)

  it("finds lightweight transactions, whatever their caller says", function()
    for _, cql in ipairs { "INSERT INTO t (a) VALUES (1) IF NOT EXISTS", "UPDATE t SET a = 1 WHERE k = 2 IF a = 0",
      "DELETE FROM t WHERE k = 1 if exists", "BEGIN BATCH UPDATE t SET a=1 WHERE k=1 IF a=0; APPLY BATCH",
      "UPDATE t SET a = 'IF' WHERE k = 1 IF /* really */ EXISTS" } do
      assert.equal(FRAGILE, class(cql, true), cql)
    end
    assert.equal(IDEMPOTENT, class("INSERT INTO t (a) VALUES ('IF NOT EXISTS')", true))
    assert.equal(IDEMPOTENT, class('INSERT INTO t ("IF") VALUES (1)', true))
  end)

  it("takes what may be a counter update for one", function()
    for _, cql in ipairs { "UPDATE t SET c = c + 1 WHERE k = 1", "UPDATE t SET c=c-? WHERE k = 1",
      "UPDATE t SET c += 1",
      'UPDATE t SET "c" = "c" + :n WHERE k = 1', "BEGIN COUNTER BATCH UPDATE t SET c = c + 1; APPLY BATCH" } do
      assert.equal(FRAGILE, class(cql, true), cql)
    end
  end)

  it("knows each form of a counter update", function()
    for _, sum in ipairs { "n -= 1", "n -=?", "n += -1", "n = n -1", "n=n-1", "n = 5 + n", "n = ? + n", "n = -1 + n",
      "n = (int) 5 + n", "n = n - (bigint)?", "n += f(x)", '"n"-=1', "n = n /* [ */ - 1", "n = n +\r1", "n = -n",
      "a = 1, n -= 1", "m = m + {1}, n = n - 1", "n = n + 1 + 2", "n = n * 2 - 1", "n += (n", "n = [1] + (n",
        "n = n - m",
      "l = [1] + l, n -= :n" } do
      local cql = "UPDATE t SET " .. sum .. " WHERE k = 1"
      assert.equal(FRAGILE, class(cql, true), cql)
      assert.equal(FRAGILE, class("BEGIN UNLOGGED BATCH INSERT INTO t (a) VALUES (1); " .. cql .. " APPLY BATCH", true))
    end
  end)

  it("takes no number, uuid, duration or collection for one", function()
    for _, sum in ipairs { "a = 5 - 3", "a = 1e-5", "a = 550e8400-e29b-41d4-a716-446655440000", "counter = 1",
      "a = ? + 1d",
      "a = c50e8400-e29b-41d4-a716-446655440000", "a = -1", "l += [1]", "s -= {1}", "m += {'a': 1 - 2}", "u.f = 1",
      "l[0] = 5 - 1", "a = now() - 5d", "a = -?, b = NaN", '"a-=1" = 1', "a = (1, 2)" } do
      local cql = "UPDATE t SET " .. sum .. " WHERE k = 1"
      assert.equal(IDEMPOTENT, class(cql, true), cql)
    end
  end)

  it("ends a comment where Cassandra does", function()
    assert.equal(FRAGILE, class("UPDATE t SET a = 1 -- x\r WHERE k = 1 IF EXISTS", true))
    assert.equal(FRAGILE, class("UPDATE t SET a = 1 // x\r, n -= 1 WHERE k = 1", true))
    assert.equal(IDEMPOTENT, class("UPDATE t SET a = 1 WHERE k = 1 -- IF EXISTS", true))
    assert.equal(IDEMPOTENT, class("UPDATE t SET a = 1 WHERE k = 1 /* IF EXISTS", true))
    assert.is_false(plain "UPDATE t SET a = -- x\r now() WHERE k = 1")
    assert.is_true(C.mp_statement_read("-- x\rUSE ks", 11, C.MP_MARKERS_UNKNOWN).is_use)
  end)

  it("trusts no caller about what it does not know", function()
    for _, cql in ipairs { "SELECT a FROM t; UPDATE t SET n = 1 WHERE k = 1",
      "UPDATE t SET a = 1 WHERE k = 1; TRUNCATE t",
      "SELECT a FROM t;; SELECT b FROM t", "(SELECT a FROM t)", "'x'" } do
      assert.equal(UNSAFE, class(cql, true), cql)
    end
    assert.equal(READ, class("SELECT a FROM t ; ; -- the end"))
    assert.equal(READ, class("SELECT ';' FROM t"))
    assert.equal(FRAGILE, class("BEGIN TRANSACTION UPDATE t SET a = 1 WHERE k = 1; COMMIT TRANSACTION", true))
  end)

  it("knows that a place in a list, and a function of the user's, may give another thing each time", function()
    for _, cql in ipairs { "UPDATE t SET l[0] = 1 WHERE k = 1", "DELETE l[?] FROM t WHERE k = 1",
      "UPDATE t SET a = mine(1)",
      "INSERT INTO t (a) VALUES (ks.mine(?))", 'UPDATE t SET a = "toDate"(?) WHERE k = 1',
        "DELETE FROM t WHERE a = now()",
      "BEGIN BATCH INSERT INTO t JSON ?; UPDATE t SET a = now() WHERE k = 1 APPLY BATCH" } do
      assert.is_false(plain(cql), cql)
    end
    assert.is_false(plain "UPDATE t SET l = l + {1} + [2] WHERE k = 1")
    for _, cql in ipairs { "UPDATE t SET m['a'] = 1 WHERE k = 1", "DELETE m['a'] FROM t WHERE k IN (1, 2)",
      "INSERT INTO ks.now (a) VALUES (?)", "DELETE FROM t WHERE k = 1 AND (a, b) IN ((1, 2))",
        "UPDATE t SET a = -1" } do
      assert.is_true(plain(cql), cql)
    end
  end)

  it("reads a text once, however it is made", function()
    for _, piece in ipairs { "=(", "=", "a=a+", "(", "[", "a[", "f(", "'", '"', "$$", "/*", "--\n", ":", "a.", "; " } do
      local cql = "UPDATE t SET " .. piece:rep(100000)
      class(cql, true) -- in the square of its length it would take minutes
    end
  end)

  it("lets prepared metadata settle the doubt", function()
    assert.equal(IDEMPOTENT, class("UPDATE t SET l = l + ? WHERE k = 1", true, C.MP_MARKERS_NO_COUNTER))
    assert.equal(UNSAFE, class("UPDATE t SET l = l + ? WHERE k = 1", false, C.MP_MARKERS_NO_COUNTER))
    assert.equal(FRAGILE, class("UPDATE t SET l = l + ? WHERE k = 1", false, C.MP_MARKERS_COUNTER))
  end)

  it("takes schema statements with IF NOT EXISTS for plain ones", function()
    assert.equal(UNSAFE, class "CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)")
    assert.equal(IDEMPOTENT, class("CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)", true))
  end)

  it("knows what may run twice at the same time", function()
    for _, cql in ipairs { "SELECT now() FROM t", "/* x */ select l + 1 from t", "INSERT INTO t (a) VALUES (?)",
      "INSERT INTO t (uuid, now) VALUES (1, 2)", "UPDATE t SET a = 'now()' WHERE k = 1", "DELETE FROM t WHERE k = ?",
      "UPDATE t SET s = s + {1} WHERE k = 1", "UPDATE t SET l = l - [1] WHERE k = 1", "UPDATE t SET a = -1 WHERE k = 1",
      "BEGIN BATCH INSERT INTO t (a) VALUES (1); APPLY BATCH", "INSERT INTO t (a) VALUES (toTimestamp(?))",
      "INSERT INTO t (a) VALUES ('a + b') -- now()\n", 'UPDATE t SET "a+b" = 1 WHERE k = 1' } do
      assert.is_true(plain(cql), cql)
    end
    for _, cql in ipairs { "INSERT INTO t (a) VALUES (now())", "insert into t (a) values (NOW ( ))",
      "UPDATE t SET a = uuid/* */() WHERE k = 1", "INSERT INTO t (a) VALUES (toTimestamp(now()))",
      "INSERT INTO t (a) VALUES (system.now())", 'INSERT INTO t (a) VALUES ("now"())',
      'INSERT INTO t (a) VALUES (system."uuid"())', "UPDATE t SET a = currentTimestamp() WHERE k = 1",
      "DELETE FROM t WHERE k = current_date()", "BEGIN BATCH INSERT INTO t (a) VALUES (uuid()); APPLY BATCH",
      "UPDATE t SET l = l + [1] WHERE k = 1", "UPDATE t SET l = [1] + l WHERE k = 1",
      "UPDATE t SET l = l + ? WHERE k = 1",
      "UPDATE t SET l += ? WHERE k = 1", "CREATE TABLE t (k int PRIMARY KEY)", "TRUNCATE t", "USE ks", "GRANT a TO b",
      "", "'SELECT'", "(SELECT a FROM t)", "/*" } do
      assert.is_false(plain(cql), cql)
    end
  end)

  it("judges a sum that is written short as the one that is written out", function()
    for _, sign in ipairs { "+", "-" } do
      for _, value in ipairs { "[1]", "[1, 2]", "{1}", "{'a': 1}", "?", ":x", "5", "-5", "now()", "1d", "'x'", "NULL",
        "(1)", "[1] + {2}", "{1} - [2]", "f(x)" } do
        local short = ("UPDATE t SET a = 1, x %s= %s, b = 2 WHERE k = 1"):format(sign, value)
        local long = ("UPDATE t SET a = 1, x = x %s %s, b = 2 WHERE k = 1"):format(sign, value)
        assert.equal(plain(long), plain(short), short)
        assert.equal(class(long, true), class(short, true), short)
      end
    end
    assert.is_true(plain "UPDATE t SET l -= [1] WHERE k = 1")
    assert.is_true(plain "UPDATE t SET s += {1} WHERE k = 1")
    assert.is_false(plain "UPDATE t SET l += [1] WHERE k = 1")
  end)

  it("believes those functions only that it knows, and no other of like names", function()
    for _, name in ipairs { "token", "textAsBlob", "intasblob", "TEXT_AS_BLOB", "blobAsInt", "blob_as_text", "cast",
      "toDate", "to_timestamp", "toJson", "minTimeuuid", "abs", "log10", "round" } do
      assert.is_true(plain("INSERT INTO t (a) VALUES (" .. name .. "(?))"), name)
    end
    for _, name in ipairs { "asBlob", "as_blob", "blobAs", "blob_as", "blobA", "asBlobs", "xblobAsInt", "b",
      "tokens", "toke", "todat", "log1", "log100", "mine", '"token"', "ks.mine", "now", "uuid" } do
      assert.is_false(plain("INSERT INTO t (a) VALUES (" .. name .. "(?))"), name)
    end
  end)

  it("takes a parameter for one, whether it is a mark or a name", function()
    for _, cql in ipairs { "UPDATE t SET l = l + ? WHERE k = ?", "UPDATE t SET c = c + ? WHERE k = ?",
      "UPDATE t SET c = ? + c WHERE k = ?", "UPDATE t SET c += ? WHERE k = ?",
      "UPDATE t SET a = ?, b = b - ? WHERE k = 1", "UPDATE t SET a = ? WHERE k = ? IF v = ?",
      "INSERT INTO t (a, b) VALUES (?, ?)", "UPDATE t SET m[?] = ? WHERE k = 1",
      "INSERT INTO t (a) VALUES (toDate(?))", "INSERT INTO t (a) VALUES (mine(?))",
      "UPDATE t SET s = s + {?} WHERE k = 1", "UPDATE t SET l = [?] + l WHERE k = ?",
      "DELETE l[?] FROM t WHERE k = ?", "UPDATE t SET c = c + (?) WHERE k = 1",
      "BEGIN BATCH UPDATE t SET c = c - ? WHERE k = ?; APPLY BATCH", "UPDATE t SET c = c + -? WHERE k = ?" } do
      for _, name in ipairs { ":x", ":now", ": c", ':"q"', ":null" } do
        for _, markers in ipairs { C.MP_MARKERS_UNKNOWN, C.MP_MARKERS_COUNTER, C.MP_MARKERS_NO_COUNTER } do
          local named = cql:gsub("%?", name)
          for _, idempotent in ipairs { true, false } do
            assert.equal(class(cql, idempotent, markers), class(named, idempotent, markers), named)
          end
          assert.equal(read(cql, markers).is_plain, read(named, markers).is_plain, named)
        end
      end
    end
  end)

  it("ends on anything, and finds nothing safe in nonsense", function()
    for _, cql in ipairs { "", " ", "/*", "--", "'", "\"", "$$", "?", "=", "'SELECT'", "(SELECT", "\0SELECT" } do
      assert.equal(UNSAFE, class(cql), cql)
    end
    local seed = 42
    for _ = 1, 20000 do
      local bytes = {}
      for i = 1, 24 do
        seed = (seed * 1103515245 + 12345) % 2147483648
        bytes[i] = ("SELECT IFUPD'\"$-/*=+?:[{ \0\255"):sub(seed % 29 + 1, seed % 29 + 1)
      end
      local got = class(table.concat(bytes), false)
      assert.is_true(got >= READ and got <= FRAGILE)
    end
  end)
end)
