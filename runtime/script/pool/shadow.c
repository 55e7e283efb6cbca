// SPDX-License-Identifier: Apache-2.0
// What the shadow policy would have done, as a table: of policies() and getMetrics().
#include <stdio.h>

#include "script/core.h"
#include "script/pool/pool.h"

static void number(lua_State *L, const char *name, double value)
{
	lua_pushnumber(L, value);
	lua_setfield(L, -2, name);
}

static void text(lua_State *L, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

struct list {
	lua_State *L;
	int count;
};

static void push_example(void *data, const struct mp_shadow_told *told)
{
	struct list *list = data;
	lua_State *L = list->L;
	char token[24];
	lua_createtable(L, 0, 10);
	text(L, "difference", told->difference);
	number(L, "atMs", (double)told->at_ms);
	text(L, "kind", told->kind);
	text(L, "keyspace", told->keyspace);
	text(L, "consistency", told->consistency);
	if (told->has_token) {
		snprintf(token, sizeof(token), "%lld", (long long)told->token);
		text(L, "token", token);
	}
	text(L, "serving", told->serving);
	text(L, "servingStep", told->serving_step);
	text(L, "shadow", told->shadow);
	text(L, "shadowStep", told->shadow_step);
	lua_rawseti(L, -2, ++list->count);
}

bool mp_lua_push_shadow(lua_State *L, struct mp_session *session)
{
	struct mp_shadow_figures figures;
	if (!mp_session_shadow(session, &figures))
		return false;
	double asked = figures.asked > 0 ? (double)figures.asked : 1;
	lua_createtable(L, 0, 7);
	number(L, "asked", (double)figures.asked);
	number(L, "sameFirst", (double)figures.same_first / asked);
	number(L, "sameHosts", (double)figures.same_hosts / asked);
	if (figures.measured > 0) {
		number(L, "latencyMs", figures.latency_ms);
		number(L, "latencyMsServing", figures.serving_latency_ms);
	}
	lua_newtable(L);
	for (int i = 0; i < MP_SHADOW_DIFFERENCE_COUNT; i++)
		if (figures.differences[i] > 0)
			number(L, mp_shadow_difference_name(i), (double)figures.differences[i]);
	lua_setfield(L, -2, "differences");
	return true;
}

void mp_lua_push_shadow_examples(lua_State *L, struct mp_session *session)
{
	struct list list = {L, 0};
	lua_newtable(L);
	mp_session_each_shadow_example(session, push_example, &list);
}
