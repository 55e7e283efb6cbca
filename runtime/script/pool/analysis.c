// SPDX-License-Identifier: Apache-2.0
// What lua/moonpool/analysis.lua needs to know beside getMetrics(): of hosts, connections, keys and handlers.
#include <lauxlib.h>
#include <stdio.h>

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

struct opening {
	double sum_us;
	uint32_t count;
};

static void add_opening(void *data, const struct mp_host *host, const struct mp_conn *conn)
{
	(void)host;
	struct opening *opening = data;
	uint32_t us = mp_conn_open_us(conn);
	opening->sum_us += us;
	opening->count += us > 0 ? 1 : 0;
}

static void push_probe(lua_State *L, const struct mp_probe *probe, uint64_t now_ms)
{
	lua_createtable(L, 0, 5);
	number(L, "sent", (double)probe->sent);
	number(L, "failed", (double)probe->failed);
	number(L, "failures", probe->failures);
	number(L, "latency", (double)probe->took_us / 1000);
	text(L, "error", probe->failures > 0 ? probe->why : "");
	number(L, "age", (double)(now_ms - probe->at_ms));
}

static void push_host(lua_State *L, const struct mp_host *host, uint64_t now_ms)
{
	lua_createtable(L, 0, 8);
	number(L, "since", (double)(now_ms - host->state_since_ms));
	number(L, "growAt", host->pool.limits.grow_at);
	number(L, "streamIds", host->pool.settings->max_streams);
	text(L, "why", host->state == MP_HOST_DOWN ? host->down_why : "");
	if (host->breaker.ticket != 0)
		text(L, "breaker", mp_breaker_state_name(host->breaker.state));
	if (host->probe.at_ms != 0) {
		push_probe(L, &host->probe, now_ms);
		lua_setfield(L, -2, "probe");
	}
}

static void push_hosts(lua_State *L, const struct mp_session *session, uint64_t now_ms)
{
	size_t count = mp_session_host_count(session);
	lua_createtable(L, 0, (int)count);
	for (size_t i = 0; i < count; i++) {
		const struct mp_host *host = mp_session_host_at(session, i);
		push_host(L, host, now_ms);
		lua_setfield(L, -2, host->addr_text);
	}
	lua_setfield(L, -2, "hosts");
}

static void push_hottest(lua_State *L, const struct mp_session *session)
{
	int64_t token = 0;
	uint64_t looked_at = 0;
	char digits[24];
	double share = mp_session_hottest(session, &token, &looked_at);
	snprintf(digits, sizeof(digits), "%lld", (long long)token);
	lua_createtable(L, 0, 3);
	text(L, "token", digits);
	number(L, "share", share);
	number(L, "lookedAt", (double)looked_at);
	lua_setfield(L, -2, "hottest");
}

static void push_blocks(lua_State *L, const struct mp_blocks *blocks, uint64_t now_ms)
{
	int count = 0;
	lua_newtable(L);
	for (size_t i = 0; i < MP_BLOCKS; i++) {
		const struct mp_block *block = &blocks->list[i];
		if (block->times == 0)
			continue;
		lua_createtable(L, 0, 4);
		text(L, "what", block->what);
		number(L, "longest", block->longest_ms);
		number(L, "times", block->times);
		number(L, "age", now_ms > block->at_ms ? (double)(now_ms - block->at_ms) : 0);
		lua_rawseti(L, -2, ++count);
	}
	lua_setfield(L, -2, "blocks");
}

void mp_lua_push_analysis(lua_State *L, const struct mp_session *session, const struct mp_blocks *blocks)
{
	static const struct mp_blocks none;
	uint64_t now_ms = mp_loop_now_ms(mp_session_loop(session));
	struct opening opening = {0};
	mp_session_each_conn(session, add_opening, &opening);
	lua_createtable(L, 0, 8);
	number(L, "connectTime", opening.count > 0 ? opening.sum_us / opening.count / 1000 : 0);
	text(L, "home", mp_session_local_dc(session));
	text(L, "serving", mp_session_serving_dc(session));
	push_hosts(L, session, now_ms);
	push_hottest(L, session);
	push_blocks(L, blocks != NULL ? blocks : &none, now_ms);
}

// getAnalysis(pool): the table, or nil when the pool is closed. Times are milliseconds.
int mp_core_get_analysis(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_check_pool(L, 1);
	if (pool->state == MP_POOL_CLOSED)
		return 0;
	mp_lua_push_analysis(L, pool->engine.session, mp_runtime_blocks(pool->runtime));
	return 1;
}
