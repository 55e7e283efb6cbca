// SPDX-License-Identifier: Apache-2.0
#include "script/pool/errand.h"

#include <lauxlib.h>

#include "base/mem.h"
#include "script/core.h"

struct call {
	struct mp_lua_pool *pool;
	struct mp_waiter *waiter;
	const struct mp_error *error; // while it is told; NULL: it went well
};

struct mp_lua_pool *mp_lua_waiting_pool(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	if (mp_lua_pool_is_forked(pool))
		mp_lua_forked(L);
	else if (MP_UNLIKELY(mp_lua_pool_check_wait(pool, L) != 0))
		mp_lua_fail_no_memory(L);
	else if (pool->state >= MP_POOL_CLOSING)
		mp_lua_fail(L, MP_ECLOSED, "the pool is closed");
	else if (pool->state != MP_POOL_OPEN)
		mp_lua_fail(L, MP_ECLOSED, "the pool is not connected");
	else
		return pool;
	return NULL;
}

void mp_lua_wake(struct mp_lua_pool *pool, struct mp_waiter *waiter, lua_CFunction push, void *data)
{
	mp_lua_pool_hold(pool);
	mp_waiter_hand(waiter, push, data);
	mp_waiter_resume(waiter, 2);
	mp_lua_pool_release(pool);
}

static int push_end(lua_State *L)
{
	const struct call *call = lua_touserdata(L, 1);
	if (call->error == NULL) {
		lua_pushboolean(L, 1);
		lua_pushnil(L);
	} else {
		lua_pushnil(L);
		mp_lua_push_error(L, call->error);
	}
	return 2;
}

static void on_done(void *data, const struct mp_error *error)
{
	struct call call = *(struct call *)data;
	mp_free(data);
	call.error = error;
	mp_lua_wake(call.pool, call.waiter, push_end, &call);
}

int mp_lua_await(lua_State *L, struct mp_lua_pool *pool, struct mp_errand *errand,
                 const struct mp_error *error)
{
	if (errand == NULL)
		return mp_lua_fail(L, error->err, "%s", error->message);
	struct call *call = mp_calloc(1, sizeof(*call));
	if (call == NULL) {
		mp_errand_free(errand);
		return mp_lua_fail_no_memory(L);
	}
	call->pool = pool;
	mp_errand_start(errand, on_done, call);
	call->waiter = mp_runtime_register(pool->runtime);
	return mp_runtime_yield(pool->runtime);
}
