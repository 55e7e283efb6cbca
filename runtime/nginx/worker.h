// SPDX-License-Identifier: Apache-2.0
// moonpool in a worker of nginx, as Lua loads it (lua/moonpool/nginx.lua).
#pragma once

#include <lua.h>

// Returns { counts = function }. From then on the runtime of this Lua state is made in a worker, over the worker's own
// event loop, and coroutines of nginx's may wait. Raises where this build does not fit the nginx that runs.
__attribute__((visibility("default"))) int luaopen_moonpool_nginx(lua_State *L);
