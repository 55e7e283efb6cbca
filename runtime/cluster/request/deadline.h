// SPDX-License-Identifier: Apache-2.0
// Deadlines of very many things with few different timeouts. Those of one timeout expire in the order they were
// set, so each timeout is a queue with one loop timer: setting and stopping cost a list operation. A timeout
// that finds no queue left gets a timer of its own.
#pragma once

#include "base/list.h"
#include "loop/loop.h"

#define MP_DEADLINE_CLASSES 12

struct mp_deadlines;
struct mp_deadline_class {
	struct mp_deadlines *set;
	uint32_t ms; // 0: free for any timeout
	struct mp_list entries;
	struct mp_timer timer;
};

// In the storage of what expires; zeroed once by mp_deadline_init().
struct mp_deadline {
	struct mp_list_node node;
	struct mp_deadline_class *in; // NULL: not set
	uint64_t due_ns;
	struct mp_timer timer; // only used outside of the queues
};

struct mp_deadlines {
	struct mp_loop *loop;
	void (*on_due)(void *owner, struct mp_deadline *deadline); // it is not set any more
	void *owner;
	struct mp_deadline_class classes[MP_DEADLINE_CLASSES];
	struct mp_deadline_class odd; // those with a timer of their own, in no order
};

void mp_deadlines_init(struct mp_deadlines *set, struct mp_loop *loop,
                       void (*on_due)(void *owner, struct mp_deadline *deadline), void *owner);
void mp_deadlines_deinit(struct mp_deadlines *set); // asserts that none is set
void mp_deadline_init(struct mp_deadlines *set, struct mp_deadline *deadline);
// Set or move. MP_ENOMEM: it is not set.
int mp_deadline_start(struct mp_deadlines *set, struct mp_deadline *deadline, uint32_t ms) MP_MUST_CHECK;
int mp_deadline_start_at(struct mp_deadlines *set, struct mp_deadline *deadline,
                         uint64_t due_ns) MP_MUST_CHECK;
void mp_deadline_stop(struct mp_deadline *deadline); // also when not set
