-- SPDX-License-Identifier: Apache-2.0
-- The shared dictionary of the workers (`lua_shared_dict`), as they write it: nothing makes room for itself by what
-- stands there, and that there is none is told once, with the dictionary's name, until there is.
local core = require "moonpool.core_loader"

local dictionary = {}

local Dictionary = {}
Dictionary.__index = Dictionary

-- One that there is.
function dictionary.open(name)
  return setmetatable({ name = name, shared = ngx.shared[name], full = {} }, Dictionary)
end

function Dictionary:get(key) return (self.shared:get(key)) end
function Dictionary:delete(key) self.shared:delete(key) end

-- `what` has found room, or not because of `why`.
local function note(self, what, ok, why, pool)
  if not ok and not self.full[what] then
    core.log("warn", ("%s is not told to the other workers: lua_shared_dict %s says %s; make it larger"):format(what,
      self.name, tostring(why)), pool)
  end
  self.full[what] = not ok or nil
  return ok
end

-- True when the value stands there from now on, for `lapses_s` or, 0, for good. `what` it is, in words.
function Dictionary:put(what, key, value, lapses_s, pool)
  local ok, why = self.shared:safe_set(key, value, lapses_s)
  return note(self, what, ok, why, pool)
end

-- The same where nothing stood.
function Dictionary:add(what, key, value, lapses_s)
  local ok, why = self.shared:safe_add(key, value, lapses_s)
  return why == "exists" and ok or note(self, what, ok, why)
end

return dictionary
