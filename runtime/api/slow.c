// SPDX-License-Identifier: Apache-2.0
// The C API: callbacks of the program's that hold everything on their loop up. They are timed while somebody wants to
// hear of it, and cost nothing while nobody does: answers go through a function that looks at the clock only then.
#include "api/internal.h"

#define NS_PER_MS UINT64_C(1000000)

void mp_api_note_slow(struct mp_api_loop *loop, uint64_t since_ns, const char *of, void *data)
{
	if (since_ns == 0 || loop->on_slow == NULL)
		return;
	uint64_t ms = (mp_loop_clock_ns(loop->loop) - since_ns) / NS_PER_MS;
	if (ms < loop->slow_ms || !mp_api_enter(loop))
		return;
	struct moonpool_slow slow = {of, data, ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX};
	loop->on_slow(loop->slow_data, &slow);
	mp_api_leave(loop);
}

int moonpool_loop_on_slow(struct moonpool_loop *handle, uint32_t least_ms,
                          void (*on_slow)(void *data, const struct moonpool_slow *slow), void *data)
{
	struct mp_api_loop *loop = mp_api_loop_of(handle, __func__);
	if (loop == NULL)
		return moonpool_last_code();
	if (least_ms == 0 && on_slow != NULL)
		return mp_api_mistake(__func__, MOONPOOL_INVALID_ARGUMENT, "a millisecond or more expected");
	loop->on_slow = on_slow;
	loop->slow_ms = least_ms;
	loop->slow_data = data;
	loop->on_answer = on_slow != NULL ? mp_api_on_answer_timed : mp_api_on_answer;
	return 0;
}
