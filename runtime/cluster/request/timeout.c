// SPDX-License-Identifier: Apache-2.0
// When time is up. An attempt has a time of its own, so that some is left for another one behind it; a request that
// waits has all of its time.
//
// Invariant: a request that is neither at rest nor AGREEING has one deadline, which is not later than that of its
// oldest attempt. When it comes it is looked at who is really due, so it need not move with each attempt that ends.
#include <stdio.h>

#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define NS_PER_MS UINT64_C(1000000)

int mp_request_watch(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	struct mp_deadlines *deadlines = &request->session->deadlines;
	if (state->submitted_ns == mp_loop_now_ns(request->session->loop))
		return mp_deadline_start(deadlines, &state->due, state->timeout_ms);
	return mp_deadline_start_at(deadlines, &state->due, state->deadline_ns);
}

static int watch_again(struct mp_attempt *attempt)
{
	struct mp_request *request = attempt->request;
	return mp_deadline_start_at(&request->session->deadlines, &request->state->due,
	                            mp_attempt_until_ns(attempt));
}

bool mp_request_is_under_way(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	while (MP_UNLIKELY(state->attempts != NULL)) {
		if (state->due.in != NULL || watch_again(state->attempts) == 0)
			return true;
		// Nothing is waited for without a deadline, and for this one there is no memory.
		state->maybe_applied |= mp_replay_rule(MP_OUTCOME_TIMEOUT, state->replay_class).maybe_applied;
		mp_attempt_end(state->attempts);
	}
	return false;
}

// ---- an attempt -------------------------------------------------------------------------------------------

// The call becomes an orphan. What was not sent yet will be: a request that was abandoned may always be applied.
static void time_out(struct mp_attempt *attempt, void (*tell)(struct mp_attempt *, const struct mp_failure *))
{
	struct mp_session *session = attempt->request->session;
	uint64_t ms = (mp_loop_now_ns(session->loop) - attempt->began_ns) / NS_PER_MS;
	char message[96];
	snprintf(message, sizeof(message), "no answer within %llu ms", (unsigned long long)ms);
	struct mp_failure failure = {
		.outcome = MP_OUTCOME_TIMEOUT,
		.err = MP_ETIMEOUT,
		.server_code = -1,
		.message = mp_str_of(message),
	};
	session->hosts.slots[attempt->host]->timeouts++;
	mp_attempt_was_silent(attempt);
	mp_attempt_judge(attempt, MP_VERDICT_TIMED_OUT);
	tell(attempt, &failure);
}

// What comes already need not be asked for again: the attempt has all of the request's time. Should the answer stop,
// the probe will notice.
static bool is_arriving(const struct mp_attempt *attempt)
{
	if (!mp_call_is_arriving(&attempt->call, attempt->began_ns))
		return false;
	mp_conn_probe(attempt->conn);
	return true;
}

// The oldest attempt whose time is up. NULL: none, and the deadline is that of the next one.
static struct mp_attempt *find_due(struct mp_request *request)
{
	uint64_t now_ns = mp_loop_now_ns(request->session->loop);
	struct mp_attempt *attempt = request->state->attempts;
	for (; attempt != NULL; attempt = attempt->next) {
		if (mp_attempt_until_ns(attempt) > now_ns)
			return watch_again(attempt) == 0 ? NULL : attempt;
		if (!is_arriving(attempt))
			return attempt;
	}
	return mp_request_watch(request) == 0 ? NULL : request->state->attempts;
}

// ---- the request ------------------------------------------------------------------------------------------

static void time_is_up(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	while (state->phase == MP_REQUEST_SENT && state->attempts != NULL) {
		time_out(state->attempts, mp_attempt_note);
		mp_attempt_end(state->attempts);
	}
	mp_request_fail(request, MP_REQUEST_NOW, MP_ETIMEOUT, "no %s within %u ms",
	                state->phase == MP_REQUEST_WAITING ? "connection had room" : "host knew the statement",
	                state->timeout_ms);
}

void mp_request_on_due(void *owner, struct mp_deadline *deadline)
{
	struct mp_session *session = owner;
	struct mp_request_state *state = MP_CONTAINER_OF(deadline, struct mp_request_state, due);
	struct mp_request *request = mp_request_of(state);
	if (mp_loop_now_ns(session->loop) >= state->deadline_ns) {
		time_is_up(request);
		return;
	}
	struct mp_attempt *attempt = find_due(request);
	if (attempt != NULL)
		time_out(attempt, mp_attempt_failed);
}
