-- SPDX-License-Identifier: Apache-2.0
-- moonpool test --coverage: the lines and branches that are told are those that ran, and no others.
local coverage = require "moonpool.prove.coverage"
local core = require "moonpool.core_loader"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local testing = require "moonpool.testing"

local folder

local function write(name, text)
  policies.write(folder .. "/" .. name, text)
  return folder .. "/" .. name
end

local POLICY = [[
local function isBatch(req)
  return req.tag == tags.batch
end

return balance {
  name = "Covered",
  options = { childPolicy = "./child.lua", spare = 0 },
  plan = function(plan, req, options)
    if isBatch(req) then
      plan:hosts(localDc, leastLoaded)
    elseif req.isLwt then
      plan:replicas(allDcs, primaryFirst)
    end
    for _ = 1, options.spare do
      plan:hosts(remoteDcs, inTurn, 1)
    end
    plan:child(req)
  end,
}
]]
local CHILD = [[
return balance {
  name = "Child",
  plan = function(plan, req)
    if req.isRead then
      plan:hosts(localDc, inTurn)
    else
      plan:hosts(localDc, shuffled)
    end
  end,
}
]]

-- What the runs reach: by file's name, { [line] = count }, { ["9:10"] = count } and the file.
local function covered(...)
  coverage.start()
  testing.cluster { dcs = { dc1 = 2 } }
  for _, given in ipairs { ... } do
    given.policy = given.policy or folder .. "/covered.lua"
    assert.equal(0, testing.run(given).failures)
  end
  testing.finish()
  local by_name = {}
  for _, file in ipairs(coverage.files()) do
    local branches = {}
    for _, branch in ipairs(file.branches) do branches[branch.from .. ":" .. branch.to] = branch.count end
    by_name[file.path:match "[^/]+$"] = { lines = file.lines, branches = branches, file = file }
  end
  core.cover(false)
  return by_name
end

describe("coverage", function()
  before_each(function()
    folder = policies.folder()
    write("covered.lua", POLICY)
    write("child.lua", CHILD)
  end)
  after_each(function()
    core.cover(false)
    testing.finish()
    policies.remove(folder)
  end)

  it("tells the lines that ran, of a policy and of its child, and nothing of trials", function()
    local of = covered { requests = 100 }
    local lines = of["covered.lua"].lines
    assert.is_true(lines[2] >= 100 and lines[9] == lines[2], lines[9] .. " and " .. lines[2])
    assert.same({ 0, 0 }, { lines[10], lines[15] })
    assert.is_true(lines[17] >= 100)
    assert.is_true(lines[5] >= 1)
    assert.is_nil(lines[4])
    assert.is_true(of["child.lua"].lines[5] >= 100)
    assert.equal(lines[17], of["child.lua"].lines[4])
    local files = 0
    for _ in pairs(of) do files = files + 1 end
    assert.equal(2, files)
  end)

  it("tells a file once, however its specs name it, and does not call it slow", function()
    local said, status = program.sh(("cd '%s' && '%s' new policy Both && '%s' test --coverage both_test.lua"):format(
      folder, program.moonpool, program.moonpool))
    assert.equal(0, status, said)
    assert.equal(1, select(2, said:gsub("/both.lua: %d+ of %d+ lines", "")), said) -- explore{} and run{} do
    assert.is_nil(said:find("machine code", 1, true), said)
  end)

  it("tells the branches that were gone", function()
    local of = covered({ requests = 50 }, { requests = 50, tag = "batch" })
    local branches = of["covered.lua"].branches
    assert.equal(50, branches["9:10"])
    assert.is_true(branches["9:11"] >= 50)
    assert.is_true(of["child.lua"].branches["4:5"] >= 100)
    local with_writes = covered({ requests = 10 }, { requests = 30, kind = "write" })
    assert.is_true(with_writes["child.lua"].branches["4:7"] >= 30)
    local file = with_writes["child.lua"].file
    assert.same({ file.found, file.branchesFound }, { file.hit, file.branchesHit })
  end)

  it("counts as often as a policy was asked", function()
    local few, many = covered { requests = 100 }, covered { requests = 350 }
    assert.equal(250, many["covered.lua"].lines[17] - few["covered.lua"].lines[17])
  end)

  it("changes nothing of what a policy does, and leaves nothing when it is over", function()
    local function asked(cover)
      core.cover(cover)
      testing.cluster { dcs = { dc1 = 3 }, seed = 5 }
      local result = testing.run { requests = 300, policy = folder .. "/covered.lua", options = { spare = 1 } }
      testing.finish()
      core.cover(false)
      return result.asked
    end
    assert.same(asked(false), asked(true))
    assert.same({}, core.covered())
    assert.equal("fast", core.checkPolicy("balance", folder .. "/child.lua").costClass)
  end)

  it("is a part of moonpool test: marked source, and LCOV that other tools read", function()
    local spec = write("covered_test.lua", [[
      it("answers", function() assert.equal(0, run { requests = 20, policy = "Covered" }.failures) end)]])
    local said, status = program.sh(("'%s' test --coverage --lcov %s/c.info %s"):format(program.moonpool, folder, spec))
    assert.equal(0, status, said)
    assert.matches("1 success", said, 1, true)
    assert.matches("covered.lua: %d+ of %d+ lines %(%d+ %%%), %d+ of %d+ branches", said)
    assert.matches("\n    #####     10        plan:hosts%(localDc, leastLoaded%)\n", said)
    assert.matches(" %? +9      if isBatch%(req%) then    %-%- never to line 10\n", said)
    local text = io.open(folder .. "/c.info"):read "*a"
    local found, sum = tonumber(text:match "LF:(%d+)"), 0
    local first = text:match "^(.-)end_of_record"
    for _ in first:gmatch "\nDA:%d+,%d+" do sum = sum + 1 end
    assert.equal(found, sum)
    assert.matches("SF:" .. folder:gsub("%p", "%%%0") .. "/child.lua\n", text)
    assert.matches("\nDA:10,0\n", text)
    said, status = program.sh(("'%s' test --lcov %s/no/c.info %s"):format(program.moonpool, folder, spec))
    assert.equal(1, status)
    assert.matches("No such file", said, 1, true)
  end)
end)
