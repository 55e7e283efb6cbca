-- SPDX-License-Identifier: Apache-2.0
-- A result: { rows = { ... } }, or its one row, or the bytes of its rows, while nobody has asked for the list. This
-- function of Lua's stands in front of the core's, so that compiled code finds the methods by itself.
local core = require "moonpool.core_loader"
local trace = require "moonpool.trace"

local field, row_of, page_values = core.resultField, core.resultRow, core.pageValues

local methods = { trace = trace.fetch }

-- result:first(): the first row, or nil
function methods.first(self)
  local rows = rawget(self, "rows")
  if rows then return rows[1] end
  return rawget(self, "_first") or row_of(self, 1)
end

-- result:row(i): one row, or nil. It does not make the others.
function methods.row(self, i)
  local rows = rawget(self, "rows")
  if rows then return rows[i] end
  return row_of(self, i)
end

local function after(self, i)
  local row = row_of(self, i + 1)
  if row then return i + 1, row end
end

local MOST = 100     -- columns of a row that one expression makes
local MOST_READ = 40 -- and of one whose values are results of one call

-- The names of a row's values as arguments, and the row as a table expression of them; nil: not of these. The arguments
-- are v1, v2, ..., or begin with `of`.
local function expressions(names, count, of)
  if count > MOST then return nil end
  local values, fields = {}, {}
  for i = 1, count do
    if type(names[i]) ~= "string" then return nil end -- the second column of a name stands under its place
    values[i] = (of or "v") .. i
    fields[i] = ("[%q] = %s"):format(names[i], values[i])
  end
  return table.concat(values, ", "), table.concat(fields, ", ")
end

-- A function of a row's values: `{ id = v1, name = v2 }` is made by copying a table that has the keys. With `at_once` a
-- function of the list, a place in it and the values of so many rows, which come there: one call for all of them.
local function row_maker(names, count, at_once)
  local values, fields = expressions(names, count)
  if not values then return nil end
  local text = "return function(%s) return { %s } end"
  if at_once then
    local all, places = { "rows", "i" }, {}
    for k = 1, at_once do
      all[k + 2], fields = expressions(names, count, "r" .. k .. "v")
      places[k] = ("rows[i + %d] = { %s }"):format(k - 1, fields)
    end
    values, fields, text = table.concat(all, ", "), table.concat(places, " "), "return function(%s) %s end"
  end
  local make = loadstring(text:format(values, fields))()
  jit.off(make) -- C calls it, and compiled code cannot return to C
  return make
end

-- The same of a result of one row, or without columns: what it keeps about its answer is the first argument. It holds
-- its row by itself: compiled code then makes no table but the row, while nobody keeps the result.
local function result_maker(names, count)
  local values, fields = expressions(names, count)
  if not values then return nil end
  local arguments, rows = "cost", ""
  if count > 0 then arguments, rows = "cost, " .. values, "_first = { " .. fields .. " }, " end
  local text = "local setmetatable, meta = ... return function(%s) return setmetatable({ %s_cost = cost }, meta) end"
  return loadstring(text:format(arguments, rows))(setmetatable, names[0])
end

-- An iterator over a page: C gives the values, and compiled code makes the tables. The first row is one table, however
-- it is asked for, and when all were made meanwhile the others are, too: those are C's to find.
local READER = [[
local values, row_of, rawget = ...
return function(result, i)
  i = i + 1
  local page = i > 1 and rawget(result, "_page")
  if page then
    local there, %s = values(page, i)
    if there then return i, { %s } end
    return nil
  end
  local row = row_of(result, i)
  if row then return i, row end
end]]

-- The iterator of a page's result, made once for its columns.
local function reader_of(self)
  local meta = getmetatable(self)
  local reader = meta.reader
  if reader == nil then
    local count = #meta[1]
    local values, fields = expressions(meta.names, count)
    reader = count <= MOST_READ and values and loadstring(READER:format(values, fields))(page_values, row_of, rawget)
    meta.reader = reader or after
  end
  return meta.reader
end

-- for i, row in result:each() do ... end: row by row, without making a list of them
function methods.each(self)
  return rawget(self, "_page") and reader_of(self) or after, self, 0
end

-- The list of a result that holds its one row by itself; nil: it is none.
local function list_of_one(self)
  local first = rawget(self, "_first")
  if first == nil or rawget(self, "_page") then return nil end
  local rows = { first }
  rawset(self, "rows", rows)
  return rows
end

local function index(self, key)
  return methods[key] or key == "rows" and list_of_one(self) or field(self, key)
end

core.onResult(index, row_maker, result_maker)

local result, taken = {}, core.answer

-- What the coroutine has waited for, as the first thing that it asks: result, nil | nil, err
function result.answer()
  local made, cost, a, b, c, d, e, f, g, h = taken()
  if made == nil or cost == nil then return made, cost end
  return made(cost, a, b, c, d, e, f, g, h), nil
end

return result
