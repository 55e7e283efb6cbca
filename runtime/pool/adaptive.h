// SPDX-License-Identifier: Apache-2.0
// How many connections a host needs, by how much of them is used. Pure: it has no clock, no timer and no connection;
// whoever owns it samples the requests in flight, ends its intervals and acts on what it says.
//
// Utilisation is the share of the room (connections times the requests that each may carry) that is taken. A pool grows
// when the mean of an interval is above `up`, and shrinks when even the most that was seen in the last
// MP_ADAPTIVE_MEMORY intervals is below `down`; either way to the size at which that would be `target` of the room.
// Growing is a matter of one interval, shrinking takes several and goes by a quarter at a time, so a load that comes
// and goes is met once. When there is no room left at all nobody waits for the end of an interval: mp_adaptive_rush().
//
// Steady by construction: a size that was chosen for some load is the one that would be chosen for it again, whatever
// the thresholds are.
#pragma once

#include "base/defs.h"

enum { MP_ADAPTIVE_SAMPLES = 20 }; // of an interval
enum { MP_ADAPTIVE_MEMORY = 4 };   // intervals

struct mp_adaptive_rules {
	bool enabled;
	double target, up, down; // 0 <= down < target < up <= 1
	uint32_t interval_ms;
};

// The pool as it stands when it is decided about.
struct mp_adaptive_pool {
	uint32_t size; // connections that it has, or opens
	uint32_t min, max;
	uint32_t room; // requests that each of them may carry, 1 or more
};

struct mp_adaptive {
	uint64_t sum; // over the samples of this interval
	uint32_t samples;
	uint32_t peak;                      // the most that was seen in it
	uint32_t peaks[MP_ADAPTIVE_MEMORY]; // in those before
	uint32_t known;                     // of them
	double utilization;                 // the mean of the last whole interval
};

void mp_adaptive_init(struct mp_adaptive *adaptive); // also: what was seen does not count any more
// A sample. True: it was the last of the interval, and mp_adaptive_decide() is due.
bool mp_adaptive_note(struct mp_adaptive *adaptive, uint32_t in_flight);
// The interval is over: the size from now on.
uint32_t mp_adaptive_decide(struct mp_adaptive *adaptive, const struct mp_adaptive_rules *rules,
                            const struct mp_adaptive_pool *pool);
// There is no room left: the size from now on, at once.
uint32_t mp_adaptive_rush(struct mp_adaptive *adaptive, const struct mp_adaptive_rules *rules,
                          const struct mp_adaptive_pool *pool);
