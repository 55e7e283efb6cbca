-- SPDX-License-Identifier: Apache-2.0
-- moonpool shell: as a program uses it through a pipe, and as a person does in a terminal (tmux).
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local tmux = require "spec.cli.tmux"

local folder

local function piped(text, arguments)
  policies.write(folder .. "/lines", text)
  return program.sh(("cd '%s' && '%s' shell %s < lines"):format(folder, program.moonpool, arguments or ""))
end

describe("moonpool shell", function()
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  it("executes CQL and Lua, a line each, and prints rows as a table", function()
    local said, status = piped([[
INSERT INTO users (id, name) VALUES (1, 'ana');
pool:execute("INSERT INTO users (id, name) VALUES (?, ?)", { 2, "bo" })
SELECT id, name FROM users WHERE id = 1;
pool:execute("SELECT name FROM users WHERE id = ?", { 2 })
x = 20
x + 1
]])
    assert.equal(0, status, said)
    assert.matches("id  name\n%-%-  %-%-%-%-\n1   ana\n1 row, 127%.0%.0%.%d:%d+, %d", said)
    assert.matches("name\n%-%-%-%-\nbo\n1 row", said)
    assert.matches("\n21\n", said, 1, true)
  end)

  it("explains, changes and reloads policies, kills nodes", function()
    local said, status = piped [[
explain { key = 7, table = "users" }
use("RoundRobinPolicy")
explain { key = 7 }
reload()
kill(2)
for _ = 1, 300 do sleep(20) if hosts():find "down" then break end end
hosts()
nodes()
start(2)
policies()
]]
    assert.equal(0, status, said)
    assert.matches("host +datacenter +rack +step +why", said)
    assert.matches("%(replica%)", said)
    assert.matches("hosts of all datacentres, in turn", said, 1, true)
    assert.matches("\nreloaded\n", said, 1, true)
    assert.matches("127%.0%.0%.2:%d+ +down", said)
    assert.matches("balance +RoundRobinPolicy", said)
  end)

  it("goes on after a mistake, and says what was wrong", function()
    local said, status = piped [[
SELECT nonsense FROM
pool:execute(1)
nosuch()
x = = 1
error { message = "mine" }
print("alive")
]]
    assert.equal(0, status, said)
    assert.matches("SYNTAX_ERROR", said, 1, true)
    assert.matches("alive\n", said, 1, true)
    assert.matches("nosuch", said, 1, true)
    assert.is_nil(said:find("stack traceback", 1, true))
  end)

  it("takes a statement of several lines, quit(), and the end in the middle of one", function()
    local said = piped "for i = 1, 3 do\nprint(i * 11)\nend\nquit()\nprint 'not reached'\n"
    assert.matches("11\n22\n33\n", said, 1, true)
    assert.is_nil(said:find("not reached", 1, true))
    assert.equal(0, select(2, piped "for i = 1, 3 do\n"))
    assert.equal(0, select(2, piped ""))
  end)

  it("says why it cannot begin", function()
    local said, status = piped("", "--config nowhere.lua")
    assert.equal(1, status)
    assert.matches("nowhere.lua", said, 1, true)
    assert.equal(1, select(2, piped("", "--policy NoSuchPolicy")))
    assert.equal(1, select(2, piped("", "--embedded 2 --dcs 3")))
    assert.equal(2, select(2, piped("", "--config nowhere.lua --dcs 3")))
  end)

  describe("in a terminal", function()
    if tmux.missing() then return it("is driven through tmux", function() pending(tmux.missing()) end) end

    local window

    local function begin()
      window = tmux.open(("'%s' shell"):format(program.moonpool), { columns = 120, rows = 40,
        environment = "MOONPOOL_HISTORY=" .. folder .. "/history" })
      window:wait "moonpool>"
    end

    after_each(function() window:close() end)

    it("has a prompt, Tab over names, a history, and an end", function()
      begin()
      window:press("'pool:exec'", "Tab")
      window:wait "pool:execute"
      window:press("C-u", "'expl'", "Tab")
      window:wait "explain"
      window:press("C-u", "'6 * 7'", "Enter")
      window:wait "\n42\n"
      window:press("'for i = 1, 2 do'", "Enter")
      window:wait ">>"
      window:press("'print(i * 111) end'", "Enter")
      window:wait "\n222\n"
      window:press "C-d"
      window:wait "status 0"
      window:close()
      begin()
      window:press("Up", "Up", "Up", "Enter") -- the history of the session before
      window:wait "\n42\n"
      window:press("'quit()'", "Enter")
      window:wait "status 0"
    end)
  end)
end)
