-- SPDX-License-Identifier: Apache-2.0
-- A program with forty nodes: more connections write in a turn than write one by one, with and without a kernel that
-- lets them share a system call.
local policies = require "spec.support.policies"
local sim_process = require "spec.support.sim_process"

local PROGRAM = [[
local moonpool = require "moonpool"
local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, port = %d, localDataCenter = "datacenter1" }
assert(pool:connect())
assert(pool:execute("CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"))
assert(pool:execute "CREATE TABLE app.f (id int PRIMARY KEY, text text)")
local function each(fn)
  local futures = {}
  for id = 1, 600 do futures[id] = moonpool.spawn(fn, id) end
  for _, future in ipairs(futures) do assert(future:wait()) end
end
local function text(id) return ("text of %%d "):format(id):rep(id %% 50) end
each(function(id) return assert(pool:execute("INSERT INTO app.f (id, text) VALUES (?, ?)", { id, text(id) })) end)
local right = 0
for round = 1, 3 do
  each(function(id)
    local row = assert(pool:execute("SELECT id, text FROM app.f WHERE id = ?", { id })):first()
    right = right + (row.id == id and row.text == text(id) and 1 or 0)
    return true
  end)
end
print("right", right, "lost", pool:getStats().connectionErrors)
pool:close()
]]

describe("forty nodes", function()
  local cluster, folder
  setup(function() cluster, folder = sim_process.start(40), policies.folder() end)
  teardown(function()
    cluster:stop()
    policies.remove(folder)
  end)

  for _, wish in ipairs { "on", "off" } do
    it("get and give what is theirs, io_uring " .. wish, function()
      local path = folder .. "/" .. wish .. ".lua"
      policies.write(path, (PROGRAM:format(cluster.port):gsub("app", "app_" .. wish)))
      local said, status = sim_process.output(("MOONPOOL_IO_URING=%s '%s/moonpool' run '%s'"):format(wish,
        MOONPOOL_BUILD_DIR, path))
      assert.equal(0, status, said)
      assert.matches("right\t1800\tlost\t0", said)
    end)
  end
end)
