-- SPDX-License-Identifier: Apache-2.0
-- Tables for people: a head, and a line for each row, as wide as what stands in them. Numbers stand at the right.
local columns = {}

local function shown(value)
  if value == nil then return "" end
  if type(value) ~= "number" or value == math.floor(value) then return (tostring(value):gsub("%c", " ")) end
  return ("%.3f"):format(value)
end
columns.shown = shown

-- Letters, not bytes.
local function width_of(text) return #text:gsub("[\128-\191]", "") end
columns.width_of = width_of

--- Lists of texts as lines, as wide as what stands in them; under the first one a rule if it is a `head`.
function columns.lines(list, head)
  local widths, out = {}, {}
  for _, line in ipairs(list) do
    for i, text in ipairs(line) do widths[i] = math.max(widths[i] or 0, width_of(text)) end
  end
  for n, line in ipairs(list) do
    local parts = {}
    for i, text in ipairs(line) do parts[i] = text .. (" "):rep(widths[i] - width_of(text)) end
    out[#out + 1] = (table.concat(parts, "  "):gsub("%s+$", ""))
    if n == 1 and head then
      local rule = {}
      for i in ipairs(line) do rule[i] = ("-"):rep(widths[i]) end
      out[#out + 1] = table.concat(rule, "  ")
    end
  end
  return table.concat(out, "\n")
end

--- Prints `rows` with columns `{ title, key or function(row) }`; a column that is empty in all rows is left out, unless
--- it is `always` there.
function columns.print(rows, given)
  local cells, widths, is_number, is_used = {}, {}, {}, {}
  for c, column in ipairs(given) do
    widths[c], is_number[c], is_used[c] = width_of(column[1]), true, column.always or #rows == 0
  end
  for r, row in ipairs(rows) do
    cells[r] = {}
    for c, column in ipairs(given) do
      local value
      if type(column[2]) == "function" then value = column[2](row) else value = row[column[2]] end
      local text = shown(value)
      cells[r][c] = text
      widths[c] = math.max(widths[c], width_of(text))
      is_number[c] = is_number[c] and (type(value) == "number" or text == "")
      is_used[c] = is_used[c] or text ~= ""
    end
  end
  local function line(texts)
    local parts = {}
    for c in ipairs(given) do
      if is_used[c] then
        local space = (" "):rep(widths[c] - width_of(texts[c]))
        parts[#parts + 1] = is_number[c] and space .. texts[c] or texts[c] .. space
      end
    end
    print((table.concat(parts, "  "):gsub("%s+$", "")))
  end
  local titles = {}
  for c, column in ipairs(given) do titles[c] = column[1] end
  line(titles)
  for _, texts in ipairs(cells) do line(texts) end
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end
columns.sorted = sorted

local function text_of(value)
  if type(value) ~= "table" then return shown(value) end
  local parts = {}
  if #value > 0 then
    for i, item in ipairs(value) do parts[i] = text_of(item) end
  else
    for i, key in ipairs(sorted(value)) do parts[i] = key .. " = " .. text_of(value[key]) end
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function is_rows(value)
  if type(value) ~= "table" or #value == 0 then return false end
  for _, row in ipairs(value) do
    if type(row) ~= "table" or #row > 0 or next(row) == nil then return false end
  end
  return true
end

--- Prints any data: rows as a table, fields as lines, all else as a text.
function columns.value(value)
  if type(value) == "table" and is_rows(value.rows) then value = value.rows end
  if is_rows(value) then
    local keys, list = {}, {}
    for _, row in ipairs(value) do
      for key in pairs(row) do keys[key] = true end
    end
    for i, key in ipairs(sorted(keys)) do
      list[i] = { tostring(key), function(row) return type(row[key]) == "table" and text_of(row[key]) or row[key] end,
        always = true }
    end
    columns.print(value, list)
  elseif type(value) == "table" and #value == 0 and next(value) ~= nil then
    for _, key in ipairs(sorted(value)) do print(("%-24s %s"):format(tostring(key), text_of(value[key]))) end
  else
    print(text_of(value))
  end
end

return columns
