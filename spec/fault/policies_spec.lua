-- SPDX-License-Identifier: Apache-2.0
-- Policies and handlers that fail, hang, lie, change and disappear under traffic: no request may notice.
local moonpool = require "moonpool"
local support = require "spec.support.world"
local workload = require "spec.support.workload"
local it = support.inside(it)

local folder, file

local function write(text)
  local handle = assert(io.open(file, "w"))
  handle:write(text)
  handle:close()
end

local function policy(plan)
  write("return balance {\n  name = \"TriedPolicy\",\n  plan = function(plan, req)\n    " .. plan .. "\n  end,\n}\n")
end

local good = "plan:replicas(localDc, shuffled) plan:hosts(localDc, inTurn)"
local safe = { mix = { read = 60, write = 40 } }

local function open(world, plan)
  policy(plan or good)
  return world:pool { policyPath = { folder }, loadBalancing = { policy = "TriedPolicy" } }
end

local function touch(world)
  world.sim:touch(file)
  moonpool.sleep(200)
end

describe("policies:", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir '" .. folder .. "'") == 0)
    file = folder .. "/tried_policy.lua"
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  for name, plan in pairs {
    ["L1 an error"] = "if req.tag == tags.bad then error 'boom' end " .. good,
    ["L1 an index of nil"] = "if req.tag == tags.bad then local x = nil; x = x.y end " .. good,
    ["L2 an endless loop"] = "if req.tag == tags.bad then while true do end end " .. good,
    ["L2 an endless recursion"] = "local function f() return f() end if req.tag == tags.bad then f() end " .. good,
    ["L4 a hunger for memory"] = "if req.tag == tags.bad then local t = {} for i = 1, 1e9 do t[i] = { i } end end "
      .. good,
    ["L5 a scope that is none"] = "if req.tag == tags.bad then plan:hosts(nil, 'x') end " .. good,
    ["L5 a limit that is none"] = "if req.tag == tags.bad then plan:hosts(localDc, inTurn, 0/0) end " .. good,
    ["L5 a host that is none"] = "if req.tag == tags.bad then plan:host({}) plan:host(-1) plan:host(2 ^ 53) end "
      .. good,
    ["L5 a plan without end"] = "if req.tag == tags.bad then for i = 1, 100 do plan:hosts(localDc) end end " .. good,
    ["L5 an empty plan"] = "if req.tag ~= tags.bad then " .. good .. " end",
    ["L5 a strange result"] = good .. " if req.tag == tags.bad then return { 1, 2, 'x' }, 0/0, -1 end",
  } do
    it(name .. " for one request is that request's default plan", function(world)
      local pool = open(world, plan)
      local load = workload.new(world, pool, safe)
      local read = assert(pool:prepare "SELECT k, v FROM ks.rows WHERE k = ?")
      local bad = 0
      for i = 1, 30 do
        local result, err = pool:execute(read, { "row-1" },
          { tag = i % 2 == 0 and "bad" or nil, consistency = "QUORUM" })
        if not result then
          bad = bad + 1
          assert(name == "L5 an empty plan" and err.code == "NO_HOST_AVAILABLE" and i % 2 == 0, tostring(err))
        end
      end
      load:run(100, 8):none_failed():check()
      assert.equal(name == "L5 an empty plan" and bad or 0, bad)
    end)
  end

  it("L7 edits under traffic, good and broken, cost nothing", function(world)
    local pool = open(world)
    local told = world:listen(pool, "policyReload", "policyError")
    local load = workload.new(world, pool, safe):start(12, 20)
    local broken = { "return balance {", "error 'not today'", "return 7", "", "return balance { name = 'TriedPolicy' }",
      "return balance { name = 'TriedPolicy', plan = function(plan) plan:nothing() end }", "\27LJ\2", "os.exit(1)",
      "while true do end" }
    for i, text in ipairs(broken) do
      write(text)
      touch(world)
      assert.equal(i, #told.policyError, text)
      policy(good .. " -- " .. i)
      touch(world)
      assert.equal(i, #told.policyReload, text)
    end
    load:stop():none_failed():check()
    assert.equal(#broken + 1, pool:policies().balance.generation)
  end)

  it("L8 a thousand edits leave no generations behind", function(world)
    local pool = open(world)
    local load = workload.new(world, pool, safe):start(4, 30)
    for i = 1, 25 do
      policy(good .. " -- " .. i)
      for _ = 1, 17 do world.sim:touch(file) end
      moonpool.sleep(40)
    end
    load:stop():none_failed():check()
    assert.is_true(pool:policies().balance.generation <= 27)
  end)

  it("L9 whatever becomes of the file, the last good policy serves", function(world)
    local pool = open(world)
    local told = world:listen(pool, "policyReload", "policyError")
    local load = workload.new(world, pool, safe):start(8, 25)
    local ways = {
      "rm '%s'", ": > '%s'", "rm -f '%s'; mkdir '%s'", "rmdir '%s'; mkfifo '%s'",
      "rm '%s'; ln -s /nonexistent '%s'", "rm '%s'; head -c 3000000 /dev/zero > '%s'", "rm '%s'; ln -s /dev/zero '%s'",
    }
    for i, way in ipairs(ways) do
      os.execute((way:gsub("%%s", file)))
      touch(world)
      assert.is_true(#told.policyError >= i, way)
    end
    os.remove(file)
    policy(good)
    touch(world)
    load:stop():none_failed():check()
    local result, err = pool:reload()
    assert(result, err)
  end)

  it("L10 handlers that raise are counted, and nothing else happens", function(world)
    world.handlersMayFail = true
    local pool = world:pool()
    for _, event in ipairs { "hostUp", "hostDown", "connectionAdded", "connectionLost", "failover" } do
      pool:on(event, function() error("the handler of " .. event) end)
      pool:on(event, function() error({ event }) end)
    end
    local load = workload.new(world, pool, safe):start(8, 25)
    for node = 1, 3 do
      world.sim:cut(node)
      moonpool.sleep(1500)
    end
    load:stop():none_failed():check()
    assert.is_true(pool:getHandlerErrors() >= 12, pool:getHandlerErrors())
  end)

  it("L13 handlers may query, add handlers, reload and close", function(world)
    local pool = open(world)
    local load = workload.new(world, pool, safe)
    local asked = 0
    pool:on("connectionLost", function()
      assert(pool:execute("SELECT key FROM system.local"))
      assert(pool:reload())
      pool:on("hostUp", function() asked = asked + 1 end)
    end)
    load:start(6, 25)
    for node = 1, 3 do
      world.sim:cut(node)
      moonpool.sleep(1500)
    end
    load:stop():none_failed():check()
    assert.is_true(asked >= 3, asked)

    local closing = world:pool()
    local closed = 0
    closing:on("hostDown", function()
      assert(closing:close())
      closed = closed + 1
    end)
    local ended = world:spawn(function()
      while closing:execute "SELECT key FROM system.local" do moonpool.sleep(1) end
      return true
    end)
    world.cluster:kill(1)
    assert(ended:wait())
    world:eventually("it is closed", function() return closed == 1 end)
  end)
end)
