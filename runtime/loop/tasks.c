// SPDX-License-Identifier: Apache-2.0
// Tasks of both bodies: three queues that a turn empties one after the other. A RUN task may post RUN tasks for
// the same turn, to a limit, so that a task that posts itself cannot keep the sockets waiting.
#include "loop/loop_internal.h"

#define RUN_ROUNDS_MAX 64

void mp_task_init(struct mp_task *task, void (*fn)(void *data), void *data)
{
	*task = (struct mp_task){.fn = fn, .data = data};
	mp_list_node_init(&task->node);
}

void mp_task_post(struct mp_loop *loop, struct mp_task *task, enum mp_phase phase)
{
	mp_assert(phase < MP_PHASE_COUNT);
	if (mp_list_node_linked(&task->node))
		return;
	task->phase = phase;
	mp_list_push_back(&loop->tasks[phase], &task->node);
	mp_loop_hold(loop);
}

void mp_task_cancel(struct mp_loop *loop, struct mp_task *task)
{
	if (!mp_list_node_linked(&task->node))
		return;
	mp_list_remove(&loop->tasks[task->phase], &task->node);
	mp_loop_release(loop);
}

bool mp_task_posted(const struct mp_task *task)
{
	return mp_list_node_linked(&task->node);
}

// Run the tasks that are posted now; those posted meanwhile stay.
static void run_round(struct mp_loop *loop, enum mp_phase phase)
{
	for (size_t left = loop->tasks[phase].count; left > 0; left--) {
		// A task may cancel its neighbours, so fewer may be left than were counted.
		struct mp_list_node *node = mp_list_pop_front(&loop->tasks[phase]);
		if (node == NULL)
			return;
		struct mp_task *task = MP_CONTAINER_OF(node, struct mp_task, node);
		mp_loop_release(loop);
		loop->ran = true;
		task->fn(task->data);
	}
}

void mp_loop_run_tasks(struct mp_loop *loop)
{
	if (loop->in_tasks)
		return;
	loop->in_tasks = true;
	for (int round = 0; round < RUN_ROUNDS_MAX && loop->tasks[MP_PHASE_RUN].count > 0; round++)
		run_round(loop, MP_PHASE_RUN);
	mp_loop_begin_gathering(loop, loop->tasks[MP_PHASE_FLUSH].count);
	run_round(loop, MP_PHASE_FLUSH);
	mp_loop_end_gathering(loop);
	run_round(loop, MP_PHASE_AFTER);
	loop->in_tasks = false;
}

bool mp_loop_has_tasks(const struct mp_loop *loop)
{
	for (int phase = 0; phase < MP_PHASE_COUNT; phase++)
		if (loop->tasks[phase].count > 0)
			return true;
	return false;
}
