-- SPDX-License-Identifier: Apache-2.0
-- Which worker of one nginx does what must be done once: playbooks. With a shared dictionary it is the one that holds
-- the lease, which it renews as long as it lives; when it dies the lease lapses and another one takes it. Without a
-- dictionary it is worker 0, whose place nginx fills again. A worker that was told to go leads on only as long as a run
-- of its own goes on.
local core = require "moonpool.core_loader"
local playbooks = require "moonpool.playbook"

local leader = {}

local KEY, LEASE_S = "moonpool.leader", 5

local shared
local leads_until = 0 -- by this worker's clock: it was held up when that has passed

local function me() return tostring(ngx.worker.pid()) end

function leader.is_it()
  if shared then return core.now() < leads_until end
  return ngx.worker.id() == 0 and not ngx.worker.exiting()
end

function leader.begin(dictionary)
  shared = dictionary
  playbooks.is_ours = leader.is_it
end

-- Once a second. `is_busy`: runs of this worker go on.
function leader.renew(is_busy)
  local began = core.now()
  local is_going = ngx.worker.exiting() and not is_busy
  local holder = shared:get(KEY)
  local got = false
  if holder == me() and is_going then
    shared:delete(KEY)
  elseif holder == me() then
    got = shared:put("who runs playbooks", KEY, me(), LEASE_S)
  elseif not holder and not ngx.worker.exiting() then
    got = shared:add("who runs playbooks", KEY, me(), LEASE_S)
    if got then core.log("info", "this worker runs playbooks from now on") end
  end
  leads_until = got and began + LEASE_S * 1000 or 0
end

return leader
