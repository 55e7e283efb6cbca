// SPDX-License-Identifier: Apache-2.0
// Which requests may have speculative attempts, when they get them, and that there is no end of budget for them.
//
// Invariant: speculative attempts are under way only while the request is SENT, each on a host of its own, because a
// plan gives no host twice.
#include "cluster/request/speculative.h"

#include "cluster/request/request.h"
#include "cluster/session_internal.h"

// ---- who may have them ------------------------------------------------------------------------------------

static bool is_serial(uint16_t consistency)
{
	return consistency == MP_CL_SERIAL || consistency == MP_CL_LOCAL_SERIAL;
}

// The gate of speculation: no policy is asked about what does not pass. A serial read is a round of Paxos, which a
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
	uint8_t sent = request->state->speculation.sent;
	if (policy->after == NULL || sent >= MP_SPECULATIVE_MAX)
		return MP_SPECULATE_NEVER;
	struct mp_request_view view;
	mp_request_view(request, &view);
	mp_request_meets(request->state, MP_ARM_SPECULATE);
	return policy->after(policy->self, &view, 1u + sent);
}

// ---- sending ----------------------------------------------------------------------------------------------

// The budget, a host, room: without one of them there is no further attempt, and none later.
static bool send_one(struct mp_request *request)
{
	struct mp_session *session = request->session;
	if (!mp_budget_allows_speculation(&session->budget)) {
		session->counters.speculative_refused++;
		return false;
	}
	struct mp_attempt *attempt = mp_slab_take(&session->attempts);
	if (attempt == NULL)
		return false;
	*attempt = (struct mp_attempt){
		.call = {.on_answer = mp_attempt_on_answer},
		.request = request,
		.is_speculative = true,
	};
	if (mp_attempt_to_next_host(attempt) != 0) {
		mp_slab_give(&session->attempts, attempt);
		return false;
	}
	mp_budget_pay(&session->budget);
	request->state->speculation.sent++;
	session->counters.speculative++;
	return true;
}

// The delay begins now. Without memory for it there is no further attempt.
static void wait(struct mp_request *request)
{
	struct mp_speculation *speculation = &request->state->speculation;
	uint32_t ms = speculation->after_ms > 0 ? speculation->after_ms : 1;
	if (mp_deadline_start(&request->session->speculating, &speculation->due, ms) != 0)
		speculation->after_ms = MP_SPECULATE_NEVER;
}

// All that are due at once, and the wait for the one behind them.
static void send_due(struct mp_request *request)
{
	struct mp_speculation *speculation = &request->state->speculation;
	speculation->after_ms = 0;
	while (speculation->after_ms == 0)
		speculation->after_ms = send_one(request) ? ask_policy(request) : MP_SPECULATE_NEVER;
	if (speculation->after_ms >= request->state->timeout_ms)
		speculation->after_ms = MP_SPECULATE_NEVER;
	else
		wait(request);
}

void mp_speculation_begin(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	struct mp_speculation *speculation = &state->speculation;
	speculation->sent = 0;
	if (!may_run_twice(request))
		return;
	speculation->after_ms = ask_policy(request);
	if (speculation->after_ms >= state->timeout_ms)
		return;
	state->is_speculated = true;
	if (state->phase != MP_REQUEST_SENT)
		return;
	if (speculation->after_ms == 0)
		send_due(request);
	else
		wait(request);
}

// So waiting for room, preparing again and a retry do not count.
void mp_speculation_again(struct mp_request *request)
{
	const struct mp_speculation *speculation = &request->state->speculation;
	if (request->state->is_speculated && request->state->phase == MP_REQUEST_SENT &&
	    speculation->after_ms != MP_SPECULATE_NEVER)
		wait(request);
}

void mp_speculation_on_due(void *owner, struct mp_deadline *deadline)
{
	struct mp_session *session = owner;
	struct mp_request_state *state = MP_CONTAINER_OF(deadline, struct mp_request_state, speculation.due);
	if (session->state == MP_SESSION_OPEN && state->phase == MP_REQUEST_SENT)
		send_due(mp_request_of(state));
}

void mp_speculation_end(struct mp_request *request)
{
	request->state->is_speculated = false;
	mp_deadline_stop(&request->state->speculation.due);
}
