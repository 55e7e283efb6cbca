-- SPDX-License-Identifier: Apache-2.0
-- What C reads of a configuration, in a Lua state of its own: C takes a lua_State.
local ffi = require "ffi"
local C = require "spec.support.c"
require "spec.support.policies" -- declares struct mp_policies_config

ffi.cdef [[
struct lua_State *luaL_newstate(void);
void luaL_openlibs(struct lua_State *L);
int luaL_loadstring(struct lua_State *L, const char *text);
int lua_pcall(struct lua_State *L, int nargs, int nresults, int handler);
const char *lua_tolstring(struct lua_State *L, int index, size_t *len);
int lua_gettop(struct lua_State *L);
void lua_settop(struct lua_State *L, int index);
void lua_close(struct lua_State *L);
struct mp_script_config {
  struct mp_session_config session;
  struct mp_policies_config policies;
  struct mp_tls_options tls;
  bool has_tls;
  uint32_t close_drain_ms;
  const char *file;
  struct mp_arena arena;
};
int mp_script_config_read(struct lua_State *L, int index, struct mp_script_config *config);
void mp_script_config_deinit(struct mp_script_config *config);
]]

local script_config = {}

--- A state that finds moonpool's Lua files; C.lua_close() ends it.
function script_config.state()
  local L, lua = C.luaL_newstate(), MOONPOOL_ROOT .. "/lua/"
  C.luaL_openlibs(L)
  script_config.run(L, ("package.path = %q .. package.path"):format(lua .. "?.lua;" .. lua .. "?/init.lua;"))
  return L
end

--- Runs a text there and leaves one result, or raises what it raised.
function script_config.run(L, text)
  C.lua_settop(L, 0)
  local rc = C.luaL_loadstring(L, text)
  if rc == 0 then rc = C.lua_pcall(L, 0, 1, 0) end
  if rc ~= 0 then error(ffi.string(C.lua_tolstring(L, -1, nil)), 2) end
end

return script_config
