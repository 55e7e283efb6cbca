// SPDX-License-Identifier: Apache-2.0
// What a thread is in just now, for somebody who looks on: whoever runs code of the user's notes it here before and
// takes it off after, by a store each. Nothing in the library looks; the executable's watchdog does (cli/watchdog.h),
// from a signal on the same thread, so that what is noted is alive while it looks.
#pragma once

#include "base/defs.h"

// Something that runs, again and again.
struct mp_watched {
	const char *what;       // "policy TokenAwarePolicy"
	const uint64_t *calls;  // grows with each
	volatile bool is_stuck; // for whoever calls it: this time it took too long
	volatile bool *alarm;   // set with it; NULL: none
};

struct mp_beat {
	struct mp_watched *volatile policy;
	struct mp_watched *volatile handler; // around policies, and whatever else it calls
};
