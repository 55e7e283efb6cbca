-- SPDX-License-Identifier: Apache-2.0
-- What came of the mutants: reads results on standard input, where the last line about a mutant counts. Exits 1 when
-- none was tried.
local ORDER = { "killed", "crashed", "hung", "survived", "unreached", "same", "broken" }

local last, said = {}, {}
for line in io.lines() do
  local outcome, place, change = line:match "^([^\t]*)\t([^\t]*)\t([^\t]*)"
  last[place .. change], said[place .. change] = outcome, line:gsub("\t", "  ")
end

local folders, names, survivors = { all = {} }, {}, {}
for mutant, outcome in pairs(last) do
  local name = mutant:match "^runtime/([^/:]*)"
  if not folders[name] then folders[name], names[#names + 1] = {}, name end
  for _, counts in ipairs { folders[name], folders.all } do counts[outcome] = (counts[outcome] or 0) + 1 end
  if outcome == "survived" or outcome == "unreached" then survivors[#survivors + 1] = said[mutant] end
end
table.sort(survivors)
for _, line in ipairs(survivors) do print(line) end

table.sort(names)
names[#names + 1] = "all"
print(string.format("%-10s %8s %8s", "folder", "mutants", "noticed") ..
  string.rep(" %9s", #ORDER):format(unpack(ORDER)))
local total
for _, name in ipairs(names) do
  local counts, row = folders[name], {}
  for i, outcome in ipairs(ORDER) do row[i] = counts[outcome] or 0 end
  local noticed = row[1] + row[2] + row[3]
  total = noticed + row[4] + row[5]
  print(string.format("%-10s %8d %6.1f %%", name, total, total > 0 and noticed / total * 100 or 0) ..
    string.rep(" %9d", #ORDER):format(unpack(row)))
end
os.exit(total > 0 and 0 or 1)
