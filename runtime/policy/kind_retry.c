// SPDX-License-Identifier: Apache-2.0
// Retry policies: after this error, again, where, or give up. What they say is a wish inside of the replay gate
// (cluster/request/replay.c).
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "policy/policies_internal.h"
#include "policy/words.h"
#include "wire/message.h"

#define DELAY_MAX_MS 3600000.0 // an hour

struct scratch {
	struct mp_retry_view err;
	uint32_t verdict;
	uint32_t delay_ms;
	uint16_t lower_to; // MP_CONSISTENCY_AS_IT_IS, or what the next attempt should have
};

// ---- what scripts call ------------------------------------------------------------------------------------

static int call_verdict(struct mp_policy_context *context, int verdict, double delay_ms)
{
	struct scratch *scratch = context->scratch;
	uint32_t number = (uint32_t)verdict - MP_WORD_VERDICT;
	if (number > MP_NEXT_HOST || !(delay_ms >= 0 && delay_ms <= DELAY_MAX_MS))
		return MP_EINVAL;
	scratch->verdict = number;
	scratch->delay_ms = (uint32_t)delay_ms;
	return 0;
}

// The consistency of the next attempt; the cluster takes it only where it may (cluster/request/retry.c).
static int call_lower(struct mp_policy_context *context, double consistency)
{
	if (!(consistency >= 0 && consistency <= MP_CL_LOCAL_ONE) || consistency != floor(consistency))
		return MP_EINVAL;
	((struct scratch *)context->scratch)->lower_to = (uint16_t)consistency;
	return 0;
}

// clang-format off
#define FIELD(field) {#field, offsetof(struct mp_retry_view, field)}
// clang-format on

// Error codes and write types. Where a local failure and a server's error share a name, the name is the server's.
static void push_errors(lua_State *L)
{
#define X(symbol, value, name, text) mp_policy_push_constant(L, name, value);
	MP_ERRORS(X)
#undef X
#define X(name, value) mp_policy_push_constant(L, #name, value);
	MP_SERVER_ERRORS(X)
#undef X
	for (int type = 0; type < MP_WRITE_UNKNOWN; type++) {
		char word[64];
		snprintf(word, sizeof(word), "WRITE_%s", mp_write_type_name((enum mp_write_type)type));
		mp_policy_push_constant(L, word, type);
	}
}

static void push(lua_State *L, struct mp_policy_state *state)
{
	struct scratch *scratch = state->context.scratch;
	static const struct mp_word_field fields[] = {
		FIELD(code),       {"localError", offsetof(struct mp_retry_view, err)},
		FIELD(attempt),    FIELD(consistency),
		FIELD(required),   FIELD(received),
		FIELD(writeType),  FIELD(dataPresent),
		FIELD(idempotent), FIELD(isRead),
		FIELD(isLwt),
	};
	mp_policy_push_layout(L, "err", sizeof(struct mp_retry_view), fields, MP_ARRAY_LEN(fields));
	mp_policy_push_call(L, "err", (uintptr_t)&scratch->err);
	push_errors(L);
#define X(name, word) mp_policy_push_constant(L, #word, MP_WORD_VERDICT + MP_##name);
	MP_RETRY_VERDICTS(X)
#undef X
	mp_policy_push_call(L, "verdict", (uintptr_t)call_verdict);
	mp_policy_push_call(L, "lower", (uintptr_t)call_lower);
}

// ---- asking -----------------------------------------------------------------------------------------------

static bool decide(struct mp_policy_state *state, const struct mp_retry_view *err)
{
	struct scratch *scratch = state->context.scratch;
	*scratch = (struct scratch){
		.err = *err,
		.verdict = MP_GIVE_UP,
		.lower_to = MP_CONSISTENCY_AS_IT_IS,
	};
	int status = mp_policy_state_enter(state);
	return status == 0 || mp_policy_state_failed(state, status);
}

static bool check(struct mp_policy_state *state, struct mp_sample *sample)
{
	(void)sample; // errors are the same everywhere
	for (uint32_t i = 0; i < MP_SAMPLE_ERRORS; i++) {
		struct mp_retry_view err;
		mp_sample_error(i, &err);
		if (!decide(state, &err))
			return false;
	}
	return true;
}

// ---- in service -------------------------------------------------------------------------------------------

static enum mp_retry_verdict answer(const struct scratch *said, uint32_t *delay_ms, uint16_t *lower_to)
{
	*delay_ms = said->delay_ms;
	*lower_to = said->lower_to;
	return (enum mp_retry_verdict)said->verdict;
}

// What counts of what both say: false, if neither has said anything that does.
static MP_COLD bool decide_by_candidate(struct mp_policy_slot *slot, const struct mp_retry_view *err,
                                        struct scratch *said)
{
	struct mp_policy_state *candidate = mp_canary_policy(slot);
	struct mp_tally_pair pair = {.host = {UINT32_MAX, UINT32_MAX}};
	bool ok = decide(candidate, err);
	*said = *(const struct scratch *)candidate->context.scratch;
	pair.failed[MP_CANDIDATE] = !ok;
	bool in_force = mp_policy_may_ask(slot);
	if (in_force) {
		uint64_t from_ns = mp_policy_called(slot);
		in_force = mp_policy_ended(slot, from_ns, decide(slot->current->state, err));
	}
	pair.failed[MP_IN_FORCE] = !in_force;
	bool serves = ok && mp_canary_serves(err->arms, MP_ARM_RETRY);
	if (!serves && in_force)
		*said = *(const struct scratch *)slot->current->state->context.scratch;
	mp_canary_asked(slot, &pair);
	return serves || in_force;
}

static enum mp_retry_verdict serve_decide(void *self, const struct mp_retry_view *err, uint32_t *delay_ms)
{
	struct mp_policy_slot *slot = self;
	uint16_t *lower_to = slot->service;
	*lower_to = MP_CONSISTENCY_AS_IT_IS;
	struct scratch said;
	if (mp_canary_is_dealt(err->arms, MP_ARM_RETRY) && mp_canary_policy(slot) != NULL)
		return decide_by_candidate(slot, err, &said) ? answer(&said, delay_ms, lower_to)
		                                             : mp_default_retry(NULL, err, delay_ms);
	if (!mp_policy_may_ask(slot))
		return mp_default_retry(NULL, err, delay_ms);
	struct mp_policy_state *state = slot->current->state;
	uint64_t from_ns = mp_policy_called(slot);
	if (!mp_policy_ended(slot, from_ns, decide(state, err))) {
		*delay_ms = 0;
		return mp_default_retry(NULL, err, delay_ms);
	}
	return answer(state->context.scratch, delay_ms, lower_to);
}

static void serve(struct mp_policy_slot *slot, struct mp_policy_calls *policies)
{
	policies->retry = (struct mp_retry_policy){
		.self = slot,
		.decide = serve_decide,
		.lower_to = slot->service,
	};
}

const struct mp_policy_ops mp_policy_retry = {
	.name = "retry",
	.key = "retry",
	.arm = MP_ARM_RETRY,
	.canary_least = 100,
	.scratch_bytes = sizeof(struct scratch),
	.service_bytes = sizeof(uint16_t),
	.push = push,
	.check = check,
	.serve = serve,
};
