-- SPDX-License-Identifier: Apache-2.0
-- Random statements of the whole CQL grammar whose class is known by the way they were made, given to the reader that
-- decides what may be sent again (cluster/request/classify.c). run(seed) makes 200 of them and raises an error that
-- shows the first that was read wrongly.
local C = require "spec.support.c"
local random = require "spec.hunt.random"

local statements = {}

local UNKNOWN, NO_COUNTER, COUNTER = 0, 1, 2
local READ, IDEMPOTENT, UNSAFE, FRAGILE = 0, 1, 2, 3
local CLASSES = { [READ] = "READ", [IDEMPOTENT] = "IDEMPOTENT", [UNSAFE] = "UNSAFE", [FRAGILE] = "FRAGILE" }

-- What a statement is: lwt, counter, marked (a sum with a bind marker, whose type decides), plain; doubt: it may count
-- as
-- a counter update without being one, because a bracket stands in a sum, and who knows what that is.
local function fact()
  return { plain = true }
end

-- ---- text -------------------------------------------------------------------------------------------------
-- A statement is a list of tokens. Between two there may be anything that a lexer passes over.

local MISLEADING = { "IF EXISTS", "n = n + 1", "n -= 1", "now()", "it's", '"', "$$", "SELECT", "; UPDATE", "l[0]", "*",
  "-" }

local function comment(r)
  local text = r.pick(MISLEADING)
  local kind = r.below(4)
  if kind == 0 then return "/* " .. text .. " */" end
  return r.pick { "--", "// ", "-- " } .. text .. r.pick { "\n", "\r", "\r\n" }
end

local function blank(r)
  if r.below(12) == 0 then return comment(r) end
  return r.pick { " ", " ", " ", "\n", "\t", "  ", " \r\n" }
end

-- Two tokens that would be read as one, or as the beginning of a comment.
local function clash(left, right)
  local a, b = left:sub(-1), right:sub(1, 1)
  if a:find "[%w_]" and b:find "[%w_%.]" then return true end
  if (a == "'" and b == "'") or (a == '"' and b == '"') or a == "$" then return true end
  return (a == "-" and b == "-") or (a == "/" and (b == "/" or b == "*")) or (a == "+" and b == "=")
end

local function join(r, tokens)
  local parts = {}
  if r.below(8) == 0 then parts[1] = blank(r) end
  for i, token in ipairs(tokens) do
    parts[#parts + 1] = token
    local following = tokens[i + 1]
    local between = following and (clash(token, following) or r.below(3) > 0) and blank(r) or ""
    parts[#parts + 1] = (clash(token, between) and " " or "") .. between
  end
  return table.concat(parts)
end

local function keyword(r, word)
  local how = r.below(4)
  if how == 0 then return word:lower() end
  if how == 1 then return (word:gsub("%a", function(c) return r.below(2) == 0 and c:lower() or c end)) end
  return word
end

local function add(tokens, ...)
  for _, token in ipairs { ... } do
    if type(token) == "table" then add(tokens, unpack(token)) else tokens[#tokens + 1] = token end
  end
  return tokens
end

local function words(r, text)
  local tokens = {}
  for word in text:gmatch "%S+" do tokens[#tokens + 1] = word:find "^%u+$" and keyword(r, word) or word end
  return tokens
end

-- ---- names and terms --------------------------------------------------------------------------------------

local NAMES = { "n", "a", "counter", "key", "ttl", "json", "type", "exists", "now", "uuid", "deadbeef", "e1", "list",
  '"IF"', '"n = n + 1"', '"a""b"', '"SELECT"', '"--"', '"now"', '"COUNTER"', '"/*"', '"x+1"', '"where"', "_a",
    "batch_" }

local function name(r)
  return r.pick(NAMES)
end

local NUMBERS = { "5", "0", "1.5", "1e-5", "1E+10", "2.5e-3", "0xff", "0xe1", "12345678901234567890",
  "550e8400-e29b-41d4-a716-446655440000", "e50e8400-e29b-41d4-a716-446655440000",
  "ABCDEF00-E29B-41D4-A716-446655440000", "5d", "1y2mo", "3h30m" }
local STRINGS = { "'x'", "''", "'IF EXISTS'", "'it''s'", "'n = n + 1'", "'--'", "'/*'", "'now()'", "$$it's$$",
  "$$ -- $$",
  "$$$ 1$$", "'\"'", "';'", "'a\nb'" }
local MARKERS = { { "?" }, { ":", "n" }, { ":", "counter" }, { ":", "now" }, { ":", '"IF"' } }
local STEADY = { "toTimestamp", "TODATE", "to_unix_timestamp", "textAsBlob", "blob_as_int", "fromJson", "abs" }
local MOODY = { { "now", "(", ")" }, { "NOW", "(", ")" }, { "uuid", "(", ")" }, { "currentTimestamp", "(", ")" },
  { "current_date", "(", ")" }, { "system", ".", "now", "(", ")" }, { '"now"', "(", ")" }, { "mine", "(", "5", ")" },
  { "ks", ".", "mine", "(", ")" }, { '"Mine"', "(", "?", ")" }, { "toTimestamp", "(", "now", "(", ")", ")" },
  { "system", ".", '"uuid"', "(", ")" }, { "random_f", "(", "1", ",", "2", ")" } }

local term

local function several(r, facts, depth, open, close, pair)
  local tokens = { open }
  for i = 1, r.below(4) do
    if i > 1 then add(tokens, ",") end
    if pair then add(tokens, term(r, facts, depth - 1), ":") end
    add(tokens, term(r, facts, depth - 1))
  end
  return add(tokens, close)
end

local function whole_number(r)
  local kind = r.below(5)
  if kind == 0 then return { "-", "5" } end
  if kind == 1 then return { "(", r.pick { "int", "bigint", "counter" }, ")", "5" } end
  if kind == 2 then return { "abs", "(", "-", "5", ")" } end
  return { r.pick { "1", "5", "12345678901" } }
end

local function collection(r, facts, kind)
  if kind == "list" then return several(r, facts, 1, "[", "]") end
  return several(r, facts, 1, "{", "}", r.below(2) == 0)
end

-- Of constants, bind markers, functions and brackets. No column stands in it.
function term(r, facts, depth)
  local kind = r.below(depth > 0 and 14 or 7)
  if kind <= 1 then return { r.pick(NUMBERS) } end
  if kind == 2 then return { r.pick(STRINGS) } end
  if kind == 3 then return r.pick(MARKERS) end
  if kind == 4 then return { r.pick { "TRUE", "null", "NaN", "Infinity", "false" } } end
  if kind == 5 then return { "-", r.pick { "5", "1.5", "5d", "Infinity" } } end
  if kind == 6 then return { r.pick(STRINGS) } end
  if kind == 7 then return several(r, facts, depth, "[", "]") end
  if kind == 8 then return several(r, facts, depth, "{", "}", r.below(2) == 0) end
  if kind == 9 then return several(r, facts, depth, "(", ")") end
  if kind == 10 then
    local tokens = add({ "(", r.pick { "int", "text", "bigint" }, ")" }, term(r, facts, depth - 1))
    facts.doubt = facts.doubt or tokens[4] == "-"
    return tokens
  end
  if kind == 11 then return add({ r.pick(STEADY), "(" }, term(r, facts, depth - 1), ")") end
  if kind == 12 then
    local left, right = term(r, facts, depth - 1), term(r, facts, depth - 1)
    facts.doubt = facts.doubt or left[1] == "(" or right[1] == "("
    return add({}, left, r.pick { "+", "-", "*", "/", "%" }, right)
  end
  if r.below(3) > 0 then return { r.pick(STRINGS) } end
  facts.plain = false
  return r.pick(MOODY)
end

-- ---- clauses ----------------------------------------------------------------------------------------------

local function counter_update(r, facts)
  local n, marker = name(r), r.below(4) == 0
  local number = marker and r.pick(MARKERS) or whole_number(r)
  facts.plain = nil -- nobody asks: it is never sent twice
  if marker then facts.marked = true else facts.counter = true end
  local form = r.below(5)
  if form == 0 then return add({ n, "=", n, "+" }, number) end
  if form == 1 then return add({ n, "=", n, "-" }, number) end
  if form == 2 then return add({ n, "=" }, number, "+", n) end
  return add({ n, form == 3 and "+=" or "-=" }, number)
end

local function collection_update(r, facts)
  local n, kind = name(r), r.pick { "list", "set" }
  local marker = r.below(5) == 0
  local value = marker and r.pick(MARKERS) or collection(r, facts, kind)
  facts.marked = facts.marked or marker
  local form = r.below(5)
  local adds = form == 0 or form == 2 or form == 3
  if adds and (marker or kind == "list") and facts.plain then facts.plain = false end
  if form == 0 then return add({ n, "=", n, "+" }, value) end
  if form == 1 then return add({ n, "=", n, "-" }, value) end
  if form == 2 then return add({ n, "=" }, value, "+", n) end
  return add({ n, form == 3 and "+=" or "-=" }, value)
end

local function element(r, facts)
  local n = name(r)
  if r.below(2) == 0 then return { n, "[", r.pick { "'k'", "'IF'", "''" }, "]" } end
  if facts.plain then facts.plain = false end -- perhaps of a list
  return add({ n, "[" }, r.pick { { "0" }, { "?" }, { ":", "i" }, { "-", "1" } }, "]")
end

local function assignment(r, facts)
  local kind = r.below(10)
  if kind <= 1 then return counter_update(r, facts) end
  if kind <= 3 then return collection_update(r, facts) end
  if kind == 4 then return add({}, element(r, facts), "=", term(r, facts, 2)) end
  if kind == 5 then return add({ name(r), ".", name(r), "=" }, term(r, facts, 2)) end
  return add({ name(r), "=" }, term(r, facts, 3))
end

local function relation(r, facts)
  local kind = r.below(7)
  if kind == 0 then return add({ name(r), keyword(r, "IN") }, several(r, facts, 1, "(", ")")) end
  if kind == 1 then return { name(r), keyword(r, "IN"), "?" } end
  if kind == 2 then return add({ "(", name(r), ",", name(r), ")", ">=" }, several(r, facts, 1, "(", ")")) end
  if kind == 3 then return { "(", name(r), ",", name(r), ")", keyword(r, "IN"), "(", "(", "1", ",", "?", ")", ")" } end
  return add({ name(r), r.pick { "=", "=", "<", ">=", "<=", "!=" } }, term(r, facts, 2))
end

local function listed(r, facts, one, between)
  local tokens = one(r, facts)
  for _ = 1, r.below(3) do tokens = add({}, tokens, between, one(r, facts)) end
  return tokens
end

local function where(r, facts)
  return add({ keyword(r, "WHERE") }, listed(r, facts, relation, keyword(r, "AND")))
end

local function using(r, facts)
  if r.below(3) > 0 then return {} end
  local ttl, time = add({ keyword(r, "TTL") }, term(r, facts, 0)), add({ keyword(r, "TIMESTAMP") }, term(r, facts, 0))
  local order = r.pick { { ttl }, { time }, { ttl, keyword(r, "AND"), time }, { time, keyword(r, "AND"), ttl } }
  return add({ keyword(r, "USING") }, unpack(order))
end

local function condition(r, facts)
  if r.below(6) > 0 then return {} end
  facts.lwt = true
  if r.below(2) == 0 then return words(r, r.pick { "IF EXISTS", "IF NOT EXISTS" }) end
  return add({ keyword(r, "IF") }, listed(r, fact(), relation, keyword(r, "AND")))
end

local function table_name(r)
  return r.pick { { "t" }, { "ks", ".", "t" }, { '"T"' }, { "ks", ".", '"IF"' }, { "values_" }, { "batches" } }
end

-- ---- statements -------------------------------------------------------------------------------------------

local write = {}

function write.update(r, facts)
  return add({ keyword(r, "UPDATE") }, table_name(r), using(r, facts), keyword(r, "SET"),
    listed(r, facts, assignment, ","), where(r, facts), condition(r, facts))
end

function write.insert(r, facts)
  local tokens = add({ keyword(r, "INSERT"), keyword(r, "INTO") }, table_name(r))
  if r.below(5) == 0 then
    add(tokens, keyword(r, "JSON"), r.pick { { "'{\"a\": \"now()\"}'" }, { "?" }, { ":", "json" } },
      words(r, r.pick { "", "DEFAULT UNSET", "DEFAULT NULL" }))
  else
    add(tokens, "(", name(r), ",", name(r), ")", keyword(r, "VALUES"), several(r, facts, 3, "(", ")"))
  end
  if r.below(6) == 0 then
    facts.lwt = true
    add(tokens, words(r, "IF NOT EXISTS"))
  end
  return add(tokens, using(r, facts))
end

function write.delete(r, facts)
  local function selection(...) return r.below(2) == 0 and { name(r) } or element(...) end
  local tokens = { keyword(r, "DELETE") }
  if r.below(2) == 0 then add(tokens, listed(r, facts, selection, ",")) end
  return add(tokens, keyword(r, "FROM"), table_name(r), using(r, facts), where(r, facts), condition(r, facts))
end

local function any_write(r, facts)
  return write[r.pick { "update", "update", "insert", "delete" }](r, facts)
end

function write.batch(r, facts)
  local kind = r.pick { "", "", "UNLOGGED", "COUNTER" }
  if kind == "COUNTER" then facts.counter = true end
  local tokens = words(r, "BEGIN " .. kind .. " BATCH")
  if r.below(4) == 0 then add(tokens, words(r, "USING TIMESTAMP"), "5") end
  for _ = 1, r.below(4) do add(tokens, any_write(r, facts), r.pick { ";", ";", {} }) end
  return add(tokens, words(r, "APPLY BATCH"))
end

local function read(r)
  local facts = fact()
  local what = r.pick { { "*" }, { "a", ",", "b" }, { "now", "(", ")" }, words(r, "DISTINCT k"), words(r, "JSON *"),
    { "n", "+", "1" }, { "cast", "(", "a", "as", "int", ")" }, { "writetime", "(", "a", ")" } }
  return add({ keyword(r, "SELECT") }, what, keyword(r, "FROM"), table_name(r), r.below(2) == 0 and where(r,
    facts) or {},
    r.pick { {}, { keyword(r, "LIMIT"), "5" }, words(r, "ALLOW FILTERING"), words(r, "ORDER BY a") })
end

local OTHER = { "TRUNCATE t", "CREATE TABLE IF NOT EXISTS t ( k int PRIMARY KEY )", "DROP TABLE IF EXISTS t",
  "GRANT SELECT ON t TO r", "ALTER TABLE t ADD a int", "CREATE ROLE r WITH PASSWORD = 'IF'", "LIST ROLES" }

-- What the reader must find, for markers of unknown type and for those of which none is a counter.
local function expected(facts, markers, idempotent)
  if facts.read then return READ end
  if facts.lwt or facts.counter or markers == COUNTER then return FRAGILE end
  if facts.marked and markers == UNKNOWN then return FRAGILE end
  return idempotent and IDEMPOTENT or UNSAFE
end

local function check(text, facts)
  local function found(want, got, what)
    if want == got then return end
    error(("%s: %s instead of %s, of the statement\n%s"):format(what, tostring(got), tostring(want), text), 0)
  end
  for _, markers in ipairs { UNKNOWN, NO_COUNTER, facts.other and UNKNOWN or COUNTER } do
    local statement = C.mp_statement_read(text, #text, markers)
    for _, idempotent in ipairs { false, true } do
      local class = tonumber(C.mp_statement_class(statement, idempotent))
      if facts.doubt and class == FRAGILE then return end
      found(CLASSES[expected(facts, markers, idempotent)], CLASSES[class], "class")
    end
    found(facts.lwt or false, statement.is_lwt, "is_lwt")
    -- Without a marker's type a sum may be a counter's, and then it is nobody's question whether it may run twice.
    local asked = not (facts.lwt or facts.counter or facts.marked)
    if asked and facts.plain ~= nil then found(facts.plain, statement.is_plain, "is_plain") end
    if facts.plain == false then found(false, statement.is_plain, "is_plain") end
  end
end

function statements.one(r)
  local facts, kind = fact(), r.below(10)
  local tokens
  if kind == 0 then
    facts.read, tokens = true, read(r)
  elseif kind == 1 then
    facts.other, facts.plain, tokens = true, false, words(r, r.pick(OTHER))
  elseif kind <= 3 then
    tokens = write.batch(r, facts)
  else
    tokens = any_write(r, facts)
  end
  for _ = 1, r.below(3) do add(tokens, ";") end
  return join(r, tokens), facts
end

function statements.run(seed)
  local r = random.new(seed)
  for _ = 1, 200 do check(statements.one(r)) end
end

return statements
