-- SPDX-License-Identifier: Apache-2.0
-- Programs that a coroutine waits for: what they are told and say, how they end, and what is left of them.
local ffi = require "ffi"
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local inside = require("spec.support.world").inside

pcall(ffi.cdef, "int waitpid(int pid, int *status, int options);")

-- In a coroutine over the loop of the process: programs are real.
local function real(name, body) it(name, function() moonpool.run(body) end) end

local function sh(script, ...) return { "/bin/sh", "-c", script, "sh", ... } end

-- Whether a program that this process began has not been asked about its end.
local function has_children()
  local none = ffi.C.waitpid(-1, ffi.new "int[1]", 1) -- WNOHANG
  return none ~= -1 -- ECHILD
end

describe("a command", function()
  real("gets its arguments as they are, and gives what it prints and its status", function()
    local result = assert(core.command({ "/bin/echo", "a b", "$HOME", "*", "'", "" }, 60000))
    assert.same({ status = 0, output = "a b $HOME * ' \n", dropped = 0, late = false }, result)
    result = assert(core.command(sh "echo out; echo err >&2; exit 7", 60000))
    assert.equal(7, result.status)
    assert.equal("out\nerr\n", result.output)
  end)

  real("reads what it is told, of any length", function()
    for _, text in ipairs { "", "hello\n", ("x"):rep(300000) } do
      local result = assert(core.command({ "/usr/bin/wc", "-c" }, 60000, text))
      assert.equal(tostring(#text), result.output:match "%d+")
    end
  end)

  real("that prints without end is read, and 64 KiB of it are kept", function()
    local result = assert(core.command(sh "head -c 1000000 /dev/zero", 60000))
    assert.equal(65536, #result.output)
    assert.equal(1000000 - 65536, result.dropped)
  end)

  real("that does not end in its time is killed with all that it began", function()
    local result = assert(core.command(sh "sleep 1000 & sleep 1000", 50))
    assert.is_true(result.late)
    assert.equal(9, result.signal)
    assert.is_nil(result.status)
    result = assert(core.command(sh "exec >&- 2>&- <&-; sleep 1000", 50)) -- its stream ends first
    assert.is_true(result.late)
    result = assert(core.command(sh "setsid sleep 0.5 & exit 3", 30)) -- somebody else holds its stream
    assert.equal(3, result.status)
    assert.is_false(has_children())
  end)

  real("that is none is said to be none", function()
    for path, why in pairs { ["/no/such"] = "there is no such program", ["/etc"] = "it may not be run",
      ["/etc/passwd"] = "it may not be run" } do
      assert.same({ nil, why }, { core.command({ path }, 1000) }, path)
    end
    assert.has_error(function() core.command({}, 1000) end)
    assert.has_error(function() core.command({ "/bin/echo", "a\0b" }, 1000) end)
    assert.has_error(function() core.command({ "/bin/echo", 5 }, 1000) end)
    assert.has_error(function() core.command({ "/bin/echo" }, 0) end)
  end)

  real("holds nobody up, and many run at once", function()
    local futures = {}
    for i = 1, 20 do futures[i] = moonpool.spawn(core.command, sh("sleep 0.05; echo $1", tostring(i)), 60000) end
    local turns = 0
    moonpool.spawn(function() while turns < 5 do moonpool.sleep(1) turns = turns + 1 end end)
    for i, result in ipairs(assert(moonpool.all(futures))) do assert.equal(i .. "\n", result.output) end
    assert.equal(5, turns)
    assert.is_false(has_children())
  end)

  real("has none of the descriptors of this process", function()
    local file = assert(io.open("/etc/passwd"))
    local result = assert(core.command({ "/bin/ls", "/proc/self/fd" }, 60000))
    file:close()
    assert.equal("0 1 2 3", (result.output:gsub("%s+", " "):gsub(" $", ""))) -- 3: the folder it reads
  end)

  inside(it)("is none in a simulated world", function()
    assert.same({ nil, "there are no programs in a simulated world" }, { core.command({ "/bin/echo" }, 1000) })
  end)
end)
