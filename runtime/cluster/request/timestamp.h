// SPDX-License-Identifier: Apache-2.0
// The time that a write carries (native_protocol_v5.spec section 4.1.4, <timestamp>). When the client gives it, all
// attempts of the request carry the same one: an attempt that arrives late cannot overwrite what was written since,
// which it would if each coordinator gave its own. Times of one session never repeat and never go back, whatever the
// wall clock does.
#pragma once

#include "base/log.h"
#include "loop/loop.h"

struct mp_timestamps {
	int64_t last_us; // 0: none yet
	struct mp_log_gate gate;
};

// Microseconds since 1970: the wall clock's, or one more than the last when that is not later. `log` hears of it, once
// a second at most, while the wall clock is more than a second behind.
int64_t mp_timestamps_next(struct mp_timestamps *timestamps, struct mp_loop *loop, const struct mp_log *log);
