-- SPDX-License-Identifier: Apache-2.0
-- Which lines and branches of policies a run of specs reached: what could run, from the bytecode of the file; what did,
-- from the policy states (policy/cover.h). As marked source, and as LCOV.
--
-- A branch is a way from a condition to another line: of what stands on one line only the line is told.
local core = require "moonpool.core_loader"
local bit = require "bit"
local paths = require "moonpool.paths"

local coverage = {}

local CONDITIONS = 15 -- the opcodes 0 to 15 of LuaJIT 2.1 compare and test; a jump follows
local JUMP_MODE, JUMP_BIAS = 13, 0x7fff

-- ---- what could run ---------------------------------------------------------------------------------------

local function util() return require "jit.util" end

local function line_at(fn, pc) return util().funcinfo(fn, pc).currentline end

-- Where the jump at pc leads, or nil when it is none.
local function target_of(fn, pc)
  local ins, mode = util().funcbc(fn, pc)
  if not ins or bit.band(mode, 15 * 128) ~= JUMP_MODE * 128 then return nil end
  return pc + 1 + bit.rshift(ins, 16) - JUMP_BIAS - 1
end

local function look_at(fn, lines, branches)
  local pc = 1
  while true do
    local ins = util().funcbc(fn, pc)
    if not ins then break end
    local line = line_at(fn, pc)
    lines[line] = true
    local target = bit.band(ins, 0xff) <= CONDITIONS and target_of(fn, pc + 1)
    if target then
      for _, to in ipairs { pc + 2, target } do
        local reached = util().funcbc(fn, to) and line_at(fn, to)
        if reached and reached ~= line then branches[line .. ":" .. reached] = { line, reached } end
      end
    end
    pc = pc + 1
  end
  local number = -1
  while true do
    local constant = util().funck(fn, number)
    if constant == nil then break end
    if type(constant) == "proto" then look_at(constant, lines, branches) end
    number = number - 1
  end
end

-- { lines = { [n] = true }, branches = { { from, to }, ... } in order }, or nil when the text is no Lua.
local function possible(text)
  local fn = loadstring(text, "=file")
  if not fn then return nil end
  local lines, set, list = {}, {}, {}
  look_at(fn, lines, set)
  for _, branch in pairs(set) do list[#list + 1] = branch end
  table.sort(list, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  return { lines = lines, branches = list }
end

-- ---- what ran ---------------------------------------------------------------------------------------------

function coverage.start() core.cover(true) end

local function read(path)
  local file = io.open(path, "r")
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

local function file_of(path, edges)
  local text = read(path)
  local could = text and possible(text)
  if not could then return nil end
  local counts, taken = {}, {}
  for _, edge in ipairs(edges) do
    counts[edge.to] = (counts[edge.to] or 0) + edge.count
    local way = edge.from .. ":" .. edge.to
    taken[way] = (taken[way] or 0) + edge.count
  end
  local file = { path = path, text = text, lines = {}, branches = {}, found = 0, hit = 0,
    branchesFound = 0, branchesHit = 0 }
  for line in pairs(could.lines) do
    file.lines[line] = counts[line] or 0
    file.found, file.hit = file.found + 1, file.hit + (counts[line] and 1 or 0)
  end
  for i, branch in ipairs(could.branches) do
    local count = taken[branch[1] .. ":" .. branch[2]]
    file.branches[i] = { from = branch[1], to = branch[2], count = count or 0 }
    file.branchesFound, file.branchesHit = file.branchesFound + 1, file.branchesHit + (count and 1 or 0)
  end
  return file
end

-- The files of policies that ran, in order; not those that moonpool brings with it.
function coverage.files()
  local by_path, found, list = {}, {}, {}
  local own = core.home() .. "/policies/"
  for _, edge in ipairs(core.covered()) do
    local path = paths.absolute(edge.path):gsub("/%./", "/") -- explore{} and run{} may name one file in two ways
    if path:sub(1, #own) ~= own then
      if not by_path[path] then
        by_path[path] = {}
        found[#found + 1] = path
      end
      table.insert(by_path[path], edge)
    end
  end
  table.sort(found)
  for _, path in ipairs(found) do list[#list + 1] = file_of(path, by_path[path]) end
  return list
end

-- ---- told -------------------------------------------------------------------------------------------------

local function sorted_lines(file)
  local list = {}
  for line in pairs(file.lines) do list[#list + 1] = line end
  table.sort(list)
  return list
end

function coverage.lcov(files)
  local out = {}
  local function add(format, ...) out[#out + 1] = format:format(...) end
  for _, file in ipairs(files) do
    add("TN:")
    add("SF:%s", file.path)
    for i, branch in ipairs(file.branches) do
      add("BRDA:%d,0,%d,%s", branch.from, i - 1, file.lines[branch.from] == 0 and "-" or tostring(branch.count))
    end
    add("BRF:%d", file.branchesFound)
    add("BRH:%d", file.branchesHit)
    for _, line in ipairs(sorted_lines(file)) do add("DA:%d,%d", line, file.lines[line]) end
    add("LF:%d", file.found)
    add("LH:%d", file.hit)
    add("end_of_record")
  end
  return table.concat(out, "\n") .. (#out > 0 and "\n" or "")
end

local function percent(part, whole) return whole == 0 and "-" or ("%.0f %%"):format(100 * part / whole) end

-- The source with how often each line ran; before what did not run stands "#####", and "?" before a line from which
-- some way was not gone, which is said behind it.
function coverage.marked(files)
  local out = {}
  local function add(format, ...) out[#out + 1] = format:format(...) end
  for _, file in ipairs(files) do
    add("%s: %d of %d lines (%s), %d of %d branches (%s)", file.path, file.hit, file.found,
      percent(file.hit, file.found), file.branchesHit, file.branchesFound,
      percent(file.branchesHit, file.branchesFound))
    local missing = {}
    for _, branch in ipairs(file.branches) do
      if branch.count == 0 and file.lines[branch.from] > 0 then
        missing[branch.from] = (missing[branch.from] and missing[branch.from] .. ", " or "") .. branch.to
      end
    end
    local number = 0
    for line in (file.text .. (file.text:sub(-1) == "\n" and "" or "\n")):gmatch "(.-)\n" do
      number = number + 1
      local count = file.lines[number]
      local mark = count == nil and "" or count == 0 and "#####" or tostring(count)
      add("%9s %s %4d  %s%s", mark, missing[number] and "?" or " ", number, line,
        missing[number] and "    -- never to line " .. missing[number] or "")
    end
  end
  return table.concat(out, "\n")
end

return coverage
