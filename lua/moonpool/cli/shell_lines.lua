-- SPDX-License-Identifier: Apache-2.0
-- Lines of a terminal, by lua-readline where there is one, plain otherwise. While nothing is typed the loop turns.
-- All of it is on the main thread: the library calls back on the Lua thread that loaded it.
local ffi = require "ffi"
local cli = require "moonpool.cli_core"
local core = require "moonpool.core_loader"

ffi.cdef [[
struct mp_shell_pollfd { int fd; short events, revents; };
int poll(struct mp_shell_pollfd *fds, unsigned long count, int timeout);
]]
local POLLIN, LONGEST_MS, KEPT = 1, 1000, 1000
local fds = ffi.new "struct mp_shell_pollfd[2]"

local lines = {}

-- Until something can be read from standard input.
local function wait_for_input()
  while true do
    core.turn()
    local ms = core.timeout()
    if not ms or ms < 0 or ms > LONGEST_MS then ms = LONGEST_MS end
    fds[0].fd, fds[0].events, fds[0].revents = 0, POLLIN, 0
    fds[1].fd, fds[1].events, fds[1].revents = core.fd() or -1, POLLIN, 0
    ffi.C.poll(fds, 2, ms)
    if fds[0].revents ~= 0 then return end
  end
end

-- ---- plain ------------------------------------------------------------------------------------------------

local Plain = {}
Plain.__index = Plain

function Plain:read(prompt)
  if self.greets then
    io.stdout:write(prompt)
    io.stdout:flush()
  end
  wait_for_input()
  return io.stdin:read "*l"
end

function Plain.close() end -- luacheck: ignore

-- ---- readline ---------------------------------------------------------------------------------------------

local Readline = { greets = true }
Readline.__index = Readline

function Readline:read(prompt)
  local done, line = false, nil
  self.library.handler_install(prompt, function(text)
    done, line = true, text
    self.library.handler_remove()
  end)
  while not done do
    wait_for_input()
    self.library.read_char()
  end
  if line == nil then
    print ""
    return nil
  end
  if line:match "%S" and line ~= self.last then
    self.library.add_history(line)
    self.last = line
  end
  return line
end

function Readline:close() pcall(self.library.save_history) end

local function history_file()
  return os.getenv "MOONPOOL_HISTORY" or (os.getenv "HOME" or "/tmp") .. "/.moonpool_history"
end

-- `complete(line, from, to)` gives the candidates for what stands there.
function lines.new(complete)
  io.stdin:setvbuf "no" -- what waits in a buffer is not seen by poll
  if not cli.isTerminal() then return setmetatable({ greets = false }, Plain) end
  local found, library = pcall(require, "readline")
  if not found or not library.handler_install then return setmetatable({ greets = true }, Plain) end
  library.set_options { histfile = history_file(), keeplines = KEPT, auto_add = false }
  library.set_readline_name "moonpool"
  library.set_complete_function(function(line, from, to)
    local ok, found_names = pcall(complete, line, from, to)
    return ok and found_names or {}
  end)
  library.set_completion_append_character ""
  return setmetatable({ library = library }, Readline)
end

return lines
