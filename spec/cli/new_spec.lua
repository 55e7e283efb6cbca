-- SPDX-License-Identifier: Apache-2.0
-- moonpool new: what it writes passes check and test as it is, for every kind.
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local templates = require "moonpool.cli.new_templates"

local folder

local function moonpool(arguments)
  return program.sh(("cd '%s' && '%s' %s"):format(folder, program.moonpool, arguments))
end

local function exists(name)
  local file = io.open(folder .. "/" .. name, "r")
  if file then file:close() end
  return file ~= nil
end

describe("moonpool new policy", function()
  before_each(function()
    folder = policies.folder()
    os.execute("mkdir -p " .. folder .. "/policies")
  end)
  after_each(function() policies.remove(folder) end)

  for kind in pairs(templates) do
    it("writes a policy of the kind " .. kind .. " and its spec, which pass", function()
      local said, status = moonpool("new policy MyFirst --kind " .. kind .. " --folder policies")
      assert.equal(0, status, said)
      assert.matches("moonpool test policies/my_first_test.lua", said, 1, true)
      local checked, ok = moonpool "check policies/my_first.lua"
      assert.equal(0, ok, checked)
      assert.is_nil(checked:find "warning", checked)
      local tested, passed = moonpool "test policies/my_first_test.lua"
      assert.equal(0, passed, tested)
      assert.is_nil(tested:find("0 successes", 1, true))
    end)
  end

  it("is found by the name, whatever ends it", function()
    for _, name in ipairs { "RackFirstPolicy", "HTTPLike", "A1" } do
      local said, status = moonpool("new policy " .. name)
      assert.equal(0, status, said)
      assert.equal(0, select(2, moonpool("explain --embedded 2 --policy " .. folder .. "/" .. said:match "^[^\n]+")))
    end
    assert.is_true(exists "rack_first.lua" and exists "http_like.lua" and exists "a1_test.lua")
  end)

  it("writes over nothing, and says what is wrong", function()
    local none, refused = moonpool "new policy Mine --folder nowhere"
    assert.equal(1, refused)
    assert.matches("--folder nowhere: there is no such folder: mkdir -p nowhere\n", none, 1, true)
    assert.equal(0, select(2, moonpool "new policy Mine"))
    local said, status = moonpool "new policy Mine"
    assert.equal(1, status)
    assert.matches("is there already", said, 1, true)
    os.remove(folder .. "/mine.lua")
    assert.equal(1, select(2, moonpool "new policy Mine"))
    assert.is_false(exists "mine.lua")
    said, status = moonpool "new policy rack_first"
    assert.equal(2, status)
    assert.matches("such as RackFirst", said, 1, true)
    assert.equal(2, select(2, moonpool "new policy ../../etc"))
    assert.equal(2, select(2, moonpool "new policy Policy"))
    assert.equal(2, select(2, moonpool "new policy Mine --kind routing"))
    assert.equal(2, select(2, moonpool "new playbook Mine"))
    assert.equal(1, select(2, moonpool "new policy Other --folder nowhere"))
  end)
end)
