-- SPDX-License-Identifier: Apache-2.0
-- The fuel gauge against random texts. Of every text that LuaJIT takes: the gauge takes it, too; in the code that
-- LuaJIT makes of the ticked text there is no way round that passes no tick; it comes to its end when the fuel does;
-- and while there is fuel it does what the plain text does, also in its errors and their lines.
local fuel = require "spec.support.gauge"
local programs = require "spec.hunt.programs"
local random = require "spec.hunt.random"
local util = require "jit.util"
local vmdef = require "jit.vmdef"

local gauge = { suite = 40 }

local TEXTS = 25 -- of a seed
local SLICE, SLICES = 16, 200
local TEXT_MAX = 65536

local band, rshift = bit.band, bit.rshift

-- ---- the code ---------------------------------------------------------------------------------------------

local function set(text)
  local made = {}
  for word in text:gmatch "%S+" do made[word] = true end
  return made
end

local BRANCHES = set "ISLT ISGE ISLE ISGT ISEQV ISNEV ISEQS ISNES ISEQN ISNEN ISEQP ISNEP ISTC ISFC IST ISF"
local ENDS = set "RETM RET RET0 RET1 CALLT CALLMT"
local JUMPS = set "JMP UCLO ISNEXT"
local LOOPS = set "FORI FORL IFORL ITERL IITERL"
local JUMP_MODE = 13 * 128

local function opcode(ins)
  local at = band(ins, 0xff) * 6
  return (vmdef.bcnames:sub(at + 1, at + 6):gsub(" ", ""))
end

-- What may run after the instruction.
local function after(proto, pc)
  local ins, mode = util.funcbc(proto, pc)
  local op = opcode(ins)
  local target = band(mode, 15 * 128) == JUMP_MODE and pc + rshift(ins, 16) - 0x7fff
  if ENDS[op] then return {} end
  if JUMPS[op] then return { target } end
  if LOOPS[op] then return { pc + 1, target } end
  if BRANCHES[op] then return { pc + 1, pc + 2 } end
  return { pc + 1 }
end

local function is_tick(proto, pc)
  local ins = util.funcbc(proto, pc)
  return opcode(ins) == "USETV" and util.funcuvname(proto, band(rshift(ins, 8), 0xff)) == "__mp_fuel"
end

-- The line of a way round without a tick, or nil. A depth-first walk with its own stack.
local function way_round(proto)
  local state, stack = {}, { 1 }
  while #stack > 0 do
    local pc = stack[#stack]
    if state[pc] then
      state[pc] = "left"
      stack[#stack] = nil
    else
      state[pc] = "entered"
      for _, to in ipairs(is_tick(proto, pc) and {} or after(proto, pc)) do
        if state[to] == "entered" then return util.funcinfo(proto, pc).currentline end
        if not state[to] then stack[#stack + 1] = to end
      end
    end
  end
end

-- The inner functions of a function, itself first.
local function functions_of(proto, list)
  list[#list + 1] = proto
  for pc = 1, util.funcinfo(proto).bytecodes - 1 do
    local ins = util.funcbc(proto, pc)
    if opcode(ins) == "FNEW" then functions_of(util.funck(proto, -rshift(ins, 16) - 1), list) end
  end
  return list
end

local TICK_PC = 3 -- UGET, SUBVN, USETV

local function without_tick(text)
  local main = loadstring("local __mp_more,__mp_fit,__mp_key,__mp_fuel return function(...) " .. text .. "\nend", "=p")
  if not main then return nil end -- one level deeper is one too many
  for i, proto in ipairs(functions_of(main, {})) do
    if i > 2 and not is_tick(proto, TICK_PC) then
      return "a function without a tick, line " .. util.funcinfo(proto).linedefined
    end
    local line = i > 1 and way_round(proto)
    if line then return "a way round without a tick, line " .. line end
  end
end

-- ---- running ----------------------------------------------------------------------------------------------

local HOOK_EVERY, HOOKS = 100000, 100

-- What the text did is added to `told`: the values that it showed, and the error that ended it. Whether it had to be
-- stopped.
local function run(chunk, told)
  local hooks, is_endless = 0, false
  jit.off(chunk, true)
  debug.sethook(function()
    hooks = hooks + 1
    if hooks > HOOKS then
      is_endless = true
      error("endless", 0)
    end
  end, "", HOOK_EVERY)
  local _, err = pcall(chunk)
  debug.sethook()
  told[#told + 1] = type(err) == "string" and err or type(err)
  return is_endless
end

local function world(told)
  local globals = { ipairs = ipairs, print = function() end, select = select }
  function globals.probe(...)
    for i = 1, math.min(select("#", ...), 4) do
      local value = select(i, ...)
      local kind = type(value)
      if #told < 5000 then
        told[#told + 1] = (kind == "number" or kind == "string") and tostring(value):sub(1, 80) or kind
      end
    end
    return ...
  end
  return globals
end

local function out_of(why) return function() error(why, 0) end end

local function run_ticked(text)
  local told, slices, ended = {}, 0, nil
  local function more()
    slices = slices + 1
    if slices > SLICES then
      ended = "fuel"
      error("out of fuel", 0)
    end
    return SLICE
  end
  local globals = world(told)
  local chunk, why = fuel.load(text, more, globals, "=p")
  if not chunk then return nil, why end
  getfenv(chunk).__mp_fit = function(made)
    if #made > TEXT_MAX then
      ended = "text"
      out_of "too long" ()
    end
    return made
  end
  return { told = told, is_endless = run(chunk, told), ended = ended }
end

local function run_plain(plain)
  local told = {}
  setfenv(plain, world(told))
  return { told = told, is_endless = run(plain, told) }
end

-- Of a text that is put together over several lines LuaJIT tells the line of the word that it reads next, which is
-- __mp_fit's end.
local function without_line(said)
  return type(said) == "string" and said:gsub("^p:%d+: (attempt to concatenate )", "%1") or said
end

local function differs(a, b)
  for i = 1, math.max(#a, #b) do
    if without_line(a[i]) ~= without_line(b[i]) then
      return ("it says %s where it said %s"):format(tostring(b[i]), tostring(a[i]))
    end
  end
end

-- ---- judging ----------------------------------------------------------------------------------------------

-- What is refused although it is good Lua.
local REFUSED = { "are moonpool's own$", "a text of more than", "does too much at once" }
-- What LuaJIT has too few of for a text with ticks.
local LIMITS = { "upvalues", "local variables", "syntax levels", "registers", "control structure too long" }

local function is_one_of(patterns, text)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
  return false
end

-- What is wrong with the gauge of this text, or nil; and whether it was taken.
function gauge.judge(text)
  local plain = loadstring(" " .. text, "=p")
  local out, why = fuel.inject(" " .. text)
  if not plain then return nil, false end
  if not out then
    return not is_one_of(REFUSED, why) and "good Lua is refused: " .. why or nil, false
  end
  local ticked, wrong = run_ticked(" " .. text)
  if not ticked then return not is_one_of(LIMITS, wrong) and "the ticked text is no Lua: " .. wrong or nil, false end
  local missing = without_tick(out)
  if missing then return missing, true end
  if ticked.is_endless then return "it does not end with its fuel", true end
  if ticked.ended then return nil, true end
  local difference = differs(run_plain(plain).told, ticked.told)
  return difference and "it means something else: " .. difference, true
end

local function text_of(r)
  local way = r.below(4)
  if way == 0 then return programs.words(r) end
  if way == 1 then return programs.changed(r, programs.program(r)) end
  return programs.program(r)
end

-- nil, or what was found and the text.
function gauge.run(seed)
  local r = random.new(seed)
  for _ = 1, TEXTS do
    local text = text_of(r)
    local found = gauge.judge(text)
    if found then return ("%s\n%s"):format(found, text) end
  end
end

return gauge
