-- SPDX-License-Identifier: Apache-2.0
-- A terminal for programs that want one, by tmux: tmux.open(command, options) runs it in a window of so many columns
-- and rows. A window ends after two minutes, whatever becomes of who opened it.
local ffi = require "ffi"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
require "spec.support.sim_process" -- usleep

local tmux = {}

local Window = {}
Window.__index = Window

-- Why there is none, or nil.
function tmux.missing()
  local _, status = program.sh "command -v tmux"
  return status ~= 0 and "tmux is not installed (scripts/packages spec)" or nil
end

local function run(self, arguments)
  return program.sh(("tmux -S '%s/tmux' -f /dev/null %s"):format(self.folder, arguments))
end

-- options: columns, rows, environment ("TERM=vt100"). What the command leaves behind is shown by :lines, its status
-- and the terminal's settings among it ("status 0", "icanon").
function tmux.open(command, options)
  local self = setmetatable({ folder = policies.folder() }, Window)
  policies.write(self.folder .. "/command", ("ASAN_OPTIONS=detect_leaks=0 %s %s\necho \"status $?\"\nstty -a\n"):format(
    options.environment or "", command))
  local begin = "new-session -d -x %d -y %d 'timeout --foreground 120 sh -c \". %s/command; sleep 120\"'"
  local said, status = run(self, begin:format(options.columns, options.rows, self.folder))
  assert(status == 0, said)
  return self
end

-- What stands on the screen.
function Window:text() return (run(self, "capture-pane -p -J")) end

-- Waits until a pattern stands there; the text.
function Window:wait(pattern)
  local text
  for _ = 1, 1200 do
    text = self:text()
    if text:find(pattern) then return text end
    ffi.C.usleep(25000)
  end
  error("'" .. pattern .. "' did not appear:\n" .. text, 2)
end

-- Waits until it stands there no more.
function Window:wait_without(pattern)
  for _ = 1, 1200 do
    if not self:text():find(pattern) then return end
    ffi.C.usleep(25000)
  end
  error("'" .. pattern .. "' stays:\n" .. self:text(), 2)
end

-- As tmux names keys: "q", "Down", "C-c".
function Window:press(...)
  run(self, "send-keys " .. table.concat({ ... }, " "))
end

function Window:resize(columns, rows)
  run(self, ("resize-window -x %d -y %d"):format(columns, rows))
end

function Window:close()
  run(self, "kill-server")
  policies.remove(self.folder)
end

return tmux
