// SPDX-License-Identifier: Apache-2.0
// Who wishes that a loop looks before it sleeps, and for how long. The bodies ask for the longest wish.
#include "loop/loop_internal.h"

void mp_loop_busy_poll(struct mp_loop *loop, struct mp_busy_poll *wish, uint32_t us)
{
	if (wish->us > 0)
		mp_list_remove(&loop->busy_polls, &wish->node);
	wish->us = us;
	mp_list_node_init(&wish->node);
	if (us > 0)
		mp_list_push_back(&loop->busy_polls, &wish->node);
	loop->busy_poll_us = 0;
	struct mp_list_node *node = mp_list_first(&loop->busy_polls);
	for (; node != NULL; node = mp_list_next(&loop->busy_polls, node)) {
		const struct mp_busy_poll *each = MP_CONTAINER_OF(node, struct mp_busy_poll, node);
		if (each->us > loop->busy_poll_us)
			loop->busy_poll_us = each->us;
	}
}

uint32_t mp_loop_busy_poll_us(const struct mp_loop *loop)
{
	return loop->busy_poll_us;
}

uint64_t mp_loop_busy_looks(const struct mp_loop *loop)
{
	return loop->busy_looks;
}
