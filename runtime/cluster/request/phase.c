// SPDX-License-Identifier: Apache-2.0
// What the phases of a request hold, and which one may follow which. A phase owns what waits in it (a list, a timer,
// the agreement that is looked for): all of it is left and joined here, for mp_request_enter(), the one writer.
//
//   TAKEN --submit--> SENT --answer--> TAKEN (told)
//     |  \             ^ |----schema---> AGREEING ----> TAKEN
//     |   no room      | |----forgot---> PREPARING --told again--> SENT
//     |    \           | +----failed---> DELAYED --the gate's retry--> SENT
//     |     WAITING ---+----room
//     |                                PREPARING <--the statement is doubted-- any that would be SENT
//     +--may be merged--> MERGED --the batch is answered--> TAKEN, or sent alone--> SENT
//     +--cannot begin--> ENDING --told in this turn's chores--> TAKEN
//
//   From each of them it may fail: at once (TAKEN), or later in this turn (ENDING) where no callback may be called,
//   as when it is cancelled.
#include "cluster/request/agreement.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define TO(phase) (1u << MP_REQUEST_##phase)
const uint8_t mp_request_followers[MP_REQUEST_PHASES] = {
	[MP_REQUEST_TAKEN] = TO(SENT) | TO(MERGED) | TO(WAITING) | TO(PREPARING) | TO(ENDING),
	[MP_REQUEST_SENT] =
		TO(SENT) | TO(WAITING) | TO(PREPARING) | TO(DELAYED) | TO(AGREEING) | TO(ENDING) | TO(TAKEN),
	[MP_REQUEST_MERGED] = TO(SENT) | TO(WAITING) | TO(PREPARING) | TO(ENDING) | TO(TAKEN),
	[MP_REQUEST_WAITING] = TO(SENT) | TO(PREPARING) | TO(ENDING) | TO(TAKEN),
	[MP_REQUEST_PREPARING] = TO(SENT) | TO(WAITING) | TO(DELAYED) | TO(ENDING) | TO(TAKEN),
	[MP_REQUEST_DELAYED] = TO(SENT) | TO(WAITING) | TO(PREPARING) | TO(ENDING) | TO(TAKEN),
	[MP_REQUEST_AGREEING] = TO(ENDING) | TO(TAKEN),
	[MP_REQUEST_ENDING] = TO(TAKEN),
};
#undef TO

static struct mp_list *list_of(struct mp_request *request)
{
	struct mp_session *session = request->session;
	switch (request->state->phase) {
	case MP_REQUEST_MERGED: return &request->state->merge->members;
	case MP_REQUEST_WAITING: return &session->room.waiting;
	case MP_REQUEST_PREPARING: return &request->state->reprepare->waiters;
	case MP_REQUEST_DELAYED: return &session->delayed;
	case MP_REQUEST_ENDING: return &session->ending;
	default: return NULL;
	}
}

void mp_request_leave_phase(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	struct mp_list *list = list_of(request);
	if (list != NULL)
		mp_list_remove(list, &state->node);
	if (state->phase == MP_REQUEST_MERGED)
		mp_merge_leave(request);
	if (state->phase == MP_REQUEST_DELAYED)
		mp_timer_stop(&state->delay);
	if (state->phase == MP_REQUEST_AGREEING)
		mp_agreement_drop(state->agreement);
}

void mp_request_join_phase(struct mp_request *request)
{
	struct mp_list *list = list_of(request);
	if (list != NULL)
		mp_list_push_back(list, &request->state->node);
	if (request->state->phase == MP_REQUEST_ENDING)
		mp_session_post(request->session);
}

// Attempts that are still under way lost: to the one that was answered, or because no answer is needed any more.
static void lose(struct mp_attempt *attempt)
{
	if (attempt->call.conn != NULL)
		mp_attempt_was_silent(attempt);
	mp_attempt_end(attempt);
}

void mp_request_drop_attempts(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	mp_speculation_end(request);
	while (state->attempts != NULL)
		lose(state->attempts);
}
