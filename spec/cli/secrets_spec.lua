-- SPDX-License-Identifier: Apache-2.0
-- What the commands say of a configuration with a password in the wrong place: what is wrong, and not the password.
local canaries = require "spec.support.canaries"
local policies = require "spec.support.policies"
local sh = require("spec.support.program").sh

local MOONPOOL = MOONPOOL_BUILD_DIR .. "/moonpool"

local folder
before_each(function() folder = policies.folder() end)
after_each(function() policies.remove(folder) end)
local function file(name) return folder .. "/" .. name end

it("moonpool check refuses each of them", function()
  local files = {}
  for i, text in ipairs(canaries.files()) do
    files[i] = file(("pool%d.lua"):format(i))
    -- Told to be a configuration by its first words, whatever becomes of it.
    policies.write(files[i], text)
  end
  for _, option in ipairs { "", "--json " } do
    local said, status = sh(("'%s' check %s%s"):format(MOONPOOL, option, table.concat(files, " ")))
    assert.equal(1, status)
    assert.is_false(canaries.shows(said), said)
    assert.truthy(said:find("auth", 1, true))
  end
end)

it("so do serve, run and explain", function()
  policies.write(file "app.lua", "local pool = require 'moonpool'.ConnectionPool() print(pool:connect())")
  policies.write(file "raises.lua", "error 'cassandra://u:CANARY@h'")
  for i, text in ipairs {
    "return { auth = 'u:CANARY' }", "return { contactPoints = 'u:CANARY@127.0.0.1' }",
    "return { auth = { username = 'u', password = 'CANARY' 'x' } }",
    "return { auth = { username = 'u', password = CANARY.x } }",
    "return { loadBalancing = { policy = 'u:CANARY@h' } }",
    "return { auth = { username = 'u', password = 'CANARY' }, contactPoints = { '127.0.0.1:1' }, requestTimeout = 0 }",
  } do
    local path = file(("pool%d.lua"):format(i))
    policies.write(path, text)
    for _, arguments in ipairs { "serve --control " .. file "c.sock " .. path,
      "run --config " .. path .. " " .. file "app.lua", "explain --config " .. path,
      "explain --embedded 1 --config " .. path } do
      local said, status = sh(("timeout 60 '%s' %s"):format(MOONPOOL, arguments))
      -- What an embedded cluster replaces is not wrong.
      if not arguments:find "embedded" then assert.equal(1, status, arguments .. "\n" .. said) end
      assert.is_false(canaries.shows(said), arguments .. "\n" .. said)
    end
  end
  local said, status = sh(("'%s' run %s"):format(MOONPOOL, file "raises.lua"))
  assert.equal(1, status)
  assert.is_false(canaries.shows(said), said)
end)
