-- SPDX-License-Identifier: Apache-2.0
-- `moonpool ctl eval`: Lua of an operator's in the application's state, with `pool`, `moonpool` and all that is global
-- there. It may not hold the loop, has a few seconds, and what it has begun ends with it (moonpool.detach hands over).
local chunk = require "moonpool.chunk"
local core = require "moonpool.core_loader"
local json = require "moonpool.cli.json"

local TURN_MS = 200 -- of computing without waiting
local LIMIT_MS = 10000
local MOST_ENTRIES, DEEPEST, MOST_PRINTED = 10000, 12, 65536

local evaluate = {}

-- ---- values as data ---------------------------------------------------------------------------------------

local function scalar(value)
  local kind = type(value)
  if kind == "string" or kind == "boolean" then return value end
  if kind == "number" then
    local is_finite = value == value and value ~= math.huge and value ~= -math.huge
    return is_finite and value or tostring(value)
  end
  return (tostring(value):gsub("^(%-?%d+)U?LL$", "%1"))
end

local function data_of(value, state, depth)
  if type(value) ~= "table" then return scalar(value) end
  if depth > DEEPEST or state.above[value] then return "(...)" end
  state.above[value] = true
  local copy, count = {}, 0
  for key, item in next, value do
    state.left = state.left - 1
    if state.left < 0 then error({ message = "more than " .. MOST_ENTRIES .. " entries: ask for less" }, 0) end
    count = count + 1
    copy[type(key) == "number" and key or tostring(key)] = data_of(item, state, depth + 1)
  end
  state.above[value] = nil
  return count > 0 and count == #copy and json.list(copy) or copy
end

local function collect(...)
  local list, state = json.list {}, { left = MOST_ENTRIES, above = {} }
  for i = 1, select("#", ...) do list[i] = data_of((select(i, ...)), state, 1) end
  return list
end

-- ---- running ----------------------------------------------------------------------------------------------

local function environment(pool, printed)
  local size = 0
  local own = { pool = pool, moonpool = require "moonpool" }
  function own.print(...)
    local parts = {}
    for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
    local line = table.concat(parts, "\t")
    size = size + #line + 1
    if size > MOST_PRINTED then error("more than " .. MOST_PRINTED .. " bytes are printed", 2) end
    printed[#printed + 1] = line
  end
  return setmetatable(own, { __index = _G, __newindex = _G })
end

-- An expression, or statements.
local function compile(text)
  local fn = chunk.compile("return " .. text, "eval")
  if fn then return fn end
  return chunk.compile(text, "eval")
end

-- Without a place in this file, where the text is called.
local function first_line(err)
  return (core.errorText(err):match("^[^\n]*"):gsub("^%S-evaluate%.lua:%d+: ", "eval:1: "))
end

--- What the text returns: { ok = true, values = list, output = list of lines }, or { ok = false, error, output }.
function evaluate.run(pool, text)
  local fn, why = compile(text)
  if not fn then return { ok = false, error = why } end
  local printed = json.list {}
  setfenv(fn, environment(pool, printed))
  jit.off(fn, true) -- what is compiled cannot be stopped
  local owner = core.owner()
  local future = core.within(owner, core.spawnLimited, TURN_MS, function() return true, collect(fn()) end)
  core.futureWatch(future)
  local till = core.now() + LIMIT_MS
  while not future:done() and core.now() < till do core.sleep(5) end
  local is_done = future:done()
  core.endOwner(owner, "the question was answered")
  if not is_done then
    return { ok = false, error = ("it has not ended within %d s"):format(LIMIT_MS / 1000), output = printed }
  end
  local ok, values = future:wait()
  if not ok then return { ok = false, error = first_line(values), output = printed } end
  return { ok = true, values = values, output = printed }
end

return evaluate
