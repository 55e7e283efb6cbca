-- SPDX-License-Identifier: Apache-2.0
-- Finds the C core. Inside of an executable that contains it (moonpool, the spec host) it is there already; a plain
-- LuaJIT process loads libmoonpool.so: the one that MOONPOOL_LIB names, or the one that belongs to this very file, in
-- the build tree or where it was installed.
local symbol = "luaopen_moonpool_core"

local function own_folder()
  local path = debug.getinfo(1, "S").source:match "^@(.*)/lua/moonpool/[^/]*$"
  return path or debug.getinfo(1, "S").source:match "^@lua/moonpool/[^/]*$" and "." or nil
end

local function candidates()
  local list = {}
  local named = os.getenv "MOONPOOL_LIB"
  if named then return { named } end
  local home = own_folder()
  if home then
    -- the checkout that was built, then an installation: PREFIX/share/moonpool beside PREFIX/lib
    for _, place in ipairs { "build/release", "build/dev", "../../lib", "../../lib/x86_64-linux-gnu",
      "../../lib/aarch64-linux-gnu", "../../lib64" } do
      list[#list + 1] = home .. "/" .. place .. "/libmoonpool.so"
    end
  end
  list[#list + 1] = "libmoonpool.so"
  list[#list + 1] = "libmoonpool.so.0" -- where the files for development are not installed
  return list
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function load_core()
  if jit == nil then error("moonpool needs LuaJIT", 0) end
  local open = package.preload["moonpool.core"] or package.loadlib("", symbol)
  if open then return open() end
  local tried = {}
  for _, path in ipairs(candidates()) do
    local message = "no such file"
    if not path:find "/" or exists(path) then
      open, message = package.loadlib(path, symbol)
      if open then
        local core = open()
        core.library = path -- for the others that it holds
        return core
      end
    end
    tried[#tried + 1] = "  " .. path .. ": " .. message
  end
  error("libmoonpool.so was not found (MOONPOOL_LIB may name it):\n" .. table.concat(tried, "\n"), 0)
end

return load_core()
