// SPDX-License-Identifier: Apache-2.0
// The beginning of a request: taken, filled, planned, submitted. How it ends is in end.c, what is between in phase.c.
//
// Invariant: `live` counts the requests that are submitted and not ended.
#include <string.h>

#include "cluster/journal.h"
#include "cluster/request/batch.h"
#include "cluster/request/feature.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"
#include "wire/notation.h"

#define VALUES_KEPT 65536u // a larger buffer is not kept for the next request

// ---- objects ----------------------------------------------------------------------------------------------

static void construct_cell(void *object)
{
	struct mp_request_cell *cell = object;
	mp_buf_init(&cell->request.values);
	mp_buf_init(&cell->request.payload);
}

static void destruct_cell(void *object)
{
	struct mp_request_cell *cell = object;
	mp_buf_deinit(&cell->request.values);
	mp_buf_deinit(&cell->request.payload);
}

void mp_requests_init(struct mp_session *session)
{
	mp_slab_init(&session->requests, sizeof(struct mp_request_cell), construct_cell, destruct_cell);
	mp_slab_init(&session->errors, sizeof(struct mp_error), NULL, NULL);
	mp_slab_init(&session->attempts, sizeof(struct mp_attempt), NULL, NULL);
	mp_batches_init(&session->batches);
	mp_merges_init(&session->merges, session);
	mp_profiles_reconfigure(session);
	mp_deadlines_init(&session->deadlines, session->loop, mp_request_on_due, session);
	mp_deadlines_init(&session->speculating, session->loop, mp_speculation_on_due, session);
	mp_list_init(&session->ending);
	mp_list_init(&session->delayed);
	mp_list_init(&session->repreparing);
	mp_list_init(&session->agreeing);
	mp_buf_init(&session->scratch);
	mp_room_init(&session->room, session);
	mp_budget_init(&session->budget);
}

void mp_requests_deinit(struct mp_session *session)
{
	mp_assert(session->live == 0);
	mp_deadlines_deinit(&session->deadlines);
	mp_deadlines_deinit(&session->speculating);
	mp_slab_deinit(&session->attempts);
	mp_merges_deinit(&session->merges);
	mp_slab_deinit(&session->batches);
	mp_slab_deinit(&session->errors);
	mp_slab_deinit(&session->requests);
	mp_buf_deinit(&session->scratch);
}

static void reset(const struct mp_session *session, struct mp_request *request)
{
	struct mp_buf values = request->values, payload = request->payload;
	*request = (struct mp_request){.values = values, .payload = payload};
	mp_buf_clear(&request->values);
	mp_buf_clear(&request->payload);
	request->options = session->taken;
}

struct mp_request *mp_request_take(struct mp_session *session)
{
	struct mp_request_cell *cell = mp_slab_take(&session->requests);
	if (cell == NULL)
		return NULL;
	struct mp_request_state *state = &cell->state;
	reset(session, &cell->request);
	cell->request.session = session;
	cell->request.state = state;
	if (MP_UNLIKELY(state->first.request == NULL)) { // fresh memory, zeroed; later ones find these at rest
		state->first = (struct mp_attempt){
			.call = {.on_answer = mp_attempt_on_answer},
			.request = &cell->request,
		};
		mp_list_node_init(&state->node);
		mp_deadline_init(&session->deadlines, &state->due);
		mp_deadline_init(&session->speculating, &state->speculation.due);
		mp_timer_init(&state->delay, session->loop, mp_request_on_delay, &cell->request);
	}
	return &cell->request;
}

void mp_request_use(struct mp_request *request, struct mp_prepared *prepared)
{
	request->prepared = mp_prepared_ref(prepared);
	request->generation = prepared->generation;
}

static void drop(struct mp_request *request)
{
	mp_assert(request->state->phase == MP_REQUEST_TAKEN);
	mp_prepared_unref(request->prepared);
	request->prepared = NULL;
	if (MP_UNLIKELY(request->batch != NULL))
		mp_batch_drop(request);
}

void mp_request_clear(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	drop(request);
	reset(session, request);
	request->session = session;
	request->state = state;
}

void mp_request_give(struct mp_request *request)
{
	struct mp_session *session = request->session;
	drop(request);
	if (request->values.cap > VALUES_KEPT)
		mp_buf_deinit(&request->values);
	if (MP_UNLIKELY(request->payload.cap > 0))
		mp_buf_deinit(&request->payload);
	mp_slab_give(&session->requests, MP_CONTAINER_OF(request, struct mp_request_cell, request));
}

int mp_request_add_payload(struct mp_request *request, struct mp_str name, struct mp_str bytes)
{
	struct mp_buf *payload = &request->payload;
	if (payload->len == 0)
		mp_buf_u16(payload, 0);
	unsigned count = payload->failed ? 0 : (unsigned)payload->data[0] << 8 | payload->data[1];
	if (name.len > UINT16_MAX || bytes.len > INT32_MAX || count == UINT16_MAX)
		return MP_EINVAL;
	mp_put_string(payload, name);
	mp_put_bytes(payload, bytes.data, bytes.len);
	if (!payload->failed) {
		payload->data[0] = (uint8_t)((count + 1) >> 8);
		payload->data[1] = (uint8_t)(count + 1);
	}
	return mp_buf_status(payload);
}

// ---- submit -----------------------------------------------------------------------------------------------

// What does not fit the fields of the protocol is refused here, where there is a caller to tell it to.
MP_INLINE int check_sizes(const struct mp_request *request)
{
	// Limits of all ones: one of the numbers is above if all their bits are.
	if (MP_UNLIKELY((request->value_count | request->keyspace.len) > UINT16_MAX ||
	                request->options.page_size < 0))
		return MP_EINVAL;
	size_t state_len = request->paging_state.len > 0 ? (size_t)request->paging_state.len : 0;
	bool is_long =
		(request->cql.len | request->values.len | request->payload.len | state_len) > MP_REQUEST_PART_MAX;
	return MP_UNLIKELY(is_long) ? MP_ETOOBIG : 0;
}

MP_INLINE int check(const struct mp_request *request)
{
	const struct mp_session *session = request->session;
	if (MP_UNLIKELY(mp_loop_is_forked(session->loop)))
		return MP_EFORKED;
	if (session->state != MP_SESSION_OPEN)
		return MP_ECLOSED;
	bool is_query = request->cql.len > 0;
	bool is_execute = request->prepared != NULL;
	bool is_batch = request->batch != NULL && request->batch->count > 0;
	if (request->values.failed || request->payload.failed)
		return MP_ENOMEM;
	if (is_query + is_execute + is_batch != 1 || request->on_done == NULL ||
	    request->state->phase != MP_REQUEST_TAKEN || (request->named_values && is_execute))
		return MP_EINVAL;
	return check_sizes(request);
}

static MP_COLD void classify_batch(struct mp_request *request)
{
	const struct mp_batch *batch = request->batch;
	struct mp_request_state *state = request->state;
	state->replay_class = batch->replay_class[request->options.idempotent ? 1 : 0];
	request->options.idempotent = state->replay_class == MP_REPLAY_IDEMPOTENT;
	state->is_lwt = batch->is_lwt;
	state->is_plain = batch->is_plain;
	state->is_use = false;
	state->keyspace_id = batch->has_token ? batch->keyspace_id : request->session->keyspace_id;
}

MP_INLINE void classify(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	bool idempotent = request->options.idempotent;
	const struct mp_prepared *prepared = request->prepared;
	if (MP_LIKELY(prepared != NULL)) {
		state->replay_class = prepared->replay_class[idempotent ? 1 : 0];
		state->is_lwt = prepared->is_lwt;
		state->is_plain = prepared->is_plain;
		state->is_use = false;
		state->keyspace_id = prepared->keyspace_id;
		return;
	}
	if (request->batch != NULL) {
		classify_batch(request);
		return;
	}
	const struct mp_str *cql = &request->cql;
	struct mp_statement statement = mp_statement_read(cql->data, cql->len, MP_MARKERS_UNKNOWN);
	state->replay_class = (uint8_t)mp_statement_class(&statement, idempotent);
	state->is_lwt = statement.is_lwt;
	state->is_plain = statement.is_plain;
	state->is_use = statement.is_use;
	state->keyspace_id = request->keyspace.len > 0
	                         ? mp_session_keyspace_id(request->session, request->keyspace)
	                         : request->session->keyspace_id;
}

// The caller's time, or one for a write. Counters and lightweight transactions have times of Cassandra's own.
MP_INLINE void stamp(struct mp_request *request)
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

MP_INLINE void reset_state(struct mp_request *request)
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
	state->planned_serving = session->serving.changes;
	safe = safe && session->config.failover.enabled && session->config.failover.max_moves > 0;
	state->attempt_ms = safe && attempt_ms < state->timeout_ms ? attempt_ms : state->timeout_ms;
	state->epoch = session->view.epoch;
	state->host = MP_NO_HOST;
	memset(&state->attempt_count, 0, MP_REQUEST_STATE_ZEROED);
}

// What policies see of it. Inline, and so is what asks the policy: this is every request's way.
MP_INLINE void see(const struct mp_request *request, struct mp_request_view *view)
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
		.attempt = (uint16_t)(state->attempt_count + 1),
		.arms = state->arms.candidate,
		.tag = options->tag,
		.token = (double)state->token,
	};
}

void mp_request_view(const struct mp_request *request, struct mp_request_view *view)
{
	see(request, view);
}

// false: it is not by the policy, but by C.
MP_INLINE bool ask_policy(struct mp_session *session, const struct mp_request_view *req,
                          struct mp_placement *placement, int64_t token, uint64_t chance,
                          struct mp_plan *plan)
{
	mp_plan_init(plan, &session->view, placement, req->hasToken, token, chance);
	if (MP_UNLIKELY(session->away) && mp_serving_keeps(&session->serving, req)) {
		mp_serving_home_plan(&session->serving, req, plan);
		return false;
	}
	if (MP_LIKELY(session->policies.balance.plan(session->policies.balance.self, req, plan)))
		return true;
	session->counters.policy_fallbacks++;
	mp_plan_init(plan, &session->view, placement, req->hasToken, token, chance);
	mp_default_plan(NULL, req, plan);
	return false;
}

MP_INLINE uint64_t draw_chance(struct mp_session *session)
{
	return mp_rand_u64(mp_loop_rand(session->loop));
}

void mp_session_make_plan(struct mp_session *session, const struct mp_request_view *req,
                          struct mp_placement *placement, int64_t token, struct mp_plan *plan)
{
	(void)ask_policy(session, req, placement, token, draw_chance(session), plan);
}

MP_INLINE void make_plan(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	const struct mp_request_options *options = &request->options;
	state->has_token = options->has_token;
	state->token = options->token;
	if (!state->has_token && request->prepared != NULL)
		state->has_token = mp_routing_token(request->prepared, &request->values, request->value_count,
		                                    &session->scratch, &state->token);
	if (MP_UNLIKELY(request->batch != NULL && !state->has_token && request->batch->has_token)) {
		state->has_token = true;
		state->token = request->batch->token;
	}
	if (state->has_token) {
		state->placement = mp_keyspaces_use(&session->keyspaces, state->keyspace_id);
		mp_hot_keys_note(&session->metrics.keys, state->token);
	}
	if (state->placement != NULL)
		mp_placement_ref(state->placement);
	if (MP_UNLIKELY(*session->policies.canary.running != 0))
		mp_request_deal(request);
	if (MP_UNLIKELY(options->pinned_host != MP_NO_HOST)) {
		mp_plan_init(&state->plan, &session->view, NULL, false, 0, 0);
		mp_plan_host(&state->plan, options->pinned_host);
		return;
	}
	struct mp_request_view view;
	see(request, &view);
	uint64_t chance = draw_chance(session);
	bool by_policy = ask_policy(session, &view, state->placement, state->token, chance, &state->plan);
	if (MP_UNLIKELY(mp_sampler_takes(&session->decisions.sampler)))
		mp_decisions_note(&session->decisions, request, &view, chance, by_policy);
	if (MP_UNLIKELY(mp_sampler_takes(&session->shadow.sampler)))
		mp_shadow_note(&session->shadow, request, &view, chance);
}

static void count_in(const struct mp_request *request)
{
	struct mp_session *session = request->session;
	session->live++;
	if (MP_UNLIKELY(request->state->is_carrier))
		return;
	session->counters.requests++;
	mp_budget_earn(&session->budget);
}

// Which hosts there are and why none is asked.
static void no_host(struct mp_request *request)
{
	const struct mp_session *session = request->session;
	uint16_t pinned = request->options.pinned_host;
	const struct mp_host *named = pinned != MP_NO_HOST ? session->hosts.slots[pinned] : NULL;
	uint32_t known = session->hosts.live_count;
	char down[MP_REFUSAL_TEXT];
	mp_request_tell_down(session, named, down, sizeof(down));
	if (request->state->plan.refused)
		mp_request_fail(request, MP_REQUEST_LATER, MP_EBUSY, "the load-balancing policy refused the request");
	else if (pinned != MP_NO_HOST)
		mp_request_fail(request, MP_REQUEST_LATER, MP_ENOHOST, "the host that the request names is not up%s",
		                down);
	else if (session->view.up_count == 0)
		mp_request_fail(request, MP_REQUEST_LATER, MP_ENOHOST, "none of the %u known hosts is up%s", known,
		                down);
	else
		mp_request_fail(request, MP_REQUEST_LATER, MP_ENOHOST,
		                "the plan names no host that is up (%u of %u are)%s", session->view.up_count, known,
		                down);
}

// Nothing was sent: the error is told later in this turn.
static void start_failed(struct mp_request *request, int rc)
{
	char text[MP_REFUSAL_TEXT];
	if (rc == MP_ENOHOST)
		no_host(request);
	else
		mp_request_fail(request, MP_REQUEST_LATER, rc, "%s", mp_request_refusal(request, rc, text));
}

static void refuse_use(struct mp_request *request)
{
	mp_request_fail(request, MP_REQUEST_LATER, MP_EUNSUPPORTED, "%s", MP_USE_REFUSAL);
}

// 0: under way, or waiting for room. Otherwise why not.
MP_INLINE int start(struct mp_request *request)
{
	struct mp_session *session = request->session;
	stamp(request);
	make_plan(request);
	// Whoever waits for room was here before.
	bool may_go = MP_LIKELY(session->room.waiting.count == 0) || request->state->plan.refused;
	int rc = MP_LIKELY(may_go) ? mp_attempt_to_next_host(&request->state->first) : MP_EBUSY;
	if (MP_UNLIKELY(rc == MP_EBUSY)) {
		rc = mp_room_wait(&session->room, request);
		mp_room_came_free(&session->room); // it may have, since the others looked
	}
	return rc;
}

MP_INLINE void started(struct mp_request *request, int rc)
{
	struct mp_session *session = request->session;
	session->counters.refused += request->state->plan.refused ? 1 : 0;
	if (MP_UNLIKELY(rc != 0))
		start_failed(request, rc);
	else if (MP_UNLIKELY(session->policies.speculate.after != NULL))
		mp_speculation_begin(request);
}

MP_INLINE int submit(struct mp_request *request)
{
	struct mp_session *session = request->session;
	classify(request);
	reset_state(request);
	if (MP_UNLIKELY(request->state->is_use)) {
		count_in(request);
		refuse_use(request);
		return 0;
	}
	if (MP_UNLIKELY(session->merges.on) && !request->state->is_carrier &&
	    mp_merges_take(&session->merges, request)) {
		count_in(request);
		return 0;
	}
	int rc = start(request);
	if (rc == MP_EBUSY || rc == MP_ENOMEM) {
		if (MP_UNLIKELY(session->journals))
			mp_journal_refused(request, rc);
		mp_request_reject(request, rc);
		return rc;
	}
	count_in(request);
	started(request, rc);
	return 0;
}

int mp_request_submit(struct mp_request *request)
{
	int rc = check(request);
	if (MP_UNLIKELY(rc != 0))
		return rc;
	struct mp_loop *loop = request->session->loop;
	bool entered = mp_loop_enter_moment(loop); // a host program submits outside of turns
	rc = submit(request);
	mp_loop_leave_moment(loop, entered);
	return rc;
}

void mp_request_start_alone(struct mp_request *request)
{
	request->state->planned_serving = request->session->serving.changes;
	request->state->epoch = request->session->view.epoch;
	started(request, start(request));
}
