-- SPDX-License-Identifier: Apache-2.0
-- Puts a fuel gauge into the text of a policy: a short reader of Lua's words inserts a tick wherever a loop or a call
-- can begin again (after `do`, `repeat` and a parameter list, before `goto`), on the same line, so that messages keep
-- their line numbers. A loop of any shape then runs dry, compiled or not.
local fuel = {}

-- What a policy must not name: the gauge and its refill live under names of this kind.
local RESERVED = "^__mp_"
local TICK = " __mp_fuel=__mp_fuel-1 if __mp_fuel<0 then __mp_fuel=__mp_more()end "

local concat, find, sub = table.concat, string.find, string.sub

-- The position behind the long bracket that begins at `at`, or nil when none begins there.
local function skip_long(text, at)
  local _, stop, level = find(text, "^%[(=*)%[", at)
  if not stop then return nil end
  local _, close = find(text, "]" .. level .. "]", stop + 1, true)
  return (close or #text) + 1
end

local function skip_quoted(text, at, quote)
  local pos = at + 1
  while true do
    local hit = find(text, "[\\\n\r" .. quote .. "]", pos)
    if not hit then return #text + 1 end
    local char = sub(text, hit, hit)
    if char == quote then return hit + 1 end
    if char ~= "\\" then return hit end
    local _, escape = find(text, "^\\z%s*", hit)
    if not escape then _, escape = find(text, "^\\\r\n", hit) end
    if not escape then _, escape = find(text, "^\\\n\r", hit) end
    pos = (escape or hit + 1) + 1
  end
end

local function skip_comment(text, at)
  local long = skip_long(text, at + 2)
  if long then return long end
  return (find(text, "[\n\r]", at) or #text) + 1
end

-- The next word or sign from `at`: kind ("name", "sign", "other", nil at the end), its text, where it begins, what
-- comes behind it.
local function next_token(text, at)
  while true do
    at = find(text, "[^%s]", at)
    if not at then return nil end
    if sub(text, at, at + 1) ~= "--" then break end
    at = skip_comment(text, at)
  end
  local _, stop = find(text, "^[%a_\128-\255][%w_\128-\255]*", at)
  if stop then return "name", sub(text, at, stop), at, stop + 1 end
  local char = sub(text, at, at)
  if char == '"' or char == "'" then return "other", char, at, skip_quoted(text, at, char) end
  local long = char == "[" and skip_long(text, at)
  if long then return "other", char, at, long end
  _, stop = find(text, "^%.?%d[%w_]*", at)
  if stop then return "other", char, at, stop + 1 end
  return "sign", char, at, at + 1
end

local function line_of(text, at)
  local line = 1
  for _ in string.gmatch(sub(text, 1, at - 1), "\n") do line = line + 1 end
  return line
end

-- Behind the `)` of the parameter list that follows a `function` at `at`.
local function skip_parameters(text, at)
  while true do
    local kind, word, _, behind = next_token(text, at)
    if not kind then return at end
    if kind == "name" and find(word, RESERVED) then return at end
    if word == ")" then return behind end
    at = behind
  end
end

local LOOPS = { ["while"] = true, ["for"] = true, ["repeat"] = true, ["goto"] = true }

-- The text with ticks, the line of its first loop (nil without one), and which of `words` (a table) it names, as a list
-- in the order of their first use; or nil and a message "line: why".
function fuel.inject(text, words)
  local out, copied, at = {}, 1, 1
  local used, seen = {}, {}
  local first_loop
  local function insert(before)
    out[#out + 1] = sub(text, copied, before - 1)
    out[#out + 1] = TICK
    copied = before
  end
  while true do
    local kind, word, start, behind = next_token(text, at)
    if not kind then break end
    at = behind
    if kind == "name" then
      if find(word, RESERVED) then
        return nil, line_of(text, start) .. ": names that begin with __mp_ are moonpool's own"
      end
      if words and words[word] and not seen[word] then
        seen[word] = true
        used[#used + 1] = word
      end
      if LOOPS[word] then first_loop = first_loop or line_of(text, start) end
      if word == "do" or word == "repeat" then
        insert(behind)
      elseif word == "goto" then
        if next_token(text, behind) == "name" then insert(start) end
      elseif word == "function" then
        at = skip_parameters(text, behind)
        insert(at)
      end
    end
  end
  out[#out + 1] = sub(text, copied)
  return concat(out), first_loop, used
end

-- The text as one chunk: called with the refill function and the values of `used`, it runs the policy's file and
-- returns what the file returns. The words become locals that nobody assigns to: constants to the compiler.
-- The file is compiled alone before, so it cannot end the inner function early.
function fuel.wrap(injected, used)
  local locals = #used == 0 and "" or "," .. concat(used, ",")
  return "local __mp_more" .. locals .. " = ... local __mp_fuel = 0 return (function() " .. injected .. "\nend)()"
end

return fuel
