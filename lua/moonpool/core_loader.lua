-- SPDX-License-Identifier: Apache-2.0
-- Finds the C core. Inside of an executable that contains it (moonpool, the spec host) it is there already; a plain
-- LuaJIT process loads libmoonpool.so: the one that MOONPOOL_LIB names, or the one that belongs to this very file, in
-- the build tree or where it was installed. In nginx it is the one with the module for nginx, which nginx has loaded
-- (load_module) or this file loads.
local symbol, nginx_symbol = "luaopen_moonpool_core", "luaopen_moonpool_nginx"
local in_nginx = type(rawget(_G, "ngx")) == "table" and ngx.config ~= nil

local function own_folder()
  local source = debug.getinfo(1, "S").source
  local linked = source:match "^@(.*/share)/lua/5%.1/moonpool/[^/]*$" -- an installation's, where LuaJIT looks by itself
  if linked then return linked .. "/moonpool" end
  return source:match "^@(.*)/lua/moonpool/[^/]*$" or source:match "^@lua/moonpool/[^/]*$" and "." or nil
end

local function candidates()
  local list = {}
  local named = os.getenv "MOONPOOL_LIB"
  if named then return { named } end
  local packaged, path = pcall(require, "moonpool.library_path") -- a package manager's
  if packaged then return { path } end
  local home = own_folder()
  if home then
    -- the checkout that was built, then an installation: PREFIX/share/moonpool beside PREFIX/lib
    for _, place in ipairs { "build/release", "build/dev", "../../lib", "../../lib/x86_64-linux-gnu",
      "../../lib/aarch64-linux-gnu", "../../lib64" } do
      list[#list + 1] = home .. "/" .. place .. "/libmoonpool.so"
      list[#list + 1] = home .. "/" .. place .. "/libmoonpool.so.0" -- without the files for development
    end
  end
  list[#list + 1] = "libmoonpool.so"
  list[#list + 1] = "libmoonpool.so.0"
  return list
end

local function nginx_candidates()
  local list, name = {}, "ngx_moonpool_module.so"
  local named = os.getenv "MOONPOOL_LIB"
  if named then return { named } end
  local home = own_folder()
  for _, place in ipairs(home and { "build/release", "build/dev", "../../lib/nginx/modules",
      "../../lib/x86_64-linux-gnu/nginx/modules", "../../lib/aarch64-linux-gnu/nginx/modules" } or {}) do
    list[#list + 1] = home .. "/" .. place .. "/" .. name
  end
  list[#list + 1] = "/usr/lib/nginx/modules/" .. name
  return list
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- The first of the files that has the symbol: its core, and where that is; "" is what the process has already.
local function load_from(list, name, what)
  local tried = {}
  for _, path in ipairs(list) do
    local open, message = nil, "no such file"
    if not path:find "/" or exists(path) then open, message = package.loadlib(path, name) end
    if open then return open, path end
    tried[#tried + 1] = "  " .. path .. ": " .. message
  end
  error(what .. " was not found (MOONPOOL_LIB may name it):\n" .. table.concat(tried, "\n"), 0)
end

local function load_core()
  if jit == nil then error("moonpool needs LuaJIT", 0) end
  local open = package.preload["moonpool.core"] or package.loadlib("", symbol)
  if open then return open() end
  local path
  open, path = load_from(candidates(), symbol, "libmoonpool.so")
  local core = open()
  core.library = path -- for the others that it holds
  return core
end

-- nginx's own modules are symbols of the process.
local function load_for_nginx()
  local open, path = package.loadlib("", nginx_symbol), ""
  if not open then open, path = load_from(nginx_candidates(), nginx_symbol, "ngx_moonpool_module.so") end
  local core = assert(package.loadlib(path, symbol))()
  if path ~= "" then core.library = path end
  return require("moonpool.nginx").adopt(core, open)
end

local core = in_nginx and load_for_nginx() or load_core()
core.coroutine = core.coroutine or coroutine -- those that nobody but their maker resumes
return core
