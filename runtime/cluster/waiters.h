// SPDX-License-Identifier: Apache-2.0
// Callbacks that wait for one and the same thing, the end of connect or of close, in the order of the calls. The first
// few need no memory of their own.
#pragma once

#include "base/defs.h"

struct mp_error;

#define MP_WAITERS_INLINE 8

struct mp_waiter {
	void (*on_error)(void *data, const struct mp_error *err); // connect; err NULL: it succeeded
	void (*on_done)(void *data);                              // close
	void *data;
};

struct mp_waiters { // all zero: nobody waits
	struct mp_waiter first[MP_WAITERS_INLINE];
	struct mp_waiter *more;
	size_t count;
	size_t capacity; // of `more`
};

int mp_waiters_add(struct mp_waiters *waiters,
                   struct mp_waiter waiter) MP_MUST_CHECK; // MP_ENOMEM: it does not wait
// Nobody waits any more, then each is told. One of them may free what `waiters` and `error` stand in.
void mp_waiters_tell(struct mp_waiters *waiters, const struct mp_error *error);
void mp_waiters_deinit(struct mp_waiters *waiters); // nobody is told
