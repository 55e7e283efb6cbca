// SPDX-License-Identifier: Apache-2.0
// After a failed attempt: note it, ask the gate what is allowed, ask the policy what is wanted, and do the
// lesser of the two. The gate is a table in C; a policy that asks for more is counted and refused.
#include <stdio.h>

#include "cluster/request_internal.h"
#include "cluster/session_internal.h"

// The budget of retries, in tenths: every request earns one, every second ten retries' worth, a retry costs ten.
#define RETRY_COST       10
#define RETRIES_A_SECOND 10
#define RETRY_TOKENS_MAX (1000 * RETRY_COST)

#define MOVE_DELAY_MAX_MS 3600000u

void mp_retry_budget_tick(struct mp_session *session)
{
	bool fresh = session->counters.requests == 0 && session->retry_tokens == 0;
	session->retry_tokens += fresh ? RETRY_TOKENS_MAX : RETRIES_A_SECOND * RETRY_COST;
	if (session->retry_tokens > RETRY_TOKENS_MAX)
		session->retry_tokens = RETRY_TOKENS_MAX;
}

// What piles up where a cluster is overloaded. A lost connection is not: its requests are moved, not multiplied.
static bool costs_budget(uint8_t outcome)
{
	switch (outcome) {
	case MP_OUTCOME_NOT_SENT:
	case MP_OUTCOME_PART_SENT:
	case MP_OUTCOME_LOST:
	case MP_OUTCOME_UNPREPARED:
	case MP_OUTCOME_IS_BOOTSTRAPPING: return false;
	default: return true;
	}
}

// What requests earned beyond the most is lost with the next payment.
static void spend(struct mp_session *session)
{
	if (session->retry_tokens > RETRY_TOKENS_MAX)
		session->retry_tokens = RETRY_TOKENS_MAX;
	session->retry_tokens -= RETRY_COST;
}

static bool pay(struct mp_session *session, uint8_t outcome)
{
	if (!costs_budget(outcome))
		return true;
	if (session->retry_tokens < RETRY_COST) {
		session->counters.budget_refused++;
		return false;
	}
	spend(session);
	return true;
}

// Half of the budget is left to retries: a copy only makes a request faster, a retry saves one.
bool mp_retry_budget_allows_copy(struct mp_session *session)
{
	bool allows = session->retry_tokens >= RETRY_TOKENS_MAX / 2 + RETRY_COST;
	session->counters.speculative_refused += allows ? 0 : 1;
	return allows;
}

void mp_retry_budget_pay_copy(struct mp_session *session)
{
	spend(session);
}

// ---- the gate ---------------------------------------------------------------------------------------------

static void note(struct mp_request *request, const struct mp_failure *failure)
{
	struct mp_request_state *state = request->state;
	struct mp_host *host = request->session->hosts.slots[state->host];
	uint64_t ms = (mp_loop_now_ns(request->session->loop) - state->attempt_ns) / 1000000;
	host->errors++;
	mp_error_add(mp_request_error(request), host->addr_text, failure->err, failure->server_code,
	             ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms, failure->message);
}

// How many replicas must answer; serial ones and ANY are not to be compared.
static int strength(uint16_t consistency)
{
	switch (consistency) {
	case MP_CL_LOCAL_ONE:
	case MP_CL_ONE: return 1;
	case MP_CL_TWO: return 2;
	case MP_CL_THREE: return 3;
	case MP_CL_LOCAL_QUORUM: return 4;
	case MP_CL_QUORUM: return 5;
	case MP_CL_EACH_QUORUM: return 6;
	case MP_CL_ALL: return 7;
	default: return 0;
	}
}

// The next attempt asks for fewer replicas: only where the gate would let it be sent twice, never for a lightweight
// transaction, never for more than the caller asked for.
static void lower(struct mp_request *request)
{
	const struct mp_retry_policy *policy = &request->session->policies.retry;
	struct mp_request_state *state = request->state;
	uint16_t *consistency = &request->options.consistency;
	if (policy->lower_to == NULL || *policy->lower_to == MP_CONSISTENCY_AS_IT_IS)
		return;
	uint16_t wish = *policy->lower_to;
	bool safe = (state->replay_class == MP_REPLAY_READ || request->options.idempotent) && !state->is_lwt;
	if (!safe || strength(wish) == 0 || strength(wish) >= strength(*consistency))
		return;
	// It would be answered by another datacentre than its caller calls local.
	if (request->session->away && mp_consistency_is_local(wish) && !mp_consistency_is_local(*consistency))
		return;
	*consistency = wish;
	request->session->counters.downgraded++;
}

static enum mp_retry_verdict ask_policy(struct mp_request *request, const struct mp_failure *failure,
                                        uint32_t *delay_ms)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	struct mp_retry_view view = {
		.code = failure->server_code,
		.err = failure->err,
		.attempt = (uint16_t)(state->attempts > UINT16_MAX ? UINT16_MAX : state->attempts),
		.consistency = request->options.consistency,
		.required = failure->required,
		.received = failure->received,
		.writeType = failure->write_type,
		.dataPresent = failure->data_present,
		.idempotent = request->options.idempotent,
		.isRead = state->replay_class == MP_REPLAY_READ,
		.isLwt = state->is_lwt,
	};
	*delay_ms = 0;
	enum mp_retry_verdict verdict =
		session->policies.retry.decide(session->policies.retry.self, &view, delay_ms);
	bool known = verdict == MP_SAME_HOST || verdict == MP_NEXT_HOST;
	return known ? verdict : MP_GIVE_UP;
}

// What certainly was not sent has not failed anywhere: it only looks for a place.
static bool leaves(uint8_t outcome, enum mp_retry_verdict verdict)
{
	return verdict == MP_NEXT_HOST && outcome != MP_OUTCOME_NOT_SENT && outcome != MP_OUTCOME_PART_SENT;
}

// It goes on to another host, not before the time that this returns: the retry policy's delay or the one of failover,
// whichever is longer.
static uint32_t move(struct mp_request *request, uint32_t delay_ms)
{
	struct mp_request_state *state = request->state;
	const struct mp_failover_limits *limits = &request->session->config.failover;
	double wait_ms = limits->delay_ms;
	for (uint32_t i = 0; i < state->moves && wait_ms < MOVE_DELAY_MAX_MS; i++)
		wait_ms *= limits->multiplier;
	if (wait_ms > MOVE_DELAY_MAX_MS)
		wait_ms = MOVE_DELAY_MAX_MS;
	if (state->moves < UINT8_MAX)
		state->moves++;
	request->session->counters.moved++;
	return wait_ms > delay_ms ? (uint32_t)wait_ms : delay_ms;
}

bool mp_request_may_move(const struct mp_request *request)
{
	const struct mp_failover_limits *limits = &request->session->config.failover;
	return limits->enabled && request->state->moves < limits->max_moves;
}

static bool may_move(struct mp_request *request)
{
	bool may = mp_request_may_move(request);
	request->session->counters.move_refused += may ? 0 : 1;
	return may;
}

// Whether the gate lets another attempt follow; *verdict may become stricter, the delay longer.
static bool gate(struct mp_request *request, const struct mp_failure *failure, struct mp_replay_rule rule,
                 enum mp_retry_verdict *verdict, uint32_t *delay_ms)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	if (state->used[failure->outcome] >= rule.most) {
		session->counters.unsafe_retries_refused++;
		return false;
	}
	if (rule.next_host_only && *verdict == MP_SAME_HOST)
		*verdict = MP_NEXT_HOST;
	bool moves = leaves(failure->outcome, *verdict);
	if ((moves && !may_move(request)) || !pay(session, failure->outcome))
		return false;
	if (moves)
		*delay_ms = move(request, *delay_ms);
	return true;
}

static void fail(struct mp_request *request, int err)
{
	mp_request_fail(request, MP_REQUEST_NOW, err, "%s", mp_err_text(err));
}

static void delay(struct mp_request *request, uint32_t delay_ms)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	uint64_t due_ns = mp_loop_now_ns(session->loop) + (uint64_t)delay_ms * 1000000;
	// A retry that could only begin after the deadline is none.
	if (due_ns >= state->deadline_ns || mp_timer_start_at_ns(&state->delay, due_ns) != 0) {
		fail(request, MP_ENOHOST);
		return;
	}
	mp_request_enter(request, MP_REQUEST_DELAYED);
	if (mp_deadline_start_at(&session->deadlines, &state->due, state->deadline_ns) != 0)
		mp_log_write(&session->log, MP_LOG_WARN, "out of memory for a deadline: the retry's timer stands in");
}

void mp_request_on_delay(void *data)
{
	mp_request_go_on(data);
}

// Another attempt is in flight already: that was this one's retry. A host that forgot the statement was told it again,
// which the last of the attempts may still need for itself.
static bool goes_on(struct mp_request *request, const struct mp_failure *failure)
{
	struct mp_request_state *state = request->state;
	if (MP_LIKELY(state->copies == NULL) || !mp_copies_take_over(request))
		return false;
	if (failure->outcome != MP_OUTCOME_UNPREPARED)
		state->used[failure->outcome]++;
	return true;
}

void mp_request_failed(struct mp_request *request, const struct mp_failure *failure)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	enum mp_replay_class class = failure->harmless ? MP_REPLAY_READ : state->replay_class;
	struct mp_replay_rule rule = mp_replay_rule(failure->outcome, class);
	note(request, failure);
	state->maybe_applied |= rule.maybe_applied;
	if (goes_on(request, failure))
		return;
	mp_deadline_stop(&state->due);
	if (session->state != MP_SESSION_OPEN) {
		fail(request, failure->err);
		return;
	}
	uint32_t delay_ms;
	enum mp_retry_verdict verdict = ask_policy(request, failure, &delay_ms);
	if (verdict == MP_GIVE_UP || !gate(request, failure, rule, &verdict, &delay_ms)) {
		fail(request, failure->err);
		return;
	}
	lower(request);
	state->is_copy = false;
	state->used[failure->outcome]++;
	session->counters.retries++;
	state->same_host = verdict == MP_SAME_HOST;
	state->failed_over = true;
	if (delay_ms > 0)
		delay(request, delay_ms);
	else
		mp_request_go_on(request);
}

void mp_request_go_on(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	int rc = MP_ENOHOST;
	bool may_leave = true;
	if (state->same_host) {
		state->same_host = false;
		rc = mp_request_to_host(request, state->host);
		may_leave = (rc == MP_EBUSY || rc == MP_ENOHOST) && may_move(request);
		if (may_leave)
			move(request, 0);
	}
	if ((rc == MP_EBUSY || rc == MP_ENOHOST) && may_leave)
		rc = mp_request_next(request);
	if (rc == MP_EBUSY && may_leave)
		rc = mp_request_wait(request);
	if (rc == 0 && state->may_copy)
		mp_copies_again(request);
	if (rc == 0)
		return;
	fail(request, rc);
}

// ---- time is up -------------------------------------------------------------------------------------------

// The call becomes an orphan, and its connection is asked for a sign of life. What was not sent yet will be: a request
// that was abandoned may always be applied.
static void abandon_call(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	mp_call_abandon(&state->call);
	mp_request_leave(request);
	mp_conn_probe(state->conn);
	struct mp_host *host = request->session->hosts.slots[state->host];
	host->timeouts++;
	uint64_t us = (mp_loop_now_ns(request->session->loop) - state->attempt_ns) / 1000;
	struct mp_host_view *view = &request->session->view.hosts[host->index];
	uint32_t *mean = &view->latencyUs;
	view->latencyAtMs = (double)mp_loop_now_ms(request->session->loop);
	// Who does not answer is at least that slow.
	if (us > *mean)
		*mean = us > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)us;
}

static void attempt_timed_out(struct mp_request *request, bool is_last)
{
	struct mp_request_state *state = request->state;
	abandon_call(request);
	char message[96];
	uint64_t ms = (mp_loop_now_ns(request->session->loop) - state->attempt_ns) / 1000000;
	snprintf(message, sizeof(message), "no answer within %llu ms", (unsigned long long)ms);
	struct mp_failure failure = {
		.outcome = MP_OUTCOME_TIMEOUT,
		.err = MP_ETIMEOUT,
		.server_code = -1,
		.message = mp_str_of(message),
	};
	if (!is_last) {
		mp_request_failed(request, &failure);
		return;
	}
	note(request, &failure);
	state->maybe_applied |= mp_replay_rule(failure.outcome, state->replay_class).maybe_applied;
}

static void sent_timed_out(struct mp_request *request, bool attempt_only)
{
	attempt_timed_out(request, !attempt_only);
	if (attempt_only)
		return;
	while (mp_copies_take_over(request))
		attempt_timed_out(request, true);
	fail(request, MP_ETIMEOUT);
}

void mp_request_timed_out(struct mp_request *request, bool attempt_only)
{
	struct mp_request_state *state = request->state;
	if (state->phase == MP_REQUEST_SENT)
		sent_timed_out(request, attempt_only);
	else
		mp_request_fail(request, MP_REQUEST_NOW, MP_ETIMEOUT, "no %s within %u ms",
		                state->phase == MP_REQUEST_WAITING ? "connection had room"
		                                                   : "host knew the statement",
		                state->timeout_ms);
}
