-- SPDX-License-Identifier: Apache-2.0
-- A policy file that changes every 10 ms, one version in three broken, while a real Cassandra is read and written.
-- MOONPOOL_RELOAD_SECONDS=60 makes it longer.
local live = require "spec.support.live"
local it = live.inCoroutine(it)
local memory = require "spec.support.memory"
local moonpool = require "moonpool"
local reloads = assert(loadfile(MOONPOOL_ROOT .. "/bench/reloads.lua")) "as a module"

local SECONDS = tonumber(os.getenv "MOONPOOL_RELOAD_SECONDS") or 20
local RELOAD_MS = 10
local KEPT = 3e6 -- bytes that requests in flight may hold more than when it was looked at first

describe("a policy that is reloaded all the time on a real Cassandra", function()
  setup(function() live.cluster() end)

  it("costs no read and no idempotent write", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir '" .. folder .. "'"))
    finally(function() os.execute("rm -rf '" .. folder .. "'") end)
    local versions = reloads.versions(folder .. "/p.lua")
    local pool = live.pool { loadBalancing = { policy = versions.path }, logging = { level = "off" } }
    local load = live.read_and_write(pool, live.rows(pool, "reload"))
    local from, count, refused, level = moonpool.now(), 0, 0, nil
    while moonpool.now() - from < SECONDS * 1000 do
      count = count + 1
      local bad = versions:write(count)
      local ok, err = pool:reload()
      assert.equal(not bad, ok == true, tostring(err))
      if bad then refused = refused + 1 end
      local info = pool:policies().balance
      assert.equal(versions.in_force, info.name, info.lastError)
      if count % 200 == 0 then
        local held = memory.held()
        level = level or held
        assert.is_true(held - level < KEPT, held - level .. " bytes more than before")
      end
      moonpool.sleep(RELOAD_MS)
    end
    load:stop()
    assert.equal(0, #load.failed, tostring(load.failed[1]))
    assert.equal(0, pool:policies().balance.errors)
    assert.is_true(load.requests > 10 * SECONDS, load.requests)
    assert.is_true(count > 5 * SECONDS and refused > count / 4, count)
    if os.getenv "MOONPOOL_RELOAD_SECONDS" then
      print(("%d reloads, %d refused, %d requests, 0 failed; %d bytes more than after 200 reloads"):format(count,
        refused, load.requests, memory.held() - level))
    end
    pool:close()
  end)
end)
