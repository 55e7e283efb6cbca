-- SPDX-License-Identifier: Apache-2.0
-- The words that `moonpool test` has for playbooks and handlers, as a user runs them: each says what it should when it
-- holds and when it does not.
local policies = require "spec.support.policies"
local sh = require("spec.support.program").sh

local MOONPOOL = MOONPOOL_BUILD_DIR .. "/moonpool"

local folder

-- What a command prints (both streams), and its exit status.
local function test(path, ...)
  local words = { ("cd '%s' && '%s' test '%s'"):format(MOONPOOL_ROOT, MOONPOOL, path), ... }
  return sh(table.concat(words, " "))
end

local BOOK = [[return playbook {
  name = "book", when = { event = "hostDown", lasting = "10s" }, coolDown = "1h",
  run = function(run)
    run:pause(run.host)
    run:notify { url = "http://127.0.0.1:1/alert", text = run.host .. " is away" }
    run:command { "/usr/bin/fix", run.host }
    run:resume(run.host)
  end,
}]]

local HANDLERS = [[return function(pool)
  pool:on("reload", function(memory) pool.memory.lost = memory.lost end)
  pool:on("hostDown", function(host)
    pool.memory.lost = (pool.memory.lost or 0) + 1
    pool:setHostTags(host, { "lost" .. pool.memory.lost })
  end)
end]]

describe("moonpool test", function()
  before_each(function()
    folder = policies.folder()
    policies.write(folder .. "/book.lua", BOOK)
    policies.write(folder .. "/handlers.lua", HANDLERS)
    policies.write(folder .. "/broken.lua", "return playbook { name = 'x' }")
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  local function spec(body, ...)
    policies.write(folder .. "/a_spec.lua", "it('is tried', function()\n" .. body .. "\nend)")
    return test(folder .. "/a_spec.lua", ...)
  end

  local function passes(body)
    local said, status = spec(body)
    assert.equal(0, status, said)
    assert.matches("1 success", said)
  end

  local function fails(pattern, body)
    local said, status = spec(body)
    assert.equal(1, status, said)
    assert.matches(pattern, said)
    return said
  end

  it("runs the spec beside the example playbooks", function()
    local said, status = test "examples/playbooks/recovery_test.lua"
    assert.equal(0, status, said)
    assert.matches("5 successes / 0 failures / 0 errors", said, 1, true)
  end)

  local AWAY = "cluster:kill 'dc1/2' cluster:sleep '15s' "

  it("tells what a playbook did: its runs, steps, programs and what it posted; nothing leaves the process", function()
    passes([[
      local asked
      local book = playbook { file = "book.lua", commands = { ["/usr/bin/fix"] = function(argv) asked = argv[2] end } }
      expect(book).didNotRun()
    ]] .. AWAY .. [[
      expect(book).ran { host = "dc1/2", times = 1, steps = { "pause", "notify", "command", "resume" },
        why = "hostDown for" }
      expect(book).notified { text = "127.0.0.2:9042 is away", url = "/alert", times = 1 }
      expect(book).did { step = "command", what = "/usr/bin/fix 127.0.0.2:9042", result = "ok" }
      assert.equal("127.0.0.2:9042", asked)
      expect(book).didNotRun { host = "dc1/1" }
      assert.is_true(book:start "dc1/1")
      expect(book).ran { host = "dc1/1", why = "by hand", within = "1s" }]])
  end)

  it("tells how a run failed", function()
    passes([[
      local book = playbook { file = "book.lua", commands = { ["/usr/bin/fix"] = function() return 3, "no way" end } }
    ]] .. AWAY .. [[
      expect(book).ran { outcome = "failed", host = "dc1/2" }
      expect(book).did { step = "command", result = "status 3: no way" }
      expect(book).did { step = "undo pause" }]])
    passes("local book = playbook 'book.lua' " .. AWAY
      .. "expect(book).did { step = 'command', result = 'is not among the commands' }")
  end)

  it("says what happened where an expectation does not hold", function()
    local said = fails("ran { host = dc1/1 }: one expected, but 0 did; what happened:", "local book = playbook { "
      .. "file = 'book.lua', commands = { ['/usr/bin/fix'] = function() end } } " .. AWAY
      .. "expect(book).ran { host = 'dc1/1' }")
    assert.matches("run 1 dc1/2 pause 127.0.0.2:9042: ok", said, 1, true)
    fails("didNotRun {  }: it ran", "local book = playbook 'book.lua' " .. AWAY .. "expect(book).didNotRun()")
    fails("nothing happened", "expect(playbook 'book.lua').ran { within = '5s' }")
    fails("2 expected, but 1 did", "local h = handlers 'handlers.lua' " .. AWAY
      .. "expect(h).heard { event = 'hostDown', times = 2 }")
    fails("what happened:\n  heard hostDown%(dc1/2, .-%)\n  called setHostTags%(dc1/2, {...}%)",
      "local h = handlers 'handlers.lua' " .. AWAY .. "expect(h).called { method = 'pause' }")
  end)

  it("refuses what makes no sense, with the word that was meant", function()
    fails("there is no 'run', did you mean ran?", "expect(playbook 'book.lua').run {}")
    fails("ran: there is no 'step', did you mean steps?", "expect(playbook 'book.lua').ran { step = {} }")
    fails("outcome is done, failed, cancelled or running", "expect(playbook 'book.lua').ran { outcome = 'well' }")
    fails("what playbook%(...%) or handlers%(...%) gave is expected, got string", "expect('book').ran {}")
    fails("broken.lua:1: run: a function expected", "playbook 'broken.lua'")
    fails("No such file", "playbook 'nowhere.lua'")
    fails("playbook: there is no 'dryrun', did you mean dryRun?", "playbook { file = 'book.lua', dryrun = true }")
    fails("a cluster has no 'kil', did you mean kill?", "cluster:kil 'dc1/1'")
    fails("sleep: a time expected", "cluster:sleep 'long'")
  end)

  it("tells what handlers heard and called, over a replacement of their file", function()
    passes("local h = handlers 'handlers.lua' " .. AWAY .. [[
      expect(h).heard { event = "hostDown", host = "dc1/2", times = 1 }
      expect(h).called { method = "setHostTags", host = "dc1/2" }
      local again = handlers "handlers.lua"
      cluster:sleep(100)
      expect(again).heard { event = "reload" }
      expect(again).heard { event = "hostDown", host = "dc1/2" } -- it is down still
      expect(again).didNotFail()]])
  end)

  it("gives each test its own cluster, playbooks and handlers", function()
    policies.write(folder .. "/two_spec.lua", [[
      for _ = 1, 2 do
        it("is alone", function()
          local book = playbook "book.lua"
          local h = handlers "handlers.lua"
          cluster:kill "dc1/2" cluster:sleep "15s"
          expect(book).ran { outcome = "failed", times = 1 }
          expect(h).heard { event = "hostDown", times = 1 }
        end)
        after_each(function() cluster:close() end)
      end]])
    local said, status = test(folder .. "/two_spec.lua")
    assert.equal(0, status, said)
  end)

  it("tries playbooks together: they do not fight", function()
    local other = BOOK:gsub('"book"', '"other"'):gsub("run:command[^\n]*\n", "run:sleep '1m'\n")
    policies.write(folder .. "/other.lua", other)
    passes("local one = playbook 'other.lua' local other = playbook { file = 'book.lua', commands = "
      .. "{ ['/usr/bin/fix'] = function() end } }" .. AWAY .. [[
      cluster:sleep "2m"
      local skips = 0
      for _, book in ipairs { one, other } do
        local function look() expect(book).wasSkipped { why = "is in the hands of playbook" } end
        skips = skips + (pcall(look) and 1 or 0)
      end
      assert.equal(1, skips)]])
  end)
end)
