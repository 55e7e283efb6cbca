// SPDX-License-Identifier: Apache-2.0
// The session as the owner of its topology: what becomes of the news that the control connection, the system tables and
// the hosts tell, and the answers to what they ask. They come from inside of anything: what they lead to is done by the
// session's chores, later in the turn.
#include <stdio.h>
#include <string.h>

#include "cluster/session_internal.h"
#include "cluster/topology/host_internal.h"
#include "cluster/topology/remotes.h"

#define COMPLAIN_EVERY_MS 10000u

// ---- errors of connect ------------------------------------------------------------------------------------

static void list_dcs(const struct mp_session *session, char *text, size_t size)
{
	size_t at = 0;
	text[0] = '\0';
	for (uint16_t i = 0; i < session->view.dc_count && at < size; i++) {
		bool has_host = false;
		for (uint32_t h = 0; h < session->hosts.live_count; h++)
			has_host |= session->view.hosts[session->hosts.live[h]->index].dcId == i;
		if (has_host)
			at +=
				(size_t)snprintf(text + at, size - at, "%s%s", at > 0 ? ", " : "", session->view.dc_names[i]);
	}
}

void mp_session_describe_hosts(struct mp_session *session)
{
	struct mp_error *error = &session->connect_error;
	mp_error_set(error, MP_ENOHOST, -1, "no host could be used");
	int headline = MP_ENOHOST;
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		const struct mp_host *host = session->hosts.live[i];
		if (host->distance == MP_DISTANCE_IGNORED)
			continue;
		const char *why = host->down_err != 0 ? host->down_why : "no connection in time";
		int err = host->down_err != 0 ? host->down_err : MP_ETIMEOUT;
		mp_error_add(error, host->addr_text, err, host->down_code, 0, mp_str_of(why));
		if (err == MP_EAUTH || err == MP_ESERVER || err == MP_ECLUSTER)
			headline = err;
	}
	mp_error_tell(error, headline);
}

static void note_failure(void *data, const char *host, int err, int32_t server_code, const char *message)
{
	struct mp_error *error = data;
	mp_error_add(error, host, err, server_code, 0, mp_str_of(message));
	// That somebody else or nobody we know answered says more than that others did not.
	if (err == MP_EAUTH || err == MP_ECLUSTER || err == MP_EUNSUPPORTED)
		error->err = err;
}

static void describe_round(struct mp_session *session, struct mp_error *error)
{
	mp_error_set(error, MP_ENOHOST, -1, "no contact point could be used");
	mp_control_each_failure(&session->control, note_failure, error);
	mp_error_tell(error, error->err);
}

// ---- news -------------------------------------------------------------------------------------------------

static void on_host(void *owner, enum mp_host_news news, struct mp_host *host, const char *reason)
{
	static const enum mp_session_event_kind kinds[] = {
		[MP_NEWS_ADDED] = MP_EVENT_HOST_ADDED,
		[MP_NEWS_REMOVED] = MP_EVENT_HOST_REMOVED,
		[MP_NEWS_UP] = MP_EVENT_HOST_UP,
		[MP_NEWS_DOWN] = MP_EVENT_HOST_DOWN,
		[MP_NEWS_CONNECTION_ADDED] = MP_EVENT_CONNECTION_ADDED,
		[MP_NEWS_CONNECTION_REMOVED] = MP_EVENT_CONNECTION_REMOVED,
		[MP_NEWS_CONNECTION_LOST] = MP_EVENT_CONNECTION_LOST,
		[MP_NEWS_BREAKER_OPEN] = MP_EVENT_BREAKER_OPEN,
		[MP_NEWS_BREAKER_HALF_OPEN] = MP_EVENT_BREAKER_HALF_OPEN,
		[MP_NEWS_BREAKER_CLOSE] = MP_EVENT_BREAKER_CLOSE,
	};
	struct mp_session *session = owner;
	// New credentials work, so the control connection may do without its old ones.
	if (news == MP_NEWS_CONNECTION_ADDED && session->control_is_old) {
		session->control_is_old = false;
		mp_control_move(&session->control, "the credentials have changed");
	}
	session->counters.breaker_opened += news == MP_NEWS_BREAKER_OPEN ? 1 : 0;
	mp_session_tell(session, kinds[news], host, NULL, reason);
	mp_session_post(session);
}

static void on_resized(void *owner, struct mp_host *host, uint32_t from, uint32_t to, const char *why)
{
	struct mp_session *session = owner;
	session->counters.pool_resizes++;
	mp_session_tell_size(session, host, from, to, why);
}

static void on_schema(void *owner, struct mp_str keyspace, struct mp_str table, struct mp_str change)
{
	struct mp_session *session = owner;
	session->counters.schema_changes++;
	mp_prepares_doubt(&session->prepares, keyspace, table, change);
	mp_session_tell_schema(session, keyspace, table, change);
}

static void on_schema_missed(void *owner)
{
	struct mp_session *session = owner;
	const struct mp_str any = {"", 0};
	session->counters.schema_missed++;
	mp_prepares_doubt(&session->prepares, any, any, any);
}

static void on_view(void *owner)
{
	mp_session_view_changed(owner);
}

static void on_room(void *owner)
{
	struct mp_session *session = owner;
	mp_room_came_free(&session->room);
}

static void on_quiet(void *owner)
{
	mp_session_post(owner);
}

static void on_identified(void *owner)
{
	mp_session_make_settings(owner);
}

// Hosts that do not say their datacentre are better than none: they count as local while no other one is.
static void review_unknown(struct mp_session *session)
{
	const char *local_dc = session->cluster.local_dc;
	bool has_local = false;
	bool has_unknown = false;
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		const char *dc = session->hosts.live[i]->dc;
		has_local |= local_dc != NULL && strcmp(dc, local_dc) == 0;
		has_unknown |= strcmp(dc, MP_UNKNOWN_PLACE) == 0;
	}
	bool counts = has_unknown && !has_local;
	if (counts == session->unknown_is_local)
		return;
	session->unknown_is_local = counts;
	if (counts)
		mp_log_write(&session->log, MP_LOG_WARN,
		             "no host is in the local datacentre '%s': those that do not say theirs count as local",
		             local_dc != NULL ? local_dc : "");
	for (uint32_t i = 0; i < session->hosts.live_count; i++) {
		struct mp_host *host = session->hosts.live[i];
		if (strcmp(host->dc, MP_UNKNOWN_PLACE) == 0)
			mp_host_relocate(host);
	}
	mp_session_view_changed(session);
}

void mp_session_check_regions(struct mp_session *session)
{
	if (session->regions_checked || session->hosts.live_count == 0)
		return;
	session->regions_checked = true;
	for (size_t r = 0; r < session->config.region_count; r++) {
		const char *dc = session->config.regions[r].dc;
		bool exists = false;
		for (uint32_t i = 0; !exists && i < session->hosts.live_count; i++)
			exists = strcmp(session->hosts.live[i]->dc, dc) == 0;
		char dcs[160];
		if (exists)
			continue;
		list_dcs(session, dcs, sizeof(dcs));
		mp_log_write(
			&session->log, MP_LOG_WARN,
			"regionSettings['%s'] has no effect: no host is in such a datacentre; the cluster has: %s", dc,
			dcs);
	}
}

static void on_read(void *owner)
{
	struct mp_session *session = owner;
	review_unknown(session);
	mp_session_check_regions(session);
	const char *local_dc = session->cluster.local_dc != NULL ? session->cluster.local_dc : "";
	if (session->state != MP_SESSION_CONNECTING || session->hosts.opened)
		return;
	mp_keyspaces_use(&session->keyspaces, session->keyspace_id);
	mp_remotes_review(&session->hosts);
	if (session->view.local_dc == MP_NO_HOST && !session->unknown_is_local)
		mp_log_write(&session->log, MP_LOG_WARN, "no host is in the local datacentre '%s'", local_dc);
	if (mp_hosts_in_use(&session->hosts) > 0) {
		mp_session_open_hosts(session);
		return;
	}
	char dcs[160];
	list_dcs(session, dcs, sizeof(dcs));
	mp_error_set(&session->connect_error, MP_ENOHOST, -1,
	             "no host is in the local datacentre '%s'; the cluster has: %s", local_dc, dcs);
	mp_session_fail_connect(session);
}

static void on_unreachable(void *owner, bool again)
{
	struct mp_session *session = owner;
	uint64_t held;
	struct mp_error error;
	describe_round(session, &error);
	if (!again) {
		session->connect_error = error;
		if (session->state == MP_SESSION_CONNECTING)
			mp_session_fail_connect(session);
		return;
	}
	uint64_t now_ms = mp_loop_now_ms(session->loop);
	if (mp_log_gate_open(&session->unreachable, now_ms, COMPLAIN_EVERY_MS, &held))
		mp_log_write(&session->log, MP_LOG_WARN, "no control connection: %s", error.message);
}

// ---- questions --------------------------------------------------------------------------------------------

// With a failover policy every datacentre may have to serve, and home is watched while another one does.
static enum mp_distance distance(void *owner, const char *dc)
{
	const struct mp_session *session = owner;
	const char *serving = mp_session_serving_dc(session);
	bool is_unknown = strcmp(dc, MP_UNKNOWN_PLACE) == 0;
	if ((is_unknown && session->unknown_is_local) || (serving != NULL && strcmp(serving, dc) == 0))
		return MP_DISTANCE_LOCAL;
	// Who does not say where it is stays at hand: it may be the last one.
	bool connects = session->config.connect_remote || session->policies.serving.decide != NULL ||
	                session->serving.wanted != MP_NO_HOST || session->away || is_unknown;
	return connects && session->config.remote.core > 0 ? MP_DISTANCE_REMOTE : MP_DISTANCE_IGNORED;
}

// Whether a datacentre is well is seen by all of its hosts, so a failover policy wants them all.
static uint32_t remote_hosts(void *owner)
{
	const struct mp_session *session = owner;
	bool needs_all =
		session->policies.serving.decide != NULL || session->away || session->serving.wanted != MP_NO_HOST;
	return needs_all ? 0 : session->config.remote_hosts_per_dc;
}

static bool prepares(void *owner, uint16_t dc_id)
{
	const struct mp_session *session = owner;
	return mp_serving_prepares(&session->serving, dc_id);
}

static bool retry_delay(void *owner, const struct mp_reconnect_view *view, uint64_t *delay_ms)
{
	const struct mp_session *session = owner;
	const struct mp_reconnect_policy *policy = &session->policies.reconnect;
	return policy->delay != NULL && policy->delay(policy->self, view, delay_ms);
}

void mp_session_init_cluster(struct mp_session *session)
{
	static const struct mp_cluster_events events = {
		.on_host = on_host,
		.on_resized = on_resized,
		.on_schema = on_schema,
		.on_schema_missed = on_schema_missed,
		.on_view = on_view,
		.on_room = on_room,
		.on_identified = on_identified,
		.on_read = on_read,
		.on_unreachable = on_unreachable,
		.on_quiet = on_quiet,
		.distance = distance,
		.remote_hosts = remote_hosts,
		.prepares = prepares,
		.retry_delay = retry_delay,
	};
	session->cluster = (struct mp_cluster){
		.loop = session->loop,
		.log = &session->log,
		.config = &session->config,
		.settings = session->settings,
		.control_settings = session->control_settings,
		.view = &session->view,
		.control = &session->control,
		.topology = &session->topology,
		.hosts = &session->hosts,
		.keyspaces = &session->keyspaces,
		.events = &events,
		.owner = session,
		.version = session->config.protocol_version,
		.is_murmur = true,
	};
}
