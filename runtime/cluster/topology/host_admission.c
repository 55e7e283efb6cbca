// SPDX-License-Identifier: Apache-2.0
// Whether requests may go to a host: it is connected, nobody holds it, and its circuit breaker lets them in. What
// becomes of requests comes here as the verdicts of their attempts, what becomes of connections from the pool; a
// connection that is lost counts once, however many requests were on it.
//
// mp_host_show() is the one writer of what the view says about it, and of `admits`.
#include <stdio.h>

#include "cluster/topology/cluster.h"
#include "cluster/topology/host_internal.h"

extern inline uint32_t mp_host_enter(struct mp_host *host);
extern inline void mp_host_leave(struct mp_host *host, uint32_t ticket, enum mp_breaker_verdict verdict);

static uint64_t now_ms(const struct mp_host *host)
{
	return mp_loop_now_ms(host->cluster->loop);
}

void mp_host_show(struct mp_host *host)
{
	struct mp_host_view *view = mp_host_view_of(host);
	const struct mp_breaker *breaker = &host->breaker;
	bool is_connected = host->state == MP_HOST_UP;
	bool lets_in = mp_breaker_admits(breaker);
	bool was_shut = view->isShut;
	bool is_held = host->hold != MP_HOLD_NONE;
	view->isUp = is_connected && !is_held && lets_in;
	host->admits = view->isUp && host->share >= 1;
	view->isShut = is_connected && !is_held && !lets_in;
	view->breakerHalfOpen = is_connected && breaker->state == MP_BREAKER_HALF_OPEN;
	host->cluster->hosts->shut_count += (view->isShut ? 1u : 0u) - (was_shut ? 1u : 0u);
	host->cluster->events->on_view(host->cluster->owner);
}

// ---- held -------------------------------------------------------------------------------------------------

const char *mp_host_hold_name(enum mp_host_hold hold)
{
	return hold == MP_HOLD_PAUSED ? "paused" : hold == MP_HOLD_DRAINING ? "draining" : NULL;
}

const char *mp_host_status(const struct mp_host *host)
{
	const char *hold = mp_host_hold_name(host->hold);
	bool is_held = hold != NULL && (host->state == MP_HOST_UP || host->hold == MP_HOLD_DRAINING);
	return is_held ? hold : mp_host_state_name(host->state);
}

void mp_host_set_hold(struct mp_host *host, enum mp_host_hold hold)
{
	const struct mp_cluster *cluster = host->cluster;
	enum mp_host_hold before = host->hold;
	if (before == hold || host->state == MP_HOST_REMOVED)
		return;
	const char *name = mp_host_hold_name(hold);
	mp_log_write(cluster->log, MP_LOG_INFO, "%s is %s", host->addr_text, name != NULL ? name : "resumed");
	host->hold = hold;
	if (hold == MP_HOLD_DRAINING)
		mp_pool_close(&host->pool, true);
	else if (before == MP_HOLD_DRAINING && cluster->hosts->opened)
		mp_host_open(host);
	mp_host_show(host);
	cluster->events->on_room(cluster->owner); // those that wait look for another place, or find one here
}

// On probation it gets a share of what plans give it; the rest goes on to their next host, if there is one.
void mp_host_set_share(struct mp_host *host, double share)
{
	host->share = share;
	mp_host_show(host);
}

MP_COLD bool mp_host_takes_a_share(const struct mp_host *host)
{
	return mp_host_view_of(host)->isUp && mp_rand_unit(mp_loop_rand(host->cluster->loop)) < host->share;
}

void mp_host_drained(struct mp_host *host)
{
	if (host->hold == MP_HOLD_DRAINING && host->state != MP_HOST_REMOVED)
		mp_host_set_state(host, MP_HOST_DOWN, "it was drained");
}

// ---- the breaker ------------------------------------------------------------------------------------------

static void wait_for_recovery(struct mp_host *host)
{
	uint64_t due_ms = host->breaker.since_ms + host->cluster->config->breaker.recovery_ms;
	uint64_t now = now_ms(host);
	mp_timer_stop(&host->recovery);
	if (mp_timer_start_ms(&host->recovery, due_ms > now ? due_ms - now : 0) != 0)
		mp_log_write(host->cluster->log, MP_LOG_WARN, "out of memory for a timer of %s: its breaker is late",
		             host->addr_text);
}

// Its breaker is in another state.
static void tell(struct mp_host *host, const char *reason)
{
	static const enum mp_host_news news[] = {
		[MP_BREAKER_CLOSED] = MP_NEWS_BREAKER_CLOSE,
		[MP_BREAKER_OPEN] = MP_NEWS_BREAKER_OPEN,
		[MP_BREAKER_HALF_OPEN] = MP_NEWS_BREAKER_HALF_OPEN,
	};
	const struct mp_cluster *cluster = host->cluster;
	enum mp_breaker_state state = host->breaker.state;
	if (state == MP_BREAKER_OPEN)
		wait_for_recovery(host);
	else
		mp_timer_stop(&host->recovery);
	mp_host_show(host);
	mp_log_write(cluster->log, state == MP_BREAKER_OPEN ? MP_LOG_WARN : MP_LOG_INFO,
	             "%s: its circuit breaker is %s: %s", host->addr_text, mp_breaker_state_name(state), reason);
	cluster->events->on_host(cluster->owner, news[state], host, reason);
	if (mp_host_view_of(host)->isUp)
		cluster->events->on_room(cluster->owner);
}

uint32_t mp_host_try(struct mp_host *host)
{
	bool changed;
	uint32_t ticket = mp_breaker_enter(&host->breaker, now_ms(host), &changed);
	if (changed)
		tell(host, "there is no other host to ask");
	else if (mp_host_view_of(host)->isUp != mp_breaker_admits(&host->breaker))
		mp_host_show(host);
	return ticket;
}

static void failed(struct mp_host *host, bool was_closed, enum mp_breaker_verdict verdict)
{
	char reason[96];
	const char *what = mp_breaker_verdict_text(verdict);
	if (was_closed)
		snprintf(reason, sizeof(reason), "%u failures in a row, the last: %s",
		         host->cluster->config->breaker.threshold, what);
	else
		snprintf(reason, sizeof(reason), "it does not work yet: %s", what);
	tell(host, reason);
}

void mp_host_judge(struct mp_host *host, uint32_t ticket, enum mp_breaker_verdict verdict)
{
	bool was_closed = host->breaker.state == MP_BREAKER_CLOSED;
	bool changed = mp_breaker_leave(&host->breaker, ticket, verdict, now_ms(host));
	if (changed && host->breaker.state == MP_BREAKER_OPEN)
		failed(host, was_closed, verdict);
	else if (changed)
		tell(host, "it works again");
	else if (!was_closed && mp_host_view_of(host)->isUp != mp_breaker_admits(&host->breaker))
		mp_host_show(host);
}

void mp_host_lost_connection(struct mp_host *host)
{
	bool was_closed = host->breaker.state == MP_BREAKER_CLOSED;
	if (mp_breaker_fail(&host->breaker, now_ms(host)))
		failed(host, was_closed, MP_VERDICT_LOST);
}

// What it was opened for may have gone with the node that was restarted.
void mp_host_connected(struct mp_host *host)
{
	if (mp_breaker_recover(&host->breaker, now_ms(host), true))
		tell(host, "the host is back");
}

static void on_recovery(void *data)
{
	mp_host_look_at_breaker(data);
}

void mp_host_look_at_breaker(struct mp_host *host)
{
	if (mp_breaker_recover(&host->breaker, now_ms(host), false))
		tell(host, "its time is over");
}

// ---- life -------------------------------------------------------------------------------------------------

void mp_host_init_admission(struct mp_host *host)
{
	host->share = 1;
	mp_timer_init(&host->recovery, host->cluster->loop, on_recovery, host);
	mp_breaker_init(&host->breaker, &host->cluster->config->breaker, now_ms(host));
}

void mp_host_end_admission(struct mp_host *host)
{
	mp_timer_stop(&host->recovery);
}

void mp_host_follow_rules(struct mp_host *host)
{
	if (mp_breaker_follow(&host->breaker, now_ms(host)))
		tell(host, "its rules have changed");
	else if (host->breaker.state == MP_BREAKER_OPEN)
		wait_for_recovery(host);
	mp_host_show(host);
}
