// SPDX-License-Identifier: Apache-2.0
// A host that forgot a statement is told it again, once for all requests that met the gap there; then each is
// sent again to the same host. The new id must be the old one: another id would be another statement. A statement that
// is doubted is told to a host before it is used there.
#include <stdio.h>

#include "base/mem.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

static struct mp_reprepare *find(struct mp_session *session, const struct mp_prepared *prepared,
                                 uint16_t host)
{
	struct mp_list_node *node = mp_list_first(&session->repreparing);
	for (; node != NULL; node = mp_list_next(&session->repreparing, node)) {
		struct mp_reprepare *flight = MP_CONTAINER_OF(node, struct mp_reprepare, node);
		if (flight->prepared == prepared && flight->host == host)
			return flight;
	}
	return NULL;
}

bool mp_reprepare_is_under_way(const struct mp_prepared *prepared, uint16_t host)
{
	return find(prepared->session, prepared, host) != NULL;
}

// The flight is over: its requests move on, each by its own.
static void free_flight(struct mp_reprepare *flight)
{
	mp_assert(flight->waiters.count == 0);
	mp_prepared_unref(flight->prepared);
	mp_session_post(flight->session);
	mp_free(flight);
}

static void fail_waiters(struct mp_reprepare *flight, const struct mp_failure *failure)
{
	struct mp_list_node *node;
	while ((node = mp_list_first(&flight->waiters)) != NULL)
		mp_attempt_failed(mp_request_at(node)->state->attempts, failure);
}

static void resume_waiters(struct mp_reprepare *flight)
{
	struct mp_list_node *node;
	while ((node = mp_list_first(&flight->waiters)) != NULL) {
		struct mp_request *request = mp_request_at(node);
		struct mp_request_state *state = request->state;
		state->host = state->attempts->host;
		state->same_host = true;
		mp_attempt_end(state->attempts);
		mp_request_try_again(request);
	}
}

static void fail_with(struct mp_reprepare *flight, uint8_t outcome, int err, int32_t server_code,
                      struct mp_str message)
{
	char text[120];
	int len = (int)(message.len < 90 ? message.len : 90);
	snprintf(text, sizeof(text), "preparing again: %.*s", len, message.data);
	struct mp_failure failure = {
		.outcome = outcome,
		.err = err,
		.server_code = server_code,
		.harmless = true, // EXECUTE was refused, and PREPARE changes nothing
		.message = mp_str_of(text),
	};
	fail_waiters(flight, &failure);
}

static void on_prepared(void *data, int rc, const struct mp_envelope *answer)
{
	struct mp_reprepare *flight = data;
	struct mp_prepared *prepared = flight->prepared;
	struct mp_result_body result;
	struct mp_error_body error;
	// Off the list first: a request that has to wait for another PREPARE begins a new flight.
	mp_list_remove(&flight->session->repreparing, &flight->node);
	prepared->preparing--;
	if (rc == 0)
		rc = mp_prepare_read(answer, &result, &error);
	if (rc == 0 && !mp_str_eq(result.prepared_id, prepared->id)) {
		fail_with(flight, MP_OUTCOME_INVALID, MP_EPROTO, -1,
		          mp_str_of("the node knows this statement by another id"));
	} else if (rc == 0) {
		mp_prepared_renew(prepared, &result, flight->asked_ns);
		resume_waiters(flight);
	} else if (rc == MP_ESERVER) {
		fail_with(flight, (uint8_t)mp_replay_outcome_of_error(error.code, error.write_type), MP_ESERVER,
		          error.code, error.message);
	} else {
		if (rc == MP_EPROTO)
			mp_prepare_refuse(flight->query.conn, &result);
		fail_with(flight, MP_OUTCOME_NOT_SENT, rc, -1, mp_str_of(mp_err_text(rc)));
	}
	if (rc == 0) {
		mp_metadata_unref(result.params);
		mp_metadata_unref(result.result);
	}
	free_flight(flight);
}

static struct mp_reprepare *start(struct mp_attempt *attempt, struct mp_prepared *prepared)
{
	struct mp_request *request = attempt->request;
	struct mp_session *session = request->session;
	struct mp_reprepare *flight = mp_calloc(1, sizeof(*flight));
	if (flight == NULL)
		return NULL;
	flight->session = session;
	flight->host = attempt->host;
	flight->asked_ns = mp_loop_now_ns(session->loop);
	mp_list_init(&flight->waiters);
	mp_list_node_init(&flight->node);
	mp_query_init(&flight->query, session->loop, on_prepared, flight);
	int rc = mp_query_send_prepare(&flight->query, attempt->conn, prepared->cql, prepared->sent_keyspace,
	                               request->state->attempt_ms);
	if (rc != 0) {
		mp_free(flight);
		return NULL;
	}
	flight->prepared = mp_prepared_ref(prepared);
	prepared->preparing++;
	mp_list_push_back(&session->repreparing, &flight->node);
	session->counters.reprepared++;
	return flight;
}

static struct mp_reprepare *find_or_start(struct mp_attempt *attempt, struct mp_prepared *prepared)
{
	struct mp_reprepare *flight = find(attempt->request->session, prepared, attempt->host);
	return flight != NULL ? flight : start(attempt, prepared);
}

void mp_reprepare_host(struct mp_attempt *attempt, struct mp_prepared *prepared)
{
	if (find_or_start(attempt, prepared) == NULL)
		mp_log_write(&attempt->request->session->log, MP_LOG_DEBUG,
		             "a host could not be told a statement again");
}

static void wait_for(struct mp_request *request, struct mp_reprepare *flight)
{
	if (request->state->phase == MP_REQUEST_PREPARING)
		mp_request_enter(request, MP_REQUEST_SENT); // it leaves the flight of the host before
	request->state->reprepare = flight;
	mp_request_enter(request, MP_REQUEST_PREPARING);
	// The flight has a deadline of its own, so only the request's counts here.
	if (mp_request_watch(request) != 0)
		mp_log_write(&request->session->log, MP_LOG_WARN,
		             "out of memory for a deadline: that of PREPARE stands in");
}

void mp_attempt_reprepare(struct mp_attempt *attempt, struct mp_prepared *prepared)
{
	struct mp_request *request = attempt->request;
	struct mp_session *session = request->session;
	struct mp_reprepare *flight = find_or_start(attempt, prepared);
	if (flight == NULL) {
		// No room for PREPARE on that connection, or it closes: another host may know the statement.
		struct mp_failure failure = {
			.outcome = MP_OUTCOME_NOT_SENT,
			.err = session->state == MP_SESSION_OPEN ? MP_EBUSY : MP_ECLOSED,
			.server_code = -1,
			.harmless = true,
			.message = mp_str_of("the statement could not be prepared again"),
		};
		mp_attempt_failed(attempt, &failure);
		return;
	}
	wait_for(request, flight);
}

int mp_attempt_prepare_first(struct mp_attempt *attempt, struct mp_prepared *prepared)
{
	struct mp_reprepare *flight = find_or_start(attempt, prepared);
	if (flight == NULL)
		return MP_EBUSY;
	wait_for(attempt->request, flight);
	return 0;
}
