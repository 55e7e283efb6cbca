// SPDX-License-Identifier: Apache-2.0
// Speculative execution: further copies of a request that is slow to be answered, each to the next host of its plan.
// The first success wins; the others lose: their calls become orphans, their errors are nobody's.
//
//   one in flight --after(): due--> several in flight --a success--> the request ends, the others are orphaned
//        ^                               |  |
//        +----- all but one failed ------+  +-- the last one failed --> the retry policy decides
//
// Those who read answers and judge failures know one attempt, the current one of the request's state. The others stand
// in state->copies; when one of them is answered, it changes places with the current one first, and when the current
// one is over, the oldest of the others takes its place. So a failure among several is only noted.
//
// Invariant: copies exist only while the request is SENT, beside a current attempt that is in flight; each is on a host
// of its own, because a plan gives no host twice. A copy has no deadline of its own before it is the current attempt.
#include "cluster/request_internal.h"
#include "cluster/session_internal.h"

#define NS_PER_MS UINT64_C(1000000)

static void on_answer(struct mp_call *call, int rc, const struct mp_envelope *answer);

// ---- who may have copies ----------------------------------------------------------------------------------

static bool is_serial(uint16_t consistency)
{
	return consistency == MP_CL_SERIAL || consistency == MP_CL_LOCAL_SERIAL;
}

// The gate of copies: no policy is asked about what does not pass. A serial read is a round of Paxos, which a
// second one beside it would only disturb; whoever names a host wants that one.
static bool may_run_twice(const struct mp_request *request)
{
	const struct mp_request_state *state = request->state;
	const struct mp_request_options *options = &request->options;
	bool is_safe = state->replay_class == MP_REPLAY_READ || state->replay_class == MP_REPLAY_IDEMPOTENT;
	if (!is_safe || is_serial(options->consistency) || options->pinned_host != MP_NO_HOST)
		return false;
	return state->is_plain;
}

static uint32_t ask_policy(struct mp_request *request)
{
	const struct mp_speculate_policy *policy = &request->session->policies.speculate;
	if (policy->after == NULL || request->state->copies_sent >= MP_COPIES_MAX)
		return MP_NO_COPY;
	struct mp_request_view view;
	mp_request_view(request, &view);
	return policy->after(policy->self, &view, 1u + request->state->copies_sent);
}

// ---- sending ----------------------------------------------------------------------------------------------

// The budget, a host, room: without one of them there is no copy, and none later.
static bool send_copy(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	if (!mp_retry_budget_allows_copy(session))
		return false;
	struct mp_copy *copy = mp_slab_take(&session->copies);
	if (copy == NULL)
		return false;
	*copy = (struct mp_copy){.call = {.on_answer = on_answer}, .request = request, .is_copy = true};
	if (mp_request_send_copy(request, copy) != 0) {
		mp_slab_give(&session->copies, copy);
		return false;
	}
	mp_retry_budget_pay_copy(session);
	copy->next = state->copies;
	state->copies = copy;
	state->copies_sent++;
	session->counters.speculative++;
	return true;
}

// The delay begins now. Without memory for it there is no copy.
static void wait(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	uint32_t ms = state->copy_after_ms > 0 ? state->copy_after_ms : 1;
	if (mp_deadline_start(&request->session->ahead, &state->ahead, ms) != 0)
		state->copy_after_ms = MP_NO_COPY;
}

// All that are due at once, and the wait for the one behind them.
static void send_due(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	state->copy_after_ms = 0;
	while (state->copy_after_ms == 0)
		state->copy_after_ms = send_copy(request) ? ask_policy(request) : MP_NO_COPY;
	if (state->copy_after_ms >= state->timeout_ms)
		state->copy_after_ms = MP_NO_COPY;
	else
		wait(request);
}

void mp_copies_begin(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	state->copies_sent = 0;
	if (!may_run_twice(request))
		return;
	state->copy_after_ms = ask_policy(request);
	if (state->copy_after_ms >= state->timeout_ms)
		return;
	state->may_copy = true;
	if (state->phase != MP_REQUEST_SENT)
		return;
	if (state->copy_after_ms == 0)
		send_due(request);
	else
		wait(request);
}

// So waiting for room, preparing again and a retry do not count.
void mp_copies_again(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	if (state->phase == MP_REQUEST_SENT && state->copy_after_ms != MP_NO_COPY)
		wait(request);
}

void mp_copies_on_due(void *owner, struct mp_deadline *deadline)
{
	struct mp_session *session = owner;
	struct mp_request_state *state = MP_CONTAINER_OF(deadline, struct mp_request_state, ahead);
	if (session->state == MP_SESSION_OPEN && state->phase == MP_REQUEST_SENT)
		send_due(&MP_CONTAINER_OF(state, struct mp_request_cell, state)->request);
}

// ---- changing places --------------------------------------------------------------------------------------

// Whichever of the two calls still waits goes on waiting in its new place.
static void swap_places(struct mp_request_state *state, struct mp_copy *copy)
{
	struct mp_call call = {.conn = NULL};
	mp_call_move(&copy->call, &call);
	mp_call_move(&state->call, &copy->call);
	mp_call_move(&call, &state->call);
	struct mp_copy other = *copy;
	copy->host = state->host;
	copy->conn = state->conn;
	copy->metadata = state->metadata;
	copy->attempt_ns = state->attempt_ns;
	copy->is_copy = state->is_copy;
	state->host = other.host;
	state->conn = other.conn;
	state->metadata = other.metadata;
	state->attempt_ns = other.attempt_ns;
	state->is_copy = other.is_copy;
}

static void on_answer(struct mp_call *call, int rc, const struct mp_envelope *answer)
{
	struct mp_copy *copy = MP_CONTAINER_OF(call, struct mp_copy, call);
	struct mp_request_state *state = copy->request->state;
	mp_assert(state->phase == MP_REQUEST_SENT);
	swap_places(state, copy);
	mp_request_on_answer(&state->call, rc, answer);
}

static struct mp_copy *take_oldest(struct mp_request_state *state)
{
	struct mp_copy **oldest = &state->copies;
	for (struct mp_copy **at = &state->copies; *at != NULL; at = &(*at)->next)
		if ((*at)->attempt_ns <= (*oldest)->attempt_ns)
			oldest = at;
	struct mp_copy *copy = *oldest;
	*oldest = copy->next;
	return copy;
}

// ---- deadlines --------------------------------------------------------------------------------------------

static uint64_t attempt_due_ns(const struct mp_request *request)
{
	const struct mp_request_state *state = request->state;
	uint64_t due_ns = state->attempt_ns + state->attempt_ms * NS_PER_MS;
	bool has_own = state->attempt_ms > 0 && due_ns < state->deadline_ns && mp_request_may_move(request);
	return has_own ? due_ns : state->deadline_ns;
}

bool mp_copies_wait_on(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	uint64_t due_ns = attempt_due_ns(request);
	return state->phase == MP_REQUEST_SENT && due_ns > mp_loop_now_ns(session->loop) &&
	       mp_deadline_start_at(&session->deadlines, &state->due, due_ns) == 0;
}

static void leave(struct mp_request *request, struct mp_call *call)
{
	mp_call_abandon(call);
	mp_request_leave(request);
}

bool mp_copies_take_over(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	while (state->copies != NULL) {
		struct mp_copy *copy = take_oldest(state);
		swap_places(state, copy);
		mp_metadata_unref(copy->metadata);
		mp_slab_give(&session->copies, copy);
		bool has_deadline = state->due.in != NULL;
		if (has_deadline ||
		    mp_deadline_start_at(&session->deadlines, &state->due, attempt_due_ns(request)) == 0)
			return true;
		// Nothing is waited for without a deadline, and for this one there is no memory.
		leave(request, &state->call);
		state->maybe_applied |= mp_replay_rule(MP_OUTCOME_TIMEOUT, state->replay_class).maybe_applied;
	}
	return false;
}

// ---- the end ----------------------------------------------------------------------------------------------

// Its host is at least that slow, and its connection is asked for a sign of life: with copies, a host that is silent
// would otherwise cost nobody a timeout, and be noticed late.
static void lose(struct mp_request *request, struct mp_copy *copy)
{
	struct mp_session *session = request->session;
	struct mp_host_view *view = &session->view.hosts[copy->host];
	mp_assert(view->inFlight > 0);
	view->inFlight--;
	mp_call_abandon(&copy->call);
	mp_conn_probe(copy->conn);
	uint64_t us = (mp_loop_now_ns(session->loop) - copy->attempt_ns) / 1000;
	if (us > view->latencyUs)
		mp_request_measure(session, session->hosts.slots[copy->host], us);
	mp_metadata_unref(copy->metadata);
	mp_slab_give(&session->copies, copy);
}

void mp_copies_end(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	state->may_copy = false;
	mp_deadline_stop(&state->ahead);
	while (state->copies != NULL) {
		struct mp_copy *copy = state->copies;
		state->copies = copy->next;
		lose(request, copy);
	}
}
