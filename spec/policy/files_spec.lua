-- SPDX-License-Identifier: Apache-2.0
-- What may become of a policy's file while it serves: whatever it is, the old generation goes on, the reason is told
-- and logged with the file, the loop does not wait, and a good file is taken as soon as it is there again.
local ffi = require "ffi"
local effort = require "spec.support.effort"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local function policy(hosts)
  return ('return balance {\n  name = "Mine",\n  plan = function(plan)\n    plan:hosts(localDc, primaryFirst, %d)\n'
    .. "  end,\n}\n"):format(hosts)
end

local ONE, TWO = policy(1), policy(2)
local folder, view
local function file(name) return folder .. "/" .. name end

-- $F is the file, $D its folder, /tmp-like names beside it are free.
local function shell(command)
  command = command:gsub("%$F", file "p.lua"):gsub("%$D", folder)
  local status = os.execute("set -e; " .. command)
  assert(status == 0 or status == true, command)
end

local function in_place(text)
  local handle = assert(io.open(file "p.lua", "w"))
  handle:write(text)
  handle:close()
end

local bad = {
  { "is deleted", "rm $F", "there is no such file" },
  { "is moved away", "mv $F $D/q.lua", "there is no such file" },
  { "is emptied", ": > $F", "p.lua:1: the file must return balance" },
  { "is cut in the middle of a word", "truncate -s 40 $F", "p.lua:3:" },
  { "is cut between two statements", "printf 'local n = 1\\n' > $F", "p.lua:1: the file must return balance" },
  { "holds blanks only", "printf '\\n \\n\\t\\n' > $F", "p.lua:1: the file must return balance" },
  { "holds a comment only", "printf -- '-- nothing' > $F", "p.lua:1: the file must return balance" },
  { "is a folder", "rm $F; mkdir $F", "this is not a regular file" },
  { "is a pipe that nobody writes", "rm $F; mkfifo $F", "this is not a regular file" },
  { "is a device without end", "rm $F; ln -s /dev/zero $F", "this is not a regular file" },
  { "is a terminal", "rm $F; ln -s /dev/ptmx $F", "this is not a regular file" },
  { "is a gigabyte of nothing", "truncate -s 1G $F", "the file is too big" },
  { "is a gigabyte behind a link", "truncate -s 1G $D/big; rm $F; ln -s big $F", "the file is too big" },
  { "says that it is empty and is not", "rm $F; ln -s /proc/kallsyms $F", "the file is too big" },
  { "cannot be read", "rm $F; ln -s /proc/self/mem $F", "Input/output error" },
  { "is a link to nothing", "rm $F; ln -s nowhere $F", "there is no such file" },
  { "is a link to itself", "rm $F; ln -s p.lua $F", "there is no such file" },
  { "is a link to its folder", "rm $F; ln -s . $F", "this is not a regular file" },
  { "holds zeros", "rm $F; truncate -s 9000 $F", "this is not text" },
  { "is bytecode", "printf '\\033LJ\\002' > $F", "this is bytecode" },
  { "is bytecode behind a byte order mark", "printf '\\357\\273\\277\\033LJ\\002' > $F", "this is bytecode" },
  { "is something else", "cp /bin/sh $F", "p.lua: " },
  { "is written in another encoding", "printf 'r\\000e\\000t\\000u\\000r\\000n\\000' > $F", "this is not text" },
  { "lies in a folder that is gone", "mv $D $D.away", "there is no such file" },
}

-- Good files in odd clothes: each says TWO.
local good = {
  { "by an atomic rename", function() policies.write(file "p.lua", TWO) end },
  { "in place", function() in_place(TWO) end },
  { "in place, byte by byte", function(turn)
    local handle = assert(io.open(file "p.lua", "w"))
    handle:setvbuf "no"
    for i = 1, #TWO do
      handle:write(TWO:sub(i, i))
      if i % 20 == 0 then turn() end
    end
    handle:close()
  end },
  { "with the ends of lines of Windows", function() in_place((TWO:gsub("\n", "\r\n"))) end },
  { "with old ends of lines", function() in_place((TWO:gsub("\n", "\r"))) end },
  { "with a byte order mark", function() in_place("\239\187\191" .. TWO) end },
  { "with both", function() in_place("\239\187\191" .. TWO:gsub("\n", "\r\n")) end },
  { "without an end of the last line", function() in_place((TWO:gsub("\n$", ""))) end },
  { "with a line for a shell", function() in_place("#!/usr/bin/env moonpool\n" .. TWO) end },
  { "by a link to another file", function()
    policies.write(file "two.lua", TWO)
    shell "ln -s two.lua $D/next; mv -T $D/next $F"
  end },
  { "by a link to a folder, swapped as a whole", function()
    shell "mkdir $D/v1 $D/v2; mv $F $D/v1/p.lua; ln -s v1 $D/current; ln -s current/p.lua $F"
    policies.write(file "v2/p.lua", TWO)
    shell "ln -s v2 $D/next; mv -T $D/next $D/current"
  end },
}

describe("a policy's file", function()
  local p
  before_each(function()
    folder = policies.folder()
    view = topology.view({ { dc = "a" }, { dc = "a" }, { dc = "a" } }, "a")
    policies.write(file "p.lua", ONE)
    p = policies.new { policy = file "p.lua", watch = true }
    assert.equal(0, p:bind(view))
  end)
  after_each(function()
    policies.close_all()
    topology.free(view)
    os.execute(("rm -rf '%s' '%s.away'"):format(folder, folder))
  end)

  local function told(pattern)
    return p:turn(function()
      local last = p.events[#p.events]
      return last and last.message:find(pattern, 1, true)
    end)
  end
  local function loaded(number)
    return p:turn(function() return p:info().generation >= number and #p:walk(view, {}) == 2 end)
  end

  for _, case in ipairs(bad) do
    local name, command, message = case[1], case[2], case[3]
    it("that " .. name .. " changes nothing, and is taken again when it is well", function()
      shell(command)
      assert.is_true(told(message), "it was not told; last: " .. (p.events[1] or { message = "nothing" }).message)
      local event = p.events[#p.events]
      assert.equal("error", event.kind)
      assert.equal(1, event.generation)
      assert.matches("p.lua", event.message, 1, true)
      assert.matches("policy refused, generation 1 of Mine goes on: .*p.lua", p.log[#p.log])
      -- By hand, too, and at once: nothing that can be opened is waited for.
      local ok, why = effort.at_most(0.5, p.reload, p)
      assert.is_false(ok)
      assert.is_truthy(why:find(message, 1, true), why)
      assert.equal(1, p:info().generation)
      assert.equal(1, #p:walk(view, {}))
      assert.is_true(tonumber(p:info().refused) >= 2)
      assert.equal(0, tonumber(p:info().errors))
      shell "[ ! -d $D.away ] || mv $D.away $D; rm -rf $F"
      policies.write(file "p.lua", TWO)
      assert.is_true(loaded(2), "it does not come back")
      assert.equal("", ffi.string(p:info().last_error))
    end)
  end

  for _, case in ipairs(good) do
    it("may be changed " .. case[1], function()
      case[2](function() p:turn() end)
      assert.is_true(loaded(2), "it was not noticed")
      assert.equal(0, tonumber(p:info().errors))
    end)
  end

  it("that others may not read changes nothing", function()
    shell "chmod 000 $F"
    -- To root every file is readable, and then it is the same file as before.
    local handle = io.open(file "p.lua")
    if handle then
      handle:close()
      assert.is_false(p:turn(function() return #p.events > 0 end))
    else
      assert.is_true(told "Permission denied")
    end
    assert.equal(1, p:info().generation)
    shell "chmod 644 $F"
    policies.write(file "p.lua", TWO)
    assert.is_true(loaded(2))
  end)

  it("keeps its lines whatever ends them", function()
    for _, ending in ipairs { "\n", "\r\n", "\r" } do
      in_place((ONE:gsub("plan:hosts", "plan:nothing"):gsub("\n", ending)))
      local ok, why = p:reload()
      assert.is_false(ok)
      assert.matches("p.lua:4: ", why, 1, true)
    end
  end)

  it("may change a hundred times while one is noticed", function()
    for i = 1, 100 do in_place(i % 3 == 0 and "return balance {" or policy(i % 2 + 1) .. "-- " .. i) end
    assert.is_true(p:turn(function() return #p.events > 0 end))
    p:turn(function() return false end)
    assert.is_true(#p.events < 20, #p.events)
    in_place(TWO)
    assert.is_true(loaded(2))
  end)
end)
