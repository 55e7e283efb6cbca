// SPDX-License-Identifier: Apache-2.0
// The loop of a worker's runtime, turned from inside of nginx's own event loop: no thread, no wake-up but for what
// happens. The backend descriptor of libuv lies in nginx's epoll, level triggered; the nearest deadline is a timer of
// nginx's; what was begun between two turns is flushed when the sockets of this round have been handled, so the
// requests of many clients leave in one write.
//
// One in a process. It begins in a worker, and ends with the worker, or with the cycle where there is no master.
#pragma once

#include "base/defs.h"

struct mp_loop;
struct mp_pump;

struct mp_pump_counts {
	uint64_t turns;   // of the loop
	uint64_t flushes; // of what was begun between two turns
	uint64_t wakes;   // turns because a time was over
};

// NULL: no connection of nginx's is free (worker_connections), or no memory. `end` is called at the worker's end, when
// nginx has given the descriptor up and before the loop is freed; `requests` says how many are in flight.
struct mp_pump *mp_pump_start(struct mp_loop *loop, size_t (*requests)(void *data), void (*end)(void *data),
                              void *data) MP_MUST_CHECK;
struct mp_pump *mp_pump_of_worker(void); // NULL: none has started
// At the end of the worker, from wherever nginx tells it first.
void mp_pump_end(void);
bool mp_pump_is_ending(void); // the worker's memory is being given back: nobody will be resumed
void mp_pump_counts(struct mp_pump_counts *out);

// `fn` is called once all that is posted now to nginx has run, and what that posts.
void mp_pump_after(void (*fn)(void));
