// SPDX-License-Identifier: Apache-2.0
// HTTP servers for Lua: a module of its own beside the core, for lua/moonpool/http.lua.
#pragma once

#include <lua.h>

// { listen = function, isThere = boolean }
__attribute__((visibility("default"))) int luaopen_moonpool_httpcore(lua_State *L);
