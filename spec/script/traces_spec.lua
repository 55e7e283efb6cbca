-- SPDX-License-Identifier: Apache-2.0
-- Compiled code goes on when an answer has come, in an application as in nginx (spec/nginx/traces_spec.lua).
local program = require "spec.support.program"

local PROGRAM = [[
local moonpool = require "moonpool"
local watch = dofile %q
local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, logging = { level = "error" } }
assert(pool:connect())
assert(pool:execute "CREATE KEYSPACE k WITH replication = { 'class': 'SimpleStrategy', 'replication_factor': 1 }")
assert(pool:execute "CREATE TABLE k.t (id int PRIMARY KEY, name text)")
local insert, by_id = "INSERT INTO k.t (id, name) VALUES (?, ?)", "SELECT name FROM k.t WHERE id = ?"
for id = 0, 99 do assert(pool:run(insert, id, "one")) end
for name, call in pairs {
  execute = function(i) assert(pool:execute(by_id, { i %% 100 })) end,
  ["execute with options"] = function(i) assert(pool:execute(by_id, { i %% 100 }, { timeout = 30000 })) end,
  run = function(i) assert(pool:run(by_id, i %% 100)) end,
  ["run of a write"] = function(i) assert(pool:run(insert, i %% 100, "one")) end,
  batch = function(i) assert(pool:batch { { insert, { i %% 100, "one" } } }) end,
  prepare = function() assert(pool:prepare(by_id)) end,
  sleep = function() moonpool.sleep(0) end,
} do
  local ended = watch(call, 400)
  if ended ~= "" then print(name, ended) end
end
pool:close()
]]

describe("in an application, compiled code goes on", function()
  it("behind all that waits", function()
    local said, status = program.run(PROGRAM:format(MOONPOOL_ROOT .. "/spec/script/traces.lua"), "--embedded 2")
    assert.equal("", said)
    assert.equal(0, status)
  end)
end)
