// SPDX-License-Identifier: Apache-2.0
// The C API: what a session counts and measures, and what its policies are.
#include <stdio.h>
#include <string.h>

#include "api/internal.h"
#include "base/text/redact.h"
#include "cluster/openmetrics.h"

static const char no_place[] = "the place for the figures is NULL";

static void fill(const struct mp_engine *engine, struct moonpool_stats *stats)
{
	struct mp_session_stats from;
	mp_session_stats(engine->session, &from);
	struct mp_figures figures;
	mp_session_figures(engine->session, &figures);
	struct mp_policy_info policy = {0};
	(void)mp_policies_info(engine->policies, MP_POLICY_BALANCE, &policy); // false: C answers alone
	*stats = (struct moonpool_stats){
		.connections_total = from.connections_total,
		.connections_active = from.connections_active,
		.connections_idle = from.connections_idle,
		.requests_in_flight = from.requests_in_flight,
		.requests_queued = from.requests_queued,
		.hosts_total = from.hosts_total,
		.hosts_up = from.hosts_up,
		.hosts_down = from.hosts_down,
		.connection_errors = from.connection_errors,
		.requests = from.requests,
		.errors = from.errors,
		.attempts = from.attempts,
		.retries = from.retries,
		.timeouts = from.timeouts,
		.latency_p50_us = (uint64_t)(figures.p50_ms * 1000),
		.latency_p99_us = (uint64_t)(figures.p99_ms * 1000),
		.policy_calls = policy.calls,
		.policy_fallbacks = from.policy_fallbacks,
		.policy_reloads = policy.reloads,
	};
}

int moonpool_session_stats(const struct moonpool_session *handle, struct moonpool_stats *stats)
{
	if (stats == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, no_place);
	*stats = (struct moonpool_stats){0};
	const struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	fill(&session->engine, stats);
	return 0;
}

int moonpool_session_figure(const struct moonpool_session *handle, const char *name, uint64_t *value)
{
	const struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	if (name == NULL || value == NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "the name or the place for the figure is NULL");
	struct mp_session_stats from;
	mp_session_stats(session->engine.session, &from);
#define X(type, field, known, meaning) \
	if (strcmp(name, known) == 0) {    \
		*value = from.field;           \
		return 0;                      \
	}
	MP_SESSION_GAUGES(X)
	MP_SESSION_SUMS(X)
	MP_SESSION_COUNTERS(X)
#undef X
	return mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "there is no figure of that name");
}

// ---- the window -------------------------------------------------------------------------------------------

static void measure(const struct mp_session *session, struct moonpool_metrics *metrics)
{
	struct mp_figures figures;
	struct mp_pool_sums sums = {0};
	for (size_t i = 0; i < mp_session_host_count(session); i++) {
		const struct mp_host *host = mp_session_host_at(session, i);
		mp_session_host_figures(session, host, &figures);
		mp_pool_sums_add(&sums, host, &figures);
	}
	mp_session_figures(session, &figures);
	const char *serving = mp_session_serving_dc(session);
	*metrics = (struct moonpool_metrics){
		.window_ms = figures.seconds * 1000,
		.requests = figures.ended,
		.errors = figures.gained[MP_GAIN_ERRORS],
		.timeouts = figures.gained[MP_GAIN_TIMEOUTS],
		.retries = figures.gained[MP_GAIN_RETRIES],
		.retries_refused = figures.gained[MP_GAIN_RETRIES_REFUSED],
		.queued = figures.gained[MP_GAIN_QUEUED],
		.queue_refused = figures.gained[MP_GAIN_BUSY],
		.requests_per_second = figures.per_second,
		.error_rate = figures.error_rate,
		.latency_mean_ms = figures.mean_ms,
		.latency_p50_ms = figures.p50_ms,
		.latency_p95_ms = figures.p95_ms,
		.latency_p99_ms = figures.p99_ms,
		.latency_p999_ms = figures.p999_ms,
		.latency_max_ms = figures.max_ms,
		.serving_datacenter = serving != NULL ? serving : "",
		.connection_turnover = mp_pool_sums_turnover(&sums, figures.seconds),
		.pool_utilization = mp_pool_sums_utilization(&sums),
	};
}

const struct moonpool_metrics *moonpool_session_metrics(struct moonpool_session *handle)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return NULL;
	measure(session->engine.session, &session->shown_metrics);
	return &session->shown_metrics;
}

int moonpool_session_openmetrics(struct moonpool_session *handle, char *text, size_t size)
{
	const struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	struct mp_openmetrics_pool pool = {session->engine.session, 1};
	struct mp_buf buf;
	mp_buf_init(&buf);
	mp_openmetrics_write(&buf, &pool, 1);
	int rc = mp_api_give_text(&buf, text, size, __func__);
	mp_buf_deinit(&buf);
	return rc;
}

static void add_decision(void *data, const char *line, size_t len)
{
	mp_buf_bytes(data, line, len);
	mp_buf_u8(data, '\n');
}

int moonpool_session_decisions(const struct moonpool_session *handle, uint32_t count, char *text, size_t size)
{
	const struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	if (!mp_session_has_decisions(session->engine.session))
		return mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "the configuration has no decisionLog");
	struct mp_buf buf, line;
	mp_buf_init(&buf);
	mp_buf_init(&line);
	mp_session_each_decision(session->engine.session, count, &line, add_decision, &buf);
	int rc = mp_api_give_text(&buf, text, size, __func__);
	mp_buf_deinit(&line);
	mp_buf_deinit(&buf);
	return rc;
}

// ---- policies ---------------------------------------------------------------------------------------------

bool mp_api_is_policy_kind(enum moonpool_policy_kind kind, const char *function)
{
	if ((int)kind >= MOONPOOL_POLICY_BALANCE && (int)kind <= MOONPOOL_POLICY_SHADOW)
		return true;
	mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "a value of enum moonpool_policy_kind expected");
	return false;
}

const struct moonpool_policy *moonpool_session_policy(struct moonpool_session *handle,
                                                      enum moonpool_policy_kind kind)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	struct mp_policy_info info;
	if (session == NULL || !mp_api_is_policy_kind(kind, __func__))
		return NULL;
	if (!mp_policies_info(session->engine.policies, (enum mp_policy_kind)kind, &info)) {
		mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "no policy of this kind is in force");
		return NULL;
	}
	struct mp_loop *loop = session->engine.loop;
	snprintf(session->shown_error, sizeof(session->shown_error), "%s", info.last_error);
	mp_redact_line(session->shown_error);
	session->shown_policy = (struct moonpool_policy){
		.kind = mp_policy_kind_name((enum mp_policy_kind)kind),
		.name = info.name,
		.file = info.file,
		.child = info.child,
		.last_error = session->shown_error,
		.generation = info.generation,
		.calls = info.calls,
		.errors = info.errors,
		.reloads = info.reloads,
		.refused = info.refused,
		.ns_per_call = info.ns_per_call,
		.is_suspended = info.is_suspended,
		.fuel_per_call = info.fuel_per_call,
		.cost_class = info.is_slow ? "slow" : "fast",
		.bytes_per_call = info.bytes_per_call,
		.since_ms = (uint64_t)mp_loop_wall_ms_of(loop, info.since_ms),
		.age_ms = mp_loop_now_ms(loop) - info.since_ms,
	};
	return &session->shown_policy;
}
