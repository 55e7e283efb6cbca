// SPDX-License-Identifier: Apache-2.0
// Invariants: while SEEKING there is a connection opening, a name being resolved, or pump() is about to end the round;
// `chosen` is set exactly while READING or STANDING; a candidate is freed only when it has no connection.
#include "cluster/control.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/session_internal.h"

#define HINTED_MS 100u

static void pump(struct mp_control *control);
static void on_timer(void *data);

static struct mp_candidate *candidate_of(struct mp_list_node *node)
{
	return MP_CONTAINER_OF(node, struct mp_candidate, node);
}

static void set_state(struct mp_control *control, enum mp_control_state state)
{
	static const char *const names[] = {"off", "seeking", "reading", "standing", "waiting"};
	mp_log_write(&control->session->log, MP_LOG_DEBUG, "control: %s -> %s", names[control->state],
	             names[state]);
	control->state = state;
}

int mp_control_init(struct mp_control *control, struct mp_session *session)
{
	const struct mp_session_config *config = &session->config;
	*control = (struct mp_control){
		.session = session,
		.backoff = {.base_ms = config->local.reconnect_base_ms, .max_ms = config->local.reconnect_max_ms},
	};
	mp_list_init(&control->candidates);
	mp_timer_init(&control->timer, session->loop, on_timer, control);
	control->contacts = mp_control_new_contacts(control, config->contact_point_count);
	return control->contacts == NULL ? MP_ENOMEM : 0;
}

struct mp_contact *mp_control_new_contacts(struct mp_control *control, size_t count)
{
	struct mp_contact *contacts = mp_calloc(count + 1, sizeof(*contacts));
	for (size_t i = 0; contacts != NULL && i < count; i++)
		contacts[i].control = control;
	return contacts;
}

void mp_control_deinit(struct mp_control *control)
{
	mp_assert(control->contacts == NULL || mp_control_is_quiet(control));
	mp_free(control->contacts);
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

static void add_candidate(struct mp_control *control, const struct mp_addr *addr,
                          const struct mp_uuid *host_id)
{
	struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node)) {
		const struct mp_candidate *other = candidate_of(node);
		// A known host that failed under its id may be another node at the same address now.
		bool same_wish = host_id != NULL || mp_uuid_is_nil(&other->host_id) || other->err != MP_ECLUSTER;
		if (mp_addr_eq(&other->addr, addr) && same_wish)
			return;
	}
	struct mp_candidate *candidate =
		control->candidates.count < MP_CONTROL_CANDIDATES ? mp_calloc(1, sizeof(*candidate)) : NULL;
	if (candidate == NULL)
		return;
	candidate->control = control;
	candidate->addr = *addr;
	if (host_id != NULL)
		candidate->host_id = *host_id;
	const struct mp_session *session = control->session;
	candidate->version = session->version != 0 ? session->version : MP_PROTOCOL_MAX;
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
	mp_log_write(&candidate->control->session->log, MP_LOG_DEBUG, "control: %s: %s", addr, message);
}

uint8_t mp_version_below(const struct mp_session *session, uint8_t version, uint8_t hint)
{
	if (session->config.protocol_version != 0)
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
	uint8_t version = mp_version_below(candidate->control->session, candidate->version, end->version_hint);
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
	struct mp_session *session = candidate->control->session;
	const struct mp_uuid *host_id = mp_uuid_is_nil(&candidate->host_id) ? NULL : &candidate->host_id;
	int rc = 0;
	candidate->dropped = false;
	candidate->conn = mp_conn_open(session->loop, &session->control_settings[candidate->version],
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

static void cancel_names(struct mp_control *control)
{
	for (size_t i = 0; i < control->session->config.contact_point_count; i++) {
		if (control->contacts[i].resolve != NULL)
			mp_resolve_cancel(control->contacts[i].resolve);
		control->contacts[i].resolve = NULL;
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
	cancel_names(control);
	drop_others(control);
	set_state(control, MP_CONTROL_READING);
	if (control->session->version == 0) {
		control->session->version = candidate->version;
		mp_log_write(&control->session->log, MP_LOG_INFO, "protocol version %u", candidate->version);
	}
	mp_topology_start(&control->session->topology, conn);
}

static void on_event(void *owner, struct mp_conn *conn, const struct mp_envelope *event)
{
	struct mp_candidate *candidate = owner;
	(void)conn;
	if (candidate->control->chosen == candidate)
		mp_topology_on_event(&candidate->control->session->topology, event);
}

static void lost_chosen(struct mp_control *control, const struct mp_conn_end *end)
{
	struct mp_candidate *candidate = control->chosen;
	bool was_standing = control->state == MP_CONTROL_STANDING;
	control->chosen = NULL;
	mp_topology_stop(&control->session->topology);
	if (candidate->err == 0)
		fail_candidate(candidate, end->err, end->server_code, end->message);
	char addr[MP_ADDR_TEXT];
	mp_addr_format(&candidate->addr, addr);
	mp_log_write(&control->session->log, MP_LOG_INFO, "the control connection to %s ended: %s", addr,
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
		mp_session_post(control->session);
}

// ---- names ------------------------------------------------------------------------------------------------

static void on_resolved(void *data, int rc, const struct mp_addr *addrs, size_t count)
{
	struct mp_contact *contact = data;
	struct mp_control *control = contact->control;
	contact->resolve = NULL;
	contact->done = true;
	contact->failed = rc != 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		add_candidate(control, &addrs[i], NULL);
	pump(control);
}

static void ask_contact(struct mp_control *control, size_t i)
{
	const struct mp_contact_point *point = &control->session->config.contact_points[i];
	struct mp_contact *contact = &control->contacts[i];
	struct mp_addr addr;
	int rc = 0;
	if (mp_addr_parse_ip(point->host, point->port, &addr) == 0) {
		contact->done = true;
		add_candidate(control, &addr, NULL);
		return;
	}
	contact->resolve =
		mp_loop_resolve(control->session->loop, point->host, point->port, on_resolved, contact, &rc);
	contact->done = contact->failed = contact->resolve == NULL;
}

static void ask_contacts(struct mp_control *control)
{
	control->asked_contacts = true;
	bool waits = false;
	for (size_t i = 0; i < control->session->config.contact_point_count; i++) {
		if (!control->contacts[i].done && control->contacts[i].resolve == NULL)
			ask_contact(control, i);
		waits |= control->contacts[i].resolve != NULL;
	}
	if (waits && mp_timer_start_ms(&control->timer, control->session->config.connect_timeout_ms) != 0)
		mp_log_write(&control->session->log, MP_LOG_WARN,
		             "out of memory for a timer: names have no deadline");
}

static bool is_resolving(const struct mp_control *control)
{
	for (size_t i = 0; i < control->session->config.contact_point_count; i++)
		if (control->contacts[i].resolve != NULL)
			return true;
	return false;
}

// ---- seeking ----------------------------------------------------------------------------------------------

static void name_failed(const struct mp_control *control, size_t i, struct mp_error *error)
{
	const struct mp_contact_point *point = &control->session->config.contact_points[i];
	char text[MP_ADDR_TEXT];
	snprintf(text, sizeof(text), "%s", point->host);
	mp_error_add(error, text, MP_ERESOLVE, -1, 0, mp_str_of("the name could not be resolved"));
}

static void describe_round(const struct mp_control *control, struct mp_error *error)
{
	mp_error_set(error, MP_ENOHOST, -1, "no contact point could be used");
	for (size_t i = 0; i < control->session->config.contact_point_count; i++)
		if (control->contacts[i].failed)
			name_failed(control, i, error);
	int last_err = MP_ENOHOST;
	const struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node)) {
		const struct mp_candidate *candidate = candidate_of((struct mp_list_node *)(uintptr_t)node);
		char addr[MP_ADDR_TEXT];
		mp_addr_format(&candidate->addr, addr);
		mp_error_add(error, addr, candidate->err, candidate->server_code, 0, mp_str_of(candidate->message));
		if (candidate->err == MP_EAUTH || candidate->err == MP_ECLUSTER || candidate->err == MP_EUNSUPPORTED)
			last_err = candidate->err;
	}
	mp_error_tell(error, last_err);
}

static void clear_round(struct mp_control *control)
{
	cancel_names(control);
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
	struct mp_error *error = &control->session->connect_error;
	describe_round(control, error);
	if (!control->was_standing) {
		set_state(control, MP_CONTROL_OFF);
		clear_round(control);
		mp_session_no_contact(control->session, error);
		return;
	}
	uint64_t held;
	if (mp_log_gate_open(&control->complaints, mp_loop_now_ms(control->session->loop), 10000, &held))
		mp_log_write(&control->session->log, MP_LOG_WARN, "no control connection: %s", error->message);
	set_state(control, MP_CONTROL_WAITING);
	clear_round(control);
	uint32_t delay_ms = mp_reconnect_next_ms(&control->backoff, mp_loop_rand(control->session->loop));
	if (mp_timer_start_ms(&control->timer, delay_ms) != 0)
		mp_log_write(&control->session->log, MP_LOG_ERROR,
		             "out of memory for the control connection's timer");
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

static void pump(struct mp_control *control)
{
	if (control->state != MP_CONTROL_SEEKING)
		return;
	uint32_t opening = open_untried(control);
	if (opening == 0 && !control->asked_contacts) {
		ask_contacts(control);
		opening = open_untried(control);
	}
	if (opening == 0 && !is_resolving(control))
		end_round(control);
}

// SEEKING: names that take too long have failed. WAITING: the next round.
static void on_timer(void *data)
{
	struct mp_control *control = data;
	if (control->state == MP_CONTROL_WAITING) {
		mp_control_start(control);
		return;
	}
	for (size_t i = 0; i < control->session->config.contact_point_count; i++) {
		struct mp_contact *contact = &control->contacts[i];
		if (contact->resolve != NULL)
			contact->done = contact->failed = true;
	}
	cancel_names(control);
	pump(control);
}

// Known hosts: those that are up first, then the others; the one that was just lost comes last.
static void add_known(struct mp_control *control)
{
	const struct mp_hosts *hosts = &control->session->hosts;
	for (int pass = 0; pass < 3; pass++) {
		for (uint32_t i = 0; i < hosts->live_count; i++) {
			const struct mp_host *host = hosts->live[i];
			bool lost = mp_addr_eq(&host->addr, &control->lost_addr);
			int wanted = lost ? 2 : host->state == MP_HOST_UP ? 0 : 1;
			if (pass == wanted)
				add_candidate(control, &host->addr, &host->host_id);
		}
	}
}

void mp_control_start(struct mp_control *control)
{
	mp_assert(control->chosen == NULL);
	clear_round(control);
	set_state(control, MP_CONTROL_SEEKING);
	control->asked_contacts = false;
	for (size_t i = 0; i < control->session->config.contact_point_count; i++)
		control->contacts[i].done = control->contacts[i].failed = false;
	if (control->was_standing)
		add_known(control);
	else
		ask_contacts(control);
	pump(control);
}

void mp_control_read_done(struct mp_control *control, int rc, const char *why)
{
	struct mp_candidate *candidate = control->chosen;
	if (candidate == NULL)
		return;
	if (rc != 0) {
		fail_candidate(candidate, rc, -1, why);
		mp_conn_close(candidate->conn, MP_CLOSE_ASKED, why);
		return;
	}
	if (control->state != MP_CONTROL_READING)
		return;
	char addr[MP_ADDR_TEXT];
	mp_addr_format(&candidate->addr, addr);
	set_state(control, MP_CONTROL_STANDING);
	mp_log_write(&control->session->log, MP_LOG_INFO, "the control connection stands at %s", addr);
	control->was_standing = true;
	mp_reconnect_reset(&control->backoff);
	control->lost_addr = (struct mp_addr){.ip_len = 0};
}

void mp_control_move(struct mp_control *control, const char *why)
{
	if (control->chosen != NULL)
		mp_conn_close(control->chosen->conn, MP_CLOSE_ASKED, why);
}

void mp_control_forget_contacts(struct mp_control *control)
{
	cancel_names(control);
	mp_free(control->contacts);
	control->contacts = NULL;
}

void mp_control_take_contacts(struct mp_control *control, struct mp_contact *contacts)
{
	const struct mp_session_config *config = &control->session->config;
	control->contacts = contacts;
	control->backoff.base_ms = config->local.reconnect_base_ms;
	control->backoff.max_ms = config->local.reconnect_max_ms;
	if (control->state != MP_CONTROL_SEEKING || !control->asked_contacts)
		return;
	mp_timer_stop(&control->timer);
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
	uint64_t soon_ns = mp_loop_now_ns(control->session->loop) + HINTED_MS * UINT64_C(1000000);
	if (control->state != MP_CONTROL_WAITING ||
	    (mp_timer_active(&control->timer) && control->timer.deadline_ns <= soon_ns))
		return;
	if (mp_timer_start_at_ns(&control->timer, soon_ns) != 0)
		mp_log_write(&control->session->log, MP_LOG_WARN, "out of memory for the control connection's timer");
}

void mp_control_stop(struct mp_control *control)
{
	if (control->state != MP_CONTROL_OFF)
		set_state(control, MP_CONTROL_OFF);
	control->was_standing = false;
	mp_topology_stop(&control->session->topology);
	clear_round(control);
	struct mp_list_node *node = mp_list_first(&control->candidates);
	for (; node != NULL; node = mp_list_next(&control->candidates, node))
		mp_conn_close(candidate_of(node)->conn, MP_CLOSE_ASKED, "the session closes");
}

bool mp_control_is_quiet(const struct mp_control *control)
{
	return control->state == MP_CONTROL_OFF && control->candidates.count == 0;
}
