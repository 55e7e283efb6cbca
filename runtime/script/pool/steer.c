// SPDX-License-Identifier: Apache-2.0
// Steering single hosts, for lua/moonpool/steer.lua: what each verb does at once, and what it waits for.
#include "cluster/steer.h"

#include <lauxlib.h>

#include "script/core.h"
#include "script/pool/errand.h"

static int done(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

// The pool at 1 and its host at 2; NULL: nil and an error are pushed.
static const struct mp_host *subject(lua_State *L, struct mp_session **session)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	const struct mp_host *host = mp_lua_host_at(L, pool, 2);
	*session = pool->engine.session;
	return host;
}

// holdHost(pool, host, "paused" | "draining" | nil): true, or nil and err.
int mp_core_hold_host(lua_State *L)
{
	struct mp_session *session;
	const struct mp_host *host = subject(L, &session);
	if (host == NULL)
		return 2;
	struct mp_str name = mp_str_of(luaL_optstring(L, 3, ""));
	enum mp_host_hold hold = MP_HOLD_NONE;
	for (int i = MP_HOLD_PAUSED; i <= MP_HOLD_DRAINING; i++)
		if (mp_str_is(name, mp_host_hold_name((enum mp_host_hold)i)))
			hold = (enum mp_host_hold)i;
	mp_session_hold(session, host->index, hold);
	return done(L);
}

// severHost(pool, host): true, or nil and err.
int mp_core_sever_host(lua_State *L)
{
	struct mp_session *session;
	const struct mp_host *host = subject(L, &session);
	if (host == NULL)
		return 2;
	mp_session_sever(session, host->index);
	return done(L);
}

// hintHost(pool, host, is up): somebody else sees it so. true, or nil and err.
int mp_core_hint_host(lua_State *L)
{
	struct mp_session *session;
	const struct mp_host *host = subject(L, &session);
	if (host == NULL)
		return 2;
	mp_session_hint(session, host->index, lua_toboolean(L, 3));
	return done(L);
}

// renewHost(pool, host): true, or nil and err.
int mp_core_renew_host(lua_State *L)
{
	struct mp_session *session;
	const struct mp_host *host = subject(L, &session);
	if (host == NULL)
		return 2;
	mp_session_renew(session, host->index);
	return done(L);
}

// resizeHost(pool, host, core, max): true, or nil and err.
int mp_core_resize_host(lua_State *L)
{
	struct mp_session *session;
	const struct mp_host *host = subject(L, &session);
	if (host == NULL)
		return 2;
	mp_session_resize(session, host->index, (uint32_t)luaL_checknumber(L, 3),
	                  (uint32_t)luaL_checknumber(L, 4));
	return done(L);
}

// shareHost(pool, host, share): true, or nil and err.
int mp_core_share_host(lua_State *L)
{
	struct mp_session *session;
	const struct mp_host *host = subject(L, &session);
	if (host == NULL)
		return 2;
	mp_session_share(session, host->index, luaL_checknumber(L, 3));
	return done(L);
}

// drainHost(pool, host, ms): true when its connections are closed, or nil and err.
int mp_core_drain_host(lua_State *L)
{
	uint32_t timeout_ms = (uint32_t)luaL_checknumber(L, 3);
	struct mp_lua_pool *pool = mp_lua_waiting_pool(L);
	const struct mp_host *host = pool != NULL ? mp_lua_host_at(L, pool, 2) : NULL;
	struct mp_error error;
	if (host == NULL)
		return 2;
	return mp_lua_await(L, pool, mp_errand_drain(pool->engine.session, host, timeout_ms, &error), &error);
}

// recoverHost(pool, host, attempts, delay in ms): true when it has its connections, or nil and err.
int mp_core_recover_host(lua_State *L)
{
	uint32_t attempts = (uint32_t)luaL_checknumber(L, 3);
	uint32_t delay_ms = (uint32_t)luaL_checknumber(L, 4);
	luaL_argcheck(L, attempts > 0, 3, "an attempt or more expected");
	struct mp_lua_pool *pool = mp_lua_waiting_pool(L);
	const struct mp_host *host = pool != NULL ? mp_lua_host_at(L, pool, 2) : NULL;
	struct mp_error error;
	if (host == NULL)
		return 2;
	return mp_lua_await(L, pool, mp_errand_recover(pool->engine.session, host, attempts, delay_ms, &error),
	                    &error);
}
