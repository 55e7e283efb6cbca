// SPDX-License-Identifier: Apache-2.0
// Looking at a pool: getStats, getMetrics, getConnectionDetails, hosts and policies.
#include <lauxlib.h>
#include <string.h>

#include "script/core.h"
#include "script/pool/pool.h"

#define SECOND UINT64_C(1000000000)

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

static void read_stats(const struct mp_lua_pool *pool, struct mp_session_stats *stats)
{
	if (is_live(pool))
		mp_session_stats(pool->engine.session, stats);
	else
		*stats = pool->last;
}

int mp_core_get_stats(lua_State *L)
{
	struct mp_session_stats stats;
	read_stats(mp_lua_check_pool(L, 1), &stats);
	lua_createtable(L, 0, 32);
#define X(type, field, name, meaning) number(L, name, (double)stats.field);
	MP_SESSION_GAUGES(X)
	MP_SESSION_COUNTERS(X)
#undef X
	return 1;
}

// Of the time since the call before, if that was at least a second ago; else the last known one.
static double request_rate(struct mp_lua_pool *pool, const struct mp_session_stats *stats)
{
	uint64_t now = mp_loop_clock_ns(pool->engine.loop);
	if (pool->rate_since_ns == 0)
		pool->rate_since_ns = pool->connected_ns;
	uint64_t passed = now - pool->rate_since_ns;
	if (passed >= SECOND || pool->rate_requests == 0) {
		pool->rate = passed > 0 ? (double)(stats->requests - pool->rate_requests) * 1e9 / (double)passed : 0;
		pool->rate_requests = stats->requests;
		pool->rate_since_ns = now;
	}
	return pool->rate;
}

// Connections that ended per minute.
static double turnover(const struct mp_lua_pool *pool)
{
	const struct mp_session *session = pool->engine.session;
	uint64_t ended = 0;
	for (size_t i = 0; i < mp_session_host_count(session); i++) {
		const struct mp_pool *of_host = &mp_session_host_at(session, i)->pool;
		ended += of_host->opened_total - of_host->ready_count;
	}
	double minutes = (double)(mp_loop_clock_ns(pool->engine.loop) - pool->connected_ns) / 60e9;
	return minutes > 0 ? (double)ended / (minutes < 1 ? 1 : minutes) : 0;
}

static double utilization(const struct mp_session *session, const struct mp_session_stats *stats)
{
	double room = 0;
	for (size_t i = 0; i < mp_session_host_count(session); i++) {
		const struct mp_pool *pool = &mp_session_host_at(session, i)->pool;
		room += (double)pool->ready_count * pool->settings->max_streams;
	}
	return room > 0 ? stats->requests_in_flight / room : 0;
}

int mp_core_get_metrics(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	struct mp_session_stats stats;
	read_stats(pool, &stats);
	lua_createtable(L, 0, 16);
	number(L, "hostsUp", stats.hosts_up);
	number(L, "hostsDown", stats.hosts_down);
	number(L, "totalConnections", stats.connections_total);
	number(L, "activeConnections", stats.connections_active);
	number(L, "idleConnections", stats.connections_idle);
	number(L, "errorRate", stats.requests > 0 ? (double)stats.errors / (double)stats.requests : 0);
	if (!is_live(pool))
		return 1;
	const struct mp_hist *latency = mp_session_latency_us(pool->engine.session);
	number(L, "requestsPerSecond", request_rate(pool, &stats));
	number(L, "averageLatency", mp_hist_mean(latency) / 1000);
	number(L, "latencyP50", (double)mp_hist_quantile(latency, 0.5) / 1000);
	number(L, "latencyP95", (double)mp_hist_quantile(latency, 0.95) / 1000);
	number(L, "latencyP99", (double)mp_hist_quantile(latency, 0.99) / 1000);
	number(L, "poolUtilization", utilization(pool->engine.session, &stats));
	number(L, "connectionTurnover", turnover(pool));
	const char *serving = mp_session_serving_dc(pool->engine.session);
	if (serving != NULL)
		text(L, "servingDataCenter", serving);
	return 1;
}

struct details {
	lua_State *L;
	struct mp_loop *loop;
	int count;
};

static double wall_ms(struct mp_loop *loop, uint64_t loop_ms)
{
	return (double)(mp_loop_wall_us(loop) / 1000) - (double)(mp_loop_now_ms(loop) - loop_ms);
}

static void push_connection(void *data, const struct mp_host *host, const struct mp_conn *conn)
{
	struct details *details = data;
	lua_State *L = details->L;
	lua_createtable(L, 0, 6);
	number(L, "id", (double)mp_conn_id(conn));
	text(L, "host", host != NULL ? host->addr_text : "");
	text(L, "state", mp_conn_state_name(mp_conn_state(conn)));
	number(L, "inFlightRequests", mp_conn_in_flight(conn));
	number(L, "createdAt", wall_ms(details->loop, mp_conn_created_ms(conn)));
	if (mp_conn_last_used_ms(conn) != 0) // it has carried something
		number(L, "lastUsedAt", wall_ms(details->loop, mp_conn_last_used_ms(conn)));
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

static const char *distance_name(enum mp_distance distance)
{
	switch (distance) {
	case MP_DISTANCE_LOCAL: return "local";
	case MP_DISTANCE_REMOTE: return "remote";
	default: return "ignored";
	}
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
		text(L, "distance", distance_name(host->distance));
		text(L, "status", mp_host_state_name(host->state));
		number(L, "weight", mp_session_view(pool->engine.session)->hosts[host->index].weight);
		if (host->breaker.ticket != 0)
			text(L, "breaker", mp_breaker_state_name(host->breaker.state));
		number(L, "connections", host->pool.ready_count);
		number(L, "inFlight", mp_pool_in_flight(&host->pool));
		number(L, "requests", (double)host->requests);
		number(L, "averageLatency", mp_hist_mean(&host->latency_us) / 1000);
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
		lua_createtable(L, 0, 13);
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
		number(L, "since", wall_ms(loop, info.since_ms));
		number(L, "ageMs", (double)(mp_loop_now_ms(loop) - info.since_ms));
		mp_lua_push_redacted(L, info.last_error, strlen(info.last_error));
		lua_setfield(L, -2, "lastError");
		lua_setfield(L, -2, mp_policy_kind_name((enum mp_policy_kind)kind));
	}
	return 1;
}
