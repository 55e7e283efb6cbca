// SPDX-License-Identifier: Apache-2.0
// One look is two questions to the coordinator: its own schema version, then what it knows of its peers'. Looks follow
// one another with growing pauses. Invariant: between two looks no query waits and the timer runs; during a look it is
// the other way round.
#include "cluster/request/agreement.h"

#include "base/mem.h"
#include "cluster/session_internal.h"

#define PATIENCE_MS      10000u
#define FIRST_PAUSE_MS   20u
#define LONGEST_PAUSE_MS 500u
#define REFUSALS_MAX     5u                  // in a row: the tables are not for us, and time will not help
#define ROWS_MAX         (2u * MP_HOSTS_MAX) // that can be of hosts we know

struct mp_agreement {
	struct mp_list_node node; // in session->agreeing
	struct mp_session *session;
	struct mp_request *request;
	struct mp_query query;
	struct mp_timer timer;
	struct mp_arena arena; // of the answer's strings
	struct mp_result_body result;
	struct mp_response_prefix prefix;
	uint64_t give_up_ns;
	uint32_t pause_ms;
	uint32_t refusals; // of its questions, in a row
	uint16_t host;     // the coordinator
	bool asks_peers;
	struct mp_uuid version; // the coordinator's
};

static void ask_coordinator(struct mp_agreement *agreement);

void mp_agreement_drop(struct mp_agreement *agreement)
{
	mp_query_cancel(&agreement->query);
	mp_timer_stop(&agreement->timer);
	mp_list_remove(&agreement->session->agreeing, &agreement->node);
	mp_arena_deinit(&agreement->arena);
	mp_free(agreement);
}

// The agreement ends with its request, the copy of the answer after it was told.
static void finish(struct mp_agreement *agreement, bool agreed)
{
	struct mp_session *session = agreement->session;
	struct mp_result_body result = agreement->result;
	struct mp_response_prefix prefix = agreement->prefix;
	struct mp_arena arena = agreement->arena;
	mp_arena_init(&agreement->arena);
	if (agreement->refusals == REFUSALS_MAX)
		mp_log_write(&session->log, MP_LOG_WARN,
		             "whether the hosts agree on the schema is not known: the node refuses to tell");
	else if (!agreed)
		mp_log_write(&session->log, MP_LOG_WARN, "the hosts do not agree on the schema yet");
	struct mp_outcome outcome = {
		.result = &result,
		.host = session->hosts.slots[agreement->host],
		.schema_disagrees = !agreed,
		.prefix = &prefix,
	};
	mp_prepares_doubt_result(&session->prepares, &result); // whatever was prepared before they agreed
	mp_request_end(agreement->request, &outcome);
	mp_arena_deinit(&arena);
}

static void ask_later(struct mp_agreement *agreement)
{
	uint64_t now_ns = mp_loop_now_ns(agreement->session->loop);
	uint64_t next_ns = now_ns + (uint64_t)agreement->pause_ms * 1000000;
	if (next_ns > agreement->give_up_ns)
		next_ns = agreement->give_up_ns;
	if (now_ns >= agreement->give_up_ns || mp_timer_start_at_ns(&agreement->timer, next_ns) != 0) {
		finish(agreement, false);
		return;
	}
	agreement->pause_ms =
		agreement->pause_ms * 2 < LONGEST_PAUSE_MS ? agreement->pause_ms * 2 : LONGEST_PAUSE_MS;
}

// A uuid column of a row; false when it is null.
static bool uuid_of(struct mp_bytes value, struct mp_uuid *uuid)
{
	if (value.len != (int32_t)sizeof(uuid->bytes))
		return false;
	for (size_t i = 0; i < sizeof(uuid->bytes); i++)
		uuid->bytes[i] = value.data[i];
	return true;
}

// Whether every host that is up has the coordinator's version. Rows: host_id, schema_version.
static bool peers_agree(const struct mp_agreement *agreement, const struct mp_result_body *result)
{
	struct mp_cursor rows = result->rows;
	for (uint32_t i = 0; i < result->row_count && i < ROWS_MAX; i++) {
		struct mp_bytes values[2];
		struct mp_uuid host_id, version;
		if (mp_row_read(&rows, values, 2) != 0)
			return false;
		if (!uuid_of(values[0], &host_id))
			continue;
		const struct mp_host *host = mp_hosts_by_id(&agreement->session->hosts, &host_id);
		if (host == NULL || host->state != MP_HOST_UP)
			continue;
		if (!uuid_of(values[1], &version) || !mp_uuid_eq(&version, &agreement->version))
			return false;
	}
	return true;
}

static bool read_local(struct mp_agreement *agreement, const struct mp_result_body *result)
{
	struct mp_cursor rows = result->rows;
	struct mp_bytes value;
	return result->row_count == 1 && mp_row_read(&rows, &value, 1) == 0 &&
	       uuid_of(value, &agreement->version);
}

static bool read_rows(const struct mp_envelope *answer, uint32_t columns, struct mp_result_body *result)
{
	struct mp_response_prefix prefix;
	if (answer->opcode != MP_OP_RESULT || mp_decode_prefix(answer, &prefix) != 0 ||
	    mp_decode_result(prefix.body, answer->version, result) != 0)
		return false;
	bool fits = result->kind == MP_RESULT_ROWS && result->column_count == columns;
	mp_result_drop(result);
	return fits;
}

static void on_answer(void *data, int rc, const struct mp_envelope *answer)
{
	struct mp_agreement *agreement = data;
	struct mp_result_body result;
	bool refused = rc == 0 && answer->opcode == MP_OP_ERROR;
	agreement->refusals = refused ? agreement->refusals + 1 : 0;
	bool readable = rc == 0 && read_rows(answer, agreement->asks_peers ? 2 : 1, &result);
	if (agreement->refusals == REFUSALS_MAX) {
		finish(agreement, false);
	} else if (!readable) {
		ask_later(agreement);
	} else if (!agreement->asks_peers) {
		agreement->asks_peers = read_local(agreement, &result);
		if (agreement->asks_peers)
			ask_coordinator(agreement);
		else
			ask_later(agreement);
	} else if (peers_agree(agreement, &result)) {
		finish(agreement, true);
	} else {
		agreement->asks_peers = false;
		ask_later(agreement);
	}
}

// The coordinator is asked through whatever connection it has now; without one there is nobody to ask.
static void ask_coordinator(struct mp_agreement *agreement)
{
	struct mp_session *session = agreement->session;
	struct mp_host *host = session->hosts.slots[agreement->host];
	struct mp_conn *conn = host != NULL && host->state == MP_HOST_UP ? mp_pool_take(&host->pool) : NULL;
	if (session->state != MP_SESSION_OPEN || host == NULL || host->state != MP_HOST_UP) {
		finish(agreement, false);
		return;
	}
	const char *cql = agreement->asks_peers ? "SELECT host_id, schema_version FROM system.peers"
	                                        : "SELECT schema_version FROM system.local WHERE key = 'local'";
	uint64_t now_ns = mp_loop_now_ns(session->loop);
	uint64_t left_ms = agreement->give_up_ns > now_ns ? (agreement->give_up_ns - now_ns) / 1000000 : 0;
	if (conn == NULL || mp_query_send_cql(&agreement->query, conn, cql, (uint32_t)left_ms) != 0) {
		agreement->asks_peers = false;
		ask_later(agreement);
	}
}

static void on_timer(void *data)
{
	ask_coordinator(data);
}

static bool copy_text(struct mp_arena *arena, struct mp_str *text)
{
	*text = mp_arena_str(arena, *text);
	return text->data != NULL;
}

static bool copy_result(struct mp_agreement *agreement, const struct mp_result_body *result)
{
	struct mp_arena *arena = &agreement->arena;
	struct mp_result_body *copy = &agreement->result;
	*copy = *result;
	return copy_text(arena, &copy->change) && copy_text(arena, &copy->target) &&
	       copy_text(arena, &copy->change_keyspace) && copy_text(arena, &copy->change_name);
}

int mp_agreement_start(struct mp_request *request, uint16_t host, const struct mp_response_prefix *prefix,
                       const struct mp_result_body *result)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	struct mp_agreement *agreement = mp_calloc(1, sizeof(*agreement));
	if (agreement == NULL)
		return MP_ENOMEM;
	mp_arena_init(&agreement->arena);
	agreement->session = session;
	agreement->request = request;
	agreement->prefix = *prefix;
	agreement->prefix.warning_count = 0; // they were read with the answer's bytes, which are gone by then
	agreement->host = host;
	agreement->pause_ms = FIRST_PAUSE_MS;
	uint64_t patience_ns = mp_loop_now_ns(session->loop) + (uint64_t)PATIENCE_MS * 1000000;
	agreement->give_up_ns = patience_ns < state->deadline_ns ? patience_ns : state->deadline_ns;
	mp_query_init(&agreement->query, session->loop, on_answer, agreement);
	mp_timer_init(&agreement->timer, session->loop, on_timer, agreement);
	mp_list_node_init(&agreement->node);
	// The first look is not from inside the answer, whose connection may be closing.
	if (!copy_result(agreement, result) || mp_timer_start_ms(&agreement->timer, 0) != 0) {
		mp_arena_deinit(&agreement->arena);
		mp_free(agreement);
		return MP_ENOMEM;
	}
	mp_list_push_back(&session->agreeing, &agreement->node);
	state->agreement = agreement;
	mp_request_enter(request, MP_REQUEST_AGREEING);
	return 0;
}

// The session closes: they end in this turn or the next, not from inside of close.
void mp_agreements_hurry(struct mp_session *session)
{
	struct mp_list_node *node = mp_list_first(&session->agreeing);
	for (; node != NULL; node = mp_list_next(&session->agreeing, node)) {
		struct mp_agreement *agreement = MP_CONTAINER_OF(node, struct mp_agreement, node);
		mp_query_cancel(&agreement->query);
		if (mp_timer_start_ms(&agreement->timer, 0) != 0)
			mp_log_write(&session->log, MP_LOG_WARN, "out of memory for a timer of a schema statement");
	}
}
