// SPDX-License-Identifier: Apache-2.0
// How a request ends: once, with what a node answered or with an error, now or later in the turn.
//
// Invariant: on_done is the last thing that happens to a request before it is the caller's again.
#include <stdarg.h>

#include "cluster/journal.h"
#include "cluster/request/agreement.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

static void count(struct mp_session *session, const struct mp_outcome *outcome)
{
	mp_assert(session->live > 0);
	session->live--;
	if (MP_UNLIKELY(outcome->error != NULL && outcome->error->err == MP_ECANCELLED)) {
		session->counters.cancelled++; // which is nobody's failure, and no time that a request takes
		return;
	}
	mp_window_add(&session->metrics.requests, outcome->latency_ns / 1000);
	if (MP_LIKELY(outcome->error == NULL))
		return;
	session->counters.errors++;
	if (outcome->error->err == MP_ETIMEOUT)
		session->counters.timeouts++;
}

static void release(struct mp_request_state *state)
{
	if (state->placement != NULL)
		mp_placement_unref(state->placement);
	state->placement = NULL;
}

static MP_COLD void tell_watchers(struct mp_request *request, const struct mp_outcome *outcome)
{
	if (request->state->decision != 0)
		mp_decisions_ended(request, outcome);
	if (request->state->arms.round != 0)
		mp_request_arms_ended(request, outcome);
}

void mp_request_end(struct mp_request *request, struct mp_outcome *outcome)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	struct mp_error *error = state->error;
	mp_request_enter(request, MP_REQUEST_TAKEN);
	release(state);
	outcome->attempts = state->attempt_count;
	outcome->latency_ns = mp_loop_now_ns(session->loop) - state->submitted_ns;
	state->error = NULL;
	if (MP_LIKELY(!state->is_carrier))
		count(session, outcome);
	else
		session->live--;
	if (MP_UNLIKELY(session->journals) && !state->is_carrier)
		mp_journal_ended(request, outcome);
	if (MP_UNLIKELY((state->decision | state->arms.round) != 0))
		tell_watchers(request, outcome);
	request->on_done(request, outcome);
	if (MP_UNLIKELY(error != NULL))
		mp_slab_give(&session->errors, error);
	if (MP_UNLIKELY(session->state != MP_SESSION_OPEN))
		mp_session_post(session);
}

// ---- failing ----------------------------------------------------------------------------------------------

// A request that has no host left to try met a server's error or a timeout last: that is why it failed.
static int headline(const struct mp_error *error, int err)
{
	if (err != MP_ENOHOST || error->attempt_count == 0)
		return err;
	int last = error->attempts[error->attempt_count - 1].err;
	return last == MP_ESERVER || last == MP_ETIMEOUT ? last : MP_ENOHOST;
}

static void tell_failure(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	struct mp_error *error = mp_request_error(request);
	error->maybe_applied = state->maybe_applied;
	struct mp_outcome outcome = {
		.error = error,
		.host = state->host != MP_NO_HOST ? request->session->hosts.slots[state->host] : NULL,
	};
	mp_request_end(request, &outcome);
}

void mp_request_fail(struct mp_request *request, enum mp_request_when when, int err, const char *format, ...)
{
	struct mp_error *error = mp_request_error(request);
	if (error->attempt_count > 0) {
		mp_error_tell(error, headline(error, err));
	} else if (request->state->error != NULL) {
		va_list args;
		va_start(args, format);
		mp_error_vset(error, err, -1, format, args);
		va_end(args);
	}
	if (when == MP_REQUEST_NOW)
		tell_failure(request);
	else
		mp_request_enter(request, MP_REQUEST_ENDING);
}

// A callback may end requests that are still to come, or add others: those are told in the next chores.
void mp_requests_tell_ended(struct mp_session *session)
{
	struct mp_list_node *node;
	for (size_t left = session->ending.count; left > 0; left--) {
		if ((node = mp_list_first(&session->ending)) == NULL)
			return;
		tell_failure(mp_request_at(node));
	}
	if (session->ending.count > 0)
		mp_session_post(session);
}

static void fail_list(struct mp_list *list)
{
	struct mp_list_node *node;
	while ((node = mp_list_first(list)) != NULL)
		mp_request_fail(mp_request_at(node), MP_REQUEST_LATER, MP_ECLOSED, "the session was closed");
}

void mp_requests_fail_idle(struct mp_session *session)
{
	mp_merges_fail_open(&session->merges);
	fail_list(&session->room.waiting);
	fail_list(&session->delayed);
	mp_agreements_hurry(session);
}

void mp_request_reject(struct mp_request *request, int rc)
{
	struct mp_request_state *state = request->state;
	if (MP_UNLIKELY(state->decision != 0))
		mp_decisions_dropped(request, rc);
	mp_assert(state->phase == MP_REQUEST_TAKEN);
	mp_deadline_stop(&state->due);
	release(state);
	if (state->error != NULL)
		mp_slab_give(&request->session->errors, state->error);
	state->error = NULL;
}

// ---- cancelled --------------------------------------------------------------------------------------------

// Whether a node has what it asks for, or will have it: bytes that wait for their socket are not taken back.
static bool is_with_a_node(const struct mp_request_state *state)
{
	switch (state->phase) {
	case MP_REQUEST_SENT:
	case MP_REQUEST_AGREEING: return true;
	case MP_REQUEST_MERGED: return !state->merge->is_open;
	default: return false;
	}
}

static void note_cancelled(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	uint64_t now_ns = mp_loop_now_ns(session->loop);
	for (const struct mp_attempt *attempt = state->attempts; attempt != NULL; attempt = attempt->next) {
		uint64_t ms = (now_ns - attempt->began_ns) / 1000000;
		state->host = attempt->host;
		mp_error_add(mp_request_error(request), session->hosts.slots[attempt->host]->addr_text, MP_ECANCELLED,
		             -1, (uint32_t)ms, mp_str_of(""));
	}
	state->maybe_applied |= mp_replay_rule(MP_OUTCOME_TIMEOUT, state->replay_class).maybe_applied;
}

bool mp_request_cancel(struct mp_request *request)
{
	uint8_t phase = request->state->phase;
	if (phase == MP_REQUEST_TAKEN || phase == MP_REQUEST_ENDING)
		return false;
	if (is_with_a_node(request->state))
		note_cancelled(request);
	while (request->state->attempts != NULL) // says nothing about their hosts
		mp_attempt_end(request->state->attempts);
	mp_request_fail(request, MP_REQUEST_LATER, MP_ECANCELLED, "%s", mp_err_text(MP_ECANCELLED));
	return true;
}
