-- SPDX-License-Identifier: Apache-2.0
-- The command line: one file per command in this folder. Exit status 0: success, 1: failure, 2: wrong usage.
local say = require "moonpool.cli.say"

local commands = {
  "run", "serve", "ctl", "top", "playbook", "sim", "check", "explain", "test", "compare", "replay",
  "new", "shell", "sign", "manual", "version",
}

-- `only`: of that command alone. The files of the others are not loaded then: an application would have them in its
-- heap, where every collection walks them.
local function parser_of(only)
  local argparse = require "argparse"
  local parser = argparse("moonpool", "A Lua-scriptable connection pool for Apache Cassandra.")
    :epilog "moonpool COMMAND --help tells more."
    :command_target "command"
  parser:flag("--version", "Print the versions, as the command version does.")
    :action(function()
      require("moonpool.cli.version").run()
      os.exit(0)
    end)
  local by_name = {}
  for _, name in ipairs(only and { only } or commands) do
    local command = require("moonpool.cli." .. name)
    command.define(parser)
    by_name[name] = command
  end
  if by_name.manual then by_name.manual.parser = parser end
  return parser, by_name
end

-- The one command that a line can be for, nil: any of them, or all, as the manual tells.
local function only_command(word)
  for _, name in ipairs(commands) do
    if name == word and name ~= "manual" then return name end
  end
end

-- What stands behind the first word that is neither an option nor its value belongs to the application.
local function split(arguments, with_value)
  local own, rest, i = {}, {}, 1
  while arguments[i] do
    own[#own + 1] = arguments[i]
    if i > 1 and arguments[i]:sub(1, 1) ~= "-" then
      for n = i + 1, #arguments do rest[#rest + 1] = arguments[n] end
      break
    end
    if with_value[arguments[i]] and arguments[i + 1] then
      i = i + 1
      own[#own + 1] = arguments[i]
    end
    i = i + 1
  end
  return own, rest
end

-- argparse ends the process by itself after --help, as --version does; here main() does, which closes the Lua state in
-- order.
local function parse(parser, arguments)
  local exit, left = os.exit, {}
  os.exit = function(status) -- luacheck: ignore 122
    left.status = status
    error(left, 0)
  end
  local called, ok, options = pcall(parser.pparse, parser, arguments)
  os.exit = exit -- luacheck: ignore 122
  if left.status then return nil, left.status end
  if not called then error(ok, 0) end
  return ok, options
end

-- The command's function and its options; or nil and the exit status. Nothing of the parser outlives it.
local function read(arguments)
  local parser, by_name = parser_of(only_command(arguments[1]))
  local rest = {}
  if arguments[1] == "run" then
    arguments, rest = split(arguments, { ["--config"] = true, ["--embedded"] = true, ["--dcs"] = true,
      ["--control"] = true })
  end
  local ok, options = parse(parser, arguments)
  if ok == nil then return nil, options end
  if not ok then
    say.failed(options)
    say.error("Try 'moonpool " .. (by_name[arguments[1]] and arguments[1] .. " " or "") .. "--help'.")
    return nil, 2
  end
  options.rest = rest
  return by_name[options.command].run, options
end

return function(arguments)
  local run, options = read(arguments)
  package.loaded.argparse = nil
  if not run then return options end
  return run(options) or 0
end
