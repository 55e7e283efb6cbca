// SPDX-License-Identifier: Apache-2.0
// Finding a place for an attempt: the hosts of the plan one after the other, the least busy connection of each.
#include "cluster/request/feature.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

static void restart_plan(struct mp_plan *plan)
{
	plan->step = 0;
	plan->dc = 0;
	plan->position = 0;
	plan->taken = 0;
}

// The next host of the plan. When hosts came or went since the walk began, places in its groups have moved under it: it
// then looks once more for hosts that it has missed.
static uint16_t next_host(struct mp_request_state *state)
{
	uint16_t index = mp_plan_next(&state->plan, NULL);
	if (MP_LIKELY(index != MP_NO_HOST) || state->epoch == state->plan.view->epoch)
		return index;
	state->epoch = state->plan.view->epoch;
	restart_plan(&state->plan);
	return mp_plan_next(&state->plan, NULL);
}

// Why no host of the plan took it.
static int nowhere(const struct mp_request_state *state)
{
	if (state->passed != 0)
		return MP_EBUSY;
	return state->lacks != MP_FEATURE_NONE && state->attempt_count == 0 ? MP_EUNSUPPORTED : MP_ENOHOST;
}

static inline int to_host(struct mp_attempt *attempt, const struct mp_session *session, uint16_t index)
{
	struct mp_host *host = session->hosts.slots[index];
	if (MP_UNLIKELY(host == NULL || host->state != MP_HOST_UP))
		return MP_ENOHOST;
	struct mp_conn *conn = mp_pool_take(&host->pool);
	return MP_LIKELY(conn != NULL) ? mp_attempt_send(attempt, host, conn) : MP_EBUSY;
}

int mp_attempt_to_host(struct mp_attempt *attempt, uint16_t index)
{
	return to_host(attempt, attempt->request->session, index);
}

int mp_attempt_to_next_host(struct mp_attempt *attempt)
{
	struct mp_request *request = attempt->request;
	struct mp_request_state *state = request->state;
	const struct mp_session *session = request->session;
	if (MP_UNLIKELY(session->away) && state->planned_serving != session->serving.changes)
		mp_serving_bring_home(request);
	for (;;) {
		uint16_t index = next_host(state);
		if (MP_UNLIKELY(index == MP_NO_HOST))
			return nowhere(state);
		int rc = to_host(attempt, session, index);
		if (MP_LIKELY(rc == 0))
			return 0;
		if (rc == MP_EBUSY)
			state->passed |= UINT32_C(1) << (state->plan.seen_count - 1);
		else if (rc != MP_ENOHOST && rc != MP_EUNSUPPORTED)
			return rc;
	}
}

void mp_request_rewind(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	struct mp_plan *plan = &state->plan;
	uint16_t kept = 0;
	for (uint16_t i = 0; i < plan->seen_count; i++)
		if ((state->passed >> i & 1) == 0)
			plan->seen[kept++] = plan->seen[i];
	plan->seen_count = kept;
	restart_plan(plan);
	state->passed = 0;
}
