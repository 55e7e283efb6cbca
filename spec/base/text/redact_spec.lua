-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

local function redact(text)
  local buffer = ffi.new("char[?]", #text + 1, text)
  return ffi.string(buffer, C.mp_redact(buffer, #text))
end

describe("a text for a reader", function()
  for text, left in pairs {
    ["nothing"] = "nothing", [""] = "", ["@"] = "@", ["a@b"] = "a@b", ["ana:@host"] = "ana:@host", ["://@"] = "://@",
    ["u:CANARY@127.0.0.1"] = "u:***@127.0.0.1", ["u:C@h"] = "u:*@h",
    ["cassandra://u:CANARY@127.0.0.1:9042/ks"] = "cassandra://u:***@127.0.0.1:9042/ks",
    ["cassandra://CANARY@host"] = "cassandra://***@host",
    ['got "u:CAN@ARY:x@host" (string)'] = 'got "u:***@host" (string)',
    ["a u:CANARY@one b\tv:CANARY@two\n"] = "a u:***@one b\tv:***@two\n",
    ["12:30: mail me@home"] = "12:30: mail me@home",
    ['password = "CANARY"'] = 'password = "***"', ["password=CANARY, x"] = "password=***, x",
    ["auth.password: got 12345 (number); must be"] = "auth.password: got *** (number); must be",
    ["auth.password: got a number; must be a text"] = "auth.password: got a number; must be a text",
    ["auth.password: must be given beside username"] = "auth.password: must be given beside username",
    ['{"userPassword":"CANARY","a":1}'] = '{"userPassword":"***","a":1}',
    ["x['secret'] = 'CANARY' .. y"] = "x['secret'] = '***' .. y",
    ["DB_PASSWORD=CANARY"] = "DB_PASSWORD=***", ["if password == nil then"] = "if password == nil then",
    ["no credentials: none"] = "no credentials: none", ["password ="] = "password =", ['pwd = "CANARY'] = 'pwd = "***',
    ['secret = ""'] = 'secret = ""', ["Provided username u and/or password are incorrect"] =
      "Provided username u and/or password are incorrect",
  } do
    it("is told without its secrets: " .. text:gsub("%c", " "), function() assert.equal(left, redact(text)) end)
  end

  it("gets no longer, whatever it is, and nothing is left to do", function()
    local words = { "u:", "@", "://", "password", "secret", "=", ":", " ", '"', "'", "got ", "a ", "x", "\0", "\255",
      "]" }
    local state = 1
    local function below(n)
      state = (state * 1103515245 + 12345) % 2147483648
      return math.floor(state / 65536) % n
    end
    for _ = 1, 5000 do
      local parts = {}
      for i = 1, below(24) do parts[i] = words[below(#words) + 1] end
      local text = table.concat(parts)
      local once = redact(text)
      assert.is_true(#once <= #text)
      assert.equal(once, redact(once))
    end
  end)

  it("takes a time that grows with its length", function()
    for _, unit in ipairs { "password ", "password=", "u:@", "://", '"', "password: got ", "x" } do
      local text = unit:rep(math.floor(1e6 / #unit))
      local began = os.clock()
      redact(text)
      assert.is_true(os.clock() - began < 2, unit)
    end
  end)
end)
