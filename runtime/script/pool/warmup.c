// SPDX-License-Identifier: Apache-2.0
// Connections ahead of the load: warmup() and preallocateConnections() wait here for what each host reaches.
#include "cluster/warmup.h"

#include <lauxlib.h>

#include "base/mem.h"
#include "script/core.h"
#include "script/pool/errand.h"

struct call {
	struct mp_lua_pool *pool;
	struct mp_waiter *waiter;
	const struct mp_warmup_end *end; // while it is told
};

// In a protected call: { address, connections, address, connections, ... } in the order of the hosts, and an error when
// that is less than was wanted.
static int push_end(lua_State *L)
{
	const struct mp_warmup_end *end = ((const struct call *)lua_touserdata(L, 1))->end;
	lua_createtable(L, (int)end->count * 2, 0);
	for (size_t i = 0; i < end->count; i++) {
		lua_pushstring(L, end->hosts[i].host->addr_text);
		lua_rawseti(L, -2, (int)i * 2 + 1);
		lua_pushnumber(L, end->hosts[i].reached);
		lua_rawseti(L, -2, (int)i * 2 + 2);
	}
	if (end->error != NULL)
		mp_lua_push_error(L, end->error);
	else
		lua_pushnil(L);
	return 2;
}

static void on_done(void *data, const struct mp_warmup_end *end)
{
	struct call *call = data;
	struct mp_lua_pool *pool = call->pool;
	struct mp_waiter *waiter = call->waiter;
	call->end = end;
	mp_lua_wake(pool, waiter, push_end, call);
	mp_free(call);
}

// The hosts at 2, by their addresses, for the numbers at 3. One that has left meanwhile is passed over.
static struct mp_warmup *for_some(lua_State *L, struct mp_session *session)
{
	size_t count = lua_objlen(L, 2);
	struct mp_warmup *warmup = mp_warmup_new(session, count);
	for (size_t i = 0; warmup != NULL && i < count; i++) {
		lua_rawgeti(L, 2, (int)i + 1);
		lua_rawgeti(L, 3, (int)i + 1);
		const struct mp_host *host = mp_session_host_find(session, lua_tostring(L, -2));
		if (host != NULL)
			mp_warmup_add(warmup, host, (uint32_t)lua_tonumber(L, -1));
		lua_pop(L, 2);
	}
	return warmup;
}

// warmUp(pool), or warmUp(pool, { address, ... }, { connections, ... }): what push_end() gives, or nil and err.
int mp_core_warm_up(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_waiting_pool(L);
	if (pool == NULL)
		return 2;
	bool all = lua_isnoneornil(L, 2);
	if (!all) {
		luaL_checktype(L, 2, LUA_TTABLE);
		luaL_checktype(L, 3, LUA_TTABLE);
	}
	struct mp_session *session = pool->engine.session;
	struct call *call = mp_calloc(1, sizeof(*call));
	struct mp_warmup *warmup = call == NULL ? NULL
	                           : all        ? mp_warmup_new_for_all(session)
	                                        : for_some(L, session);
	if (warmup == NULL) {
		mp_free(call);
		return mp_lua_fail(L, MP_ENOMEM, "%s", mp_err_text(MP_ENOMEM));
	}
	call->pool = pool;
	mp_warmup_start(warmup, on_done, call);
	call->waiter = mp_runtime_register(pool->runtime);
	return mp_runtime_yield(pool->runtime);
}

// findHost(pool, name): its address, or nothing.
int mp_core_find_host(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	const char *name = luaL_checkstring(L, 2);
	const struct mp_host *host =
		pool->state != MP_POOL_CLOSED ? mp_session_host_find(pool->engine.session, name) : NULL;
	if (host == NULL)
		return 0;
	lua_pushstring(L, host->addr_text);
	return 1;
}
