// SPDX-License-Identifier: Apache-2.0
// A view as it was a moment ago, for a policy that must not touch the one that serves (the shadow): slots, marks and a
// turn of its own, at addresses that stay; names and groups are the original's.
//
// Invariant: whatever is done with the copy, the original is as it was.
#pragma once

#include "cluster/plan/view.h"

struct mp_view_copy {
	struct mp_view view;
	uint64_t epoch; // of the original when lists of hosts were compared with its names
};

struct mp_view_copy *mp_view_copy_new(void) MP_MUST_CHECK; // shows no hosts yet; NULL: no memory
void mp_view_copy_free(struct mp_view_copy *copy);         // NULL is fine
// From now on, until the original is rebuilt, it shows that with these hosts in its slots: `count` of them.
void mp_view_copy_show(struct mp_view_copy *copy, const struct mp_view *original,
                       const struct mp_host_view *hosts, uint32_t count);
