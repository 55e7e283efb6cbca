// SPDX-License-Identifier: Apache-2.0
// A coroutine that waits for an errand of the cluster's (cluster/steer.h).
#pragma once

#include "cluster/steer.h"
#include "script/pool/pool.h"

// The pool at 1, connected, of a function that is going to wait; raises where it cannot. NULL: nil and an error are
// pushed.
struct mp_lua_pool *mp_lua_waiting_pool(lua_State *L);
// Waits for its end: true, or nil and err. NULL: `error` says why there is none.
int mp_lua_await(lua_State *L, struct mp_lua_pool *pool, struct mp_errand *errand,
                 const struct mp_error *error);
// What a coroutine gets that waited: the two results of `push` in a protected call, or nil and the error of no memory.
void mp_lua_wake(struct mp_lua_pool *pool, struct mp_waiter *waiter, lua_CFunction push, void *data);
