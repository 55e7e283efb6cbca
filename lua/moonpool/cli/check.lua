-- SPDX-License-Identifier: Apache-2.0
-- moonpool check: policies are loaded and tried as a pool would, configurations are judged, any other Lua file must
-- compile. What a file is, it says itself: `return balance {`, `return retry {` ..., or a table with contactPoints.
local config = require "moonpool.config"
local core = require "moonpool.core_loader"

local check = {}

function check.define(parser)
  local command = parser:command("check", "Check policies, configurations and other Lua files without running them " ..
    "(a configuration is evaluated).")
  command:argument("files", "What to check."):args "+":argname "FILE"
  command:flag("--json", "Print the findings as JSON.")
end

local function without_comments(text)
  return (text:gsub("%-%-%[(=*)%[.-%]%1%]", ""):gsub("%-%-[^\n]*", ""))
end

local POLICIES = { "balance", "retry", "reconnect", "speculate", "failover" }

local function kind_of(text)
  local plain = without_comments(text)
  for _, kind in ipairs(POLICIES) do
    if plain:match("%f[%w_]return%s+" .. kind .. "%f[^%w_]") then return kind end
  end
  if plain:match "^%s*return%s*{" or plain:match "%f[%w_]contactPoints%s*=.*%f[%w_]return%f[^%w_]"
    or plain:match "%f[%w_]return%s*{.*%f[%w_]contactPoints%s*=" then return "configuration" end
  return "lua"
end

local function lines(message)
  local list = {}
  for line in tostring(message):gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

-- What is wrong, and what is only doubtful.
local function judge(path)
  local file, why = io.open(path, "r")
  local text = file and file:read "*a"
  if file then file:close() end
  if not text then return "file", { why or path .. ": cannot be read" }, {} end
  local kind = kind_of(text)
  if kind == "configuration" then
    local checked, found = config.check(path)
    if not checked then return kind, lines(found), {} end
    local warnings = {}
    for i, warning in ipairs(found or {}) do warnings[i] = tostring(warning) end
    return kind, {}, warnings
  end
  local chunk, message = loadfile(path)
  if not chunk then return kind, { message }, {} end
  if kind == "lua" then return kind, {}, {} end
  local ok, refused = core.checkPolicy(kind, path:find "/" and path or "./" .. path)
  return kind, ok and {} or lines(refused), {}
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

local function quoted_list(list)
  local parts = {}
  for i, text in ipairs(list) do parts[i] = quoted(text) end
  return "[" .. table.concat(parts, ",") .. "]"
end

function check.run(options)
  local failed, json = false, {}
  for _, path in ipairs(options.files) do
    local kind, errors, warnings = judge(path)
    failed = failed or #errors > 0
    if options.json then
      json[#json + 1] = string.format('{"file":%s,"kind":%s,"ok":%s,"errors":%s,"warnings":%s}', quoted(path),
        quoted(kind), tostring(#errors == 0), quoted_list(errors), quoted_list(warnings))
    else
      for _, message in ipairs(errors) do io.stderr:write(message, "\n") end
      for _, message in ipairs(warnings) do io.stderr:write("warning: ", message, "\n") end
      if #errors == 0 then print(path .. ": ok (" .. kind .. ")") end
    end
  end
  if options.json then print("[" .. table.concat(json, ",") .. "]") end
  return failed and 1 or 0
end

return check
