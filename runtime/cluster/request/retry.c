// SPDX-License-Identifier: Apache-2.0
// After a failed attempt: note it, ask the gate what is allowed, ask the policy what is wanted, and do the
// lesser of the two. The gate is a table in C; a policy that asks for more is counted and refused.
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

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

static bool pay(struct mp_session *session, uint8_t outcome)
{
	if (!costs_budget(outcome))
		return true;
	if (!mp_budget_allows_retry(&session->budget)) {
		session->counters.retries_refused++;
		return false;
	}
	mp_budget_pay(&session->budget);
	return true;
}

// ---- the gate ---------------------------------------------------------------------------------------------

// The gate's rule for what the attempt met.
static struct mp_replay_rule rule_of(const struct mp_request *request, const struct mp_failure *failure)
{
	return mp_replay_rule(failure->outcome,
	                      failure->harmless ? MP_REPLAY_READ : request->state->replay_class);
}

void mp_attempt_note(struct mp_attempt *attempt, const struct mp_failure *failure)
{
	struct mp_request *request = attempt->request;
	struct mp_session *session = request->session;
	struct mp_host *host = session->hosts.slots[attempt->host];
	uint64_t ms = (mp_loop_now_ns(session->loop) - attempt->began_ns) / 1000000;
	host->errors++;
	request->state->host = attempt->host;
	request->state->maybe_applied |= rule_of(request, failure).maybe_applied;
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
		.attempt = (uint16_t)(state->attempt_count > UINT16_MAX ? UINT16_MAX : state->attempt_count),
		.consistency = request->options.consistency,
		.required = failure->required,
		.received = failure->received,
		.writeType = failure->write_type,
		.dataPresent = failure->data_present,
		.idempotent = request->options.idempotent,
		.isRead = state->replay_class == MP_REPLAY_READ,
		.isLwt = state->is_lwt,
		.arms = state->arms.candidate,
	};
	*delay_ms = 0;
	mp_request_meets(state, MP_ARM_RETRY);
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

// Whether the gate lets another attempt follow; *verdict may become stricter, the delay longer.
static bool gate(struct mp_request *request, const struct mp_failure *failure, enum mp_retry_verdict *verdict,
                 uint32_t *delay_ms)
{
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	struct mp_replay_rule rule = rule_of(request, failure);
	if (state->used[failure->outcome] >= rule.most) {
		session->counters.unsafe_retries_refused++;
		return false;
	}
	if (rule.next_host_only && *verdict == MP_SAME_HOST)
		*verdict = MP_NEXT_HOST;
	bool moves = leaves(failure->outcome, *verdict);
	if ((moves && !mp_move_is_allowed(request)) || !pay(session, failure->outcome))
		return false;
	uint32_t wait_ms = moves ? mp_move_make(request) : 0;
	if (wait_ms > *delay_ms)
		*delay_ms = wait_ms;
	return true;
}

// That the statement was changed is told beside what the attempts before met.
static void fail(struct mp_request *request, int err)
{
	char text[MP_REFUSAL_TEXT];
	const char *why = mp_request_refusal(request, err, text);
	struct mp_error *error = mp_request_error(request);
	if (err == MP_ECHANGED && error->attempt_count > 0)
		mp_error_add(error, error->host, err, -1, 0, mp_str_of(why));
	mp_request_fail(request, MP_REQUEST_NOW, err, "%s", why);
}

void mp_request_fail_changed(struct mp_request *request)
{
	request->state->maybe_applied |= request->state->replay_class != MP_REPLAY_READ;
	fail(request, MP_ECHANGED);
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
	if (mp_request_watch(request) != 0)
		mp_log_write(&session->log, MP_LOG_WARN, "out of memory for a deadline: the retry's timer stands in");
}

void mp_request_on_delay(void *data)
{
	mp_request_try_again(data);
}

void mp_attempt_failed(struct mp_attempt *attempt, const struct mp_failure *failure)
{
	struct mp_request *request = attempt->request;
	struct mp_session *session = request->session;
	struct mp_request_state *state = request->state;
	mp_attempt_note(attempt, failure);
	mp_attempt_end(attempt);
	if (MP_UNLIKELY(state->attempts != NULL) && mp_request_is_under_way(request)) {
		// That was this one's retry. A host that forgot the statement was told it again, which the last of the
		// attempts may still need for itself.
		if (failure->outcome != MP_OUTCOME_UNPREPARED)
			state->used[failure->outcome]++;
		return;
	}
	uint32_t delay_ms = 0;
	enum mp_retry_verdict verdict = MP_GIVE_UP;
	if (session->state == MP_SESSION_OPEN)
		verdict = ask_policy(request, failure, &delay_ms);
	if (verdict == MP_GIVE_UP || !gate(request, failure, &verdict, &delay_ms)) {
		fail(request, failure->err);
		return;
	}
	lower(request);
	state->used[failure->outcome]++;
	session->counters.retries++;
	state->same_host = verdict == MP_SAME_HOST;
	state->failed_over = true;
	if (delay_ms > 0)
		delay(request, delay_ms);
	else
		mp_request_try_again(request);
}

// The host that was decided upon has no room, or is gone: as good as a move, for which nobody waits.
static bool leave_same_host(struct mp_request *request, int rc)
{
	if ((rc != MP_EBUSY && rc != MP_ENOHOST) || !mp_move_is_allowed(request))
		return false;
	(void)mp_move_make(request);
	return true;
}

static int send_again(struct mp_request *request)
{
	struct mp_request_state *state = request->state;
	if (state->same_host) {
		state->same_host = false;
		int rc = mp_attempt_to_host(&state->first, state->host);
		if (rc == 0 || !leave_same_host(request, rc))
			return rc;
	}
	int rc = mp_attempt_to_next_host(&state->first);
	return rc == MP_EBUSY ? mp_room_wait(&request->session->room, request) : rc;
}

void mp_request_try_again(struct mp_request *request)
{
	int rc = send_again(request);
	if (rc == 0)
		mp_speculation_again(request);
	else
		fail(request, rc);
}
