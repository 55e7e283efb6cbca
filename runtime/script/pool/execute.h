// SPDX-License-Identifier: Apache-2.0
// What all calls that send something have in common.
#pragma once

#include "script/pool/pool.h"

// `nil, err` of a pool that is closed, or not connected: 2.
int mp_lua_pool_not_open(lua_State *L, const struct mp_lua_pool *pool);
// What had to be prepared first has one deadline over both.
void mp_lua_pool_shorten(const struct mp_lua_pool *pool, struct mp_request_options *options, double spent_ms);
