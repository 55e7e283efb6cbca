// SPDX-License-Identifier: Apache-2.0
#include "cluster/drain.h"

void mp_drain_init(struct mp_drain *drain, struct mp_loop *loop, void (*on_over)(void *owner), void *owner)
{
	mp_timer_init(&drain->timer, loop, on_over, owner);
}

bool mp_drain_within(struct mp_drain *drain, uint32_t ms)
{
	struct mp_timer *timer = &drain->timer;
	uint64_t end_ns = mp_loop_now_ns(timer->loop) + (uint64_t)ms * 1000000;
	if (mp_timer_active(timer) && timer->deadline_ns <= end_ns)
		return true;
	if (ms > 0 && mp_timer_start_at_ns(timer, end_ns) == 0)
		return true;
	mp_timer_stop(timer);
	return false;
}

void mp_drain_stop(struct mp_drain *drain)
{
	mp_timer_stop(&drain->timer);
}
