// SPDX-License-Identifier: Apache-2.0
// One host: its slot in the view and its state, which follows what its connections say and nothing else.
//
//   NEW --first ready--> UP <--first ready, last lost--> DOWN      any --not named any more--> REMOVED
//    +---- first failure -----------------------------> DOWN
#include "cluster/host.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/host_internal.h"
#include "cluster/marks.h"
#include "cluster/session_internal.h"

#define NEWLY_UP_MS 60000u

const char *mp_host_state_name(enum mp_host_state state)
{
	static const char *const names[] = {"new", "up", "down", "removed"};
	return (size_t)state < MP_ARRAY_LEN(names) ? names[state] : "?";
}

static struct mp_host_view *view_of(const struct mp_host *host)
{
	return &host->session->view.hosts[host->index];
}

// ---- state ------------------------------------------------------------------------------------------------

static void show(struct mp_host *host)
{
	struct mp_host_view *view = view_of(host);
	view->isUp = host->state == MP_HOST_UP;
	view->isNewlyUp = view->isUp;
	if (view->isUp)
		view->upSinceMs = (double)host->state_since_ms;
	mp_session_view_changed(host->session);
}

void mp_host_set_state(struct mp_host *host, enum mp_host_state state, const char *reason)
{
	if (host->state == state)
		return;
	mp_assert(host->state != MP_HOST_REMOVED && state != MP_HOST_NEW);
	bool tells = state != MP_HOST_REMOVED;
	mp_log_write(&host->session->log, state == MP_HOST_DOWN ? MP_LOG_WARN : MP_LOG_INFO, "%s is %s%s%s",
	             host->addr_text, mp_host_state_name(state), reason != NULL ? ": " : "",
	             reason != NULL ? reason : "");
	host->state = state;
	host->state_since_ms = mp_loop_now_ms(host->session->loop);
	show(host);
	if (tells)
		mp_session_tell(host->session, state == MP_HOST_UP ? MP_EVENT_HOST_UP : MP_EVENT_HOST_DOWN, host,
		                NULL, reason);
}

void mp_host_tick(struct mp_host *host)
{
	struct mp_host_view *view = view_of(host);
	if (view->isNewlyUp && mp_loop_now_ms(host->session->loop) - host->state_since_ms >= NEWLY_UP_MS)
		view->isNewlyUp = false;
}

// ---- what the pool reports --------------------------------------------------------------------------------

static void on_up(void *owner)
{
	struct mp_host *host = owner;
	if (host->state == MP_HOST_REMOVED)
		return;
	mp_host_set_state(host, MP_HOST_UP, NULL);
	mp_control_hint(&host->session->control);
	host->session->room = true;
	mp_session_post(host->session);
}

// A node of a mixed cluster may refuse the version that the session speaks: it alone is spoken to in a lower one.
static void step_down(struct mp_host *host, const struct mp_conn_end *why)
{
	uint8_t version = mp_version_below(host->session, host->version, why->version_hint);
	if (version == 0)
		return;
	mp_log_write(&host->session->log, MP_LOG_INFO, "%s refuses protocol version %u: version %u",
	             host->addr_text, host->version, version);
	host->version = version;
	host->pool.settings = &host->session->settings[version];
	mp_pool_retry_now(&host->pool);
}

static void on_down(void *owner, const struct mp_conn_end *why)
{
	struct mp_host *host = owner;
	host->down_err = why->err;
	host->down_code = why->server_code;
	snprintf(host->down_why, sizeof(host->down_why), "%s",
	         why->message[0] != '\0' ? why->message : mp_close_reason_text(why->reason));
	host->session->room = true; // those that wait for this host look for another one
	mp_session_post(host->session);
	if (host->state == MP_HOST_REMOVED)
		return;
	if (why->reason == MP_CLOSE_VERSION)
		step_down(host, why);
	if (why->reason == MP_CLOSE_IDENTITY)
		mp_topology_want(&host->session->topology, true, false, MP_TOPOLOGY_GATHER_MS);
	// This machine's own trouble says nothing about the host.
	if (why->reason == MP_CLOSE_LOCAL && !why->was_ready && host->state == MP_HOST_NEW)
		return;
	mp_host_set_state(host, MP_HOST_DOWN, host->down_why);
}

static void on_added(void *owner, struct mp_conn *conn)
{
	(void)conn;
	struct mp_host *host = owner;
	// New credentials work, so the control connection may do without its old ones.
	if (host->session->control_is_old) {
		host->session->control_is_old = false;
		mp_control_move(&host->session->control, "the credentials have changed");
	}
	mp_session_tell(host->session, MP_EVENT_CONNECTION_ADDED, host, NULL, NULL);
	mp_session_post(host->session);
}

static void on_removed(void *owner, struct mp_conn *conn, const struct mp_conn_end *end, bool lost)
{
	(void)conn;
	struct mp_host *host = owner;
	const char *reason = end->message[0] != '\0' ? end->message : mp_close_reason_text(end->reason);
	mp_session_tell(host->session, lost ? MP_EVENT_CONNECTION_LOST : MP_EVENT_CONNECTION_REMOVED, host, NULL,
	                reason);
}

static void on_room(void *owner)
{
	struct mp_host *host = owner;
	host->session->room = true;
	mp_session_post(host->session);
}

// One bucket for all hosts of the session: a cluster that comes back is not stormed.
static bool may_open(void *owner)
{
	struct mp_host *host = owner;
	struct mp_session *session = host->session;
	struct mp_hosts *hosts = &session->hosts;
	double rate = session->config.connects_per_second;
	if (rate <= 0)
		return true;
	uint64_t now_ns = mp_loop_now_ns(session->loop);
	hosts->open_tokens += rate * (double)(now_ns - hosts->open_tokens_ns) / 1e9;
	hosts->open_tokens_ns = now_ns;
	if (hosts->open_tokens > rate)
		hosts->open_tokens = rate;
	if (hosts->open_tokens < 1)
		return false;
	hosts->open_tokens -= 1;
	return true;
}

static enum mp_reconnect_reason reason_of(enum mp_close_reason why)
{
	switch (why) {
	case MP_CLOSE_CONNECT: return MP_RECONNECT_UNREACHABLE;
	case MP_CLOSE_HANDSHAKE_TIMEOUT: return MP_RECONNECT_CONNECT_TIMEOUT;
	case MP_CLOSE_AUTH: return MP_RECONNECT_AUTH_FAILED;
	case MP_CLOSE_IDENTITY: return MP_RECONNECT_WRONG_NODE;
	case MP_CLOSE_VERSION:
	case MP_CLOSE_HANDSHAKE: return MP_RECONNECT_HANDSHAKE_REFUSED;
	case MP_CLOSE_LOCAL: return MP_RECONNECT_LOCAL_FAILURE;
	default: return MP_RECONNECT_CONNECTION_LOST;
	}
}

// When it is tried again is the policy's to say, if there is one.
static bool retry_delay(void *owner, uint32_t failures, enum mp_close_reason why, uint64_t *delay_ms)
{
	struct mp_host *host = owner;
	const struct mp_reconnect_policy *policy = &host->session->policies.reconnect;
	if (policy->delay == NULL)
		return false;
	struct mp_reconnect_view view = {
		.attempt = failures,
		.why = (uint8_t)reason_of(why),
		.isLocal = host->distance == MP_DISTANCE_LOCAL,
	};
	return policy->delay(policy->self, &view, delay_ms);
}

static void on_empty(void *owner)
{
	struct mp_host *host = owner;
	host->empty = true;
	mp_session_post(host->session);
}

// ---- life -------------------------------------------------------------------------------------------------

static const struct mp_pool_events pool_events = {
	.on_up = on_up,
	.on_down = on_down,
	.on_added = on_added,
	.on_removed = on_removed,
	.on_room = on_room,
	.may_open = may_open,
	.retry_delay = retry_delay,
	.on_empty = on_empty,
};

// With a failover policy every datacentre may have to serve, and home is watched while another one does.
static enum mp_distance distance_of(const struct mp_session *session, const char *dc)
{
	const char *serving = mp_session_serving_dc(session);
	if (serving != NULL && strcmp(serving, dc) == 0)
		return MP_DISTANCE_LOCAL;
	bool connects =
		session->config.connect_remote || session->policies.failover.decide != NULL || session->away;
	return connects && session->config.remote.core > 0 ? MP_DISTANCE_REMOTE : MP_DISTANCE_IGNORED;
}

// Of its distance, and not more than its datacentre's region allows.
static struct mp_pool_limits limits_of(const struct mp_session *session, const struct mp_host *host)
{
	const struct mp_session_config *config = &session->config;
	bool is_local = host->distance == MP_DISTANCE_LOCAL ||
	                mp_failover_prepares(&session->failover, session->view.hosts[host->index].dcId);
	struct mp_pool_limits limits = is_local ? config->local : config->remote;
	for (size_t i = 0; i < config->region_count && host->dc != NULL; i++) {
		uint32_t most = config->regions[i].max_connections;
		if (most == 0 || strcmp(config->regions[i].dc, host->dc) != 0)
			continue;
		limits.max = limits.max < most ? limits.max : most;
		limits.core = limits.core < most ? limits.core : most;
	}
	return limits;
}

static uint16_t priority_of(const struct mp_session_config *config, const char *dc)
{
	for (size_t i = 0; i < config->region_count; i++)
		if (strcmp(config->regions[i].dc, dc) == 0)
			return config->regions[i].priority;
	return 0;
}

// What the configuration makes of the place where it stands.
static void weigh_place(struct mp_host *host)
{
	struct mp_session *session = host->session;
	struct mp_host_view *view = view_of(host);
	const char *rack = session->config.local_rack;
	host->distance = distance_of(session, host->dc);
	view->isLocal = host->distance == MP_DISTANCE_LOCAL;
	view->isLocalRack = view->isLocal && rack != NULL && strcmp(rack, host->rack) == 0;
	mp_view_set_priority(&session->view, view->dcId, priority_of(&session->config, host->dc));
}

static void tell_names(struct mp_host *host)
{
	char id[MP_UUID_TEXT];
	mp_uuid_format(&host->host_id, id);
	mp_view_name_host(&host->session->view, host->index, host->addr_text, id);
}

static bool replace_text(char **to, const char *text)
{
	if (*to != NULL && text != NULL && strcmp(*to, text) == 0)
		return true;
	char *copy = text != NULL ? mp_strdup(text) : NULL;
	if (text != NULL && copy == NULL)
		return false;
	mp_free(*to);
	*to = copy;
	return true;
}

// Where it stands: names, ids, distance. False: out of memory or too many datacentres; the old stays.
static bool place(struct mp_host *host, const struct mp_node_row *row)
{
	struct mp_session *session = host->session;
	int dc_id = mp_view_dc_id(&session->view, row->dc);
	int rack_id = mp_view_rack_id(&session->view, row->dc, row->rack);
	if (dc_id < 0 || rack_id < 0 || !replace_text(&host->dc, row->dc) ||
	    !replace_text(&host->rack, row->rack) || !replace_text(&host->release_version, row->release_version))
		return false;
	struct mp_host_view *view = view_of(host);
	view->dcId = (uint16_t)dc_id;
	view->rackId = (uint16_t)rack_id;
	weigh_place(host);
	if (view->isLocal)
		session->view.local_dc = view->dcId;
	return true;
}

static void set_addr(struct mp_host *host, const struct mp_addr *addr)
{
	host->addr = *addr;
	mp_addr_format(addr, host->addr_text);
}

static void enter_view(struct mp_host *host)
{
	struct mp_view *view = &host->session->view;
	struct mp_host_view *slot = view_of(host);
	uint32_t generation = slot->generation + 1;
	*slot = (struct mp_host_view){.index = host->index, .generation = generation, .weight = 1};
	if (view->host_count <= host->index)
		view->host_count = (uint32_t)host->index + 1;
}

struct mp_host *mp_host_new(struct mp_session *session, uint16_t index, const struct mp_node_row *row)
{
	struct mp_host *host = mp_calloc(1, sizeof(*host));
	if (host == NULL)
		return NULL;
	host->session = session;
	host->index = index;
	host->host_id = row->host_id;
	host->state = MP_HOST_NEW;
	host->state_since_ms = mp_loop_now_ms(session->loop);
	host->down_code = -1;
	host->version = session->version;
	set_addr(host, &row->addr);
	enter_view(host);
	bool placed = place(host, row);
	tell_names(host);
	struct mp_pool_limits limits = limits_of(session, host);
	mp_pool_init(&host->pool, session->loop, &session->settings[host->version], &host->addr, &host->host_id,
	             &limits, &pool_events, host);
	if (!placed) {
		mp_host_free(host);
		return NULL;
	}
	return host;
}

void mp_host_free(struct mp_host *host)
{
	mp_pool_deinit(&host->pool);
	mp_free(host->dc);
	mp_free(host->rack);
	mp_free(host->release_version);
	mp_free(host);
}

void mp_host_open(struct mp_host *host)
{
	if (host->distance != MP_DISTANCE_IGNORED)
		mp_pool_open(&host->pool);
}

// To what its distance and its datacentre allow now.
void mp_host_resize(struct mp_host *host)
{
	struct mp_pool_limits limits = limits_of(host->session, host);
	if (host->distance == MP_DISTANCE_IGNORED)
		limits.core = 0;
	mp_pool_set_limits(&host->pool, &limits);
	if (host->session->hosts.opened)
		mp_host_open(host);
}

void mp_host_update(struct mp_host *host, const struct mp_node_row *row)
{
	enum mp_distance before = host->distance;
	if (!place(host, row)) {
		mp_log_write(&host->session->log, MP_LOG_WARN, "%s: its new place could not be noted",
		             host->addr_text);
		return;
	}
	if (!mp_addr_eq(&host->addr, &row->addr)) {
		char old[MP_ADDR_TEXT];
		memcpy(old, host->addr_text, sizeof(old));
		set_addr(host, &row->addr);
		mp_log_write(&host->session->log, MP_LOG_INFO, "%s has moved to %s", old, host->addr_text);
		mp_pool_set_addr(&host->pool, &host->addr);
	}
	tell_names(host);
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
	weigh_place(host);
	mp_pool_each(&host->pool, set_heartbeat, &host->session->config);
	mp_host_resize(host);
	if (rotate != NULL)
		mp_pool_rotate(&host->pool, rotate);
}

void mp_host_relocate(struct mp_host *host)
{
	weigh_place(host);
	mp_host_resize(host);
}

// ---- hints ------------------------------------------------------------------------------------------------

void mp_hosts_hint_up(struct mp_host *host)
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
void mp_hosts_hint_down(struct mp_host *host)
{
	mp_pool_each(&host->pool, probe, NULL);
}
