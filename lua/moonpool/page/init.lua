-- SPDX-License-Identifier: Apache-2.0
-- The status page (the key `http.listen`): files of this folder, and what they ask for as JSON (docs/operations.md has
-- the endpoints). It is only looked at: nothing here changes a pool.
--
--   GET /                      the page, and its files by their names
--   GET /api/overview          all pools of the process, as they are now
--   GET /api/ring/N/KEYSPACE   the ring of pool N, with the replicas of a keyspace
--   GET /api/stream            the same as it changes, and events as they happen, as server-sent events
--
-- Who comes by a name that is not this machine's has been sent by a page of somebody else, whose name leads here now
-- (DNS rebinding): he is turned away, unless he knows the token, which such a page does not.
local core = require "moonpool.core_loader"
local history = require "moonpool.page.history"
local json = require "moonpool.cli.json"
local listeners = require "moonpool.listeners"
local overview = require "moonpool.overview"
local recorder = require "moonpool.recorder"

local SLICES = 180
local FIGURES_MS = 1000 -- while somebody looks
local SOON_MS = 50 -- after an event
local MOST_HOSTS, MOST_ENTRIES, MOST_EVENTS = 256, 40, 60
local TYPES = { html = "text/html; charset=utf-8", css = "text/css; charset=utf-8",
  js = "text/javascript; charset=utf-8", svg = "image/svg+xml" }
local JSON_TYPE = "application/json"

local FILES = { "index.html", "page.css", "page.js", "dom.js", "charts.js", "ring.js", "moon.svg" }

local page = {} -- pool.lua sets page.pools(): those that are open, and page.number(pool)

-- ---- what is told -----------------------------------------------------------------------------------------

-- Steps of playbooks; a statement of theirs may have values in it.
local function history_of_playbooks(pool)
  local list = json.list {}
  for i, entry in ipairs(pool:playbookHistory(nil, MOST_ENTRIES)) do
    list[i] = { time = entry.time, playbook = entry.playbook, run = entry.run, host = entry.host, step = entry.step,
      why = entry.why, result = entry.result, ms = entry.ms, dry = entry.dry,
      what = entry.step ~= "execute" and entry.what or nil }
  end
  return list
end

-- Those that do not serve stay when there are too many.
local RANK = { down = 1, paused = 2, draining = 3, up = 4, new = 5 }
local function bounded(hosts)
  if #hosts <= MOST_HOSTS then return hosts end
  table.sort(hosts, function(a, b)
    local x, y = RANK[a.status] or 0, RANK[b.status] or 0
    if x ~= y then return x < y end
    return a.address < b.address
  end)
  for i = #hosts, MOST_HOSTS + 1, -1 do hosts[i] = nil end
  return hosts
end

local function figures_of(pool)
  local now = overview.of(pool)
  history.note(pool, now)
  now.number, now.hostCount = page.number(pool), #now.hosts
  now.hosts, now.playbookHistory = bounded(now.hosts), history_of_playbooks(pool)
  return now
end

-- All that is told, as JSON. `whole`: with what was before, for one who has just come.
function page.look(whole)
  local list = json.list {}
  for i, pool in ipairs(page.pools()) do
    local now = figures_of(pool)
    if whole then
      local journal = recorder.of(pool)
      now.history = history.of(pool)
      now.events = json.list((journal:since(math.max(0, journal.last - MOST_EVENTS))))
    end
    list[i] = now
  end
  return json.encode { at = math.floor(core.wallClock()), version = core.version, every = FIGURES_MS,
    historyEvery = history.everyMs, pools = list }
end

local function ring(path)
  local number, keyspace = path:match "^/api/ring/(%d+)/(.*)$"
  if not number or keyspace:find "%z" then return end
  for _, pool in ipairs(page.pools()) do
    if page.number(pool) == tonumber(number) then
      local seen = core.getRing(pool, keyspace, SLICES)
      if not seen then return json.encode { tokens = 0, slices = json.list {}, hosts = json.list {},
        keyspaces = json.list {} } end
      for _, slice in ipairs(json.list(seen.slices)) do json.list(slice) end
      json.list(seen.hosts)
      json.list(seen.keyspaces)
      return json.encode(seen)
    end
  end
end

-- A line break would end the field; JSON has none.
local function told(event, text) return ("event: %s\ndata: %s\n\n"):format(event, text) end

-- ---- who may look -----------------------------------------------------------------------------------------

-- Takes as long for a wrong token as for the right one.
local function same(a, b)
  local differs = #a == #b and 0 or 1
  for i = 1, #b do differs = bit.bor(differs, bit.bxor(a:byte((i - 1) % math.max(1, #a) + 1) or 0, b:byte(i))) end
  return differs == 0
end

-- "127.0.0.1:9501", "[::1]:9501", "localhost:9501"; a socket is called anything.
local function is_own_name(host)
  if host:find "^%[[%x:%.]+%]:?%d*$" then return true end
  local name = host:match "^([^:%[%]]+):?%d*$"
  return name ~= nil and (name:find "^%d+%.%d+%.%d+%.%d+$" ~= nil or name:lower() == "localhost")
end

-- Nil, or the status of one who may not.
local function refusal(self, host, password)
  if self.token then return not same(password, self.token) and 401 or nil end
  return not self.place.path and not is_own_name(host) and 421 or nil
end

-- ---- the service ------------------------------------------------------------------------------------------

local Page = {}
Page.__index = Page

local function folder() return debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" or "." end

-- All of them at once, so that nothing is missing later.
local function read_files()
  local files = {}
  for _, name in ipairs(FILES) do
    local path = folder() .. "/" .. name
    local file, why = io.open(path, "rb")
    local text = file and file:read "*a"
    if file then file:close() end
    if not text then return nil, why or path .. ": cannot be read" end
    files["/" .. name] = { TYPES[name:match "%a+$"], text }
  end
  files["/"] = files["/index.html"]
  return files
end

function Page:answer(path, host, password)
  local file, is_api = self.files[path], path:sub(1, 5) == "/api/"
  if not file and not is_api then return end
  local status = refusal(self, host, password)
  if status then return status end
  if file then return 200, file[1], file[2] end
  if path == "/api/overview" then return 200, JSON_TYPE, page.look(true) end
  if path == "/api/stream" then
    return 200, "text/event-stream", "retry: 2000\n" .. told("overview", page.look(true)), true
  end
  local text = ring(path)
  if text then return 200, JSON_TYPE, text end
end

local function publish(self, text) require("moonpool.http").publish(self.server, text) end

local function is_watched(self) return require("moonpool.http").streams(self.server) > 0 end

-- Events of one moment are followed by one look at what has become of it.
local function follow(self)
  if self.is_soon then return end
  core.start(function()
    core.serve()
    core.sleep(SOON_MS)
    self.is_soon = false
    if not self.is_over and is_watched(self) then publish(self, told("figures", page.look(false))) end
  end)
  self.is_soon = true
end

function Page:tell(pool, event)
  if self.is_over or not is_watched(self) then return end
  publish(self, told("happened", json.encode { pool = page.number(pool), event = event }))
  follow(self)
end

function Page:hear(pool)
  if self.heard[pool] then return end
  self.heard[pool] = true
  recorder.of(pool, function(event) self:tell(pool, event) end)
end

-- Figures for those who look, once a second; for the history, while nobody does.
local function keep(self)
  core.serve()
  while not self.is_over do
    for _, pool in ipairs(page.pools()) do self:hear(pool) end
    if is_watched(self) then
      publish(self, told("figures", page.look(false)))
    else
      for _, pool in ipairs(page.pools()) do history.note(pool, (overview.figures(pool))) end
    end
    core.sleep(FIGURES_MS)
  end
end

function Page:stop() self.is_over = true end

-- The pool's place has the page from now on: true, or nil and why not.
function page.begin(pool, place, token)
  local files, why = read_files()
  if not files then return nil, why end
  local made = setmetatable({ files = files, place = place, token = token,
    heard = setmetatable({}, { __mode = "k" }) }, Page)
  local self, server = listeners.begin(pool, place, "page", function() return made end)
  if not self then return nil, server end
  if self ~= made then
    if self.token ~= token then return nil, "another pool of this process has the page there, with another token" end
    self:hear(pool)
    return true
  end
  self.server = server
  self:hear(pool)
  core.start(keep, self)
  return true
end

return page
