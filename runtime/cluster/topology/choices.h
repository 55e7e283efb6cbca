// SPDX-License-Identifier: Apache-2.0
// Which nodes an application has chosen by hand, beside what the cluster and the configuration say: those that it has
// removed are not used although the cluster names them; those that it has added are, although they came late. The later
// word counts.
#pragma once

#include "base/addr.h"
#include "base/uuid.h"

struct mp_choices { // all zero: nothing was chosen
	struct mp_choice *all;
	uint32_t count, capacity;
};

int mp_choices_remove(struct mp_choices *choices, const struct mp_uuid *host_id, const struct mp_addr *addr,
                      const struct mp_addr *named) MP_MUST_CHECK;
// By either address under which it was removed; port 0 is any.
int mp_choices_add(struct mp_choices *choices, const struct mp_addr *addr) MP_MUST_CHECK;
bool mp_choices_removed(const struct mp_choices *choices, const struct mp_uuid *host_id);
bool mp_choices_added(const struct mp_choices *choices, const struct mp_addr *addr);
void mp_choices_deinit(struct mp_choices *choices);
