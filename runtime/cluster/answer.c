// SPDX-License-Identifier: Apache-2.0
// Reading the answer to an attempt: rows and other results go to the caller in place, errors become failures for the
// gate, and what fits neither ends the connection.
#include <stdio.h>
#include <string.h>

#include "cluster/agreement.h"
#include "cluster/request_internal.h"
#include "cluster/session_internal.h"

#define LATENCY_SHARE  8      // a new measurement's weight in the moving mean is 1/8
#define LATENCY_OLD_MS 5000.0 // after so long without one it is the mean: it tells about now

void mp_request_measure(struct mp_session *session, const struct mp_host *host, uint64_t us)
{
	struct mp_host_view *view = &session->view.hosts[host->index];
	uint32_t *mean = &view->latencyUs;
	double now_ms = (double)mp_loop_now_ms(session->loop);
	bool is_old = now_ms - view->latencyAtMs > LATENCY_OLD_MS;
	view->latencyAtMs = now_ms;
	uint32_t sample = us > UINT32_MAX / 2 ? UINT32_MAX / 2 : us == 0 ? 1 : (uint32_t)us;
	if (*mean == 0 || is_old)
		*mean = sample;
	else
		*mean = (uint32_t)((int64_t)*mean + ((int64_t)sample - (int64_t)*mean) / LATENCY_SHARE);
}

static void measure(struct mp_request *request, struct mp_host *host)
{
	uint64_t us = (mp_loop_now_ns(request->session->loop) - request->state->attempt_ns) / 1000;
	mp_hist_add(&host->latency_us, us);
	mp_request_measure(request->session, host, us);
}

// ---- failures ---------------------------------------------------------------------------------------------

static void connection_failed(struct mp_request *request, int rc)
{
	// A host that was removed closes its connections; only the user closes the session.
	if (rc == MP_ECLOSED && request->session->state == MP_SESSION_OPEN)
		rc = MP_ELOST;
	struct mp_failure failure = {
		.outcome = (uint8_t)mp_replay_outcome_of_loss(request->state->call.sent),
		.err = rc,
		.server_code = -1,
		.message = mp_str_of(mp_err_text(rc)),
	};
	mp_request_failed(request, &failure);
}

// The node broke the protocol: nothing on that connection can be believed any more.
static void broken(struct mp_request *request, const char *what)
{
	mp_conn_close(request->state->conn, MP_CLOSE_PROTOCOL, what);
	struct mp_failure failure = {
		.outcome = MP_OUTCOME_LOST,
		.err = MP_EPROTO,
		.server_code = -1,
		.message = mp_str_of(what),
	};
	mp_request_failed(request, &failure);
}

// Memory was short for an answer that is here: whatever the statement did is done.
static void no_memory(struct mp_request *request)
{
	struct mp_failure failure = {
		.outcome = MP_OUTCOME_UNKNOWN_CODE,
		.err = MP_ENOMEM,
		.server_code = -1,
		.message = mp_str_of("out of memory for the answer"),
	};
	mp_request_failed(request, &failure);
}

static void server_failed(struct mp_request *request, const struct mp_error_body *error)
{
	const struct mp_prepared *prepared = request->prepared;
	if (error->code == MP_SE_UNPREPARED) {
		bool ours = prepared != NULL && (error->id.len == 0 || mp_str_eq(error->id, prepared->id));
		if (!ours) {
			broken(request, "UNPREPARED for a statement that was not asked for");
			return;
		}
		if (request->state->copies != NULL) {
			mp_reprepare_host(request);
		} else if (request->state->used[MP_OUTCOME_UNPREPARED] <
		           mp_replay_rule(MP_OUTCOME_UNPREPARED, request->state->replay_class).most) {
			mp_request_reprepare(request);
			return;
		}
	}
	struct mp_failure failure = {
		.outcome = (uint8_t)mp_replay_outcome_of_error(error->code, error->write_type),
		.err = MP_ESERVER,
		.server_code = error->code,
		.consistency = error->consistency,
		.required = error->required,
		.received = error->received,
		.write_type = (uint8_t)error->write_type,
		.data_present = error->data_present,
		.message = error->message,
	};
	mp_request_failed(request, &failure);
}

// ---- results ----------------------------------------------------------------------------------------------

// NULL: fits. Otherwise what is wrong with it.
static const char *misfit(const struct mp_request *request, const struct mp_result_body *result)
{
	const struct mp_metadata *captured = request->state->metadata;
	switch (result->kind) {
	case MP_RESULT_VOID:
	case MP_RESULT_SCHEMA: return NULL;
	case MP_RESULT_ROWS:
		if (result->metadata != NULL)
			return NULL;
		if (captured == NULL)
			return "rows without metadata, which were not asked for";
		return captured->column_count == result->column_count ? NULL
		                                                      : "rows of another shape than was announced";
	case MP_RESULT_SET_KEYSPACE: return "the keyspace of one connection was changed";
	case MP_RESULT_PREPARED: return "PREPARED as the answer to a statement";
	}
	return "a result of an unknown kind";
}

// What the node says about the columns of a statement holds for its next answers. On v5 it is told only when it
// changed, with the name it has from now on; before, with every answer.
static void learn(struct mp_prepared *prepared, const struct mp_result_body *result, uint8_t version)
{
	bool renamed = result->new_metadata_id.len > 0;
	bool changed = version < 5 && result->metadata != prepared->result && prepared->result != NULL &&
	               prepared->result->column_count > 0;
	if (renamed || changed)
		mp_prepared_set_result(prepared, result->new_metadata_id, result->metadata);
}

static void succeeded(struct mp_request *request, const struct mp_response_prefix *prefix,
                      const struct mp_result_body *result)
{
	struct mp_session *session = request->session;
	if (MP_UNLIKELY(request->state->may_copy)) {
		session->counters.speculative_wins += request->state->is_copy ? 1 : 0;
		mp_copies_end(request);
	}
	if (result->metadata != NULL && request->prepared != NULL)
		learn(request->prepared, result, session->cluster.version);
	bool others = session->view.up_count > 1;
	if (MP_UNLIKELY(result->kind == MP_RESULT_SCHEMA) && others &&
	    mp_agreement_start(request, prefix, result) == 0)
		return;
	struct mp_outcome outcome = {
		.result = result,
		.metadata = result->metadata != NULL ? result->metadata : request->state->metadata,
		.host = session->hosts.slots[request->state->host],
		.has_trace_id = prefix->has_trace_id,
		.trace_id = prefix->trace_id,
		.warning_count = prefix->warning_count,
		.warnings = prefix->warnings,
	};
	mp_request_end(request, &outcome);
}

static void read_result(struct mp_request *request, const struct mp_envelope *answer,
                        const struct mp_response_prefix *prefix)
{
	struct mp_result_body result;
	struct mp_metadata *known = request->prepared != NULL ? request->prepared->result : NULL;
	int rc = mp_decode_result_like(prefix->body, answer->version, known, &result);
	if (MP_UNLIKELY(rc != 0)) {
		if (rc == MP_ENOMEM)
			no_memory(request);
		else
			broken(request, "a malformed RESULT");
		return;
	}
	const char *wrong = misfit(request, &result);
	if (MP_LIKELY(wrong == NULL))
		succeeded(request, prefix, &result);
	else
		broken(request, wrong);
	mp_result_drop(&result);
}

static void read_error(struct mp_request *request, const struct mp_envelope *answer,
                       const struct mp_response_prefix *prefix)
{
	struct mp_error_body error;
	if (mp_decode_error(prefix->body, answer->version, &error) == 0)
		server_failed(request, &error);
	else
		broken(request, "a malformed ERROR");
}

void mp_request_on_answer(struct mp_call *call, int rc, const struct mp_envelope *answer)
{
	struct mp_request_cell *cell = MP_CONTAINER_OF(call, struct mp_request_cell, state.call);
	struct mp_request *request = &cell->request;
	mp_request_leave(request);
	if (MP_UNLIKELY(rc != 0)) {
		connection_failed(request, rc);
		return;
	}
	measure(request, request->session->hosts.slots[cell->state.host]);
	struct mp_response_prefix prefix;
	if (MP_UNLIKELY(mp_decode_prefix(answer, &prefix) != 0))
		broken(request, "a malformed answer");
	else if (MP_LIKELY(answer->opcode == MP_OP_RESULT))
		read_result(request, answer, &prefix);
	else if (answer->opcode == MP_OP_ERROR)
		read_error(request, answer, &prefix);
	else
		broken(request, "an answer of the wrong kind");
}
