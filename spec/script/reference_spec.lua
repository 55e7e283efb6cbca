-- SPDX-License-Identifier: Apache-2.0
-- The manual against the code: every option with type, default, range and change; every method, function and event; and
-- what editors are told.
local C = require "spec.support.c"
local core = require "moonpool.core_loader"
local ffi = require "ffi"
local moonpool = require "moonpool"
local reference = require "moonpool.config.reference"
local script_config = require "spec.script.script_config"

local function read(path)
  local file = assert(io.open(MOONPOOL_ROOT .. path))
  local text = file:read "*a"
  file:close()
  return text
end

-- The numbers and truths that C gets of a configuration's text, as bytes; texts and lists are left out.
local function struct_of(text)
  local L, config = script_config.state(), ffi.new "struct mp_script_config"
  script_config.run(L, ("return assert(require 'moonpool.config'.check(%s))"):format(text))
  assert.equal(0, C.mp_script_config_read(L, -1, config), text)
  local session = config.session
  local query = ffi.string(session.health.query)
  for _, pointer in ipairs { "regions", "contact_points", "local_dc", "local_rack", "keyspace", "username", "password",
    "tls_name" } do session[pointer] = nil end
  session.health.query = nil
  local bytes = ffi.string(ffi.cast("const char *", session), ffi.sizeof "struct mp_session_config")
  C.mp_script_config_deinit(config)
  C.lua_close(L)
  return bytes .. query
end

-- { pooling = { adaptivePooling = { key = value } } }
local function nested(key, value)
  local parts = {}
  for part in key:gmatch "[^.]+" do parts[#parts + 1] = part end
  for i = #parts, 1, -1 do value = "{ [\"" .. parts[i] .. "\"] = " .. value .. " }" end
  return value
end

describe("the options in the manual", function()
  it("are docs/options.md, made from the code", function()
    assert.equal(reference.page(), read "/docs/options.md")
  end)

  it("each have a default, and no other has", function()
    local known = {}
    reference.each(function(key)
      known[key] = true
      assert(reference.defaults[key], key .. ": lua/moonpool/config/reference.lua does not say its default")
    end)
    for key in pairs(reference.defaults) do assert(known[key], "there is no key " .. key) end
    assert.matches("| `pooling.heartBeatInterval` | milliseconds | `30000` | 0 to 86400000 | at once |",
      reference.page(), 1, true)
  end)

  it("have the defaults that C has", function()
    local nothing, count = struct_of "{}", 0
    for key, default in pairs(reference.defaults) do
      if type(default) == "string" then
        count = count + 1
        assert(struct_of(nested(key, default)) == nothing, key .. ": " .. default .. " is not what nothing means")
      end
    end
    assert.is_true(count > 45, count)
    assert(struct_of "{ pooling = { metricsInterval = 9999 } }" ~= nothing, "the comparison sees nothing")
  end)

  it("are told about in docs/configuration.md", function()
    local manual = read "/docs/configuration.md"
    reference.each(function(key)
      local name = key:match "[^.]+$"
      assert(manual:find("`" .. key .. "`", 1, true) or manual:find("`" .. name .. "`", 1, true)
        or manual:find("[`.]" .. name .. "`"), key)
    end)
  end)
end)

describe("the functions and events in the manual", function()
  local manual = read "/docs/lua-api.md"
  local whole = manual .. read "/docs/playbooks.md" -- which has methods of its own

  -- Names of functions in a metatable or module, but those for our own files.
  local function functions_of(of)
    local list = {}
    for name, value in pairs(of) do
      if type(value) == "function" then list[#list + 1] = name end
    end
    table.sort(list)
    return list
  end

  it("have every method of a pool, and name none that is not there", function()
    for _, name in ipairs(functions_of(core.poolMethods)) do
      assert(whole:find("pool:" .. name, 1, true) or manual:find("`" .. name .. "(", 1, true)
        or manual:find("`" .. name .. "{", 1, true), "the manual does not tell of pool:" .. name)
    end
    for name in whole:gmatch "pool:([%a][%w]*)" do
      assert(core.poolMethods[name], "there is no pool:" .. name)
    end
  end)

  it("have every function of the module, and name none that is not there", function()
    for _, name in ipairs(functions_of(moonpool)) do
      assert(manual:find("moonpool." .. name, 1, true), "docs/lua-api.md does not tell of moonpool." .. name)
    end
    for name in manual:gmatch "%f[%w]moonpool%.([%a][%w]*)%(" do
      assert(moonpool[name], "there is no moonpool." .. name)
    end
  end)

  it("have every event, and name none that is not there", function()
    local events, told, inside = {}, {}, false
    for _, name in ipairs(core.eventNames()) do events[name] = true end
    for line in manual:gmatch "[^\n]+" do
      inside = line:find("| event | called with |", 1, true) or inside and line:find "^|" ~= nil
      for name in (inside and line:match "^| (.-) |" or ""):gmatch "`(%w+)`" do told[name] = true end
    end
    assert.same(events, told)
  end)

  it("are known to editors: every method of a pool, every function of the module", function()
    local text = read "/lua/moonpool/library/moonpool.lua" .. read "/lua/moonpool/library/steer.lua"
    for _, name in ipairs(functions_of(core.poolMethods)) do
      assert(text:find("function Pool:" .. name .. "(", 1, true), "lua/moonpool/library does not tell of pool:" .. name)
    end
    for name in text:gmatch "function Pool:([%w]+)%(" do assert(core.poolMethods[name], "there is no pool:" .. name) end
    for _, name in ipairs(functions_of(moonpool)) do
      assert(text:find("function moonpool." .. name .. "(", 1, true), "no annotation of moonpool." .. name)
    end
    for name in text:gmatch "function moonpool%.([%w]+)%(" do assert(moonpool[name], "there is no " .. name) end
    assert(loadstring(text:gsub("\nlocal Pool = {}", "\nPool = {}"), "library"))
  end)
end)
