// SPDX-License-Identifier: Apache-2.0
// How long a session that closes lets its requests finish. Several who close it may say so; the soonest end counts.
#pragma once

#include "loop/loop.h"

struct mp_drain {
	struct mp_timer timer; // active: under way
};

void mp_drain_init(struct mp_drain *drain, struct mp_loop *loop, void (*on_over)(void *owner), void *owner);
// `ms` from now at the latest. False: it is over at once, for want of time or of memory for its end, and on_over will
// not come.
bool mp_drain_within(struct mp_drain *drain, uint32_t ms) MP_MUST_CHECK;
void mp_drain_stop(struct mp_drain *drain); // also when it is not under way
