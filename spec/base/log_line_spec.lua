-- SPDX-License-Identifier: Apache-2.0
-- What a log line looks like. Whatever stands in it, it is one line and whole in its format.
local C = require "spec.support.c"
local ffi = require "ffi"
local cjson = require "cjson"
local random_of = require("spec.support.world").random

local TEXT, LOGFMT, JSON = C.MP_LOG_TEXT, C.MP_LOG_LOGFMT, C.MP_LOG_JSON

local function line(format, sentence, options)
  options = options or {}
  local fields = ffi.new("struct mp_log_field[?]", math.max(1, #(options.fields or {})))
  for i, field in ipairs(options.fields or {}) do
    fields[i - 1].name = field[1]
    if type(field[2]) == "string" then fields[i - 1].text = field[2] else fields[i - 1].number = field[2] end
  end
  local given = ffi.new("struct mp_log_line", { format = format, level = C.MP_LOG_WARN, fields = fields,
    count = #(options.fields or {}), sentence = sentence, event = options.event, wall_us = options.wall_us or 0 })
  local out = ffi.new "char[12288]"
  C.mp_log_line_write(given, out)
  return ffi.string(out)
end

-- A strict reader of logfmt: a table, and the names in order.
local function read_logfmt(text)
  local values, names, at = {}, {}, 1
  while at <= #text do
    local name, from = text:match("^([%a][%w]*)=()", at)
    assert(name, "logfmt: " .. text)
    local value
    if text:sub(from, from) == '"' then
      local to = from + 1
      while text:sub(to, to) ~= '"' do
        assert(to <= #text, "logfmt: " .. text)
        to = to + (text:sub(to, to) == "\\" and 2 or 1)
      end
      value, at = text:sub(from + 1, to - 1):gsub("\\(.)", "%1"), to + 1
    else
      value, at = text:match('^([^%s="\\]*)()', from)
    end
    values[name], names[#names + 1] = value, name
    if at <= #text then
      assert(text:sub(at, at) == " ", "logfmt: " .. text)
      at = at + 1
    end
  end
  return values, names
end

describe("a log line", function()
  it("is a sentence for a reader of text", function()
    assert.equal("the node is down", line(TEXT, "the node is down", { event = "hostDown", fields = { { "ms", 5 } } }))
    assert.equal("2026-11-28T17:20:00.123Z it is late", line(TEXT, "it is late", { wall_us = 1795886400123456 }))
  end)

  it("has a name and fields for a program", function()
    local options = { event = "request", wall_us = 1795886400123456, fields = { { "host", "127.0.0.1:9042" },
      { "statement", 'SELECT "x" = ?' }, { "ms", 1.5 }, { "attempts", 2 }, { "empty", "" } } }
    assert.equal('ts=2026-11-28T17:20:00.123Z level=warn event=request host=127.0.0.1:9042 '
      .. 'statement="SELECT \\"x\\" = ?" ms=1.500 attempts=2 empty="" msg="it took long"',
      line(LOGFMT, "it took long", options))
    assert.same({ ts = "2026-11-28T17:20:00.123Z", level = "warn", event = "request", host = "127.0.0.1:9042",
      statement = 'SELECT "x" = ?', ms = 1.5, attempts = 2, empty = "", msg = "it took long" },
      cjson.decode(line(JSON, "it took long", options)))
  end)

  it("is whole, on one line and without secrets, whatever is in it", function()
    local random = random_of(11)
    local pieces = { '"', "\\", "\n", "\r", "\0", "=", " ", "\27[31m", "\255", "\195\188", "\195", "x",
      "password = CANARY ", "cassandra://ana:CANARY@10.0.0.1", ("y"):rep(300) }
    local function text()
      local parts = {}
      for i = 1, random(12) do parts[i] = pieces[random(#pieces) + 1] end
      return (table.concat(parts):gsub("%z", ""))
    end
    for _ = 1, 500 do
      local fields = {}
      for i = 1, random(9) do fields[i] = { "f" .. i, random(3) == 0 and random(1000) / 7 or text() } end
      local options = { event = "any", fields = fields }
      local sentence = text()
      local json, logfmt, plain = line(JSON, sentence, options), line(LOGFMT, sentence, options), line(TEXT, sentence)
      for _, each in ipairs { json, logfmt, plain } do
        assert.is_nil(each:find "[%c\127]")
        assert.is_nil(each:find "CANARY")
      end
      local decoded = cjson.decode(json)
      local read = read_logfmt(logfmt)
      assert.equal(decoded.msg, read.msg)
      for i = 1, math.min(8, #fields) do assert.equal(type(fields[i][2]), type(decoded["f" .. i])) end
    end
  end)

  it("has numbers that are numbers", function()
    for _, number in ipairs { 0 / 0, math.huge, -math.huge } do
      assert.equal(0, cjson.decode(line(JSON, "", { fields = { { "n", number } } })).n)
    end
    assert.equal(9007199254740992, cjson.decode(line(JSON, "", { fields = { { "n", 2 ^ 53 } } })).n)
  end)

  it("is cut where it is long, and still whole", function()
    local text = ('"'):rep(5000)
    local fields = {}
    for i = 1, 8 do fields[i] = { "field" .. i, text } end
    local decoded = cjson.decode(line(JSON, text, { event = "long", fields = fields }))
    assert.equal(383, #decoded.field8)
    assert.matches("%.%.%.$", decoded.field1)
    assert.equal(2047, #decoded.msg)
  end)
end)
