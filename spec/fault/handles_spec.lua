-- SPDX-License-Identifier: Apache-2.0
-- Handlers of a policy's news that fail, ask, reload and close; and handles that have outlived what they stood for.
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local QUERY = "SELECT key FROM system.local"
local safe = { mix = { read = 60, write = 40 } }
local folder

local function policy(name, plan)
  return ('return balance { name = "%s", plan = function(plan, req)\n%s\nend }'):format(name, plan)
end
local function good(n) return policy("Good" .. n, "plan:hosts(localDc, inTurn)") end
local function write(text) policies.write(folder .. "/p.lua", text) end

local function open(world, text)
  write(text or good(0))
  return world:pool { loadBalancing = { policy = folder .. "/p.lua" } }
end

describe("handlers of a policy's news:", function()
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  it("L10 may raise, and raise while they are told of a failure", function(world)
    world.handlersMayFail = true
    local pool = open(world)
    local told = 0
    local worse = setmetatable({}, { __tostring = function() error "worse" end })
    for _, event in ipairs { "policyError", "policyReload" } do
      pool:on(event, function() told = told + 1 error("the handler of " .. event) end)
      pool:on(event, function() error(worse) end)
      pool:on(event, function() error() end)
      pool:on(event, function() local function deep(n) return 1 + deep(n) end deep(1) end)
    end
    local load = workload.new(world, pool, safe):start(6, 25)
    for i = 1, 10 do
      write(i % 2 == 0 and good(i) or "error 'not today'")
      pool:reload()
      moonpool.sleep(20)
    end
    load:stop():none_failed():check()
    assert.equal(10, told)
    assert.equal(40, pool:getHandlerErrors())
    assert.equal("Good10", pool:policies().balance.name)
  end)

  it("L13 may ask, reload and change handlers while they are told of a reload", function(world)
    local pool = open(world)
    local depth, answered = 0, 0
    local function again()
      answered = answered + (pool:execute(QUERY) and 1 or 0)
      if depth >= 50 then return end
      depth = depth + 1
      write(depth % 3 == 0 and "return 5" or good(depth))
      local ok, err = pool:reload()
      assert(ok or tostring(err):find("must return balance", 1, true), err)
      pool:off("policyReload", again):off("policyError", again)
      pool:on("policyReload", again):on("policyError", again)
    end
    pool:on("policyReload", again):on("policyError", again)
    local load = workload.new(world, pool, safe):start(6, 25)
    write(good(1))
    assert(pool:reload())
    world:eventually("fifty reloads", function() return depth == 50 end)
    world:eventually("fifty answers", function() return answered >= 50 end)
    load:stop():none_failed():check()
    assert.matches("^Good", pool:policies().balance.name)
  end)

  for _, event in ipairs { "policyReload", "policyError" } do
    it("L13 may close the pool while it tells of " .. event, function(world)
      for _ = 1, 5 do
        local pool = open(world)
        local closed, asked = 0, {}
        pool:on(event, function()
          assert(pool:close())
          closed = closed + 1
        end)
        pool:on(event, function() pool:reload() pool:policies() pool:getStats() end)
        for i = 1, 20 do asked[i] = pool:executeAsync(QUERY) end
        write(event == "policyError" and "return 5" or good(1))
        pool:reload()
        for i = 1, 20 do
          local result, err = asked[i]:wait()
          assert(result or err.code == "CLOSED", err)
        end
        world:eventually("it is closed", function() return closed == 1 end)
      end
    end)
  end

  it("L13 may close the pool when its policy fails in service", function(world)
    local pool = open(world, policy("Fails", "if req.tag == tags.evil then error 'no' end plan:hosts(localDc)"))
    local closed = 0
    pool:on("policyError", function()
      pool:close()
      closed = closed + 1
    end)
    for i = 1, 5 do pool:execute(QUERY, nil, { tag = "other" .. i }) end
    local asked = {}
    for i = 1, 150 do asked[i] = pool:executeAsync(QUERY, nil, { tag = "evil" }) end
    for i = 1, 150 do
      local result, err = asked[i]:wait()
      assert(result or err.code == "CLOSED", err)
    end
    world:eventually("it is closed", function() return closed == 1 end)
  end)
end)

describe("a handle that has outlived what it stood for:", function()
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  it("L14 a closed pool answers a million calls with errors and old figures", function(world)
    local pool = open(world)
    local statement = assert(pool:prepare(QUERY))
    local pending = pool:executeAsync(QUERY)
    assert(pending:wait())
    local host = pool:getHosts()[1].address
    pool:close()
    local calls = {
      function() return pool:execute(QUERY) end, function() return pool:execute(statement) end,
      function() return pool:prepare(QUERY) end, function() return pool:reload() end,
      function() return pool:connect() end, function() return pool:setHostWeight(host, 2) end,
      function() return pool:setHostTags(host, { "x" }) end,
      function() return pool:executeAsync(QUERY):wait() end,
    }
    local figures = {
      function() return pool:getStats() end, function() return pool:getMetrics() end,
      function() return pool:policies() end,
      function() return pool:getHosts() end, function() return pool:getConnectionDetails() end,
      function() return tostring(pool) end, function() return pending:wait() end, function() return pool:close() end,
    }
    local refused = 0
    for i = 1, 60000 do
      local ok, err = calls[i % #calls + 1]()
      assert(ok == nil and err.code == "CLOSED", err)
      refused = refused + 1
    end
    for i = 1, 940000 do
      if not figures[i % #figures + 1]() then error("call " .. i) end
    end
    assert.equal(60000, refused)
  end)

  it("L14 a statement of a closed pool is prepared again by another one", function(world)
    local first, second = open(world), world:pool()
    local statement = assert(first:prepare(QUERY))
    first:close()
    collectgarbage()
    for _ = 1, 100 do
      local ok, result, err = pcall(second.execute, second, statement)
      assert(not ok or result or err, "neither an answer nor an error")
    end
  end)

  it("L14 a policy that keeps hosts of removed nodes sends nobody there", function(world)
    local pool = open(world, "local kept = {}\n" .. policy("Keeps", [[
      for i, host in hosts(allDcs) do kept[host.index] = host end
      for i = 0, 20 do
        local host = kept[i]
        if host and (host.isUp or host.weight > 0 or host.generation >= 0) then plan:host(host) end
      end
      plan:hosts(localDc, inTurn)]]))
    local load = workload.new(world, pool, safe):start(8, 40)
    for _ = 1, 6 do
      local new = world.cluster:addNode()
      world:waitStatus(pool, new, "up", 8000)
      moonpool.sleep(300)
      world.cluster:removeNode(new)
      world:eventually("it is gone", function() return #pool:getHosts() == 3 end, 8000)
      local before = world.cluster:requests(new)
      for _ = 1, 50 do assert(pool:execute(QUERY)) end
      assert.equal(before, world.cluster:requests(new))
    end
    load:stop():none_failed():check()
    assert.equal(0, pool:policies().balance.errors)
  end)
end)
