-- SPDX-License-Identifier: Apache-2.0
-- What a playbook's file may say, and what is told of one that says something else.
local file = require "moonpool.playbook.file"
local playbooks = require "spec.playbook.support.files"

local RUN = "run = function() end"

describe("a playbook's file", function()
  before_each(playbooks.begin)
  after_each(playbooks.finish)

  local function load(text)
    playbooks.write("p.lua", text)
    return file.load(playbooks.file "p.lua")
  end

  it("gives a definition with times in milliseconds and defaults that are careful", function()
    local book = assert(load(playbooks.text("lostNode", [[when = { event = "hostDown", lasting = "30s" },
      timeout = "5m", coolDown = "1h", atMost = { 3, per = "1d" }, blastRadius = 0.25, onReload = "cancel",
      guard = function() return true end, cancel = function() end, run = function() end]])))
    assert.equal("lostNode", book.name)
    assert.same({ event = "hostDown", lasting = 30000 }, book.when)
    assert.same({ 300000, 3600000, 0.25, "cancel" }, { book.timeout, book.coolDown, book.blastRadius, book.onReload })
    assert.same({ count = 3, per = 86400000 }, book.atMost)
    book = assert(load(playbooks.text("x", RUN)))
    assert.is_nil(book.when)
    assert.same({ 600000, 600000, 1 / 3, "finish" }, { book.timeout, book.coolDown, book.blastRadius, book.onReload })
    assert.same({ count = 6, per = 3600000 }, book.atMost)
  end)

  local whens = {
    ['{ every = "1m" }'] = { every = 60000, lasting = 0 },
    ['{ condition = print, lasting = "10s" }'] = { every = 1000, lasting = 10000, condition = print },
    ['{ condition = print, every = 5000 }'] = { every = 5000, lasting = 0, condition = print },
    ['{ event = "failover" }'] = { event = "failover", lasting = 0 },
  }
  for text, when in pairs(whens) do
    it("may wait for " .. text, function()
      assert.same(when, assert(load(playbooks.text("x", "when = " .. text .. ", " .. RUN))).when)
    end)
  end

  local wrong = {
    ["name = 'a b', " .. RUN] = "name: a text of letters, digits",
    ["when = { event = 'hostdown' }, " .. RUN] = "when.event: there is no event 'hostdown', did you mean hostDown?",
    ["when = { event = 'failover', lasting = '1s' }, " .. RUN] = "'failover' happens, it does not last",
    ["when = { event = 'hostDown', lasting = 'soon' }, " .. RUN] = 'when.lasting: a time expected: "30s"',
    ["when = { event = 'hostDown', every = '1m' }, " .. RUN] = "when: either an event, a condition or a time",
    ["when = { every = '1ms' }, " .. RUN] = "when.every: at least a second",
    ["when = { every = '1m', lasting = '1m' }, " .. RUN] = "when.lasting: it takes an event or a condition",
    ["when = {}, " .. RUN] = "when: an event, a condition or every",
    ["when = 'hostDown', " .. RUN] = "when: a table expected, got string",
    ["when = { evnt = 'hostDown' }, " .. RUN] = "when: there is no 'evnt', did you mean event?",
    ["when = { condition = true }, " .. RUN] = "when.condition: a function expected, got boolean",
    ["guard = true, " .. RUN] = "guard: a function expected, got boolean",
    ["cancel = 5, " .. RUN] = "cancel: a function expected, got number",
    ["name = 'x'"] = "run: a function expected, got nil",
    ["runs = print, " .. RUN] = "playbook: there is no 'runs', did you mean run?",
    ["timeout = 0, " .. RUN] = "timeout: more than nothing",
    ["timeout = '400d', " .. RUN] = "timeout: a time of 0 to 366 days expected",
    ["atMost = 3, " .. RUN] = "atMost: { count, per",
    ["atMost = { 0 }, " .. RUN] = "atMost: a whole number of runs",
    ["atMost = { 3, pre = '1h' }, " .. RUN] = "atMost: there is no 'pre', did you mean per?",
    ["blastRadius = 0.5, " .. RUN] = "blastRadius: more than 0 and at most 1/3",
    ["blastRadius = 0, " .. RUN] = "blastRadius: more than 0 and at most 1/3",
    ["onReload = 'stop', " .. RUN] = 'onReload: "finish" or "cancel"',
  }
  for body, message in pairs(wrong) do
    it("is refused: " .. body:gsub("run = .*", ""), function()
      local book, why = load(playbooks.text("x", body))
      assert.is_nil(book)
      assert.equal(playbooks.file "p.lua" .. ":1: ", why:sub(1, #playbooks.file "p.lua" + 4))
      assert.matches(message, why, 1, true)
    end)
  end

  local texts = {
    ["return playbook {"] = ":1: unexpected symbol near '<eof>'",
    ["return 5"] = ":1: the file must return one playbook { ... }, got number",
    ["local x = playbook { name = 'x' }"] = "must return one playbook { ... }, got nil",
    ["playbook { name = 'x' } return playbook { name = 'y' }"] = "must return one playbook { ... }, got 2 of them",
    ["error 'no'"] = ":1: no",
    ["while true do end"] = "did not come to its end within 500 ms",
    ["require('moonpool').sleep(1)"] = "a file cannot wait while it is loaded",
    ["\27LJ"] = "this is bytecode",
  }
  for text, message in pairs(texts) do
    it("is refused: " .. text:gsub("\27", "<escape>"), function()
      local book, why = load(text)
      assert.is_nil(book)
      assert.matches(message, why, 1, true)
    end)
  end

  it("may stand in a folder: those that end with .lua, but for specs", function()
    local names = { "b.lua", "a.lua", "a_spec.lua", "a_test.lua", "notes.txt", ".x.lua" }
    for _, name in ipairs(names) do playbooks.write(name, "") end
    local list = assert(file.list { playbooks.file "b.lua", playbooks.folder, playbooks.file "missing.lua" })
    assert.same({ playbooks.file "b.lua", playbooks.file "a.lua", playbooks.file "missing.lua" }, list)
    local book, why = file.load(playbooks.file "missing.lua")
    assert.is_nil(book)
    assert.matches("missing.lua", why)
  end)
end)
