// SPDX-License-Identifier: Apache-2.0
// What an application tells its policies about hosts, and what they would do with a request: setHostWeight,
// setHostTags, explain.
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/plan/marks.h"
#include "cluster/steer.h"
#include "script/core.h"
#include "script/pool/options.h"
#include "script/pool/pool.h"
#include "script/values/value.h"
#include "wire/murmur3.h"

const struct mp_host *mp_lua_host_at(lua_State *L, struct mp_lua_pool *pool, int index)
{
	size_t len;
	const char *name = luaL_checklstring(L, index, &len);
	luaL_argcheck(L, strlen(name) == len, index, "an address expected");
	const struct mp_host *host = NULL;
	if (pool->state == MP_POOL_CLOSED || pool->state == MP_POOL_CLOSING)
		mp_lua_fail(L, MP_ECLOSED, "the pool is closed");
	else if ((host = mp_session_host_find(pool->engine.session, name)) == NULL)
		mp_lua_fail(L, MP_ENOTFOUND, "there is no host %s", name);
	return host;
}

// setHostWeight(pool, host, weight): true, or nil and err.
int mp_core_set_host_weight(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	double weight = luaL_checknumber(L, 3);
	luaL_argcheck(L, weight >= 0 && weight <= 1e6, 3, "a weight is a number from 0 to 1000000");
	const struct mp_host *host = mp_lua_host_at(L, pool, 2);
	if (host == NULL)
		return 2;
	mp_session_weigh(pool->engine.session, host->index, weight);
	lua_pushboolean(L, 1);
	return 1;
}

static void check_tag(lua_State *L, int index)
{
	size_t len = 0;
	const char *tag = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len) : "";
	luaL_argcheck(L, len > 0 && strlen(tag) == len, 3, "a tag is a text");
}

// setHostTags(pool, host, { "canary", ... }): these and no others. true, or nil and err.
int mp_core_set_host_tags(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	luaL_checktype(L, 3, LUA_TTABLE);
	const char *tags[MP_MARKS_MAX];
	size_t count = 0;
	lua_checkstack(L, MP_MARKS_MAX + 8);
	lua_pushnil(L);
	while (lua_next(L, 3) != 0) { // all of the table is tags, or it is no list
		luaL_argcheck(L, count < MP_MARKS_MAX, 3, "at most 32 tags");
		luaL_argcheck(L, lua_type(L, -2) == LUA_TNUMBER, 3, "a list of tags expected");
		check_tag(L, lua_gettop(L));
		tags[count++] = lua_tostring(L, -1);
		lua_insert(L, -2); // stays on the stack, so that the text lives
	}
	const struct mp_host *host = mp_lua_host_at(L, pool, 2);
	if (host == NULL)
		return 2;
	int rc = mp_view_set_tags(mp_session_view(pool->engine.session), host->index, tags, count);
	if (rc != 0)
		return mp_lua_fail(L, rc, "no room for more different tags and lists (at most %d)", MP_MARKS_MAX);
	lua_pushboolean(L, 1);
	return 1;
}

// ---- explain ----------------------------------------------------------------------------------------------

// Without metamethods: what they made would be garbage at once.
static void get_field(lua_State *L, const char *key)
{
	lua_pushstring(L, key);
	lua_rawget(L, 2);
}

// Fields of the request that explain() is asked about, by their Lua type.
static const char *const fields[] = {"keyspace", "routingKey", "token", "consistency",
                                     "tag",      "isRead",     "isLwt", "idempotent"};
#define TEXT_FIELDS 5 // the first are texts, the others booleans

static void check_fields(lua_State *L)
{
	lua_pushnil(L);
	while (lua_next(L, 2) != 0) {
		struct mp_str name = {"", 0};
		if (lua_type(L, -2) == LUA_TSTRING)
			name.data = lua_tolstring(L, -2, &name.len);
		size_t i = 0;
		while (i < MP_ARRAY_LEN(fields) && !mp_str_is(name, fields[i]))
			i++;
		if (i == MP_ARRAY_LEN(fields))
			mp_lua_raise_unknown(L, name, fields, MP_ARRAY_LEN(fields), "explain: unknown field '%.60s'",
			                     name.data);
		int wanted = i < TEXT_FIELDS ? LUA_TSTRING : LUA_TBOOLEAN;
		if (lua_type(L, -1) != wanted)
			mp_lua_raise(L, "explain: %s: a %s expected, got %s", name.data, lua_typename(L, wanted),
			             luaL_typename(L, -1));
		lua_pop(L, 1);
	}
}

static bool get_flag(lua_State *L, const char *key)
{
	get_field(L, key);
	bool set = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return set;
}

static struct mp_str get_text(lua_State *L, const char *key)
{
	get_field(L, key);
	struct mp_str text = {"", 0};
	if (lua_type(L, -1) == LUA_TSTRING)
		text.data = lua_tolstring(L, -1, &text.len);
	lua_pop(L, 1); // the table keeps it
	return text;
}

// The token that the table names or whose key it has; false: neither.
static bool read_token(lua_State *L, int64_t *token)
{
	struct mp_str key = get_text(L, "routingKey");
	struct mp_str text = get_text(L, "token");
	if (key.len > 0 && text.len > 0)
		mp_lua_raise(L, "explain: a routingKey or a token expected, not both");
	if (text.len > 0 && mp_int64_parse(text.data, text.len, token) != 0)
		mp_lua_raise(L, "explain: token: the digits of a number of 64 bits expected");
	if (key.len > 0)
		*token = mp_murmur3_token(key.data, key.len);
	return key.len > 0 || text.len > 0;
}

// The request that the table describes, and its token if it has one.
static void read_request(lua_State *L, struct mp_session *session, struct mp_request_view *req,
                         int64_t *token)
{
	memset(req, 0, sizeof(*req));
	check_fields(L);
	struct mp_str tag = get_text(L, "tag");
	struct mp_str keyspace = get_text(L, "keyspace");
	if (keyspace.len == 0 && mp_session_keyspace(session) != NULL)
		keyspace = mp_str_of(mp_session_keyspace(session));
	struct mp_str level = get_text(L, "consistency");
	req->consistency = level.len > 0 ? mp_lua_consistency(L, "explain", level) : MP_CL_LOCAL_ONE;
	req->attempt = 1;
	req->isLwt = get_flag(L, "isLwt");
	req->isRead = get_flag(L, "isRead");
	req->idempotent = get_flag(L, "idempotent");
	req->isLocalConsistency = mp_consistency_is_local(req->consistency);
	req->hasToken = read_token(L, token);
	req->token = (double)*token;
	req->tag = tag.len > 0 ? mp_session_tag_id(session, tag) : 0;
	req->keyspaceId = mp_session_keyspace_id(session, keyspace);
}

static void number(lua_State *L, const char *name, double value)
{
	lua_pushnumber(L, value);
	lua_setfield(L, -2, name);
}

static void boolean(lua_State *L, const char *name, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, name);
}

static void push_place(lua_State *L, struct mp_session *session, const struct mp_plan *plan, uint16_t slot,
                       uint8_t step)
{
	char text[256];
	const struct mp_host *host = mp_session_host_slot(session, slot);
	const struct mp_host_view *view = &mp_session_view(session)->hosts[slot];
	lua_createtable(L, 0, 10);
	lua_pushstring(L, host != NULL ? host->addr_text : "?");
	lua_setfield(L, -2, "host");
	lua_pushstring(L, host != NULL && host->dc != NULL ? host->dc : "");
	lua_setfield(L, -2, "datacenter");
	lua_pushstring(L, host != NULL && host->rack != NULL ? host->rack : "");
	lua_setfield(L, -2, "rack");
	lua_pushstring(L, mp_plan_step_text(plan, step, text, sizeof(text)));
	lua_setfield(L, -2, "why");
	number(L, "step", step + 1);
	number(L, "inFlight", view->inFlight);
	number(L, "latencyMs", view->latencyUs / 1000.0);
	number(L, "weight", view->weight);
	boolean(L, "isReplica", mp_plan_is_replica(plan, slot));
	boolean(L, "isLocal", view->isLocal);
}

// explain(pool, { keyspace, routingKey or token (a text), consistency, tag, isRead, isLwt, idempotent }):
// { hosts = { { host, datacenter, rack, step, why, ... }, ... }, steps = { "replicas of ...", ... }, fallback,
// refused }
int mp_core_explain(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	luaL_checktype(L, 2, LUA_TTABLE);
	if (pool->state != MP_POOL_OPEN)
		return mp_lua_fail(L, MP_ECLOSED, "the pool is not connected");
	struct mp_session *session = pool->engine.session;
	struct mp_request_view req;
	struct mp_plan plan;
	int64_t token = 0;
	read_request(L, session, &req, &token);
	bool is_fallback = mp_session_plan(session, &req, token, &plan);
	lua_createtable(L, 0, 6);
	boolean(L, "fallback", is_fallback);
	boolean(L, "refused", plan.refused);
	boolean(L, "overflow", plan.overflow);
	boolean(L, "hasReplicas", mp_plan_has_replicas(&plan));
	lua_createtable(L, plan.step_count, 0);
	char text[256];
	for (uint8_t i = 0; i < plan.step_count; i++) {
		lua_pushstring(L, mp_plan_step_text(&plan, i, text, sizeof(text)));
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "steps");
	lua_newtable(L);
	uint8_t step = 0;
	int place = 0;
	for (uint16_t slot; (slot = mp_plan_next(&plan, &step)) != MP_NO_HOST;) {
		push_place(L, session, &plan, slot, step);
		lua_rawseti(L, -2, ++place);
	}
	lua_setfield(L, -2, "hosts");
	return 1;
}
