-- SPDX-License-Identifier: Apache-2.0
-- Random values of random types, written by moonpool and read by the DataStax Python driver (values.py), and the other
-- way. Both sides tell a value in one text, by its meaning and not by its bytes.
--   codec(python, seed, count)   through the bytes of values alone: how many were compared, and how many the driver
--                                has no value for
--   rows(python, port, table, seed)   through the table: texts by key, of its rows and of as many that the driver adds
--   kinds(r, count, ddl)         random types for a table; users' types are made by ddl(cql)
--   text(kind, value)            the text of a value
local ffi = require "ffi"
local moonpool = require "moonpool"
local hex = require("spec.support.hex").hex
local random = require "spec.hunt.random"
local values = require "spec.hunt.values"

local differential = {}

-- ---- one text for each value ------------------------------------------------------------------------------

local bits = ffi.new "union { double number; uint8_t bytes[8]; }"
local float = ffi.typeof "float[1]"

local function real(value)
  if value ~= value then return "nan" end
  bits.number = value
  local list = {}
  for i = 7, 0, -1 do list[#list + 1] = ("%02x"):format(bits.bytes[i]) end
  return table.concat(list)
end

local function whole(value)
  if type(value) == "number" then value = ("%.0f"):format(value) end
  return (tostring(value):gsub("U?LL$", ""):gsub("^(-?)0+(%d)", "%1%2"):gsub("^-0$", "0"))
end

local function days(value)
  local a, b, c, d = moonpool.encode("date", value):byte(1, 4)
  return ("%.0f"):format(((a * 256 + b) * 256 + c) * 256 + d - 2 ^ 31)
end

local function letters(value) return "x" .. hex(value) end

local scalars = {
  boolean = function(v) return v and "t" or "f" end, double = real,
  float = function(v) return real(tonumber(float(v)[0])) end, decimal = values.number_parts,
  text = letters, ascii = letters, blob = letters, uuid = string.lower, timeuuid = string.lower,
  inet = function(v) return hex(moonpool.encode("inet", v)) end, date = days,
  duration = function(v)
    return ("%s/%s/%s"):format(whole(v.months or 0), whole(v.days or 0), whole(v.nanoseconds or 0))
  end,
}

local function list(kind, value, sorted)
  local out = {}
  for i, part in ipairs(value) do out[i] = differential.text(kind.children[1], part) end
  if not sorted then return "[" .. table.concat(out, ",") .. "]" end
  table.sort(out)
  local once = {}
  for _, part in ipairs(out) do if part ~= once[#once] then once[#once + 1] = part end end
  return "[" .. table.concat(once, ",") .. "]"
end

local twins -- a map with two keys of one text was told: the driver has one of them

local function map(kind, value)
  local out, keys = {}, {}
  for k, v in pairs(value) do
    local number = kind.children[1].name == "double" or kind.children[1].name == "float"
    if number and k == "-0" then k = -0.0 elseif number and k == "NaN" then k = 0 / 0 end
    local key = differential.text(kind.children[1], k)
    twins = twins or keys[key]
    keys[key] = true
    out[#out + 1] = key .. ":" .. differential.text(kind.children[2], v)
  end
  table.sort(out)
  return "{" .. table.concat(out, ",") .. "}"
end

local function parts(kind, value)
  local out = {}
  for i, child in ipairs(kind.children) do
    out[i] = differential.text(child, value[kind.fields and kind.fields[i] or i])
  end
  return "(" .. table.concat(out, ",") .. ")"
end

function differential.text(kind, value)
  if value == nil or value == moonpool.null then return "~" end
  local name = kind.name
  if name == "map" then return map(kind, value) end
  if kind.dimension or name == "list" or name == "set" then return list(kind, value, name == "set") end
  if name == "tuple" or name == "udt" then return parts(kind, value) end
  return (scalars[name] or whole)(value)
end

-- ---- through the bytes alone ------------------------------------------------------------------------------

-- A value that the driver's own types can hold: its times are those of Python's datetime, and 0 and -0 are one element
-- of its sets. nil: there is hardly one.
function differential.good(r, kind)
  for _ = 1, 50 do
    local value = values.good(r, kind)
    twins = false
    local text = differential.text(kind, value)
    local late = kind.class:find("TimestampType", 1, true) and text:find(("%d"):rep(15))
    local twice = kind.class:find("SetType", 1, true) and text:find("8000000000000000", 1, true)
    if not late and not twice and not twins then return value end
  end
end

local function check(case, answer)
  local read, written, made, own = answer:match "^(%S+) (%S+) (%S+) (%S+)$"
  local function bytes_of(text) return text == "-" and "" or (text:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end)) end
  local function back(bytes)
    local value, err = moonpool.decode(case.type, bytes_of(bytes))
    if err then error(("seed %d: %s of %s: %s"):format(case.seed, bytes, case.kind.cql, tostring(err)), 0) end
    return differential.text(case.kind, value)
  end
  local wrong = read ~= case.text and "read by the driver as " .. tostring(read) or
    back(written) ~= case.text and "written by the driver as " .. written or
    back(own) ~= made and "the driver's own value " .. made .. ", written as " .. own .. ", is read as " .. back(own)
  if wrong then error(("seed %d: %s of %s: %s"):format(case.seed, case.text, case.kind.cql, wrong), 0) end
end

local function cases_of(seed, count)
  local r, list_of = random.new(seed), {}
  while #list_of < count do
    local kind = values.type_of(r, r.below(4))
    local case = { kind = kind, type = "'" .. kind.class .. "'", seed = seed }
    for _ = 1, 4 do
      local value = differential.good(r, kind)
      local bytes = value ~= nil and moonpool.encode(case.type, value)
      -- A value without bytes is null to the driver.
      if bytes and #bytes > 0 then
        list_of[#list_of + 1] = setmetatable({ bytes = bytes, text = differential.text(kind, value) },
          { __index = case })
      end
    end
  end
  return list_of
end

function differential.codec(python, seed, count)
  local cases, input, output = cases_of(seed, count), os.tmpname(), os.tmpname()
  local file = assert(io.open(input, "w"))
  for _, case in ipairs(cases) do file:write(case.kind.class, "\t", hex(case.bytes), "\n") end
  file:close()
  local status = os.execute(("'%s' '%s/spec/live/support/values.py' codec %d <'%s' >'%s'"):format(python, MOONPOOL_ROOT,
    seed, input, output))
  local at, skipped = 0, {}
  for line in io.lines(output) do
    at = at + 1
    if line:find "^skip " then skipped[#skipped + 1] = cases[at].kind.cql .. ": " .. line
    else check(cases[at], line) end
  end
  os.remove(input)
  os.remove(output)
  assert((status == 0 or status == true) and at == #cases, "values.py ended early")
  return at - #skipped, skipped
end

-- ---- through tables ---------------------------------------------------------------------------------------

local function part_of(child)
  return #child.children > 0 and not child.dimension and "frozen<" .. child.cql .. ">" or child.cql
end

function differential.kinds(r, count, ddl)
  local kinds, made = {}, 0
  local function declare(udt)
    made = made + 1
    local name, fields = "random_" .. made, {}
    for i, child in ipairs(udt.children) do fields[i] = ('"%s" %s'):format(udt.fields[i], part_of(child)) end
    ddl(("CREATE TYPE IF NOT EXISTS random_types.%s (%s)"):format(name, table.concat(fields, ", ")))
    return name
  end
  while #kinds < count do kinds[#kinds + 1] = values.type_of(r, 1 + r.below(2), false, declare) end
  return kinds
end

function differential.rows(python, port, table_name, seed)
  local script = MOONPOOL_ROOT .. "/spec/live/support/values.py"
  local pipe = assert(io.popen(("'%s' '%s' rows %d %s %d 127.0.0.1 127.0.0.2 127.0.0.3"):format(python, script, port,
    table_name, seed)))
  local told = {}
  for line in pipe:lines() do
    local texts = {}
    for text in line:gmatch "%S+" do texts[#texts + 1] = text end
    told[tonumber(table.remove(texts, 1))] = texts
  end
  pipe:close()
  return told
end

return differential
