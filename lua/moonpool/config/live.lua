-- SPDX-License-Identifier: Apache-2.0
-- The configuration of a session of the C API while it runs, in the Lua state that read it. A change is made in two
-- steps: a table that C applies, and take() when it has.
--
--   live.warn(checked, warnings)      of keys that are for Lua alone
--   local state = live.new(checked)
--   local flat, what, warnings = state:reread(identity, read)     nil and a message; false: nothing has changed
--   local flat = state:use_policy("balance", "RoundRobinPolicy", "{}")
--   state:take()
local chunk = require "moonpool.chunk"
local config = require "moonpool.config"
local difference = require "moonpool.config.difference"
local overlay = require "moonpool.overlay"

local live = {}
live.__index = live

-- What only a pool of Lua's has: a field of what was checked, the key's path, and what to use instead.
local OF_LUA = {
  { "handlers", { "handlers" }, "moonpool_session_on_event() tells of the same events" },
  { "playbooks", { "playbooks" }, "moonpool serve runs them" },
  { "metricsListen", { "metrics", "listen" }, "moonpool_session_openmetrics() gives the text" },
  { "httpListen", { "http", "listen" }, "moonpool serve has the page" },
}

-- Adds a warning for each of those keys that are set.
function live.warn(checked, warnings)
  for _, of in ipairs(OF_LUA) do
    local field, path, instead = unpack(of)
    if checked[field] then
      warnings[#warnings + 1] = ("%s: %s: has no effect in a session of the C API: %s"):format(checked.place(path),
        table.concat(path, "."), instead)
    end
  end
  return warnings
end

function live.new(checked) return setmetatable({ checked = checked }, live) end

function live:offer(checked, layer)
  self.next = { checked = checked, layer = layer }
  return overlay.over(layer, checked)
end

-- What its file says now; `identity` as for difference.refusals.
function live:reread(identity, read)
  local file = self.checked.file
  local text, why = read(file)
  if not text then return nil, why end
  local checked, warnings = config.check_text(text, file, file)
  if not checked then return nil, warnings end
  local changes = difference.between(self.checked, checked)
  if #changes == 0 then return false end
  local refused = difference.refusals(identity, checked, changes)
  if refused then return nil, refused end
  return self:offer(checked, overlay.after(self.layer, changes)), difference.text(changes),
    live.warn(checked, warnings)
end

local function read_options(text)
  local loaded, why = chunk.compile("return " .. text, "options")
  if not loaded then return nil, why end
  local ok, options = chunk.run(loaded, chunk.text_of)
  if not ok then return nil, options end
  if type(options) ~= "table" then return nil, "options: a table expected, got a " .. type(options) end
  return options
end

-- `policy` nil: the configuration's own. `options`: the text of a table, or nil.
function live:use_policy(kind, policy, options)
  local choice, why
  if policy then
    local given
    given, why = read_options(options or "{}")
    if given then choice, why = overlay.choice(kind, policy, given) end
    if not choice then return nil, why end
  end
  return self:offer(self.checked, overlay.with_policy(self.layer, kind, choice))
end

-- A contact point comes or goes; `port` nil: with any.
function live:add_contact(host, port) return self:offer(self.checked, overlay.with_contact(self.layer, host, port)) end
function live:drop_contact(host, port)
  return self:offer(self.checked, overlay.without_contact(self.layer, self.checked, host, port))
end

function live:take()
  self.checked, self.layer, self.next = self.next.checked, self.next.layer, nil
end

return live
