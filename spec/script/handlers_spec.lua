-- SPDX-License-Identifier: Apache-2.0
-- The handlers file of a pool: loaded with it, replaced while it runs, and never a danger to the traffic.
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local worlds = require "spec.support.world"
local it_in = worlds.inside(it)

local folder
local function file(name) return folder .. "/" .. name end

-- What handlers of a file say goes here: they are in this very Lua state.
local said
_G.say = function(...) said[#said + 1] = table.concat({ ... }, " ") end -- luacheck: ignore

local function says(word)
  return ("return function(pool) pool:on('hostDown', function(host) say('%s', host) end) end"):format(word)
end

local function write(name, text)
  policies.write(file(name), text)
end

describe("a handlers file", function()
  before_each(function()
    folder, said = policies.folder(), {}
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  local function pool_with(world, text)
    write("handlers.lua", text)
    local pool = world:pool { handlers = file "handlers.lua" }
    world:waitUp(pool)
    return pool
  end

  local function change(world, text)
    write("handlers.lua", text)
    world.sim:touch(file "handlers.lua")
    moonpool.sleep(100)
  end

  local function kill_and_start(world, pool, node)
    world.cluster:kill(node)
    world:waitStatus(pool, node, "down")
    world.cluster:start(node)
    world:waitStatus(pool, node, "up")
  end

  it_in("is loaded with the pool and handles its events", function(world)
    local pool = pool_with(world, says "one")
    kill_and_start(world, pool, 2)
    assert.same({ "one " .. world:host(2) }, said)
    pool:close()
  end)

  it_in("is replaced when it changes; the application's own handlers stay", function(world)
    local pool = pool_with(world, says "one")
    local told = world:listen(pool, "hostDown", "handlersReload", "handlersError")
    change(world, says "two")
    kill_and_start(world, pool, 2)
    assert.same({ "two " .. world:host(2) }, said)
    assert.equal(1, #told.hostDown)
    assert.same({ { { file = file "handlers.lua", generation = 2 } } }, told.handlersReload)
    assert.same({}, told.handlersError)
    world.sim:touch(file "handlers.lua") -- written with the same text
    moonpool.sleep(100)
    assert.equal(1, #told.handlersReload)
    pool:close()
  end)

  it_in("may hear of its own replacement", function(world)
    local pool = pool_with(world, says "one")
    change(world, "return function(pool) pool:on('handlersReload', function(e) say(e.generation) end) end")
    assert.same({ "2" }, said)
    pool:close()
  end)

  local bad = {
    { "syntax", "return function(pool)\n pool:on( end", "handlers.lua:2: " },
    { "an error at load", "local x = nil\nlocal y = x.z", "handlers.lua:2: attempt to index" },
    { "an error in its function", "return function(pool)\n  pool:on('hostUp', print)\n  error 'no'\nend",
      "handlers.lua:3: no" },
    { "an error that is no text", "return function() error({}) end", "handlers.lua: table" },
    { "no function", "return { hostDown = print }",
      "handlers.lua:1: the file must return a function that takes the pool, got a table" },
    { "nothing", "", "handlers.lua:1: the file must return a function that takes the pool, got a nil" },
    { "an unknown event", "return function(pool)\n  pool:on('hostGone', print)\nend",
      "handlers.lua:2: unknown event" },
    { "no handler", "return function(pool)\n  pool:on('hostUp', 5)\nend", "handlers.lua:2: bad argument #2 to 'on'" },
    { "a call that waits", "return function(pool)\n  pool:execute 'SELECT key FROM system.local'\nend",
      "this call waits, and a file cannot wait while it is loaded" },
    { "a call that waits in the file itself", "require('moonpool').sleep(1)\nreturn function() end",
      "handlers.lua:1: this call waits, and a file cannot wait while it is loaded" },
    { "a yield in the file itself", "\ncoroutine.yield()\nreturn function() end",
      "handlers.lua:2: the function waits" },
    { "a yield", "return function(pool)\n  coroutine.yield()\nend", "handlers.lua:2: the function waits" },
    { "an endless file", "local n = 0\nwhile true do n = n + 1 end", "handlers.lua:2: it did not come to its end" },
    { "an endless function", "return function()\n  local n = 0\n  while true do n = n + 1 end\nend",
      "it did not come to its end" },
    { "an endless function that catches errors",
      "return function()\n  while true do pcall(function() while true do end end) end\nend",
      "it did not come to its end" },
    { "bytecode", string.dump(loadstring "return function() end"), "handlers.lua: this is bytecode" },
    { "bytecode behind a byte order mark", "\239\187\191\27LJ\2\3", "handlers.lua:1: this is bytecode" },
    { "bytecode behind a first line", "#!moonpool\n\27LJ\2\3", "handlers.lua:1: this is bytecode" },
    { "bytes", "return\0", "handlers.lua: this is not text" },
  }
  for _, case in ipairs(bad) do
    it_in("that has " .. case[1] .. " leaves the old handlers and says why", function(world)
      local pool = pool_with(world, says "good")
      local told = world:listen(pool, "handlersReload", "handlersError")
      change(world, case[2])
      assert.equal(1, #told.handlersError)
      local event = told.handlersError[1][1]
      assert.equal(file "handlers.lua", event.file)
      assert.equal(1, event.generation)
      assert.matches(case[3], event.message, 1, true)
      assert.matches(file "handlers.lua", event.message, 1, true)
      local ok, err = pool:reload()
      assert.is_nil(ok)
      assert.equal("SCRIPT_ERROR", err.code)
      assert.matches(case[3], err.message, 1, true)
      assert.matches("the handlers are unchanged", err.message, 1, true)
      kill_and_start(world, pool, 2)
      assert.same({ "good " .. world:host(2) }, said)
      assert.same({}, told.handlersReload)
      change(world, says "better")
      assert.equal(1, #told.handlersReload)
      pool:close()
    end)
  end

  local function in_its_place(command)
    os.execute(("cd '%s' && rm -rf handlers.lua && %s"):format(folder, command))
  end
  local odd = {
    { "nothing", "true", "No such file" },
    { "a directory", "mkdir handlers.lua", "this is not a regular file" },
    { "a pipe", "mkfifo handlers.lua", "this is not a regular file" },
    { "a gigabyte", "truncate -s 1G handlers.lua", "the file is too big" },
    { "a link to nowhere", "ln -s nowhere handlers.lua", "No such file" },
    { "a link to itself", "ln -s handlers.lua handlers.lua", "symbolic links" },
  }
  for _, case in ipairs(odd) do
    it_in("with " .. case[1] .. " in its place leaves the old handlers, and comes back", function(world)
      local pool = pool_with(world, says "good")
      local told = world:listen(pool, "handlersReload", "handlersError")
      in_its_place(case[2])
      world.sim:touch(file "handlers.lua")
      moonpool.sleep(100)
      assert.equal(1, #told.handlersError)
      assert.matches(case[3], told.handlersError[1][1].message, 1, true)
      kill_and_start(world, pool, 2)
      assert.same({ "good " .. world:host(2) }, said)
      in_its_place "true"
      change(world, says "back")
      assert.equal(1, #told.handlersReload)
      pool:close()
    end)
  end

  it_in("that cannot be read leaves the old handlers", function(world)
    local pool = pool_with(world, says "good")
    os.execute("chmod 000 '" .. file "handlers.lua" .. "'")
    local unreadable = io.open(file "handlers.lua") == nil -- root reads everything
    local ok, err = pool:reload()
    if unreadable then
      assert.is_nil(ok)
      assert.matches("Permission denied", err.message, 1, true)
    end
    kill_and_start(world, pool, 2)
    assert.equal(1, #said)
    pool:close()
  end)

  it_in("that is wrong at the start is an error of the pool with its place", function(world)
    write("handlers.lua", "return 5")
    local ok, why = pcall(function() return world:newPool { handlers = file "handlers.lua" } end)
    assert.is_false(ok)
    assert.matches("handlers: " .. file "handlers.lua" .. ":1: the file must return a function", why, 1, true)
    ok, why = pcall(function() return world:newPool { handlers = file "none.lua" } end)
    assert.is_false(ok)
    assert.matches("none.lua: No such file", why, 1, true)
    world:calm()
  end)

  it_in("lets a coroutine of an old handler finish", function(world)
    local pool = pool_with(world, [[return function(pool)
      pool:on("hostDown", function(host)
        require "moonpool".sleep(5000)
        say("old", host, pool:execute "SELECT key FROM system.local":first().key)
      end)
    end]])
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    moonpool.sleep(50)
    change(world, "return function() end")
    moonpool.sleep(6000)
    assert.same({ "old " .. world:host(2) .. " local" }, said)
    pool:close()
  end)

  it_in("takes what its handlers add later with it", function(world)
    local pool = pool_with(world, [[return function(pool)
      pool:on("hostUp", function()
        pool:on("hostDown", function(host) say("added", host) end)
      end)
    end]])
    kill_and_start(world, pool, 2)
    kill_and_start(world, pool, 2)
    assert.is_true(#said >= 1)
    change(world, says "new")
    said = {}
    kill_and_start(world, pool, 3)
    assert.same({ "new " .. world:host(3) }, said)
    pool:close()
  end)

  it_in("cannot ask for a reload while it is loaded", function(world)
    local text = [[return function(pool)
      local ok, err = pool:reload()
      say(tostring(ok), err.code, err.message)
    end]]
    local pool = pool_with(world, text)
    assert.is_true(pool:reload())
    assert.same({ "nil POOL_BUSY a reload is under way", "nil POOL_BUSY a reload is under way" }, said)
    assert.is_true(pool:reload())
    pool:close()
  end)

  it_in("can take its handlers away, and look like a pool", function(world)
    local pool = pool_with(world, [[return function(pool)
      local function handler(host) say("never", host) end
      assert(pool:on("hostDown", handler) == pool)
      pool:off("hostDown", handler)
      say(tostring(pool), #pool:getHosts(), pool:policies().balance.name)
    end]])
    assert.same({ "moonpool pool (new) 0 TokenAwarePolicy" }, said)
    kill_and_start(world, pool, 2)
    assert.equal(1, #said)
    pool:close()
  end)

  it_in("whose handlers fail harms nobody", function(world)
    world.handlersMayFail = true
    local pool = pool_with(world, [[return function(pool)
      pool:on("hostDown", function() error "boom" end)
      pool:on("hostDown", function(host) say("still", host) end)
    end]])
    kill_and_start(world, pool, 2)
    assert.same({ "still " .. world:host(2) }, said)
    assert.equal(1, pool:getHandlerErrors())
    assert(pool:execute "SELECT key FROM system.local")
    pool:close()
  end)

  it_in("is replaced a hundred times under load, and no request is lost", function(world)
    local pool = pool_with(world, says "0")
    local stop, count = false, 0
    local load = world:spawn(function()
      while not stop do
        assert(pool:execute "SELECT key FROM system.local")
        count = count + 1
      end
      return true
    end)
    for i = 1, 100 do change(world, i % 3 == 0 and "return function( end" or says(tostring(i))) end
    stop = true
    assert(load:wait())
    assert.is_true(count > 100)
    kill_and_start(world, pool, 2)
    assert.same({ "100 " .. world:host(2) }, said)
    pool:close()
  end)
end)
