-- SPDX-License-Identifier: Apache-2.0
-- The trusted half of a policy state: loads one policy (and its child) into the sandbox and returns the driver that C
-- calls once per decision, without arguments and without results. It runs before any of the user's code, with all
-- libraries; what it hands on is the environment of moonpool.policy.environment and the objects of .objects.
local environment = require "moonpool.policy.environment"
local nearest = require "moonpool.nearest"
local objects = require "moonpool.policy.objects"

local find, format, gsub = string.find, string.format, string.gsub
local match, sub = string.match, string.sub
local getinfo, funcbc, concat, sort = debug.getinfo, require "jit.util".funcbc, table.concat, table.sort
local load_text, dump, band = loadstring, string.dump, bit.band

-- A trace stitched around a C function is left wrongly when an error was raised through that function; a policy may do
-- so in every call (assert, error).
-- A state makes one decision over and over, so what is asked twenty times will be asked a million times, and each way
-- out of it that is taken four times is one more way through the policy.
require "jit.opt".start("minstitch=1000000", "hotloop=10", "hotexit=4")

local MAX_CHAIN = 4 -- a policy and its children
local NAME_MAX = 100

-- Files are chunks "#1", "#2" to Lua, which would shorten long paths in its messages; readers get the full path.
local function full_path(files, message)
  return (gsub(message, "#(%d+):(%d+):", function(number, line)
    local path = files[tonumber(number)]
    return path and format("%s:%s:", path, line)
  end))
end

-- The message handler of every protected call: what went wrong, led by the place in the user's file, or by `otherwise`
-- when none of the user's functions was running.
local function new_handler(files, otherwise)
  return function(err)
    local text = type(err) == "string" and err or "error with a " .. type(err) .. " value"
    if match(text, "^#%d+:%d+:") then return full_path(files, text) end
    text = gsub(text, "^moonpool[%w_.]*:%d+: ", "") -- where a tail call was made from
    for level = 2, 50 do
      local info = getinfo(level, "Sl")
      if not info then break end
      if match(info.source, "^=#%d+$") and info.currentline > 0 then
        return full_path(files, format("%s:%d: %s", sub(info.source, 2), info.currentline, text))
      end
    end
    return full_path(files, otherwise .. text)
  end
end

-- A file as it can be run, more than once: { path, code, loop, return_line }. Loaded as it was written first: what is
-- no Lua is refused with its line, and what is, means the same with a fuel gauge in it (gauge/fuel.h). Behind a blank,
-- because LuaJIT skips some first letters of a chunk, which then stand in its midst.
local function read_source(number, text, path, made, bridge)
  local plain = " " .. gsub(gsub(text, "^\239\187\191", ""), "^#[^\n]*", "")
  if find(plain, "^%s*\27") then error(format("#%d:1: this is bytecode; a policy is Lua source text", number), 0) end
  local name = "=#" .. number
  local chunk, why = load_text(plain, name, "t")
  if not chunk then error(why, 0) end
  local injected, loop_line, return_line = bridge.inject(plain, made.constants)
  if not injected then error(format("#%d:%s", number, loop_line), 0) end
  chunk, why = load_text(injected, name, "t")
  if not chunk then error(why, 0) end
  return { path = path, code = dump(chunk), loop = loop_line, return_line = return_line or 1 }
end

-- From its code each time, because closures that share theirs are dearer to call (objects.fresh).
local function run_file(source, env, made)
  rawset(env, "__mp_more", made.more)
  rawset(env, "__mp_fit", made.fit)
  rawset(env, "__mp_key", made.key)
  local policy = setfenv(assert(load_text(source.code, nil, "b")), env)()
  rawset(env, "__mp_more", nil)
  rawset(env, "__mp_fit", nil)
  rawset(env, "__mp_key", nil)
  return policy
end

local COMMON = { name = true, options = true, check = true }

-- The function `balance` (or `retry` ...) of a file's environment. What it is given is judged when the file has
-- returned: `return balance { ... }` is a tail call, so there is no place in the file to point at before.
local function constructor(kind, constructed)
  return function(policy)
    if type(policy) == "table" then constructed[policy] = kind end
    return policy
  end
end

-- What is wrong with the shape of a policy, or nil. `entry` is the name of its function.
local function shape_problem(kind, entry, policy)
  for key in pairs(policy) do
    if not COMMON[key] and key ~= entry then return format("a %s policy has no '%s'", kind, objects.show(key)) end
  end
  if type(policy.name) ~= "string" or not find(policy.name, "^[^%c]+$") or #policy.name > NAME_MAX then
    return format("name must be a text of 1 to %d letters, without control characters", NAME_MAX)
  end
  if type(policy[entry]) ~= "function" then return entry .. " must be a function" end
  if policy.check ~= nil and type(policy.check) ~= "function" then return "check must be a function" end
  if policy.options ~= nil and type(policy.options) ~= "table" then return "options must be a table" end
  for key, value in pairs(policy.options or {}) do
    local kind_of = type(value)
    if type(key) ~= "string" or kind_of == "function" or kind_of == "cdata" then
      return format("options.%s: a default is a number, a text, a boolean or a table of those", objects.show(key))
    end
  end
end

local function describe(options)
  local list = {}
  for key, value in pairs(options) do list[#list + 1] = format("%s (%s)", key, type(value)) end
  sort(list)
  return #list == 0 and "none" or concat(list, ", ")
end

local function show(value)
  return format(type(value) == "string" and "%q (%s)" or "%s (%s)", tostring(value), type(value))
end

-- The defaults with what was given laid over them; marks in `used` what was taken.
local function merge(policy, given, used, bridge)
  local options = {}
  for key, default in pairs(policy.options or {}) do
    options[key] = default
    local value = given[key]
    if value ~= nil then
      used[key] = true
      local off = key == "childPolicy" and value == false
      if type(value) ~= type(default) and not off then
        error(format("%s%s.%s: got %s; %s takes a %s", bridge.where, bridge.key, key, show(value), policy.name,
          type(default)), 0)
      end
      options[key] = value
    end
  end
  return options
end

local function check_unused(chain, given, used, bridge)
  local allowed, names = {}, {}
  for i, link in ipairs(chain) do
    names[i] = link.policy.name
    for key, default in pairs(link.policy.options or {}) do allowed[key] = default end
  end
  local unknown
  for key in pairs(given) do
    if not used[key] and (not unknown or tostring(key) < unknown) then unknown = tostring(key) end
  end
  if not unknown then return end
  error(format("%s%s.%s: %s (%s) has no such option%s; allowed: %s", bridge.where, bridge.key, unknown,
    concat(names, " over "), chain[1].path, nearest.hint(unknown, allowed), describe(allowed)), 0)
end

-- What a check says about an option ("delay: must be ...") is said about its key; anything else about the file.
local function of_check(link, why, files, bridge)
  if type(why) ~= "string" then
    return format("%s: the check of %s raised a %s value", link.path, link.policy.name, type(why))
  end
  local about = gsub(why, "^#%d+:%d+: ", "")
  local option = match(about, "^([%a_][%w_]*):")
  if option and link.options[option] ~= nil then return format("%s%s.%s", bridge.where, bridge.key, about) end
  return about ~= why and full_path(files, why) or format("%s: %s", link.path, why)
end

-- A path that a policy file gives begins in that file's folder. (Those of a configuration are absolute already.)
local function beside(path, name)
  if type(name) ~= "string" or sub(name, 1, 1) == "/" then return nil end
  if not find(name, "/", 1, true) and sub(name, -4) ~= ".lua" then return nil end
  local folder = match(path, "^(.*/)[^/]*$")
  return folder and folder .. name
end

-- Loads the policy `name` and, while one names a child, that child: a list of { policy =, options =, path = }. What was
-- read before is in `sources`, by name.
local function load_chain(bridge, entry, made, files, sources)
  local given = {}
  if bridge.options then
    given = setfenv(assert(load_text("return " .. bridge.options, "=options")), {})()
  end
  local chain, used, constructed = {}, {}, {}
  local name = bridge.policy
  local loop_line
  while name do
    if #chain == MAX_CHAIN then
      error(format("%s%s.childPolicy: more than %d policies", bridge.where, bridge.key, MAX_CHAIN), 0)
    end
    local source = sources[name]
    if not source then
      local text, path = bridge.find(name)
      if not text then
        error(format("%s%s.%s: %s", bridge.where, bridge.key, #chain == 0 and "policy" or "childPolicy", path), 0)
      end
      files[#files + 1] = path
      source = read_source(#files, text, path, made, bridge)
      sources[name] = source
    end
    local path, loop = source.path, source.loop
    local env = environment.new(made.words)
    rawset(env, bridge.kind, constructor(bridge.kind, constructed))
    local policy = run_file(source, env, made)
    local is_policy = constructed[policy or 0] == bridge.kind
    local problem = not is_policy and format("the file must return %s { ... }", bridge.kind)
      or shape_problem(bridge.kind, entry, policy)
    if problem then error(format("%s:%d: %s", path, source.return_line, problem), 0) end
    if loop and not loop_line then loop_line = format("%s:%d", path, loop) end
    local options = merge(policy, given, used, bridge)
    chain[#chain + 1] = { policy = policy, options = options, path = path }
    name = given.childPolicy == nil and beside(path, options.childPolicy) or options.childPolicy
  end
  check_unused(chain, given, used, bridge)
  for _, link in ipairs(chain) do
    local check = link.policy.check
    local ok, why = pcall(check or function() end, link.options)
    if not ok then error(of_check(link, why, files, bridge), 0) end
  end
  return chain, loop_line
end

-- Is the head of the function replaced by a trace? The opcodes of a function's head come in the order FUNCF, IFUNCF
-- (refused by the compiler), JFUNCF (compiled).
local FRESH = band(funcbc(function() end, 0), 0xff)
local function is_compiled(driver) return band(funcbc(driver, 0), 0xff) == FRESH + 2 end

local function quoted_keys(set)
  local list = {}
  for key in pairs(set) do list[#list + 1] = format("[%q]=true", tostring(key)) end
  return "{" .. concat(list, ",") .. "}"
end

-- What the first file of a chain may say, as the text of a table for those who look over it (moonpool.lint).
local function facts(entry, policy, env, bridge, made)
  local options = {}
  for key, value in pairs(policy.options or {}) do options[#options + 1] = format("[%q]=%q", key, type(value)) end
  local fields = { "plan=" .. quoted_keys(made.plan_methods) }
  for name, layout in pairs(bridge.layout) do fields[#fields + 1] = format("[%q]=%s", name, quoted_keys(layout)) end
  return format("{entry=%q,words=%s,options={%s},fields={%s}}", entry, quoted_keys(env), concat(options, ","),
    concat(fields, ","))
end

-- Called once by policy/state.c. Returns driver, message handler, description, and a function that runs the same texts
-- again for hosts that begin at `slots`: its driver has seen nothing of what the first one was tried with.
-- The module moonpool.policy.KIND says what is particular to a kind: `entry`, the name of a policy's function;
-- `driver(chain, made, bridge)`, the function that C calls, which returns itself so that it is on top of the stack
-- again for the next call (decide.h); and it may have `words(made, bridge)`, which adds its own words before any file
-- is loaded.
return function(bridge)
  local kind = require("moonpool.policy." .. bridge.kind)
  objects.check_layout(bridge.layout)
  local files, sources = {}, {}
  local made, driver
  local function run(slots)
    made.begin(slots)
    local chain, loop_line = load_chain(bridge, kind.entry, made, files, sources)
    driver = kind.driver(chain, made, bridge)
    return chain, loop_line
  end
  local ok, about = xpcall(function()
    made = objects.new(bridge)
    for name, value in pairs(bridge.constants) do made.words[name] = value end
    if kind.words then kind.words(made, bridge) end
    for name, value in pairs(made.words) do
      if type(value) == "number" then made.constants[name] = value end
    end
    environment.protect(made.pay, made.note)
    local chain, loop_line = run(bridge.slots)
    local first_line = getinfo(chain[1].policy[kind.entry], "S").linedefined
    return {
      place = format("%s:%d: ", chain[1].path, first_line), name = chain[1].policy.name, file = chain[1].path,
      child = chain[2] and chain[2].policy.name or "",
      loop = loop_line, compiled = function() return is_compiled(driver) end,
      facts = function()
        local env = environment.new(made.words)
        rawset(env, bridge.kind, true)
        return facts(kind.entry, chain[1].policy, env, bridge, made)
      end,
    }
  end, new_handler(files, ""))
  -- No handler is asked when there is no memory left.
  if about == "not enough memory" then about = format("%s: %s", files[#files] or bridge.policy, about) end
  if not ok then error(about, 0) end
  local function again(slots)
    run(slots)
    return driver
  end
  return driver, new_handler(files, about.place), about, again
end
