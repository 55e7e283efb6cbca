// SPDX-License-Identifier: Apache-2.0
// Timers of both bodies: a binary heap ordered by (deadline, order of start). A timer knows its slot (+ 1),
// so moving and stopping cost log n and no search. A deadline is never before the time it was set at; with
// the order this means that a timer started while timers fire stands behind all that are due, and waits for
// the next turn.
#include "loop/loop_internal.h"

#include "base/err.h"
#include "base/mem.h"

#define NS_PER_MS 1000000u

void mp_timer_heap_init(struct mp_timer_heap *heap)
{
	*heap = (struct mp_timer_heap){.next_order = 1};
}

void mp_timer_heap_deinit(struct mp_timer_heap *heap)
{
	mp_free(heap->items);
	*heap = (struct mp_timer_heap){0};
}

int mp_timer_heap_reserve(struct mp_timer_heap *heap, size_t count)
{
	if (count <= heap->cap)
		return 0;
	size_t cap = heap->cap == 0 ? 16 : heap->cap;
	while (cap < count) {
		if (cap > SIZE_MAX / 2 / sizeof(struct mp_timer *))
			return MP_ENOMEM;
		cap *= 2;
	}
	struct mp_timer **items = mp_realloc(heap->items, cap * sizeof(struct mp_timer *));
	if (items == NULL)
		return MP_ENOMEM;
	heap->items = items;
	heap->cap = cap;
	return 0;
}

static bool before(const struct mp_timer *a, const struct mp_timer *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns;
	return a->order < b->order;
}

static void place(struct mp_timer_heap *heap, size_t at, struct mp_timer *timer)
{
	heap->items[at] = timer;
	timer->heap_slot = at + 1;
}

static void sift_up(struct mp_timer_heap *heap, size_t at, struct mp_timer *timer)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;
		if (!before(timer, heap->items[parent]))
			break;
		place(heap, at, heap->items[parent]);
		at = parent;
	}
	place(heap, at, timer);
}

static void sift_down(struct mp_timer_heap *heap, size_t at, struct mp_timer *timer)
{
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && before(heap->items[child + 1], heap->items[child]))
			child++;
		if (!before(heap->items[child], timer))
			break;
		place(heap, at, heap->items[child]);
		at = child;
	}
	place(heap, at, timer);
}

void mp_timer_heap_put(struct mp_timer_heap *heap, struct mp_timer *timer, uint64_t deadline_ns)
{
	if (timer->heap_slot != 0)
		mp_timer_heap_remove(heap, timer);
	mp_assert(heap->count < heap->cap);
	heap->reserved -= timer->is_reserved ? 1 : 0;
	timer->deadline_ns = deadline_ns;
	timer->order = heap->next_order++;
	sift_up(heap, heap->count++, timer);
}

void mp_timer_heap_remove(struct mp_timer_heap *heap, struct mp_timer *timer)
{
	mp_assert(timer->heap_slot != 0 && timer->heap_slot <= heap->count);
	size_t at = timer->heap_slot - 1;
	mp_assert(heap->items[at] == timer);
	timer->heap_slot = 0;
	heap->reserved += timer->is_reserved ? 1 : 0;
	struct mp_timer *last = heap->items[--heap->count];
	if (last == timer)
		return;
	if (at > 0 && before(last, heap->items[(at - 1) / 2]))
		sift_up(heap, at, last);
	else
		sift_down(heap, at, last);
}

struct mp_timer *mp_timer_heap_first(const struct mp_timer_heap *heap)
{
	return heap->count == 0 ? NULL : heap->items[0];
}

void mp_timer_init(struct mp_timer *timer, struct mp_loop *loop, void (*fn)(void *data), void *data)
{
	*timer = (struct mp_timer){.fn = fn, .data = data, .loop = loop};
}

static int one_more(struct mp_timer_heap *heap)
{
	return mp_timer_heap_reserve(heap, heap->count + heap->reserved + 1);
}

int mp_timer_reserve(struct mp_timer *timer)
{
	mp_assert(timer->heap_slot == 0 && !timer->is_reserved);
	int rc = one_more(&timer->loop->timers);
	if (rc != 0)
		return rc;
	timer->loop->timers.reserved++;
	timer->is_reserved = true;
	return 0;
}

void mp_timer_release(struct mp_timer *timer)
{
	mp_timer_stop(timer);
	if (!timer->is_reserved)
		return;
	timer->loop->timers.reserved--;
	timer->is_reserved = false;
}

int mp_timer_start_at_ns(struct mp_timer *timer, uint64_t deadline_ns)
{
	struct mp_loop *loop = timer->loop;
	uint64_t now_ns = mp_loop_now_ns(loop);
	if (deadline_ns < now_ns)
		deadline_ns = now_ns;
	bool started = timer->heap_slot != 0;
	if (!started && !timer->is_reserved) {
		int rc = one_more(&loop->timers);
		if (rc != 0)
			return rc;
	}
	mp_timer_heap_put(&loop->timers, timer, deadline_ns);
	if (!started)
		mp_loop_hold(loop);
	return 0;
}

int mp_timer_start_ms(struct mp_timer *timer, uint64_t delay_ms)
{
	uint64_t now_ns = mp_loop_now_ns(timer->loop);
	uint64_t deadline_ns = UINT64_MAX;
	if (delay_ms <= (UINT64_MAX - now_ns) / NS_PER_MS)
		deadline_ns = now_ns + delay_ms * NS_PER_MS;
	return mp_timer_start_at_ns(timer, deadline_ns);
}

void mp_timer_stop(struct mp_timer *timer)
{
	if (timer->heap_slot == 0)
		return;
	mp_timer_heap_remove(&timer->loop->timers, timer);
	mp_loop_release(timer->loop);
}

bool mp_timer_active(const struct mp_timer *timer)
{
	return timer->heap_slot != 0;
}

void mp_loop_fire_timers(struct mp_loop *loop)
{
	uint64_t first_new = loop->timers.next_order;
	struct mp_timer *timer;
	while ((timer = mp_timer_heap_first(&loop->timers)) != NULL) {
		if (timer->deadline_ns > loop->now_ns || timer->order >= first_new)
			break;
		mp_timer_stop(timer);
		loop->ran = true;
		timer->fn(timer->data);
	}
}

uint64_t mp_loop_next_deadline(const struct mp_loop *loop)
{
	const struct mp_timer *timer = mp_timer_heap_first(&loop->timers);
	return timer == NULL ? UINT64_MAX : timer->deadline_ns;
}
