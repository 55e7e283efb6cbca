// SPDX-License-Identifier: Apache-2.0
// Another choice of policies for a running session: the new ones are made beside those that serve; then their
// generations move over. Kinds whose choice and files are the same go on untouched.
#include <stdio.h>

#include "base/mem.h"
#include "policy/policies_internal.h"

struct mp_policy_change {
	struct mp_policy_orders orders;
	struct mp_generation
		*made[MP_POLICY_KINDS]; // NULL: what serves goes on, or C answers when nothing is chosen
};

static int make(struct mp_policies *policies, struct mp_policy_change *change, enum mp_policy_kind kind,
                char *message, size_t size)
{
	bool same_choice = mp_policy_orders_same_choice(&policies->orders, &change->orders, kind);
	if (change->orders.choices[kind].policy == NULL ||
	    (same_choice && mp_policy_orders_same_paths(&policies->orders, &change->orders)))
		return 0;
	struct mp_policy_order order = mp_policy_orders_of(&change->orders, kind);
	order.may_be_same = same_choice;
	order.known = policies->slots[kind].loaded_hash;
	int rc = mp_policy_make(policies, kind, &order, &change->made[kind], message, size);
	return rc > 0 ? 0 : rc; // the same files behind other paths
}

struct mp_policy_change *mp_policies_change(struct mp_policies *policies,
                                            const struct mp_policies_config *config, char *message,
                                            size_t message_size)
{
	struct mp_policy_change *change = mp_calloc(1, sizeof(*change));
	if (change == NULL || mp_policy_orders_init(&change->orders, config, policies->home) != 0) {
		snprintf(message, message_size, "out of memory");
		mp_policies_drop(change);
		return NULL;
	}
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		if (make(policies, change, (enum mp_policy_kind)kind, message, message_size) == 0)
			continue;
		mp_policies_drop(change);
		return NULL;
	}
	return change;
}

void mp_policies_drop(struct mp_policy_change *change)
{
	if (change == NULL)
		return;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++)
		mp_generation_free(change->made[kind]);
	mp_policy_orders_deinit(&change->orders);
	mp_free(change);
}

// ---- taking -----------------------------------------------------------------------------------------------

// C answers from now on.
static void clear(struct mp_policy_slot *slot)
{
	mp_canary_take_back(slot, "the configuration names no policy any more");
	mp_policy_watch_stop(slot);
	mp_generation_free(slot->current);
	mp_policy_reload_forget(slot);
	slot->current = NULL;
	slot->troubled = slot->suspended = slot->needs_collect = false;
}

void mp_policies_take(struct mp_policies *policies, struct mp_policy_change *change)
{
	struct mp_policy_orders old = policies->orders;
	policies->orders = change->orders;
	change->orders = old;
	for (int kind = 0; kind < MP_POLICY_KINDS; kind++) {
		struct mp_policy_slot *slot = &policies->slots[kind];
		if (policies->orders.choices[kind].policy == NULL) {
			clear(slot);
		} else if (change->made[kind] != NULL) {
			mp_canary_take_back(slot, "the configuration names another policy");
			mp_policy_swap_in(slot, change->made[kind]);
			change->made[kind] = NULL;
			slot->reloads++;
			mp_policy_tell(slot, MP_POLICY_RELOADED, "");
		} else {
			mp_canary_follow(slot);
		}
	}
	mp_policy_install(policies);
	mp_policies_drop(change);
}
