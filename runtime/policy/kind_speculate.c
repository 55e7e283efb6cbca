// SPDX-License-Identifier: Apache-2.0
// Speculative execution policies: when another copy of a slow request goes. What they say is a wish: which requests
// may have copies, to whom they go, how many there are and what they may cost is decided in
// cluster/request/speculative.c.
#include <math.h>
#include <stddef.h>

#include "base/err.h"
#include "policy/policies_internal.h"
#include "policy/words.h"

#define DELAY_MAX_MS 3600000.0 // an hour

struct mp_policy_copy {
	uint32_t sent;
};

struct scratch {
	struct mp_policy_copy copy; // what it is asked about, beside the request
	uint32_t delay_ms;
};

static int call_after(struct mp_policy_context *context, double delay_ms)
{
	if (!(delay_ms >= 0 && delay_ms <= DELAY_MAX_MS))
		return MP_EINVAL;
	((struct scratch *)context->scratch)->delay_ms = (uint32_t)ceil(delay_ms);
	return 0;
}

enum { TOO_FEW = -1, BAD_LATENCY = -2 };

// TOO_FEW: samples, or nobody measures. BAD_LATENCY: that is no quantile or no number of samples.
static double call_latency(struct mp_policy_context *context, double quantile, double least)
{
	if (!(quantile > 0 && quantile < 1) || !(least >= 1 && least <= 1e9))
		return BAD_LATENCY;
	const struct mp_policy_names *names = context->names;
	if (names == NULL || names->latency_ms == NULL)
		return TOO_FEW;
	return names->latency_ms(names->data, quantile, (uint32_t)least);
}

static void push(lua_State *L, struct mp_policy_state *state)
{
	static const struct mp_word_field fields[] = {{"sent", offsetof(struct mp_policy_copy, sent)}};
	mp_policy_push_layout(L, "copy", sizeof(struct mp_policy_copy), fields, MP_ARRAY_LEN(fields));
	mp_policy_push_call(L, "copy", (uintptr_t) & ((struct scratch *)state->context.scratch)->copy);
	mp_policy_push_call(L, "after", (uintptr_t)call_after);
	mp_policy_push_call(L, "latency", (uintptr_t)call_latency);
	mp_policy_push_code(L, "DELAY_MAX", DELAY_MAX_MS);
	mp_policy_push_code(L, "BAD_LATENCY", BAD_LATENCY);
}

static bool decide(struct mp_policy_state *state, const struct mp_request_view *req, uint32_t sent,
                   uint32_t *after_ms)
{
	state->req = *req;
	struct scratch *scratch = state->context.scratch;
	scratch->copy.sent = sent;
	scratch->delay_ms = MP_SPECULATE_NEVER;
	int status = mp_policy_state_enter(state);
	if (MP_UNLIKELY(status != 0))
		return mp_policy_state_failed(state, status);
	*after_ms = scratch->delay_ms;
	return true;
}

static bool check(struct mp_policy_state *state, struct mp_sample *sample)
{
	(void)sample;
	for (uint32_t i = 0; i < MP_SAMPLE_REQUESTS * MP_SPECULATIVE_MAX; i++) {
		struct mp_request_view req;
		uint32_t after_ms;
		mp_sample_request(i / MP_SPECULATIVE_MAX, &req);
		if (!decide(state, &req, 1 + i % MP_SPECULATIVE_MAX, &after_ms))
			return false;
	}
	return true;
}

static bool ask(struct mp_policy_state *state, const struct mp_policy_question *question)
{
	struct mp_request_view req;
	uint32_t after_ms;
	mp_sample_request(question->request, &req);
	return decide(state, &req, 1, &after_ms);
}

// Both are asked. What the candidate says counts for its requests; when it fails, the generation in force answers.
static MP_COLD uint32_t after_by_candidate(struct mp_policy_slot *slot, const struct mp_request_view *req,
                                           uint32_t sent)
{
	struct mp_policy_state *candidate = mp_canary_policy(slot);
	struct mp_tally_pair pair = {.host = {UINT32_MAX, UINT32_MAX}};
	uint32_t after_ms[MP_ARMS] = {MP_SPECULATE_NEVER, MP_SPECULATE_NEVER};
	bool is_asked = candidate != NULL;
	bool ok = is_asked && decide(candidate, req, sent, &after_ms[MP_CANDIDATE]);
	bool in_force = mp_policy_may_ask(slot);
	if (in_force) {
		uint64_t from_ns = mp_policy_called(slot);
		in_force =
			mp_policy_ended(slot, from_ns, decide(slot->current->state, req, sent, &after_ms[MP_IN_FORCE]));
	}
	pair.failed[MP_CANDIDATE] = !ok;
	pair.failed[MP_IN_FORCE] = !in_force;
	if (is_asked)
		mp_canary_asked(slot, &pair);
	if (ok && mp_canary_serves(req->arms, MP_ARM_SPECULATE))
		return after_ms[MP_CANDIDATE];
	return in_force ? after_ms[MP_IN_FORCE] : MP_SPECULATE_NEVER;
}

static uint32_t serve_after(void *self, const struct mp_request_view *req, uint32_t sent)
{
	struct mp_policy_slot *slot = self;
	uint32_t after_ms = MP_SPECULATE_NEVER;
	if (mp_canary_is_dealt(req->arms, MP_ARM_SPECULATE))
		return after_by_candidate(slot, req, sent);
	if (MP_UNLIKELY(!mp_policy_may_ask(slot)))
		return MP_SPECULATE_NEVER;
	uint64_t from_ns = mp_policy_called(slot);
	bool ok = decide(slot->current->state, req, sent, &after_ms);
	return MP_LIKELY(mp_policy_ended(slot, from_ns, ok)) ? after_ms : MP_SPECULATE_NEVER;
}

static void serve(struct mp_policy_slot *slot, struct mp_policy_calls *policies)
{
	policies->speculate = (struct mp_speculate_policy){.self = slot, .after = serve_after};
}

const struct mp_policy_ops mp_policy_speculate = {
	.name = "speculate",
	.key = "speculativeExecution",
	.tail = "speculative_execution",
	.is_hot = true,
	.arm = MP_ARM_SPECULATE,
	.canary_least = 1000,
	.push = push,
	.scratch_bytes = sizeof(struct scratch),
	.check = check,
	.ask = ask,
	.serve = serve,
};
