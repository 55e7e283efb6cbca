-- SPDX-License-Identifier: Apache-2.0
-- What the workers of one nginx tell each other, through a shared dictionary that the user names (`lua_shared_dict`).
-- Each writes down what its pools have counted; whoever is scraped tells of all. So do they with hosts and statements
-- (warmth.lua), and one of them runs playbooks (leader.lua). Nothing of it is on the way of a request, and nobody waits
-- for anybody: what a worker that has gone wrote down lapses.
local core = require "moonpool.core_loader"
local dictionary = require "resty.moonpool.dictionary"
local exporter = require "moonpool.exporter"
local leader = require "resty.moonpool.leader"
local warmth = require "resty.moonpool.warmth"

local workers = {}

local EVERY_MS, LAPSES_S = 1000, 5
local PREFIX = "moonpool.metrics."

local shared -- the dictionary
local serves -- a coroutine tells and hears

local function own_text() return exporter.text(exporter.pools()) end

local function publish()
  local text, why = own_text()
  if text then return shared:put("what this worker counts", PREFIX .. ngx.worker.id(), text, LAPSES_S) end
  core.log("warn", "what this worker counts is not told to the others: " .. core.errorText(why))
end

local pools = {} -- name = { pool =, heard = by host }

local function is_busy()
  for _, entry in pairs(pools) do
    local owner = debug.getfenv(entry.pool).playbooks
    if owner and owner:is_busy() then return true end
  end
  return false
end

local function tell_and_hear(name, entry)
  warmth.hear_hosts(shared, name, entry.pool, entry.heard)
  warmth.tell_statements(shared, name, entry.pool)
end

-- Until the worker goes. An old one does not write over what its successor says.
local function serve()
  core.serve()
  while not ngx.worker.exiting() or is_busy() do
    leader.renew(is_busy())
    if not ngx.worker.exiting() then
      publish()
      for name, entry in pairs(pools) do
        if core.identity(entry.pool) then tell_and_hear(name, entry) end -- it was connected, and is not closed
      end
    end
    core.sleep(EVERY_MS)
  end
  leader.renew(false)
end

-- The pools of this worker, by name. Without the name of a dictionary nothing is told of these.
function workers.begin(made, name_of_dictionary)
  if name_of_dictionary then shared = dictionary.open(name_of_dictionary) end
  leader.begin(shared)
  if not name_of_dictionary then return end
  for name, pool in pairs(made) do
    pools[name] = { pool = pool, heard = {} }
    warmth.tell_hosts(shared, name, pool)
  end
  if not serves then core.start(serve) end
  serves = true
end

-- A pool that has just connected; waits for a bounded time.
function workers.warm(name, pool)
  if shared then warmth.prepare(shared, name, pool) end
end

-- ---- connections ------------------------------------------------------------------------------------------

-- Limits of a configuration that count over all workers, by the key of each and that of the least it may not be below.
local LIMITS = {
  { max = "localMax", core = "localCore", key = "pooling.maxConnectionsPerHost['0']" },
  { max = "remoteMax", core = "remoteCore", key = "pooling.maxConnectionsPerHost['1']" },
  { max = "adaptiveMax", core = "adaptiveMin", key = "pooling.adaptivePooling.maxConnections" },
}

-- A limit counts for all workers together: each has its share of it, one connection at least. One of them says so.
function workers.divide(checked)
  local count = ngx.worker.count()
  for _, limit in ipairs(count > 1 and LIMITS or {}) do
    local all = checked[limit.max]
    if all then
      local each = math.max(1, math.floor(all / count))
      checked[limit.max] = each
      if checked[limit.core] and checked[limit.core] > each then checked[limit.core] = each end
      local told = ("%s: %d connections to a host are %d in each of %d workers, %d in all, and one of each worker " ..
        "to a host of its choice; twice that during a reload"):format(limit.key, all, each, count, each * count)
      if ngx.worker.id() == 0 and limit.told ~= told then core.log("warn", told) end
      limit.told = told
    end
  end
end

-- ---- all in one -------------------------------------------------------------------------------------------

local function labelled(sample, label)
  local name, rest = sample:match "^([%w_:]+)(.*)$"
  if rest:sub(1, 1) == "{" then return name .. "{" .. label .. "," .. rest:sub(2) end
  return name .. "{" .. label .. "}" .. rest
end

-- Families stay together, as the format wants: order = { name }, and by name { head = { line }, samples = { line } }.
local function add(families, text, label)
  local family
  for line in text:gmatch "[^\n]+" do
    local kind, name = line:match "^# (%u+) ?(%S*)"
    if not kind then
      family.samples[#family.samples + 1] = labelled(line, label)
    elseif kind ~= "EOF" then
      local fresh = not families[name]
      if fresh then
        families[name] = { head = {}, samples = {} }
        families.order[#families.order + 1] = name
      end
      family = families[name]
      if fresh or family.by == label then
        family.by = label
        family.head[#family.head + 1] = line
      end
    end
  end
end

-- texts: { { id, text } }; the whole, with the label `worker`.
function workers.merge(texts)
  local families, lines = { order = {} }, {}
  for _, each in ipairs(texts) do add(families, each.text, ('worker="%d"'):format(each.id)) end
  for _, name in ipairs(families.order) do
    for _, line in ipairs(families[name].head) do lines[#lines + 1] = line end
    for _, line in ipairs(families[name].samples) do lines[#lines + 1] = line end
  end
  lines[#lines + 1] = "# EOF\n"
  return table.concat(lines, "\n")
end

-- What all workers have counted, up to a second late but for this one, and the content type.
function workers.metrics()
  local text, kind = own_text()
  if not text or not shared then return text, kind end -- or nil and an error
  local texts, own = {}, ngx.worker.id()
  for id = 0, ngx.worker.count() - 1 do
    local other = id == own and text or shared:get(PREFIX .. id)
    if other then texts[#texts + 1] = { id = id, text = other } end
  end
  return workers.merge(texts), kind
end

return workers
