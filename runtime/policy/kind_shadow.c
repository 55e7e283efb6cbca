// SPDX-License-Identifier: Apache-2.0
// The shadow: a policy that answers the question of balance policies beside the one in force. It is asked seldom, about
// copies, when nobody waits; so each of its calls is timed and looked at twice, and what it costs and breaks is its
// own.
#include "policy/policies_internal.h"

// false: it failed, or it rests because it kept failing.
static bool plan(void *self, const struct mp_request_view *req, struct mp_plan *to)
{
	struct mp_policy_slot *slot = self;
	if (!mp_policy_may_ask(slot))
		return false;
	struct mp_generation *generation = slot->current; // it may have changed just now
	generation->calls++;
	uint64_t from_ns = mp_loop_clock_ns(slot->owner->loop);
	return mp_policy_ended(slot, from_ns, mp_policy_balance_plan(generation->state, req, to));
}

static void serve(struct mp_policy_slot *slot, struct mp_policy_calls *policies)
{
	policies->shadow = (struct mp_shadow_policy){
		.asked = {.self = slot, .plan = plan, .identify = mp_policy_identify},
		.shown = slot->owner->shown,
	};
}

extern const struct mp_policy_ops mp_policy_balance;

const struct mp_policy_ops mp_policy_shadow = {
	.name = "shadow",
	.answers = &mp_policy_balance,
	.key = "loadBalancing.shadow",
	.tail = "load_balancing",
	.is_hot = true,
	.is_shadow = true,
	.push = mp_policy_balance_push,
	.check = mp_policy_balance_check,
	.ask = mp_policy_balance_ask,
	.serve = serve,
};
