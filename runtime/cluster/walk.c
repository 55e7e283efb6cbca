// SPDX-License-Identifier: Apache-2.0
// Finding a place for a request: the hosts of its plan one after the other, the least busy connection of each;
// the queue of those that found none; and the deadlines of both.
#include "cluster/feature.h"
#include "cluster/request_internal.h"
#include "cluster/session_internal.h"

// ---- sending ----------------------------------------------------------------------------------------------

// The rows of a v5 answer may come without their metadata when we name the metadata that we have: it is kept with the
// request, because the statement's own may be replaced before the answer comes.
static bool may_skip_metadata(const struct mp_prepared *prepared, uint8_t version)
{
	return version >= 5 && prepared->result_metadata_id.len > 0 && prepared->result != NULL &&
	       prepared->result->column_count > 0;
}

static int encode(void *arg, struct mp_buf *out, uint8_t version, int16_t stream)
{
	struct mp_request *request = arg;
	struct mp_request_state *state = request->state;
	const struct mp_request_options *options = &request->options;
	struct mp_prepared *prepared = request->prepared;
	struct mp_query_params params = {
		.consistency = options->consistency,
		.serial_consistency = options->serial_consistency,
		.named_values = request->named_values,
		.value_count = request->value_count,
		.values = {(const char *)request->values.data, request->values.len},
		.page_size = options->page_size,
		.paging_state = request->paging_state,
		.has_timestamp = state->has_timestamp,
		.timestamp = state->timestamp_us,
	};
	uint8_t flags = options->trace ? MP_FLAG_TRACING : 0;
	enum mp_feature lacking = mp_feature_lacking(request, version);
	if (MP_UNLIKELY(lacking != MP_FEATURE_NONE)) {
		state->lacks = (uint8_t)lacking;
		state->lacks_in = version;
		return MP_EUNSUPPORTED;
	}
	if (MP_LIKELY(prepared != NULL)) {
		mp_metadata_unref(state->metadata);
		params.skip_metadata = may_skip_metadata(prepared, version);
		state->metadata = params.skip_metadata ? mp_metadata_ref(prepared->result) : NULL;
		mp_encode_execute(out, version, flags, stream, prepared->id, prepared->result_metadata_id, &params);
		return 0;
	}
	const char *own = request->session->config.keyspace;
	if (request->keyspace.len > 0 && (own == NULL || !mp_str_is(request->keyspace, own)))
		params.keyspace = request->keyspace;
	mp_encode_query(out, version, flags, stream, request->cql, &params);
	return 0;
}

// The attempt's deadline when there is time for another one behind it, otherwise the request's.
static int arm(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	struct mp_deadlines *deadlines = &request->session->deadlines;
	if (MP_LIKELY(state->attempts == 0 && !state->waited))
		return mp_deadline_start(deadlines, &state->due,
		                         state->attempt_ms > 0 ? state->attempt_ms : state->timeout_ms);
	uint64_t attempt_due_ns = mp_loop_now_ns(request->session->loop) + (uint64_t)state->attempt_ms * 1000000;
	if (state->attempt_ms > 0 && attempt_due_ns < state->deadline_ns && mp_request_may_move(request))
		return mp_deadline_start(deadlines, &state->due, state->attempt_ms);
	return mp_deadline_start_at(deadlines, &state->due, state->deadline_ns);
}

static void tell_failover(struct mp_request *request, uint16_t from_index, struct mp_host *to)
{
	struct mp_session *session = request->session;
	struct mp_host *from = session->hosts.slots[from_index];
	uint64_t now_ms = mp_loop_now_ms(session->loop);
	if (from == NULL || from == to ||
	    (from->failover_told_ms != 0 && now_ms + 1 - from->failover_told_ms < 1000))
		return;
	from->failover_told_ms = now_ms + 1;
	const struct mp_error *error = request->state->error;
	const char *reason = error != NULL && error->attempt_count > 0
	                         ? error->attempts[error->attempt_count - 1].message
	                         : "the attempt failed";
	mp_session_tell(session, MP_EVENT_FAILOVER, from, to, reason);
}

static int send(struct mp_request *request, struct mp_host *host, struct mp_conn *conn)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	int rc = arm(request);
	if (MP_LIKELY(rc == 0))
		rc = mp_conn_call(conn, &state->call, encode, request);
	if (MP_UNLIKELY(rc != 0))
		return rc;
	if (MP_UNLIKELY(state->failed_over)) {
		state->failed_over = false;
		tell_failover(request, state->host, host);
	}
	mp_request_enter(request, MP_REQUEST_SENT);
	state->host = host->index;
	state->conn = conn;
	state->attempts++;
	state->attempt_ns = mp_loop_now_ns(session->loop);
	host->requests++;
	session->counters.attempts++;
	session->view.hosts[host->index].inFlight++;
	return 0;
}

int mp_request_to_host(struct mp_request *request, uint16_t index)
{
	struct mp_host *host = request->session->hosts.slots[index];
	if (MP_UNLIKELY(host == NULL || host->state != MP_HOST_UP))
		return MP_ENOHOST;
	struct mp_conn *conn = mp_pool_take(&host->pool);
	if (MP_UNLIKELY(conn == NULL))
		return MP_EBUSY;
	int rc = send(request, host, conn);
	return MP_LIKELY(rc != MP_ECLOSED) ? rc : MP_EBUSY;
}

// The request's own metadata is that of its current attempt.
static int send_copy(struct mp_request *request, struct mp_copy *copy, struct mp_host *host,
                     struct mp_conn *conn)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	struct mp_metadata *metadata = state->metadata;
	state->metadata = NULL;
	int rc = mp_conn_call(conn, &copy->call, encode, request);
	copy->metadata = state->metadata;
	state->metadata = metadata;
	if (rc != 0) {
		mp_metadata_unref(copy->metadata);
		return rc != MP_ECLOSED ? rc : MP_EBUSY;
	}
	copy->host = host->index;
	copy->conn = conn;
	copy->attempt_ns = mp_loop_now_ns(session->loop);
	state->attempts++;
	host->requests++;
	session->counters.attempts++;
	session->view.hosts[host->index].inFlight++;
	return 0;
}

static int copy_to_host(struct mp_request *request, struct mp_copy *copy, uint16_t index)
{
	struct mp_host *host = request->session->hosts.slots[index];
	if (host == NULL || host->state != MP_HOST_UP)
		return MP_ENOHOST;
	struct mp_conn *conn = mp_pool_take(&host->pool);
	return conn != NULL ? send_copy(request, copy, host, conn) : MP_EBUSY;
}

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
	uint64_t epoch = state->plan.view->epoch;
	if (MP_LIKELY(index != MP_NO_HOST || state->epoch == epoch))
		return index;
	state->epoch = epoch;
	restart_plan(&state->plan);
	return mp_plan_next(&state->plan, NULL);
}

// Why no host of the plan took it.
static int nowhere(const struct mp_request_state *state)
{
	if (state->passed != 0)
		return MP_EBUSY;
	return state->lacks != MP_FEATURE_NONE && state->attempts == 0 ? MP_EUNSUPPORTED : MP_ENOHOST;
}

// `copy` NULL: the current attempt itself.
static inline int walk(struct mp_request *request, struct mp_copy *copy)
{
	struct mp_request_state *state = request->state;
	const struct mp_session *session = request->session;
	if (MP_UNLIKELY(session->away) && state->planned_moves != session->failover.moves)
		mp_failover_bring_home(request);
	for (;;) {
		uint16_t index = next_host(state);
		if (MP_UNLIKELY(index == MP_NO_HOST))
			return nowhere(state);
		int rc = copy == NULL ? mp_request_to_host(request, index) : copy_to_host(request, copy, index);
		if (MP_LIKELY(rc == 0))
			return 0;
		if (rc == MP_EBUSY)
			state->passed |= UINT32_C(1) << (state->plan.seen_count - 1);
		else if (rc != MP_ENOHOST && rc != MP_EUNSUPPORTED)
			return rc;
	}
}

int mp_request_next(struct mp_request *request)
{
	return walk(request, NULL);
}

int mp_request_send_copy(struct mp_request *request, struct mp_copy *copy)
{
	return walk(request, copy);
}

// ---- waiting for room -------------------------------------------------------------------------------------

// From the start again, without the hosts that were really asked.
static void rewind_plan(struct mp_request_state *state)
{
	struct mp_plan *plan = &state->plan;
	uint16_t kept = 0;
	for (uint16_t i = 0; i < plan->seen_count; i++)
		if ((state->passed >> i & 1) == 0)
			plan->seen[kept++] = plan->seen[i];
	plan->seen_count = kept;
	restart_plan(plan);
	state->passed = 0;
}

int mp_request_wait(struct mp_request *request)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	if (session->waiting.count >= session->config.max_queued)
		return MP_EBUSY;
	int rc = state->attempts == 0
	             ? mp_deadline_start(&session->deadlines, &state->due, state->timeout_ms)
	             : mp_deadline_start_at(&session->deadlines, &state->due, state->deadline_ns);
	if (rc != 0)
		return rc;
	rewind_plan(state);
	state->waited = true;
	mp_request_enter(request, MP_REQUEST_WAITING);
	return 0;
}

static uint32_t count_bits(uint32_t bits)
{
	return (uint32_t)__builtin_popcount(bits);
}

void mp_requests_wake(struct mp_session *session)
{
	struct mp_list_node *node = mp_list_first(&session->waiting);
	while (node != NULL) {
		struct mp_list_node *next = mp_list_next(&session->waiting, node);
		struct mp_request *request = mp_request_at(node);
		struct mp_request_state *state = request->state;
		int rc = mp_request_next(request);
		if (rc == 0 && state->may_copy)
			mp_copies_again(request);
		if (rc == MP_EBUSY) {
			bool all_full = count_bits(state->passed) >= session->view.up_count;
			rewind_plan(state);
			if (all_full)
				return;
		} else if (rc != 0) {
			char text[MP_FEATURE_TEXT];
			const char *why = rc == MP_ENOHOST ? "no host of the plan is up any more" : mp_err_text(rc);
			if (rc == MP_EUNSUPPORTED)
				why = mp_feature_text(request, text);
			mp_request_fail(request, MP_REQUEST_LATER, rc, "%s", why);
		}
		node = next;
	}
}

// ---- the attempt is over ----------------------------------------------------------------------------------

void mp_request_leave(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	struct mp_host_view *view = &request->session->view.hosts[state->host];
	mp_assert(view->inFlight > 0);
	view->inFlight--;
}

// ---- deadlines --------------------------------------------------------------------------------------------

// What comes already need not be asked for again: the attempt has all of the request's time. Should the answer stop,
// the probe will notice.
static bool is_arriving(const struct mp_request_state *state)
{
	if (state->phase != MP_REQUEST_SENT || !mp_call_is_arriving(&state->call, state->attempt_ns))
		return false;
	mp_conn_probe(state->conn);
	return true;
}

void mp_request_on_due(void *owner, struct mp_deadline *deadline)
{
	struct mp_session *session = owner;
	struct mp_request_state *state = MP_CONTAINER_OF(deadline, struct mp_request_state, due);
	bool attempt_only = mp_loop_now_ns(session->loop) < state->deadline_ns;
	if (MP_UNLIKELY(state->is_copy) && attempt_only && mp_copies_wait_on(mp_request_of(state)))
		return;
	if (attempt_only && is_arriving(state) &&
	    mp_deadline_start_at(&session->deadlines, deadline, state->deadline_ns) == 0)
		return;
	mp_request_timed_out(mp_request_of(state), attempt_only);
}
