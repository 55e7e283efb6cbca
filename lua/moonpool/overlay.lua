-- SPDX-License-Identifier: Apache-2.0
-- What an application has changed of the configuration of a pool that runs: policies (usePolicy) and contact points
-- (addNode, removeNode). It is a layer over what was given: it stays when the file changes, but for a policy whose key
-- changes there. A layer is replaced, never changed, and only when the pool has taken it.
--
--   { policies = { [kind] = { policy, options, remote } }, contacts = { { host, port }, ... },
--     gone = { [contact point as text] = true } }
local config = require "moonpool.config"
local core = require "moonpool.core_loader"
local nearest = require "moonpool.nearest"

local overlay = {}

local SECTIONS = { balance = "loadBalancing", retry = "retry", reconnect = "reconnection",
  speculate = "speculativeExecution", failover = "failover", shadow = "loadBalancing.shadow" }

local function copy(table_or_nil)
  local out = {}
  for key, value in pairs(table_or_nil or {}) do out[key] = value end
  return out
end

local function text_of(contact) return contact.host .. ":" .. (contact.port or 0) end

local function contacts_of(layer, base)
  local list, seen = {}, {}
  local function add(contact)
    local text = text_of(contact)
    if not layer.gone[text] and not seen[text] then list[#list + 1] = contact end
    seen[text] = true
  end
  for _, contact in ipairs(base) do add(contact) end
  for _, contact in ipairs(layer.contacts) do add(contact) end
  return #list > 0 and list or base
end

-- The checked configuration `base` as the pool shall have it.
function overlay.over(layer, base)
  if not layer then return base end
  local out = copy(base)
  out.contactPoints = contacts_of(layer, base.contactPoints)
  for kind, choice in pairs(layer.policies) do
    out[kind .. "Policy"], out[kind .. "Options"] = choice.policy, choice.options
    out[kind .. "Canary"] = choice.canary or out[kind .. "Canary"]
    out.connectRemote = out.connectRemote or choice.remote
  end
  return out
end

local function next_layer(layer)
  layer = layer or {}
  return { policies = copy(layer.policies), contacts = copy(layer.contacts), gone = copy(layer.gone) }
end

-- The layer without the policies whose keys are among `changes` of the file.
function overlay.after(layer, changes)
  if not layer then return nil end
  local after = next_layer(layer)
  for kind, section in pairs(SECTIONS) do
    for _, change in ipairs(changes) do
      if change.key == section or change.key == section .. ".policy" then after.policies[kind] = nil end
    end
  end
  return after
end

-- Replaces the layer by another one: true, or nil and an error, and then nothing has happened.
local function put(pool, state, code, layer)
  local ok, why = core.applyConfig(pool, overlay.over(layer, state.checked))
  if not ok then return nil, core.error(code, why) end
  state.layer = layer
  return true
end

-- The layer with one more contact point; `port` nil: with any.
function overlay.with_contact(layer, host, port)
  local contact = { host = host, port = port or 0 }
  layer = next_layer(layer)
  layer.gone[text_of(contact)] = nil
  layer.contacts[#layer.contacts + 1] = contact
  return layer
end

-- The layer without every contact point of `base` and itself that is written so, with this port or with any.
function overlay.without_contact(layer, base, host, port)
  layer = next_layer(layer)
  for _, contact in ipairs(overlay.over(layer, base).contactPoints) do
    local same_port = not port or (contact.port or 0) == 0 or contact.port == port
    if contact.host == host and same_port then layer.gone[text_of(contact)] = true end
  end
  return layer
end

function overlay.add_contact(pool, state, host, port)
  return put(pool, state, "CONFIG_ERROR", overlay.with_contact(state.layer, host, port))
end

function overlay.drop_contact(pool, state, host, port)
  return put(pool, state, "CONFIG_ERROR", overlay.without_contact(state.layer, state.checked, host, port))
end

-- ---- policies ---------------------------------------------------------------------------------------------

local function check_kind(kind)
  if type(kind) == "string" and SECTIONS[kind] then return end
  error(("usePolicy: unknown kind of policy '%s'%s"):format(tostring(kind), nearest.hint(kind, SECTIONS)), 3)
end

-- What a layer keeps of a policy with options; nil and a message: no configuration could say so.
function overlay.choice(kind, policy, options)
  local section, given = copy(options), { contactPoints = { "127.0.0.1" } }
  section.policy = policy
  if kind == "shadow" then given.loadBalancing = { shadow = section } else given[SECTIONS[kind]] = section end
  local source, why = config.read(given, "usePolicy")
  local checked
  if source then checked, why = config.judge(source) end
  if not checked then return nil, why end
  return { policy = checked[kind .. "Policy"], options = checked[kind .. "Options"],
    canary = checked[kind .. "Canary"], remote = checked.connectRemote }
end

-- The layer with that choice; nil: with the configuration's own.
function overlay.with_policy(layer, kind, choice)
  layer = next_layer(layer)
  layer.policies[kind] = choice
  return layer
end

local function choice_of(kind, policy, options)
  if type(policy) ~= "string" then
    error(("bad argument #2 to 'usePolicy' (a name or a path expected, got %s)"):format(type(policy)), 3)
  end
  local choice, why = overlay.choice(kind, policy, options)
  if not choice then error(why, 3) end
  return choice
end

-- pool:usePolicy(kind, name or path, options): that policy serves from the next request on; without a name the one of
-- the configuration. true, or nil and an error, and the one before goes on.
function overlay.usePolicy(self, kind, policy, options)
  check_kind(kind)
  local choice = policy ~= nil and choice_of(kind, policy, options) or nil
  local state = debug.getfenv(self)
  return put(self, state, "POLICY_ERROR", overlay.with_policy(state.layer, kind, choice))
end

return overlay
