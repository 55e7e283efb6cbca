// SPDX-License-Identifier: Apache-2.0
// Nodes that an application adds and removes, for lua/moonpool/nodes.lua: names become addresses, nodes join and leave.
// And the datacentre that it wants to serve.
#include <lauxlib.h>
#include <string.h>

#include "base/mem.h"
#include "script/core.h"
#include "script/pool/errand.h"

// A name that is looked up, and the coroutine that waits for it.
struct lookup {
	struct mp_list_node node; // in pool->lookups
	struct mp_lua_pool *pool;
	struct mp_waiter *waiter;
	struct mp_resolve *resolve;
	int rc;
	size_t count;
	struct mp_addr addrs[MP_NODE_ADDRS];
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
	mp_list_remove(&lookup->pool->lookups, &lookup->node);
	mp_lua_wake(lookup->pool, lookup->waiter, push_found, lookup);
	mp_free(lookup);
}

static void on_resolved(void *data, int rc, const struct mp_addr *addrs, size_t count)
{
	struct lookup *lookup = data;
	lookup->rc = rc;
	lookup->count = count < MP_NODE_ADDRS ? count : MP_NODE_ADDRS;
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
	struct mp_lua_pool *pool = mp_lua_waiting_pool(L);
	if (pool == NULL)
		return 2;
	const char *name = luaL_checkstring(L, 2);
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

// What somebody calls a node, at 2, and its addresses, a list at 3 or nothing.
static void check_node(lua_State *L, struct mp_node_name *node)
{
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	luaL_argcheck(L, len < sizeof(node->text) && strlen(text) == len, 2, "an address expected");
	memcpy(node->text, text, len + 1);
	node->addr_count = lua_istable(L, 3) ? lua_objlen(L, 3) : 0;
	luaL_argcheck(L, node->addr_count <= MP_NODE_ADDRS, 3, "at most 16 addresses expected");
	for (size_t i = 0; i < node->addr_count; i++) {
		lua_rawgeti(L, 3, (int)i + 1);
		const char *addr = lua_tostring(L, -1);
		luaL_argcheck(L, addr != NULL && mp_addr_parse(addr, 0, &node->addrs[i]) == 0, 3,
		              "an address expected");
		lua_pop(L, 1);
	}
}

// joinNode(pool, name, { address, ... }, ms): true when it is connected, or nil and err.
int mp_core_join_node(lua_State *L)
{
	struct mp_node_name node;
	struct mp_error error;
	check_node(L, &node);
	uint32_t timeout_ms = (uint32_t)luaL_checknumber(L, 4);
	struct mp_lua_pool *pool = mp_lua_waiting_pool(L);
	if (pool == NULL)
		return 2;
	return mp_lua_await(L, pool, mp_errand_join(pool->engine.session, &node, timeout_ms, &error), &error);
}

// expelNode(pool, name, { address, ... } | nil, drain): what leaveNode wants; or nil and err.
int mp_core_expel_node(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	struct mp_node_name node;
	struct mp_leaving leaving;
	struct mp_error error;
	check_node(L, &node);
	if (pool->state != MP_POOL_OPEN)
		return mp_lua_fail(L, MP_ECLOSED, "the pool is not connected");
	const struct mp_host *host = mp_node_find(pool->engine.session, &node);
	if (host == NULL)
		return mp_lua_fail(L, MP_ENOTFOUND, "there is no host %s", node.text);
	if (mp_node_expel(pool->engine.session, host, lua_toboolean(L, 4), &leaving, &error) != 0)
		return mp_lua_fail(L, error.err, "%s", error.message);
	*(struct mp_leaving *)lua_newuserdata(L, sizeof(leaving)) = leaving;
	return 1;
}

// leaveNode(pool, what expelNode gave, ms): true when its connections are closed, or nil and err.
int mp_core_leave_node(lua_State *L)
{
	const struct mp_leaving *leaving = lua_touserdata(L, 2);
	luaL_argcheck(L, leaving != NULL && lua_objlen(L, 2) == sizeof(*leaving), 2, "an expelled node expected");
	uint32_t timeout_ms = (uint32_t)luaL_checknumber(L, 3);
	struct mp_lua_pool *pool = mp_lua_waiting_pool(L);
	struct mp_error error;
	if (pool == NULL)
		return 2;
	return mp_lua_await(L, pool, mp_errand_leave(pool->engine.session, leaving, timeout_ms, &error), &error);
}

// serveFrom(pool, datacentre | nil, ms): true when it does, or nil and err.
int mp_core_serve_from(lua_State *L)
{
	struct mp_str dc = {"", 0};
	if (!lua_isnoneornil(L, 2))
		dc.data = luaL_checklstring(L, 2, &dc.len);
	uint32_t timeout_ms = (uint32_t)luaL_checknumber(L, 3);
	struct mp_lua_pool *pool = mp_lua_waiting_pool(L);
	struct mp_error error;
	if (pool == NULL)
		return 2;
	return mp_lua_await(L, pool, mp_errand_serve(pool->engine.session, dc, timeout_ms, &error), &error);
}
