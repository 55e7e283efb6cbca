-- SPDX-License-Identifier: Apache-2.0
-- Puts a fuel gauge into the text of a policy: a short reader of Lua's words inserts a tick wherever a loop or a call
-- can begin again (after `do`, `repeat` and a parameter list, before `goto`), on the same line, so that messages keep
-- their line numbers. A loop of any shape then runs dry, compiled or not.
local fuel = {}

-- What a policy must not name: the gauge and its refill live under names of this kind.
local RESERVED = "^__mp_"
local TICK = " __mp_fuel=__mp_fuel-1 if __mp_fuel<0 then __mp_fuel=__mp_more()end "

local byte, concat, find, sub = string.byte, table.concat, string.find, string.sub

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

local function skip_comment(text, at, drop)
  local long = byte(text, at + 2) == 91 and skip_long(text, at + 2)
  if long then return long end
  local stop = find(text, "\n", at, true) or #text + 1
  local other = find(text, "\r", at, true)
  if other and other < stop then stop = other end
  if drop then drop(at, stop) end
  return stop
end

local NAME, QUOTE, DIGIT = 1, 2, 3
local CLASS = { [byte "_"] = NAME, [byte '"'] = QUOTE, [byte "'"] = QUOTE }
for char in string.gmatch("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", ".") do CLASS[byte(char)] = NAME end
for code = 128, 255 do CLASS[code] = NAME end
for code = byte "0", byte "9" do CLASS[code] = DIGIT end

-- The next that begins with a character of `pattern`, from `at`: kind ("name", "sign", "other", nil at the end), its
-- text, where it begins, what comes behind it.
-- `drop`, if given, is told where a comment that ends with its line begins and where that line ends.
local function next_token(text, at, pattern, drop)
  while true do
    at = find(text, pattern, at)
    if not at then return nil end
    local code = byte(text, at)
    local class = CLASS[code]
    if class == NAME then
      local _, stop = find(text, "^[%w_\128-\255]+", at)
      return "name", sub(text, at, stop), at, stop + 1
    elseif class == QUOTE then
      local char = sub(text, at, at)
      return "other", char, at, skip_quoted(text, at, char)
    elseif class == DIGIT then
      local _, stop = find(text, "^%d[%w_]*", at)
      return "other", "0", at, stop + 1
    elseif code == 45 and byte(text, at + 1) == 45 then
      at = skip_comment(text, at, drop)
    else
      local long = code == 91 and skip_long(text, at)
      if long then return "other", "[", at, long end
      return "sign", sub(text, at, at), at, at + 1
    end
  end
end

local ANY = "%S"
local WORDS = "[%w_\128-\255\"'%[%-]" -- words, and what may have some inside that are none

local function line_of(text, at)
  local line = 1
  for _ in string.gmatch(sub(text, 1, at - 1), "\n") do line = line + 1 end
  return line
end

-- Behind the `)` of the parameter list that follows a `function` at `at`.
local function skip_parameters(text, at)
  while true do
    local kind, word, _, behind = next_token(text, at, ANY)
    if not kind then return at end
    if kind == "name" and find(word, RESERVED) then return at end
    if word == ")" then return behind end
    at = behind
  end
end

local LOOPS = { ["while"] = true, ["for"] = true, ["repeat"] = true, ["goto"] = true }

-- The text with ticks and without comments, the line of its first loop (nil without one), and which of `words` (a set)
-- it names, as a list in the order of their first use; or nil and a message "line: why".
function fuel.inject(text, words)
  local out, copied, at = {}, 1, 1
  local used, seen = {}, {}
  local first_loop
  local function insert(before)
    out[#out + 1] = sub(text, copied, before - 1)
    out[#out + 1] = TICK
    copied = before
  end
  local function drop(from, to)
    out[#out + 1] = sub(text, copied, from - 1)
    copied = to
  end
  while true do
    local kind, word, start, behind = next_token(text, at, WORDS, drop)
    if not kind then break end
    at = behind
    if kind == "name" then
      if byte(word) == 95 and find(word, RESERVED) then
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
        if next_token(text, behind, ANY) == "name" then insert(start) end
      elseif word == "function" then
        at = skip_parameters(text, behind)
        insert(at)
      end
    end
  end
  out[#out + 1] = sub(text, copied)
  return concat(out), first_loop, used
end

-- The text as a chunk whose environment has __mp_more, the refill function, and the words. They become locals that
-- nobody assigns to: constants to the compiler.
function fuel.complete(injected, used)
  local locals = #used == 0 and "__mp_more" or "__mp_more," .. concat(used, ",")
  return "local " .. locals .. "=" .. locals .. " local __mp_fuel=0 " .. injected
end

return fuel
