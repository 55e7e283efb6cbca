-- SPDX-License-Identifier: Apache-2.0
-- What playbooks remember across reloads, and, where there is a folder for it, across restarts: a table for each,
-- written as JSON by a rename, so that a crash leaves the old one or the new one.
local core = require "moonpool.core_loader"
local json = require "moonpool.cli.json"
local plain = require "moonpool.plain"

local LONGEST = 65536

local Memory = {}
Memory.__index = Memory

local memory = {}

--- `folder` may be nil; `log(level, text)`.
function memory.new(log, folder)
  return setmetatable({ tables = {}, log = log, folder = folder }, Memory)
end

local function path_of(self, name) return ("%s/%s.memory.json"):format(self.folder, name) end

local function read(self, name)
  local handle = self.folder and io.open(path_of(self, name), "r")
  if not handle then return {} end
  local text = handle:read(LONGEST + 1)
  handle:close()
  local kept = text and json.decode(text)
  if type(kept) == "table" then return kept end
  self.log("warn", path_of(self, name) .. ": this is no memory of a playbook; it begins with none")
  return {}
end

--- The table of that playbook, the same as long as the pool lives.
function Memory:of(name)
  if not self.tables[name] then self.tables[name] = read(self, name) end
  return self.tables[name]
end

local function text_of(kept)
  local ok, copy = pcall(plain, kept)
  if not ok then return nil, copy end
  local encoded, text = pcall(json.encode, json.data(copy))
  if not encoded then return nil, text end
  if #text > LONGEST then return nil, ("%d bytes as text; at most %d"):format(#text, LONGEST) end
  return text
end

--- A file of the folder is that text from now on, as a whole: true, or nil and why not.
function memory.write(folder, path, text)
  core.makeFolder(folder)
  local handle, why = io.open(path .. ".new", "w")
  if not handle then return nil, why end
  local ok
  ok, why = handle:write(text, "\n")
  local closed, wrong = handle:close()
  if ok and not closed then ok, why = closed, wrong end
  if ok then ok, why = os.rename(path .. ".new", path) end
  return ok, why
end

--- Writes it where it outlives the process: true, or nil and why not.
function Memory:save(name)
  if not self.folder or next(self:of(name)) == nil and not self.written then return true end
  local text, why = text_of(self.tables[name])
  if not text then return nil, "run.memory: " .. tostring(why) end
  self.written = true
  return memory.write(self.folder, path_of(self, name), text)
end

return memory
