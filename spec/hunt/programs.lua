-- SPDX-License-Identifier: Apache-2.0
-- Random Lua for the fuel gauge (spec/hunt/gauge.lua): programs that are good Lua nearly always, with loops of all
-- shapes, gotos, recursion, and texts that are put together; and words in a row that hardly ever are.
local programs = {}

local NAMES = { "a", "b", "c", "goto", "t", "again" }
local LABELS = { "x", "y", "z", "goto", "again" }
local TEXTS = { '"x"',
  "'goto x'", "[[do ::x:: end]]", '"\\\n"', '"\\z \n  end"', "[==[ ]] --[[ ]==]", '"\\""', "'\\'::x::'" }
local NUMBERS = { "1", "2", "0x1p1", "3.5", ".5e1", "0", "7", "1e1", "0xa" }
local GAPS = { " ", " ", " ", "\n", "\t", " --[[ do ]] ", " -- while\n", " --[==[\nend]==] ", "\r\n", " -- ::x::\r" }
local OPERATORS = { "+", "-", "*", "%", "..", "..", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or", "^", "/" }

local function maker(r)
  local self = { depth = 0, labels = 0, loops = 0, visible = {} }
  local expression, block

  local function name() return r.pick(NAMES) end
  local function gap() return r.pick(GAPS) end

  local function list(make, most)
    local parts = {}
    for i = 1, 1 + r.below(most) do parts[i] = make() end
    return table.concat(parts, "," .. gap())
  end

  local function body(varargs)
    local parameters = r.chance(3) and "" or list(name, 2)
    if varargs and r.chance(2) then parameters = parameters == "" and "..." or parameters .. ", ..." end
    local loops, visible = self.loops, self.visible
    self.loops, self.visible = 0, {}
    local made = "(" .. parameters .. ")" .. gap() .. block() .. gap() .. "end"
    self.loops, self.visible = loops, visible
    return made
  end

  local atoms = {
    name, name, name, name, function() return r.pick(NUMBERS) end, function() return r.pick(NUMBERS) end,
    function() return r.pick(TEXTS) end, function() return "nil" end, function() return "true" end,
    function() return "#" .. r.pick(TEXTS) end, function() return "(" .. name() .. ")" end,
    function() return "probe(" .. name() .. ")" end,
    function() return name() .. "." .. name() end,
  }
  local compounds = {
    function() return expression() .. " " .. r.pick(OPERATORS) .. gap() .. expression() end,
    function() return expression() .. " .. " .. expression() .. gap() .. ".. " .. expression() end,
    function() return "(" .. expression() .. gap() .. ")" end,
    function() return r.pick { "not ", "-", "- -", "#" } .. expression() end,
    function() return "{" .. list(expression, 3) .. r.pick { "", ",", ";" } .. "}" end,
    function() return "{ " .. name() .. " = " .. expression() .. ", [" .. expression() .. "] = 1 }" end,
    function() return name() .. "(" .. list(expression, 2) .. ")" end,
    function() return name() .. r.pick(TEXTS) end,
    function() return name() .. ":" .. name() .. "(" .. list(expression, 2) .. ")" end,
    function() return name() .. "[" .. expression() .. "]" end,
    function() return "select('#'," .. gap() .. list(expression, 4) .. ")" end,
    function() return "function" .. body(true) end,
    function() return "probe(" .. expression() .. ")" end,
  }
  function expression()
    self.depth = self.depth + 1
    local made = (self.depth > 6 or r.chance(2)) and r.pick(atoms)() or r.pick(compounds)()
    self.depth = self.depth - 1
    return made
  end

  local function condition()
    return r.chance(3) and r.pick { "true", "n < 40", "n % 7 > 0", "not a" } or expression()
  end
  local function count() return "n = n + 1" .. gap() end

  local function turns()
    self.loops = self.loops + 1
    local made = block()
    self.loops = self.loops - 1
    return made
  end

  local statements = {
    function() return "local " .. list(name, 2) .. " = " .. list(expression, 2) end,
    function() return list(name, 2) .. " = " .. list(expression, 2) end,
    function() return name() .. "." .. name() .. " = " .. expression() end,
    function() return "probe(" .. expression() .. ")" end,
    function() return "probe(" .. list(expression, 3) .. ")" end,
    function() return name() .. "(" .. list(expression, 2) .. ")" end,
    function() return "while " .. condition() .. gap() .. "do " .. count() .. turns() .. gap() .. "end" end,
    function() return "repeat" .. gap() .. count() .. turns() .. gap() .. "until " .. condition() end,
    function()
      return "for " .. name() .. " = 1, " .. r.pick { "3", "40", "0", "1/0" } .. " do" .. gap() .. turns() .. " end"
    end,
    function() return "for _, " .. name() .. " in ipairs { 1, 2, 3 } do" .. gap() .. turns() .. " end" end,
    function()
      return "for _ in function() " .. count() .. "return " .. condition() .. " end do " .. turns() .. " end"
    end,
    function()
      return "if " .. condition() .. " then " .. block() .. gap() .. "elseif " .. condition() .. " then " .. block()
        .. " else" .. gap() .. block() .. " end"
    end,
    function() return "if " .. condition() .. " then " .. block() .. " end" end,
    function() return "do" .. gap() .. block() .. gap() .. "end" end,
    function() return "local function " .. name() .. body(true) end,
    function() return "function " .. name() .. body() end,
    function() return "function t." .. name() .. r.pick { "", "", ":m" }:gsub("^:m$", "") .. body() end,
    function()
      local label = r.pick(LABELS)
      local back = label == "goto" and "" or "if n < 30 then goto " .. label .. " end"
      return "do ::" .. label .. "::" .. gap() .. count() .. "do " .. block() .. " end" .. gap() .. back .. " end"
    end,
    function()
      if #self.visible == 0 then return "n = 1" end
      return "if " .. condition() .. " then " .. count() .. "goto " .. r.pick(self.visible) .. " end"
    end,
    function() return "do goto over local q ::over::" .. gap() .. r.pick { "", "::too::" } .. " end" end,
    function() return ("probe(n) "):rep(r.below(30)) end,
    function() return name() .. " = " .. name() .. "." .. "goto " .. name() .. "()" end,
  }
  function block()
    self.depth = self.depth + 1
    local parts, visible = {}, #self.visible
    for _ = 1, r.below(self.depth > 4 and 2 or 5) do
      if r.chance(4) then
        self.labels = self.labels + 1
        self.visible[#self.visible + 1] = "l" .. self.labels
        parts[#parts + 1] = "::l" .. self.labels .. "::"
      end
      parts[#parts + 1] = r.pick(statements)() .. (r.chance(8) and ";" or "")
    end
    if r.chance(6) then
      parts[#parts + 1] = r.pick { "return " .. expression(), "return", "do return end",
        self.loops > 0 and "break" or "return" }
    end
    for i = #self.visible, visible + 1, -1 do self.visible[i] = nil end
    self.depth = self.depth - 1
    return table.concat(parts, gap())
  end
  return block
end

-- A text; `probe` and `n` are its world beside the names.
function programs.program(r)
  local block = maker(r)
  local parts = { "local n, a, b, c, t, again, goto = 0, 1, 'x', 2, {}, print, {}" }
  for i = 1, 1 + r.below(4) do parts[i + 1] = "do " .. block() .. "\nend" end
  return table.concat(parts, "\n")
end

local WORDS = { "goto", "goto x", "::x::", "::", "x", "y", "do", "end", "while", "repeat", "until", "for", "in", "if",
  "then", "else", "elseif", "function", "local", "return", "break", "and", "or", "not", "nil", "true", "=", ",", ";",
  "(", ")", "{", "}", "[", "]", ".", ":", "..", "...", "+", "-", "#", "^", "==", "~=", "<", "1", "0x", "1e", "'s'",
  '"', "'", "[[", "]]", "--", "--[[", "--[==[", "]==]", "\\", "\n", "\r", "x.goto", "x = 1", "f()", "(f)()",
  "\239\187\191", "__mp_fuel", "\0", "\27", "#", "t. goto x", "\128", "[=", "3..2", "~", "!", "@", "\\z" }

function programs.words(r)
  local parts = {}
  for i = 1, 1 + r.below(r.chance(8) and 300 or 14) do parts[i] = r.pick(WORDS) end
  return table.concat(parts, r.chance(3) and "" or " ")
end

-- A text with some of its words gone, doubled, changed or moved.
function programs.changed(r, text)
  local words = {}
  for word in text:gmatch "[%w_]*[^%w_]?" do words[#words + 1] = word end
  for _ = 1, 1 + r.below(3) do
    local at = 1 + r.below(#words)
    local way = r.below(4)
    if way == 0 then
      table.remove(words, at)
    elseif way == 1 then
      table.insert(words, at, words[at])
    elseif way == 2 then
      table.insert(words, at, " " .. r.pick(WORDS) .. " ")
    else
      local other = 1 + r.below(#words)
      words[at], words[other] = words[other], words[at]
    end
    if #words == 0 then return "" end
  end
  return table.concat(words)
end

return programs
