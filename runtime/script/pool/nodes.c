// SPDX-License-Identifier: Apache-2.0
// Nodes that an application adds and removes, for lua/moonpool/nodes.lua: names become addresses, nodes are let in, and
// hosts are expelled. And the datacentre that it wants to serve.
#include <lauxlib.h>

#include "base/mem.h"
#include "cluster/steer.h"
#include "script/core.h"
#include "script/pool/pool.h"

#define ADDRS_MAX 16

// A name that is looked up, and the coroutine that waits for it.
struct lookup {
	struct mp_list_node node; // in pool->lookups
	struct mp_lua_pool *pool;
	struct mp_waiter *waiter;
	struct mp_resolve *resolve;
	int rc;
	size_t count;
	struct mp_addr addrs[ADDRS_MAX];
};

// In a protected call: a list of addresses, or nil and an error.
static int push_found(lua_State *L)
{
	const struct lookup *lookup = lua_touserdata(L, 1);
	if (lookup->rc != 0)
		return mp_lua_fail(L, lookup->rc, "%s", mp_err_text(lookup->rc));
	lua_createtable(L, (int)lookup->count, 0);
	for (size_t i = 0; i < lookup->count; i++) {
		char text[MP_ADDR_TEXT];
		if (lookup->addrs[i].port == 0)
			mp_addr_format_ip(&lookup->addrs[i], text);
		else
			mp_addr_format(&lookup->addrs[i], text);
		lua_pushstring(L, text);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_pushnil(L);
	return 2;
}

static void end(struct lookup *lookup)
{
	struct mp_lua_pool *pool = lookup->pool;
	struct mp_waiter *waiter = lookup->waiter;
	mp_list_remove(&pool->lookups, &lookup->node);
	mp_lua_pool_hold(pool);
	lua_State *from = mp_runtime_protect(pool->runtime, push_found, lookup, 2);
	lua_State *co = mp_waiter_state(waiter);
	if (from != NULL) {
		lua_xmove(from, co, 2);
	} else {
		lua_pushnil(co);
		mp_lua_push_no_memory(co);
	}
	mp_free(lookup);
	mp_waiter_resume(waiter, 2);
	mp_lua_pool_release(pool);
}

static void on_resolved(void *data, int rc, const struct mp_addr *addrs, size_t count)
{
	struct lookup *lookup = data;
	lookup->rc = rc;
	lookup->count = count < ADDRS_MAX ? count : ADDRS_MAX;
	for (size_t i = 0; rc == 0 && i < lookup->count; i++)
		lookup->addrs[i] = addrs[i];
	end(lookup);
}

void mp_lua_pool_end_lookups(struct mp_lua_pool *pool)
{
	while (pool->lookups.count > 0) {
		struct lookup *lookup = MP_CONTAINER_OF(mp_list_first(&pool->lookups), struct lookup, node);
		mp_resolve_cancel(lookup->resolve);
		lookup->rc = MP_ECLOSED;
		end(lookup);
	}
}

// lookUp(pool, name, port): a list of addresses, or nil and err. Port 0: they are without one.
int mp_core_look_up(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	if (mp_lua_pool_is_forked(pool))
		return mp_lua_forked(L);
	const char *name = luaL_checkstring(L, 2);
	if (MP_UNLIKELY(mp_lua_pool_check_wait(pool, L) != 0))
		return mp_lua_fail_no_memory(L);
	if (pool->state != MP_POOL_OPEN)
		return mp_lua_fail(L, MP_ECLOSED, "the pool is not connected");
	struct lookup *lookup = mp_calloc(1, sizeof(*lookup));
	int rc = MP_ENOMEM;
	if (lookup != NULL)
		lookup->resolve = mp_loop_resolve(pool->engine.loop, name, (uint16_t)luaL_checknumber(L, 3),
		                                  on_resolved, lookup, &rc);
	if (lookup == NULL || lookup->resolve == NULL) {
		mp_free(lookup);
		return mp_lua_fail(L, rc, "%s", mp_err_text(rc));
	}
	lookup->pool = pool;
	mp_list_node_init(&lookup->node);
	mp_list_push_back(&pool->lookups, &lookup->node);
	lookup->waiter = mp_runtime_register(pool->runtime);
	return mp_runtime_yield(pool->runtime);
}

// admitNode(pool, address): true, or nil and err.
int mp_core_admit_node(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	struct mp_addr addr;
	if (pool->state != MP_POOL_OPEN)
		return mp_lua_fail(L, MP_ECLOSED, "the pool is not connected");
	luaL_argcheck(L, mp_addr_parse(luaL_checkstring(L, 2), 0, &addr) == 0, 2, "an address expected");
	int rc = mp_session_admit(pool->engine.session, &addr);
	if (rc != 0)
		return mp_lua_fail(L, rc, "%s", mp_err_text(rc));
	lua_pushboolean(L, 1);
	return 1;
}

// expelNode(pool, host, drain): its slot and the slot's generation, for the two below; or nil and err.
int mp_core_expel_node(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	const struct mp_host *host = mp_lua_host_at(L, pool, 2);
	if (host == NULL)
		return 2;
	struct mp_session *session = pool->engine.session;
	uint16_t slot = host->index;
	uint32_t generation = mp_session_view(session)->hosts[slot].generation;
	int rc = mp_session_expel(session, slot, lua_toboolean(L, 3));
	if (rc == MP_EINVAL)
		return mp_lua_fail(L, rc, "%s is the last host in use: without it no request could be served",
		                   host->addr_text);
	if (rc != 0)
		return mp_lua_fail(L, rc, "%s", mp_err_text(rc));
	lua_pushnumber(L, slot);
	lua_pushnumber(L, generation);
	return 2;
}

// leftOf(pool, slot, generation): connections that are not closed yet.
int mp_core_left_of(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	size_t left = 0;
	if (pool->state != MP_POOL_CLOSED)
		left = mp_session_left_of(pool->engine.session, (uint16_t)luaL_checknumber(L, 2),
		                          (uint32_t)luaL_checknumber(L, 3));
	lua_pushnumber(L, (double)left);
	return 1;
}

// cutNode(pool, slot, generation): they are closed.
int mp_core_cut_node(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	if (pool->state != MP_POOL_CLOSED)
		mp_session_cut(pool->engine.session, (uint16_t)luaL_checknumber(L, 2),
		               (uint32_t)luaL_checknumber(L, 3));
	return 0;
}

// serveFrom(pool, datacentre | nil): true, or nil and err.
int mp_core_serve_from(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	if (pool->state != MP_POOL_OPEN)
		return mp_lua_fail(L, MP_ECLOSED, "the pool is not connected");
	struct mp_str dc = {"", 0};
	if (!lua_isnoneornil(L, 2))
		dc.data = luaL_checklstring(L, 2, &dc.len);
	int rc = mp_session_serve_from(pool->engine.session, dc);
	if (rc == MP_ENOTFOUND)
		return mp_lua_fail(L, rc, "no host is in a datacentre '%.60s'", dc.data);
	if (rc == MP_EINVAL)
		return mp_lua_fail(L, rc,
		                   "hosts of other datacentres get no connections: "
		                   "pooling.coreConnectionsPerHost['1'] is 0");
	if (rc != 0)
		return mp_lua_fail(L, rc, "%s", mp_err_text(rc));
	lua_pushboolean(L, 1);
	return 1;
}

// servingDatacenter(pool): its name; nil: it is not known.
int mp_core_serving_datacenter(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	lua_pushstring(L, pool->state == MP_POOL_OPEN ? mp_session_serving_dc(pool->engine.session) : NULL);
	return 1;
}
