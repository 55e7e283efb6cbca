// SPDX-License-Identifier: Apache-2.0
// getMetrics(): how a pool stands, and what it did over the last seconds, as a whole and host by host. And what pools
// have counted since they began, as OpenMetrics text.
#include <lauxlib.h>

#include "cluster/openmetrics.h"
#include "script/core.h"
#include "script/pool/pool.h"
#include "script/pool/seen.h"

static void number(lua_State *L, const char *name, double value)
{
	lua_pushnumber(L, value);
	lua_setfield(L, -2, name);
}

static void text(lua_State *L, const char *name, const char *value)
{
	lua_pushstring(L, value != NULL ? value : "");
	lua_setfield(L, -2, name);
}

static void push_figures(lua_State *L, const struct mp_figures *figures)
{
	number(L, "requestsPerSecond", figures->per_second);
	number(L, "averageLatency", figures->mean_ms);
	number(L, "latencyP50", figures->p50_ms);
	number(L, "latencyP95", figures->p95_ms);
	number(L, "latencyP99", figures->p99_ms);
	number(L, "latencyP999", figures->p999_ms);
	number(L, "latencyMax", figures->max_ms);
	number(L, "errorRate", figures->error_rate);
}

// ---- a host -----------------------------------------------------------------------------------------------

static void push_host(lua_State *L, const struct mp_session *session, const struct mp_host *host,
                      struct mp_pool_sums *sums)
{
	struct mp_figures figures;
	mp_session_host_figures(session, host, &figures);
	const struct mp_pool *pool = &host->pool;
	lua_createtable(L, 0, 24);
	text(L, "address", host->addr_text);
	text(L, "datacenter", host->dc);
	text(L, "rack", host->rack);
	text(L, "status", mp_host_state_name(host->state));
	number(L, "connections", pool->ready_count);
	number(L, "maxConnections", pool->limits.max);
	number(L, "inFlight", mp_pool_in_flight(pool));
	push_figures(L, &figures);
	number(L, "attempts", (double)figures.gained[MP_HOST_ATTEMPTS]);
	number(L, "errors", (double)figures.gained[MP_HOST_ERRORS]);
	number(L, "timeouts", (double)figures.gained[MP_HOST_TIMEOUTS]);
	number(L, "connectionsOpened", (double)figures.gained[MP_HOST_OPENED]);
	number(L, "connectionsClosed", (double)figures.gained[MP_HOST_ENDED]);
	number(L, "connectsFailed", (double)figures.gained[MP_HOST_FAILED]);
	number(L, "utilization", figures.utilization);
	number(L, "crowded", figures.crowded);
	mp_pool_sums_add(sums, host, &figures);
}

// ---- the pool ---------------------------------------------------------------------------------------------

void mp_lua_add_window(lua_State *L, const struct mp_session *session)
{
	struct mp_figures figures;
	struct mp_pool_sums sums = {0};
	mp_session_figures(session, &figures);
	number(L, "window", figures.seconds * 1000);
	push_figures(L, &figures);
	number(L, "requests", (double)figures.ended);
	number(L, "errors", (double)figures.gained[MP_GAIN_ERRORS]);
	number(L, "timeouts", (double)figures.gained[MP_GAIN_TIMEOUTS]);
	number(L, "retries", (double)figures.gained[MP_GAIN_RETRIES]);
	number(L, "retriesRefused", (double)figures.gained[MP_GAIN_RETRIES_REFUSED]);
	number(L, "queued", (double)figures.gained[MP_GAIN_QUEUED]);
	number(L, "queueRefused", (double)figures.gained[MP_GAIN_BUSY]);
	size_t count = mp_session_host_count(session);
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		push_host(L, session, mp_session_host_at(session, i), &sums);
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "hosts");
	number(L, "connectionTurnover", mp_pool_sums_turnover(&sums, figures.seconds));
	number(L, "poolUtilization", mp_pool_sums_utilization(&sums));
}

static void push_metrics(lua_State *L, const struct mp_lua_pool *pool, bool whole)
{
	struct mp_session_stats stats;
	mp_lua_pool_stats(pool, &stats);
	lua_createtable(L, 0, 32);
	number(L, "hostsUp", stats.hosts_up);
	number(L, "hostsDown", stats.hosts_down);
	number(L, "totalConnections", stats.connections_total);
	number(L, "activeConnections", stats.connections_active);
	number(L, "idleConnections", stats.connections_idle);
	if (pool->state == MP_POOL_CLOSED)
		return;
	struct mp_session *session = pool->engine.session;
	if (mp_lua_push_shadow(L, session))
		lua_setfield(L, -2, "shadow");
	const char *serving = mp_session_serving_dc(session);
	if (serving != NULL)
		text(L, "servingDataCenter", serving);
	if (whole || mp_session_keeps_metrics(session))
		mp_lua_add_window(L, session);
}

void mp_lua_push_metrics(lua_State *L, const struct mp_lua_pool *pool)
{
	push_metrics(L, pool, false);
}

// getMetrics(pool, also when it is switched off)
int mp_core_get_metrics(lua_State *L)
{
	push_metrics(L, mp_lua_check_pool(L, 1), lua_toboolean(L, 2));
	return 1;
}

// openMetrics({ pool, ... }, { number, ... }): one text for all, and the type of such a text; or nil and an error.
// Closed ones are left out.
int mp_core_open_metrics(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	size_t count = lua_objlen(L, 1), known = 0;
	struct mp_openmetrics_pool *pools = lua_newuserdata(L, sizeof(*pools) * (count + 1));
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, 1, (int)i + 1);
		lua_rawgeti(L, 2, (int)i + 1);
		const struct mp_lua_pool *pool = mp_lua_check_pool(L, -2);
		if (pool->state != MP_POOL_CLOSED)
			pools[known++] =
				(struct mp_openmetrics_pool){pool->engine.session, (uint32_t)lua_tonumber(L, -1)};
		lua_pop(L, 2);
	}
	struct mp_buf *text = mp_lua_push_buf(L);
	mp_openmetrics_write(text, pools, known);
	bool failed = mp_buf_status(text) != 0;
	if (!failed)
		lua_pushlstring(L, (const char *)text->data, text->len);
	mp_buf_deinit(text);
	if (failed)
		return mp_lua_fail_no_memory(L);
	lua_pushliteral(L, MP_OPENMETRICS_TYPE);
	return 2;
}
