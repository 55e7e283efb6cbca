-- SPDX-License-Identifier: Apache-2.0
-- Answers that arrive with a byte turned round, at any place, where the protocol has no checksum (v3, v4): a pool in
-- Lua asks, prepares, pages and reads every value of every row. Whatever comes is rows or an error; nothing raises but
-- pool:rows(), which says so; and when the bytes are right again, so are the answers.
local moonpool = require "moonpool"
local random = require "spec.hunt.random"
local support = require "spec.support.world"

local answers = { suite = 12 }

local TABLE = [[CREATE TABLE ks.t (k int PRIMARY KEY, a text, b list<int>, c map<text, uuid>, d set<bigint>,
  e timestamp, f inet, g varint, h decimal, i duration, j boolean, l double, m blob, n list<frozen<map<int, text>>>)]]
local INSERT = [[INSERT INTO ks.t (k, a, b, c, d, e, f, g, h, j, l, m, n) VALUES (%d, 'text %d', [1, 2, 3],
  {'x': 123e4567-e89b-12d3-a456-426614174000}, {1, 2, 9000000000}, '2024-01-01', '10.0.0.1', 123456789012345678901234,
  1.25, true, 2.5, 0x0102, [{1: 'one'}])]]

-- Everything that can be read of a value is read.
local function touch(value)
  if type(value) == "table" then
    for key, item in pairs(value) do
      touch(key)
      touch(item)
    end
  end
  return tostring(value)
end

local function ask(pool, r, statements)
  local kind, k = r.below(5), r.below(8)
  local result, err
  if kind == 0 then
    local writes = r.chance(2)
    result, err = pool:prepare(writes and "UPDATE ks.t SET a = ? WHERE k = ?" or "SELECT * FROM ks.t WHERE k = ?")
    if result then statements[#statements + 1] = { result, writes and { a = "x", k = k } or { k = k } } end
  elseif kind == 1 and #statements > 0 then
    local chosen = r.pick(statements)
    result, err = pool:execute(chosen[1], chosen[2], { isIdempotent = true })
  elseif kind == 2 then
    local ok, why = pcall(function()
      for row in pool:rows("SELECT * FROM ks.t", nil, { fetchSize = 2 }) do touch(row) end
    end)
    result, err = ok or nil, why
  elseif kind == 3 then
    result, err = pool:executeAsync("SELECT a, b, c FROM ks.t WHERE k = ?", { k }):wait()
  else
    local cql = r.pick { "SELECT * FROM ks.t", "SELECT count(*) FROM ks.t", "SELECT k, n FROM ks.t" }
    result, err = pool:execute(cql, nil, { prepare = r.chance(2), traceQuery = r.chance(4) })
  end
  assert(result ~= nil or err ~= nil, "neither an answer nor an error")
  touch(result)
  if type(result) == "table" then touch(result.rows) end
  tostring(err)
end

function answers.run(seed)
  local r = random.new(seed)
  support.run({ seed = seed }, function(world)
    world:schema(TABLE)
    local writer = world:pool()
    for k = 0, 7 do assert(writer:execute(INSERT:format(k, k), nil, { consistency = "ALL", prepare = false })) end
    local pool = world:pool { protocolVersion = r.pick { 3, 4 } }
    local statements = {}
    for _ = 1, 6 do
      for _ = 1, 3 do
        world.cluster:rule { corrupt = 9 + r.below(r.pick { 12, 80, 600 }), times = 1 + r.below(3), skip = r.below(3),
          opcode = r.pick { "QUERY", "EXECUTE", "PREPARE" } }
      end
      for _ = 1, 4 do
        local ok, why = pcall(ask, pool, r, statements)
        -- A statement whose description arrived wrong takes parameters that nobody can know.
        assert(ok or type(why) == "table" or why:find "parameter", why)
      end
    end
    world:healed(pool, 20000)
    local row = assert(pool:execute("SELECT a FROM ks.t WHERE k = 3", nil, { prepare = false })):first()
    assert(row.a == "text 3" or row.a == "x", "an answer is wrong although the bytes are right: " .. tostring(row.a))
    moonpool.sleep(2000)
  end)
end

return answers
