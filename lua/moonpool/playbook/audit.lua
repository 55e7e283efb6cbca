-- SPDX-License-Identifier: Apache-2.0
-- What playbooks did and why: the last thousand entries in memory, and each as a line of JSON in a file where there is
-- a folder for it. An entry: { time = ISO 8601, playbook, run, host, step, what, why, result, ms, dry }.
local core = require "moonpool.core_loader"
local json = require "moonpool.cli.json"

local MOST = 1000
local LONGEST = 2000 -- of a text
local FILE_MAX = 16 * 1024 * 1024 -- then it is begun anew; the one before stays beside it

local Audit = {}
Audit.__index = Audit

local audit = {}

--- `log(level, text)` is told every entry; `folder` may be nil.
function audit.new(log, folder)
  return setmetatable({ entries = {}, log = log, path = folder and folder .. "/audit.jsonl" }, Audit)
end

local function bounded(value)
  if type(value) ~= "string" then return value end
  value = core.redact(value)
  return #value > LONGEST and value:sub(1, LONGEST) .. "..." or value
end

local function sentence(entry)
  local parts = { ("playbook %s"):format(entry.playbook) }
  if entry.run then parts[#parts + 1] = "run " .. entry.run end
  if entry.host then parts[#parts + 1] = entry.host end
  local said = table.concat(parts, ", ") .. ": " .. entry.step
  if entry.what then said = said .. " " .. entry.what end
  if entry.result then said = said .. ": " .. entry.result end
  if entry.why then said = said .. " (" .. entry.why .. ")" end
  return said
end

local function write(self, line)
  local handle, why = io.open(self.path, "a")
  if handle and handle:seek "end" > FILE_MAX then
    handle:close()
    os.rename(self.path, self.path .. ".1")
    handle, why = io.open(self.path, "a")
  end
  local ok = handle ~= nil
  if handle then
    ok, why = handle:write(line, "\n")
    handle:close()
  end
  if ok then
    self.failing = nil
  elseif not self.failing then
    self.failing = true -- told once, until it works again
    self.log("error", ("the audit of playbooks cannot be written: %s"):format(tostring(why)))
  end
end

--- Adds an entry; its time is now.
function Audit:add(entry)
  local kept = { time = os.date "!%Y-%m-%dT%H:%M:%SZ" }
  for key, value in pairs(entry) do kept[key] = bounded(value) end
  local entries = self.entries
  entries[#entries + 1] = kept
  if #entries > MOST + 100 then
    for i = 1, #entries do entries[i] = entries[i + 100] end
  end
  self.log(kept.level or "info", sentence(kept))
  kept.level = nil
  if self.path then write(self, json.encode(kept)) end
end

--- The newest `count` entries, oldest first, of the playbook `name` or of all.
function Audit:last(count, name)
  local list = {}
  for i = #self.entries, 1, -1 do
    local entry = self.entries[i]
    if #list < count and (not name or entry.playbook == name) then table.insert(list, 1, entry) end
  end
  return list
end

return audit
