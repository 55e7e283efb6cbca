-- SPDX-License-Identifier: Apache-2.0
-- moonpool manual: the manual page and what shells complete, made from the same description of commands and options as
-- --help. The build keeps what it prints, for the installation (packaging/install.cmake).
local core = require "moonpool.core_loader"

local manual = { parser = nil } -- of the whole command line; init.lua sets it

-- When what the page says changed last: a manual page carries it, and a date of the build would differ at each build.
local CHANGED = "2026-11-29"
local KINDS = { "man", "bash", "zsh", "fish" }

function manual.define(parser)
  local command = parser:command("manual", "Print the manual page, or what a shell completes.")
  command:argument("kind", "What to print."):argname "KIND":choices(KINDS)
end

-- ---- the manual page --------------------------------------------------------------------------------------

local function escaped(text)
  return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("^([.'])", "\\&%1"):gsub("\n([.'])", "\n\\&%1"))
end

-- A paragraph; further lines of a description are a list, which stays as it is.
local function add_text(page, text)
  local first, rest = text:match "^([^\n]*)\n(.*)$"
  page[#page + 1] = escaped(first or text)
  if not rest then return end
  page[#page + 1] = ".PP\n.nf"
  for line in rest:gmatch "[^\n]+" do page[#page + 1] = escaped(line) end
  page[#page + 1] = ".fi"
end

local function argname_of(element)
  local name = element._argname
  if type(name) == "table" then name = name[1] end
  return name or element._name:gsub("^%-+", ""):upper()
end

local function add_option(page, option)
  local names = {}
  for i, alias in ipairs(option._aliases) do names[i] = "\\fB" .. escaped(alias) .. "\\fR" end
  local value = option._maxargs > 0 and " \\fI" .. escaped(argname_of(option)) .. "\\fR" or ""
  page[#page + 1] = ".TP\n" .. table.concat(names, ", ") .. value
  add_text(page, option._description or "")
end

local function add_argument(page, argument)
  page[#page + 1] = ".TP\n\\fI" .. escaped(argname_of(argument)) .. "\\fR"
  add_text(page, argument._description or "")
end

local function synopsis_of(command)
  local parts = { "\\fBmoonpool " .. command._name .. "\\fR" }
  if #command._options > 1 then parts[#parts + 1] = "[\\fIoptions\\fR]" end
  for _, argument in ipairs(command._arguments) do
    local name = "\\fI" .. escaped(argname_of(argument)) .. "\\fR"
    if argument._maxargs > 1 then name = name .. "..." end
    parts[#parts + 1] = argument._minargs == 0 and "[" .. name .. "]" or name
  end
  return table.concat(parts, " ")
end

local TAIL = [[
.SH EXIT STATUS
.TP
.B 0
It was done; of a daemon: it ended in order.
.TP
.B 1
It failed: a file is wrong, a spec failed, a process refused what it was asked or does not answer.
.TP
.B 2
Wrong usage; of \fBcheck\fR: a file cannot be read.
.TP
.B 128 + N
\fBrun\fR was ended by signal N. Otherwise its status is the number that the application returns.
.SH SIGNALS
SIGTERM and SIGINT end \fBserve\fR, \fBrun\fR and \fBsim\fR in order, a second one at once. SIGHUP lets
\fBserve\fR and \fBrun\fR read their files again; what is refused leaves what was there before.
.SH ENVIRONMENT
.TP
.B XDG_RUNTIME_DIR
Where the control socket is, moonpool.sock, unless it is said.
.TP
.B STATE_DIRECTORY
Where \fBserve\fR keeps what playbooks remember; without it FILE.state.
.TP
.B NOTIFY_SOCKET\fR, \fBWATCHDOG_USEC
Of systemd, which is told that \fBserve\fR is ready, lives and ends.
.TP
.B MOONPOOL_HOME
The folder that holds its Lua files and policies.
.SH FILES
.TP
.I /etc/moonpool/pool.lua
The configuration of the service moonpool.service.
.SH SEE ALSO
.BR cqlsh (1),
.BR systemd.service (5)]]

function manual.man(parser)
  local page = {
    '.\\" Made by `moonpool manual man`; do not edit.',
    ('.TH MOONPOOL 1 "%s" "moonpool %s" "User Commands"'):format(CHANGED, core.version),
    ".SH NAME", "moonpool \\- a Lua-scriptable connection pool for Apache Cassandra", ".SH SYNOPSIS",
  }
  for i, command in ipairs(parser._commands) do
    if i > 1 then page[#page + 1] = ".br" end
    page[#page + 1] = synopsis_of(command)
  end
  page[#page + 1] = ".SH DESCRIPTION"
  page[#page + 1] = "Pools of connections to Apache Cassandra whose policies, handlers and recoveries are Lua files " ..
    "that are replaced\nwhile requests run. moonpool runs applications, serves a pool as a daemon, asks and steers " ..
    "processes, and tries\npolicies on a simulated cluster."
  page[#page + 1] = ".SH OPTIONS"
  for _, option in ipairs(parser._options) do add_option(page, option) end
  page[#page + 1] = ".SH COMMANDS"
  for _, command in ipairs(parser._commands) do
    page[#page + 1] = ".SS " .. command._name
    add_text(page, command._description or "")
    for _, argument in ipairs(command._arguments) do add_argument(page, argument) end
    for _, option in ipairs(command._options) do add_option(page, option) end
  end
  page[#page + 1] = TAIL
  return table.concat(page, "\n") .. "\n"
end

-- ---- shells -----------------------------------------------------------------------------------------------

local function names_of(list)
  local names = {}
  for _, each in ipairs(list) do
    for _, alias in ipairs(each._aliases) do names[#names + 1] = alias end
  end
  return table.concat(names, " ")
end

-- Options, the choices of options and of the first argument, files elsewhere.
function manual.bash(parser)
  local page = { "# Made by `moonpool manual bash`; do not edit.", "_moonpool() {",
    '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="${COMP_WORDS[1]}"',
    "    local options words", "    COMPREPLY=()", "    if ((COMP_CWORD == 1)); then",
    ('        mapfile -t COMPREPLY < <(compgen -W "%s %s" -- "$cur")'):format(names_of(parser._commands),
      names_of(parser._options)), "        return", "    fi", '    case "$command" in' }
  for _, command in ipairs(parser._commands) do
    page[#page + 1] = ("    %s)"):format(command._name)
    page[#page + 1] = ('        options="%s"'):format(names_of(command._options))
    local first = command._arguments[1]
    local choices = first and first._choices or {}
    page[#page + 1] = ('        words="%s"'):format(table.concat(choices, " "))
    page[#page + 1] = '        case "$prev" in'
    for _, option in ipairs(command._options) do
      if option._maxargs > 0 then
        local from = option._choices and ('-W "%s"'):format(table.concat(option._choices, " ")) or "-f"
        page[#page + 1] = ('        %s) mapfile -t COMPREPLY < <(compgen %s -- "$cur"); return ;;'):format(
          table.concat(option._aliases, " | "), from)
      end
    end
    page[#page + 1] = "        esac ;;"
  end
  page[#page + 1] = [=[
    *) return ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    elif [[ -n $words ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -o filenames -F _moonpool moonpool]=]
  return table.concat(page, "\n") .. "\n"
end

-- Calls fn while each option is described by one line.
local function in_short(parser, fn)
  local long = {}
  for _, command in ipairs(parser._commands) do
    for _, option in ipairs(command._options) do
      long[option] = option._description
      option._description = option._description and option._description:match "^[^\n:]*"
    end
  end
  local text = fn(parser)
  for option, description in pairs(long) do option._description = description end
  return text
end

function manual.zsh(parser) return in_short(parser, parser.get_zsh_complete) end
function manual.fish(parser) return in_short(parser, parser.get_fish_complete) end

function manual.run(options)
  io.stdout:write(manual[options.kind](manual.parser))
  return 0
end

return manual
