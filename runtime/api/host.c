// SPDX-License-Identifier: Apache-2.0
// The C API: the hosts of a session, and what a program does with single ones.
#include <string.h>

#include "api/wait.h"
#include "cluster/plan/marks.h"
#include "cluster/plan/view.h"
#include "cluster/steer.h"

// ---- looking ----------------------------------------------------------------------------------------------

uint32_t moonpool_session_hosts(const struct moonpool_session *handle)
{
	const struct mp_api_session *session = mp_api_session_of(handle, __func__);
	return session != NULL ? (uint32_t)mp_session_host_count(session->engine.session) : 0;
}

static size_t show_tags(const struct mp_view *view, uint16_t slot, const char *tags[])
{
	size_t count = 0;
	for (int bit = 0; bit < MP_MARKS_MAX; bit++) {
		const char *tag = mp_view_tag_at(view, slot, bit);
		if (tag != NULL)
			tags[count++] = tag;
	}
	return count;
}

static void show(struct mp_session *session, const struct mp_host *host, const char *tags[],
                 struct moonpool_host *shown)
{
	struct mp_figures figures;
	mp_session_host_figures(session, host, &figures);
	*shown = (struct moonpool_host){
		.address = host->addr_text,
		.datacenter = mp_api_shown(host->dc),
		.rack = mp_api_shown(host->rack),
		.release_version = mp_api_shown(host->release_version),
		.status = mp_host_status(host),
		.distance = mp_distance_name(host->distance),
		.breaker = mp_breaker_state_name(host->breaker.state),
		.reason = host->down_err != 0 ? host->down_why : "",
		.weight = mp_session_view(session)->hosts[host->index].weight,
		.share = host->share,
		.connections = host->pool.ready_count,
		.wanted_connections = host->pool.target,
		.most_connections = host->distance != MP_DISTANCE_IGNORED ? host->pool.limits.max : 0,
		.in_flight = mp_pool_in_flight(&host->pool),
		.attempts = host->requests,
		.errors = host->errors,
		.timeouts = host->timeouts,
		.latency_mean_ms = figures.mean_ms,
		.latency_p50_ms = figures.p50_ms,
		.latency_p99_ms = figures.p99_ms,
		.tags = tags,
		.tag_count = show_tags(mp_session_view(session), host->index, tags),
		.requests_per_second = figures.per_second,
		.error_rate = figures.error_rate,
		.latency_p95_ms = figures.p95_ms,
		.latency_p999_ms = figures.p999_ms,
		.latency_max_ms = figures.max_ms,
		.connections_opened = figures.gained[MP_HOST_OPENED],
		.connections_closed = figures.gained[MP_HOST_ENDED],
		.connects_failed = figures.gained[MP_HOST_FAILED],
		.utilization = figures.utilization,
		.crowded = figures.crowded,
		.held = mp_api_shown(mp_host_hold_name(host->hold)),
	};
	memcpy(shown->host_id, host->host_id.bytes, sizeof(shown->host_id));
}

const struct moonpool_host *moonpool_session_host(struct moonpool_session *handle, uint32_t i)
{
	struct mp_api_session *session = mp_api_session_of(handle, __func__);
	if (session == NULL)
		return NULL;
	if (i >= mp_session_host_count(session->engine.session)) {
		mp_api_refuse(__func__, MOONPOOL_NOT_FOUND, "the session knows fewer hosts");
		return NULL;
	}
	show(session->engine.session, mp_session_host_at(session->engine.session, i), session->shown_tags,
	     &session->shown_host);
	return &session->shown_host;
}

// ---- steering ---------------------------------------------------------------------------------------------

const struct mp_host *mp_api_host(struct moonpool_session *handle, const char *address,
                                  struct mp_api_session **session, const char *function)
{
	*session = mp_api_open_session(handle, function);
	if (*session == NULL)
		return NULL;
	if (address == NULL) {
		mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the address is NULL");
		return NULL;
	}
	const struct mp_host *host = mp_session_host_find((*session)->engine.session, address);
	if (host == NULL)
		mp_api_refuse(function, MOONPOOL_NOT_FOUND, "the session knows no such host");
	return host;
}

static const struct mp_host *subject(struct moonpool_session *handle, const char *address,
                                     struct mp_session **session, const char *function)
{
	struct mp_api_session *of;
	const struct mp_host *host = mp_api_host(handle, address, &of, function);
	if (host != NULL)
		*session = of->engine.session;
	return host;
}

int moonpool_host_set_weight(struct moonpool_session *handle, const char *address, double weight)
{
	struct mp_session *session;
	const struct mp_host *host = subject(handle, address, &session, __func__);
	if (host == NULL)
		return moonpool_last_code();
	if (!(weight >= 0 && weight <= 1e6))
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "a weight of 0 to 1000000 expected");
	mp_session_weigh(session, host->index, weight);
	return 0;
}

int moonpool_host_set_tags(struct moonpool_session *handle, const char *address, const char *const *tags,
                           size_t count)
{
	struct mp_session *session;
	const struct mp_host *host = subject(handle, address, &session, __func__);
	if (host == NULL)
		return moonpool_last_code();
	if (count > MP_MARKS_MAX || (tags == NULL && count > 0))
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "at most 32 tags expected, not NULL");
	for (size_t i = 0; i < count; i++)
		if (tags[i] == NULL || tags[i][0] == '\0')
			return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "a tag is NULL or empty");
	int rc = mp_view_set_tags(mp_session_view(session), host->index, tags, count);
	return rc == 0 ? 0 : mp_api_refuse(__func__, rc, "no room for more different tags and lists of hosts");
}

static int hold(struct moonpool_session *handle, const char *address, enum mp_host_hold how,
                const char *function)
{
	struct mp_session *session;
	const struct mp_host *host = subject(handle, address, &session, function);
	if (host == NULL)
		return moonpool_last_code();
	mp_session_hold(session, host->index, how);
	return 0;
}

int moonpool_host_pause(struct moonpool_session *session, const char *host)
{
	return hold(session, host, MP_HOLD_PAUSED, __func__);
}

int moonpool_host_drain(struct moonpool_session *session, const char *host)
{
	return hold(session, host, MP_HOLD_DRAINING, __func__);
}

int moonpool_host_kill(struct moonpool_session *handle, const char *address)
{
	struct mp_session *session;
	const struct mp_host *host = subject(handle, address, &session, __func__);
	if (host == NULL)
		return moonpool_last_code();
	mp_session_sever(session, host->index);
	return 0;
}

int moonpool_host_resume(struct moonpool_session *handle, const char *address, double share)
{
	struct mp_session *session;
	const struct mp_host *host = subject(handle, address, &session, __func__);
	if (host == NULL)
		return moonpool_last_code();
	if (!(share >= 0 && share <= 1))
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "a share of 0 to 1 expected");
	mp_session_hold(session, host->index, MP_HOLD_NONE);
	mp_session_share(session, host->index, share);
	return 0;
}

int moonpool_host_reconnect(struct moonpool_session *handle, const char *address)
{
	struct mp_session *session;
	const struct mp_host *host = subject(handle, address, &session, __func__);
	if (host == NULL)
		return moonpool_last_code();
	mp_session_renew(session, host->index);
	return 0;
}

int moonpool_host_resize(struct moonpool_session *handle, const char *address, uint32_t core, uint32_t most)
{
	struct mp_session *session;
	const struct mp_host *host = subject(handle, address, &session, __func__);
	if (host == NULL)
		return moonpool_last_code();
	bool is_reset = core == 0 && most == 0;
	if (!is_reset && (core == 0 || core > most || most > MP_API_CONNECTIONS_MOST))
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT,
		                      "1 <= core <= most <= 4096 connections expected, or 0 and 0");
	mp_session_resize(session, host->index, core, most);
	return 0;
}

int moonpool_session_serve_from(struct moonpool_session *handle, const char *datacenter)
{
	struct mp_api_session *session = mp_api_open_session(handle, __func__);
	if (session == NULL)
		return moonpool_last_code();
	struct mp_error error;
	int rc = mp_session_serve_from(session->engine.session, mp_str_of(mp_api_shown(datacenter)), &error);
	return rc == 0 ? 0 : mp_api_not_begun(&error, __func__);
}
