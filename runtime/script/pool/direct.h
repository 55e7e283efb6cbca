// SPDX-License-Identifier: Apache-2.0
// Requests that are nothing but themselves: a coroutine waits for a prepared statement with plain values and the
// statement's own options. Nothing that Lua may raise stands between taking and submitting such a request, so it needs
// no call (op.c) around it.
#pragma once

#include "script/pool/pool.h"

enum mp_lua_direct {
	MP_LUA_DIRECT_SENT,   // and the coroutine was registered: yield
	MP_LUA_DIRECT_FAILED, // `nil, err` is pushed
	MP_LUA_DIRECT_NOT,    // it is not one of these; nothing has happened
};

// With the values in the table at `from`, or none when it is nil; or, when `count` is not negative, with so many values
// from `from` on.
enum mp_lua_direct mp_lua_direct_submit(lua_State *L, struct mp_lua_pool *pool,
                                        const struct mp_lua_statement *statement, int from,
                                        int count) MP_MUST_CHECK;
