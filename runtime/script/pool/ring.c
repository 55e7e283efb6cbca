// SPDX-License-Identifier: Apache-2.0
// getRing(pool, keyspace or "", how many slices): the ring as equal slices, for pages that draw it.
#include <lauxlib.h>
#include <string.h>

#include "cluster/topology/keyspaces.h"
#include "script/core.h"
#include "script/pool/pool.h"

#define SLICES_MAX 1024

// The hosts that slices name, each once, by the order of their first sight.
struct seen {
	const struct mp_session *session;
	uint16_t slots[SLICES_MAX * MP_RING_VIEW_REPLICAS];
	size_t count;
};

static size_t number_of(struct seen *seen, uint16_t slot)
{
	size_t i = 0;
	while (i < seen->count && seen->slots[i] != slot)
		i++;
	if (i == seen->count)
		seen->slots[seen->count++] = slot;
	return i;
}

static void push_slices(lua_State *L, struct seen *seen, const struct mp_ring_slice *slices, size_t count)
{
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_createtable(L, (int)slices[i].count, 0);
		for (uint32_t k = 0; k < slices[i].count; k++) {
			lua_pushnumber(L, (double)number_of(seen, slices[i].hosts[k]));
			lua_rawseti(L, -2, (int)k + 1);
		}
		lua_rawseti(L, -2, (int)i + 1);
	}
}

static void push_hosts(lua_State *L, const struct seen *seen)
{
	lua_createtable(L, (int)seen->count, 0);
	for (size_t i = 0; i < seen->count; i++) {
		const struct mp_host *host = mp_session_host_slot(seen->session, seen->slots[i]);
		lua_pushstring(L, host != NULL ? host->addr_text : "");
		lua_rawseti(L, -2, (int)i + 1);
	}
}

static void push_keyspaces(lua_State *L, const struct mp_keyspaces *keyspaces)
{
	lua_newtable(L);
	const char *name;
	for (size_t i = 0; i < SLICES_MAX && (name = mp_keyspaces_used(keyspaces, i)) != NULL; i++) {
		lua_pushstring(L, name);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

// { tokens, hasReplicas, hosts = { address, ... }, slices = { { number of a host from 0, ... }, ... }, keyspaces =
// those in use }; nil: no tokens are known.
int mp_core_get_ring(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	struct mp_str keyspace;
	keyspace.data = luaL_checklstring(L, 2, &keyspace.len);
	size_t count = (size_t)luaL_checkinteger(L, 3);
	luaL_argcheck(L, count >= 1 && count <= SLICES_MAX, 3, "1 to 1024 slices expected");
	if (pool->state != MP_POOL_OPEN)
		return 0;
	struct mp_ring_slice *slices = lua_newuserdata(L, sizeof(*slices) * count);
	struct seen *seen = lua_newuserdata(L, sizeof(*seen));
	seen->session = pool->engine.session;
	seen->count = 0;
	struct mp_keyspaces *keyspaces = mp_session_keyspaces(pool->engine.session);
	struct mp_ring_view view = mp_keyspaces_view(keyspaces, keyspace, slices, count);
	if (view.tokens == 0)
		return 0;
	lua_createtable(L, 0, 5);
	lua_pushnumber(L, view.tokens);
	lua_setfield(L, -2, "tokens");
	lua_pushboolean(L, view.has_replicas);
	lua_setfield(L, -2, "hasReplicas");
	push_slices(L, seen, slices, count);
	lua_setfield(L, -2, "slices");
	push_hosts(L, seen);
	lua_setfield(L, -2, "hosts");
	push_keyspaces(L, keyspaces);
	lua_setfield(L, -2, "keyspaces");
	return 1;
}
