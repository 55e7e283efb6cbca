// SPDX-License-Identifier: Apache-2.0
// A clock that only goes forward, on top of one that may jump.
#include "cluster/request/timestamp.h"

#define TELL_BEHIND_US INT64_C(1000000)
#define TELL_EVERY_MS  1000u

static void tell(struct mp_timestamps *timestamps, struct mp_loop *loop, const struct mp_log *log,
                 int64_t behind_us)
{
	uint64_t held;
	if (mp_log_gate_open(&timestamps->gate, mp_loop_now_ms(loop), TELL_EVERY_MS, &held))
		mp_log_write(log, MP_LOG_WARN,
		             "the wall clock is %lld ms behind the timestamps of earlier writes: it went back",
		             (long long)(behind_us / 1000));
}

int64_t mp_timestamps_next(struct mp_timestamps *timestamps, struct mp_loop *loop, const struct mp_log *log)
{
	int64_t wall_us = (int64_t)mp_loop_wall_us(loop);
	if (wall_us > timestamps->last_us)
		return timestamps->last_us = wall_us;
	int64_t behind_us = timestamps->last_us - wall_us;
	if (behind_us > TELL_BEHIND_US)
		tell(timestamps, loop, log, behind_us);
	return ++timestamps->last_us;
}
