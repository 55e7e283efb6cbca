// SPDX-License-Identifier: Apache-2.0
// Sending an attempt to the hosts of the plan one after the other, through the least busy connection of each; what its
// answer or its silence says about the host; and its end.
#include "cluster/request/attempt.h"

#include "cluster/request/batch.h"
#include "cluster/request/feature.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define LATENCY_SHARE  8      // a new measurement's weight in the moving mean is 1/8
#define LATENCY_OLD_MS 5000.0 // after so long without one it is the mean: it tells about now
#define NS_PER_MS      UINT64_C(1000000)

// ---- the message ------------------------------------------------------------------------------------------

// The rows of a v5 answer may come without their metadata when we name the metadata that we have: it is kept with the
// attempt, because the statement's own may be replaced before the answer comes.
static bool may_skip_metadata(const struct mp_prepared *prepared, uint8_t version)
{
	return version >= 5 && prepared->result_metadata_id.len > 0 && prepared->result != NULL &&
	       prepared->result->column_count > 0;
}

static void forget_metadata(struct mp_attempt *attempt)
{
	mp_metadata_unref(attempt->metadata);
	attempt->metadata = NULL;
}

static int encode(void *arg, struct mp_buf *out, uint8_t version, int16_t stream)
{
	struct mp_attempt *attempt = arg;
	struct mp_request *request = attempt->request;
	struct mp_request_state *state = request->state;
	const struct mp_request_options *options = &request->options;
	struct mp_prepared *prepared = request->prepared;
	struct mp_query_params params = {
		.consistency = options->consistency,
		.serial_consistency = options->serial_consistency,
		.skip_metadata = false, // each field is named, or all would be zeroed before
		.named_values = request->named_values,
		.value_count = request->value_count,
		.values = {(const char *)request->values.data, request->values.len},
		.page_size = options->page_size,
		.paging_state = request->paging_state,
		.has_timestamp = state->has_timestamp,
		.timestamp = state->timestamp_us,
		.keyspace = {NULL, 0},
	};
	uint8_t flags = options->trace ? MP_FLAG_TRACING : 0;
	enum mp_feature lacking = mp_feature_lacking(request, version);
	if (MP_UNLIKELY(lacking != MP_FEATURE_NONE)) {
		state->lacks = (uint8_t)lacking;
		state->lacks_in = version;
		return MP_EUNSUPPORTED;
	}
	if (MP_LIKELY(prepared != NULL)) {
		if (MP_UNLIKELY(request->generation != prepared->generation))
			return MP_ECHANGED;
		params.skip_metadata = may_skip_metadata(prepared, version);
		attempt->metadata = params.skip_metadata ? mp_metadata_ref(prepared->result) : NULL;
		mp_encode_execute(out, version, flags, stream, prepared->id, prepared->result_metadata_id, &params);
		return 0;
	}
	if (MP_UNLIKELY(request->batch != NULL && mp_batch_changed(request->batch) != NULL))
		return MP_ECHANGED;
	const char *own = request->session->config.keyspace;
	if (request->keyspace.len > 0 && (own == NULL || !mp_str_is(request->keyspace, own)))
		params.keyspace = request->keyspace;
	if (request->batch == NULL) {
		mp_encode_query(out, version, flags, stream, request->cql, &params);
		return 0;
	}
	struct mp_batch_body batch = {request->batch->type, request->batch->count, params.values};
	params.values.len = 0;
	mp_encode_batch(out, version, flags, stream, &batch, &params);
	return 0;
}

static int encode_with_payload(void *arg, struct mp_buf *out, uint8_t version, int16_t stream)
{
	const struct mp_attempt *attempt = arg;
	const struct mp_buf *payload = &attempt->request->payload;
	size_t begin = out->len;
	int rc = encode(arg, out, version, stream);
	if (rc == 0)
		mp_envelope_prepend(out, begin, MP_FLAG_CUSTOM_PAYLOAD,
		                    (struct mp_str){(const char *)payload->data, payload->len});
	return rc;
}

MP_INLINE int (*encoder(const struct mp_request *request))(void *, struct mp_buf *, uint8_t, int16_t)
{
	return MP_UNLIKELY(request->payload.len > 0) ? encode_with_payload : encode;
}

// ---- sending ----------------------------------------------------------------------------------------------

// From the host of the attempt that failed last.
static void tell_failover(struct mp_request *request, struct mp_host *to)
{
	struct mp_session *session = request->session;
	struct mp_host *from = session->hosts.slots[request->state->host];
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

// It is under way there.
static void join(struct mp_attempt *attempt, const struct mp_host *host, struct mp_conn *conn)
{
	struct mp_request *request = attempt->request;
	attempt->host = host->index;
	attempt->conn = conn;
	attempt->ticket = 0;
	struct mp_attempt **end = &request->state->attempts;
	while (MP_UNLIKELY(*end != NULL))
		end = &(*end)->next;
	*end = attempt;
	attempt->next = NULL;
	request->session->view.hosts[host->index].inFlight++;
}

// What its host is to be told first; NULL: nothing.
static struct mp_prepared *stale(const struct mp_request *request, uint16_t host)
{
	if (MP_UNLIKELY(request->batch != NULL))
		return mp_batch_stale(request, host);
	struct mp_prepared *prepared = request->prepared;
	return prepared != NULL && mp_prepared_is_stale(prepared, host) ? prepared : NULL;
}

// One beside another is not worth a PREPARE.
static int prepare_first(struct mp_attempt *attempt, const struct mp_host *host, struct mp_conn *conn,
                         struct mp_prepared *prepared)
{
	if (attempt->request->state->attempts != NULL)
		return MP_EBUSY;
	join(attempt, host, conn);
	int rc = mp_attempt_prepare_first(attempt, prepared);
	if (rc != 0)
		mp_attempt_end(attempt);
	return rc;
}

// Times that are whole when they begin have queues of their length; what is left of one needs a timer of its own.
MP_INLINE int watch(struct mp_attempt *attempt)
{
	struct mp_request_state *state = attempt->request->state;
	struct mp_deadlines *deadlines = &attempt->request->session->deadlines;
	uint64_t until_ns = mp_attempt_until_ns(attempt);
	if (MP_LIKELY(until_ns - attempt->began_ns == state->attempt_ms * NS_PER_MS))
		return mp_deadline_start(deadlines, &state->due, state->attempt_ms);
	return mp_deadline_start_at(deadlines, &state->due, until_ns);
}

MP_INLINE int send(struct mp_attempt *attempt, struct mp_host *host, struct mp_conn *conn)
{
	struct mp_request *request = attempt->request;
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	attempt->began_ns = mp_loop_now_ns(session->loop);
	struct mp_prepared *first = stale(request, host->index);
	if (MP_UNLIKELY(first != NULL))
		return prepare_first(attempt, host, conn, first);
	// The deadline is that of the oldest one.
	int rc = MP_LIKELY(state->attempts == NULL) ? watch(attempt) : 0;
	if (MP_LIKELY(rc == 0))
		rc = mp_conn_call(conn, &attempt->call, encoder(request), attempt);
	if (MP_UNLIKELY(rc != 0)) {
		forget_metadata(attempt);
		return rc == MP_ECLOSED ? MP_EBUSY : rc;
	}
	join(attempt, host, conn);
	attempt->ticket = mp_host_enter(host);
	mp_request_enter(request, MP_REQUEST_SENT);
	state->attempt_count++;
	host->requests++;
	session->counters.attempts++;
	if (MP_UNLIKELY(state->failed_over)) {
		state->failed_over = false;
		tell_failover(request, host);
	}
	return 0;
}

// ---- the hosts of the plan --------------------------------------------------------------------------------

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

// Through the least busy connection of a host that is up.
MP_INLINE int to_connected(struct mp_attempt *attempt, struct mp_host *host)
{
	struct mp_conn *conn = mp_pool_take(&host->pool);
	return MP_LIKELY(conn != NULL) ? send(attempt, host, conn) : MP_EBUSY;
}

// The host that a request goes to although none of its plan lets requests in: the one that it names, if that is only
// paused; one whose breaker keeps requests away, rather than none.
static uint16_t host_that_is_shut(struct mp_request *request)
{
	const struct mp_hosts *hosts = &request->session->hosts;
	uint16_t named = request->options.pinned_host;
	const struct mp_host *host = named != MP_NO_HOST ? hosts->slots[named] : NULL;
	if (host != NULL && host->hold == MP_HOLD_PAUSED)
		return named;
	return hosts->shut_count > 0 ? mp_plan_shut_host(&request->state->plan) : MP_NO_HOST;
}

// One that was spared is better than none.
static int to_spared_host(struct mp_attempt *attempt)
{
	struct mp_request_state *state = attempt->request->state;
	int rc = MP_ENOHOST;
	for (uint16_t i = 0; state->spared != 0 && rc != 0 && i < state->plan.seen_count; i++) {
		bool is_spared = (state->spared >> i & 1) != 0;
		state->spared &= ~(UINT32_C(1) << i);
		if (!is_spared)
			continue;
		rc = mp_attempt_to_host(attempt, state->plan.seen[i]);
		if (rc == MP_EBUSY)
			state->passed |= UINT32_C(1) << i;
	}
	return rc;
}

// The plan has no more hosts.
static MP_COLD int to_last_host(struct mp_attempt *attempt)
{
	struct mp_request_state *state = attempt->request->state;
	if (state->spared != 0 && to_spared_host(attempt) == 0)
		return 0;
	if (state->attempt_count > 0 || state->passed != 0)
		return nowhere(state);
	uint16_t index = host_that_is_shut(attempt->request);
	struct mp_host *host = index != MP_NO_HOST ? attempt->request->session->hosts.slots[index] : NULL;
	return host != NULL && host->state == MP_HOST_UP ? to_connected(attempt, host) : nowhere(state);
}

int mp_attempt_to_host(struct mp_attempt *attempt, uint16_t index)
{
	const struct mp_session *session = attempt->request->session;
	struct mp_host *host = session->hosts.slots[index];
	return host != NULL && session->view.hosts[index].isUp ? to_connected(attempt, host) : MP_ENOHOST;
}

// Inline, and so is what it calls: this is every request's way. MP_EAGAIN: it is on probation, and spared.
MP_INLINE int to_host(struct mp_attempt *attempt, const struct mp_session *session, uint16_t index)
{
	struct mp_host *host = session->hosts.slots[index];
	if (MP_UNLIKELY(host == NULL))
		return MP_ENOHOST;
	if (MP_UNLIKELY(!host->admits) && !mp_host_takes_a_share(host))
		return session->view.hosts[index].isUp ? MP_EAGAIN : MP_ENOHOST;
	return to_connected(attempt, host);
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
			return to_last_host(attempt);
		int rc = to_host(attempt, session, index);
		if (MP_LIKELY(rc == 0))
			return 0;
		if (rc == MP_EBUSY)
			state->passed |= UINT32_C(1) << (state->plan.seen_count - 1);
		else if (rc == MP_EAGAIN)
			state->spared |= UINT32_C(1) << (state->plan.seen_count - 1);
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
		if (((state->passed | state->spared) >> i & 1) == 0)
			plan->seen[kept++] = plan->seen[i];
	plan->seen_count = kept;
	restart_plan(plan);
	state->passed = state->spared = 0;
}

// ---- how long hosts take ----------------------------------------------------------------------------------

void mp_latency_answered(struct mp_host_view *host, uint64_t us, uint64_t now_ms)
{
	bool is_old = (double)now_ms - host->latencyAtMs > LATENCY_OLD_MS;
	host->latencyAtMs = (double)now_ms;
	uint32_t sample = us > UINT32_MAX / 2 ? UINT32_MAX / 2 : us == 0 ? 1 : (uint32_t)us;
	uint32_t mean = host->latencyUs;
	if (mean == 0 || is_old)
		host->latencyUs = sample;
	else
		host->latencyUs = (uint32_t)((int64_t)mean + ((int64_t)sample - (int64_t)mean) / LATENCY_SHARE);
}

void mp_latency_silent(struct mp_host_view *host, uint64_t us, uint64_t now_ms)
{
	if (us > host->latencyUs)
		mp_latency_answered(host, us, now_ms);
	else
		host->latencyAtMs = (double)now_ms;
}

void mp_attempt_was_answered(struct mp_attempt *attempt)
{
	struct mp_session *session = attempt->request->session;
	uint64_t now_ns = mp_loop_now_ns(session->loop);
	uint64_t us = (now_ns - attempt->began_ns) / 1000;
	mp_window_add(&session->hosts.slots[attempt->host]->window, us);
	mp_latency_answered(&session->view.hosts[attempt->host], us, now_ns / NS_PER_MS);
}

void mp_attempt_was_silent(struct mp_attempt *attempt)
{
	struct mp_session *session = attempt->request->session;
	uint64_t us = (mp_loop_now_ns(session->loop) - attempt->began_ns) / 1000;
	mp_latency_silent(&session->view.hosts[attempt->host], us, mp_loop_now_ms(session->loop));
	mp_conn_probe(attempt->conn);
}

// ---- the end ----------------------------------------------------------------------------------------------

void mp_attempt_judge(struct mp_attempt *attempt, enum mp_breaker_verdict verdict)
{
	uint32_t ticket = attempt->ticket;
	attempt->ticket = 0;
	if (ticket != 0)
		mp_host_leave(attempt->request->session->hosts.slots[attempt->host], ticket, verdict);
}

bool mp_attempt_is_alone(const struct mp_attempt *attempt)
{
	return attempt->request->state->attempts == attempt && attempt->next == NULL;
}

void mp_attempt_end(struct mp_attempt *attempt)
{
	struct mp_session *session = attempt->request->session;
	struct mp_request_state *state = attempt->request->state;
	struct mp_host_view *view = &session->view.hosts[attempt->host];
	mp_assert(view->inFlight > 0);
	view->inFlight--;
	if (MP_UNLIKELY(attempt->ticket != 0))
		mp_attempt_judge(attempt, MP_VERDICT_NONE);
	if (MP_UNLIKELY(attempt->call.conn != NULL))
		mp_call_abandon(&attempt->call);
	struct mp_attempt **at = &state->attempts;
	while (MP_UNLIKELY(*at != attempt)) // it is the only one, as a rule
		at = &(*at)->next;
	*at = attempt->next;
	if (MP_UNLIKELY(attempt->metadata != NULL))
		forget_metadata(attempt);
	if (MP_UNLIKELY(attempt != &state->first))
		mp_slab_give(&session->attempts, attempt);
}
