// SPDX-License-Identifier: Apache-2.0
// What happened lately: how long things took and how often they happened, in a ring of slots of time. Who records pays
// for the present slot only, a few increments without a look at the clock; whoever keeps the time ends a slot now and
// then (mp_window_turn), and whoever asks (mp_window_look) pays for adding the slots up. It does not matter who asks,
// or how often.
//
// The buckets are those of base/hist.h, up to 2^32. A slot that has ended keeps those in which something fell. Beside
// the window stands what has ended since the beginning, by powers of two, for who counts from there (OpenMetrics).
#pragma once

#include "base/hist.h"

#define MP_WINDOW_SLOTS   10
#define MP_WINDOW_BUCKETS 464
#define MP_WINDOW_TOTALS  6 // counts that only grow, kept elsewhere
#define MP_WINDOW_STATES  3 // what is looked at when a slot ends

// Bound i is 2^(6 + i) - 1; beyond the last one there is everything else.
#define MP_WINDOW_BOUNDS      19
#define MP_WINDOW_BOUND_SHIFT 6

struct mp_window_part {
	uint32_t count;
	uint16_t bucket;
};

struct mp_window_slot {
	uint64_t sum;
	uint32_t count;
	uint32_t gained[MP_WINDOW_TOTALS];
	uint32_t states[MP_WINDOW_STATES];
	uint16_t part_count; // of its row in `parts`
};

struct mp_window {
	// the present slot
	uint64_t sum;
	uint32_t buckets[MP_WINDOW_BUCKETS];
	// the past ones
	struct mp_window_slot slots[MP_WINDOW_SLOTS];
	struct mp_window_part *parts; // a row for each slot, so that one allocation serves them all
	uint16_t part_capacity;       // of a row
	uint8_t next;                 // the oldest one, which is the next to be written
	uint8_t ended;
	uint64_t before[MP_WINDOW_TOTALS]; // the totals when the present slot began
	// since the beginning, without the present slot
	uint64_t all_count, all_sum;
	uint64_t
		all_below[MP_WINDOW_BOUNDS + 1]; // within each bound and above the one before; the last: above all
};

// Zeroed memory is an empty one.
void mp_window_deinit(struct mp_window *window);

// mp_hist_bucket(), with fewer instructions.
inline uint32_t mp_window_bucket(uint32_t value)
{
	uint32_t shift = 27u - (uint32_t)__builtin_clz(value | 16u);
	return (shift << 4) + (value >> shift);
}

inline void mp_window_add(struct mp_window *window, uint64_t value)
{
	uint32_t kept = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
	window->sum += kept;
	window->buckets[mp_window_bucket(kept)]++;
}

// The present slot ends. `totals` as they stand now; `states` as things are now.
void mp_window_turn(struct mp_window *window, const uint64_t totals[MP_WINDOW_TOTALS],
                    const uint32_t states[MP_WINDOW_STATES]);

// All slots and the present one, added up.
struct mp_window_view {
	uint64_t count, sum;
	uint64_t gained[MP_WINDOW_TOTALS];
	uint64_t states[MP_WINDOW_STATES]; // sums over the `ended` slots
	uint32_t ended;
	uint32_t buckets[MP_WINDOW_BUCKETS];
};
void mp_window_look(const struct mp_window *window, const uint64_t totals[MP_WINDOW_TOTALS],
                    struct mp_window_view *view);
// The quantiles q[0] <= q[1] <= ..., each at most 6.25 % off; 0 when the window is empty.
void mp_window_quantiles(const struct mp_window_view *view, const double *q, size_t count, uint64_t *values);
double mp_window_mean(const struct mp_window_view *view); // 0 when it is empty
