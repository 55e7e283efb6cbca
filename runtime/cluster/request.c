// SPDX-License-Identifier: Apache-2.0
// The life of a request: taken, filled, submitted, ended once, given back.
//
// Invariants: `live` counts the requests that are submitted and not ended; a request is in the list that its phase says
// and in no other; on_done is the last thing that happens to a request before it is the caller's again.
#include <string.h>

#include "cluster/agreement.h"
#include "cluster/request_internal.h"
#include "cluster/session_internal.h"

#define VALUES_KEPT 65536u // a larger buffer is not kept for the next request

// ---- objects ----------------------------------------------------------------------------------------------

static void construct_cell(void *object)
{
	struct mp_request_cell *cell = object;
	mp_buf_init(&cell->request.values);
}

static void destruct_cell(void *object)
{
	struct mp_request_cell *cell = object;
	mp_buf_deinit(&cell->request.values);
}

void mp_requests_init(struct mp_session *session)
{
	mp_slab_init(&session->requests, sizeof(struct mp_request_cell), construct_cell, destruct_cell);
	mp_slab_init(&session->errors, sizeof(struct mp_error), NULL, NULL);
	mp_slab_init(&session->copies, sizeof(struct mp_copy), NULL, NULL);
	mp_deadlines_init(&session->deadlines, session->loop, mp_request_on_due, session);
	mp_deadlines_init(&session->ahead, session->loop, mp_copies_on_due, session);
	mp_list_init(&session->waiting);
	mp_list_init(&session->ending);
	mp_list_init(&session->delayed);
	mp_list_init(&session->repreparing);
	mp_list_init(&session->agreeing);
	mp_buf_init(&session->scratch);
	mp_retry_budget_tick(session);
}

void mp_requests_deinit(struct mp_session *session)
{
	mp_assert(session->live == 0);
	mp_deadlines_deinit(&session->deadlines);
	mp_deadlines_deinit(&session->ahead);
	mp_slab_deinit(&session->copies);
	mp_slab_deinit(&session->errors);
	mp_slab_deinit(&session->requests);
	mp_buf_deinit(&session->scratch);
}

static void reset(struct mp_request *request)
{
	struct mp_buf values = request->values;
	*request = (struct mp_request){.values = values};
	mp_buf_clear(&request->values);
	request->options.consistency = MP_CL_LOCAL_ONE;
	request->options.pinned_host = MP_NO_HOST;
}

struct mp_request *mp_request_take(struct mp_session *session)
{
	struct mp_request_cell *cell = mp_slab_take(&session->requests);
	if (cell == NULL)
		return NULL;
	struct mp_request_state *state = &cell->state;
	reset(&cell->request);
	cell->request.session = session;
	cell->request.state = state;
	state->call = (struct mp_call){.on_answer = mp_request_on_answer};
	state->phase = MP_REQUEST_TAKEN;
	state->metadata = NULL;
	state->placement = NULL;
	state->error = NULL;
	if (MP_UNLIKELY(state->delay.loop == NULL)) { // fresh memory; later requests find these at rest
		mp_list_node_init(&state->node);
		mp_deadline_init(&session->deadlines, &state->due);
		mp_deadline_init(&session->ahead, &state->ahead);
		mp_timer_init(&state->delay, session->loop, mp_request_on_delay, &cell->request);
	}
	return &cell->request;
}

void mp_request_give(struct mp_request *request)
{
	mp_assert(request->state->phase == MP_REQUEST_TAKEN);
	struct mp_session *session = request->session;
	mp_prepared_unref(request->prepared);
	request->prepared = NULL;
	if (request->values.cap > VALUES_KEPT)
		mp_buf_deinit(&request->values);
	mp_slab_give(&session->requests, MP_CONTAINER_OF(request, struct mp_request_cell, request));
}

// ---- submit -----------------------------------------------------------------------------------------------

static int check(const struct mp_request *request)
{
	const struct mp_session *session = request->session;
	if (session->state != MP_SESSION_OPEN)
		return MP_ECLOSED;
	bool is_query = request->cql.len > 0;
	bool is_execute = request->prepared != NULL;
	if (request->values.failed)
		return MP_ENOMEM;
	if (is_query == is_execute || request->on_done == NULL || request->state->phase != MP_REQUEST_TAKEN ||
	    (request->named_values && is_execute))
		return MP_EINVAL;
	const char *own = session->config.keyspace;
	bool elsewhere =
		is_query && request->keyspace.len > 0 && !(own != NULL && mp_str_is(request->keyspace, own));
	return elsewhere && session->cluster.version < 5 ? MP_EUNSUPPORTED : 0;
}

static void classify(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	bool idempotent = request->options.idempotent;
	const struct mp_prepared *prepared = request->prepared;
	if (MP_LIKELY(prepared != NULL)) {
		state->replay_class = prepared->replay_class[idempotent ? 1 : 0];
		state->is_lwt = prepared->is_lwt;
		state->is_plain = prepared->is_plain;
		state->keyspace_id = prepared->keyspace_id;
		return;
	}
	const struct mp_str *cql = &request->cql;
	struct mp_statement statement = mp_statement_read(cql->data, cql->len, MP_MARKERS_UNKNOWN);
	state->replay_class = (uint8_t)mp_statement_class(&statement, idempotent);
	state->is_lwt = statement.is_lwt;
	state->is_plain = statement.is_plain;
	state->keyspace_id = request->keyspace.len > 0
	                         ? mp_session_keyspace_id(request->session, request->keyspace)
	                         : request->session->keyspace_id;
}

// The caller's time, or one for a write. Counters and lightweight transactions have times of Cassandra's own.
static void stamp(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	state->has_timestamp = request->options.has_timestamp;
	state->timestamp_us = request->options.timestamp_us;
	bool is_write = state->replay_class == MP_REPLAY_IDEMPOTENT || state->replay_class == MP_REPLAY_UNSAFE;
	if (!is_write || state->has_timestamp || !session->config.client_timestamps)
		return;
	state->has_timestamp = true;
	state->timestamp_us = mp_timestamps_next(&session->timestamps, session->loop, &session->log);
}

static uint32_t half_of(uint32_t ms)
{
	return ms < 2 ? 1 : ms / 2;
}

static void reset_state(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	state->submitted_ns = mp_loop_now_ns(session->loop);
	state->timeout_ms =
		request->options.timeout_ms > 0 ? request->options.timeout_ms : session->request_timeout_ms;
	state->deadline_ns = state->submitted_ns + (uint64_t)state->timeout_ms * 1000000;
	bool safe = state->replay_class == MP_REPLAY_READ || state->replay_class == MP_REPLAY_IDEMPOTENT;
	uint32_t attempt_ms =
		session->attempt_timeout_ms > 0 ? session->attempt_timeout_ms : half_of(state->timeout_ms);
	state->moves = 0;
	state->planned_moves = session->failover.moves;
	safe = safe && session->config.failover.enabled && session->config.failover.max_moves > 0;
	state->attempt_ms = safe && attempt_ms < state->timeout_ms ? attempt_ms : 0;
	state->attempts = 0;
	state->passed = 0;
	state->epoch = session->view.epoch;
	state->host = MP_NO_HOST;
	state->maybe_applied = false;
	state->failed_over = false;
	state->same_host = false;
	state->waited = false;
	state->is_copy = false;
	state->may_copy = false;
	memset(state->used, 0, sizeof(state->used));
}

void mp_request_view(const struct mp_request *request, struct mp_request_view *view)
{
	const struct mp_request_state *state = request->state;
	const struct mp_request_options *options = &request->options;
	*view = (struct mp_request_view){
		.hasToken = state->has_token,
		.isLwt = state->is_lwt,
		.isRead = state->replay_class == MP_REPLAY_READ,
		.idempotent = state->replay_class == MP_REPLAY_READ || state->replay_class == MP_REPLAY_IDEMPOTENT,
		.isLocalConsistency =
			mp_consistency_is_local(options->consistency) ||
			(options->serial_consistency != 0 && mp_consistency_is_local(options->serial_consistency)),
		.consistency = options->consistency,
		.keyspaceId = state->keyspace_id,
		.attempt = (uint16_t)(state->attempts + 1),
		.tag = options->tag,
		.token = (double)state->token,
	};
}

void mp_session_make_plan(struct mp_session *session, const struct mp_request_view *req,
                          struct mp_placement *placement, int64_t token, struct mp_plan *plan)
{
	uint64_t chance = mp_rand_u64(mp_loop_rand(session->loop));
	mp_plan_init(plan, &session->view, placement, req->hasToken, token, chance);
	if (MP_UNLIKELY(session->away) && mp_failover_keeps(&session->failover, req)) {
		mp_failover_home_plan(&session->failover, req, plan);
		return;
	}
	if (MP_LIKELY(session->policies.balance.plan(session->policies.balance.self, req, plan)))
		return;
	session->counters.policy_fallbacks++;
	mp_plan_init(plan, &session->view, placement, req->hasToken, token, chance);
	mp_default_plan(NULL, req, plan);
}

static void make_plan(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	const struct mp_request_options *options = &request->options;
	state->has_token = options->has_token;
	state->token = options->token;
	if (!state->has_token && request->prepared != NULL)
		state->has_token = mp_routing_token(request->prepared, &request->values, request->value_count,
		                                    &session->scratch, &state->token);
	if (state->has_token)
		state->placement = mp_keyspaces_use(&session->keyspaces, state->keyspace_id);
	if (state->placement != NULL)
		mp_placement_ref(state->placement);
	if (MP_UNLIKELY(options->pinned_host != MP_NO_HOST)) {
		mp_plan_init(&state->plan, &session->view, NULL, false, 0, 0);
		mp_plan_host(&state->plan, options->pinned_host);
		return;
	}
	struct mp_request_view view;
	mp_request_view(request, &view);
	mp_session_make_plan(session, &view, state->placement, state->token, &state->plan);
}

static void release(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	if (MP_UNLIKELY(state->may_copy))
		mp_copies_end(request);
	mp_deadline_stop(&state->due);
	mp_placement_unref(state->placement);
	state->placement = NULL;
}

static void refuse_use(struct mp_request *request)
{
	mp_error_set(
		mp_request_error(request), MP_EUNSUPPORTED, -1,
		"USE would change one connection of many: name the keyspace in the configuration, in the request's "
		"options, or before the table");
	mp_request_end_later(request);
}

static void count_in(struct mp_session *session)
{
	session->live++;
	session->counters.requests++;
	session->retry_tokens++;
}

// Nothing was sent: the error is told later in this turn.
static void start_failed(struct mp_request *request, int rc)
{
	struct mp_session *session = request->session;
	struct mp_error *error = mp_request_error(request);
	if (rc != MP_ENOHOST)
		mp_error_set(error, rc, -1, "%s", mp_err_text(rc));
	else if (request->state->plan.refused)
		mp_error_set(error, MP_EBUSY, -1, "the load-balancing policy refused the request");
	else if (request->options.pinned_host != MP_NO_HOST)
		mp_error_set(error, rc, -1, "the host that the request names is not up");
	else if (session->view.up_count == 0)
		mp_error_set(error, rc, -1, "none of the %u known hosts is up", session->hosts.live_count);
	else
		mp_error_set(error, rc, -1, "the plan names no host that is up (%u of %u are)",
		             session->view.up_count, session->hosts.live_count);
	mp_request_end_later(request);
}

int mp_request_submit(struct mp_request *request)
{
	int rc = check(request);
	if (MP_UNLIKELY(rc != 0))
		return rc;
	struct mp_session *session = request->session;
	if (MP_UNLIKELY(request->cql.len > 0 && mp_cql_is_use(request->cql))) {
		reset_state(request);
		count_in(session);
		refuse_use(request);
		return 0;
	}
	classify(request);
	stamp(request);
	reset_state(request);
	make_plan(request);
	// Whoever waits for room was here before.
	bool may_go = MP_LIKELY(session->waiting.count == 0) || request->state->plan.refused;
	rc = MP_LIKELY(may_go) ? mp_request_next(request) : MP_EBUSY;
	if (MP_UNLIKELY(rc == MP_EBUSY)) {
		rc = mp_request_wait(request);
		session->room = true;
		mp_session_post(session);
	}
	if (rc == MP_EBUSY || rc == MP_ENOMEM || rc == MP_EUNSUPPORTED) {
		release(request);
		return rc;
	}
	count_in(session);
	session->counters.refused += request->state->plan.refused ? 1 : 0;
	if (MP_UNLIKELY(rc != 0))
		start_failed(request, rc);
	else if (MP_UNLIKELY(session->policies.speculate.after != NULL))
		mp_copies_begin(request);
	return 0;
}

// ---- the end ----------------------------------------------------------------------------------------------

static void count_end(struct mp_session *session, const struct mp_outcome *outcome)
{
	mp_assert(session->live > 0);
	session->live--;
	mp_hist_add(&session->latency_us, outcome->latency_ns / 1000);
	if (MP_LIKELY(outcome->error == NULL))
		return;
	session->counters.errors++;
	if (outcome->error->err == MP_ETIMEOUT)
		session->counters.timeouts++;
}

void mp_request_end(struct mp_request *request, struct mp_outcome *outcome)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	struct mp_error *error = state->error;
	struct mp_metadata *metadata = state->metadata;
	release(request);
	outcome->attempts = state->attempts;
	outcome->latency_ns = mp_loop_now_ns(session->loop) - state->submitted_ns;
	state->error = NULL;
	state->metadata = NULL;
	state->phase = MP_REQUEST_TAKEN;
	count_end(session, outcome);
	request->on_done(request, outcome);
	if (MP_UNLIKELY(error != NULL))
		mp_slab_give(&session->errors, error);
	mp_metadata_unref(metadata);
	if (MP_UNLIKELY(session->state != MP_SESSION_OPEN))
		mp_session_post(session);
}

void mp_request_end_later(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	if (MP_UNLIKELY(state->may_copy))
		mp_copies_end(request);
	mp_deadline_stop(&state->due);
	state->phase = MP_REQUEST_ENDING;
	mp_list_push_back(&request->session->ending, &state->node);
	mp_session_post(request->session);
}

static struct mp_request *request_at(struct mp_list_node *node)
{
	return &MP_CONTAINER_OF(node, struct mp_request_cell, state.node)->request;
}

static void end_with_error(struct mp_request *request)
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

void mp_requests_tell_ended(struct mp_session *session)
{
	for (size_t left = session->ending.count; left > 0; left--) {
		struct mp_list_node *node = mp_list_pop_front(&session->ending);
		if (node == NULL)
			return;
		end_with_error(request_at(node));
	}
	if (session->ending.count > 0)
		mp_session_post(session);
}

static void leave_phase(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	switch (state->phase) {
	case MP_REQUEST_WAITING: mp_list_remove(&session->waiting, &state->node); break;
	case MP_REQUEST_ENDING: mp_list_remove(&session->ending, &state->node); break;
	case MP_REQUEST_PREPARING: mp_reprepare_leave(request); break;
	case MP_REQUEST_AGREEING: mp_agreement_leave(request); break;
	case MP_REQUEST_DELAYED:
		mp_timer_stop(&state->delay);
		mp_list_remove(&session->delayed, &state->node);
		break;
	case MP_REQUEST_SENT:
		mp_call_abandon(&state->call);
		mp_request_leave(request);
		break;
	default: break;
	}
}

void mp_request_abandon(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	if (state->phase != MP_REQUEST_TAKEN) {
		leave_phase(request);
		release(request);
		if (state->error != NULL)
			mp_slab_give(&session->errors, state->error);
		mp_metadata_unref(state->metadata);
		state->error = NULL;
		state->metadata = NULL;
		state->phase = MP_REQUEST_TAKEN;
		session->live--;
		mp_session_post(session);
	}
	mp_request_give(request);
}

static void fail_list(struct mp_list *list)
{
	struct mp_list_node *node;
	while ((node = mp_list_first(list)) != NULL) {
		struct mp_request *request = request_at(node);
		leave_phase(request);
		struct mp_error *error = mp_request_error(request);
		mp_error_tell(error, MP_ECLOSED);
		if (error->attempt_count == 0)
			mp_error_set(error, MP_ECLOSED, -1, "the session was closed");
		mp_request_end_later(request);
	}
}

void mp_requests_fail_idle(struct mp_session *session)
{
	fail_list(&session->waiting);
	fail_list(&session->delayed);
	mp_agreements_hurry(session);
}
