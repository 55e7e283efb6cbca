-- SPDX-License-Identifier: Apache-2.0
-- moonpool new: a file to begin with, and its spec. Both pass `moonpool check` and `moonpool test` as they are.
local core = require "moonpool.core_loader"
local say = require "moonpool.cli.say"
local templates = require "moonpool.cli.new_templates"

local new = {}

local function kinds()
  local list = {}
  for kind in pairs(templates) do list[#list + 1] = kind end
  table.sort(list)
  return list
end

function new.define(parser)
  local command = parser:command("new", "Write a policy to begin with, and its spec.")
  command:argument("what", "What is written."):choices { "policy" }
  command:argument("name", "Its name, as a configuration calls it: RackFirst."):argname "NAME"
  command:option("--kind", "The question that it answers."):argname "KIND":default "balance":choices(kinds())
  command:option("--folder", "Where the files go: a folder that is there."):argname "FOLDER":default "."
end

-- "RackFirst" is rack_first.lua, as is "RackFirstPolicy": as the names of policies are looked up. nil: it is no name.
local function file_of(name, kind)
  if not name:find "^%u%w*$" then return nil end
  local plain = name:gsub("Policy$", ""):gsub("(%l)(%u)", "%1_%2"):gsub("(%d)(%u)", "%1_%2")
    :gsub("(%u)(%u%l)", "%1_%2"):lower()
  for _, tail in ipairs { kind, templates[kind].tail } do
    if plain:sub(-#tail - 1) == "_" .. tail then
      plain = plain:sub(1, -#tail - 2)
      break
    end
  end
  return plain ~= "" and plain or nil
end

-- What somebody wrote as the name he probably wants.
local function proposal(name)
  local words = name:gsub("%.lua$", ""):gsub("^.*/", ""):gsub("[^%w]+", " ")
  return (words:gsub("(%w)(%w*) ?", function(first, rest) return first:upper() .. rest end))
end

local function write(path, text)
  local there = io.open(path, "r")
  if there then
    there:close()
    return nil, path .. " is there already, and is not overwritten"
  end
  local file, why = io.open(path, "w")
  if not file then return nil, why end
  file:write(text)
  return file:close()
end

function new.run(options)
  local template = templates[options.kind]
  local file = file_of(options.name, options.kind)
  if not file then
    local better = proposal(options.name)
    say.failed(("'%s' is no name of a policy: letters and digits, the first one great%s"):format(options.name,
      better:find "^%u%w*$" and ", such as " .. better or ""))
    return 2
  end
  local folder = options.folder:gsub("/+$", "")
  local policy_path, spec_path = folder .. "/" .. file .. ".lua", folder .. "/" .. file .. "_test.lua"
  local shown = folder == "." and file .. ".lua" or policy_path
  local spec_shown = folder == "." and file .. "_test.lua" or spec_path
  local values = { NAME = options.name, SPEC = spec_shown }
  local function filled(text) return (text:gsub("{(%u+)}", values)) end
  local there = io.open(spec_path, "r")
  if there then
    there:close()
    return say.failed(spec_path .. " is there already, and is not overwritten")
  end
  if not core.listFolder(folder) then
    return say.failed(("--folder %s: there is no such folder: mkdir -p %s"):format(folder, folder))
  end
  local ok, why = write(policy_path, filled(template.policy))
  if ok then ok, why = write(spec_path, filled(template.spec)) end
  if not ok then return say.failed(why) end
  local configuration = filled(template.configuration):gsub("{FOLDER}", folder)
  print(("%s\n%s\nNext:\n  moonpool check %s\n  moonpool test %s\nand, in the configuration:\n  %s"):format(shown,
    spec_shown, shown, spec_shown, configuration))
  return 0
end

return new
