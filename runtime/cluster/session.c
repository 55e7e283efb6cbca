// SPDX-License-Identifier: Apache-2.0
// The life of a session, and its chores: whatever must not happen on the stack of another callback (events, ended
// requests, freed hosts, the end of connect and close) is done by one task per turn.
//
// Invariant: nothing is told to the user from inside a function that the user called.
#include "cluster/session.h"

#include <stdio.h>

#include "base/mem.h"
#include "cluster/session_internal.h"
#include "cluster/steer.h"
#include "cluster/topology/host_internal.h"
#include "cluster/topology/remotes.h"
#include "cluster/warmup.h"

#define TICK_MS  1000u
#define TAGS_MAX 65535u

static void on_chores(void *data);
static void on_tick(void *data);
static void on_drained(void *data);

static void add_waiter(struct mp_session *session, struct mp_waiters *waiters, struct mp_waiter waiter)
{
	if (mp_waiters_add(waiters, waiter) != 0)
		mp_log_write(&session->log, MP_LOG_ERROR, "out of memory: a callback of connect or close is lost");
}

// ---- life -------------------------------------------------------------------------------------------------

// Datacentres with settings of their own have a place in the order before any host of them is seen.
static int init_regions(struct mp_session *session)
{
	for (size_t i = 0; i < session->config.region_count; i++) {
		const struct mp_region *region = &session->config.regions[i];
		int dc = mp_view_dc_id(&session->view, region->dc);
		if (dc < 0)
			return dc;
		mp_view_set_priority(&session->view, (uint16_t)dc, region->priority);
	}
	return 0;
}

static int init_parts(struct mp_session *session)
{
	int rc = mp_view_init(&session->view);
	if (rc == 0)
		rc = init_regions(session);
	if (rc == 0)
		rc = mp_hosts_init(&session->hosts, &session->cluster);
	if (rc == 0)
		rc = mp_prepares_init(&session->prepares, session);
	if (rc == 0)
		rc = mp_control_init(&session->control, &session->cluster);
	if (rc == 0 && session->config.local_dc != NULL) {
		session->cluster.local_dc = mp_strdup(session->config.local_dc);
		rc = session->cluster.local_dc == NULL ? MP_ENOMEM : 0;
	}
	if (rc == 0 && session->config.keyspace != NULL) {
		session->keyspace_id = mp_keyspaces_id(&session->keyspaces, mp_str_of(session->config.keyspace));
		rc = session->keyspace_id == 0 ? MP_ENOMEM : 0;
	}
	return rc;
}

static void init_simple_parts(struct mp_session *session)
{
	struct mp_loop *loop = session->loop;
	session->log = *mp_loop_log(loop);
	mp_session_follow_logging(session);
	session->request_timeout_ms = session->config.request_timeout_ms;
	session->attempt_timeout_ms = session->config.attempt_timeout_ms;
	mp_loop_busy_poll(loop, &session->busy_poll, session->config.busy_poll_us);
	mp_task_init(&session->chores, on_chores, session);
	mp_timer_init(&session->tick, loop, on_tick, session);
	mp_start_init(&session->start, session);
	mp_drain_init(&session->drain, loop, on_drained, session);
	mp_names_init(&session->tags, TAGS_MAX);
	mp_events_init(&session->events);
	mp_list_init(&session->warmups);
	mp_list_init(&session->errands);
	mp_session_init_cluster(session);
	mp_keyspaces_init(&session->keyspaces, &session->cluster);
	mp_topology_init(&session->topology, &session->cluster);
	mp_serving_init(&session->serving, session);
	mp_requests_init(session);
	mp_metrics_init(&session->metrics, session);
	mp_health_init(&session->health, session);
	mp_decisions_init(&session->decisions, session);
	mp_shadow_init(&session->shadow, session);
	mp_session_make_settings(session);
}

static void free_parts(struct mp_session *session)
{
	mp_shadow_deinit(&session->shadow);
	mp_decisions_deinit(&session->decisions);
	mp_control_deinit(&session->control);
	mp_prepares_deinit(&session->prepares);
	mp_requests_deinit(session);
	mp_metrics_deinit(&session->metrics);
	mp_keyspaces_deinit(&session->keyspaces);
	mp_hosts_deinit(&session->hosts);
	mp_serving_deinit(&session->serving);
	mp_view_deinit(&session->view);
	mp_names_deinit(&session->tags);
	mp_loop_busy_poll(session->loop, &session->busy_poll, 0);
	mp_session_config_free(&session->config);
	mp_free(session->cluster.name);
	mp_free(session->cluster.local_dc);
	mp_waiters_deinit(&session->connecting);
	mp_waiters_deinit(&session->closing);
	mp_free(session);
}

struct mp_session *mp_session_new(struct mp_loop *loop, const struct mp_session_config *config,
                                  const struct mp_policy_calls *policies)
{
	struct mp_session *session = mp_calloc(1, sizeof(*session));
	if (session == NULL)
		return NULL;
	session->loop = loop;
	int rc = mp_session_config_copy(&session->config, config);
	init_simple_parts(session);
	mp_session_set_policies(session, policies);
	if (rc == 0)
		rc = init_parts(session);
	if (rc != 0) {
		free_parts(session);
		return NULL;
	}
	return session;
}

static const uint8_t no_canary = 0;

void mp_session_set_policies(struct mp_session *session, const struct mp_policy_calls *policies)
{
	bool had_serving = session->policies.serving.decide != NULL;
	session->policies = policies != NULL ? *policies : (struct mp_policy_calls){.balance = {.plan = NULL}};
	if (session->policies.balance.plan == NULL)
		session->policies.balance = (struct mp_balance_policy){.plan = mp_default_plan};
	if (session->policies.retry.decide == NULL)
		session->policies.retry = (struct mp_retry_policy){.decide = mp_default_retry};
	mp_shadow_follow(&session->shadow);
	if (session->policies.canary.running == NULL)
		session->policies.canary.running = &no_canary;
	if (had_serving == (session->policies.serving.decide != NULL))
		return;
	// Which remote hosts are connected to depends on it.
	for (uint32_t i = 0; i < session->hosts.live_count; i++)
		mp_host_relocate(session->hosts.live[i]);
	if (session->state != MP_SESSION_NEW)
		mp_remotes_changed(&session->hosts);
}

void mp_session_set_listener(struct mp_session *session,
                             void (*on_event)(void *data, const struct mp_session_event *event), void *data)
{
	session->events.on_event = on_event;
	session->events.data = data;
}

void mp_session_free(struct mp_session *session)
{
	if (session == NULL)
		return;
	mp_assert(session->state == MP_SESSION_CLOSED || session->state == MP_SESSION_NEW);
	mp_task_cancel(session->loop, &session->chores);
	mp_events_clear(&session->events);
	free_parts(session);
}

static void set_state(struct mp_session *session, enum mp_session_state state)
{
	static const char *const names[] = {"new", "connecting", "open", "failing", "closing", "closed"};
	mp_log_write(&session->log, MP_LOG_DEBUG, "session: %s -> %s", names[session->state], names[state]);
	session->state = state;
}

bool mp_session_is_ending(const struct mp_session *session)
{
	return session->state != MP_SESSION_OPEN;
}

// ---- chores -----------------------------------------------------------------------------------------------

void mp_session_post(struct mp_session *session)
{
	mp_task_post(session->loop, &session->chores, MP_PHASE_RUN);
}

void mp_session_view_changed(struct mp_session *session)
{
	session->view_changed = true;
	mp_session_post(session);
}

static bool is_quiet(const struct mp_session *session)
{
	return session->live == 0 && mp_hosts_are_gone(&session->hosts) &&
	       mp_control_is_quiet(&session->control) && session->prepares.flights.count == 0 &&
	       session->repreparing.count == 0 && session->events.queue.count == 0 &&
	       session->warmups.count == 0 && session->errands.count == 0;
}

// Another try may meet another cluster.
static void forget_cluster(struct mp_session *session)
{
	session->cluster.version = session->config.protocol_version;
	mp_free(session->cluster.name);
	session->cluster.name = NULL;
	session->unknown_is_local = false;
	mp_session_make_settings(session);
	mp_serving_forget(&session->serving);
	if (session->config.local_dc != NULL)
		return;
	mp_free(session->cluster.local_dc);
	session->cluster.local_dc = NULL;
	session->view.local_dc = MP_NO_HOST;
}

// What was opened is closed. The last thing that touches the session.
static void settle(struct mp_session *session)
{
	mp_timer_stop(&session->tick);
	mp_start_stop(&session->start);
	mp_metrics_stop(&session->metrics);
	mp_health_stop(&session->health);
	mp_drain_stop(&session->drain);
	mp_decisions_flush(&session->decisions);
	mp_keyspaces_stop(&session->keyspaces);
	if (session->state == MP_SESSION_FAILING) {
		set_state(session, MP_SESSION_NEW);
		forget_cluster(session);
		mp_waiters_tell(&session->connecting, &session->connect_error);
		return;
	}
	set_state(session, MP_SESSION_CLOSED);
	struct mp_waiters closing = session->closing;
	session->closing = (struct mp_waiters){.count = 0};
	mp_waiters_tell(&session->connecting, &session->connect_error);
	mp_waiters_tell(&closing, NULL);
}

static void tell_connected(struct mp_session *session)
{
	if (session->connecting.count == 0)
		return;
	bool failed = session->state != MP_SESSION_OPEN;
	if (failed)
		mp_error_set(&session->connect_error, MP_ECLOSED, -1, "the session is closed");
	mp_waiters_tell(&session->connecting, failed ? &session->connect_error : NULL);
}

static void on_chores(void *data)
{
	struct mp_session *session = data;
	if (session->view_changed) {
		session->view_changed = false;
		if (mp_view_rebuild(&session->view) != 0)
			session->view_changed = true; // the next chores try again
		mp_serving_review(&session->serving);
	}
	mp_requests_tell_ended(session);
	mp_prepares_tell_failed(&session->prepares);
	mp_room_serve(&session->room);
	mp_events_deliver(&session->events);
	mp_warmups_review(session);
	mp_errands_review(session);
	mp_remotes_review(&session->hosts);
	mp_hosts_sweep(&session->hosts);
	bool ends = session->state == MP_SESSION_FAILING || session->state == MP_SESSION_CLOSING;
	if (ends && is_quiet(session))
		settle(session);
	else if (session->state == MP_SESSION_OPEN || session->state == MP_SESSION_CLOSED)
		tell_connected(session);
}

static void on_tick(void *data)
{
	struct mp_session *session = data;
	mp_hosts_tick(&session->hosts);
	mp_serving_review(&session->serving);
	mp_budget_tick(&session->budget);
	mp_decisions_tick(&session->decisions);
	if (session->view_changed)
		mp_session_post(session);
	if (mp_timer_start_ms(&session->tick, TICK_MS) != 0)
		mp_log_write(&session->log, MP_LOG_ERROR, "out of memory for the session's timer");
}

// ---- connect ----------------------------------------------------------------------------------------------

static void close_all(struct mp_session *session, bool drain)
{
	mp_control_stop(&session->control);
	mp_prepares_fail_all(&session->prepares);
	mp_hosts_close(&session->hosts, drain);
	mp_session_post(session);
}

void mp_session_fail_connect(struct mp_session *session)
{
	mp_log_write(&session->log, MP_LOG_WARN, "connect failed: %s", session->connect_error.message);
	set_state(session, MP_SESSION_FAILING);
	close_all(session, false);
}

void mp_session_connect(struct mp_session *session, void (*on_done)(void *data, const struct mp_error *err),
                        void *data)
{
	add_waiter(session, &session->connecting, (struct mp_waiter){.on_error = on_done, .data = data});
	if (session->state != MP_SESSION_NEW) {
		mp_session_post(session);
		return;
	}
	set_state(session, MP_SESSION_CONNECTING);
	mp_pace_restart(&session->hosts.pace);
	mp_control_start(&session->control);
}

void mp_session_become_open(struct mp_session *session)
{
	mp_start_stop(&session->start);
	set_state(session, MP_SESSION_OPEN);
	mp_health_start(&session->health);
	mp_log_write(&session->log, MP_LOG_INFO, "connected: %u hosts known, %u up", session->hosts.live_count,
	             session->view.up_count);
	mp_session_post(session);
}

void mp_session_open_hosts(struct mp_session *session)
{
	mp_hosts_open(&session->hosts);
	mp_start_begin(&session->start);
	if (mp_timer_start_ms(&session->tick, TICK_MS) != 0 || mp_metrics_start(&session->metrics) != 0) {
		mp_error_set(&session->connect_error, MP_ENOMEM, -1, "out of memory");
		mp_session_fail_connect(session);
	}
}

// ---- close ------------------------------------------------------------------------------------------------

static void begin_close(struct mp_session *session, bool drain)
{
	if (session->state != MP_SESSION_FAILING)
		mp_error_set(&session->connect_error, MP_ECLOSED, -1, "the session was closed");
	set_state(session, MP_SESSION_CLOSING);
	mp_start_stop(&session->start);
	mp_requests_fail_idle(session);
	close_all(session, drain);
}

static void on_drained(void *data)
{
	struct mp_session *session = data;
	mp_hosts_close(&session->hosts, false);
	mp_session_post(session);
}

void mp_session_close(struct mp_session *session, uint32_t drain_ms, void (*on_done)(void *data), void *data)
{
	add_waiter(session, &session->closing, (struct mp_waiter){.on_done = on_done, .data = data});
	bool closed = session->state == MP_SESSION_CLOSED;
	if (closed)
		set_state(session, MP_SESSION_CLOSING); // quiet at once: told by the chores
	else if (session->state != MP_SESSION_CLOSING)
		begin_close(session, drain_ms > 0);
	mp_session_post(session);
	if (closed)
		return;
	if (!mp_drain_within(&session->drain, drain_ms))
		mp_hosts_close(&session->hosts, false);
}
