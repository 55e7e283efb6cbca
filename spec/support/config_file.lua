-- SPDX-License-Identifier: Apache-2.0
-- A pool of a world (world.lua) whose configuration is a file that the spec rewrites, and requests that run meanwhile.
--
--   config_file.around(function() local pool, told = config_file.open(world, { requestTimeout = 500 }) ... end)
local config = require "moonpool.config"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"

local M = {}

function M.file(name) return M.folder .. "/" .. name end

-- A table of literals as Lua text.
function M.text_of(value)
  if type(value) == "string" then return string.format("%q", value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for key, item in pairs(value) do parts[#parts + 1] = ("[%s] = %s"):format(M.text_of(key), M.text_of(item)) end
  table.sort(parts)
  return "{ " .. table.concat(parts, ",\n  ") .. " }"
end

-- What is said about a configuration that has `key = text` beside a contact point: it, or nil and why not.
function M.check(key, text)
  return config.check_text(("return { contactPoints = { 'a' }, %s = %s }"):format(key, text), "c.lua")
end

function M.write(world, extra)
  policies.write(M.file "pool.lua", "return " .. M.text_of(world:configuration(extra)) .. "\n")
end

function M.touch(world)
  world.sim:touch(M.file "pool.lua")
  moonpool.sleep(100)
end

function M.open(world, extra, up)
  M.write(world, extra)
  local pool = moonpool.ConnectionPool(M.file "pool.lua")
  world.pools[#world.pools + 1] = pool
  assert(pool:connect())
  world:waitUp(pool, up)
  return pool, world:listen(pool, "configReload", "configError", "policyReload", "handlersReload")
end

function M.change(world, extra)
  M.write(world, extra)
  M.touch(world)
end

function M.around(fn)
  M.folder = policies.folder()
  local ok, why = pcall(fn)
  os.execute("rm -rf '" .. M.folder .. "'")
  if not ok then error(why, 0) end
end

-- Four coroutines that read and write until load.stop; every answer counts, an error ends the spec.
function M.start_load(world, pool)
  local load = { count = 0, futures = {} }
  for i = 1, 4 do
    load.futures[i] = world:spawn(function()
      local key = i * 1000000
      while not load.stop do
        key = key + 1
        assert(pool:execute("INSERT INTO t (id, v) VALUES (?, ?)", { key, "x" }, { isIdempotent = true }))
        local row = assert(pool:execute("SELECT v FROM t WHERE id = ?", { key })):first()
        assert(row.v == "x", "another row was read")
        load.count = load.count + 2
      end
      return true
    end)
  end
  function load.finish()
    load.stop = true
    for _, future in ipairs(load.futures) do assert(future:wait()) end
    assert(load.count > 50, "there was hardly any load")
  end
  return load
end

function M.connections(pool) return pool:getStats().totalConnections end

-- ids of the connections that requests use: all but the control connection's, which is no host's of the pool
function M.ids(pool)
  local set, count = {}, 0
  for _, conn in ipairs(pool:getConnectionDetails()) do
    if conn.state == "ready" then set[conn.id], count = true, count + 1 end
  end
  return set, count
end

function M.all_new(before, after)
  for id in pairs(after) do
    if before[id] then return false end
  end
  return true
end

function M.policy(name, body)
  return ("return balance { name = %q, plan = function(plan) %s end }"):format(name, body)
end

return M
