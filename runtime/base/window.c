// SPDX-License-Identifier: Apache-2.0
#include "base/window.h"

#include <string.h>

#include "base/mem.h"

#define PARTS_LEAST 16u

void mp_window_deinit(struct mp_window *window)
{
	mp_free(window->parts);
}

extern inline uint32_t mp_window_bucket(uint32_t value);
extern inline void mp_window_add(struct mp_window *window, uint64_t value);

// ---- a slot ends ------------------------------------------------------------------------------------------

// Which of `all_below` a bucket belongs to.
static size_t bound_of(size_t bucket)
{
	size_t bits = bucket < 16 ? 4 : (bucket - 16) / 16 + 5; // its values are below 2^bits
	if (bits <= MP_WINDOW_BOUND_SHIFT)
		return 0;
	size_t bound = bits - MP_WINDOW_BOUND_SHIFT;
	return bound < MP_WINDOW_BOUNDS ? bound : MP_WINDOW_BOUNDS;
}

static struct mp_window_part *row_of(const struct mp_window *window, const struct mp_window_slot *slot)
{
	return window->parts + (size_t)(slot - window->slots) * window->part_capacity;
}

// Room for so many parts in each row.
static bool reserve(struct mp_window *window, uint16_t count)
{
	if (count <= window->part_capacity)
		return true;
	uint16_t capacity = PARTS_LEAST;
	while (capacity < count)
		capacity = (uint16_t)(capacity * 2);
	struct mp_window_part *parts = mp_calloc((size_t)MP_WINDOW_SLOTS * capacity, sizeof(parts[0]));
	if (parts == NULL)
		return false;
	for (size_t i = 0; i < MP_WINDOW_SLOTS && window->parts != NULL; i++)
		memcpy(parts + i * capacity, row_of(window, &window->slots[i]),
		       window->slots[i].part_count * sizeof(parts[0]));
	mp_free(window->parts);
	window->parts = parts;
	window->part_capacity = capacity;
	return true;
}

// Without memory the slot keeps its sums and loses its distribution.
static void keep_parts(struct mp_window *window, struct mp_window_slot *slot)
{
	uint16_t used = 0;
	for (size_t i = 0; i < MP_WINDOW_BUCKETS; i++) {
		used = (uint16_t)(used + (window->buckets[i] > 0 ? 1 : 0));
		slot->count += window->buckets[i];
	}
	bool kept = reserve(window, used);
	struct mp_window_part *row = row_of(window, slot);
	for (size_t i = 0; i < MP_WINDOW_BUCKETS; i++) {
		uint32_t count = window->buckets[i];
		if (count == 0)
			continue;
		window->all_below[bound_of(i)] += count;
		if (kept)
			row[slot->part_count++] = (struct mp_window_part){count, (uint16_t)i};
	}
	memset(window->buckets, 0, sizeof(window->buckets));
}

void mp_window_turn(struct mp_window *window, const uint64_t totals[MP_WINDOW_TOTALS],
                    const uint32_t states[MP_WINDOW_STATES])
{
	struct mp_window_slot *slot = &window->slots[window->next];
	window->next = (uint8_t)((window->next + 1) % MP_WINDOW_SLOTS);
	window->ended = (uint8_t)(window->ended + (window->ended < MP_WINDOW_SLOTS ? 1 : 0));
	slot->sum = window->sum;
	slot->count = 0;
	slot->part_count = 0;
	for (size_t i = 0; i < MP_WINDOW_TOTALS; i++) {
		slot->gained[i] = (uint32_t)(totals[i] - window->before[i]);
		window->before[i] = totals[i];
	}
	memcpy(slot->states, states, sizeof(slot->states));
	keep_parts(window, slot);
	window->all_count += slot->count;
	window->all_sum += window->sum;
	window->sum = 0;
}

// ---- looking ----------------------------------------------------------------------------------------------

static void add_slot(struct mp_window_view *view, const struct mp_window *window,
                     const struct mp_window_slot *slot)
{
	const struct mp_window_part *row = row_of(window, slot);
	view->count += slot->count;
	view->sum += slot->sum;
	for (size_t i = 0; i < MP_WINDOW_TOTALS; i++)
		view->gained[i] += slot->gained[i];
	for (size_t i = 0; i < MP_WINDOW_STATES; i++)
		view->states[i] += slot->states[i];
	for (uint16_t i = 0; i < slot->part_count; i++)
		view->buckets[row[i].bucket] += row[i].count;
}

void mp_window_look(const struct mp_window *window, const uint64_t totals[MP_WINDOW_TOTALS],
                    struct mp_window_view *view)
{
	memset(view, 0, sizeof(*view));
	view->sum = window->sum;
	view->ended = window->ended;
	for (size_t i = 0; i < MP_WINDOW_TOTALS; i++)
		view->gained[i] = totals[i] - window->before[i];
	memcpy(view->buckets, window->buckets, sizeof(view->buckets));
	for (size_t i = 0; i < MP_WINDOW_BUCKETS; i++)
		view->count += window->buckets[i];
	for (size_t i = 0; i < window->ended; i++)
		add_slot(view, window, &window->slots[i]);
}

void mp_window_quantiles(const struct mp_window_view *view, const double *q, size_t count, uint64_t *values)
{
	uint64_t seen = 0;
	size_t bucket = 0;
	for (size_t i = 0; i < count; i++) {
		double exact = q[i] * (double)view->count;
		uint64_t rank = exact < 1 ? 1 : (uint64_t)exact;
		if ((double)rank < exact)
			rank++;
		while (seen < rank && bucket < MP_WINDOW_BUCKETS)
			seen += view->buckets[bucket++];
		values[i] = view->count == 0 || bucket == 0 ? 0 : mp_hist_edge(bucket - 1);
	}
}

double mp_window_mean(const struct mp_window_view *view)
{
	return view->count == 0 ? 0 : (double)view->sum / (double)view->count;
}
