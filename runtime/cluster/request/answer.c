// SPDX-License-Identifier: Apache-2.0
// Reading the answer to an attempt: rows and other results go to the caller in place, errors become failures for the
// gate, and what fits neither ends the connection.
#include <stdio.h>
#include <string.h>

#include "cluster/request/agreement.h"
#include "cluster/request/batch.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

// ---- failures ---------------------------------------------------------------------------------------------

static void connection_failed(struct mp_attempt *attempt, int rc)
{
	// A host that was removed closes its connections; only the user closes the session.
	if (rc == MP_ECLOSED && attempt->request->session->state == MP_SESSION_OPEN)
		rc = MP_ELOST;
	struct mp_failure failure = {
		.outcome = (uint8_t)mp_replay_outcome_of_loss(attempt->call.sent),
		.err = rc,
		.server_code = -1,
		.message = mp_str_of(mp_err_text(rc)),
	};
	mp_attempt_failed(attempt, &failure);
}

// The node broke the protocol: nothing on that connection can be believed any more.
static void broken(struct mp_attempt *attempt, const char *what)
{
	mp_conn_close(attempt->conn, MP_CLOSE_PROTOCOL, what);
	struct mp_failure failure = {
		.outcome = MP_OUTCOME_LOST,
		.err = MP_EPROTO,
		.server_code = -1,
		.message = mp_str_of(what),
	};
	mp_attempt_failed(attempt, &failure);
}

// Memory was short for an answer that is here: whatever the statement did is done.
static void no_memory(struct mp_attempt *attempt)
{
	struct mp_failure failure = {
		.outcome = MP_OUTCOME_UNKNOWN_CODE,
		.err = MP_ENOMEM,
		.server_code = -1,
		.message = mp_str_of("out of memory for the answer"),
	};
	mp_attempt_failed(attempt, &failure);
}

// What the error says about the node itself; most tell of the statement or of other nodes.
static enum mp_breaker_verdict verdict_of(int32_t code)
{
	switch (code) {
	case MP_SE_OVERLOADED: return MP_VERDICT_OVERLOADED;
	case MP_SE_SERVER_ERROR: return MP_VERDICT_SERVER_ERROR;
	case MP_SE_IS_BOOTSTRAPPING: return MP_VERDICT_BOOTSTRAPPING;
	default: return MP_VERDICT_GOOD;
	}
}

// What the server finds invalid may be another statement by now.
static void doubt(struct mp_attempt *attempt, int32_t code)
{
	const struct mp_request *request = attempt->request;
	if (code != MP_SE_INVALID && code != MP_SE_SERVER_ERROR)
		return;
	if (request->prepared != NULL && mp_prepared_is_due(request->prepared))
		mp_reprepare_host(attempt, request->prepared);
	else if (request->batch != NULL)
		mp_batch_doubt(request->batch);
}

// The statement of this request that UNPREPARED names, and how often hosts were told it again. NULL: none of them.
static struct mp_prepared *forgotten(struct mp_request *request, struct mp_str id, uint8_t **told)
{
	struct mp_prepared *prepared = request->prepared;
	if (MP_UNLIKELY(request->batch != NULL)) {
		struct mp_batch_prepared *entry = mp_batch_find(request->batch, id);
		if (entry == NULL)
			return NULL;
		*told = &entry->told;
		return entry->prepared;
	}
	*told = &request->state->used[MP_OUTCOME_UNPREPARED];
	return prepared != NULL && (id.len == 0 || mp_str_eq(id, prepared->id)) ? prepared : NULL;
}

// True: it is dealt with. Otherwise the gate decides.
static bool unprepared(struct mp_attempt *attempt, const struct mp_error_body *error)
{
	struct mp_request *request = attempt->request;
	uint8_t *told;
	struct mp_prepared *prepared = forgotten(request, error->id, &told);
	if (prepared == NULL) {
		broken(attempt, "UNPREPARED for a statement that was not asked for");
		return true;
	}
	if (!mp_attempt_is_alone(attempt)) {
		mp_reprepare_host(attempt, prepared);
		return false;
	}
	if (*told >= mp_replay_rule(MP_OUTCOME_UNPREPARED, request->state->replay_class).most)
		return false;
	++*told;
	mp_attempt_reprepare(attempt, prepared);
	return true;
}

// What a server says, or what to do about it where its own words do not help who asks through moonpool.
static struct mp_str words_of(const struct mp_error_body *error)
{
	static const char paging[] = "Cannot page queries";
	bool cannot_page = error->code == MP_SE_INVALID && error->message.len >= sizeof(paging) - 1 &&
	                   memcmp(error->message.data, paging, sizeof(paging) - 1) == 0;
	return cannot_page ? mp_str_of("Cannot page queries with ORDER BY and IN on the partition key: ask for "
	                               "all rows at once, with fetchSize = 0")
	                   : error->message;
}

static void server_failed(struct mp_attempt *attempt, const struct mp_error_body *error)
{
	mp_attempt_judge(attempt, verdict_of(error->code));
	doubt(attempt, error->code);
	if (error->code == MP_SE_UNPREPARED && unprepared(attempt, error))
		return;
	struct mp_failure failure = {
		.outcome = (uint8_t)mp_replay_outcome_of_error(error->code, error->write_type),
		.err = MP_ESERVER,
		.server_code = error->code,
		.consistency = error->consistency,
		.required = error->required,
		.received = error->received,
		.write_type = (uint8_t)error->write_type,
		.data_present = error->data_present,
		.message = words_of(error),
	};
	mp_attempt_failed(attempt, &failure);
}

// ---- results ----------------------------------------------------------------------------------------------

// NULL: fits. Otherwise what is wrong with it.
static const char *misfit(const struct mp_attempt *attempt, const struct mp_result_body *result)
{
	const struct mp_metadata *captured = attempt->metadata;
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

// Values were bound for what a statement is no more.
static bool was_changed(const struct mp_request *request)
{
	if (MP_UNLIKELY(request->batch != NULL))
		return mp_batch_changed(request->batch) != NULL;
	return request->prepared != NULL && request->prepared->generation != request->generation;
}

static void succeeded(struct mp_attempt *attempt, const struct mp_response_prefix *prefix,
                      const struct mp_result_body *result)
{
	struct mp_request *request = attempt->request;
	struct mp_session *session = request->session;
	uint16_t host = attempt->host;
	struct mp_metadata *metadata = attempt->metadata;
	attempt->metadata = NULL;
	if (MP_UNLIKELY(attempt->ticket != 0))
		mp_attempt_judge(attempt, MP_VERDICT_GOOD);
	session->counters.speculative_wins += attempt->is_speculative ? 1 : 0;
	mp_attempt_end(attempt);
	if (MP_UNLIKELY(was_changed(request))) {
		request->state->host = host;
		mp_metadata_unref(metadata);
		mp_request_fail_changed(request);
		return;
	}
	if (result->metadata != NULL && request->prepared != NULL)
		learn(request->prepared, result, session->cluster.version);
	if (MP_UNLIKELY(result->kind == MP_RESULT_SCHEMA))
		mp_prepares_doubt_result(&session->prepares, result);
	struct mp_outcome outcome = {
		.result = result,
		.metadata = result->metadata != NULL ? result->metadata : metadata,
		.host = session->hosts.slots[host],
		.prefix = prefix,
	};
	bool others = session->view.up_count > 1;
	if (MP_LIKELY(result->kind != MP_RESULT_SCHEMA) || !others ||
	    mp_agreement_start(request, host, prefix, result) != 0)
		mp_request_end(request, &outcome);
	mp_metadata_unref(metadata);
}

static void malformed(struct mp_attempt *attempt, const char *why)
{
	char what[128];
	snprintf(what, sizeof(what), "a malformed RESULT: %s", why);
	broken(attempt, what);
}

static void read_result(struct mp_attempt *attempt, const struct mp_envelope *answer,
                        const struct mp_response_prefix *prefix)
{
	struct mp_result_body result;
	const struct mp_prepared *prepared = attempt->request->prepared;
	struct mp_metadata *known = prepared != NULL ? prepared->result : NULL;
	int rc = mp_decode_result_like(prefix->body, answer->version, known, &result);
	if (MP_UNLIKELY(rc != 0)) {
		if (rc == MP_ENOMEM)
			no_memory(attempt);
		else
			malformed(attempt, result.why);
		return;
	}
	const char *wrong = misfit(attempt, &result);
	if (MP_LIKELY(wrong == NULL))
		succeeded(attempt, prefix, &result);
	else
		broken(attempt, wrong);
	mp_result_drop(&result);
}

static void read_error(struct mp_attempt *attempt, const struct mp_envelope *answer,
                       const struct mp_response_prefix *prefix)
{
	struct mp_error_body error;
	if (mp_decode_error(prefix->body, answer->version, &error) == 0)
		server_failed(attempt, &error);
	else
		broken(attempt, "a malformed ERROR: less than it says");
}

void mp_attempt_on_answer(struct mp_call *call, int rc, const struct mp_envelope *answer)
{
	struct mp_attempt *attempt = MP_CONTAINER_OF(call, struct mp_attempt, call);
	if (MP_UNLIKELY(rc != 0)) {
		connection_failed(attempt, rc);
		return;
	}
	// Thousands of others may have been touched since it was sent; these take as long to come as reading the answer does.
	__builtin_prefetch(attempt->request->data[1]);
	__builtin_prefetch(attempt->request->data[2]);
	mp_attempt_was_answered(attempt);
	struct mp_response_prefix prefix;
	if (MP_UNLIKELY(mp_decode_prefix(answer, &prefix) != 0))
		broken(attempt, "a malformed answer: less of a trace id, of warnings or of a payload than it says");
	else if (MP_LIKELY(answer->opcode == MP_OP_RESULT))
		read_result(attempt, answer, &prefix);
	else
		read_error(attempt, answer, &prefix); // the connection lets nothing else answer a statement
}
