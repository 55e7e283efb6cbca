// SPDX-License-Identifier: Apache-2.0
// What a call of a policy costs: asks it until it is machine code, and measures it on a made-up cluster of a hundred
// nodes. Nothing here decides whether a policy is good, only how dear it is.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "policy/policies_internal.h"

// ---- warming up ---------------------------------------------------------------------------------------------------

#define COMMON_REQUEST 12u // a read by a routing key with a local consistency
#define COMMON_CALLS   96u // most calls until it is machine code
#define LOOK_EVERY     8u
#define ROUNDS         6u // of all requests, so that what they have not in common is machine code, too
#define WINDOWS        6u
#define MEASURED       16u

static bool ask_one(struct mp_policy_state *state, struct mp_view *view, uint32_t request, uint64_t chance)
{
	struct mp_policy_question question = {
		.view = view,
		.request = request,
		.token = MP_SAMPLE_TOKEN,
		.chance = chance,
	};
	return state->ops->ask(state, &question);
}

// Enough calls that the ways through the policy are compiled before the first request takes them, the usual one first:
// what the compiler sees first is the trunk, everything else a branch. The copy of the view keeps the session's own
// turn where it is.
void mp_policy_warm_up(const struct mp_view *cluster, struct mp_policy_state *state)
{
	struct mp_view view = *cluster;
	bool ok = true;
	for (uint32_t i = 0; i < COMMON_CALLS && ok; i++) {
		if (i % LOOK_EVERY == 0 && mp_policy_state_is_compiled(state))
			break;
		ok = ask_one(state, &view, COMMON_REQUEST, i);
	}
	for (uint32_t i = 0; i < ROUNDS * MP_SAMPLE_REQUESTS && ok; i++)
		ok = ask_one(state, &view, i % MP_SAMPLE_REQUESTS, i);
	state->bytes_per_call = UINT32_MAX;
	for (uint32_t window = 0; window < WINDOWS && ok; window++) {
		uint64_t given_bytes = state->vm.given_bytes;
		for (uint32_t i = 0; i < MEASURED && ok; i++)
			ok = ask_one(state, &view, COMMON_REQUEST, i);
		// The compiler takes memory, too, but not all the time.
		uint32_t bytes = (uint32_t)((state->vm.given_bytes - given_bytes) / MEASURED);
		if (bytes < state->bytes_per_call)
			state->bytes_per_call = bytes;
	}
	if (!ok)
		state->bytes_per_call = 0; // not known
	state->context.plan = &state->idle_plan;
}

bool mp_policy_is_slow(struct mp_policy_state *state, char *why, size_t size)
{
	const char *file = state->files[0];
	// What is asked seldom is not worth compiling.
	bool is_hot = state->ops->is_hot;
	if (state->runs_dry)
		snprintf(why, size, "%s: this policy takes too long on a cluster of a thousand nodes", file);
	else if (state->loop_at[0] != '\0')
		snprintf(why, size, "%s: this policy loops", state->loop_at);
	else if (is_hot && !mp_policy_state_is_compiled(state))
		snprintf(why, size, "%s: this policy does not become machine code", file);
	else if (is_hot && state->bytes_per_call > 0)
		snprintf(why, size, "%s: this policy takes %u bytes of memory for each request", file,
		         state->bytes_per_call);
	else
		return false;
	return true;
}

// ---- for authors --------------------------------------------------------------------------------------------------

#define TRIED_FIRST  12000u // calls before any is timed
#define TIMED_CALLS  20000u
#define TIMED_MAX_NS UINT64_C(50000000) // slow ones are asked less often
#define ROUND_CALLS  64u

// Some calls; false: the policy failed.
static bool ask_round(struct mp_policy_slot *slot, struct mp_policy_state *state)
{
	struct mp_sample *sample = &slot->owner->sample;
	if (state->ops->ask == NULL)
		return state->ops->check(state, sample);
	bool ok = true;
	for (uint32_t i = 0; i < ROUND_CALLS && ok; i++) {
		struct mp_policy_question question = {
			.view = &sample->view,
			.placement = mp_sample_placement(sample),
			.request = COMMON_REQUEST,
			.token = (int64_t)(i * UINT64_C(0x9e3779b97f4a7c15)),
			.chance = i,
		};
		ok = state->ops->ask(state, &question);
	}
	return ok;
}

static bool ask_calls(struct mp_policy_slot *slot, struct mp_policy_state *state, uint64_t calls)
{
	struct mp_loop *loop = slot->owner->loop;
	uint64_t first = state->context.call, from_ns = mp_loop_clock_ns(loop);
	bool ok = true;
	while (ok && state->context.call - first < calls && mp_loop_clock_ns(loop) - from_ns < TIMED_MAX_NS)
		ok = ask_round(slot, state);
	return ok;
}

int mp_policies_measure(struct mp_policies *policies, enum mp_policy_kind kind, struct mp_policy_cost *cost)
{
	struct mp_policy_slot *slot = &policies->slots[kind];
	memset(cost, 0, sizeof(*cost));
	if (slot->current == NULL)
		return MP_ENOTFOUND;
	if (mp_sample_set(&policies->sample, MP_SAMPLE_HUNDRED) != 0)
		return MP_ENOMEM;
	policies->is_measured = true;
	int rc = mp_policies_bind(policies, &policies->sample.view, NULL);
	struct mp_policy_state *state = slot->current->state;
	state->context.fuel.limit_ns = MP_POLICY_LOAD_NS; // as when it is tried: nothing is logged
	if (rc != 0 || !ask_calls(slot, state, TRIED_FIRST))
		return MP_ESCRIPT;
	uint64_t calls = state->context.call, given_bytes = state->vm.given_bytes;
	uint64_t from_ns = mp_loop_clock_ns(policies->loop);
	if (!ask_calls(slot, state, TIMED_CALLS))
		return MP_ESCRIPT;
	uint64_t ns = mp_loop_clock_ns(policies->loop) - from_ns;
	calls = state->context.call - calls;
	cost->name = state->name;
	cost->ns_per_call = calls == 0 ? 0 : ns / calls;
	// A branch that is compiled only now takes memory once.
	cost->bytes_per_call = calls == 0 ? 0 : (uint32_t)((state->vm.given_bytes - given_bytes) / calls);
	state->bytes_per_call = cost->bytes_per_call;
	cost->is_slow = mp_policy_is_slow(state, cost->why, sizeof(cost->why));
	cost->is_hot = state->ops->is_hot;
	return 0;
}

int mp_policies_facts(struct mp_policies *policies, enum mp_policy_kind kind, struct mp_buf *facts)
{
	struct mp_policy_slot *slot = &policies->slots[kind];
	return slot->current == NULL ? MP_ENOTFOUND : mp_policy_state_facts(slot->current->state, facts);
}
