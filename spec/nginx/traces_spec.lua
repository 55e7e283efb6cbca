-- SPDX-License-Identifier: Apache-2.0
-- Compiled code goes on when an answer has come: no function on the way back from a wait ends by a tail call.
local moonpool = require "moonpool"
local nginx_world = require "spec.nginx.support.world"

-- A query, and what else waits, as one statement each; `i` counts.
local CALLS = {
  execute = [[assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { i % 100 }))]],
  ["execute with options"] =
    [[assert(pool:execute("SELECT name FROM ks.users WHERE id = ?", { i % 100 }, { timeout = 30000 }))]],
  run = [[assert(pool:run("SELECT name FROM ks.users WHERE id = ?", i % 100))]],
  ["run of a write"] = [[assert(pool:run("INSERT INTO ks.users (id, name) VALUES (?, ?)", i % 100, "one"))]],
  batch = [[assert(pool:batch { { "INSERT INTO ks.users (id, name) VALUES (?, ?)", { i % 100, "one" } } })]],
  prepare = [[assert(pool:prepare "SELECT name FROM ks.users WHERE id = ?")]],
  sleep = [[moonpool.sleep(0)]],
  pool = [[assert(moonpool.pool():run("SELECT name FROM ks.users WHERE id = ?", i % 100))]],
}

describe("in nginx, compiled code goes on behind", function()
  local world
  setup(function()
    nginx_world.run(function()
      local locations = {}
      for name, call in pairs(CALLS) do
        locations["/" .. name:gsub(" ", "_")] = ([[
          local ended = dofile %q (function(i) %s end, 400)
          ngx.print(ended)]]):format(MOONPOOL_ROOT .. "/spec/script/traces.lua", call)
      end
      world = nginx_world.start { locations = locations }
    end)
  end)
  teardown(function() moonpool.run(function() world:close() end) end)

  for name in pairs(CALLS) do
    it(name, function()
      moonpool.run(function() assert.equal("", world.server:body("/" .. name:gsub(" ", "_"))) end)
    end)
  end
end)
