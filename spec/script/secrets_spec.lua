-- SPDX-License-Identifier: Apache-2.0
-- A password never stands in a message, wherever it was put by mistake: as an error, in the log, in an event, in what a
-- reload says.
local canaries = require "spec.support.canaries"
local config = require "moonpool.config"
local config_file = require "spec.support.config_file"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local secrets = require "moonpool.secrets"
local unix = require "spec.support.unix"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

-- As an application meets it: what is raised and what is logged.
local function told_by(path)
  local raised
  local logged = unix.said_by(function()
    local ok, why = pcall(moonpool.ConnectionPool, path)
    raised = ok and "" or tostring(why)
    if ok then moonpool.run(function() why:close() end) end
  end)
  return raised .. "\n" .. logged, raised ~= ""
end

describe("a wrong configuration with a password in it", function()
  local folder
  setup(function() folder = policies.folder() end)
  teardown(function() policies.remove(folder) end)
  local function file(text)
    policies.write(folder .. "/pool.lua", text)
    return folder .. "/pool.lua"
  end

  for number, text in ipairs(canaries.files()) do
    it(("is refused without showing it, %d: %s"):format(number, text:sub(1, 60)), function()
      local told, refused = told_by(file(text))
      assert.is_true(refused, "it was taken")
      assert.is_false(canaries.shows(told), told)
    end)
  end

  it("is refused in the same way when it is a table in a program", function()
    for _, text in ipairs(canaries.files()) do
      local made = loadstring(text)
      local ok, given = pcall(made or error)
      if ok and type(given) == "table" then
        local told = told_by(given)
        assert.is_false(canaries.shows(told), text .. "\n" .. told)
      end
    end
  end)

  it("is still told what is wrong, and where", function()
    for text, message in pairs {
      ["return {\n auth = 'u:CANARY' }"] = "pool.lua:2: auth: got a string; must be a table",
      ["return { auth = { user = 'u' } }"] = "pool.lua:1: auth.user: there is no such key; known here: authenticator, ",
      ["return { auth = { passwort = 'x' } }"] = "pool.lua:1: auth.(a key that is not shown): there is no such key, "
        .. "did you mean password?",
      ["return { contactPoints = { 'u:CANARY@10.0.0.1' } }"] = 'contactPoints[1]: got "***@10.0.0.1" (string); '
        .. "must be a host name or an address",
      ["return { auth = {\n username = 'u',\n password = CANARY.x } }"] =
        "pool.lua:3: attempt to index global '***' (a nil value)",
      ["local x\nreturn { auth = { username = 'pool', password = x.y } }"] =
        "/pool.lua:2: attempt to index local '***' (a nil value)",
      ["return { auth = { username = 'u' }\n x }"] = "pool.lua:2: '}' expected (to close '{' at line 1) near '***'",
    } do
      local _, why = config.check(file(text))
      assert.truthy(why:find(message, 1, true), why)
    end
  end)
end)

describe("a change of a configuration", function()
  it_in("that is refused tells no secret, and neither does one that is taken", function(world)
    config_file.around(function()
      local pool, told = config_file.open(world, { localRack = "u:CANARY@h", requestTimeout = 1500 })
      local events = {}
      for _, name in ipairs { "configReload", "configError" } do
        pool:on(name, function(event)
          events[#events + 1] = event.message or ""
          for _, change in ipairs(event.changes or {}) do
            events[#events + 1] = change.key .. " " .. change.from .. " " .. change.to
          end
        end)
      end
      local answers = {}
      local logged = unix.said_by(function()
        for i, text in ipairs(canaries.files()) do
          policies.write(config_file.file "pool.lua", text)
          if i % 8 == 0 then config_file.touch(world) end
          local ok, why = pool:reload()
          answers[#answers + 1] = ok and "" or tostring(why)
          assert.is_nil(ok, text)
        end
        config_file.change(world, { localRack = "v:CANARY@h", requestTimeout = 1600, logging = { level = "debug" },
          loadBalancing = { policy = "AllowListPolicy", hosts = { "cassandra://u:CANARY@h", "127.0.0.1" } } })
        config_file.change(world, { auth = { username = "CANARY", password = "CANARY" }, requestTimeout = 1700 })
        assert.is_true(#told.configReload >= 1)
      end)
      for _, text in ipairs(answers) do assert.is_false(canaries.shows(text), text) end
      for _, text in ipairs(events) do assert.is_false(canaries.shows(text), text) end
      assert.is_false(canaries.shows(logged), logged)
    end)
  end)
end)

describe("what may be shown of a value", function()
  it("is a text without user and password, cut where it is long", function()
    assert.equal("***@host", secrets.text "u:p@host")
    assert.equal("***@b", secrets.text(("x"):rep(5000) .. "@" .. "b"))
    assert.equal(60, #secrets.text(("x"):rep(100)))
    assert.equal("a\\10b\\34", secrets.text 'a\nb"')
  end)

  it("is a table without what its names say is a secret, and not all of a long one", function()
    assert.equal('{ a = 1, b = { x = true }, password = (secret) }',
      secrets.value { a = 1, b = { x = true }, password = "p" })
    assert.equal('{ "a", "b" }', secrets.value { "a", "b" })
    local many = {}
    for i = 1, 100 do many[i] = i end
    assert.equal("{ 1, 2, 3, 4, 5, 6, 7, 8, ... (100 in all) }", secrets.value(many))
    assert.equal("{ apiKey = (secret), token = (secret) }", secrets.value { token = 5, apiKey = "x" })
  end)
end)
