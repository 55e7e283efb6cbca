-- SPDX-License-Identifier: Apache-2.0
-- A copy of what somebody gave as plain data: tables of texts, numbers, truths. From here on nothing of the giver's is
-- called (metatables), nothing is endless (a table in itself, very many or very long entries), and nothing changes
-- under the reader's hand. Values that are no data, such as functions, are handed on for others to judge.
local format = string.format
local getmetatable_of, next_of, rawequal_to = debug.getmetatable, next, rawequal

local MOST_ENTRIES, DEEPEST, LONGEST = 100000, 16, 65536
local MADE_BY_FUNCTIONS = { "__pairs", "__ipairs", "__len" }

local Copy = {}
Copy.__index = Copy

-- Ends the copy: `path` is the list of keys of what is wrong.
local function refuse(self, what)
  local path = {}
  for i = 1, self.depth do path[i] = self.path[i] end
  self.problem = { path = path, text = what }
  error(self, 0)
end

local function scalar(self, value)
  if type(value) == "string" and #value > LONGEST then
    refuse(self, format("a text of %d bytes; at most %d", #value, LONGEST))
  end
  return value
end

local table_of

local function value_of(self, value)
  if type(value) == "table" then return table_of(self, value) end
  return scalar(self, value)
end

-- What the table gets from its metatable: only an __index that is a table itself, the usual way to have defaults.
local function inherited(self, given)
  local meta = getmetatable_of(given)
  if not meta then return {} end
  local index = rawget(meta, "__index")
  local made = index ~= nil and type(index) ~= "table"
  for _, name in ipairs(MADE_BY_FUNCTIONS) do made = made or rawget(meta, name) ~= nil end
  if made then refuse(self, "a table whose entries are made by its metatable; give a plain one") end
  return index and table_of(self, index) or {}
end

function table_of(self, given)
  self.depth = self.depth + 1
  for i = 1, self.depth - 1 do
    if rawequal_to(self.tables[i], given) then refuse(self, "a table that holds itself") end
  end
  if self.depth > DEEPEST then refuse(self, format("tables inside of tables, more than %d deep", DEEPEST)) end
  self.tables[self.depth] = given
  self.path[self.depth] = nil
  local copy = inherited(self, given)
  for key, value in next_of, given do
    self.entries = self.entries + 1
    if self.entries > MOST_ENTRIES then refuse(self, format("more than %d entries", MOST_ENTRIES)) end
    if type(key) ~= "string" and type(key) ~= "number" then
      refuse(self, format("a key must be a text or a number, got a %s", type(key)))
    end
    self.path[self.depth] = scalar(self, key)
    copy[key] = value_of(self, value)
    self.path[self.depth] = nil
  end
  self.depth = self.depth - 1
  return copy
end

-- The copy of a table; or nil, the path of what is wrong (a list of keys), and what is wrong with it.
return function(given)
  local self = setmetatable({ depth = 0, entries = 0, path = {}, tables = {} }, Copy)
  local ok, copy = pcall(table_of, self, given)
  if ok then return copy end
  if copy ~= self then error(copy, 0) end
  return nil, self.problem.path, self.problem.text
end
