-- SPDX-License-Identifier: Apache-2.0
-- Playbook files in a folder of their own, and a pool of a simulated world that has them. What the functions of a
-- playbook say goes to `M.said`: they are in this very Lua state.
local moonpool = require "moonpool"
local policies = require "spec.support.policies"

local M = { said = {} }

_G.say = function(...) -- luacheck: ignore
  local parts = {}
  for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
  M.said[#M.said + 1] = table.concat(parts, " ")
end

function M.begin() M.folder, M.said = policies.folder(), {} end
function M.finish() os.execute("rm -rf '" .. M.folder .. "'") end
function M.file(name) return M.folder .. "/" .. name end
function M.write(name, text) policies.write(M.file(name), text) end

--- A playbook's text: `body` is what stands between the braces beside its name.
function M.text(name, body) return ("return playbook {\n name = '%s',\n %s }"):format(name, body) end

--- A pool with the playbooks `files` (name = body), not in a dry run unless `extra` says so.
function M.pool(world, files, extra, configuration)
  for name, body in pairs(files) do M.write(name .. ".lua", M.text(name, body)) end
  local given = { M.folder, dryRun = false }
  for key, value in pairs(extra or {}) do given[key] = value end
  configuration = configuration or {}
  configuration.playbooks = given
  local pool = world:pool(configuration)
  world:waitUp(pool)
  return pool
end

--- A file that changed, and everybody has noticed.
function M.change(world, name, text)
  if text then M.write(name, text) else os.remove(M.file(name)) end
  world.sim:touch(M.file(name))
  world.sim:touch(M.folder .. "/.")
  moonpool.sleep(100)
end

--- "step: result" of the audit, oldest first.
function M.steps(pool, name)
  local list = {}
  for i, entry in ipairs(pool:playbookHistory(name)) do
    list[i] = entry.step .. (entry.result and ": " .. entry.result or "") .. (entry.why and entry.step == "skipped"
      and ": " .. entry.why or "")
  end
  return list
end

--- Waits until no run goes on.
function M.rest(world, pool, ms)
  world:eventually("all runs have ended", function()
    for _, each in ipairs(pool:playbooks()) do
      if #each.running > 0 then return false end
    end
    return true
  end, ms or 600000)
end

return M
