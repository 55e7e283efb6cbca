// SPDX-License-Identifier: Apache-2.0
// How often and how soon a request moves to another host after an attempt that failed there: the failover limits of the
// configuration. What certainly was not sent has failed nowhere and only looks for a place.
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define DELAY_MAX_MS 3600000u

static bool is_left(const struct mp_request *request)
{
	const struct mp_failover_limits *limits = &request->session->config.failover;
	return limits->enabled && request->state->moves < limits->max_moves;
}

bool mp_move_is_allowed(struct mp_request *request)
{
	bool allowed = is_left(request);
	request->session->counters.move_refused += allowed ? 0 : 1;
	return allowed;
}

uint32_t mp_move_make(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	const struct mp_failover_limits *limits = &request->session->config.failover;
	double wait_ms = limits->delay_ms;
	for (uint32_t i = 0; i < state->moves && wait_ms < DELAY_MAX_MS; i++)
		wait_ms *= limits->multiplier;
	if (state->moves < UINT8_MAX)
		state->moves++;
	if (!is_left(request)) // the attempt that follows is the last one that a silent host may cost
		state->attempt_ms = state->timeout_ms;
	request->session->counters.moved++;
	return wait_ms < DELAY_MAX_MS ? (uint32_t)wait_ms : DELAY_MAX_MS;
}
