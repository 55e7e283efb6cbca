// SPDX-License-Identifier: Apache-2.0
// Canaries of policies, for Lua: how they stand, and what is done to them by hand.
#include <string.h>

#include "script/core.h"
#include "script/pool/pool.h"

static void number(lua_State *L, const char *key, double value)
{
	lua_pushnumber(L, value);
	lua_setfield(L, -2, key);
}

static void text(lua_State *L, const char *key, const char *value)
{
	mp_lua_push_redacted(L, value, strlen(value));
	lua_setfield(L, -2, key);
}

static void push_figures(lua_State *L, const struct mp_canary_info *info)
{
	lua_createtable(L, 0, MP_CANARY_CONDITION_COUNT);
	for (int i = 0; i < MP_CANARY_CONDITION_COUNT; i++) {
		const struct mp_canary_figure *figure = &info->figures[i];
		if (!info->counts[i])
			continue;
		lua_createtable(L, 0, 4);
		number(L, "candidate", figure->candidate);
		number(L, "inForce", figure->in_force);
		number(L, "confidence", figure->confidence);
		if (info->rule.limits[i] >= 0)
			number(L, "limit", info->rule.limits[i]);
		lua_setfield(L, -2, mp_canary_condition_name(i));
	}
}

void mp_lua_push_canary(lua_State *L, const char *kind, const struct mp_canary_info *info)
{
	lua_createtable(L, 0, 15);
	text(L, "policy", kind);
	text(L, "state", mp_canary_state_name(info->state));
	text(L, "name", info->name);
	text(L, "file", info->file);
	text(L, "reason", info->reason);
	number(L, "generation", info->generation);
	number(L, "inForce", info->in_force);
	number(L, "seconds", (double)info->lasted_ms / 1000);
	number(L, "lasting", (double)info->rule.lasting_ms / 1000);
	number(L, "share", info->share);
	number(L, "wholeShare", info->rule.share);
	number(L, "requests", (double)info->requests[MP_CANDIDATE]);
	number(L, "requestsInForce", (double)info->requests[MP_IN_FORCE]);
	number(L, "requestsWanted", info->rule.requests);
	push_figures(L, info);
	lua_setfield(L, -2, "figures");
}

static bool is_live(const struct mp_lua_pool *pool)
{
	return pool->state < MP_POOL_CLOSING;
}

// canary(pool): { [kind] = { state, figures, ... } } of those that run, and of the last ones.
int mp_core_canary(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	struct mp_canary_info info;
	lua_newtable(L);
	for (int i = 0; is_live(pool) && i < MP_POLICY_KINDS; i++) {
		enum mp_policy_kind kind = (enum mp_policy_kind)i;
		if (!mp_policies_canary(pool->engine.policies, kind, &info))
			continue;
		mp_lua_push_canary(L, mp_policy_kind_name(kind), &info);
		lua_setfield(L, -2, mp_policy_kind_name(kind));
	}
	return 1;
}

// endCanary(pool, kind, promote): true, or nil and err. Raises for a kind that is none.
int mp_core_end_canary(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	int kind = mp_lua_policy_kind(L, 2);
	if (!is_live(pool))
		return mp_lua_fail(L, MP_ECLOSED, "the pool is closed");
	struct mp_policies *policies = pool->engine.policies;
	int rc = lua_toboolean(L, 3) ? mp_policies_canary_promote(policies, (enum mp_policy_kind)kind)
	                             : mp_policies_canary_abort(policies, (enum mp_policy_kind)kind);
	if (rc != 0)
		return mp_lua_fail(L, rc, "no canary of the %s policy runs",
		                   mp_policy_kind_name((enum mp_policy_kind)kind));
	lua_pushboolean(L, 1);
	return 1;
}
