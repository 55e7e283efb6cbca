// SPDX-License-Identifier: Apache-2.0
// Steering single hosts, for lua/moonpool/steer.lua: what each verb does at once, and how a host is, which that file
// looks at again until what it waits for has come.
#include "cluster/steer.h"

#include <lauxlib.h>
#include <stdio.h>

#include "script/core.h"
#include "script/pool/pool.h"

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

// knockHost(pool, host): true, or nil and err.
int mp_core_knock_host(lua_State *L)
{
	struct mp_session *session;
	const struct mp_host *host = subject(L, &session);
	if (host == NULL)
		return 2;
	mp_session_knock(session, host->index);
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

static void number(lua_State *L, const char *name, double value)
{
	lua_pushnumber(L, value);
	lua_setfield(L, -2, name);
}

// hostState(pool, host): { address, isUp, held, wanted, ready, opening, failed, left, error }, or nil and err. left:
// connections that are not closed yet; failed: attempts that have failed so far; error: of the last one.
int mp_core_host_state(lua_State *L)
{
	struct mp_session *session;
	const struct mp_host *host = subject(L, &session);
	if (host == NULL)
		return 2;
	const struct mp_pool *conns = &host->pool;
	lua_createtable(L, 0, 10);
	lua_pushstring(L, host->addr_text);
	lua_setfield(L, -2, "address");
	lua_pushboolean(L, host->state == MP_HOST_UP);
	lua_setfield(L, -2, "isUp");
	lua_pushstring(L, mp_host_hold_name(host->hold));
	lua_setfield(L, -2, "held");
	number(L, "wanted", conns->target);
	number(L, "ready", conns->ready_count);
	number(L, "opening", conns->opening_count);
	number(L, "failed", (double)conns->failed_total);
	number(L, "left", (double)conns->conns.count);
	if (host->down_err != 0) {
		struct mp_error error = {.err = host->down_err, .server_code = host->down_code};
		snprintf(error.host, sizeof(error.host), "%s", host->addr_text);
		snprintf(error.message, sizeof(error.message), "%s: %.180s", host->addr_text, host->down_why);
		mp_lua_push_error(L, &error);
		lua_setfield(L, -2, "error");
	}
	return 1;
}
