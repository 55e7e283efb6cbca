-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local random = require "spec.hunt.random"
local topology = require "spec.support.topology"

local function policy(name, body)
  return ("return balance { name = '%s', plan = function(plan, req)\n%s end }"):format(name, body)
end

local ONE = policy("Mine", "plan:hosts(localDc, primaryFirst, 1)")
local TWO = policy("Mine", "plan:hosts(localDc, primaryFirst, 2)")
local ENDLESS = policy("Mine", "while true do end")

local folder, view
local function file(name) return folder .. "/" .. name end

describe("finding a policy", function()
  before_each(function() folder = policies.folder() end)
  after_each(function()
    policies.close_all()
    policies.remove(folder)
  end)

  local function found(options)
    local p = policies.new(options)
    return (ffi.string(p:info().file):gsub(".*/policies/", ""):gsub("^" .. folder:gsub("%p", "%%%0") .. "/", ""))
  end

  it("knows the names of the seed document", function()
    assert.equal("balance/round_robin.lua", found { policy = "RoundRobinPolicy" })
    assert.equal("balance/dc_aware_round_robin.lua", found { policy = "DCAwareRoundRobinPolicy" })
    assert.equal("balance/token_aware.lua", found { policy = "TokenAwarePolicy" })
    assert.equal("balance/token_aware.lua", found {})
    local p = policies.new { retry = "DefaultRetryPolicy" }
    assert.matches("retry/default.lua$", ffi.string(p:info(C.MP_POLICY_RETRY).file))
  end)

  it("takes a path", function()
    policies.write(file "x.lua", ONE)
    assert.equal("x.lua", found { policy = file "x.lua" })
  end)

  it("looks in the policy paths first: a user's file shadows a built-in one", function()
    policies.write(file "token_aware.lua", ONE)
    assert.equal("token_aware.lua", found { policy = "TokenAwarePolicy", paths = { folder } })
    assert(os.execute("mkdir " .. file "balance"))
    policies.write(file "balance/round_robin.lua", ONE)
    assert.equal("balance/round_robin.lua", found { policy = "RoundRobinPolicy", paths = { folder } })
  end)

  it("finds a file by its own name or by the name it declares", function()
    policies.write(file "RackFirst.lua", ONE)
    policies.write(file "whatever.lua", policy("Elsewhere", "plan:hosts(localDc)"))
    assert.equal("RackFirst.lua", found { policy = "RackFirst", paths = { folder } })
    assert.equal("whatever.lua", found { policy = "Elsewhere", paths = { folder } })
  end)

  it("says where it looked", function()
    local p, why = policies.try { policy = "NoSuchPolicy", paths = { folder }, where = "app.lua:12" }
    assert.is_nil(p)
    assert.equal(('app.lua:12: loadBalancing.policy: there is no balance policy "NoSuchPolicy": looked for no_such.lua '
      .. "in %s, %s/policies/balance; there are: AllowListPolicy, DCAwareRoundRobinPolicy, DenyListPolicy, "
      .. "LatencyAwarePolicy, LeastLoadedPolicy, RegionPriorityPolicy, RoundRobinPolicy, TokenAwarePolicy, "
      .. "WeightedPolicy"):format(folder, MOONPOOL_ROOT), why)
    policies.write(file "mine.lua", policy("Mine", "plan:hosts(localDc)"))
    for near, name in pairs { TokenAwarPolicy = "TokenAwarePolicy", roundrobinpolicy = "RoundRobinPolicy" } do
      p, why = policies.try { policy = near, paths = { folder } }
      assert.is_nil(p)
      assert.matches(", did you mean " .. name .. "? There are: AllowListPolicy, ", why, 1, true)
    end
    p, why = policies.try { policy = "./no/such.lua" }
    assert.is_nil(p)
    assert.equal("loadBalancing.policy: ./no/such.lua: there is no such file", why)
    p, why = policies.try { options = "{ childPolicy = 'Nobody' }" }
    assert.is_nil(p)
    assert.matches('^loadBalancing.childPolicy: there is no balance policy "Nobody"', why)
  end)

  -- What C makes of a name, said again: a word begins at a capital behind a small letter or a digit, and at the last
  -- capital of a run; a last word that says the kind is left out.
  local function snake_of(name)
    name = name:gsub("(.)Policy$", "%1")
    local out = {}
    for i = 1, #name do
      local before, c, after = name:sub(i - 1, i - 1), name:sub(i, i), name:sub(i + 1, i + 1)
      if i == 1 then before = "" end
      local begins = c:find "%u" and (before:find "[%l%d]" or before:find "%u" and after:find "%l")
      out[i] = (begins and "_" or "") .. (c:find "%w" and c:lower() or "_")
    end
    local snake, cut = table.concat(out):gsub("(.)_balance$", "%1")
    return cut > 0 and snake or (snake:gsub("(.)_load_balancing$", "%1"))
  end

  it("looks for a file by the words of the name", function()
    local r = random.new(11)
    local parts = { "A", "b", "Z", "y", "9", "-", ":", "Dc", "AWS", "Policy", "Balance", "LoadBalancing", "oneTwo" }
    for _ = 1, 60 do
      local name = {}
      for i = 1, 1 + r.below(6) do name[i] = r.pick(parts) end
      name = table.concat(name)
      local p, why = policies.try { policy = name, paths = { folder } }
      assert.is_nil(p)
      assert.equal(snake_of(name), why:match "looked for (.-)%.lua in ", name)
    end
  end)

  local function offered(names)
    local p, why = policies.try { policy = "NoSuchPolicy", paths = { folder } }
    assert.is_nil(p)
    local list = {}
    for name in why:match "there are: (.*)$":gmatch "[^, ]+" do
      if name:match(names) then list[#list + 1] = name end
    end
    return list
  end

  it("offers each name that a folder's files declare, whatever else lies beside them", function()
    assert(os.execute("mkdir " .. file "balance"))
    for i = 1, 9 do
      policies.write(file("balance/none" .. i .. ".lua"), "return " .. i)
      policies.write(file("balance/empty" .. i .. ".lua"), "return balance { name = '' }")
      policies.write(file("balance/text" .. i .. ".txt"), policy("MineText", ""))
    end
    policies.write(file "balance/good.lua", policy("MineB", ""))
    policies.write(file "balance/better.lua", "-- by name\n" .. policy("MineA", "") .. " -- name = 'MineSecond'")
    policies.write(file "balance/long.lua", policy("Mine" .. ("n"):rep(59), ""))
    policies.write(file "balance/too_long.lua", policy("Mine" .. ("m"):rep(60), ""))
    policies.write(file "balance/unfinished.lua", "return balance { name = 'MineUnfinished")
    assert.same({ "MineA", "MineB", "Mine" .. ("n"):rep(59) }, offered "^Mine")
  end)

  it("offers 48 names at most, in order", function()
    assert(os.execute("mkdir " .. file "balance"))
    for i = 1, 60 do policies.write(file(("balance/p%d.lua"):format(i)), policy(("P%02d"):format(i), "")) end
    local list = offered "^P%d%d$"
    assert.equal(48, #list)
    for i = 2, 48 do assert.is_true(list[i - 1] < list[i]) end
  end)

  it("does not take a file that answers another question", function()
    policies.write(file "r.lua", "return retry { name = 'R', decide = function() return giveUp end }")
    local p, why = policies.try { policy = file "r.lua" }
    assert.is_nil(p)
    assert.matches("r.lua:1: unknown name 'retry'", why, 1, true)
  end)
end)

describe("a policy's file", function()
  before_each(function() folder = policies.folder() end)
  after_each(function()
    policies.close_all()
    policies.remove(folder)
  end)

  local refused = {
    { "has a mistake of syntax", "return balance {\nname = 'X',\nplan = function( }", "x.lua:3: .*expected" },
    { "returns nothing", "local a = 1", "x.lua:1: the file must return balance { ... }" },
    { "returns another table", "return { name = 'X', plan = function() end }",
      "x.lua:1: the file must return balance" },
    { "returns a number", "return 5", "x.lua:1: the file must return balance" },
    { "has no name", "return balance { plan = function() end }", "x.lua:1: name must be a text" },
    { "has no plan", "\nreturn balance { name = 'X' }", "x.lua:2: plan must be a function" },
    { "has a plan that is no function", "return balance { name = 'X', plan = 5 }",
      "x.lua:1: plan must be a function" },
    { "has a key nobody knows", "return balance { name = 'X', plan = function() end, plans = 1 }",
      "x.lua:1: a balance policy has no 'plans'" },
    { "has options that are no table", "return balance { name = 'X', plan = function() end, options = 5 }",
      "x.lua:1: options must be a table" },
    { "has a function as a default", "return balance { name = 'X', plan = function() end, options = { a = print } }",
      "unknown name 'print'" },
    { "has a closure as a default", "return balance { name = 'X', plan = function() end, options = { a = error } }",
      "x.lua:1: options.a: a default is" },
    { "takes no table", "return balance(5)", "x.lua:1: the file must return balance" },
    { "fails while it is loaded", "local x = nil\nx.y = 1", "x.lua:2: attempt to index local 'x'" },
    { "fails on one node", policy("X", "if upCount(allDcs) == 1 then error 'alone' end plan:hosts(localDc)"),
      "x.lua:2: alone .asked about a cluster of one node" },
    { "fails when all are down", policy("X", "if upCount(allDcs) == 0 then error 'nobody' end plan:hosts(localDc)"),
      "x.lua:2: nobody .asked about a cluster without nodes" },
    { "fails on three datacentres", policy("X", "if upCount(remoteDcs) > 0 then error 'far' end plan:hosts(localDc)"),
      "x.lua:2: far .asked about a cluster of three datacentres" },
    { "fails on many nodes", policy("X", "if upCount(allDcs) > 900 then error 'many' end plan:hosts(localDc)"),
      "x.lua:2: many .asked about a cluster of a thousand nodes" },
    { "is empty", "", "x.lua:1: the file must return balance" },
    { "raises a table", "\nerror {}", "x.lua:2: error with a table value" },
    { "raises nothing", "error()", "x.lua:1: error with a nil value" },
    { "raises a number", "error(7)", "x.lua:1: 7" },
    { "runs for ever", "while true do end", "x.lua:1: out of fuel" },
    { "calls itself for ever", "local function f() return 1 + f() end f()", "x.lua:1: stack overflow" },
    { "takes all memory", "local t = {} for i = 1, 1e6 do t[i] = { {}, {}, {} } end",
      "x.lua:1: not enough memory: the policy holds more than it may" },
    { "is not text", "return \0 5", "x.lua: this is not text" },
  }
  for _, case in ipairs(refused) do
    it("is refused when it " .. case[1], function()
      policies.write(file "x.lua", case[2])
      local p, why = policies.try { policy = file "x.lua" }
      assert.is_nil(p)
      assert.matches(case[3], why)
      assert.is_truthy(why:find(folder, 1, true), why)
    end)
  end

  it("may be a script with a first line for a shell", function()
    policies.write(file "x.lua", "#!/usr/bin/env moonpool\n" .. ONE)
    policies.new { policy = file "x.lua" }
    policies.write(file "y.lua", "\239\187\191" .. ONE)
    policies.new { policy = file "y.lua" }
  end)

  it("may be long and deep in folders", function()
    local deep = folder .. ("/folder"):rep(20)
    assert(os.execute("mkdir -p " .. deep))
    policies.write(deep .. "/x.lua", "return balance { name = 'X', plan = function()\nfail() end }")
    local p, why = policies.try { policy = deep .. "/x.lua" }
    assert.is_nil(p)
    assert.equal(1, (why:find(deep .. "/x.lua:2: unknown name 'fail'", 1, true)), why)
  end)
end)

describe("options", function()
  after_each(policies.close_all)

  it("go to the policy or to its child, whoever takes them", function()
    local p = policies.new { options = "{ shuffleReplicas = false, usedHostsPerRemoteDc = 2 }" }
    assert.equal("DCAwareRoundRobinPolicy", ffi.string(p:info().child))
    p = policies.new { options = "{ childPolicy = 'RoundRobinPolicy' }" }
    assert.equal("RoundRobinPolicy", ffi.string(p:info().child))
    p = policies.new { options = "{ childPolicy = false }" }
    assert.equal("", ffi.string(p:info().child))
  end)

  local wrong = {
    { "{ shuffelReplicas = true }", "app.lua:7: loadBalancing.shuffelReplicas: TokenAwarePolicy over "
      .. "DCAwareRoundRobinPolicy has no such option, did you mean shuffleReplicas?; allowed: "
      .. "allowRemoteDCsForLocalConsistencyLevel (boolean), childPolicy (string), preferLocalRack (boolean), "
      .. "shuffleReplicas (boolean), usedHostsPerRemoteDc (number)" },
    { "{ shuffleReplicas = 'yes' }",
      'app.lua:7: loadBalancing.shuffleReplicas: got "yes" (string); TokenAwarePolicy takes a boolean' },
    { "{ usedHostsPerRemoteDc = true }",
      "app.lua:7: loadBalancing.usedHostsPerRemoteDc: got true (boolean); DCAwareRoundRobinPolicy takes a number" },
    { "{ usedHostsPerRemoteDc = -1 }",
      "app.lua:7: loadBalancing.usedHostsPerRemoteDc: got -1; must be a whole number, 0 or more" },
    { "{ usedHostsPerRemoteDc = 1.5 }",
      "app.lua:7: loadBalancing.usedHostsPerRemoteDc: got 1.5; must be a whole number, 0 or more" },
    { "{ childPolicy = 'TokenAwarePolicy' }", "app.lua:7: loadBalancing.childPolicy: more than 4 policies" },
  }
  for _, case in ipairs(wrong) do
    it("are refused: " .. case[1], function()
      local p, why = policies.try { options = case[1], where = "app.lua:7" }
      assert.is_nil(p)
      assert.equal(case[2], (why:gsub(" %(/[^)]*%)", "")))
    end)
  end

  it("of a policy that takes none are refused", function()
    local p, why = policies.try { policy = "RoundRobinPolicy", options = "{ usedHostsPerRemoteDc = 1 }" }
    assert.is_nil(p)
    assert.equal("loadBalancing.usedHostsPerRemoteDc: RoundRobinPolicy (" .. MOONPOOL_ROOT
      .. "/policies/balance/round_robin.lua) has no such option; allowed: none", why)
  end)
end)

describe("reloading", function()
  before_each(function()
    folder = policies.folder()
    view = topology.view({ { dc = "a" }, { dc = "a" }, { dc = "a" } }, "a")
    policies.write(file "p.lua", ONE)
  end)
  after_each(function()
    policies.close_all()
    topology.free(view)
    policies.remove(folder)
  end)

  local function watching(options)
    options = options or {}
    options.policy, options.watch = options.policy or file "p.lua", true
    local p = policies.new(options)
    assert.equal(0, p:bind(view))
    return p
  end
  local function events(p, n)
    assert(p:turn(function() return #p.events >= n end), "no event came")
    return p.events[n]
  end

  it("takes a changed file into force, numbered and told", function()
    local p = watching()
    assert.equal(1, #p:walk(view, {}))
    assert.equal(1, p:info().generation)
    policies.write(file "p.lua", TWO)
    local event = events(p, 1)
    assert.same({ kind = "reloaded", name = "Mine", file = file "p.lua", generation = 2, message = "" }, event)
    assert.equal(2, #p:walk(view, {}))
    assert.equal(2, p:info().generation)
    assert.equal(1, tonumber(p:info().reloads))
    assert.equal(1, tonumber(p:info().calls))
  end)

  it("notices a file that is written in place", function()
    local p = watching()
    local handle = assert(io.open(file "p.lua", "w"))
    handle:write(TWO)
    handle:close()
    events(p, 1)
    assert.equal(2, #p:walk(view, {}))
  end)

  it("notices the child's file too", function()
    policies.write(file "child.lua", ONE)
    local p = watching { policy = "TokenAwarePolicy", options = "{ childPolicy = '" .. file "child.lua" .. "' }" }
    policies.write(file "child.lua", TWO)
    assert.equal("reloaded", events(p, 1).kind)
    assert.equal(2, #p:walk(view, {}))
  end)

  it("does nothing when the text is the same", function()
    local p = watching()
    policies.write(file "p.lua", ONE)
    assert.is_false(p:turn(function() return #p.events > 0 end))
    assert.same({}, p.events)
    assert.equal(1, p:info().generation)
  end)

  it("refuses a bad file and goes on with the old one", function()
    local p = watching()
    local bad = {
      { policy("Mine", "plan:hosts(localDc,"), "p.lua:2: unexpected symbol" }, { ENDLESS, "p.lua:2: out of fuel" },
      { policy("Mine", "\nplan:hosts(5)"), "p.lua:3: plan:hosts" }, { "", "p.lua:1: the file must return balance" },
      { string.dump(loadstring(ONE)), "p.lua: this is bytecode" },
      { ("-- filling\n"):rep(30000), "p.lua: the file is too big" },
    }
    for i, case in ipairs(bad) do
      policies.write(file "p.lua", case[1])
      local event = events(p, i)
      assert.equal("error", event.kind)
      assert.matches(case[2], event.message, 1, true)
      assert.equal(1, event.generation)
      assert.equal(1, #p:walk(view, {}))
      assert.equal(i, tonumber(p:info().refused))
      assert.matches("policy refused, generation 1 of Mine goes on: .*" .. case[2], p.log[i])
    end
    policies.write(file "p.lua", TWO)
    assert.equal("reloaded", events(p, #bad + 1).kind)
    assert.equal(2, #p:walk(view, {}))
    assert.equal("", ffi.string(p:info().last_error))
  end)

  it("goes on when the file is gone, a directory or a pipe, and comes back with it", function()
    local p = watching()
    os.remove(file "p.lua")
    assert.matches("loadBalancing.policy: .*p.lua: there is no such file", events(p, 1).message)
    assert(os.execute("mkdir " .. file "p.lua"))
    assert.matches("p.lua: this is not a regular file", events(p, 2).message)
    assert(os.execute("rmdir " .. file "p.lua" .. " && mkfifo " .. file "p.lua"))
    assert(p:turn(function() return #p.events > 2 and p.events[#p.events].message:find "not a regular file" end))
    assert.equal(1, #p:walk(view, {}))
    os.remove(file "p.lua")
    policies.write(file "p.lua", TWO)
    assert(p:turn(function() return p.events[#p.events].kind == "reloaded" end))
    assert.equal(2, #p:walk(view, {}))
  end)

  it("follows a link that is turned to another file", function()
    policies.write(file "one.lua", ONE)
    policies.write(file "two.lua", TWO)
    assert(os.execute(("ln -sf one.lua %s"):format(file "link.lua")))
    local p = watching { policy = file "link.lua" }
    assert(os.execute(("ln -s two.lua %s && mv -T %s %s"):format(file "next", file "next", file "link.lua")))
    events(p, 1)
    assert.equal(2, #p:walk(view, {}))
  end)

  it("can be asked for by hand, changed or not", function()
    local p = policies.new { policy = file "p.lua" }
    assert.equal(0, p:bind(view))
    assert.is_true((p:reload()))
    assert.equal(2, p:info().generation)
    policies.write(file "p.lua", "return")
    local ok, why = p:reload()
    assert.is_false(ok)
    assert.matches("p.lua:1: the file must return balance", why, 1, true)
    assert.equal(2, p:info().generation)
  end)

  it("can be taken back", function()
    local p = policies.new { policy = file "p.lua" }
    assert.equal(0, p:bind(view))
    assert.equal(C.MP_ENOTFOUND, C.mp_policies_rollback(p.handle, C.MP_POLICY_BALANCE))
    policies.write(file "p.lua", TWO)
    assert.is_true((p:reload()))
    assert.equal(2, #p:walk(view, {}))
    assert.equal(0, C.mp_policies_rollback(p.handle, C.MP_POLICY_BALANCE))
    assert.equal(1, #p:walk(view, {}))
    assert.equal(1, p:info().generation)
    -- What was taken back is not gone back to.
    assert.equal(C.MP_ENOTFOUND, C.mp_policies_rollback(p.handle, C.MP_POLICY_BALANCE))
    assert.equal(1, #p:walk(view, {}))
  end)

  it("leaves no memory behind", function()
    local p = policies.new { policy = file "p.lua" }
    assert.equal(0, p:bind(view))
    local texts = { ONE, TWO, "return", ENDLESS:gsub("while true do end", "plan:hosts(5)") }
    local function held()
      local stats = C.mp_mem_stats()
      return tonumber(stats.allocs - stats.frees)
    end
    local after_ten
    for i = 1, 100 do
      policies.write(file "p.lua", texts[i % 4 + 1])
      p:reload()
      p:walk(view, {})
      p:turn()
      if i == 20 then after_ten = held() end
    end
    assert.equal(50, tonumber(p:info().reloads))
    assert.is_true(held() < after_ten + 3000, held() - after_ten)
  end)

  it("may be followed by the end of everything, inside the event", function()
    local p = watching()
    p.on_event = function()
      C.mp_policies_free(p.handle)
      p.handle = nil
    end
    policies.write(file "p.lua", TWO)
    assert(p:turn(function() return #p.events >= 1 end))
  end)
end)

describe("a file that changes under traffic", function()
  before_each(function()
    folder = policies.folder()
    view = topology.view({ { dc = "a" }, { dc = "a" }, { dc = "a" } }, "a")
  end)
  after_each(function()
    policies.close_all()
    topology.free(view)
    policies.remove(folder)
  end)

  -- A policy whose changed file was tried and is not ready yet.
  local function tried()
    policies.write(file "p.lua", ONE)
    local p = policies.new { policy = file "p.lua", sim = true, watch = true }
    assert.equal(0, p:bind(view))
    policies.write(file "p.lua", TWO)
    C.mp_loop_sim_touch(p.loop, file "p.lua")
    p:pass(20)
    assert.equal(1, #p:walk(view, {}))
    assert.equal(1, p:info().generation)
    return p
  end

  it("is tried in one turn and made ready in a later one", function()
    local p = tried()
    p:pass(2)
    assert.equal(2, #p:walk(view, {}))
    assert.equal(2, p:info().generation)
    assert.equal(1, tonumber(p:info().reloads))
    assert.is_true(p:info().is_compiled)
  end)

  it("is made ready by itself: another kind's waits for the next turn", function()
    local RETRY = "return retry { name = 'Again', decide = function(err) return giveUp end }"
    policies.write(file "p.lua", ONE)
    policies.write(file "r.lua", RETRY)
    local p = policies.new { policy = file "p.lua", retry = file "r.lua", sim = true, watch = true }
    assert.equal(0, p:bind(view))
    local ready = {}
    p.on_event = function(event) ready[#ready + 1] = { event.policy, tonumber(C.mp_loop_now_ms(p.loop)) } end
    policies.write(file "p.lua", TWO)
    policies.write(file "r.lua", RETRY .. " -- twice")
    C.mp_loop_sim_touch(p.loop, file "p.lua")
    C.mp_loop_sim_touch(p.loop, file "r.lua")
    p:pass(60)
    assert.equal(2, #ready, table.concat(p.log, "\n"))
    assert.is_true(ready[1][1] ~= ready[2][1])
    assert.is_true(ready[2][2] > ready[1][2])
  end)

  it("gives way to what is newer", function()
    local p = tried()
    policies.write(file "p.lua", policy("Three", "plan:hosts(localDc)"))
    assert.is_true((p:reload()))
    p:pass(100)
    assert.equal(3, #p:walk(view, {}))
    assert.equal(2, p:info().generation)
    assert.equal(1, tonumber(p:info().reloads))
  end)

  it("may be closed in between", function() tried():close() end)
end)
