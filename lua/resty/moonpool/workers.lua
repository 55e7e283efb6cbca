-- SPDX-License-Identifier: Apache-2.0
-- What the workers of one nginx tell each other, through a shared dictionary that the user names (`lua_shared_dict`).
-- Each writes down what its pools have counted; whoever is scraped tells of all. Nothing of it is on the way of a
-- request, and nobody waits for anybody: what a worker that has gone wrote down lapses.
local core = require "moonpool.core_loader"
local exporter = require "moonpool.exporter"

local workers = {}

local EVERY_MS, LAPSES_S = 1000, 5
local PREFIX = "moonpool.metrics."

local shared -- the dictionary

local function own_text() return exporter.text(exporter.pools()) end

local function publish()
  local ok, why = shared:safe_set(PREFIX .. ngx.worker.id(), (own_text()), LAPSES_S)
  if not ok then
    core.log("warn", "what this worker counts is not told to the others, because the shared dictionary says: " .. why)
  end
end

-- Until the worker goes. An old one does not write over what its successor says.
local function serve()
  core.serve()
  while not ngx.worker.exiting() do
    publish()
    core.sleep(EVERY_MS)
  end
end

function workers.share(name)
  shared = ngx.shared[name]
  core.start(serve)
end

-- A configuration counts in each worker; one of them says what that comes to.
function workers.count_connections(pool, configuration)
  local each, count = configuration.localMax, ngx.worker.count()
  if not each or count == 1 or ngx.worker.id() ~= 0 then return end
  core.log("warn", ("pooling.maxConnectionsPerHost: %d in each of %d workers are up to %d connections to a host, " ..
    "and one of each worker to a host of its choice; twice that during a reload"):format(each, count, each * count),
    pool)
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
  if not shared then return text, kind end
  local texts, own = {}, ngx.worker.id()
  for id = 0, ngx.worker.count() - 1 do
    local other = id == own and text or shared:get(PREFIX .. id)
    if other then texts[#texts + 1] = { id = id, text = other } end
  end
  return workers.merge(texts), kind
end

return workers
