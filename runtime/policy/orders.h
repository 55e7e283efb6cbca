// SPDX-License-Identifier: Apache-2.0
// Which policies a configuration asks for: a copy of what it says, of which each kind's order is a part.
#pragma once

#include "policy/policies.h"
#include "policy/source.h"
#include "policy/state.h"

struct mp_policy_orders {
	struct mp_policy_choice choices[MP_POLICY_KINDS]; // policy NULL: C answers
	struct mp_source_path source;                     // its home is the caller's
	char *where;                                      // "" or "app.lua:12: "
};

// 0 or MP_ENOMEM.
int mp_policy_orders_init(struct mp_policy_orders *orders, const struct mp_policies_config *config,
                          const char *home) MP_MUST_CHECK;
void mp_policy_orders_deinit(
	struct mp_policy_orders *orders); // also of a zeroed one, also after a failed init
struct mp_policy_order mp_policy_orders_of(const struct mp_policy_orders *orders, enum mp_policy_kind kind);
// Do both ask for the same policy with the same options; and where do they look for it?
bool mp_policy_orders_same_choice(const struct mp_policy_orders *a, const struct mp_policy_orders *b,
                                  enum mp_policy_kind kind);
bool mp_policy_orders_same_paths(const struct mp_policy_orders *a, const struct mp_policy_orders *b);
