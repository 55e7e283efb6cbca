-- SPDX-License-Identifier: Apache-2.0
-- What came of the mutants: reads the jobs' results on standard input. Exits 1 when none was tried.
local killed, survived, uncounted = 0, {}, 0
for line in io.lines() do
  local outcome = line:match "^[^\t]*"
  if outcome == "survived" then survived[#survived + 1] = line:gsub("\t", "  ")
  elseif outcome:find "^killed" then
    killed = killed + 1
  else
    uncounted = uncounted + 1
  end
end
table.sort(survived)
for _, line in ipairs(survived) do print(line) end
local total = killed + #survived
print(string.format("%d mutants, %d killed (%.1f %%), %d survived; %d more did not build or gave the same code", total,
  killed, total > 0 and killed / total * 100 or 0, #survived, uncounted))
os.exit(total > 0 and 0 or 1)
