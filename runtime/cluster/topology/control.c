// SPDX-License-Identifier: Apache-2.0
// Invariants: while SEEKING there is a connection opening, a name being resolved, or pump() is about to end the round;
// `chosen` is set exactly while READING or STANDING; a candidate is freed only when it has no connection.
#include "cluster/topology/control.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/topology/cluster.h"
#include "cluster/topology/hosts.h"
#include "cluster/topology/topology.h"

#define HINTED_MS 100u

static void pump(struct mp_control *control);
static void pump_again(void *owner);
static void on_contact(void *owner, const struct mp_addr *addr);
static void on_timer(void *data);

static struct mp_candidate *candidate_of(struct mp_list_node *node)
{
	return MP_CONTAINER_OF(node, struct mp_candidate, node);
}

static void set_state(struct mp_control *control, enum mp_control_state state)
{
	static const char *const names[] = {"off", "seeking", "reading", "standing", "waiting"};
	mp_log_write(control->cluster->log, MP_LOG_DEBUG, "control: %s -> %s", names[control->state],
	             names[state]);
	control->state = state;
}

static void set_backoff(struct mp_control *control)
{
	const struct mp_session_config *config = control->cluster->config;
	control->backoff.base_ms = config->local.reconnect_base_ms;
	control->backoff.max_ms = config->local.reconnect_max_ms;
}

int mp_control_init(struct mp_control *control, struct mp_cluster *cluster)
{
	*control = (struct mp_control){.cluster = cluster};
	set_backoff(control);
	mp_list_init(&control->candidates);
	mp_timer_init(&control->timer, cluster->loop, on_timer, control);
	mp_contacts_init(&control->contacts, cluster);
	control->contacts.owner = control;
	control->contacts.on_addr = on_contact;
	control->contacts.on_answer = pump_again;
	control->contacts.all = mp_contacts_new(&control->contacts, cluster->config->contact_point_count);
	return control->contacts.all == NULL ? MP_ENOMEM : 0;
}

void mp_control_deinit(struct mp_control *control)
{
	mp_assert(control->contacts.all == NULL || mp_control_is_quiet(control));
	mp_contacts_deinit(&control->contacts);
}

struct mp_conn *mp_control_conn(const struct mp_control *control)
{
	return control->chosen == NULL ? NULL : control->chosen->conn;
}

// ---- candidates -------------------------------------------------------------------------------------------

static void forget_candidate(struct mp_candidate *candidate)
{
	mp_list_remove(&candidate->control->candidates, &candidate->node);
	mp_free(candidate);
}

static bool is_full(const struct mp_control *control, size_t most)
{
	return control->candidates.count >= most;
}

static void add_candidate(struct mp_control *control, const struct mp_addr *addr,
                          const struct mp_uuid *host_id)
{
	if (is_full(control, MP_CONTROL_CANDIDATES))
		return;
	struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node)) {
		const struct mp_candidate *other = candidate_of(node);
		// A known host that failed under its id may be another node at the same address now.
		bool same_wish = host_id != NULL || mp_uuid_is_nil(&other->host_id) || other->err != MP_ECLUSTER;
		if (mp_addr_eq(&other->addr, addr) && same_wish)
			return;
	}
	struct mp_candidate *candidate = mp_calloc(1, sizeof(*candidate));
	if (candidate == NULL)
		return;
	candidate->control = control;
	candidate->addr = *addr;
	if (host_id != NULL)
		candidate->host_id = *host_id;
	const struct mp_cluster *cluster = control->cluster;
	candidate->version = cluster->version != 0 ? cluster->version : MP_PROTOCOL_MAX;
	candidate->server_code = -1;
	mp_list_node_init(&candidate->node);
	mp_list_push_back(&control->candidates, &candidate->node);
}

static void fail_candidate(struct mp_candidate *candidate, int err, int32_t server_code, const char *message)
{
	candidate->tried = true;
	candidate->err = err;
	candidate->server_code = server_code;
	snprintf(candidate->message, sizeof(candidate->message), "%s", message);
	candidate->control->errors++;
	char addr[MP_ADDR_TEXT];
	mp_addr_format(&candidate->addr, addr);
	mp_log_write(candidate->control->cluster->log, MP_LOG_DEBUG, "control: %s: %s", addr, message);
}

uint8_t mp_cluster_version_below(const struct mp_cluster *cluster, uint8_t version, uint8_t hint)
{
	if (cluster->config->protocol_version != 0)
		return 0;
	uint8_t next = (uint8_t)(version - 1);
	if (hint >= MP_PROTOCOL_MIN && hint < next)
		next = hint;
	return next >= MP_PROTOCOL_MIN ? next : 0;
}

// A node that does not speak this version is asked in a lower one. False: it failed for good.
static bool step_down(struct mp_candidate *candidate, const struct mp_conn_end *end)
{
	if (end->reason != MP_CLOSE_VERSION || candidate->steps == MP_CONTROL_STEPS)
		return false;
	uint8_t version =
		mp_cluster_version_below(candidate->control->cluster, candidate->version, end->version_hint);
	if (version == 0)
		return false;
	candidate->version = version;
	candidate->steps++;
	return true;
}

static void on_ready(void *owner, struct mp_conn *conn);
static void on_closed(void *owner, struct mp_conn *conn, const struct mp_conn_end *end);
static void on_event(void *owner, struct mp_conn *conn, const struct mp_envelope *event);

static void open_candidate(struct mp_candidate *candidate)
{
	static const struct mp_conn_events events = {
		.on_ready = on_ready,
		.on_closed = on_closed,
		.on_event = on_event,
	};
	struct mp_cluster *cluster = candidate->control->cluster;
	const struct mp_uuid *host_id = mp_uuid_is_nil(&candidate->host_id) ? NULL : &candidate->host_id;
	int rc = 0;
	candidate->dropped = false;
	candidate->conn = mp_conn_open(cluster->loop, &cluster->control_settings[candidate->version],
	                               &candidate->addr, host_id, true, &events, candidate, &rc);
	if (candidate->conn == NULL)
		fail_candidate(candidate, rc, -1, mp_err_text(rc));
}

// ---- connections of candidates ----------------------------------------------------------------------------

static void drop_others(struct mp_control *control)
{
	struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node)) {
		struct mp_candidate *other = candidate_of(node);
		if (other == control->chosen || other->conn == NULL || other->dropped)
			continue;
		other->dropped = true;
		mp_conn_close(other->conn, MP_CLOSE_ASKED, "another control connection was faster");
	}
}

static void on_ready(void *owner, struct mp_conn *conn)
{
	struct mp_candidate *candidate = owner;
	struct mp_control *control = candidate->control;
	if (control->state != MP_CONTROL_SEEKING || candidate->dropped) {
		mp_conn_close(conn, MP_CLOSE_ASKED, "another control connection was faster");
		candidate->dropped = true;
		return;
	}
	candidate->tried = true;
	control->chosen = candidate;
	mp_timer_stop(&control->timer);
	mp_contacts_cancel(&control->contacts);
	drop_others(control);
	set_state(control, MP_CONTROL_READING);
	if (control->cluster->version == 0) {
		control->cluster->version = candidate->version;
		mp_log_write(control->cluster->log, MP_LOG_INFO, "protocol version %u", candidate->version);
	}
	mp_topology_start(control->cluster->topology, conn, control->settles);
}

static void on_event(void *owner, struct mp_conn *conn, const struct mp_envelope *event)
{
	struct mp_candidate *candidate = owner;
	(void)conn;
	if (candidate->control->chosen == candidate)
		mp_topology_on_event(candidate->control->cluster->topology, event);
}

static void lost_chosen(struct mp_control *control, const struct mp_conn_end *end)
{
	struct mp_candidate *candidate = control->chosen;
	bool was_standing = control->state == MP_CONTROL_STANDING;
	control->chosen = NULL;
	mp_topology_stop(control->cluster->topology);
	if (candidate->err == 0)
		fail_candidate(candidate, end->err, end->server_code, end->message);
	char addr[MP_ADDR_TEXT];
	mp_addr_format(&candidate->addr, addr);
	mp_log_write(control->cluster->log, MP_LOG_INFO, "the control connection to %s ended: %s", addr,
	             candidate->message);
	if (was_standing) {
		control->lost_addr = candidate->addr;
		mp_control_start(control);
		return;
	}
	set_state(control, MP_CONTROL_SEEKING);
	pump(control);
}

static void on_closed(void *owner, struct mp_conn *conn, const struct mp_conn_end *end)
{
	struct mp_candidate *candidate = owner;
	struct mp_control *control = candidate->control;
	mp_assert(candidate->conn == conn);
	candidate->conn = NULL;
	if (control->state == MP_CONTROL_OFF) {
		if (control->chosen == candidate)
			control->chosen = NULL;
		forget_candidate(candidate);
	} else if (control->chosen == candidate) {
		lost_chosen(control, end);
	} else if (!candidate->dropped) {
		if (!step_down(candidate, end))
			fail_candidate(candidate, end->err, end->server_code, end->message);
	}
	mp_conn_free(conn);
	if (control->state == MP_CONTROL_SEEKING)
		pump(control);
	else
		control->cluster->events->on_quiet(control->cluster->owner);
}

// ---- seeking ----------------------------------------------------------------------------------------------

void mp_control_each_failure(const struct mp_control *control,
                             void (*on_failure)(void *data, const char *host, int err, int32_t server_code,
                                                const char *message),
                             void *data)
{
	const struct mp_session_config *config = control->cluster->config;
	for (size_t i = 0; i < config->contact_point_count; i++)
		if (control->contacts.all[i].failed)
			on_failure(data, config->contact_points[i].host, MP_ERESOLVE, -1,
			           strchr(config->contact_points[i].host, '%') == NULL
			               ? "the name could not be resolved"
			               : "this machine has no network interface of that zone (what stands behind %)");
	struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node)) {
		const struct mp_candidate *candidate = candidate_of(node);
		char addr[MP_ADDR_TEXT];
		mp_addr_format(&candidate->addr, addr);
		on_failure(data, addr, candidate->err, candidate->server_code, candidate->message);
	}
}

static void clear_round(struct mp_control *control)
{
	mp_contacts_cancel(&control->contacts);
	mp_timer_stop(&control->timer);
	struct mp_list_node *node = mp_list_first(&control->candidates);
	while (node != NULL) {
		struct mp_list_node *next = mp_list_next(&control->candidates, node);
		if (candidate_of(node)->conn == NULL)
			forget_candidate(candidate_of(node));
		node = next;
	}
}

static void end_round(struct mp_control *control)
{
	struct mp_cluster *cluster = control->cluster;
	set_state(control, control->was_standing ? MP_CONTROL_WAITING : MP_CONTROL_OFF);
	cluster->events->on_unreachable(cluster->owner, control->was_standing);
	clear_round(control);
	if (!control->was_standing)
		return;
	uint32_t delay_ms = mp_reconnect_next_ms(&control->backoff, mp_loop_rand(cluster->loop));
	if (mp_timer_start_ms(&control->timer, delay_ms) != 0)
		mp_log_write(cluster->log, MP_LOG_ERROR, "out of memory for the control connection's timer");
}

static uint32_t open_untried(struct mp_control *control)
{
	uint32_t opening = 0;
	struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node))
		opening += candidate_of(node)->conn != NULL ? 1 : 0;
	for (node = mp_list_first(&control->candidates); node != NULL && opening < MP_CONTROL_PARALLEL;
	     node = mp_list_next(&control->candidates, node)) {
		struct mp_candidate *candidate = candidate_of(node);
		if (candidate->tried || candidate->conn != NULL)
			continue;
		if (opening > 0 && mp_addr_eq(&candidate->addr, &control->lost_addr))
			continue; // only when nobody else is left
		open_candidate(candidate);
		opening += candidate->conn != NULL ? 1 : 0;
	}
	return opening;
}

static void ask_contacts(struct mp_control *control)
{
	control->asked_contacts = true;
	mp_contacts_ask(&control->contacts);
}

// Nodes that did answer, but not who else there is, are better than none.
static bool settle(struct mp_control *control)
{
	bool found = false;
	struct mp_list_node *node = control->settles ? NULL : mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node)) {
		struct mp_candidate *candidate = candidate_of(node);
		if (!candidate->lacks_peers)
			continue;
		candidate->tried = false;
		candidate->err = 0;
		found = true;
	}
	control->settles = control->settles || found;
	return found;
}

static void pump(struct mp_control *control)
{
	if (control->state != MP_CONTROL_SEEKING)
		return;
	uint32_t opening = open_untried(control);
	if (opening == 0 && !control->asked_contacts) {
		ask_contacts(control);
		opening = open_untried(control);
	}
	if (opening > 0 || mp_contacts_are_resolving(&control->contacts))
		return;
	if (!settle(control) || open_untried(control) == 0)
		end_round(control);
}

static void pump_again(void *owner)
{
	pump(owner);
}

static void on_contact(void *owner, const struct mp_addr *addr)
{
	add_candidate(owner, addr, NULL);
}

// The next round.
static void on_timer(void *data)
{
	mp_control_start(data);
}

// Known hosts: those that are up first, then the others, then by their other addresses; where it was lost comes last.
static void add_known(struct mp_control *control)
{
	const struct mp_hosts *hosts = control->cluster->hosts;
	for (int pass = 0; pass < 4; pass++) {
		for (uint32_t i = 0; i < hosts->live_count && !is_full(control, MP_CONTROL_KNOWN); i++) {
			const struct mp_host *host = hosts->live[i];
			const struct mp_endpoints *endpoints = &host->endpoints;
			bool lost = mp_addr_eq(&host->addr, &control->lost_addr);
			int wanted = lost ? 3 : host->state == MP_HOST_UP ? 0 : 1;
			if (pass == wanted)
				add_candidate(control, &host->addr, &host->host_id);
			for (uint8_t way = 0; pass == 2 && way < endpoints->count; way++)
				if (!mp_addr_eq(&endpoints->all[way].addr, &control->lost_addr))
					add_candidate(control, &endpoints->all[way].addr, &host->host_id);
		}
	}
}

void mp_control_start(struct mp_control *control)
{
	mp_assert(control->chosen == NULL);
	clear_round(control);
	set_state(control, MP_CONTROL_SEEKING);
	control->asked_contacts = control->settles = false;
	mp_contacts_begin(&control->contacts);
	if (control->was_standing)
		add_known(control);
	else
		ask_contacts(control);
	pump(control);
}

void mp_control_read_done(struct mp_control *control, int rc, const char *why, bool lacks_peers)
{
	struct mp_candidate *candidate = control->chosen;
	if (candidate == NULL)
		return;
	if (rc != 0) {
		fail_candidate(candidate, rc, -1, why);
		candidate->lacks_peers = lacks_peers;
		mp_conn_close(candidate->conn, MP_CLOSE_ASKED, why);
		return;
	}
	if (control->state != MP_CONTROL_READING)
		return;
	char addr[MP_ADDR_TEXT];
	mp_addr_format(&candidate->addr, addr);
	set_state(control, MP_CONTROL_STANDING);
	mp_log_write(control->cluster->log, MP_LOG_INFO, "the control connection stands at %s", addr);
	control->was_standing = true;
	mp_reconnect_reset(&control->backoff);
	control->lost_addr = (struct mp_addr){.ip_len = 0};
}

void mp_control_move(struct mp_control *control, const char *why)
{
	if (control->chosen != NULL)
		mp_conn_close(control->chosen->conn, MP_CLOSE_ASKED, why);
}

void mp_control_reconfigure(struct mp_control *control)
{
	set_backoff(control);
	if (control->state != MP_CONTROL_SEEKING || !control->asked_contacts)
		return;
	ask_contacts(control);
	pump(control);
}

void mp_control_set_heartbeat(struct mp_control *control, uint32_t interval_ms, uint32_t timeout_ms)
{
	struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node)) {
		struct mp_conn *conn = candidate_of(node)->conn;
		if (conn != NULL)
			mp_conn_set_heartbeat(conn, interval_ms, timeout_ms);
	}
}

void mp_control_hint(struct mp_control *control)
{
	uint64_t soon_ns = mp_loop_now_ns(control->cluster->loop) + HINTED_MS * UINT64_C(1000000);
	if (control->state != MP_CONTROL_WAITING ||
	    (mp_timer_active(&control->timer) && control->timer.deadline_ns <= soon_ns))
		return;
	if (mp_timer_start_at_ns(&control->timer, soon_ns) != 0)
		mp_log_write(control->cluster->log, MP_LOG_WARN, "out of memory for the control connection's timer");
}

void mp_control_stop(struct mp_control *control)
{
	if (control->state != MP_CONTROL_OFF)
		set_state(control, MP_CONTROL_OFF);
	control->was_standing = false;
	mp_topology_stop(control->cluster->topology);
	mp_timer_stop(&control->cluster->topology->translate);
	clear_round(control);
	struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node))
		mp_conn_close(candidate_of(node)->conn, MP_CLOSE_ASKED, "the session closes");
}

bool mp_control_is_quiet(const struct mp_control *control)
{
	return control->state == MP_CONTROL_OFF && control->candidates.count == 0;
}
