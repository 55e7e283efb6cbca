-- SPDX-License-Identifier: Apache-2.0
-- addressTranslator by itself: what it answers and what it complains about.
local config = require "moonpool.config"

-- The translator of a configuration as C calls it.
local function of(value)
  local checked, why = config.check({ contactPoints = { "127.0.0.1" }, addressTranslator = value }, "app.lua:1")
  assert(checked, why)
  return checked.addressTranslator, checked.addressTranslatorShown
end

local function ask(translate, text, id) return translate(text, id or "id-1", "dc1", "r1") end

describe("a translator that is a table", function()
  it("knows addresses with their port and without, the exact one first", function()
    local translate = of { ["10.0.0.1"] = "127.0.0.1", ["10.0.0.1:9043"] = "127.0.0.1:1", ["10.0.0.2"] = "127.0.0.2:2" }
    assert.equal("127.0.0.1:9042", ask(translate, "10.0.0.1:9042"))
    assert.equal("127.0.0.1:1", ask(translate, "10.0.0.1:9043"))
    assert.equal("127.0.0.2:2", ask(translate, "10.0.0.2:9042"))
    assert.is_nil(ask(translate, "10.0.0.3:9042"))
  end)

  it("knows IPv6 addresses however they are written", function()
    local translate = of { ["2001:DB8:0::1"] = "[::1]:19042", ["[fe80:0:0::2]:9042"] = "::2" }
    assert.equal("[::1]:19042", ask(translate, "[2001:db8::1]:9042"))
    assert.equal("[::2]:9042", ask(translate, "[fe80::2]:9042"))
    assert.is_nil(ask(translate, "[fe80::2]:9043"))
  end)

  it("is shown whole, and cut when it is long", function()
    local _, shown = of { ["10.0.0.2"] = "127.0.0.2", ["10.0.0.1"] = "127.0.0.1" }
    assert.equal('{ ["10.0.0.1"] = "127.0.0.1", ["10.0.0.2"] = "127.0.0.2" }', shown)
    local long = {}
    for i = 1, 200 do long["10.0.0." .. i] = "127.0.0.1:" .. i end
    local _, before = of(long)
    assert.is_true(#before < 400)
    long["10.0.0.200"] = "127.0.0.1:999"
    local _, after = of(long)
    assert.is_true(before ~= after)
  end)
end)

describe("a translator that is a function", function()
  local function refused(fn, pattern)
    local result, complaint = ask(of(fn), "10.0.0.1:9042")
    assert.is_nil(result)
    assert.matches("^addressTranslator: 10.0.0.1:9042: .*" .. pattern .. ".*; the address stands as it is$", complaint)
  end

  it("is told the address and the host, and its address is taken", function()
    local told
    local translate = of(function(address, host)
      told = { address, host.id, host.datacenter, host.rack }
      return "127.0.0.1:19042"
    end)
    assert.equal("127.0.0.1:19042", ask(translate, "10.0.0.1:9042"))
    assert.same({ "10.0.0.1:9042", "id-1", "dc1", "r1" }, told)
    assert.equal("127.0.0.1:9042", (ask(of(function() return "127.0.0.1" end), "10.0.0.1:9042")))
    local result, complaint = ask(of(function() end), "10.0.0.1:9042")
    assert.is_nil(result)
    assert.is_nil(complaint)
  end)

  it("is asked once for each address of a host", function()
    local count = 0
    local translate = of(function(address)
      count = count + 1
      if address:find "10.0.0.2" then error "no" end
      return "127.0.0.1:1"
    end)
    for _ = 1, 3 do
      assert.equal("127.0.0.1:1", ask(translate, "10.0.0.1:9042"))
      ask(translate, "10.0.0.2:9042")
    end
    assert.equal(2, count)
    ask(translate, "10.0.0.1:9042", "id-2")
    assert.equal(3, count)
  end)

  it("that raises costs the translation, and is told", function()
    refused(function() error "no table" end, "translator_spec.lua:%d+: no table")
    refused(function() error { code = 1 } end, "it raised a table")
    refused(function() error() end, "it raised a nil")
    refused(function(_, host) return host.nothing.there end, "attempt to index")
    local function deep() return deep() + 1 end
    refused(deep, "stack overflow")
  end)

  it("that returns something else costs the translation, and is told", function()
    refused(function() return 19042 end, "it returned a number; must be an address or nil")
    refused(function() return {} end, "it returned a table")
    refused(function() return false end, "it returned a boolean")
    refused(function() return "" end, 'it returned "": the host is missing')
    refused(function() return "tunnel:19042" end, 'it returned "tunnel:19042": must be an IP address')
    refused(function() return "127.0.0.1:99999" end, "the port must be 1 to 65535")
    refused(function() return ("x"):rep(1e6) end, "it returned")
  end)

  it("that waits costs the translation, and is told", function()
    refused(function() coroutine.yield() return "127.0.0.1" end, "it waits, and the loop waits for it")
    refused(function() require("moonpool").sleep(10) return "127.0.0.1" end, "waits")
  end)

  it("that is slow is told; one that does not end is stopped", function()
    local result, complaint = ask(of(function()
      local ends = os.clock() + 0.03
      while os.clock() < ends do end
      return "127.0.0.1"
    end), "10.0.0.1:9042")
    assert.equal("127.0.0.1:9042", result)
    assert.matches("^addressTranslator: 10.0.0.1:9042: it took %d+ ms", complaint)
    refused(function() while true do end end, "it did not come to its end within 500 ms")
    refused(function() while true do pcall(error) end end, "it did not come to its end within 500 ms")
  end)

  it("is shown by where it stands and what it does", function()
    local function make(map) return function(address) return map[address] end end
    local _, first = of(make { a = "1" })
    local _, again = of(make { a = "1" })
    local _, other = of(make { a = "2" })
    assert.matches("^function of .*translator_spec.lua:%d+, %x+$", first)
    assert.equal(first, again)
    assert.is_true(first ~= other)
  end)
end)

describe("what a translator does wrong", function()
  local program = require "spec.support.program"

  it("is told in the log with its address, and the pool works", function()
    local said, status = program.run([[
      local moonpool = require "moonpool"
      local pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
        addressTranslator = function(address, host)
          if address:find "^127.0.0.1:" then error "no tunnel" end
          if address:find "^127.0.0.2:" then return "tunnel:1" end
          coroutine.yield()
        end }
      assert(pool:connect())
      for _ = 1, 20 do assert(pool:execute "SELECT key FROM system.local") end
      print(#pool:getHosts(), "hosts")
      pool:close()
    ]], "--embedded 3")
    assert.equal(0, status, said)
    assert.matches("\n?3\thosts\n", said)
    for _, part in ipairs { "127.0.0.1:%d+: .*no tunnel; the address stands as it is",
      "127.0.0.2:%d+: it returned \"tunnel:1\"", "127.0.0.3:%d+: it waits" } do
      local count = select(2, said:gsub("addressTranslator: " .. part, ""))
      assert.equal(1, count, part .. "\n" .. said)
    end
  end)
end)
