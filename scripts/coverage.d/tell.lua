-- SPDX-License-Identifier: Apache-2.0
-- What gcov counted (its JSON on standard input, one object a line) as a table: of each file how many branches there
-- are and how many were taken, at least once in all objects that it was compiled into.
--
-- usage: luajit scripts/coverage.d/tell.lua LEAST [missing]     (from the root of the tree)
local json = require "cjson"

local least, show_missing = tonumber(arg[1]), arg[2] == "missing"
local FOLDERS = { "runtime/wire/", "runtime/link/", "runtime/cluster/request/" }

-- The lines of a source; an assertion's own branches cannot be taken by who lives on.
local texts = {}
local function text_of(path)
  if not texts[path] then
    texts[path] = {}
    for line in io.lines(path) do table.insert(texts[path], line) end
  end
  return texts[path]
end
local function is_assertion(path, number)
  return (text_of(path)[number] or ""):find "^%s*mp_assert%(" ~= nil
end

local function known(path)
  for _, folder in ipairs(FOLDERS) do
    local at = path:find(folder, 1, true)
    if at then return path:sub(at) end
  end
end

-- files[path][function:line][i]: how often the i-th branch of that line was taken, in all objects.
local files = {}
for object in io.lines() do
  if object:find "%S" then
    for _, file in ipairs(json.decode(object).files) do
      local path = known(file.file)
      if path then
        files[path] = files[path] or {}
        for _, line in ipairs(file.lines) do
          if #line.branches > 0 and not is_assertion(path, line.line_number) then
            local place = ("%s:%d"):format(line["function_name"] or "", line.line_number)
            local counts = files[path][place] or { line = line.line_number }
            files[path][place] = counts
            for i, branch in ipairs(line.branches) do counts[i] = (counts[i] or 0) + branch.count end
          end
        end
      end
    end
  end
end

local function summed(path)
  local all, taken, missing = 0, 0, {}
  for _, counts in pairs(files[path]) do
    local never = 0
    for _, count in ipairs(counts) do never = never + (count == 0 and 1 or 0) end
    all, taken = all + #counts, taken + #counts - never
    if never > 0 then missing[#missing + 1] = { line = counts.line, never = never, of = #counts } end
  end
  table.sort(missing, function(a, b) return a.line < b.line end)
  return { all = all, taken = taken, missing = missing }
end

local function row(name, all, taken)
  print(("%-46s %8d %8d %7.1f %%"):format(name, all, taken, all > 0 and taken / all * 100 or 100))
end

local paths = {}
for path in pairs(files) do paths[#paths + 1] = path end
table.sort(paths)
print(("%-46s %8s %8s"):format("file", "branches", "taken"))
local total = { all = 0, taken = 0 }
for _, folder in ipairs(FOLDERS) do
  local part = { all = 0, taken = 0 }
  for _, path in ipairs(paths) do
    if path:sub(1, #folder) == folder then
      local file = summed(path)
      part.all, part.taken = part.all + file.all, part.taken + file.taken
      if file.all > 0 then row(path, file.all, file.taken) end
      for _, at in ipairs(show_missing and file.missing or {}) do
        print(("  %d: %d of %d  %s"):format(at.line, at.never, at.of, (text_of(path)[at.line] or ""):match "^%s*(.*)"))
      end
    end
  end
  row(folder:sub(1, -2), part.all, part.taken)
  total.all, total.taken = total.all + part.all, total.taken + part.taken
end
row("all", total.all, total.taken)
os.exit(total.all > 0 and total.taken / total.all * 100 >= least and 0 or 1)
