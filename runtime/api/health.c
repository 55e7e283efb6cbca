// SPDX-License-Identifier: Apache-2.0
// The C API: how well a session is, and why it is slow. What is measured becomes words in lua/moonpool/analysis.lua,
// as for a pool of Lua's, in the state that keeps the session's configuration; they are copied into a report, of which
// there is one of each kind at a time.
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "api/internal.h"
#include "base/arena.h"
#include "base/mem.h"
#include "script/pool/seen.h"

struct mp_api_report {
	struct mp_arena arena;
	union {
		struct moonpool_health health;
		struct moonpool_performance performance;
	} shown;
};

struct asking {
	struct mp_api_session *session;
	struct mp_api_report *report;
};

// ---- out of Lua -------------------------------------------------------------------------------------------
// The table at hand is on top.

static void *take(lua_State *L, struct mp_api_report *report, size_t size)
{
	void *room = mp_arena_alloc(&report->arena, size > 0 ? size : 1);
	return room != NULL ? room : (luaL_error(L, "not enough memory"), NULL);
}

static const char *text(lua_State *L, struct mp_api_report *report, const char *field)
{
	lua_getfield(L, -1, field);
	struct mp_str from = mp_str_of(lua_isstring(L, -1) ? lua_tostring(L, -1) : "");
	struct mp_str copy = mp_arena_str(&report->arena, from);
	lua_pop(L, 1);
	return copy.data != NULL ? copy.data : (luaL_error(L, "not enough memory"), NULL);
}

static double number(lua_State *L, const char *field)
{
	lua_getfield(L, -1, field);
	double value = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return value;
}

static struct moonpool_finding *take_findings(lua_State *L, struct mp_api_report *report, size_t *count)
{
	*count = lua_objlen(L, -1);
	struct moonpool_finding *list = take(L, report, *count * sizeof(*list));
	for (size_t i = 0; i < *count; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		list[i] = (struct moonpool_finding){
			.kind = text(L, report, "kind"),
			.host = text(L, report, "host"),
			.measurement = text(L, report, "measurement"),
			.measured = number(L, "measured"),
			.threshold = number(L, "threshold"),
			.key = text(L, report, "key"),
			.message = text(L, report, "message"),
			.advice = text(L, report, "advice"),
		};
		lua_pop(L, 1);
	}
	return list;
}

static void take_probe(lua_State *L, struct mp_api_report *report, struct moonpool_host_health *host)
{
	host->probe_error = "";
	lua_getfield(L, -1, "probe");
	if (lua_istable(L, -1)) {
		host->probes = (uint64_t)number(L, "sent");
		host->probes_failed = (uint64_t)number(L, "failed");
		host->probe_failures = (uint32_t)number(L, "failures");
		host->probe_ms = number(L, "latency");
		host->probe_age_ms = number(L, "age");
		host->probe_error = text(L, report, "error");
	}
	lua_pop(L, 1);
}

static struct moonpool_host_health *take_hosts(lua_State *L, struct mp_api_report *report, size_t *count)
{
	*count = lua_objlen(L, -1);
	struct moonpool_host_health *list = take(L, report, *count * sizeof(*list));
	for (size_t i = 0; i < *count; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		list[i] = (struct moonpool_host_health){
			.address = text(L, report, "address"),
			.datacenter = text(L, report, "datacenter"),
			.status = text(L, report, "status"),
			.breaker = text(L, report, "breaker"),
			.connections = (uint32_t)number(L, "connections"),
			.latency_mean_ms = number(L, "averageLatency"),
			.error_rate = number(L, "errorRate"),
		};
		take_probe(L, report, &list[i]);
		lua_pop(L, 1);
	}
	return list;
}

// ---- reports ----------------------------------------------------------------------------------------------

// The function of analysis.lua with what it wants to see.
static void call_analysis(lua_State *L, const char *name, const struct mp_api_session *session)
{
	const struct mp_session *of = session->engine.session;
	lua_getglobal(L, "require");
	lua_pushliteral(L, "moonpool.analysis");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, name);
	lua_createtable(L, 0, 2);
	lua_createtable(L, 0, 24);
	mp_lua_add_window(L, of);
	lua_setfield(L, -2, "metrics");
	mp_lua_push_analysis(L, of, NULL);
	lua_setfield(L, -2, "more");
	lua_call(L, 1, 2);
}

static int health_protected(lua_State *L)
{
	const struct asking *asking = lua_touserdata(L, 1);
	struct mp_api_report *report = asking->report;
	struct moonpool_health *health = &report->shown.health;
	call_analysis(L, "health_of", asking->session); // what it tells, findings
	health->findings = take_findings(L, report, &health->finding_count);
	lua_pop(L, 1);
	health->overall = text(L, report, "overall");
	lua_getfield(L, -1, "hosts");
	health->hosts = take_hosts(L, report, &health->host_count);
	return 0;
}

static int performance_protected(lua_State *L)
{
	const struct asking *asking = lua_touserdata(L, 1);
	struct mp_api_report *report = asking->report;
	struct moonpool_performance *performance = &report->shown.performance;
	call_analysis(L, "performance_of", asking->session);
	lua_pop(L, 1);
	performance->connect_mean_ms = number(L, "avgConnectionTime");
	performance->latency_mean_ms = number(L, "avgRequestTime");
	performance->efficiency = number(L, "poolEfficiency");
	lua_getfield(L, -1, "bottlenecks");
	performance->bottlenecks = take_findings(L, report, &performance->bottleneck_count);
	return 0;
}

static void drop(struct mp_api_report **report)
{
	if (*report != NULL)
		mp_arena_deinit(&(*report)->arena);
	mp_free(*report);
	*report = NULL;
}

// A new report in the place of the one before; NULL: why was noted.
static struct mp_api_report *ask(struct mp_api_session *session, struct mp_api_report **report,
                                 lua_CFunction protected, const char *function)
{
	drop(report);
	*report = mp_calloc(1, sizeof(**report));
	if (*report == NULL) {
		mp_api_refuse(function, MOONPOOL_NO_MEMORY, NULL);
		return NULL;
	}
	mp_arena_init(&(*report)->arena);
	lua_State *L = session->configuration;
	uint64_t refused = mp_mem_stats().refused;
	struct asking asking = {session, *report};
	lua_pushcfunction(L, protected);
	lua_pushlightuserdata(L, &asking);
	int rc = lua_pcall(L, 1, 0, 0);
	if (rc != 0) {
		bool is_starved = rc == LUA_ERRMEM || mp_mem_stats().refused != refused;
		mp_api_refuse_text(function, is_starved ? MOONPOOL_NO_MEMORY : MOONPOOL_SCRIPT_ERROR,
		                   lua_isstring(L, -1) ? lua_tostring(L, -1) : "the analysis failed");
		drop(report);
	}
	lua_settop(L, 0);
	return *report;
}

const struct moonpool_health *moonpool_session_health(struct moonpool_session *handle)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return NULL;
	const struct mp_api_report *report = ask(session, &session->shown_health, health_protected, __func__);
	return report != NULL ? &report->shown.health : NULL;
}

const struct moonpool_performance *moonpool_session_performance(struct moonpool_session *handle)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return NULL;
	const struct mp_api_report *report =
		ask(session, &session->shown_performance, performance_protected, __func__);
	return report != NULL ? &report->shown.performance : NULL;
}

void mp_api_reports_drop(struct mp_api_session *session)
{
	drop(&session->shown_health);
	drop(&session->shown_performance);
}
