-- SPDX-License-Identifier: Apache-2.0
-- Playbooks from outside of the process, as a person at a terminal meets them.
local playbooks = require "spec.playbook.support.files"
local json = require "moonpool.cli.json"
local sh = require("spec.support.program").sh

local MOONPOOL = MOONPOOL_BUILD_DIR .. "/moonpool"

describe("moonpool check", function()
  before_each(playbooks.begin)
  after_each(playbooks.finish)

  it("knows playbooks, and those that a configuration names", function()
    playbooks.write("good.lua", playbooks.text("good", "run = function() end"))
    playbooks.write("bad.lua", playbooks.text("bad", "run = 5"))
    playbooks.write("pool.lua", "return { contactPoints = { 'a' }, playbooks = { 'good.lua', 'bad.lua' } }")
    local said, status = sh(("'%s' check '%s'"):format(MOONPOOL, playbooks.file "good.lua"))
    assert.equal(playbooks.file "good.lua" .. ": ok (playbook)\n", said)
    assert.equal(0, status)
    said, status = sh(("'%s' check '%s'"):format(MOONPOOL, playbooks.file "bad.lua"))
    assert.equal(playbooks.file "bad.lua" .. ":1: run: a function expected, got number\n", said)
    assert.equal(1, status)
    said, status = sh(("'%s' check '%s'"):format(MOONPOOL, playbooks.file "pool.lua"))
    assert.matches("playbooks: .*bad.lua:1: run: a function expected, got number", said)
    assert.equal(1, status)
  end)

  it("is content with those of the examples", function()
    local said, status = sh(("cd '%s' && '%s' check examples/playbooks/*.lua"):format(MOONPOOL_ROOT, MOONPOOL))
    assert.equal(0, status, said)
  end)
end)

describe("moonpool playbook", function()
  before_each(playbooks.begin)
  after_each(playbooks.finish)

  -- A process that serves a pool with these playbooks on an embedded cluster, for as long as `body` runs.
  local function serving(files, body)
    for name, text in pairs(files) do playbooks.write(name .. ".lua", playbooks.text(name, text)) end
    playbooks.write("pool.lua", [[return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
      playbooks = { "book.lua", dryRun = false, commands = { "/bin/echo", "/bin/false" } } }]])
    local control = playbooks.file "ctl.sock"
    local function ask(words) return sh(("'%s' playbook %s --control '%s'"):format(MOONPOOL, words, control)) end
    local pipe = assert(io.popen(("echo $$; exec '%s' serve --embedded 1 --control '%s' '%s' 2>&1"):format(MOONPOOL,
      control, playbooks.file "pool.lua"), "r"))
    local pid = pipe:read "*l"
    repeat
      local line = assert(pipe:read "*l", "it did not start")
    until line:find "connected" -- luacheck: ignore 113
    local ok, why = pcall(body, ask)
    sh("kill -TERM " .. pid)
    pipe:read "*a"
    pipe:close()
    if not ok then error(why, 0) end
  end

  local function until_said(ask, words, pattern)
    for _ = 1, 400 do
      local said = ask(words)
      if said:find(pattern) then return said end
      os.execute "sleep 0.05"
    end
    error("it was never said: " .. pattern .. "\n" .. ask(words))
  end

  it("lists, begins and tells of those of a daemon, which run programs and remember", function()
    serving({ book = [[run = function(run)
      run.memory.n = (run.memory.n or 0) + 1
      local said = run:command { "/bin/echo", run.host or "nobody", "$HOME" }
      run:log(said.output)
      run:command { "/bin/false" } end]] }, function(ask)
      local said, status = ask "list"
      assert.equal(0, status, said)
      assert.matches("\nbook +1 +by hand +0 +acts +%S+/book.lua\n$", said)
      assert.equal("run 1 began\n", (ask "run book --host 1.2.3.4:9042"))
      said = until_said(ask, "history book", " end: failed")
      assert.matches("command /bin/echo 1.2.3.4:9042 $HOME: ok (by hand)", said, 1, true)
      assert.matches("log 1.2.3.4:9042 $HOME", said, 1, true)
      assert.matches("command: /bin/false: status 1", said, 1, true)
      assert.equal("0 cool-downs ended\n", (ask "ack book"))
      assert.equal("run 2 began\n", (ask "dry-run book"))
      until_said(ask, "history", "run 2 %S+ command /bin/echo nobody $HOME: would be done")
      said, status = ask "run bok"
      assert.equal(1, status)
      assert.matches("there is no playbook 'bok', did you mean book?", said, 1, true)
    end)
    local file = assert(io.open(playbooks.file "pool.lua.state/book.memory.json"))
    assert.equal(2, json.decode(file:read "*a").n)
    file:close()
  end)
end)
