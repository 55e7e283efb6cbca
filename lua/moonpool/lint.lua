-- SPDX-License-Identifier: Apache-2.0
-- Looks over the code of a policy without running it: names that nobody knows, comparisons that can never be true,
-- options that are declared and not read. It reads what LuaJIT made of the text, so what it says about a line is so.
-- Anything that may be right is not told.
local chunk = require "moonpool.chunk"
local nearest = require "moonpool.nearest"
local util = require "jit.util"

local lint = {}

local band, rshift = bit.band, bit.rshift
local funcbc, funcinfo, funck = util.funcbc, util.funcinfo, util.funck

-- The numbers of instructions, as this LuaJIT has them: from texts whose code is known.
local function opcode(text, pc) return band(funcbc(loadstring(text), pc), 0xff) end
local GGET, GSET = opcode("return x", 1), opcode("x = 1", 2)
local TGETS, TGETV = opcode("local a = ... return a.b", 2), opcode("local a, b = ... return a[b]", 2)
local TSETS, FNEW = opcode("local a, b = ... a.b = b", 2), opcode("return function() end", 1)
local TNEW, TDUP = opcode("return {}", 1), opcode("return {1}", 1)
local CAT = opcode("local a, b = ... return a .. b", 4)
local ISNES, ISEQS = opcode("local a = ... if a == 'x' then return end", 2),
  opcode("local a = ... if a ~= 'x' then return end", 2)
local MODE_DESTINATION = band(select(2, funcbc(loadstring "return x", 1)), 7)

-- Numbers that look as if they were names, and what to write.
local NUMBERS = {
  tag = "tags.%s", keyspaceId = "keyspaces.%s", consistency = "%s, without quotes", code = "%s, without quotes",
  writeType = "%s, without quotes", dcId = "host:inDc %q", rackId = "the rack's number",
}

-- Calls fn(proto, pc, op, a, b, c, d) for each instruction of a function, and of those inside it.
local function each(proto, fn)
  for pc = 1, funcinfo(proto).bytecodes - 1 do
    local ins = funcbc(proto, pc)
    local op, d = band(ins, 0xff), rshift(ins, 16)
    fn(proto, pc, op, band(rshift(ins, 8), 0xff), rshift(ins, 24), band(d, 0xff), d)
    if op == FNEW then each(funck(proto, -d - 1), fn) end
  end
end

local function text_of(proto, number) return funck(proto, -number - 1) end
local function line_of(proto, pc) return funcinfo(proto, pc).currentline end

-- The functions that the file puts into its policy, by the key: { plan = proto, check = proto }.
local function parts_of(main)
  local in_slot, parts = {}, {}
  for pc = 1, funcinfo(main).bytecodes - 1 do
    local ins = funcbc(main, pc)
    local op, a, d = band(ins, 0xff), band(rshift(ins, 8), 0xff), rshift(ins, 16)
    if op == FNEW then in_slot[a] = funck(main, -d - 1) end
    if op == TSETS then
      local key = text_of(main, band(d, 0xff))
      if in_slot[a] then parts[key] = in_slot[a] end
    end
  end
  return parts
end

-- Is the parameter still what the caller gave when it is read?
local function is_kept(proto, slot)
  for pc = 1, funcinfo(proto).bytecodes - 1 do
    local ins, mode = funcbc(proto, pc)
    if band(mode, 7) == MODE_DESTINATION and band(rshift(ins, 8), 0xff) == slot then return false end
  end
  return true
end

local TOLD_MAX = 20 -- problems of one text, and as many warnings

-- A list of { line, message } and the function that adds to it: tell(line, message), and tell(line, message, name,
-- known) when the name may be meant for one of those that are known.
local function new_list()
  local list, more = {}, 0
  return list, function(line, message, name, known)
    if #list >= TOLD_MAX then
      more = more + 1
      local first = list[TOLD_MAX + 1]
      list[TOLD_MAX + 1] = { line = first and first.line or line, message = ("and %d more like these"):format(more) }
    else
      list[#list + 1] = { line = line, message = message .. nearest.hint(name, known) }
    end
  end
end

-- Names that are nobody's: an error as soon as that line runs.
local function names(main, facts, tell)
  each(main, function(proto, pc, op, _, _, _, d)
    if op == GSET then
      local name = text_of(proto, d)
      tell(line_of(proto, pc), ("'%s' is not declared: write `local %s`"):format(name, name))
    elseif op == GGET and not facts.words[text_of(proto, d)] then
      local name = text_of(proto, d)
      tell(line_of(proto, pc), ("unknown name '%s'"):format(name), name, facts.words)
    end
  end)
end

local PARAMETERS = {
  balance = { { "plan", "plan" }, { "req", "a request" } }, retry = { { "err", "an error" }, { "err", "an error" } },
  speculate = { { "req", "a request" } }, reconnect = { { "try", "a try" } },
}

-- Fields of what the function gets that there are not.
local function fields(kind, entry, facts, tell)
  for i, parameter in ipairs(PARAMETERS[kind] or {}) do
    local known, slot = facts.fields[parameter[1]], i - 1
    if known and is_kept(entry, slot) then
      for pc = 1, funcinfo(entry).bytecodes - 1 do
        local ins = funcbc(entry, pc)
        local name = band(ins, 0xff) == TGETS and rshift(ins, 24) == slot
          and text_of(entry, band(rshift(ins, 16), 0xff))
        if name and not known[name] then
          tell(line_of(entry, pc), ("%s has no field '%s'"):format(parameter[2], name), name, known)
        end
      end
    end
  end
end

local function comparisons(main, tell)
  local number -- the field that the instruction before read, and where it put it
  each(main, function(proto, pc, op, a, _, c, d)
    if (op == ISEQS or op == ISNES) and number and number.slot == a and number.proto == proto then
      local name = text_of(proto, d)
      tell(line_of(proto, pc), ("%s is a number and never equal to a text: compare with %s"):format(number.field,
        NUMBERS[number.field]:format(name)))
    end
    local field = op == TGETS and text_of(proto, c)
    number = NUMBERS[field or ""] and { proto = proto, slot = a, field = field } or nil
  end)
end

-- Options that nobody reads, and those that are read and not declared.
local function options(main, parts, kind, facts, tell)
  local read, is_open = {}, false
  each(main, function(proto, _, op, _, _, c, d)
    if op == TGETS and proto ~= parts.check then read[text_of(proto, c)] = true end
    if op == TGETV then is_open = true end
    local name = op == GGET and text_of(proto, d)
    if name == "pairs" or name == "next" then is_open = true end
  end)
  for name in pairs(facts.options) do
    if name ~= "childPolicy" and not read[name] and not is_open then
      tell(nil, ("options.%s is declared and never read"):format(name))
    end
  end
  local entry, slot = parts[facts.entry], #(PARAMETERS[kind] or {})
  if kind == "speculate" then slot = 2 end
  if not entry or not PARAMETERS[kind] or not is_kept(entry, slot) then return end
  for pc = 1, funcinfo(entry).bytecodes - 1 do
    local ins = funcbc(entry, pc)
    local name = band(ins, 0xff) == TGETS and rshift(ins, 24) == slot and text_of(entry, band(rshift(ins, 16), 0xff))
    if name and not facts.options[name] then
      tell(line_of(entry, pc), ("options.%s is not declared, so it is nil"):format(name), name, facts.options)
    end
  end
end

local MAKERS = {
  [FNEW] = "a function is made for each request", [TNEW] = "a table is made for each request",
  [TDUP] = "a table is made for each request", [CAT] = "a text is put together for each request",
}

-- Where the memory goes that a policy was seen to take.
local function makers(entry, tell)
  for pc = 1, funcinfo(entry).bytecodes - 1 do
    local what = MAKERS[band(funcbc(entry, pc), 0xff)]
    if what then tell(line_of(entry, pc), what) end
  end
end

-- `facts`: what core.checkPolicy tells of the file's words; `bytes`: what a call was seen to take. Two lists of
-- { line, message }: problems, which are errors as soon as their line runs, and warnings. The line may be missing.
function lint.policy(kind, text, facts, bytes)
  local problems, problem = new_list()
  local warnings, warning = new_list()
  local main = assert(chunk.compile(text, "policy"))
  local parts = parts_of(main)
  names(main, facts, problem)
  if parts[facts.entry] then fields(kind, parts[facts.entry], facts, problem) end
  comparisons(main, warning)
  options(main, parts, kind, facts, warning)
  if bytes > 0 and parts[facts.entry] then makers(parts[facts.entry], warning) end
  return problems, warnings
end

return lint
