// SPDX-License-Identifier: Apache-2.0
// Looking at a pool: getStats, getConnectionDetails, hosts and policies.
#include <lauxlib.h>
#include <string.h>

#include "cluster/plan/marks.h"
#include "script/core.h"
#include "script/pool/pool.h"

static void number(lua_State *L, const char *name, double value)
{
	lua_pushnumber(L, value);
	lua_setfield(L, -2, name);
}

static void text(lua_State *L, const char *name, const char *value)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

static bool is_live(const struct mp_lua_pool *pool)
{
	return pool->state != MP_POOL_CLOSED;
}

void mp_lua_pool_stats(const struct mp_lua_pool *pool, struct mp_session_stats *stats)
{
	if (is_live(pool))
		mp_session_stats(pool->engine.session, stats);
	else
		*stats = pool->last;
}

int mp_core_get_stats(lua_State *L)
{
	struct mp_session_stats stats;
	mp_lua_pool_stats(mp_lua_check_pool(L, 1), &stats);
	lua_createtable(L, 0, 32);
#define X(type, field, name, meaning) number(L, name, (double)stats.field);
	MP_SESSION_GAUGES(X)
	MP_SESSION_SUMS(X)
	MP_SESSION_COUNTERS(X)
#undef X
	return 1;
}

struct details {
	lua_State *L;
	struct mp_loop *loop;
	int count;
};

static void push_connection(void *data, const struct mp_host *host, const struct mp_conn *conn)
{
	struct details *details = data;
	lua_State *L = details->L;
	lua_createtable(L, 0, 6);
	number(L, "id", (double)mp_conn_id(conn));
	text(L, "host", host != NULL ? host->addr_text : "");
	text(L, "state", mp_conn_state_name(mp_conn_state(conn)));
	number(L, "inFlightRequests", mp_conn_in_flight(conn));
	number(L, "createdAt", (double)mp_loop_wall_ms_of(details->loop, mp_conn_created_ms(conn)));
	if (mp_conn_last_used_ms(conn) != 0) // it has carried something
		number(L, "lastUsedAt", (double)mp_loop_wall_ms_of(details->loop, mp_conn_last_used_ms(conn)));
	lua_rawseti(L, -2, ++details->count);
}

// createdAt and lastUsedAt: milliseconds since 1970.
int mp_core_get_connection_details(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	lua_newtable(L);
	struct details details = {L, pool->engine.loop, 0};
	if (is_live(pool))
		mp_session_each_conn(pool->engine.session, push_connection, &details);
	return 1;
}

// A list, if there are any.
static void push_tags(lua_State *L, const struct mp_view *view, uint16_t slot)
{
	int count = 0;
	for (int bit = 0; bit < MP_MARKS_MAX; bit++) {
		const char *tag = mp_view_tag_at(view, slot, bit);
		if (tag == NULL)
			continue;
		if (count == 0)
			lua_newtable(L);
		lua_pushstring(L, tag);
		lua_rawseti(L, -2, ++count);
	}
	if (count > 0)
		lua_setfield(L, -2, "tags");
}

int mp_core_get_hosts(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	lua_newtable(L);
	size_t count = is_live(pool) ? mp_session_host_count(pool->engine.session) : 0;
	for (size_t i = 0; i < count; i++) {
		const struct mp_host *host = mp_session_host_at(pool->engine.session, i);
		lua_createtable(L, 0, 10);
		text(L, "address", host->addr_text);
		text(L, "datacenter", host->dc != NULL ? host->dc : "");
		text(L, "rack", host->rack != NULL ? host->rack : "");
		text(L, "releaseVersion", host->release_version != NULL ? host->release_version : "");
		text(L, "distance", mp_distance_name(host->distance));
		const char *hold = mp_host_hold_name(host->hold);
		text(L, "status", mp_host_status(host));
		if (hold != NULL)
			text(L, "held", hold);
		if (host->share < 1)
			number(L, "share", host->share);
		number(L, "weight", mp_session_view(pool->engine.session)->hosts[host->index].weight);
		push_tags(L, mp_session_view(pool->engine.session), host->index);
		if (host->breaker.ticket != 0)
			text(L, "breaker", mp_breaker_state_name(host->breaker.state));
		number(L, "connections", host->pool.ready_count);
		number(L, "wantedConnections", host->pool.target);
		number(L, "maxConnections", host->distance != MP_DISTANCE_IGNORED ? host->pool.limits.max : 0);
		number(L, "utilization", mp_pool_utilization(&host->pool));
		number(L, "inFlight", mp_pool_in_flight(&host->pool));
		number(L, "requests", (double)host->requests);
		struct mp_figures figures;
		mp_session_host_figures(pool->engine.session, host, &figures);
		number(L, "averageLatency", figures.mean_ms);
		lua_rawseti(L, -2, (int)i + 1);
	}
	return 1;
}

// policies(pool): { balance = { name, file, generation, ... }, retry = { ... } }. since: milliseconds since 1970.
int mp_core_policies(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	lua_newtable(L);
	struct mp_policy_info info;
	struct mp_loop *loop = mp_runtime_loop(mp_runtime_of(L));
	for (int kind = 0; is_live(pool) && kind < MP_POLICY_KINDS; kind++) {
		if (!mp_policies_info(pool->engine.policies, (enum mp_policy_kind)kind, &info))
			continue;
		lua_createtable(L, 0, 15);
		text(L, "name", info.name);
		text(L, "file", info.file);
		number(L, "generation", info.generation);
		number(L, "calls", (double)info.calls);
		number(L, "errors", (double)info.errors);
		number(L, "reloads", (double)info.reloads);
		number(L, "refused", (double)info.refused);
		number(L, "nsPerCall", (double)info.ns_per_call);
		number(L, "bytesPerCall", info.bytes_per_call);
		text(L, "costClass", info.is_slow ? "slow" : "fast");
		number(L, "since", (double)mp_loop_wall_ms_of(loop, info.since_ms));
		number(L, "ageMs", (double)(mp_loop_now_ms(loop) - info.since_ms));
		mp_lua_push_redacted(L, info.last_error, strlen(info.last_error));
		lua_setfield(L, -2, "lastError");
		number(L, "fuelPerCall", info.fuel_per_call);
		if (info.is_shadow && mp_lua_push_shadow(L, pool->engine.session)) {
			mp_lua_push_shadow_examples(L, pool->engine.session);
			lua_setfield(L, -2, "examples");
			lua_setfield(L, -2, "agreement");
		}
		lua_setfield(L, -2, mp_policy_kind_name((enum mp_policy_kind)kind));
	}
	return 1;
}

struct lines {
	lua_State *L;
	int count;
};

static void push_line(void *data, const char *line, size_t len)
{
	struct lines *lines = data;
	lua_pushlstring(lines->L, line, len);
	lua_rawseti(lines->L, -2, ++lines->count);
}

// decisions(pool, count): the last records of the decision log, oldest first, each a line of JSON; nil and an error
// when there is none.
int mp_core_decisions(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	lua_Number wanted = luaL_checknumber(L, 2);
	luaL_argcheck(L, wanted >= 0 && wanted <= UINT32_MAX, 2, "a number of decisions expected");
	if (!is_live(pool))
		return mp_lua_fail(L, MP_ECLOSED, "the pool is closed");
	if (!mp_session_has_decisions(pool->engine.session))
		return mp_lua_fail(
			L, MP_ENOTFOUND,
			"there is no decision log; the configuration wants decisionLog = { sample = 0.01 }");
	struct mp_buf *line = mp_lua_push_buf(L);
	lua_newtable(L);
	struct lines lines = {L, 0};
	mp_session_each_decision(pool->engine.session, (uint32_t)wanted, line, push_line, &lines);
	mp_buf_deinit(line);
	return 1;
}

// setLogLevel(pool, level): true, or nil and an error. Until the configuration says something else.
int mp_core_set_log_level(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	const char *name = luaL_checkstring(L, 2);
	int level;
	if (mp_log_level_from(name, &level) != 0)
		return mp_lua_fail(L, MP_EINVAL, "a level is error, warn, info, debug or off");
	if (!is_live(pool))
		return mp_lua_fail(L, MP_ECLOSED, "the pool is closed");
	mp_session_log(pool->engine.session)->level = level;
	lua_pushboolean(L, 1);
	return 1;
}
