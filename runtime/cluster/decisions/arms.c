// SPDX-License-Identifier: Apache-2.0
// Requests while a new generation of a policy is on trial: whose each is, and what became of it.
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

MP_COLD void mp_request_deal(struct mp_request *request)
{
	struct mp_session *session = request->session;
	const struct mp_canary_calls *canary = &session->policies.canary;
	struct mp_request_state *state = request->state;
	canary->deal(canary->self, state->has_token, state->token, &state->arms);
	session->counters.canary_requests += (state->arms.candidate & MP_ARMS_SERVED) != 0 ? 1 : 0;
	// What names its host, or belongs to home while another datacentre serves, is planned by C.
	if (request->options.pinned_host == MP_NO_HOST && !session->away)
		mp_request_meets(state, MP_ARM_BALANCE);
}

// One whose caller went says nothing.
MP_COLD void mp_request_arms_ended(struct mp_request *request, const struct mp_outcome *outcome)
{
	const struct mp_canary_calls *canary = &request->session->policies.canary;
	struct mp_request_arms arms = request->state->arms;
	request->state->arms.round = 0;
	bool is_cancelled = outcome->error != NULL && outcome->error->err == MP_ECANCELLED;
	if (*canary->running == 0 || is_cancelled)
		return;
	struct mp_canary_outcome seen = {
		.failed = outcome->error != NULL,
		.attempts = outcome->attempts,
		.latency_us = outcome->latency_ns / 1000,
	};
	canary->ended(canary->self, &arms, &seen);
}
