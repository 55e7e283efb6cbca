// SPDX-License-Identifier: Apache-2.0
// A loop that somebody else turns inside of a loop of his own: what he watches, how long he may wait, and how he hears
// that something began between two turns. He turns it when the descriptor is readable and when the time is over.
#include "loop/loop_internal.h"

#include <limits.h>

#define NS_PER_MS 1000000u

int mp_loop_fd(struct mp_loop *loop)
{
	return loop->ops->fd != NULL && !mp_loop_is_forked(loop) ? loop->ops->fd(loop) : -1;
}

int mp_loop_wait_ms(struct mp_loop *loop)
{
	if (mp_loop_is_forked(loop))
		return -1;
	if (mp_loop_has_tasks(loop) || (loop->ops->is_due != NULL && loop->ops->is_due(loop)))
		return 0;
	uint64_t deadline_ns = mp_loop_next_deadline(loop);
	if (deadline_ns == UINT64_MAX)
		return -1;
	uint64_t now_ns = mp_loop_clock_ns(loop);
	if (deadline_ns <= now_ns)
		return 0;
	// Rounded up: a turn that comes before the deadline comes in vain.
	uint64_t wait_ms = (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return wait_ms < INT_MAX ? (int)wait_ms : INT_MAX;
}

void mp_loop_on_touch(struct mp_loop *loop, void (*fn)(void *data), void *data)
{
	loop->touched = fn;
	loop->touched_data = data;
}

void mp_loop_touch(struct mp_loop *loop)
{
	if (!loop->stamped)
		loop->touched(loop->touched_data);
}
