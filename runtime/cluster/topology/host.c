// SPDX-License-Identifier: Apache-2.0
// One host: its slot in the view and its state, which follows what its connections say and nothing else.
//
//   NEW --first ready--> UP <--first ready, last lost--> DOWN      any --not named any more--> REMOVED
//    +---- first failure -----------------------------> DOWN
#include "cluster/topology/host.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/plan/marks.h"
#include "cluster/topology/cluster.h"
#include "cluster/topology/control.h"
#include "cluster/topology/host_internal.h"
#include "cluster/topology/hosts.h"
#include "cluster/topology/remotes.h"
#include "cluster/topology/topology.h"

#define NEWLY_UP_MS 60000u
#define NS_PER_S    UINT64_C(1000000000)
#define NS_PER_MS   UINT64_C(1000000)

const char *mp_host_state_name(enum mp_host_state state)
{
	static const char *const names[] = {"new", "up", "down", "removed"};
	return (size_t)state < MP_ARRAY_LEN(names) ? names[state] : "?";
}

const char *mp_distance_name(enum mp_distance distance)
{
	static const char *const names[] = {"local", "remote", "ignored"};
	return (size_t)distance < MP_ARRAY_LEN(names) ? names[distance] : "?";
}

struct mp_host_view *mp_host_view_of(const struct mp_host *host)
{
	return &host->cluster->view->hosts[host->index];
}

static void tell(struct mp_host *host, enum mp_host_news news, const char *reason)
{
	host->cluster->events->on_host(host->cluster->owner, news, host, reason);
}

// ---- state ------------------------------------------------------------------------------------------------

static void show(struct mp_host *host)
{
	struct mp_host_view *view = mp_host_view_of(host);
	view->isNewlyUp = host->state == MP_HOST_UP;
	if (view->isNewlyUp)
		view->upSinceMs = (double)host->state_since_ms;
	mp_host_show(host);
}

// A host whose connections cannot have the keyspace is no host that is gone.
static const char *state_words(const struct mp_host *host, enum mp_host_state state)
{
	static const char *const words[] = {"is new", "is up", "is down", "is removed"};
	return state == MP_HOST_DOWN && host->answers ? "answers and is not used" : words[state];
}

void mp_host_set_state(struct mp_host *host, enum mp_host_state state, const char *reason)
{
	if (host->state == state)
		return;
	mp_assert(host->state != MP_HOST_REMOVED && state != MP_HOST_NEW);
	bool tells = state != MP_HOST_REMOVED;
	bool is_news = state == MP_HOST_DOWN && host->hold != MP_HOLD_DRAINING;
	mp_log_write(host->cluster->log, is_news ? MP_LOG_WARN : MP_LOG_INFO, "%s %s%s%s", host->addr_text,
	             state_words(host, state), reason != NULL ? ": " : "", reason != NULL ? reason : "");
	host->state = state;
	host->state_since_ms = mp_loop_now_ms(host->cluster->loop);
	show(host);
	if (tells)
		tell(host, state == MP_HOST_UP ? MP_NEWS_UP : MP_NEWS_DOWN, reason);
}

void mp_host_tick(struct mp_host *host)
{
	struct mp_host_view *view = mp_host_view_of(host);
	if (view->isNewlyUp && mp_loop_now_ms(host->cluster->loop) - host->state_since_ms >= NEWLY_UP_MS)
		view->isNewlyUp = false;
	mp_host_look_at_breaker(host);
}

// ---- what the pool reports --------------------------------------------------------------------------------

static void on_up(void *owner)
{
	struct mp_host *host = owner;
	if (host->state == MP_HOST_REMOVED)
		return;
	mp_host_connected(host);
	mp_host_set_state(host, MP_HOST_UP, NULL);
	mp_control_hint(host->cluster->control);
	host->cluster->events->on_room(host->cluster->owner);
}

// A node of a mixed cluster may refuse the version that the session speaks: it alone is spoken to in a lower one.
static bool step_down(struct mp_host *host, const struct mp_conn_end *why)
{
	uint8_t version = mp_cluster_version_below(host->cluster, host->version, why->version_hint);
	if (version == 0)
		return false;
	mp_log_write(host->cluster->log, MP_LOG_INFO, "%s refuses protocol version %u: version %u",
	             host->addr_text, host->version, version);
	host->version = version;
	host->pool.settings = &host->cluster->settings[version];
	mp_pool_retry_now(&host->pool);
	return true;
}

static void note_why(struct mp_host *host, const struct mp_conn_end *why)
{
	const char *text = why->message[0] != '\0' ? why->message : mp_close_reason_text(why->reason);
	char addr[MP_ADDR_TEXT];
	mp_addr_format(mp_endpoints_addr(&host->endpoints), addr);
	bool is_called_so = strcmp(addr, host->addr_text) == 0;
	host->answers = why->reason == MP_CLOSE_KEYSPACE;
	host->down_err = why->err;
	host->down_code = why->server_code;
	snprintf(host->down_why, sizeof(host->down_why), "%s%s%.150s", is_called_so ? "" : addr,
	         is_called_so ? "" : ": ", text);
}

static void on_down(void *owner, const struct mp_conn_end *why)
{
	struct mp_host *host = owner;
	note_why(host, why);
	host->cluster->events->on_room(host->cluster->owner); // those that wait for it look for another one
	if (host->state == MP_HOST_REMOVED)
		return;
	bool refused = !why->was_ready && why->reason != MP_CLOSE_LOCAL;
	if (why->reason == MP_CLOSE_VERSION && step_down(host, why))
		refused = false;
	if (why->reason == MP_CLOSE_IDENTITY)
		mp_topology_want(host->cluster->topology, true, false, MP_TOPOLOGY_GATHER_MS);
	// This machine's own trouble says nothing about the host.
	if (why->reason == MP_CLOSE_LOCAL && !why->was_ready && host->state == MP_HOST_NEW)
		return;
	if (refused && mp_host_addr_failed(host) && host->state == MP_HOST_NEW)
		return; // it may have a better one
	mp_host_set_state(host, MP_HOST_DOWN, host->down_why);
	mp_remotes_changed(host->cluster->hosts);
}

// While connections of another address serve, a new one is tried.
static void on_refused(void *owner, const struct mp_conn_end *why)
{
	struct mp_host *host = owner;
	note_why(host, why);
	host->cluster->events->on_quiet(host->cluster->owner); // somebody may wait for the connection
	const struct mp_endpoints *endpoints = &host->endpoints;
	bool works = mp_addr_eq(&endpoints->worked, mp_endpoints_addr(endpoints));
	if (host->state != MP_HOST_REMOVED && !works && why->reason != MP_CLOSE_LOCAL)
		(void)mp_host_addr_failed(host);
}

static void on_added(void *owner, struct mp_conn *conn)
{
	struct mp_host *host = owner;
	if (host->state != MP_HOST_REMOVED)
		mp_host_addr_works(host, mp_conn_addr(conn));
	tell(host, MP_NEWS_CONNECTION_ADDED, NULL);
}

static void on_removed(void *owner, struct mp_conn *conn, const struct mp_conn_end *end, bool lost)
{
	(void)conn;
	struct mp_host *host = owner;
	const char *reason = end->message[0] != '\0' ? end->message : mp_close_reason_text(end->reason);
	if (lost)
		tell(host, MP_NEWS_CONNECTION_LOST, reason);
	tell(host, MP_NEWS_CONNECTION_REMOVED, reason); // each that goes: added minus removed is what stands
	if (lost && host->state == MP_HOST_UP)
		mp_host_lost_connection(host);
}

static void on_resized(void *owner, uint32_t from, uint32_t to, const char *why)
{
	struct mp_host *host = owner;
	mp_log_write(host->cluster->log, MP_LOG_DEBUG, "%s: %u connections instead of %u: %s", host->addr_text,
	             to, from, why);
	host->cluster->events->on_resized(host->cluster->owner, host, from, to, why);
}

static void on_room(void *owner)
{
	struct mp_host *host = owner;
	host->cluster->events->on_room(host->cluster->owner);
}

// Until its core stands and as long as no attempt failed, a host is greeted; from then on connections replace others.
static uint64_t open_delay_ms(void *owner)
{
	struct mp_host *host = owner;
	const struct mp_cluster *cluster = host->cluster;
	bool is_first = !host->stood && host->pool.failed_total == 0;
	return mp_pace_delay_ms(&cluster->hosts->pace, &host->turn, cluster->config->connects_per_second,
	                        is_first);
}

static void on_tried(void *owner)
{
	struct mp_host *host = owner;
	host->stood |= host->pool.ready_count >= host->pool.limits.core;
	mp_pace_over(&host->cluster->hosts->pace);
}

void mp_host_take_turn(struct mp_pace_turn *turn)
{
	mp_pool_open_now(&MP_CONTAINER_OF(turn, struct mp_host, turn)->pool);
}

static enum mp_reconnect_reason reason_of(enum mp_close_reason why)
{
	switch (why) {
	case MP_CLOSE_CONNECT: return MP_RECONNECT_UNREACHABLE;
	case MP_CLOSE_HANDSHAKE_TIMEOUT: return MP_RECONNECT_CONNECT_TIMEOUT;
	case MP_CLOSE_AUTH: return MP_RECONNECT_AUTH_FAILED;
	case MP_CLOSE_IDENTITY: return MP_RECONNECT_WRONG_NODE;
	case MP_CLOSE_VERSION:
	case MP_CLOSE_KEYSPACE:
	case MP_CLOSE_HANDSHAKE: return MP_RECONNECT_HANDSHAKE_REFUSED;
	case MP_CLOSE_LOCAL: return MP_RECONNECT_LOCAL_FAILURE;
	default: return MP_RECONNECT_CONNECTION_LOST;
	}
}

// When it is tried again is the policy's to say, if there is one.
static bool retry_delay(void *owner, uint32_t failures, enum mp_close_reason why, uint64_t *delay_ms)
{
	struct mp_host *host = owner;
	const struct mp_cluster *cluster = host->cluster;
	struct mp_reconnect_view view = {
		.attempt = failures,
		.why = (uint8_t)reason_of(why),
		.isLocal = host->distance == MP_DISTANCE_LOCAL,
	};
	return cluster->events->retry_delay(cluster->owner, &view, delay_ms);
}

static void on_empty(void *owner)
{
	struct mp_host *host = owner;
	host->empty = true;
	mp_host_drained(host);
	host->cluster->events->on_quiet(host->cluster->owner);
}

// ---- life -------------------------------------------------------------------------------------------------

static const struct mp_pool_events pool_events = {
	.on_up = on_up,
	.on_down = on_down,
	.on_refused = on_refused,
	.on_added = on_added,
	.on_removed = on_removed,
	.on_resized = on_resized,
	.on_room = on_room,
	.open_delay_ms = open_delay_ms,
	.on_tried = on_tried,
	.retry_delay = retry_delay,
	.on_empty = on_empty,
};

static void enter_view(struct mp_host *host)
{
	struct mp_view *view = host->cluster->view;
	struct mp_host_view *slot = mp_host_view_of(host);
	uint32_t generation = slot->generation + 1;
	*slot = (struct mp_host_view){.index = host->index, .generation = generation, .weight = 1};
	if (view->host_count <= host->index)
		view->host_count = (uint32_t)host->index + 1;
}

struct mp_host *mp_host_new(struct mp_cluster *cluster, uint16_t index, const struct mp_node_row *row)
{
	struct mp_host *host = mp_calloc(1, sizeof(*host));
	if (host == NULL)
		return NULL;
	host->cluster = cluster;
	host->index = index;
	host->host_id = row->host_id;
	host->state = MP_HOST_NEW;
	host->state_since_ms = mp_loop_now_ms(cluster->loop);
	host->down_code = -1;
	host->version = cluster->version;
	mp_addr_format(&row->addr, host->addr_text);
	mp_pace_turn_init(&host->turn);
	enter_view(host);
	bool placed = mp_host_place(host, row);
	mp_host_init_patience(host);
	mp_probe_init(&host->probe, cluster->loop, host);
	mp_host_init_admission(host);
	mp_host_first_addr(host, row);
	mp_host_tell_names(host);
	struct mp_pool_limits limits = mp_host_limits(host);
	mp_pool_init(&host->pool, cluster->loop, &cluster->settings[host->version],
	             mp_endpoints_addr(&host->endpoints), &host->host_id, &limits, &pool_events, host);
	if (!placed) {
		mp_host_free(host);
		return NULL;
	}
	return host;
}

void mp_host_free(struct mp_host *host)
{
	mp_timer_stop(&host->patience);
	mp_host_end_admission(host);
	mp_pace_forget(&host->cluster->hosts->pace, &host->turn);
	mp_pool_deinit(&host->pool);
	mp_window_deinit(&host->window);
	mp_probe_cancel(&host->probe);
	mp_free(host->dc);
	mp_free(host->rack);
	mp_free(host->release_version);
	mp_free(host);
}

void mp_host_open(struct mp_host *host)
{
	if (host->distance == MP_DISTANCE_IGNORED || host->hold == MP_HOLD_DRAINING)
		return;
	host->empty = false;
	mp_pool_open(&host->pool);
	mp_host_be_patient(host);
}

void mp_host_update(struct mp_host *host, const struct mp_node_row *row)
{
	enum mp_distance before = host->distance;
	if (!mp_host_place(host, row)) {
		mp_log_write(host->cluster->log, MP_LOG_WARN, "%s: its new place could not be noted",
		             host->addr_text);
		return;
	}
	mp_host_tell_names(host);
	if (host->distance != before)
		mp_host_resize(host);
}

static void set_heartbeat(void *data, struct mp_conn *conn)
{
	const struct mp_session_config *config = data;
	mp_conn_set_heartbeat(conn, config->heartbeat_interval_ms, config->heartbeat_timeout_ms);
}

void mp_host_reconfigure(struct mp_host *host, const char *rotate)
{
	mp_pace_forget(&host->cluster->hosts->pace, &host->turn); // it may be another one
	mp_host_weigh_place(host);
	mp_host_follow_rules(host);
	mp_pool_each(&host->pool, set_heartbeat, (void *)(uintptr_t)host->cluster->config);
	mp_host_resize(host);
	if (rotate != NULL)
		mp_pool_rotate(&host->pool, rotate);
}

// ---- hints ------------------------------------------------------------------------------------------------

void mp_host_hint_up(struct mp_host *host)
{
	mp_pool_retry_now(&host->pool);
}

static void probe(void *arg, struct mp_conn *conn)
{
	(void)arg;
	if (mp_conn_state(conn) == MP_CONN_READY)
		mp_conn_probe(conn);
}

// Others may see it down while our connections work: they are asked, not closed.
void mp_host_hint_down(struct mp_host *host)
{
	mp_pool_each(&host->pool, probe, NULL);
}
