-- SPDX-License-Identifier: Apache-2.0
-- Lua programs that fork (docs/faults.md, X5). Whatever was made before belongs to the parent: in a child every call on
-- it fails with FORKED and nobody notices; what a child makes of its own works. Nobody ever reads another one's answer.
local policies = require "spec.support.policies"
local sim_process = require "spec.support.sim_process"

-- What each program begins with. ask() reads 300 rows, twenty at a time, and tells what it got.
local PRELUDE = [[
local moonpool, ffi = require "moonpool", require "ffi"
ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int); unsigned alarm(unsigned);"
local function open(more)
  local given = { contactPoints = { "127.0.0.1" }, port = %d, localDataCenter = "datacenter1" }
  for key, value in pairs(more or {}) do given[key] = value end
  return moonpool.ConnectionPool(given)
end
local function connected(more)
  local pool = open(more)
  assert(pool:connect())
  return pool
end
local function fill(pool)
  assert(pool:execute("CREATE KEYSPACE IF NOT EXISTS app WITH replication = " ..
    "{'class': 'SimpleStrategy', 'replication_factor': 1}"))
  assert(pool:execute "CREATE TABLE IF NOT EXISTS app.f (id int PRIMARY KEY)")
  for id = 0, 99 do assert(pool:execute("INSERT INTO app.f (id) VALUES (?)", { id })) end
end
local function ask(pool)
  local right, wrong, errors = 0, 0, {}
  local function one(id)
    local result, err = pool:execute("SELECT id FROM app.f WHERE id = ?", { id })
    if not result then errors[err.code] = (errors[err.code] or 0) + 1
    elseif result:first().id == id then right = right + 1 else wrong = wrong + 1 end
  end
  for _ = 1, 15 do
    local futures = {}
    for i = 1, 20 do futures[i] = moonpool.spawn(one, math.random(0, 99)) end
    for _, future in ipairs(futures) do future:wait() end
  end
  local list = {}
  for code, count in pairs(errors) do list[#list + 1] = code .. "=" .. count end
  return ("right %%d wrong %%d %%s"):format(right, wrong, table.concat(list, " "))
end
local function say(...) io.stdout:write(table.concat({ ... }, " "), "\n") io.stdout:flush() end
local function code(ok, err) return type(err) == "table" and tostring(ok) .. " " .. err.code or tostring(err) end
local function child(fn)
  local pid = ffi.C.fork()
  if pid == 0 then ffi.C.alarm(30) fn() ffi.C._exit(0) end
  return pid
end
local function await()
  local status, bad = ffi.new "int[1]", 0
  while ffi.C.waitpid(-1, status, 0) > 0 do bad = bad + (status[0] == 0 and 0 or 1) end
  say("children that failed:", bad)
end
]]

local folder, cluster

local function write(text)
  policies.write(folder .. "/app.lua", PRELUDE:format(cluster.port) .. text)
  return folder .. "/app.lua"
end

local function check(said, status, expected)
  assert.equal(0, status, said)
  for text, count in pairs(expected) do
    assert.equal(count, select(2, said:gsub(text, "")), text .. "\n" .. said)
  end
  assert.not_matches("wrong [1-9]", said)
  assert.not_matches("ERROR: ", said)
  return said
end

local function run(text, expected, environment, options)
  local said, status = sim_process.output(("%s '%s/moonpool' run %s '%s'"):format(environment or "",
    MOONPOOL_BUILD_DIR, options or "", write(text)))
  return check(said, status or -1, expected)
end

-- The library of this build is instrumented: a process that does not know that loads the sanitizer first.
local function luajit(text, expected)
  local asan = sim_process.output("cc -print-file-name=libasan.so"):gsub("%s+$", "")
  local said, status = sim_process.output(("LD_PRELOAD='%s' ASAN_OPTIONS=detect_leaks=0 " ..
    "MOONPOOL_LIB='%s/libmoonpool.so' " ..
    "LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' luajit '%s'"):format(asan, MOONPOOL_BUILD_DIR, MOONPOOL_ROOT,
    MOONPOOL_ROOT, write(text)))
  return check(said, status, expected)
end

describe("X5 fork in Lua", function()
  setup(function() cluster = sim_process.start(2) end)
  teardown(function() cluster:stop() end)
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  it("inside of moonpool run: four workers and the parent, 0 wrong rows", function()
    run([[
      local pool = connected()
      fill(pool)
      for worker = 1, 4 do
        child(function()
          moonpool.run(function()
            say("copy", ask(pool))
            local own = connected()
            say("own", ask(own))
            own:close()
          end)
        end)
      end
      for _ = 1, 5 do say("parent", ask(pool)) end
      await()
      say("parent", ask(pool))
      say("errors of connections:", pool:getStats().connectionErrors)
      pool:close()
    ]], { ["copy right 0 wrong 0 FORKED=300"] = 4, ["own right 300 wrong 0 \n"] = 4,
      ["parent right 300 wrong 0 \n"] = 6, ["children that failed: 0"] = 1, ["errors of connections: 0"] = 1 })
  end)

  it("in plain LuaJIT, between two moonpool.run", function()
    luajit([[
      local pool = moonpool.run(function()
        local pool = connected()
        fill(pool)
        return pool
      end)
      for worker = 1, 4 do
        child(function()
          say("outside", code(pcall(pool.getStats, pool)))
          moonpool.run(function()
            say("copy", ask(pool))
            local own = connected()
            say("own", ask(own))
            own:close()
          end)
          say("again", moonpool.run(function() return "works" end))
        end)
      end
      moonpool.run(function()
        for _ = 1, 5 do say("parent", ask(pool)) end
        await()
        say("parent", ask(pool))
        pool:close()
      end)
    ]], { ["outside false FORKED"] = 4, ["copy right 0 wrong 0 FORKED=300"] = 4, ["own right 300 wrong 0 \n"] = 4,
      ["again works"] = 4, ["parent right 300 wrong 0 \n"] = 6, ["children that failed: 0"] = 1 })
  end)

  it("every call on what was made before says FORKED, and waiting says what to do", function()
    local said = run([[
      local pool = connected()
      fill(pool)
      local statement = assert(pool:prepare "SELECT id FROM app.f WHERE id = ?")
      local never = open()
      local future = pool:executeAsync "SELECT id FROM app.f WHERE id = 1"
      child(function()
        say("tostring", tostring(pool))
        say("sleep", code(pcall(moonpool.sleep, 1)))
        say("sleep", tostring(select(2, pcall(moonpool.sleep, 1))))
        say("future", code(pcall(future.wait, future)))
        moonpool.run(function()
          say("connect", code(pool:connect()))
          say("connect", code(never:connect()))
          say("execute", code(pool:execute(statement, { 1 })))
          say("execute", code(pool:execute "SELECT key FROM system.local"))
          say("batch", pool.batch and code(pool:batch { { statement, { 1 } } }) or "nil FORKED")
          say("prepare", code(pool:prepare "SELECT id FROM app.f"))
          say("executeAsync", code(pool:executeAsync(statement, { 1 }):wait()))
          say("rows", code(pcall(function() for _ in pool:rows "SELECT id FROM app.f" do end end)))
          say("close", code(pool:close()))
          for _, method in ipairs { "getStats", "getMetrics", "getConnectionDetails", "getHosts", "policies", "explain",
            "reload" } do
            say("look", code(pcall(pool[method], pool)))
          end
          say("on", code(pcall(pool.on, pool, "hostUp", print)))
          say("tag", code(pcall(pool.setHostWeight, pool, "127.0.0.1", 1)))
          say("all", code(moonpool.all { moonpool.spawn(pool.execute, pool, "SELECT key FROM system.local") }))
        end)
      end)
      assert(future:wait())
      await()
      say("parent", ask(pool))
      pool:close()
      never:close()
    ]], { ["children that failed: 0"] = 1, ["parent right 300 wrong 0 \n"] = 1, ["moonpool.run%("] = 1,
      ["look false FORKED"] = 7 })
    for line in said:gmatch "[^\n]+" do
      local ok = line:match "^tostring" or line:match "^parent" or line:match "^children" or line:match "FORKED"
      assert.is_truthy(ok, said)
    end
  end)

  it("a copy that is collected, or a child that ends in order, is nobody's business", function()
    run([[
      local pool = connected()
      fill(pool)
      for way = 1, 4 do
        if ffi.C.fork() == 0 then
          ffi.C.alarm(30)
          if way == 1 then pool = nil collectgarbage() collectgarbage() end
          if way == 2 then os.exit(0) end
          if way == 3 then moonpool.run(function() pool:close() end) end
          return 0
        end
      end
      for _ = 1, 5 do say("parent", ask(pool)) end
      await()
      say("parent", ask(pool))
      say("errors of connections:", pool:getStats().connectionErrors)
      pool:close()
    ]], { ["parent right 300 wrong 0 \n"] = 6, ["children that failed: 0"] = 1, ["errors of connections: 0"] = 1 },
      "ASAN_OPTIONS=detect_leaks=0") -- os.exit(0) frees nothing
  end)

  it("wherever it happens: in a spawned coroutine, in a handler, while many requests wait", function()
    run([[
      local pool, forked = connected(), 0
      fill(pool)
      local function split()
        forked = forked + 1
        if ffi.C.fork() > 0 then return end
        ffi.C.alarm(30)
        moonpool.run(function()
          local own = connected()
          say("own", ask(own))
          own:close()
        end)
        -- Then this coroutine ends, and with it the child: the others go on in the parent.
      end
      pool:on("configReload", split)
      local reader = moonpool.spawn(function() return ask(pool) end)
      moonpool.spawn(split):wait()
      moonpool.spawn(function()
        assert(pool:execute "SELECT key FROM system.local")
        split()
      end):wait()
      say("parent", reader:wait())
      await()
      say("forked", forked)
      pool:close()
    ]], { ["own right 300 wrong 0 \n"] = 2, ["parent right 300 wrong 0 \n"] = 1, ["forked 2"] = 1,
      ["children that failed: 2"] = 1 }) -- they say that they cannot go on as what they were
  end)

  it("makes other random numbers in each process", function()
    local said = run([[
      local before = { moonpool.uuid(), moonpool.timeuuid() }
      local function three(who)
        for _ = 1, 3 do
          say("id", moonpool.uuid())
          say("id", moonpool.timeuuid())
          say("node", who, moonpool.timeuuid():sub(-17))
        end
      end
      for worker = 1, 4 do child(function() three(worker) end) end
      three(0)
      await()
    ]], { ["id "] = 30, ["children that failed: 0"] = 1 })
    local seen, nodes, count = {}, {}, 0
    for id in said:gmatch "id (%S+)" do
      assert.is_nil(seen[id], said)
      seen[id] = true
    end
    for who, node in said:gmatch "node (%d) (%S+)" do
      if nodes[node] == nil then count = count + 1 end
      assert.equal(who, nodes[node] or who, said)
      nodes[node] = who
    end
    assert.equal(5, count, said)
  end)

  it("leaves the parent its control socket and its watched files", function()
    local path, policy = folder .. "/socket", folder .. "/policy.lua"
    policies.write(policy, "return balance { name = 'A', plan = function(plan) plan:hosts(localDc) end }")
    run(([[
      local path, policy = %q, %q
      local pool, told = connected { loadBalancing = { policy = policy } }, 0
      pool:on("policyReload", function() told = told + 1 end)
      local pid = ffi.C.fork()
      if pid == 0 then return 0 end
      await()
      say("socket", tostring(os.rename(path, path)))
      local file = io.open(policy, "w")
      file:write "return balance { name = 'B', plan = function(plan) plan:hosts(localDc, inTurn) end }"
      file:close()
      for _ = 1, 200 do
        if told > 0 then break end
        moonpool.sleep(10)
      end
      say("reloads", told)
      pool:close()
    ]]):format(path, policy), { ["socket true"] = 1, ["reloads 1"] = 1, ["children that failed: 0"] = 1 }, nil,
      "--control '" .. path .. "'")
  end)

  it("ends a child at its first SIGTERM", function()
    run([[
      local pool = connected()
      local pid = child(function()
        moonpool.run(function()
          while true do moonpool.sleep(10) end
        end)
      end)
      ffi.cdef "int kill(int, int);"
      moonpool.sleep(50)
      ffi.C.kill(pid, 15)
      local status = ffi.new "int[1]"
      ffi.C.waitpid(pid, status, 0)
      say("signal", bit.band(status[0], 127))
      pool:close()
    ]], { ["signal 15"] = 1 })
  end)
end)
