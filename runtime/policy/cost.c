// SPDX-License-Identifier: Apache-2.0
// What a call of a policy costs, for authors: measured on a made-up cluster of a hundred nodes. Nothing here decides
// whether a policy is good, only how dear it is.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "policy/policies_internal.h"

#define TRIED_FIRST  12000u // calls before any is timed
#define TIMED_CALLS  20000u
#define TIMED_MAX_NS UINT64_C(50000000) // of the processor: slow ones are asked less often
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
			.request = MP_SAMPLE_COMMON,
			.token = (int64_t)(i * UINT64_C(0x9e3779b97f4a7c15)),
			.chance = i,
		};
		ok = state->ops->ask(state, &question);
	}
	return ok;
}

static bool ask_calls(struct mp_policy_slot *slot, struct mp_policy_state *state, uint64_t calls)
{
	uint64_t first = state->context.call, from_ns = mp_vm_cpu_ns();
	bool ok = true;
	while (ok && state->context.call - first < calls && mp_vm_cpu_ns() - from_ns < TIMED_MAX_NS)
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
	char why[MP_POLICY_TEXT];
	int rc = mp_policies_bind(policies, &policies->sample.view, NULL, why, sizeof(why));
	struct mp_policy_state *state = slot->current->state;
	state->context.fuel.limit_ns = MP_POLICY_LOAD_NS; // as when it is tried: nothing is logged
	if (rc != 0 || !ask_calls(slot, state, TRIED_FIRST))
		return MP_ESCRIPT;
	uint64_t calls = state->context.call, given_bytes = state->vm.given_bytes;
	uint64_t from_ns = mp_vm_cpu_ns();
	if (!ask_calls(slot, state, TIMED_CALLS))
		return MP_ESCRIPT;
	uint64_t ns = mp_vm_cpu_ns() - from_ns;
	calls = state->context.call - calls;
	cost->name = state->name;
	cost->ns_per_call = calls == 0 ? 0 : ns / calls;
	// A branch that is compiled only now takes memory once.
	cost->bytes_per_call = calls == 0 ? 0 : (uint32_t)((state->vm.given_bytes - given_bytes) / calls);
	state->bytes_per_call = cost->bytes_per_call;
	cost->is_slow = mp_policy_state_is_slow(state, cost->why, sizeof(cost->why));
	cost->is_hot = state->ops->is_hot;
	return 0;
}

int mp_policies_facts(struct mp_policies *policies, enum mp_policy_kind kind, struct mp_buf *facts)
{
	struct mp_policy_slot *slot = &policies->slots[kind];
	return slot->current == NULL ? MP_ENOTFOUND : mp_policy_state_facts(slot->current->state, facts);
}
