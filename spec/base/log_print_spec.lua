-- SPDX-License-Identifier: Apache-2.0
-- Lines to a standard error that nobody reads (R7): they are lost, counted and told, and nothing waits.
local ffi = require "ffi"
local C = require "spec.support.c"

ffi.cdef [[
int pipe(int *);
int dup(int);
int dup2(int, int);
ssize_t read(int, void *, size_t);
int socketpair(int, int, int, int *);
int close(int);
]]

local PATTERN = "moonpool error: line (%d+)\n"

describe("a log without a sink", function()
  local log, ends, stderr

  -- `kind`: "pipe" or "socket". What is printed goes there until restore().
  local function redirect(kind)
    local pair = ffi.new "int[2]"
    if kind == "pipe" then assert(C.pipe(pair) == 0) else assert(C.socketpair(1, 1, 0, pair) == 0) end
    ends = { reads = pair[0], writes = pair[1] }
    stderr = C.dup(2)
    assert(C.dup2(ends.writes, 2) == 2)
  end
  local function restore()
    C.dup2(stderr, 2)
    C.close(stderr)
    C.close(ends.writes)
  end
  -- All that stands in it; more is coming only while somebody prints.
  local function drain()
    local room, parts = ffi.new("char[?]", 65536), {}
    while true do
      local taken = C.read(ends.reads, room, 65536)
      if taken <= 0 then return table.concat(parts) end
      parts[#parts + 1] = ffi.string(room, taken)
    end
  end

  before_each(function()
    log = ffi.new "struct mp_log"
    C.mp_log_init(log)
  end)

  for _, kind in ipairs { "pipe", "socket" } do
    it("loses what a full " .. kind .. " does not take, and says how much", function()
      redirect(kind)
      local total = 20000
      for i = 1, total do C.mp_log_write(log, 0, "line %d", ffi.cast("int", i)) end -- would wait for ever
      restore()
      local text = drain()
      C.close(ends.reads)
      local count = 0
      for number in text:gmatch(PATTERN) do
        count = count + 1
        assert.equal(count, tonumber(number)) -- the first ones, in order
      end
      assert.is_true(count > 100 and count < total, count)
      redirect(kind)
      C.mp_log_write(log, 0, "line %d", ffi.cast("int", 1))
      restore()
      text = drain()
      C.close(ends.reads)
      assert.matches("^\n?moonpool warn: " .. total - count .. " lines were lost: nobody took them\n", text)
      assert.matches(PATTERN .. "$", text)
    end)

    it("survives that its reader went, with SIGPIPE at its default, " .. kind, function()
      redirect(kind)
      C.close(ends.reads)
      for _ = 1, 10 do C.mp_log_write(log, 0, "for nobody") end
      restore()
      redirect "pipe"
      C.mp_log_write(log, 0, "line %d", ffi.cast("int", 1))
      restore()
      local text = drain()
      C.close(ends.reads)
      assert.matches("moonpool warn: 10 lines were lost", text)
      assert.matches(PATTERN .. "$", text)
    end)
  end

  it("writes long lines whole", function()
    redirect "pipe"
    local long = ("x"):rep(12000)
    C.mp_log_write(log, 0, "%s", long)
    restore()
    local text = drain()
    C.close(ends.reads)
    assert.matches("^moonpool error: x+[^\n]*\n$", text)
  end)
end)
