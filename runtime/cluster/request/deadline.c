// SPDX-License-Identifier: Apache-2.0
// Invariant: a queue's entries stand in the order of their due times, and its timer is active whenever it has
// entries (it may also be active without: stopping an entry never touches the timer).
#include "cluster/request/deadline.h"

static void on_class_timer(void *data);
static void on_own_timer(void *data);

static void class_init(struct mp_deadline_class *in, struct mp_deadlines *set)
{
	in->set = set;
	in->ms = 0;
	mp_list_init(&in->entries);
	mp_timer_init(&in->timer, set->loop, on_class_timer, in);
}

void mp_deadlines_init(struct mp_deadlines *set, struct mp_loop *loop,
                       void (*on_due)(void *owner, struct mp_deadline *deadline), void *owner)
{
	set->loop = loop;
	set->on_due = on_due;
	set->owner = owner;
	class_init(&set->odd, set);
	for (size_t i = 0; i < MP_DEADLINE_CLASSES; i++)
		class_init(&set->classes[i], set);
}

void mp_deadlines_deinit(struct mp_deadlines *set)
{
	mp_assert(set->odd.entries.count == 0);
	for (size_t i = 0; i < MP_DEADLINE_CLASSES; i++) {
		mp_assert(set->classes[i].entries.count == 0);
		mp_timer_stop(&set->classes[i].timer);
	}
}

void mp_deadline_init(struct mp_deadlines *set, struct mp_deadline *deadline)
{
	*deadline = (struct mp_deadline){.in = NULL};
	mp_list_node_init(&deadline->node);
	mp_timer_init(&deadline->timer, set->loop, on_own_timer, deadline);
}

void mp_deadline_stop(struct mp_deadline *deadline)
{
	struct mp_deadline_class *in = deadline->in;
	if (in == NULL)
		return;
	mp_list_remove(&in->entries, &deadline->node);
	if (MP_UNLIKELY(in == &in->set->odd))
		mp_timer_stop(&deadline->timer);
	deadline->in = NULL;
}

// One that is empty, for a timeout that has none. NULL: there is none left.
static MP_COLD struct mp_deadline_class *make_class(struct mp_deadlines *set, uint32_t ms)
{
	for (size_t i = 0; i < MP_DEADLINE_CLASSES; i++) {
		struct mp_deadline_class *in = &set->classes[i];
		if (in->entries.count > 0)
			continue;
		mp_timer_stop(&in->timer);
		in->ms = ms;
		return in;
	}
	return NULL;
}

MP_INLINE struct mp_deadline_class *class_of(struct mp_deadlines *set, uint32_t ms)
{
	for (size_t i = 0; i < MP_DEADLINE_CLASSES; i++)
		if (MP_LIKELY(set->classes[i].ms == ms))
			return &set->classes[i];
	return make_class(set, ms);
}

static void enter(struct mp_deadline *deadline, struct mp_deadline_class *in, uint64_t due_ns)
{
	deadline->in = in;
	deadline->due_ns = due_ns;
	mp_list_push_back(&in->entries, &deadline->node);
}

int mp_deadline_start_at(struct mp_deadlines *set, struct mp_deadline *deadline, uint64_t due_ns)
{
	mp_deadline_stop(deadline);
	int rc = mp_timer_start_at_ns(&deadline->timer, due_ns);
	if (rc == 0)
		enter(deadline, &set->odd, due_ns);
	return rc;
}

int mp_deadline_start(struct mp_deadlines *set, struct mp_deadline *deadline, uint32_t ms)
{
	mp_deadline_stop(deadline);
	uint64_t due_ns = mp_loop_now_ns(set->loop) + (uint64_t)ms * 1000000;
	struct mp_deadline_class *in = class_of(set, ms);
	if (MP_UNLIKELY(in == NULL))
		return mp_deadline_start_at(set, deadline, due_ns);
	if (MP_UNLIKELY(!mp_timer_active(&in->timer))) {
		int rc = mp_timer_start_at_ns(&in->timer, due_ns);
		if (rc != 0)
			return rc;
	}
	enter(deadline, in, due_ns);
	return 0;
}

static void on_class_timer(void *data)
{
	struct mp_deadline_class *in = data;
	uint64_t now_ns = mp_loop_now_ns(in->set->loop);
	// Started again before anything else can take its place in the loop's heap: moving it later cannot fail.
	int rc = mp_timer_start_ms(&in->timer, in->ms);
	mp_assert(rc == 0);
	struct mp_list_node *node;
	while ((node = mp_list_first(&in->entries)) != NULL) {
		struct mp_deadline *deadline = MP_CONTAINER_OF(node, struct mp_deadline, node);
		if (deadline->due_ns > now_ns) {
			rc = mp_timer_start_at_ns(&in->timer, deadline->due_ns);
			mp_assert(rc == 0);
			return;
		}
		mp_deadline_stop(deadline);
		in->set->on_due(in->set->owner, deadline);
	}
	mp_timer_stop(&in->timer);
}

static void on_own_timer(void *data)
{
	struct mp_deadline *deadline = data;
	struct mp_deadlines *set = deadline->in->set;
	mp_deadline_stop(deadline);
	set->on_due(set->owner, deadline);
}
