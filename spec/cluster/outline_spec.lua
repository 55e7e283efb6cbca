-- SPDX-License-Identifier: Apache-2.0
-- A statement as the log may show it: without anybody's data.
local C = require "spec.support.c"
local ffi = require "ffi"
local random_of = require("spec.support.world").random

local function outline(cql)
  local out = ffi.new "char[240]"
  C.mp_outline(ffi.new("struct mp_str", { data = cql, len = #cql }), out)
  return ffi.string(out)
end

describe("the outline of a statement", function()
  for _, case in ipairs {
    { "SELECT name FROM users WHERE id = ?", "SELECT name FROM users WHERE id = ?" },
    { "SELECT  *\n FROM t WHERE k='x' AND n=17", "SELECT * FROM t WHERE k=? AND n=?" },
    { "INSERT INTO t (a, b) VALUES ('it''s', 0xff) USING TTL 60", "INSERT INTO t (a, b) VALUES (?, ?) USING TTL ?" },
    { "UPDATE t SET b = TRUE, d = false WHERE k = $$dollars$$", "UPDATE t SET b = ?, d = ? WHERE k = ?" },
    { "INSERT INTO t JSON '{\"a\":1}'", "INSERT INTO t JSON ?" },
    { "SELECT a FROM t WHERE u = 5b6962dd-3f90-4c93-8f61-eabfa4a803e2 AND l = [1, 2.5e3]",
      "SELECT a FROM t WHERE u = ? AND l = [?, ?]" },
    { "CREATE ROLE ana WITH PASSWORD = 'CANARY' AND LOGIN = true", "CREATE ROLE ana WITH PASSWORD = ? AND LOGIN = ?" },
    { "ALTER USER ana WITH PASSWORD CANARY", "ALTER USER ana WITH PASSWORD ?" },
    { 'ALTER USER ana WITH HASHED PASSWORD "CANARY" SUPERUSER', 'ALTER USER ana WITH HASHED ? ? SUPERUSER' },
    { "SELECT a -- 'CANARY'\nFROM t /* 12 */", "SELECT a FROM t" },
    { "SELECT 'CANARY", "SELECT ?" },
    { "", "" },
  } do
    it("of " .. case[1]:gsub("\n", " "):sub(1, 60) .. " is " .. case[2]:sub(1, 40), function()
      assert.equal(case[2], outline(case[1]))
    end)
  end

  it("ends when it is long", function()
    local text = outline("SELECT " .. ("name, "):rep(200) .. "x FROM t")
    assert.is_true(#text < 240)
    assert.matches("%.%.%.$", text)
    assert.equal("...", outline(("x"):rep(5000)))
  end)

  it("never holds a constant, however they stand", function()
    local random = random_of(5)
    local constants = { "'CANARY'", "'it''s CANARY'", "$$CANARY$$", "0x0CA9A5", "4711", "-4711.5e3",
      "5b6962dd-3f90-4c93-8f61-eabfa4711003", "true" }
    local around = { "SELECT", "(", ")", ",", "=", "x", '"Name"', "\n", "?", ":v", ";", "-- c\n", "/* c */", "[", "}" }
    for _ = 1, 3000 do
      local parts = {}
      for i = 1, random(14) do
        parts[i] = random(3) == 0 and constants[random(#constants) + 1] or around[random(#around) + 1]
      end
      local text = table.concat(parts, " ") .. (random(8) == 0 and " 'CANARY" or "")
      local found = outline(text)
      assert.is_nil(found:find "CANARY", text)
      assert.is_nil(found:find("%f[%w_]4711"), text .. " -> " .. found)
      assert.is_nil(found:find "%c", text)
    end
  end)
end)
