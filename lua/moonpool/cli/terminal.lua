-- SPDX-License-Identifier: Apache-2.0
-- The terminal as a grid of ASCII cells and a source of keys, by lua-curses. Between open() and close() it is ours; who
-- opens it closes it, whatever happens.
local cli = require "moonpool.cli_core"

local terminal = {}

local curses, screen, styles

local COLORS = { good = "green", warn = "yellow", bad = "red", note = "cyan" }

-- Bold and reverse say what colours say elsewhere.
local function plain_styles()
  return { normal = curses.A_NORMAL, title = curses.A_BOLD, head = curses.A_REVERSE, chosen = curses.A_REVERSE,
    good = curses.A_NORMAL, warn = curses.A_BOLD, bad = curses.A_BOLD, note = curses.A_NORMAL, dim = curses.A_DIM }
end

local function use_colors()
  local wanted = os.getenv "NO_COLOR"
  if wanted and wanted ~= "" or not curses.has_colors() then return end
  curses.start_color()
  curses.use_default_colors()
  local pair = 0
  for style, color in pairs(COLORS) do
    pair = pair + 1
    curses.init_pair(pair, curses["COLOR_" .. color:upper()], -1)
    styles[style] = curses.color_pair(pair)
  end
  styles.bad = styles.bad + curses.A_BOLD
end

-- true, or nil and why there is none.
function terminal.open()
  local found, module = pcall(require, "curses")
  if not found then
    return nil, "the Lua module curses is not installed (Debian: apt install lua-curses)"
  end
  curses = module
  if not cli.isTerminal() then return nil, "standard input and output are no terminal" end
  screen = curses.initscr()
  if not curses.tigetstr "cup" then
    curses.endwin()
    return nil, ("this terminal (TERM=%s) cannot move its cursor"):format(os.getenv "TERM" or "")
  end
  curses.raw(true) -- Ctrl-C and its like are keys, so that each of them leaves the terminal as it was
  curses.echo(false)
  curses.nl(false)
  curses.curs_set(0)
  screen:keypad(true)
  screen:nodelay(true)
  styles = plain_styles()
  use_colors()
  return true
end

function terminal.close()
  if not screen then return end
  screen = nil
  curses.curs_set(1)
  curses.endwin()
end

-- Rows and columns.
function terminal.size()
  local rows, columns = screen:getmaxyx()
  return rows, columns
end

-- lines: of spans { text, style }, from the top; texts are printable ASCII. What does not fit is cut.
function terminal.draw(lines)
  local rows, columns = terminal.size()
  screen:erase()
  for row = 1, math.min(rows, #lines) do
    local column = 0
    for _, span in ipairs(lines[row]) do
      local text = span[1]:sub(1, columns - column)
      screen:attrset(styles[span[2] or "normal"])
      -- The cell in the corner scrolls the screen.
      if row == rows and column + #text == columns then text = text:sub(1, -2) end
      if text ~= "" then screen:mvaddstr(row - 1, column, text) end
      column = column + #text
    end
  end
  screen:attrset(styles.normal)
  screen:refresh()
end

-- All is drawn anew, where somebody else has written.
function terminal.redraw() screen:clearok(true) end

local NAMES -- of keys that are no characters

local function names_of()
  return { [curses.KEY_UP] = "up", [curses.KEY_DOWN] = "down", [curses.KEY_NPAGE] = "pageDown",
    [curses.KEY_PPAGE] = "pageUp", [curses.KEY_HOME] = "home", [curses.KEY_END] = "end",
    [curses.KEY_LEFT] = "left", [curses.KEY_RIGHT] = "right", [curses.KEY_RESIZE] = "resize",
    [3] = "interrupt", [9] = "tab", [10] = "enter", [12] = "redraw", [13] = "enter", [26] = "suspend",
    [27] = "escape", [28] = "interrupt" }
end

-- The next key that was pressed, as its character or its name; nil when there is none.
function terminal.key()
  NAMES = NAMES or names_of()
  local code = screen:getch()
  if not code or code < 0 then return nil end
  return NAMES[code] or code >= 32 and code < 127 and string.char(code) or "other"
end

-- To the shell and back.
function terminal.suspend()
  curses.endwin()
  cli.suspend()
  terminal.redraw()
end

return terminal
