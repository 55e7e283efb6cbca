// SPDX-License-Identifier: Apache-2.0
#include "cluster/waiters.h"

#include "base/err.h"
#include "base/mem.h"
#include "cluster/session.h"

int mp_waiters_add(struct mp_waiters *waiters, struct mp_waiter waiter)
{
	if (waiters->count < MP_WAITERS_INLINE) {
		waiters->first[waiters->count++] = waiter;
		return 0;
	}
	size_t at = waiters->count - MP_WAITERS_INLINE;
	if (at == waiters->capacity) {
		size_t capacity = waiters->capacity == 0 ? 16 : waiters->capacity * 2;
		struct mp_waiter *more = mp_realloc(waiters->more, capacity * sizeof(*more));
		if (more == NULL)
			return MP_ENOMEM;
		waiters->more = more;
		waiters->capacity = capacity;
	}
	waiters->more[at] = waiter;
	waiters->count++;
	return 0;
}

void mp_waiters_tell(struct mp_waiters *from, const struct mp_error *error)
{
	struct mp_waiters waiters = *from;
	struct mp_error copy;
	if (error != NULL)
		copy = *error;
	*from = (struct mp_waiters){.count = 0};
	for (size_t i = 0; i < waiters.count; i++) {
		const struct mp_waiter *waiter =
			i < MP_WAITERS_INLINE ? &waiters.first[i] : &waiters.more[i - MP_WAITERS_INLINE];
		if (waiter->on_done != NULL)
			waiter->on_done(waiter->data);
		if (waiter->on_error != NULL)
			waiter->on_error(waiter->data, error != NULL ? &copy : NULL);
	}
	mp_free(waiters.more);
}

void mp_waiters_deinit(struct mp_waiters *waiters)
{
	mp_free(waiters->more);
	*waiters = (struct mp_waiters){.count = 0};
}
