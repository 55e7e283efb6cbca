// SPDX-License-Identifier: Apache-2.0
// Invariant: a turn stands in `waiting` only while its due_ns is set.
#include "cluster/topology/pace.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define CALLED    2 // of those that wait, when one is over: one for its place, one should the other not want it

void mp_pace_init(struct mp_pace *pace, struct mp_loop *loop, void (*call)(struct mp_pace_turn *turn))
{
	*pace = (struct mp_pace){.loop = loop, .call = call};
	mp_list_init(&pace->waiting);
}

void mp_pace_restart(struct mp_pace *pace)
{
	pace->next_ns = 0;
}

void mp_pace_turn_init(struct mp_pace_turn *turn)
{
	turn->due_ns = 0;
	mp_list_node_init(&turn->node);
}

void mp_pace_forget(struct mp_pace *pace, struct mp_pace_turn *turn)
{
	if (mp_list_node_linked(&turn->node))
		mp_list_remove(&pace->waiting, &turn->node);
	turn->due_ns = 0;
}

static uint64_t let_go(struct mp_pace *pace, struct mp_pace_turn *turn)
{
	mp_pace_forget(pace, turn);
	pace->under_way++;
	return 0;
}

static void take_turn(struct mp_pace *pace, struct mp_pace_turn *turn, uint64_t step_ns, uint64_t now_ns)
{
	uint64_t start_ns = pace->next_ns > now_ns ? pace->next_ns : now_ns;
	pace->next_ns = start_ns + step_ns;
	turn->due_ns = pace->next_ns > NS_PER_S ? pace->next_ns - NS_PER_S : 1;
}

uint64_t mp_pace_delay_ms(struct mp_pace *pace, struct mp_pace_turn *turn, uint32_t rate, bool is_first)
{
	if (rate == 0)
		return let_go(pace, turn);
	uint64_t step_ns = NS_PER_S / rate;
	if (is_first && pace->under_way < MP_PACE_FIRST_MOST) {
		if (turn->due_ns != 0 && pace->next_ns > step_ns)
			pace->next_ns -= step_ns; // somebody else may have it
		return let_go(pace, turn);
	}
	uint64_t now_ns = mp_loop_now_ns(pace->loop);
	if (turn->due_ns == 0)
		take_turn(pace, turn, step_ns, now_ns);
	if (turn->due_ns <= now_ns)
		return let_go(pace, turn);
	if (is_first && !mp_list_node_linked(&turn->node))
		mp_list_push_back(&pace->waiting, &turn->node);
	return (turn->due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
}

void mp_pace_over(struct mp_pace *pace)
{
	mp_assert(pace->under_way > 0);
	pace->under_way--;
	for (uint32_t i = 0; i < CALLED && pace->under_way + i < MP_PACE_FIRST_MOST; i++) {
		struct mp_list_node *node = mp_list_pop_front(&pace->waiting);
		if (node == NULL)
			return;
		pace->call(MP_CONTAINER_OF(node, struct mp_pace_turn, node));
	}
}
