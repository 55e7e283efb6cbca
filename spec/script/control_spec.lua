-- SPDX-License-Identifier: Apache-2.0
-- The control socket below its verbs: lines each way over the loop's own sockets.
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local unix = require "spec.support.unix"
local it_in = require("spec.support.world").inside(it)

describe("a control socket", function()
  local folder, path
  before_each(function()
    folder = policies.folder()
    path = folder .. "/ctl.sock"
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  local function with_server(handler, body, answer_ms)
    moonpool.run(function()
      local server
      server = assert(core.listenControl(path, function(client, line) handler(server, client, line) end,
        answer_ms))
      local ok, why = pcall(body, server)
      core.closeControl(server)
      if not ok then error(why, 0) end
    end)
    assert.is_nil(io.open(path))
  end

  it("carries a line and its answer, of any length up to the bounds", function()
    with_server(function(server, client, line) core.replyControl(server, client, line:rep(1000)) end, function()
      for _, line in ipairs { "", "hello", ("x"):rep(4000) } do
        assert.equal(line:rep(1000), core.askControl(path, line, 5000))
      end
      assert.equal('{"error":"a line has at most 4096 bytes","ok":false}',
        core.askControl(path, ("x"):rep(4096), 5000))
    end)
  end)

  it("carries sixteen megabytes, and says so when an answer is longer", function()
    local most = core.controlAnswerMax
    local told = {}
    with_server(function(server, client, line)
      told[line] = { core.replyControl(server, client, ("x"):rep(tonumber(line))) }
    end, function()
      assert.equal(most, #assert(core.askControl(path, tostring(most), 20000)))
      assert.equal('{"error":"the answer is too long","ok":false}', core.askControl(path, tostring(most + 1), 20000))
      assert.same({ true }, told[tostring(most)])
      assert.same({ nil, "the answer is too long" }, told[tostring(most + 1)])
    end)
  end)

  it("answers for a handler that fails, whatever it raises, and gives its client's place back", function()
    local errors = { "no", {}, 5, false, setmetatable({}, { __tostring = function() error "no" end }) }
    local function failing(server, client, line)
      local number = tonumber(line)
      if number % 2 == 0 then moonpool.sleep(1) end
      if number == 99 then return core.replyControl(server, client, "well") end
      if number % 7 == 0 then core.replyControl(server, client, "before") end
      error(errors[number % (#errors + 1)])
    end
    local said = unix.said_by(function() with_server(failing, function()
      for number = 1, 60 do
        assert.equal(number % 7 == 0 and "before" or '{"error":"the question failed; the log says how","ok":false}',
          core.askControl(path, tostring(number), 5000))
      end
      local futures = {}
      for i = 1, 16 do futures[i] = moonpool.spawn(core.askControl, path, "99", 5000) end
      for _, answer in ipairs(assert(moonpool.all(futures))) do assert.equal("well", answer) end
    end) end)
    assert.matches("^moonpool error: a question at the control socket failed: [^\n]*control_spec.lua:%d+: [^\n]*\n$",
      said)
  end)

  it("knows who went while an answer is being made, and gives the place to the next", function()
    local began, stop = 0, false
    with_server(function(server, client, line)
      if line ~= "slow" then return core.replyControl(server, client, line) end
      began = began + 1
      assert.is_true(core.waitsControl(server, client))
      while not stop do moonpool.sleep(5) end
      assert.is_false(core.waitsControl(server, client))
    end, function()
      local fds = {}
      for i = 1, 16 do
        fds[i] = assert(unix.dial(path))
        unix.offer(fds[i], "slow\n")
      end
      while began < 16 do moonpool.sleep(5) end
      assert.matches("sixteen clients are served already", assert(core.askControl(path, "x", 5000)), 1, true)
      for _, fd in ipairs(fds) do unix.close(fd) end
      assert.equal("x", core.askControl(path, "x", 5000))
      stop = true
      moonpool.sleep(20)
    end)
  end)

  it("does not wait for ever for a handler that never answers: its client is told, and the place is free", function()
    local over = false
    with_server(function(server, client, line)
      if line == "x" then return core.replyControl(server, client, line) end
      if line == "late" then moonpool.sleep(100) end
      while line == "never" and not over do moonpool.sleep(5) end
      core.replyControl(server, client, line)
    end, function()
      for round = 1, 3 do
        local futures = {}
        for i = 1, 16 do
          futures[i] = moonpool.spawn(core.askControl, path, i % 4 == 0 and "late" or "never", 20000)
        end
        for _, answer in ipairs(assert(moonpool.all(futures))) do
          assert.equal('{"error":"there is no answer yet","ok":false}', answer, "round " .. round)
        end
      end
      moonpool.sleep(100) -- the late ones answer a client that has gone
      assert.equal("x", core.askControl(path, "x", 20000))
      over = true -- and so do the others, for a coroutine that is left would wait in the next spec
      moonpool.sleep(50)
    end, 20)
  end)

  it("is for its user and for root", function()
    if not unix.is_root() then return pending "only root can be somebody else" end
    os.execute("chmod 777 '" .. folder .. "'")
    unix.as_user(65534, with_server, function(server, client, line) core.replyControl(server, client, line) end,
      function()
        local function ask_as(user)
          local fd = assert(unix.as_user(user, unix.dial, path))
          unix.offer(fd, "x\n")
          moonpool.sleep(20)
          local line = unix.receive(fd)
          unix.close(fd)
          return line
        end
        assert.equal("x", ask_as(65534))
        assert.equal("x", ask_as(0))
        os.execute("chmod 666 '" .. path .. "'")
        assert.is_nil(ask_as(65533))
      end)
  end)

  it("serves many at once, and answers those that wait for a handler", function()
    with_server(function(server, client, line)
      moonpool.sleep(20)
      core.replyControl(server, client, line .. "!")
    end, function()
      local futures = {}
      for i = 1, 16 do futures[i] = moonpool.spawn(core.askControl, path, tostring(i), 5000) end
      local results = assert(moonpool.all(futures))
      for i = 1, 16 do assert.equal(i .. "!", results[i]) end
    end)
  end)

  it("tells when there is no answer in time, or nobody", function()
    with_server(function() end, function(server)
      local answer, why = core.askControl(path, "x", 30)
      assert.is_nil(answer)
      assert.equal("no answer in time", why)
      local future = moonpool.spawn(core.askControl, path, "x", 5000)
      moonpool.sleep(20)
      core.closeControl(server)
      answer, why = future:wait()
      assert.is_nil(answer)
      assert.equal("the process closed the connection without an answer", why)
      assert.same({ nil, "no process serves it" }, { core.askControl(path, "x", 30) })
    end)
  end)

  it("is one at a path, and its removal touches no other", function()
    with_server(function(server, client) core.replyControl(server, client, "first") end, function(server)
      assert.same({ nil, "another process serves it" }, { core.listenControl(path, function() end) })
      assert.equal("first", core.askControl(path, "x", 1000))
      os.execute("rm '" .. path .. "'")
      local second = assert(core.listenControl(path, function() end))
      core.closeControl(server)
      assert.is_true(os.execute("test -S '" .. path .. "'") == 0)
      core.closeControl(second)
    end)
  end)

  it("forgets an answer that comes too late", function()
    local late
    with_server(function(server, client)
      late = function() core.replyControl(server, client, "late") end
    end, function()
      core.askControl(path, "x", 20)
      moonpool.sleep(20)
      late()
      local other = assert(core.listenControl(path .. "2", function() end))
      core.replyControl(other, 99, "nobody")
      core.closeControl(other)
    end)
    late()
  end)

  it_in("answers for all pools or for one, and says so when that is too long or makes no sense", function(world)
    local control = require "moonpool.cli.control"
    local json = require "moonpool.cli.json"
    local pool = require "moonpool.pool"
    local first, second, closed = world:pool(), world:pool(), world:pool()
    closed:close()
    local function ask(line, is_wanted) return json.decode(control.answer(line, is_wanted)) end
    local function number_of(each) return pool.all[each] end
    local all = ask '{"verb":"hosts"}'
    assert.is_true(all.ok)
    local numbers = {}
    for _, result in ipairs(all.pools) do numbers[result.number] = #result.hosts end
    assert.equal(3, numbers[number_of(first)])
    assert.equal(3, numbers[number_of(second)])
    assert.is_nil(numbers[number_of(closed)])
    local one = ask(('{"verb":"hosts","pool":%d}'):format(number_of(second)))
    assert.same({ 1, number_of(second) }, { #one.pools, one.pools[1].number })
    for line, message in pairs {
      [('{"verb":"hosts","pool":%d}'):format(number_of(closed))] = "there is no pool " .. number_of(closed),
      ['{"verb":"hosts","pool":0.5}'] = "there is no pool 0.5", ['{"verb":"hosts","pool":"1"}'] = "pool: a number",
      ['{"verb":"hosts","pol":1}'] = "a question has a verb, an argument and the number of a pool, nothing else",
      ['{"verb":"hosts","argument":"x"}'] = "hosts takes no argument", ['{"verb":"rollback"}'] = "wants an argument",
      ['{"verb":"host"}'] = "unknown verb, did you mean hosts?, one of these expected: analyze, canary, config, ",
      ['[1]'] = "unknown verb", ["5"] = "a question is an object", ["null"] = "this is no line of JSON",
    } do
      local answer = ask(line)
      assert.is_false(answer.ok)
      assert.matches(message, answer.error, 1, true)
    end
    local most = core.controlAnswerMax
    core.controlAnswerMax = 900
    local ok, why = pcall(function()
      assert.equal("the answer has more than 900 bytes: ask for one pool at a time (moonpool ctl --pool N hosts)",
        ask '{"verb":"hosts"}'.error)
      assert.is_true(ask(('{"verb":"hosts","pool":%d}'):format(number_of(first))).ok)
      core.controlAnswerMax = 300
      assert.equal("the answer has more than 300 bytes", ask(('{"verb":"hosts","pool":%d}'):format(number_of(first)))
        .error)
    end)
    core.controlAnswerMax = most
    if not ok then error(why, 0) end
    local asked = 0
    assert.equal("nobody waits for it any more", ask('{"verb":"hosts"}', function()
      asked = asked + 1
      return false
    end).error)
    assert.equal(1, asked)
  end)

  it_in("answers for a pool that fails, and for the others", function(world)
    local control = require "moonpool.cli.control"
    local json = require "moonpool.cli.json"
    world:pool()
    local verb = control.verbs.health[2]
    control.verbs.health[2] = function() error { message = "cassandra://u:secret@host is odd" } end
    local answer = json.decode(control.answer '{"verb":"health"}')
    control.verbs.health[2] = verb
    assert.is_false(answer.ok)
    assert.equal("health: cassandra://u:***@host is odd", answer.pools[1].error)
  end)

  it_in("tells how well a large cluster is in a short answer, when all of it is down, too", { nodes = 60 },
    function(world)
      local control = require "moonpool.cli.control"
      local json = require "moonpool.cli.json"
      local pool = world:pool()
      local function ask(verb) return json.decode(control.answer('{"verb":"' .. verb .. '"}')).pools[1] end
      local well = ask "health"
      assert.same({ "healthy", 60, 0, 20 }, { well.overall, well.hostsUp, #well.hostsDown, #well.hosts })
      assert.same({ hosts = 40, hostsDown = 0, recommendations = 0 }, well.more)
      world.cluster:kill(7)
      world:waitStatus(pool, 7, "down")
      assert.equal(world:host(7), ask("health").hosts[1].address)
      for node = 1, 60 do if node ~= 7 then world.cluster:kill(node) end end
      world:eventually("all are down", function() return world:upCount(pool) == 0 end)
      local ill = ask "health"
      assert.same({ "unhealthy", false, 0, 20, 20, 20 }, { ill.overall, ill.ok, ill.hostsUp, #ill.hostsDown, #ill.hosts,
        #ill.recommendations })
      assert.same({ hosts = 40, hostsDown = 40, recommendations = ill.more.recommendations }, ill.more)
      assert.is_true(ill.more.recommendations >= 40)
      assert.is_true(#ask("analyze").bottlenecks <= 20)
    end)

  it("gives a long answer to a slow reader, while others are served", function()
    local most = 4e6
    with_server(function(server, client, line)
      core.replyControl(server, client, line == "long" and ("y"):rep(most) or line)
    end, function()
      local fd = assert(unix.dial(path))
      unix.offer(fd, "long\n")
      local got = 0
      while got < most do
        moonpool.sleep(1)
        local part = unix.take(fd, 300000)
        got = got + part
        if part > 0 and got < most then assert.equal("x", core.askControl(path, "x", 5000)) end
      end
      assert.equal(most + 1, got)
      unix.close(fd)
    end)
  end)

  it_in("does not exist in virtual time", function()
    assert.same({ nil, "not supported" }, { core.listenControl("/tmp/x", function() end) })
    assert.same({ nil, "not supported" }, { core.askControl("/tmp/x", "x", 10) })
  end)
end)
