// SPDX-License-Identifier: Apache-2.0
// The C API: what the balance policy plans for a request that is only thought of.
#include "api/internal.h"
#include "base/mem.h"
#include "cluster/plan/plan.h"
#include "cluster/plan/view.h"
#include "wire/message.h"

struct mp_api_plan {
	struct moonpool_plan shown;
	char steps[MP_PLAN_STEPS][256];
	struct moonpool_planned_host hosts[]; // as many as the session had
};

// 0, or the code that was noted.
static int check(const struct moonpool_question *question, const char *function)
{
	if (question == NULL)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT, "the question is NULL");
	if ((uint32_t)question->consistency > MOONPOOL_LOCAL_ONE)
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
		                      "a value of enum moonpool_consistency expected");
	if ((question->routing_key == NULL) != (question->routing_key_len == 0))
		return mp_api_mistake(function, MOONPOOL_INVALID_ARGUMENT,
		                      "a routing key of a byte or more expected, or NULL and 0");
	return 0;
}

static void put(struct mp_session *session, const struct moonpool_question *question,
                struct mp_request_view *request, int64_t *token)
{
	const char *keyspace = question->keyspace != NULL ? question->keyspace : mp_session_keyspace(session);
	struct mp_request_options options = {0};
	if (question->routing_key != NULL)
		mp_request_options_route(&options, (struct mp_str){question->routing_key, question->routing_key_len});
	*token = options.token;
	*request = (struct mp_request_view){
		.hasToken = options.has_token,
		.isLwt = question->is_lwt,
		.isRead = question->is_read,
		.idempotent = question->is_idempotent,
		.isLocalConsistency = mp_consistency_is_local((uint16_t)question->consistency),
		.consistency = (uint16_t)question->consistency,
		.attempt = 1,
		.token = (double)*token,
	};
	if (keyspace != NULL)
		request->keyspaceId = mp_session_keyspace_id(session, mp_str_of(keyspace));
	if (question->tag != NULL)
		request->tag = mp_session_tag_id(session, mp_str_of(question->tag));
}

// Walks the plan to its end.
static void show(struct mp_session *session, struct mp_plan *plan, struct mp_api_plan *to, size_t capacity)
{
	uint8_t step = 0;
	size_t count = 0;
	for (uint8_t i = 0; i < plan->step_count; i++)
		(void)mp_plan_step_text(plan, i, to->steps[i], sizeof(to->steps[i]));
	for (uint16_t slot; count < capacity && (slot = mp_plan_next(plan, &step)) != MP_NO_HOST;) {
		const struct mp_host *host = mp_session_host_slot(session, slot);
		const struct mp_host_view *view = &mp_session_view(session)->hosts[slot];
		if (host == NULL)
			continue;
		to->hosts[count++] = (struct moonpool_planned_host){
			.address = host->addr_text,
			.datacenter = mp_api_shown(host->dc),
			.rack = mp_api_shown(host->rack),
			.why = to->steps[step],
			.is_replica = mp_plan_is_replica(plan, slot),
			.is_local = view->isLocal,
			.in_flight = view->inFlight,
			.latency_ms = view->latencyUs / 1000.0,
			.weight = view->weight,
		};
	}
	to->shown = (struct moonpool_plan){
		.is_refused = plan->refused,
		.has_replicas = mp_plan_has_replicas(plan),
		.hosts = to->hosts,
		.host_count = count,
	};
}

const struct moonpool_plan *moonpool_session_explain(struct moonpool_session *handle,
                                                     const struct moonpool_question *question)
{
	struct mp_api_session *session = mp_api_connected_session(handle, __func__);
	if (session == NULL || check(question, __func__) != 0)
		return NULL;
	struct mp_session *of = session->engine.session;
	size_t capacity = mp_session_host_count(of);
	mp_free(session->shown_plan);
	session->shown_plan =
		mp_calloc(1, sizeof(*session->shown_plan) + capacity * sizeof(session->shown_plan->hosts[0]));
	if (session->shown_plan == NULL) {
		mp_api_refuse(__func__, MOONPOOL_NO_MEMORY, NULL);
		return NULL;
	}
	struct mp_request_view request;
	struct mp_plan plan;
	int64_t token;
	put(of, question, &request, &token);
	bool is_fallback = mp_session_plan(of, &request, token, &plan);
	show(of, &plan, session->shown_plan, capacity);
	session->shown_plan->shown.is_fallback = is_fallback;
	return &session->shown_plan->shown;
}

void mp_api_plan_drop(struct mp_api_session *session)
{
	mp_free(session->shown_plan);
	session->shown_plan = NULL;
}
