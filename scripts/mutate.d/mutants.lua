-- SPDX-License-Identifier: Apache-2.0
-- Small mistakes that could be made in a C file. A mutant is { line, from, to, first, last }: the bytes first..last of
-- the text, which stand in that line, read `from` and would read `to`. Comments, strings and directives are left alone,
-- and no mutant adds or takes a line, so that line numbers in messages stay.
local mutants = {}

-- The text with all that is no code made blank, byte for byte.
local function blanked(text)
  local function blank(part) return (part:gsub("[^\n]", " ")) end
  local out, at = {}, 1
  while at <= #text do
    local from, to
    local starts = text:sub(at, at + 1)
    if starts == "//" then from, to = at, (text:find("\n", at, true) or #text + 1) - 1
    elseif starts == "/*" then from, to = at, select(2, text:find("*/", at + 2, true)) or #text
    elseif text:find('^["\']', at) then
      local quote, last = text:sub(at, at), at + 1
      while text:sub(last, last) ~= quote and last <= #text do
        last = last + (text:sub(last, last) == "\\" and 2 or 1)
      end
      from, to = at, last
    elseif text:find("^#", at) and text:sub(1, at - 1):find "[^\n]*$" and
      not text:sub(1, at - 1):match("[^\n]*$"):find "%S" then
      to = at
      repeat
        local stop = text:find("\n", to + 1, true) or #text + 1
        local continued = text:sub(stop - 1, stop - 1) == "\\"
        to = continued and stop or stop - 1
      until not continued
      from = at
    end
    if from then
      out[#out + 1] = blank(text:sub(from, to))
      at = to + 1
    else
      out[#out + 1] = text:sub(at, at)
      at = at + 1
    end
  end
  return table.concat(out)
end

-- Operators that stand between blanks (the formatter sees to that), and what they would read.
local swaps = {
  ["<"] = { "<=", ">=" }, ["<="] = { "<", ">" }, [">"] = { ">=", "<=" }, [">="] = { ">", "<" },
  ["=="] = { "!=" }, ["!="] = { "==" }, ["&&"] = { "||" }, ["||"] = { "&&" },
  ["+"] = { "-" }, ["-"] = { "+" }, ["*"] = { "/" }, ["/"] = { "*" }, ["%"] = { "*" },
  ["&"] = { "|" }, ["|"] = { "&" }, ["<<"] = { ">>" }, [">>"] = { "<<" },
  ["+="] = { "-=", "=" }, ["-="] = { "+=", "=" }, ["|="] = { "=", "&=" }, ["&="] = { "=", "|=" },
}
local words = { ["true"] = { "false" }, ["false"] = { "true" }, ["break"] = { "continue" }, ["continue"] = { "break" } }

local function line_finder(text)
  local starts = { 1 }
  for at in text:gmatch "\n()" do starts[#starts + 1] = at end
  local line = 1
  return function(at) -- ever larger ones
    if starts[line] > at then line = 1 end
    while starts[line + 1] and starts[line + 1] <= at do line = line + 1 end
    return line
  end
end

-- All mutants of a C file's text, in the order of their places.
function mutants.of(text)
  local code = blanked(text)
  local line_of, list, depth_at = line_finder(text), {}, {}
  local depth = 0
  for i = 1, #code do
    local byte = code:sub(i, i)
    if byte == "{" then depth = depth + 1 elseif byte == "}" then depth = depth - 1 end
    depth_at[i] = depth
  end
  local function add(first, last, to)
    -- At depth 0 there are declarations and tables: their values count, their shapes do not.
    if depth_at[first] > 0 then
      list[#list + 1] = { line = line_of(first), first = first, last = last, from = text:sub(first, last), to = to }
    end
  end

  for first, operator, last in code:gmatch "%s()([<>=!&|+%-*/%%]+)()%s" do
    for _, to in ipairs(swaps[operator] or {}) do add(first, last - 1, to) end
  end
  for first, word, last in code:gmatch "%f[%w_]()([%a_][%w_]*)()" do
    for _, to in ipairs(words[word] or {}) do add(first, last - 1, to) end
  end
  for first, digits, last in code:gmatch "%f[%w_.]()(%d+)()%f[^%w_.]" do
    local number = tonumber(digits)
    if number then
      add(first, last - 1, tostring(number + 1))
      if number > 0 then add(first, last - 1, tostring(number - 1)) end
    end
  end
  for first, last in code:gmatch "()!()%f[%a_(]" do add(first, last - 1, " ") end
  for open in code:gmatch "%f[%w_]if ()%(" do
    local _, close = code:find("^%b()", open)
    if close and not text:sub(open, close):find("\n", 1, true) then
      add(open, close, "(!" .. text:sub(open, close) .. ")")
    end
  end
  for open in code:gmatch "%f[%w_]while ()%(" do
    local _, close = code:find("^%b()", open)
    if close and not text:sub(open, close):find("\n", 1, true) then add(open, close, "(0)") end
  end
  -- Statements that are left out: calls, assignments, increments; not declarations, returns or jumps.
  for first, statement in code:gmatch "\n[\t ]+()([%a_*(][^\n;{}]*;)" do
    local word = statement:match "^[%a_]+"
    local leaves = word == "return" or word == "goto" or word == "break" or word == "continue" or word == "case"
    local declares = statement:find "^[%a_][%w_]*%s+%*?[%a_]" or statement:find "^struct " or statement:find "^const "
    local acts = statement:find "^[%a_][%w_]*%(" or statement:find "[^=!<>]=[^=]" or statement:find "%+%+" or
      statement:find "%-%-"
    if acts and not leaves and not declares then add(first, first + #statement - 1, ";") end
  end
  for first, value in code:gmatch "%f[%w_]return ()([^\n;]+);" do
    if value ~= "0" then add(first, first + #value - 1, "0") end
  end
  table.sort(list, function(a, b)
    if a.first ~= b.first then return a.first < b.first end
    if a.last ~= b.last then return a.last < b.last end
    return a.to < b.to
  end)
  return list
end

-- The text with that mistake in it.
function mutants.apply(text, mutant)
  return text:sub(1, mutant.first - 1) .. mutant.to .. text:sub(mutant.last + 1)
end

return mutants
